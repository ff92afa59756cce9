/**
 * URIs: RFC 3261 §19.1 (sip, sips), RFC 3966 (tel). A parsed URI is slices of the text; equality follows
 * §19.1.4; writers replace one part and keep all others as they were.
 */
export interface Uri {
  /** Lower case: `sip`, `sips`, `tel`, `urn`, ... */
  readonly scheme: string
  /** As written, escapes kept; null if there is none. For tel: the number. */
  readonly user: string | null
  readonly password: string | null
  /** As written; IPv6 without brackets. '' for tel and other schemes without a host. */
  readonly host: string
  /** True for an IPv6 reference. */
  readonly hostIsIpv6: boolean
  /** 0 if absent. */
  readonly port: number
  /** After the first `;`, as written, '' if none. */
  readonly params: string
  /** After `?`, '' if none. */
  readonly headers: string
}

/** Null if it is not a URI that we can route by. No exception whatever the text. */
export declare function parseUri(text: string): Uri | null
/** Exactly as written where nothing was changed: `host[:port]` with brackets for IPv6. */
export declare function writeUri(uri: Uri): string
/** The value of a URI parameter: '' if it stands without one, null if absent. Case-insensitive name. */
export declare function uriParam(uri: Uri, name: string): string | null
/** RFC 3261 §19.1.4. Both texts must parse, else false. */
export declare function urisEqual(a: string, b: string): boolean
/** `user%41` -> `userA`: for comparing and for keys, never for output. Bad escapes stay. */
export declare function unescapeUser(user: string): string
/** ASCII-only lower case: no Unicode case folding ever touches a protocol token. */
export declare function asciiLower(text: string): string
/** Brackets around an IPv6 address, anything else as it is. */
export declare function hostForUri(address: string): string
