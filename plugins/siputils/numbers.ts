import { asciiLower, parseParams, parseUri } from '../../src/plugin/index.ts'

/** Telephone numbers and plain character tests, with the return codes of Kamailio 5.6.3 (measured). */

/** ITU-T E.164 as Kamailio tests it: `+` and 2 to 15 digits, the first of them counted. */
export function isE164(text: string): boolean {
  return /^\+\d{2,15}$/.test(text)
}

/** Only of a SIP URI: a tel URI has no user. */
export function hasE164User(text: string): boolean {
  const uri = parseUri(text)
  return uri !== null && uri.scheme !== 'tel' && isE164(uri.user ?? '')
}

export function isTelNumber(text: string): boolean {
  return /^\+?\d+$/.test(text)
}

export function isNumeric(text: string): boolean {
  return /^\d+$/.test(text)
}

export function isAlphanumeric(text: string): boolean {
  return /^[A-Za-z0-9]+$/.test(text)
}

/** Letters, digits, and the characters of `extra`. */
export function isAlphanumericOr(text: string, extra: string): boolean {
  for (const character of text) {
    if (!isAlphanumeric(character) && !extra.includes(character)) return false
  }
  return text !== ''
}

/** RFC 3261 §19.1.6: without visual separators, parameters in lower case before the `@`. Null if it is no tel URI. */
export function telToSip(text: string, host: string): string | null {
  const uri = parseUri(text)
  if (uri?.scheme !== 'tel' || uri.user === null) return null
  const params = parseParams(uri.params).map(({ name, value }) =>
    asciiLower(value === '' ? `;${name}` : `;${name}=${value}`),
  )
  return `sip:${uri.user.replace(/[-.()]/g, '')}${params.join('')}@${host};user=phone`
}
