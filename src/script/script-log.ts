import { logLevel } from '../plugin/log-level.ts'
import type { ScriptRun } from './route-context.ts'

/** A line that the script wrote: one event, whatever characters the text has. */
export function logAt(run: ScriptRun, level: string, text: string): void {
  run.surroundings.services.log[logLevel(level) ?? 'error'](run.logFields(), run.logPrefix + text.trimEnd())
}
