/** Is a text an IP address? The lexer must know, since `a::b` is one and `a:b` is not. RFC 4291 §2.2 for version 6. */

export function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) <= 255)
}

/** All forms of RFC 4291 §2.2: eight groups, `::` for some of them, an IPv4 address as the last two. No zone. */
export function isIpv6(text: string): boolean {
  const gap = text.indexOf('::')
  if (gap === -1) return groupCount(text) === 8
  if (text.indexOf('::', gap + 1) !== -1) return false
  const before = gap === 0 ? 0 : groupCount(text.slice(0, gap), false)
  const rest = text.slice(gap + 2)
  const after = rest === '' ? 0 : groupCount(rest)
  return before !== null && after !== null && before + after <= 7
}

/** How many groups of 16 bits a text without `::` has; null if it is none. */
function groupCount(text: string, mayEndInIpv4 = true): number | null {
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const embedded = mayEndInIpv4 && last.includes('.') && isIpv4(last)
  const groups = embedded ? parts.slice(0, -1) : parts
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return null
  return groups.length + (embedded ? 2 : 0)
}
