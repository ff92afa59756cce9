/** Kamailio's hash of one or two texts, cut to so many bits (measured on Kamailio 5.6.3). */
export function coreHash(first: string, second: string, bits: number): number {
  let hash = update(update(0, first), second)
  hash = (hash + (hash >>> 11) + ((hash >>> 13) + (hash >>> 23))) >>> 0
  return bits <= 0 || bits >= 32 ? hash : (hash & ((2 ** bits - 1) >>> 0)) >>> 0
}

/** Four octets at a time, the rest as one number. */
function update(start: number, text: string): number {
  let hash = start
  const whole = text.length - (text.length % 4)
  for (let i = 0; i < whole; i += 4) hash = mix(hash, word(text, i, i + 4))
  return text === '' ? hash : mix(hash, word(text, whole, text.length))
}

function word(text: string, from: number, to: number): number {
  let value = 0
  for (let i = from; i < to; i++) value = (value << 8) | (text.charCodeAt(i) & 0xff)
  return value >>> 0
}

function mix(hash: number, value: number): number {
  return (hash + ((value ^ (value >>> 3)) >>> 0)) >>> 0
}
