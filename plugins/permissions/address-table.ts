import ipaddr from 'ipaddr.js'
import { asciiLower } from '../../src/plugin/index.ts'

/** One row of Kamailio's `address` table. */
export interface AddressRow {
  readonly group: number
  /** An address, a prefix (`10.0.0.0/8`), or a host name, which is compared as text. */
  readonly address: string
  /** Bits; null: as the address says, or all. */
  readonly mask: number | null
  /** 0: any. */
  readonly port: number
  readonly tag: string
}

/** A row as it is compared; for the dump. */
export interface AddressRule {
  readonly group: number
  readonly text: string
  readonly kind: 'address' | 'subnet' | 'name'
  readonly bits: number
  readonly port: number
  readonly tag: string
}

/**
 * Rows compiled for the question "is this address in that group?": per length of prefix one map from network to
 * rules, longest prefix first. IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is IPv4, in rows and in questions: a rule for one
 * cannot be passed by writing the other.
 */
export class AddressTable {
  readonly #rules: AddressRule[] = []
  readonly #v4 = new Networks(32)
  readonly #v6 = new Networks(128)
  readonly #names = new Map<string, AddressRule[]>()

  get rules(): readonly AddressRule[] {
    return this.#rules
  }

  /** A string says what is wrong with the row. */
  add(row: AddressRow): AddressRule | string {
    const [text = '', bitsText] = row.address.trim().split('/', 2)
    const given = bitsText === undefined ? row.mask : Number(bitsText)
    if (!isPort(row.port)) return `${row.port} is no port`
    if (isAddress(bare(text))) return this.#addAddress(row, bare(text), given)
    if (bitsText !== undefined || !/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(text))
      return `"${row.address}" is no address`
    const rule = { ...base(row), text, kind: 'name', bits: 0 } as const
    this.#rules.push(rule)
    append(this.#names, asciiLower(text), rule)
    return rule
  }

  /** The rule that lets an address or host name in; null if none does. `group` null: any. */
  find(host: string, port: number, group: number | null): AddressRule | null {
    const text = bare(host)
    if (!isAddress(text)) return matching(this.#names.get(asciiLower(host)), port, group)
    const octets = ipaddr.process(text).toByteArray()
    return (octets.length === 4 ? this.#v4 : this.#v6).find(numberOf(octets), port, group)
  }

  #addAddress(row: AddressRow, text: string, given: number | null): AddressRule | string {
    const parsed = ipaddr.parse(text)
    const written = parsed.toByteArray().length * 8
    const bits = given ?? written
    if (!Number.isInteger(bits) || bits < 0 || bits > written) return `/${bits} is no prefix of ${text}`
    const octets = ipaddr.process(text).toByteArray()
    const length = octets.length * 8
    // Of ::ffff:10.0.0.0/104 eight bits are of the IPv4 address; a mask for IPv4 beside a mapped address is one already.
    const own =
      written > length && bits >= written - length ? bits - (written - length) : Math.min(bits, length)
    const kind = own === length ? 'address' : 'subnet'
    const rule = { ...base(row), text, kind, bits: own } as const
    this.#rules.push(rule)
    const networks = length === 32 ? this.#v4 : this.#v6
    networks.add(numberOf(octets), own, rule)
    return rule
  }
}

class Networks {
  readonly #length: number
  /** Longest prefix first. */
  #lengths: number[] = []
  readonly #byLength = new Map<number, Map<bigint, AddressRule[]>>()

  constructor(length: number) {
    this.#length = length
  }

  add(address: bigint, bits: number, rule: AddressRule): void {
    let networks = this.#byLength.get(bits)
    if (networks === undefined) {
      networks = new Map()
      this.#byLength.set(bits, networks)
      this.#lengths = [...this.#byLength.keys()].sort((a, b) => b - a)
    }
    append(networks, address >> BigInt(this.#length - bits), rule)
  }

  find(address: bigint, port: number, group: number | null): AddressRule | null {
    for (const bits of this.#lengths) {
      const rules = this.#byLength.get(bits)?.get(address >> BigInt(this.#length - bits))
      const rule = matching(rules, port, group)
      if (rule !== null) return rule
    }
    return null
  }
}

function matching(
  rules: readonly AddressRule[] | undefined,
  port: number,
  group: number | null,
): AddressRule | null {
  if (rules === undefined) return null
  const isIn = (rule: AddressRule) =>
    (group === null || rule.group === group) && (rule.port === 0 || rule.port === port)
  return rules.find(isIn) ?? null
}

function append<K>(map: Map<K, AddressRule[]>, key: K, rule: AddressRule): void {
  const rules = map.get(key)
  if (rules === undefined) map.set(key, [rule])
  else rules.push(rule)
}

function base(row: AddressRow) {
  return { group: row.group, port: row.port, tag: row.tag }
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535

/** `10.1` and `0x7f000001` are addresses for some libraries; here they are names. */
function isAddress(text: string): boolean {
  return text.includes(':') ? ipaddr.IPv6.isValid(text) : ipaddr.IPv4.isValidFourPartDecimal(text)
}

/** Without the brackets that an IPv6 address has in a URI. */
function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}

function numberOf(octets: readonly number[]): bigint {
  let number = 0n
  for (const octet of octets) number = (number << 8n) | BigInt(octet)
  return number
}
