import type { Value } from '../../../grammar/declarations.ts'
import { plain, type Transformations, withTexts } from './declare.ts'

/** Classes `val`, `num`, `sql`, `json`: values for other notations. `ofNull` is what an undefined value becomes. */
export const valueTransformations: Transformations = {
  'val.n0': { ...plain('0 for an undefined value.', (value) => value), ofNull: 0 },
  'val.ne': { ...plain('"" for an undefined value.', (value) => value), ofNull: '' },
  'val.json': { ...plain('Escaped for a JSON string, without the quotes around it.', jsonText), ofNull: '' },
  'val.jsonqe': { ...plain('A JSON string in its quotes.', (value) => JSON.stringify(value)), ofNull: '""' },
  'num.fdigit': { ...plain('The first digit of a number, else 0.', (value) => digitAt(value, 0)), ofNull: 0 },
  'num.ldigit': { ...plain('The last digit of a number, else 0.', (value) => digitAt(value, -1)), ofNull: 0 },
  'val.fdigit': { ...plain('The first digit of a number, else 0.', (value) => digitAt(value, 0)), ofNull: 0 },
  'val.ldigit': { ...plain('The last digit of a number, else 0.', (value) => digitAt(value, -1)), ofNull: 0 },

  'sql.val': { ...plain('A quoted SQL string; NULL if undefined.', quotedSql), ofNull: 'NULL' },
  'sql.val.int': { ...plain('A quoted SQL string; 0 if undefined.', quotedSql), ofNull: '0' },
  'sql.val.str': { ...plain("A quoted SQL string; '' if undefined.", quotedSql), ofNull: "''" },

  'json.parse': withTexts(
    'A member of a JSON object by its name, or by names joined with dots.',
    ['path'],
    jsonMember,
  ),
}

function jsonText(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

function digitAt(value: string, index: number): number {
  return /^-?[0-9]+$/.test(value) ? Number(value.at(index < 0 ? index : Number(value.startsWith('-')))) : 0
}

/**
 * As the SQL standard writes strings. Kamailio puts a backslash before quotes, which ends the string in SQLite
 * and PostgreSQL and lets a caller's name run SQL.
 */
function quotedSql(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll("'", "''")}'`
}

/** JSON is UTF-8 (RFC 8259 §8.1), values are octets: decoded for the parser, encoded again for the script. */
function jsonMember(value: string, path: string): Value {
  let node: unknown
  try {
    node = JSON.parse(Buffer.from(value, 'latin1').toString('utf8'))
  } catch {
    return null
  }
  const whole = memberOf(node, path)
  if (whole !== undefined) return jsonValue(whole)
  for (const name of path.split('.')) node = memberOf(node, name)
  return node === undefined ? null : jsonValue(node)
}

function memberOf(node: unknown, name: string): unknown {
  if (typeof node !== 'object' || node === null || !Object.hasOwn(node, name)) return undefined
  return (node as Record<string, unknown>)[name]
}

function jsonValue(node: unknown): Value {
  if (node === null) return null
  if (typeof node === 'boolean') return node ? 1 : 0
  if (typeof node === 'number' && Number.isSafeInteger(node)) return node
  const text = typeof node === 'string' ? node : JSON.stringify(node)
  return Buffer.from(text, 'utf8').toString('latin1')
}
