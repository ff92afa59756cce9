import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Log, LogFields, LogLevel } from './log.ts'
import { redactFields, redactText } from './redact.ts'

/**
 * The log of a running router: JSON lines on stderr, or lines for people when stderr is a terminal. What a message
 * brought along cannot pretend to be a line of its own, nor speak to a terminal: one event is one line of JSON with
 * every control character escaped. Credentials are left out (redact.ts).
 */
export interface PinoLogOptions {
  readonly level: LogLevel
  /** Coloured lines for people instead of JSON. */
  readonly pretty: boolean
  /** Where lines go instead of stderr: for tests. */
  readonly write?: (line: string) => void
}

export function createPinoLog(options: PinoLogOptions): Log {
  const { write = stderr() } = options
  const out = options.pretty ? prettyLines(write) : { write: (line: string) => write(escapeLine(line)) }
  const logger = pino(
    {
      // Levels are kept here, so that children follow when the level changes.
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Errors come as plain records from redactFields.
      serializers: { err: (error: unknown) => error },
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  )
  return new PinoLog(logger, { lowest: rank(options.level) })
}

const levels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/** Kamailio's L_ALERT (-5) to L_DBG (3), as in `debug=2` and `xlog("L_WARN", ...)`. */
export function logLevelOf(kamailioLevel: number): LogLevel {
  if (kamailioLevel <= -2) return 'fatal'
  if (kamailioLevel >= 4) return 'trace'
  return (['error', 'warn', 'info', 'info', 'debug'] as const)[kamailioLevel + 1] ?? 'info'
}

class PinoLog implements Log {
  readonly #logger: Logger
  readonly #shared: { lowest: number }

  constructor(logger: Logger, shared: { lowest: number }) {
    this.#logger = logger
    this.#shared = shared
  }

  trace(fields: LogFields, message: string): void {
    if (this.enabled('trace')) this.#logger.trace(redactFields(fields), '%s', redactText(message))
  }

  debug(fields: LogFields, message: string): void {
    if (this.enabled('debug')) this.#logger.debug(redactFields(fields), '%s', redactText(message))
  }

  info(fields: LogFields, message: string): void {
    if (this.enabled('info')) this.#logger.info(redactFields(fields), '%s', redactText(message))
  }

  warn(fields: LogFields, message: string): void {
    if (this.enabled('warn')) this.#logger.warn(redactFields(fields), '%s', redactText(message))
  }

  error(fields: LogFields, message: string): void {
    if (this.enabled('error')) this.#logger.error(redactFields(fields), '%s', redactText(message))
  }

  fatal(fields: LogFields, message: string): void {
    if (this.enabled('fatal')) this.#logger.fatal(redactFields(fields), '%s', redactText(message))
  }

  enabled(level: LogLevel): boolean {
    return rank(level) >= this.#shared.lowest
  }

  setLevel(level: LogLevel): void {
    this.#shared.lowest = rank(level)
  }

  child(fields: LogFields): Log {
    return new PinoLog(this.#logger.child(redactFields(fields)), this.#shared)
  }
}

function rank(level: LogLevel): number {
  return levels.indexOf(level)
}

/** Each line leaves at once: what happened just before a crash is what one wants to read. */
function stderr(): (line: string) => void {
  const destination = pino.destination({ fd: 2, sync: true })
  return (line) => destination.write(line)
}

/** pino-pretty writes what it reads as it is: so it only gets to read what may be written. */
function prettyLines(write: (line: string) => void): { write(line: string): void } {
  const format = pretty.prettyFactory({
    colorize: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  })
  return { write: (line) => write(format(JSON.parse(visibleLine(line)))) }
}

/** JSON escapes the control characters of ASCII up to 31; these are the others, and what breaks lines in JavaScript. */
const rawControls = /[\u007f-\u009f\u2028\u2029]/g

function escapeLine(line: string): string {
  return line.replace(rawControls, (character) => `\\u${hex(character, 4)}`)
}

/** Escaped controls become visible ones: the two characters `\` and `x1b`. Further lines of a text are indented. */
function visibleLine(line: string): string {
  return line
    .replace(/\\(?:\\|u00([01][0-9a-f])|([bfr])|n)/g, (escaped, code?: string, letter?: string) => {
      if (code !== undefined) return `\\\\x${code}`
      if (letter !== undefined) return `\\\\${letter}`
      return escaped === '\\n' ? '\\n    ' : escaped
    })
    .replace(rawControls, (character) => `\\\\x${hex(character, 2)}`)
}

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0')
}
