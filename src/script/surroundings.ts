import type { RouteKind, Value } from '../../grammar/declarations.ts'
import type { LinkedProgram, RouteFunction } from '../../grammar/program.ts'
import type { PatternCache } from '../text/pattern-cache.ts'
import type { EngineServices, LoadedScript } from './engine.ts'
import type { RunGate } from './run-gate.ts'

/** What every run may ask of the process: one object per engine. */
export interface Surroundings {
  readonly services: EngineServices
  /** The version that new messages run on. */
  loaded: LoadedScript
  version: ScriptVersion
  readonly gate: RunGate
  readonly patterns: PatternCache
  /** `group.name` of the script's own globals. */
  readonly customGlobals: Map<string, string | number>
  readonly defines: ReadonlyMap<string, string>
  readonly environment: (name: string) => string | null
  /** Counts a run that something thrown has ended. */
  readonly countFailure: (kind: RouteKind) => void
  /** Messages so far: `$mi`. */
  messageCount: number
  /** Unix milliseconds. */
  readonly startedWall: number
}

/** A linked script with the routes that every message looks for. */
export interface ScriptVersion {
  readonly linked: LinkedProgram
  /** What `context.vars` is a copy of when a run begins: a zero for each $var. */
  readonly slots: readonly Value[]
  readonly request: RouteFunction | undefined
  readonly requestWaits: boolean
  readonly coreReply: RouteFunction | undefined
  readonly onsend: RouteFunction | undefined
  /** event_route[core:msg-received], if received_route_mode=1. */
  readonly hasArrivalRoute: boolean
  readonly logPrefix: LoadedScript['logPrefix']
}

export const arrivalRoute = 'core:msg-received'

export function scriptVersion(linked: LinkedProgram, loaded: LoadedScript): ScriptVersion {
  const main = linked.program.routes.find((route) => route.kind === 'request' && route.name === '')
  return {
    linked,
    slots: createSlots(linked.program.variableSlots),
    request: linked.route('request', ''),
    requestWaits: main?.isAsync ?? false,
    coreReply: linked.route('core-reply', ''),
    onsend: linked.route('onsend', ''),
    hasArrivalRoute:
      loaded.global('received_route_mode') === 1 && linked.route('event', arrivalRoute) !== undefined,
    logPrefix: loaded.logPrefix,
  }
}

/** An array that held a text once is one for any values; one of numbers alone would change its shape in each run. */
function createSlots(count: number): Value[] {
  return new Array<Value>(count).fill('').fill(0)
}

/** Before the first link: plugins may ask for routes while they are set up, and there are none. */
export const noVersion: ScriptVersion = {
  linked: {
    get program(): never {
      throw new Error('the script is not linked yet')
    },
    route: () => undefined,
  },
  slots: [],
  request: undefined,
  requestWaits: false,
  coreReply: undefined,
  onsend: undefined,
  hasArrivalRoute: false,
  logPrefix: null,
}
