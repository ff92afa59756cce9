/**
 * Between the router's texts, one character an octet, and those of JSON. What a message carries is UTF-8 as a rule and
 * becomes the characters that it means; octets that are none stay what they are, U+0080 to U+00FF.
 */
const decoder = new TextDecoder('utf-8', { fatal: true })
const high = /[\x80-\xff]+/g
const wide = /[^\x00-\x7f]/

export function readable(text: string): string {
  return wide.test(text) ? text.replace(high, decoded) : text
}

function decoded(octets: string): string {
  try {
    return decoder.decode(Buffer.from(octets, 'latin1'))
  } catch {
    return octets
  }
}

/** A parameter as it would stand in a message. */
export function octets(text: string): string {
  return wide.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}
