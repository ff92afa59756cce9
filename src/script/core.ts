import type { CoreDeclarations } from '../../grammar/declarations.ts'
import { coreFunctions } from './core-functions.ts'
import { coreGlobals } from './globals.ts'
import { transformations } from './transformations/index.ts'
import { coreVariables } from './variables/index.ts'

/** What a script may use without loading any module. */
export const coreDeclarations: CoreDeclarations = {
  globals: coreGlobals,
  functions: coreFunctions,
  variables: coreVariables,
  transformations,
  events: {
    'core:worker-one-init': { doc: 'Runs once, when the router starts.' },
    'core:msg-received': {
      doc: 'Runs for every message as it comes, if received_route_mode=1; drop discards it.',
    },
  },
}
