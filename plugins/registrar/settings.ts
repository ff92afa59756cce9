import type { AorRules, RouteContext, VariableAccess } from '../../src/plugin/index.ts'
import type { MatchingMode } from '../usrloc/exports.ts'

/** The registrar's parameters as its rules use them. Times in seconds as in the script. */
export interface RegistrarSettings {
  readonly aorRules: AorRules
  readonly matchingMode: MatchingMode
  /** Milliseconds. */
  readonly cseqDelay: number
  readonly newestFirst: boolean
  readonly defaultExpires: number
  readonly defaultExpiresRange: number
  readonly expiresRange: number
  readonly minExpires: number
  readonly minExpiresMode: number
  readonly maxExpires: number
  /** 0 to 1000, -1 for unset. */
  readonly defaultQ: number
  readonly maxContacts: number
  readonly retryAfter: number
  readonly contactLengthMax: number
  readonly appendBranches: boolean
  readonly methodFiltering: boolean
  readonly usePath: boolean
  readonly pathMode: number
  readonly pathUseReceived: boolean
  readonly pathCheckLocal: boolean
  readonly gruuEnabled: boolean
  readonly outboundMode: number
  readonly flowTimer: number
  readonly receivedParam: string
  readonly receivedAvp: VariableAccess<RouteContext> | undefined
  readonly socketHeader: string
  readonly xavpCfg: string
  readonly xavpRcd: string
}
