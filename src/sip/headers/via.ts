/** One value of Via: RFC 3261 §20.42, RFC 3581. */
export interface Via {
  /** `UDP`, `TCP`, ... as written. */
  readonly transport: string
  /** Without brackets. */
  readonly host: string
  /** 0 if absent. */
  readonly port: number
  /** '' if absent (RFC 2543). */
  readonly branch: string
  /** '' if absent. */
  readonly received: string
  /** null: no rport parameter; 0: asked for; otherwise filled in. */
  readonly rport: number | null
  readonly maddr: string
  /** All parameters as written, without the leading semicolon. */
  readonly params: string
  /** Offsets within the message of this value: from the protocol name to before the comma or line end. */
  readonly start: number
  readonly end: number
  /** True if the branch starts with the magic cookie of RFC 3261 §8.1.1.7. */
  readonly isRfc3261: boolean
}

export declare function parseVia(value: string, offset?: number): Via | null
