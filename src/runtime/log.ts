/**
 * A log line is an event: fields first, then one sentence. The names follow pino, which writes them in
 * production; tests collect them (src/testing/log.ts). Nobody below main.ts imports pino.
 */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

export type LogFields = Record<string, unknown>

export interface Log {
  trace(fields: LogFields, message: string): void
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  fatal(fields: LogFields, message: string): void
  /** True if a line of this level would be written: ask before building costly fields. */
  enabled(level: LogLevel): boolean
  /** The lowest level that is written from now on (`debug=` of the script, `setdebug()`). */
  setLevel(level: LogLevel): void
  /** A log whose every line carries these fields too. */
  child(fields: LogFields): Log
}

export const silentLog: Log = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  enabled: () => false,
  setLevel() {},
  child: () => silentLog,
}
