import { bounds } from './bounds.ts'
import type { CompileHost } from './program.ts'

/**
 * The names that `#!define` and its kin have given a text. The text is read again as script wherever the name
 * stands as a free word (preprocess.ts); `#!ifdef` asks only whether there is a name.
 */
export class Defines {
  readonly #texts = new Map<string, string>()

  /** The names that every script may test, and those of the command line. */
  static predefined(host: CompileHost): Defines {
    const defines = new Defines()
    const { major, minor, patch } = host.compatibleVersion
    defines.replace(`KAMAILIO_${major}`, '')
    defines.replace(`KAMAILIO_${major}_${minor}`, '')
    defines.replace(`KAMAILIO_${major}_${minor}_${patch}`, '')
    defines.replace('KAMAILIO_VERSION', String(major * 1_000_000 + minor * 1_000 + patch))
    defines.replace('OS_NAME', `"${process.platform}"`)
    for (const [name, text] of host.defines) defines.replace(name, text)
    return defines
  }

  get(name: string): string | undefined {
    return this.#texts.get(name)
  }

  has(name: string): boolean {
    return this.#texts.has(name)
  }

  get isFull(): boolean {
    return this.#texts.size >= bounds.definesMax
  }

  replace(name: string, text: string): void {
    this.#texts.set(name, text)
  }

  /** False if there was none. */
  remove(name: string): boolean {
    return this.#texts.delete(name)
  }

  names(): Iterable<string> {
    return this.#texts.keys()
  }

  all(): ReadonlyMap<string, string> {
    return new Map(this.#texts)
  }

  /** What `#!ifexp` sees of a name: undefined is 0, defined without a text is 1, otherwise the text without quotes. */
  valueOf(name: string): string | number {
    const text = this.#texts.get(name)
    if (text === undefined) return 0
    const bare = text.trim()
    if (bare === '') return 1
    if (/^[-+]?[0-9]+$/.test(bare)) return Number(bare)
    return unquote(bare)
  }
}

export function unquote(text: string): string {
  const quoted = text.length >= 2 && (text.startsWith('"') || text.startsWith("'")) && text.at(-1) === text[0]
  return quoted ? text.slice(1, -1) : text
}
