import type { Span } from './source.ts'

/** What is wrong, or worth knowing, about a script. Collected, never thrown. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning' | 'note'
  /** Stable and documented: `script/unknown-function`. */
  readonly code: string
  readonly message: string
  readonly span: Span | null
  /** What to do. */
  readonly hint?: string
}
