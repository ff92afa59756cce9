import { plain, type Transformations } from './declare.ts'

/** Class `s`: encodings of octets and escapings for URIs, CSV and SQL. What cannot be decoded is undefined. */
export const encodingTransformations: Transformations = {
  's.encode.hexa': plain('Hexadecimal digits.', (value) => octets(value).toString('hex')),
  's.decode.hexa': plain('From hexadecimal digits.', fromHex),
  's.encode.7bit': plain('GSM 7-bit packing, as hexadecimal digits.', packSeptets),
  's.decode.7bit': plain('From packed GSM septets in hexadecimal digits.', unpackSeptets),
  's.encode.base64': plain('Base64.', (value) => octets(value).toString('base64')),
  's.decode.base64': plain('From base64.', (value) => fromBase64(value, standard, true)),
  's.encode.base64t': plain('Base64 without padding.', (value) => unpadded(octets(value).toString('base64'))),
  's.decode.base64t': plain('From base64, padded or not.', (value) => fromBase64(value, standard, false)),
  's.encode.base64url': plain('URL-safe base64.', (value) => urlSafe(octets(value).toString('base64'))),
  's.decode.base64url': plain('From URL-safe base64.', (value) => fromBase64(value, safe, true)),
  's.encode.base64urlt': plain('URL-safe base64 without padding.', (value) =>
    octets(value).toString('base64url'),
  ),
  's.decode.base64urlt': plain('From URL-safe base64, padded or not.', (value) =>
    fromBase64(value, safe, false),
  ),
  's.encode.base58': plain('Base58 with the digits of Bitcoin.', toBase58),
  's.decode.base58': plain('From base58.', fromBase58),

  's.escape.common': plain('Quotes, backslash and NUL after a backslash.', escapeCommon),
  's.unescape.common': plain('The reverse of escape.common.', unescapeCommon),
  's.escape.user': plain('Escaped for the user part of a SIP URI.', (value) =>
    value.replace(notInUser, percent),
  ),
  's.unescape.user': plain('Percent escapes resolved.', unescapePercent),
  's.escape.param': plain('Escaped for a SIP URI parameter.', (value) => value.replace(notInParam, percent)),
  's.unescape.param': plain('Percent escapes resolved.', unescapePercent),
  's.escape.csv': plain('One field of a CSV line (RFC 4180).', (value) => `"${value.replaceAll('"', '""')}"`),
  's.escape.crlf': plain('CR and LF as \\r and \\n.', (value) =>
    value.replace(/[\r\n]/g, (end) => (end === '\r' ? '\\r' : '\\n')),
  ),
  's.unescape.crlf': plain('\\r and \\n as CR and LF.', (value) =>
    value.replace(/\\[rn]/g, (end) => (end === '\\r' ? '\r' : '\n')),
  ),
  's.urlencode.param': plain('Escaped for an HTTP query.', (value) =>
    value.replace(/[^A-Za-z0-9\-._~]/g, percent),
  ),
  's.urldecode.param': plain('Percent escapes and + resolved, as in an HTTP query.', (value) =>
    value.replaceAll('+', ' ').replace(/%([0-9a-fA-F]{2})/g, fromPercent),
  ),
}

const octets = (value: string): Buffer => Buffer.from(value, 'latin1')

function fromHex(value: string): string | null {
  return /^(?:[0-9a-fA-F]{2})*$/.test(value) ? Buffer.from(value, 'hex').toString('latin1') : null
}

function packSeptets(value: string): string {
  const out: number[] = []
  let bits = 0
  let held = 0
  for (let at = 0; at < value.length; at++) {
    bits |= (value.charCodeAt(at) & 0x7f) << held
    held += 7
    if (held < 8) continue
    out.push(bits & 0xff)
    bits >>= 8
    held -= 8
  }
  if (held > 0) out.push(bits & 0xff)
  return Buffer.from(out).toString('hex').toUpperCase()
}

function unpackSeptets(value: string): string | null {
  const packed = fromHex(value)
  if (packed === null) return null
  let out = ''
  let bits = 0
  let held = 0
  for (let at = 0; at < packed.length; at++) {
    bits |= packed.charCodeAt(at) << held
    held += 8
    while (held >= 7) {
      if (held === 7 && at === packed.length - 1 && bits === 0) break
      out += String.fromCharCode(bits & 0x7f)
      bits >>= 7
      held -= 7
    }
  }
  return out
}

const standard = /^[A-Za-z0-9+/]*={0,2}$/
const safe = /^[A-Za-z0-9\-_]*={0,2}$/

function fromBase64(value: string, alphabet: RegExp, isPadded: boolean): string | null {
  if (!alphabet.test(value)) return null
  if (isPadded && value.length % 4 !== 0) return null
  return Buffer.from(value, 'base64').toString('latin1')
}

const unpadded = (base64: string): string => base64.replace(/=+$/, '')
const urlSafe = (base64: string): string => base64.replaceAll('+', '-').replaceAll('/', '_')

const base58Digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
/** Conversion takes the square of the length: beyond this it is no identifier any more. */
const base58OctetsMax = 1_024

function toBase58(value: string): string | null {
  if (value.length > base58OctetsMax) return null
  let number = value === '' ? 0n : BigInt(`0x0${octets(value).toString('hex')}`)
  let out = ''
  for (; number > 0n; number /= 58n) out = base58Digits.charAt(Number(number % 58n)) + out
  return '1'.repeat(leading(value, '\0')) + out
}

function fromBase58(value: string): string | null {
  if (value.length > base58OctetsMax * 1.5) return null
  let number = 0n
  for (const digit of value) {
    const weight = base58Digits.indexOf(digit)
    if (weight < 0) return null
    number = number * 58n + BigInt(weight)
  }
  const hex = number === 0n ? '' : number.toString(16)
  const zeros = '\0'.repeat(leading(value, '1'))
  return zeros + Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('latin1')
}

function leading(value: string, character: string): number {
  let count = 0
  while (value.charAt(count) === character) count++
  return count
}

function escapeCommon(value: string): string {
  return value.replace(/['"\\\0]/g, (character) => (character === '\0' ? '\\0' : `\\${character}`))
}

function unescapeCommon(value: string): string {
  return value.replace(/\\(['"\\0])/g, (_, character: string) => (character === '0' ? '\0' : character))
}

/** What Kamailio 5.6.3 leaves as it is (measured); all else, control characters included, becomes an escape. */
const notInUser = /[^A-Za-z0-9!$&'()*+,\-.;=?_~]/g
const notInParam = /[^A-Za-z0-9!$&'()*+\-./:[\]_~]/g

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

function unescapePercent(value: string): string | null {
  if (/%(?![0-9a-fA-F]{2})/.test(value)) return null
  return value.replace(/%([0-9a-fA-F]{2})/g, fromPercent)
}

function fromPercent(_: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 16))
}
