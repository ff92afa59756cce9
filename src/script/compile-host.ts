import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import type { CompileHost } from '../../grammar/program.ts'
import { compilePattern } from '../text/pattern.ts'
import { coreDeclarations } from './core.ts'
import type { LoadOptions } from './engine.ts'
import { compatibleVersion } from './version.ts'

/** The outside world of the compiler: files, environment, the core's declarations. */
export function createCompileHost(options: LoadOptions): CompileHost {
  const readOther = options.readFile ?? readScriptFile
  const readFile = (path: string) =>
    options.text !== undefined && path === options.path ? options.text : readOther(path)
  return {
    readFile,
    resolvePath: (from, path) => resolveInclude(readFile, from, path),
    environment: options.environment ?? (() => null),
    defines: options.defines ?? new Map(),
    compatibleVersion,
    core: coreDeclarations,
    pattern: (source, flags) => compilePattern(source, flags),
  }
}

/**
 * Octets as Latin-1 characters, as in messages: what a script compares with or writes into a message goes there
 * octet by octet.
 */
export function readScriptFile(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null
  }
}

/** As given if there is such a file, else seen from the file that includes it (measured on Kamailio 5.6.3). */
function resolveInclude(readFile: (path: string) => string | null, from: string, path: string): string {
  if (isAbsolute(path) || from === '') return path
  const besides = join(dirname(from), path)
  return besides === path || readFile(path) === null ? besides : path
}
