import {
  ArgumentProblem,
  type BoundScope,
  customerPrefix,
  type Prefix,
  parsePrefix,
} from '../../src/plugin/index.ts'

/**
 * Allowed prefixes: `modparam("learn", "source", "60.250.0.0/16=>pinhole=45;carrier=1")`. A prefix that is a
 * carrier's NAT is declared so, because thousands of devices share one of its addresses.
 */
export interface SourceRule {
  readonly prefix: Prefix
  /** Milliseconds. */
  readonly pinhole: number
  readonly isCarrier: boolean
  /** provisional=accept: believed without proof of the flow. */
  readonly isTrusted: boolean
  readonly newestWins: boolean
}

const pinholeSecondsMin = 5
const pinholeSecondsMax = 600

export function parseSource(text: string, pinholeDefault: number): SourceRule {
  const arrow = text.indexOf('=>')
  const prefix = parsePrefix(arrow < 0 ? text : text.slice(0, arrow))
  if (prefix === null)
    throw new ArgumentProblem(`'${text}' does not begin with an address prefix`, '60.250.0.0/16=>pinhole=45')
  const options = parseOptions(arrow < 0 ? '' : text.slice(arrow + 2))
  for (const name of options.keys()) {
    if (!['pinhole', 'carrier', 'provisional', 'conflict'].includes(name)) {
      throw new ArgumentProblem(`a source has no option '${name}'`, 'pinhole, carrier, provisional, conflict')
    }
  }
  const seconds = Number(options.get('pinhole') ?? pinholeDefault / 1000)
  if (!(seconds >= pinholeSecondsMin && seconds <= pinholeSecondsMax)) {
    throw new ArgumentProblem(
      `a pinhole of ${seconds} seconds`,
      `${pinholeSecondsMin} to ${pinholeSecondsMax}`,
    )
  }
  return {
    prefix,
    pinhole: seconds * 1000,
    isCarrier: isYes(options.get('carrier')),
    isTrusted: options.get('provisional') === 'accept',
    newestWins: options.get('conflict') === 'newest',
  }
}

/** `a=1;b=2` */
export function parseOptions(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const part of text.split(';')) {
    const trimmed = part.trim()
    if (trimmed === '') continue
    const equals = trimmed.indexOf('=')
    if (equals < 0) out.set(trimmed, '1')
    else out.set(trimmed.slice(0, equals).trim(), trimmed.slice(equals + 1).trim())
  }
  return out
}

export function isYes(value: string | undefined): boolean {
  return value === '1' || value === 'yes' || value === 'true' || value === 'on'
}

/** The first rule whose prefix contains the address. */
export function ruleFor(rules: readonly SourceRule[], address: string): SourceRule | null {
  for (const rule of rules) if (rule.prefix.contains(address)) return rule
  return null
}

/** Under what a binding from that address is counted: limits are per customer, or per declared carrier prefix. */
export function scopeOf(rule: SourceRule | null, address: string): BoundScope {
  return rule?.isCarrier
    ? { key: rule.prefix.text, isCarrier: true }
    : { key: customerPrefix(address), isCarrier: false }
}
