import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

/** docs/security-cases.md names a test for every attack: each must be there, or the row must say what it waits for. */
const rows = readFileSync('docs/security-cases.md', 'utf8')
  .split('\n')
  .filter((line) => /^\| \d/.test(line))
  .map((line) => {
    const [number = '', attack = '', outcome = '', shown = ''] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    return { number: Number(number), attack, outcome, shown }
  })

test('all seventy rows, in order', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 70 }, (_, index) => index + 1))
})

describe('what is named is there', () => {
  test.each(rows)('row $number: $attack', ({ outcome, shown }) => {
    if (shown === '') expect(outcome).toContain('*waits*')
    for (const part of shown === '' ? [] : shown.split('; `')) {
      const file = /`?(test\/[\w./-]+)`/.exec(part)?.[1] ?? ''
      expect(existsSync(file), file).toBe(true)
      const text = readFileSync(file, 'utf8')
      const titles = [...part.slice(part.indexOf(file) + file.length).matchAll(/"([^"]+)"/g)]
      expect(titles.length).toBeGreaterThan(0)
      for (const [, title = ''] of titles) expect(text.includes(title), `${file}: ${title}`).toBe(true)
    }
  })
})
