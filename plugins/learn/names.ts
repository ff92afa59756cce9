import { readFile } from 'node:fs/promises'
import { ArgumentProblem, type PluginHost } from '../../src/plugin/index.ts'
import { globMatches } from './glob.ts'

/**
 * A list of users from a parameter: `2000,2001`, `pattern:2???`, `file:devices.txt` (a user per line, # comments),
 * `db:sqlite:///var/lib/devices.db#devices.username`. Files and databases are read at start and again every
 * refresh_interval, into memory: a question costs one look-up and never waits. If a source cannot be read, what
 * was read before stays; if nothing was, the list says that it does not know.
 */
export class NameList {
  readonly #sources: readonly Source[]
  readonly #host: PluginHost
  #names = new Set<string>()
  #patterns: string[] = []
  #isKnown: boolean

  /** @throws ArgumentProblem for a source that makes no sense. */
  constructor(texts: readonly string[], host: PluginHost) {
    this.#host = host
    this.#sources = texts.map(parseNameSource)
    this.#isKnown = this.#sources.every(({ kind }) => kind === 'list' || kind === 'pattern')
    this.#names = new Set(this.#sources.flatMap((source) => (source.kind === 'list' ? source.names : [])))
    this.#patterns = this.#sources.flatMap((source) => (source.kind === 'pattern' ? [source.pattern] : []))
  }

  get isEmpty(): boolean {
    return this.#sources.length === 0
  }

  get count(): number {
    return this.#names.size
  }

  /** null: a source has never been read. */
  has(user: string): boolean | null {
    if (this.#names.has(user)) return true
    for (const pattern of this.#patterns) if (globMatches(pattern, user)) return true
    return this.#isKnown ? false : null
  }

  /** Never rejects: what goes wrong is logged. */
  async reload(): Promise<void> {
    const names = new Set<string>()
    try {
      for (const source of this.#sources) for (const name of await this.#read(source)) names.add(name)
      this.#names = names
      this.#isKnown = true
    } catch (error) {
      this.#host.log.error({ err: error }, 'a list of users could not be read; the one before stays')
    }
  }

  async #read(source: Source): Promise<Iterable<string>> {
    switch (source.kind) {
      case 'list':
        return source.names
      case 'pattern':
        return []
      case 'file':
        return readNames(await readFile(this.#host.resolvePath(source.path), 'utf8'))
      case 'db': {
        const database = this.#host.openDatabase(source.url)
        const rows = await database.query(`SELECT ${source.column} FROM ${source.table}`)
        return rows.map((row) => String(row[source.column] ?? ''))
      }
    }
  }
}

type Source =
  | { readonly kind: 'list'; readonly names: readonly string[] }
  | { readonly kind: 'pattern'; readonly pattern: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'db'; readonly url: string; readonly table: string; readonly column: string }

export function parseNameSource(text: string): Source {
  const colon = text.indexOf(':')
  const rest = text.slice(colon + 1)
  switch (colon < 0 ? 'list' : text.slice(0, colon)) {
    case 'list':
      return { kind: 'list', names: (colon < 0 ? text : rest).split(',').map((name) => name.trim()) }
    case 'pattern':
      return { kind: 'pattern', pattern: rest.trim() }
    case 'file':
      return { kind: 'file', path: rest.trim() }
    case 'db': {
      const match = /^([^#]+)#([A-Za-z_]\w*)\.([A-Za-z_]\w*)$/.exec(rest.trim())
      const [, url, table, column] = match ?? []
      if (url === undefined || table === undefined || column === undefined) {
        throw new ArgumentProblem(`'${text}' is no database column`, 'db:sqlite:///path/to.db#table.column')
      }
      return { kind: 'db', url, table, column }
    }
    default:
      throw new ArgumentProblem(
        `'${text}' is no list of users`,
        'a,b,c  pattern:2???  file:path  db:url#table.column',
      )
  }
}

export function readNames(text: string): string[] {
  const out: string[] = []
  for (const line of text.split('\n')) {
    const name = line.replace(/#.*/, '').trim()
    if (name !== '') out.push(name)
  }
  return out
}
