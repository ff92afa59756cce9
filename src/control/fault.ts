/** Why a command has no result: what JSON-RPC calls an error. */
export interface Fault {
  readonly code: number
  readonly message: string
}

/** JSON-RPC 2.0 §5.1, for what is wrong with a request itself. What a method refuses has Kamailio's codes: 400, 404, 500. */
export const notJson: Fault = { code: -32700, message: 'Parse error: this is no JSON' }

export function invalidRequest(why: string): Fault {
  return { code: -32600, message: `Invalid Request: ${why}` }
}

export function invalidParams(why: string): Fault {
  return { code: -32602, message: `Invalid params: ${why}` }
}

/** As Kamailio says it, which does not use -32601. */
export const methodNotFound: Fault = { code: 500, message: 'Method Not Found' }

export const notReady: Fault = { code: 503, message: 'The router is starting' }

/** Nothing of an answer was written yet, or nothing at all will be: `fault` can still be said. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused'
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}
