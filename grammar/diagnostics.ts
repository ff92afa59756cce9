import type { Span } from './source.ts'

/** What is wrong, or worth knowing, about a script. Collected, never thrown. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning' | 'note'
  /** Stable and documented: `script/unknown-function`. See diagnostic-codes.ts. */
  readonly code: string
  readonly message: string
  readonly span: Span | null
  /** What to do. */
  readonly hint?: string
}

export interface RenderOptions {
  /** With the escape sequences of a terminal. */
  readonly colour?: boolean
}

/**
 * A diagnostic as people read it: severity, code, place; the line with carets below what is meant; the hint.
 * `readFile` gives the text of a file of the script, or null; the code frame is left out then.
 *
 *     error script/unknown-function  routes/edge.cfg:14:8
 *       14 |   if (!auth_chalenge("example.com"))
 *          |        ^^^^^^^^^^^^^ no loaded module declares this function
 *     hint   did you mean auth_challenge?
 */
export function renderDiagnostic(
  diagnostic: Diagnostic,
  readFile: (path: string) => string | null,
  options: RenderOptions = {},
): string {
  const paint = options.colour === true ? colours : plain
  const { severity, code, span, message, hint } = diagnostic
  const title = `${paint[severity](severity)} ${paint.strong(code)}`
  const line = span === null ? undefined : readFile(span.file)?.split('\n')[span.line - 1]
  const lines = [span === null ? title : `${title}  ${span.file}:${span.line}:${span.column}`]
  if (span === null || line === undefined) lines.push(`  ${message}`)
  else lines.push(...codeFrame(line.replace(/\r$/, ''), span, message, paint[severity], paint))
  if (hint !== undefined) lines.push(`${paint.hint('hint')}   ${hint}`)
  return lines.join('\n')
}

/** All of them in the order given, an empty line between. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  readFile: (path: string) => string | null,
  options: RenderOptions = {},
): string {
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, readFile, options)).join('\n\n')
}

/** A diagnostic for programs: flat, with the place in the form that editors expect. */
export interface DiagnosticJson {
  readonly severity: Diagnostic['severity']
  readonly code: string
  readonly message: string
  readonly file: string | null
  /** From 1. */
  readonly line: number | null
  readonly column: number | null
  /** Characters from `line`:`column` on. */
  readonly length: number | null
  /** The define whose text is meant. */
  readonly via: string | null
  readonly hint: string | null
}

export function diagnosticJson(diagnostic: Diagnostic): DiagnosticJson {
  const { severity, code, message, span, hint } = diagnostic
  return {
    severity,
    code,
    message,
    file: span?.file ?? null,
    line: span?.line ?? null,
    column: span?.column ?? null,
    length: span === null ? null : span.end - span.start,
    via: span?.via ?? null,
    hint: hint ?? null,
  }
}

/** Longer lines are cut round the place that is meant. */
const frameCharactersMax = 100

function codeFrame(line: string, span: Span, message: string, paint: Paint, all: Palette): string[] {
  const shown = excerpt(line, span)
  const gutter = String(span.line)
  const margin = ' '.repeat(gutter.length)
  const said = span.via === undefined ? message : `${message} (in the text of ${span.via})`
  return [
    `  ${all.faint(`${gutter} |`)} ${shown.text}`,
    `  ${all.faint(`${margin} |`)} ${shown.indent}${paint('^'.repeat(shown.carets))} ${said}`,
  ]
}

/** Scripts are read octet by octet, but people write their comments in UTF-8. */
function asWritten(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('utf8')
}

function isUtf8(line: string): boolean {
  return /[\u0080-\u00ff]/.test(line) && !/[^\0-\u00ff]/.test(line) && !asWritten(line).includes('\ufffd')
}

function excerpt(octets: string, place: Span): { text: string; indent: string; carets: number } {
  if (!isUtf8(octets)) return cut(octets, place.column - 1, place.end - place.start)
  const offset = asWritten(octets.slice(0, place.column - 1)).length
  const length = asWritten(octets.slice(place.column - 1, place.column - 1 + place.end - place.start)).length
  return cut(asWritten(octets), offset, length)
}

function cut(line: string, offset: number, length: number): { text: string; indent: string; carets: number } {
  const from = line.length > frameCharactersMax ? Math.max(0, offset - 40) : 0
  const text = line.slice(from, from + frameCharactersMax)
  const before = text.slice(0, offset - from)
  const room = Math.max(1, text.length - before.length)
  return {
    text,
    // A tab stays a tab, so that the carets stand where the terminal puts the text.
    indent: before.replace(/[^\t]/g, ' '),
    carets: Math.min(Math.max(1, length), room),
  }
}

type Paint = (text: string) => string

interface Palette {
  readonly error: Paint
  readonly warning: Paint
  readonly note: Paint
  readonly hint: Paint
  readonly strong: Paint
  readonly faint: Paint
}

const asItIs: Paint = (text) => text
const plain: Palette = {
  error: asItIs,
  warning: asItIs,
  note: asItIs,
  hint: asItIs,
  strong: asItIs,
  faint: asItIs,
}

const sgr =
  (code: number): Paint =>
  (text) =>
    `\x1b[${code}m${text}\x1b[0m`
const colours: Palette = {
  error: sgr(31),
  warning: sgr(33),
  note: sgr(36),
  hint: sgr(32),
  strong: sgr(1),
  faint: sgr(2),
}
