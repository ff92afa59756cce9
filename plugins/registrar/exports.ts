import type { AorRules, RouteContext } from '../../src/plugin/index.ts'
import type { Delegation } from './delegation.ts'

/** What module registrar gives to others: `host.exportsOf<RegistrarExports>('registrar')`. */
export interface RegistrarExports {
  readonly aorRules: AorRules
  /** Lets the save() that follows write the bindings of somebody else, within bounds. */
  delegate(context: RouteContext, delegation: Delegation): void
}

export type { Delegation } from './delegation.ts'
