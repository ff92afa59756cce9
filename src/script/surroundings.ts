import type { Value } from '../../grammar/declarations.ts'
import type { LinkedProgram } from '../../grammar/program.ts'
import type { EngineServices, LoadedScript } from './engine.ts'
import type { PatternCache } from './pattern-cache.ts'
import type { RunGate } from './run-gate.ts'

/** What every run may ask of the process: one object per engine. */
export interface Surroundings {
  readonly services: EngineServices
  /** The version that new messages run on. */
  loaded: LoadedScript
  linked: LinkedProgram
  readonly gate: RunGate
  readonly patterns: PatternCache
  /** `$shv`: one value per name for all messages. Names come from scripts alone. */
  readonly sharedVariables: Map<string, Value>
  /** `group.name` of the script's own globals. */
  readonly customGlobals: Map<string, string | number>
  readonly defines: ReadonlyMap<string, string>
  readonly environment: (name: string) => string | null
  /** Messages so far: `$mi`. */
  messageCount: number
  /** Unix milliseconds. */
  readonly startedWall: number
  /** `log_prefix` of the script for one message; '' if there is none. */
  logPrefix: ((context: never) => string) | null
}
