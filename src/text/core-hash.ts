/**
 * The hash by which Kamailio finds slots, over one or two texts: big-endian words of four octets, each mixed with
 * itself shifted by three (measured on Kamailio 5.6.3). Scripts use it to spread calls over numbered peers, so that
 * it must agree. An unsigned number of 32 bits.
 */
export function coreHash(first: string, second = ''): number {
  const hash = update(update(0, first), second)
  return (hash + (hash >>> 11) + (hash >>> 13) + (hash >>> 23)) >>> 0
}

/** Four octets at a time, the rest as one number. */
function update(start: number, text: string): number {
  let hash = start
  const whole = text.length - (text.length % 4)
  for (let at = 0; at < whole; at += 4) hash = mix(hash, word(text, at, at + 4))
  return mix(hash, word(text, whole, text.length))
}

function word(text: string, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) value = (value << 8) | (text.charCodeAt(at) & 0xff)
  return value >>> 0
}

function mix(hash: number, value: number): number {
  return (hash + ((value ^ (value >>> 3)) >>> 0)) >>> 0
}
