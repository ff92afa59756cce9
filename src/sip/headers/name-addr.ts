/**
 * From, To, Contact, Route, Record-Route, Path, Refer-To: a display name, a URI, and parameters (RFC 3261
 * §20.10, §25.1 name-addr / addr-spec). In an addr-spec without angle brackets everything after the first
 * semicolon belongs to the header, not to the URI.
 */
export interface NameAddr {
  /** As written, quotes included; '' if there is none. */
  readonly displayName: string
  readonly uri: string
  /** Header parameters after the URI, without the leading semicolon, as written. */
  readonly params: string
  /** Offsets of the URI within the text that was parsed. */
  readonly uriStart: number
  readonly uriEnd: number
}

/** One value. Null if it cannot be read. */
export declare function parseNameAddr(value: string): NameAddr | null
/** A comma-separated list, quotes and brackets respected. Null if any value cannot be read or `max` is exceeded. */
export declare function parseNameAddrs(value: string, max: number): NameAddr[] | null
/** Splits a list header's value at its commas, quotes and angle brackets respected; parts are trimmed. */
export declare function splitValues(value: string): string[]
/**
 * A parameter of a `;`-separated list: its value (unquoted), '' if it stands without one, null if absent.
 * Names are case-insensitive.
 */
export declare function paramOf(params: string, name: string): string | null
