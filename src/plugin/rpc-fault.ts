/** What a method of the control interface throws to refuse with a code of its own; any other Error means 500. */
export class RpcFault extends Error {
  override readonly name = 'RpcFault'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}
