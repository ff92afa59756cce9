import { posix } from 'node:path'
import { type ParsedFile, parseFile } from '../../grammar/parse.ts'
import type { CompileHost, Pattern } from '../../grammar/program.ts'

/** Scripts from memory: files by their absolute paths, an environment, a command line. */
export interface World {
  readonly files?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly defines?: Readonly<Record<string, string>>
}

export function hostOf(world: World): CompileHost {
  const files = new Map(Object.entries(world.files ?? {}))
  const environment = new Map(Object.entries(world.environment ?? {}))
  return {
    readFile: (path) => files.get(path) ?? null,
    resolvePath: (from, path) => posix.resolve(posix.dirname(from), path),
    environment: (name) => environment.get(name) ?? null,
    defines: new Map(Object.entries(world.defines ?? {})),
    compatibleVersion: { major: 5, minor: 6, patch: 3 },
    core: {
      globals: { debug: { type: 'int', doc: '' }, children: { type: 'int', doc: '' } },
      functions: {},
      variables: {},
      transformations: {},
      events: {},
    },
    pattern,
  }
}

/** JavaScript's own expressions: good enough for what these tests substitute. */
function pattern(source: string, flags: { ignoreCase: boolean }): Pattern | string {
  try {
    const expression = new RegExp(source, flags.ignoreCase ? 'dgi' : 'dg')
    return {
      source,
      note: null,
      test: (subject: string) =>
        new RegExp(expression.source, expression.flags.replace('g', '')).test(subject),
      match(subject: string, from = 0) {
        expression.lastIndex = from
        const indices = expression.exec(subject)?.indices
        return indices === undefined ? null : indices.flatMap((pair) => pair ?? [-1, -1])
      },
    }
  } catch (error) {
    return String(error)
  }
}

export const mainFile = '/etc/main.cfg'

/** Parses a script that stands at /etc/main.cfg. */
export function parseText(script: string, world: World = {}): ParsedFile {
  return parseFile(mainFile, hostOf({ ...world, files: { ...world.files, [mainFile]: script } }))
}

export function codesOf(parsed: ParsedFile): string[] {
  return parsed.diagnostics.map((diagnostic) => diagnostic.code)
}
