import { compilePattern, type Database, type Log, type Pattern } from '../../src/plugin/index.ts'

/** One row of Kamailio's `trusted` table: who may send what without a password. */
export interface TrustedRule {
  readonly source: string
  /** `any`, `udp`, `tcp`, ... */
  readonly transport: string
  /** On the From URI; null: any. */
  readonly from: Pattern | null
  /** On the Request-URI; null: any. */
  readonly requestUri: Pattern | null
  readonly tag: string
}

export interface TrustedColumns {
  readonly source: string
  readonly proto: string
  readonly from: string
  readonly ruri: string
  readonly tag: string
}

/** Rules by source address. A row whose pattern is wrong is left out, with a line in the log: it lets nobody in. */
export async function readTrusted(
  database: Database,
  table: string,
  columns: TrustedColumns,
  log: Log,
): Promise<Map<string, TrustedRule[]>> {
  const rules = new Map<string, TrustedRule[]>()
  for (const row of await database.query(`SELECT * FROM "${table}"`)) {
    const from = patternOf(row[columns.from])
    const requestUri = patternOf(row[columns.ruri])
    const source = String(row[columns.source] ?? '')
    if (typeof from === 'string' || typeof requestUri === 'string') {
      log.error(
        { table, source },
        `row of ${source} left out: ${[from, requestUri].filter((p) => typeof p === 'string').join(', ')}`,
      )
      continue
    }
    const transport = String(row[columns.proto] ?? 'any').toLowerCase()
    const rule = { source, transport, from, requestUri, tag: String(row[columns.tag] ?? '') }
    rules.set(source, [...(rules.get(source) ?? []), rule])
  }
  return rules
}

export function findTrusted(
  rules: ReadonlyMap<string, readonly TrustedRule[]>,
  source: string,
  transport: string,
  fromUri: string,
  requestUri: string,
): TrustedRule | null {
  const candidates = rules.get(source) ?? []
  const isMet = (rule: TrustedRule) =>
    (rule.transport === 'any' || rule.transport === transport) &&
    (rule.from?.test(fromUri) ?? true) &&
    (rule.requestUri?.test(requestUri) ?? true)
  return candidates.find(isMet) ?? null
}

function patternOf(value: string | number | null | undefined): Pattern | string | null {
  return value === null || value === undefined || value === ''
    ? null
    : compilePattern(String(value), { ignoreCase: true })
}
