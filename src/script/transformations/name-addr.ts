import type { Value } from '../../../grammar/declarations.ts'
import { type NameAddr, paramOf, parseNameAddr } from '../../sip/headers/name-addr.ts'
import { hostForUri, parseUri } from '../../sip/uri.ts'
import { plain, type Transformations } from './declare.ts'

/**
 * Class `nameaddr`: the first name-addr of a text, taken literally: the name keeps its quotes and the blank that
 * follows it, and without angle brackets the whole text is the URI (measured on Kamailio 5.6.3).
 */
export const nameAddrTransformations: Transformations = {
  'nameaddr.name': plain('The display name as it stands before the bracket.', (value) => {
    const open = bracketOf(value)
    return open < 0 ? '' : value.slice(0, open)
  }),
  'nameaddr.uri': plain('The URI.', (value) => {
    const open = bracketOf(value)
    if (open < 0) return value
    const close = value.indexOf('>', open)
    return close < 0 ? '' : value.slice(open + 1, close)
  }),
  'nameaddr.len': plain('Octets up to and with the closing bracket.', (value) => {
    const open = bracketOf(value)
    if (open < 0) return value.length
    const close = value.indexOf('>', open)
    return close < 0 ? null : close + 1
  }),
}

/** Class `tobody`: a From or To value; '' for what is absent and for what is no such value. */
export const toBodyTransformations: Transformations = {
  'tobody.uri': part('The URI.', (address) => address.uri),
  'tobody.user': part('The user of the URI.', (address) => parseUri(address.uri)?.user ?? ''),
  'tobody.host': part('The host of the URI.', (address) => {
    const uri = parseUri(address.uri)
    return uri === null ? '' : hostForUri(uri.host)
  }),
  'tobody.params': part('The parameters after the URI.', (address) => address.params),
  'tobody.tag': part('The tag.', (address) => paramOf(address.params, 'tag') ?? ''),
  'tobody.display': part('The display name, quotes kept.', (address) => address.displayName),
}

function part(doc: string, read: (address: NameAddr) => string) {
  return plain(doc, (value): Value => {
    const address = parseNameAddr(value)
    return address === null || parseUri(address.uri) === null ? '' : read(address)
  })
}

/** The offset of the first `<` outside quotes, -1 if there is none. */
function bracketOf(value: string): number {
  let isQuoted = false
  for (let at = 0; at < value.length; at++) {
    const character = value.charAt(at)
    if (isQuoted && character === '\\') at++
    else if (character === '"') isQuoted = !isQuoted
    else if (character === '<' && !isQuoted) return at
  }
  return -1
}
