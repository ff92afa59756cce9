import type { LogLevel } from '../runtime/log.ts'

/** Kamailio's levels as ours. L_DBG is 3, L_ALERT -5. */
const levels: ReadonlyMap<string, LogLevel> = new Map<string, LogLevel>([
  ['L_ALERT', 'fatal'],
  ['L_BUG', 'fatal'],
  ['L_CRIT2', 'fatal'],
  ['L_CRIT', 'fatal'],
  ['L_ERR', 'error'],
  ['L_WARN', 'warn'],
  ['L_NOTICE', 'info'],
  ['L_INFO', 'info'],
  ['L_DBG', 'debug'],
  ['-5', 'fatal'],
  ['-4', 'fatal'],
  ['-3', 'fatal'],
  ['-2', 'fatal'],
  ['-1', 'error'],
  ['0', 'warn'],
  ['1', 'info'],
  ['2', 'info'],
  ['3', 'debug'],
])

/** `L_INFO`, `2`; null for what is no level. */
export function logLevel(name: string): LogLevel | null {
  return levels.get(name.trim().toUpperCase()) ?? null
}

/** The lowest level that is written for a `debug=` of the script, or setdebug(). */
export function levelOfDebug(debug: number): LogLevel {
  if (debug >= 3) return 'debug'
  if (debug >= 1) return 'info'
  if (debug === 0) return 'warn'
  return debug === -1 ? 'error' : 'fatal'
}
