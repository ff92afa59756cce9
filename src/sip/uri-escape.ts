/** Escapes in URIs: RFC 3261 §19.1.2. */

/** `user%41` -> `userA`: for comparing and for keys, never for output. Bad escapes stay. */
export function unescapeUser(user: string): string {
  if (!user.includes('%')) return user
  return user.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** RFC 3261 §25.1 user: everything outside unreserved and user-unreserved as `%HH`. */
export function escapeUser(user: string): string {
  return user.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/g, escapeOctet)
}

/** RFC 3261 §25.1 param-unreserved: everything else as `%HH`. */
export function escapeParam(value: string): string {
  return value.replace(/[^A-Za-z0-9\-_.!~*'()[\]/:&+$]/g, escapeOctet)
}

function escapeOctet(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
