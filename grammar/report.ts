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

  #add(severity: Diagnostic['severity'], code: string, message: string, span: Span | null, hint?: string) {
    const key = `${code} ${message} ${span?.file} ${span?.start} ${span?.line}`
    if (this.#said.has(key)) return
    this.#said.add(key)
    this.diagnostics.push({ severity, code, message, span, ...(hint === undefined ? {} : { hint }) })
  }
}
