import type { LogFields } from './log.ts'

/**
 * What must not be in a log: answers to digest challenges, passwords, and what stands for them. Fields go by their
 * name; texts lose the credentials in header lines, URLs and SIP URIs that they quote.
 */
const secretNames: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'password',
  'passwd',
  'ha1',
  'ha1b',
  'secret',
  'token',
])

/** What the log writes itself; a field of that name stands beside it. */
const reservedNames: ReadonlySet<string> = new Set(['msg', 'level', 'time'])

const redacted = '[redacted]'
/** Deeper or longer than this is no longer a log line. */
const depthMax = 5
const itemsMax = 100

export function redactFields(fields: LogFields): LogFields {
  const out = redactEntries(fields, 0)
  for (const name of reservedNames) {
    if (!(name in out)) continue
    out[`${name}_`] = out[name]
    delete out[name]
  }
  return out
}

/**
 * The header's value up to the end of the line, also where the line ends are escaped; `user:password@` in URLs and
 * SIP URIs. Each pattern starts at a word of its own and looks at a bounded number of characters.
 */
export function redactText(text: string): string {
  return text
    .replace(/(authorization[ \t]{0,8}:)[^\r\n]+/gi, `$1 ${redacted}`)
    .replace(/(\bresponse[ \t]?=[ \t]?"?)[0-9a-f]{16,128}/gi, `$1${redacted}`)
    .replace(/(\b(?:password|passwd|ha1)[ \t]?=[ \t]?"?)[^\s",;"]{1,128}/gi, `$1${redacted}`)
    .replace(/(:\/\/[^\s:@/]{1,128}):[^\s@/]{1,128}@/g, `$1:${redacted}@`)
    .replace(/(\bsips?:[^\s:@<>;,]{1,128}):[^\s@<>;,]{1,128}@/gi, `$1:${redacted}@`)
}

function redactEntries(fields: object, depth: number): LogFields {
  const out: LogFields = {}
  for (const [name, value] of Object.entries(fields)) {
    out[name] = secretNames.has(name.toLowerCase()) && value ? redacted : redactValue(value, depth)
  }
  return out
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return redactError(value, depth)
  if (depth >= depthMax) return '[...]'
  if (Array.isArray(value)) return value.slice(0, itemsMax).map((item) => redactValue(item, depth + 1))
  if (value instanceof Map) return redactEntries(Object.fromEntries(value), depth + 1)
  if (value instanceof Set) return [...value].slice(0, itemsMax).map((item) => redactValue(item, depth + 1))
  return redactEntries(value, depth + 1)
}

function redactError(error: Error, depth: number): LogFields {
  const out: LogFields = { type: error.name, message: redactText(error.message) }
  if (error.stack !== undefined) out['stack'] = redactText(error.stack)
  if (error.cause !== undefined && depth < depthMax) out['cause'] = redactValue(error.cause, depth + 1)
  if ('code' in error) out['code'] = error.code
  return out
}
