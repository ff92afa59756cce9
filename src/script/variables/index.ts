import { branchVariables } from './branches.ts'
import { credentialVariables } from './credentials.ts'
import { flagVariables } from './flags.ts'
import { headerVariables } from './headers.ts'
import { identityVariables } from './identity.ts'
import { messageVariables } from './message.ts'
import { processVariables } from './process.ts'
import { requestUriVariables } from './request-uri.ts'
import { socketVariables } from './sockets.ts'
import { storageVariables } from './storage.ts'
import { timeVariables } from './time.ts'
import type { CoreVariables } from './variable.ts'

/**
 * The pseudo-variables of the core by their Kamailio names: `$ru` is the RFC's Request-URI, `$fU` the user in From.
 * `$var`, `$rc` and `$null` are part of the language; what belongs to a module is declared by its plugin.
 */
export const coreVariables: CoreVariables = {
  ...requestUriVariables,
  ...identityVariables,
  ...messageVariables,
  ...headerVariables,
  ...socketVariables,
  ...branchVariables,
  ...flagVariables,
  ...storageVariables,
  ...credentialVariables,
  ...timeVariables,
  ...processVariables,
}
