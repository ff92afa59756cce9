import type { PluginHost } from '../../src/plugin/index.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'
import type { PlanContext } from './plan.ts'
import type { Refusal } from './refusal.ts'
import type { RegistrarSettings } from './settings.ts'

/** What save(), lookup() and their siblings work with. */
export interface Registrar {
  readonly host: PluginHost
  readonly usrloc: UsrlocExports
  readonly settings: RegistrarSettings
  readonly planning: PlanContext
  onAccepted(rc: number): void
  onRefused(refusal: Refusal): void
}

/** The second argument of save(). */
export const saveFlags = {
  memoryOnly: 0x01,
  noReply: 0x02,
  keepOnlyThis: 0x04,
  exactExpires: 0x08,
  prepareReply: 0x10,
} as const
