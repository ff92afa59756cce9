/** What passes between the workers of one router: datagrams that belong to another, and notices. */
export interface Link {
  /** Which worker this is, from 0. */
  readonly index: number
  readonly count: number
  /** False: the way there is full, and the datagram is lost as on any network. */
  passDatagram(
    to: number,
    text: string,
    socketIndex: number,
    address: string,
    port: number,
    hops: number,
  ): boolean
  /** To one worker. Notices wait where the way is full; false if too many do. */
  tell(to: number, topic: string, text: string): boolean
  /** From now on what arrives is handed over; what came before waits. */
  open(receiver: LinkReceiver): void
  /** Hands over what is there now, instead of soon: what was told before a datagram left is known before it is handled. */
  catchUp(): void
  close(): void
}

export interface LinkReceiver {
  onPassed(text: string, socketIndex: number, address: string, port: number, hops: number): void
  onTold(from: number, topic: string, text: string): void
}
