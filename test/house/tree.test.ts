import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

/** The house rules about where things are: what ARCHITECTURE.md says of the tree is so. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')
const entriesOf = (folder: string) =>
  readdirSync(`${root}/${folder}`, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    isFolder: entry.isDirectory(),
  }))

describe('ARCHITECTURE.md, "Rooms"', () => {
  const named = [...read('ARCHITECTURE.md').matchAll(/^\| (`[^|]+`) \|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((cell) => cell[1] ?? ''),
  )

  test('names each folder and file of src, and the rooms beside it', () => {
    const rooms = ['grammar', 'plugins', ...entriesOf('src').map(({ name }) => `src/${name}`)]
    expect(named.toSorted()).toEqual(rooms.toSorted())
  })

  test('has a wall in biome.json for each room of src that has one of its own', () => {
    const walls = [...read('biome.json').matchAll(/"(src\/\w+|grammar|plugins)\/\*\*"/g)].map(
      (match) => match[1],
    )
    // The command line puts everything together: no wall could stand there.
    const rooms = named.filter((name) => !name.includes('.') && name !== 'src/command')
    expect(walls.toSorted()).toEqual(rooms.toSorted())
  })
})

test('the top level holds the agreed folders, and files of text and settings', () => {
  const agreed = new Set(['src', 'plugins', 'routes', 'grammar', 'test', 'docs', 'bench', 'native'])
  const unversioned = new Set(
    read('.gitignore')
      .split('\n')
      .map((line) => line.replace(/\/$/, '')),
  )
  const files =
    /^(?:\..+|[A-Z]+(?:\.md)?|package(?:-lock)?\.json|tsconfig(?:\.\w+)?\.json|biome\.json|\w+\.config\.ts)$/
  const strangers = entriesOf('.')
    .filter(({ name }) => !name.startsWith('.') && !unversioned.has(name))
    .filter(({ name, isFolder }) => (isFolder ? !agreed.has(name) : !files.test(name)))
  expect(strangers).toEqual([])
})

describe('docs/decisions', () => {
  const pages = readdirSync(`${root}/docs/decisions`)

  test('each number is given once', () => {
    const numbers = pages.map((page) => page.slice(0, 4))
    expect(new Set(numbers).size).toBe(numbers.length)
  })

  test.each(pages)('%s repeats its number in the title', (page) => {
    const text = read(`docs/decisions/${page}`)
    expect(text).toMatch(new RegExp(`^# ${Number(page.slice(0, 4))}\\. `))
  })
})
