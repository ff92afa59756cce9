import type { Log, LogFields, LogLevel } from '../runtime/log.ts'

/** A log that keeps its lines for a test to look at. */
export interface CollectingLog extends Log {
  readonly lines: readonly LogLine[]
  /** Messages of this level, or of all. */
  messages(level?: LogLevel): string[]
  clear(): void
}

export interface LogLine {
  readonly level: LogLevel
  readonly fields: LogFields
  readonly message: string
}

const order: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

export function collectingLog(lowest: LogLevel = 'trace'): CollectingLog {
  return new Collector({ lowest, lines: [] }, {})
}

class Collector implements CollectingLog {
  readonly #shared: { lowest: LogLevel; lines: LogLine[] }
  readonly #fields: LogFields

  constructor(shared: { lowest: LogLevel; lines: LogLine[] }, fields: LogFields) {
    this.#shared = shared
    this.#fields = fields
  }

  get lines(): readonly LogLine[] {
    return this.#shared.lines
  }

  messages(level?: LogLevel): string[] {
    return this.lines
      .filter((line) => level === undefined || line.level === level)
      .map(({ message }) => message)
  }

  clear(): void {
    this.#shared.lines.length = 0
  }

  trace(fields: LogFields, message: string): void {
    this.#write('trace', fields, message)
  }

  debug(fields: LogFields, message: string): void {
    this.#write('debug', fields, message)
  }

  info(fields: LogFields, message: string): void {
    this.#write('info', fields, message)
  }

  warn(fields: LogFields, message: string): void {
    this.#write('warn', fields, message)
  }

  error(fields: LogFields, message: string): void {
    this.#write('error', fields, message)
  }

  fatal(fields: LogFields, message: string): void {
    this.#write('fatal', fields, message)
  }

  enabled(level: LogLevel): boolean {
    return order.indexOf(level) >= order.indexOf(this.#shared.lowest)
  }

  setLevel(level: LogLevel): void {
    this.#shared.lowest = level
  }

  child(fields: LogFields): Log {
    return new Collector(this.#shared, { ...this.#fields, ...fields })
  }

  #write(level: LogLevel, fields: LogFields, message: string): void {
    if (!this.enabled(level)) return
    this.#shared.lines.push({ level, fields: { ...this.#fields, ...fields }, message })
  }
}
