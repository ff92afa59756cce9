/**
 * What a transaction machine asks the layer to do, as bits of one number: a step allocates nothing. The layer
 * carries them out in the order of this list, so that what must leave first does.
 */
export const Do = {
  nothing: 0,
  /** Client: the request leaves (again). Server: the last response leaves (again). */
  send: 1 << 0,
  /** Client: ACK for a non-2xx final response (RFC 3261 §17.1.1.3). */
  ack: 1 << 1,
  /** Client: CANCEL for a request that rang for too long (RFC 3261 §16.8). */
  cancel: 1 << 2,
  /** Timers A, E, G: run from their first interval. */
  startRetransmit: 1 << 3,
  /** Timers A, E, G: run again, with the interval doubled. */
  backOff: 1 << 4,
  stopRetransmit: 1 << 5,
  /** Timers B, C, D, F, H, I, J, K, L, M: whichever belongs to the new state. */
  startLifetime: 1 << 6,
  /** The response goes up to the transaction user. */
  deliver: 1 << 7,
  /** Timer B, C or F: RFC 3261 §16.8. */
  reportTimeout: 1 << 8,
  /** RFC 3261 §16.9. */
  reportTransport: 1 << 9,
  /** Timer H: nobody acknowledged. */
  reportNoAck: 1 << 10,
  /** Server: the response that the user handed in is refused. */
  refuse: 1 << 11,
} as const

/** Where a machine writes what must be done. One object serves all machines of a layer. */
export interface Actions {
  bits: number
}
