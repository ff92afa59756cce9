/** What is wrong with a message: a value, never an exception. The sender gets `status`, the log the rest. */
export interface Fault {
  /** Short and stable: counted and documented under this name, e.g. `cseq-method`. */
  code: string
  /** The clause that was broken: `RFC 3261 §20.16`. */
  clause: string
  /** Octets from the start of the message. */
  offset: number
  /** What to answer, if anything can be answered at all. */
  status: 400 | 413 | 414 | 416 | 420 | 482 | 483 | 505
  /** The reason phrase of the answer: says what is wrong in words. */
  reason: string
}
