import { bounds } from './bounds.ts'
import type { Diagnostic } from './diagnostics.ts'
import type { Span } from './source.ts'

/** Collects what resolve, check and compile find. The same thing at the same place is said once. */
export class Report {
  readonly diagnostics: Diagnostic[] = []
  readonly #said = new Set<string>()

  error(code: string, message: string, span: Span | null, hint?: string): void {
    this.#add('error', code, message, span, hint)
  }

  warning(code: string, message: string, span: Span | null, hint?: string): void {
    this.#add('warning', code, message, span, hint)
  }

  note(code: string, message: string, span: Span | null, hint?: string): void {
    this.#add('note', code, message, span, hint)
  }

  get hasErrors(): boolean {
    return this.diagnostics.some((diagnostic) => diagnostic.severity === 'error')
  }

  has(code: string): boolean {
    return this.diagnostics.some((diagnostic) => diagnostic.code === code)
  }

  #add(severity: Diagnostic['severity'], code: string, message: string, span: Span | null, hint?: string) {
    const key = `${code} ${message} ${span?.file} ${span?.start} ${span?.line}`
    if (this.#said.has(key)) return
    this.#said.add(key)
    this.diagnostics.push({ severity, code, message, span, ...(hint === undefined ? {} : { hint }) })
  }
}

/** By file in the order of reading, then by place; not more than anybody wants to read. */
export function inReadingOrder(diagnostics: readonly Diagnostic[], files: readonly string[]): Diagnostic[] {
  const fileOrder = new Map(files.map((file, index) => [file, index]))
  const fileOf = ({ span }: Diagnostic) => (span === null ? -1 : (fileOrder.get(span.file) ?? files.length))
  return diagnostics
    .toSorted((a, b) => fileOf(a) - fileOf(b) || (a.span?.start ?? 0) - (b.span?.start ?? 0))
    .slice(0, bounds.diagnosticsMax)
}
