import { ArgumentProblem, type PluginHost, type RouteContext } from '../../src/plugin/index.ts'
import type { ScriptTable } from './hash-table.ts'

/** What `table=>key` says. */
export interface TableItem {
  readonly table: string
  readonly key: string
}

/** @throws ArgumentProblem for a text without an arrow. */
export function parseItem(text: string): TableItem {
  const arrow = text.indexOf('=>')
  if (arrow === -1) {
    throw new ArgumentProblem(`"${text}" names no item of a table`, 'write $sht(table=>key)')
  }
  return { table: text.slice(0, arrow).trim(), key: text.slice(arrow + 2) }
}

/**
 * `t=>last::` of `$sht(t=>last::$var(x))`: what makes an item of the rest. The last one is remembered, since a script
 * looks up what it has just set, or reads what it has just found: the second key is not put together, nor hashed, again
 * (100 ns each; the first look-up makes one run of octets of the sum, and `join` in its stead took 40 more). It keeps
 * alive what the rest was a slice of: one datagram for each such beginning in the script.
 */
export function parseItemHead(head: string): ((rest: string) => TableItem) | null {
  if (!head.includes('=>')) return null
  const { table, key: start } = parseItem(head)
  let last: TableItem = { table, key: start }
  let lastRest = ''
  return (rest) => {
    if (rest !== lastRest) {
      last = { table, key: start + rest }
      lastRest = rest
    }
    return last
  }
}

/** The tables of a script by their names, and what is said when there is none, or no room in it. */
export class Tables {
  readonly byName = new Map<string, ScriptTable>()
  readonly #host: PluginHost
  readonly #lastComplaint = new Map<string, number>()

  constructor(host: PluginHost) {
    this.#host = host
  }

  /** Null, and a line in the log, for a table that is not defined. */
  named(context: RouteContext, name: string): ScriptTable | null {
    const table = this.byName.get(name)
    if (table !== undefined) return table
    this.#complain(
      context,
      name,
      `there is no table ${name}: modparam("htable", "htable", "${name}=>size=8")`,
    )
    return null
  }

  complainOfFull(context: RouteContext, name: string): void {
    this.#complain(context, name, `table ${name} is full: new keys are not stored`)
  }

  /** Once in a while: scripts ask for every message. */
  #complain(context: RouteContext, table: string, what: string): void {
    const now = this.#host.clock.now()
    const last = this.#lastComplaint.get(what)
    if (last !== undefined && now - last < complaintMilliseconds) return
    if (this.#lastComplaint.size < complaintsMax) this.#lastComplaint.set(what, now)
    this.#host.log.error({ ...context.logFields(), table }, what)
  }
}

const complaintMilliseconds = 10_000
const complaintsMax = 1_000
