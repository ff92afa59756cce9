import { describe, expect, test } from 'vitest'
import { writeAnswer } from '../../src/control/answer.ts'
import { octets, readable } from '../../src/control/octets.ts'
import { limits } from '../../src/limits.ts'

async function pieces(answer: unknown): Promise<string[]> {
  const found: string[] = []
  await writeAnswer(answer, (piece) => void found.push(piece))
  return found
}

async function* counted(count: number) {
  for (let i = 0; i < count; i++) yield { i }
}

describe('an answer becomes JSON', () => {
  test.each([
    ['a text', 'a "b"', '"a \\"b\\""'],
    ['nothing', undefined, 'null'],
    ['an object without what is undefined', { a: 1, b: undefined, c: [] }, '{"a":1,"c":[]}'],
    ['rows', { rows: counted(3) }, '{"rows":[{"i":0},{"i":1},{"i":2}]}'],
    ['no rows', counted(0), '[]'],
    ['rows of a set', new Set([1, 'x']), '[1,"x"]'],
    ['rows in rows', [[1], { a: new Set([2]) }].values(), '[[1],{"a":[2]}]'],
    ['what is computed late', { a: () => 5 }, '{"a":5}'],
    ['octets that are UTF-8', 'h\xc3\xa9', '"hé"'],
    ['octets that are not', 'h\xe9', '"h\xe9"'],
  ])('%s', async (_, answer, expected) => {
    expect((await pieces(answer)).join('')).toBe(expected)
  })

  test('a sum is known after the rows', async () => {
    let sum = 0
    async function* rows() {
      for await (const row of counted(4)) {
        sum += row.i
        yield row
      }
    }
    expect(JSON.parse((await pieces({ rows: rows(), sum: () => sum })).join(''))).toMatchObject({ sum: 6 })
  })

  test.each([
    ['rows', () => counted(20_000)],
    ['an array', () => Array.from({ length: 20_000 }, (_, i) => ({ i }))],
    ['a long array in a row', () => [{ slot: Array.from({ length: 20_000 }, (_, i) => ({ i })) }].values()],
  ])('%s come in pieces, and others have their turn between two of them', async (_, answer) => {
    let turns = 0
    const turn = setInterval(() => turns++, 0)
    const found = await pieces(answer())
    clearInterval(turn)
    expect(found.length).toBeGreaterThan(10)
    expect(Math.max(...found.map((piece) => piece.length))).toBeLessThan(limits.controlPieceCharacters + 100)
    expect(turns).toBeGreaterThan(0)
  })

  test('rows are told to stop if nobody takes them', async () => {
    let isStopped = false
    async function* rows() {
      try {
        yield* counted(1_000_000)
      } finally {
        isStopped = true
      }
    }
    const answer = writeAnswer(rows(), () => {
      throw new Error('gone')
    })
    await expect(answer).rejects.toThrow('gone')
    expect(isStopped).toBe(true)
  })
})

test('a parameter is the octets that a message would carry, and back', () => {
  expect(octets('é€')).toBe('\xc3\xa9\xe2\x82\xac')
  expect(readable(octets('é€ x'))).toBe('é€ x')
})
