import { ArgumentProblem, type Prefix, parsePrefix } from '../../src/plugin/index.ts'
import { globMatches } from './glob.ts'
import { isYes } from './sources.ts'

/**
 * The table of delegates: which digest user may register which addresses-of-record for others (RFC 3261 §10.3
 * step 3: a third party that is suitably authorized). One rule per line:
 *
 *     # principal  addresses-of-record  options
 *     1000         2000,21??            contact=seen source=10.0.0.0/8 max=1 expires=300 remove=no
 *
 * `*` and `?` stand for characters in addresses-of-record. Nobody may do anything that no rule allows.
 */
export interface DelegateRule {
  readonly principal: string
  /** '' for any realm. */
  readonly realm: string
  readonly aors: readonly string[]
  /** [] for anywhere. */
  readonly sources: readonly Prefix[]
  readonly contact: ContactRule
  /** Bindings per address-of-record. */
  readonly bindingsMax: number
  readonly expiresSecondsMax: number
  readonly mayRemove: boolean
}

export type ContactRule =
  /** A flow that we saw a request of that very user come from, within the pinhole's time. */
  | { readonly kind: 'seen' }
  /** A flow that learn_location() accepted for that user. */
  | { readonly kind: 'learned' }
  | { readonly kind: 'any' }
  | { readonly kind: 'prefixes'; readonly prefixes: readonly Prefix[] }

const expiresDefault = 300

/** @throws ArgumentProblem that says which line makes no sense, and why. */
export function parseDelegates(text: string): DelegateRule[] {
  const rules: DelegateRule[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim()
    if (line !== '') rules.push(parseRule(line, index + 1))
  }
  return rules
}

function parseRule(line: string, number: number): DelegateRule {
  const [principal, aors, ...options] = line.split(/\s+/)
  if (principal === undefined || aors === undefined) {
    throw new ArgumentProblem(
      `line ${number}: '${line}' names no addresses-of-record`,
      '1000 2000,21?? contact=seen',
    )
  }
  const values = new Map(options.map((option) => splitOption(option, number)))
  const [user, realm] = splitAt(principal)
  return {
    principal: user,
    realm,
    aors: aors.split(',').filter((aor) => aor !== ''),
    sources: prefixesOf(values.get('source') ?? '', number),
    contact: contactRule(values.get('contact') ?? 'seen', number),
    bindingsMax: positive(values.get('max') ?? '1', 'max', number),
    expiresSecondsMax: positive(values.get('expires') ?? String(expiresDefault), 'expires', number),
    mayRemove: isYes(values.get('remove')),
  }
}

const known = ['source', 'contact', 'max', 'expires', 'remove']

function splitOption(option: string, number: number): [string, string] {
  const equals = option.indexOf('=')
  const name = equals < 0 ? option : option.slice(0, equals)
  if (!known.includes(name))
    throw new ArgumentProblem(`line ${number}: no option '${name}'`, known.join(', '))
  return [name, equals < 0 ? '1' : option.slice(equals + 1)]
}

function splitAt(principal: string): [string, string] {
  const at = principal.lastIndexOf('@')
  return at < 0 ? [principal, ''] : [principal.slice(0, at), principal.slice(at + 1).toLowerCase()]
}

function contactRule(text: string, number: number): ContactRule {
  if (text === 'seen' || text === 'learned' || text === 'any') return { kind: text }
  return { kind: 'prefixes', prefixes: prefixesOf(text, number) }
}

function prefixesOf(text: string, number: number): Prefix[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const prefix = parsePrefix(part)
      if (prefix === null) throw new ArgumentProblem(`line ${number}: '${part}' is no address prefix`)
      return prefix
    })
}

function positive(text: string, name: string, number: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new ArgumentProblem(`line ${number}: ${name}=${text} is no positive number`)
  }
  return value
}

/** What is asked for, as far as the table decides it. */
export interface DelegateRequest {
  /** The digest user, proved. Never From. */
  readonly principal: string
  readonly realm: string
  readonly aor: string
  readonly source: string
  readonly contacts: readonly DelegateContact[]
  /** `Contact: *`. */
  readonly isWipe: boolean
}

export interface DelegateContact {
  readonly uri: string
  readonly expiresIsZero: boolean
  /** The literal address in its URI; null for a name (of ours, or anybody's). */
  readonly address: string | null
  readonly isOwnName: boolean
  /** Is it, or does it stand for, the flow that the user was seen on lately? */
  readonly isSeen: boolean
  readonly isLearned: boolean
}

export const delegateRefusals = {
  'no-rule': 'Third-Party Registration Not Allowed',
  source: 'Third-Party Registration Not Allowed From Here',
  contact: 'Contact Is No Flow Of That User',
  remove: 'Removal By A Third Party Not Allowed',
} as const

export type DelegateRefusal = keyof typeof delegateRefusals

export type DelegateVerdict =
  | { readonly kind: 'allowed'; readonly rule: DelegateRule }
  | { readonly kind: 'refused'; readonly reason: DelegateRefusal }

/** The first rule that allows it; else the refusal of the rule that came nearest. Pure. */
export function judgeDelegate(rules: readonly DelegateRule[], request: DelegateRequest): DelegateVerdict {
  let reason: DelegateRefusal = 'no-rule'
  for (const rule of rules) {
    if (!isAbout(rule, request)) continue
    const refusal = refusalOf(rule, request)
    if (refusal === null) return { kind: 'allowed', rule }
    reason = refusal
  }
  return { kind: 'refused', reason }
}

function isAbout(rule: DelegateRule, { principal, realm, aor }: DelegateRequest): boolean {
  if (rule.principal !== principal) return false
  if (rule.realm !== '' && rule.realm !== realm.toLowerCase()) return false
  return rule.aors.some((pattern) => globMatches(pattern, aor))
}

/** Removing is a permission of its own: `*`, or a lifetime of 0 for what another delegate wrote (save() sees to that). */
function refusalOf(rule: DelegateRule, request: DelegateRequest): DelegateRefusal | null {
  if (rule.sources.length > 0 && !rule.sources.some((prefix) => prefix.contains(request.source)))
    return 'source'
  if (request.isWipe && !rule.mayRemove) return 'remove'
  for (const contact of request.contacts) {
    if (!contact.expiresIsZero && !isAllowedContact(rule.contact, contact)) return 'contact'
  }
  return null
}

function isAllowedContact(
  rule: ContactRule,
  { address, isOwnName, isSeen, isLearned }: DelegateContact,
): boolean {
  switch (rule.kind) {
    case 'any':
      return !isOwnName || isSeen
    case 'seen':
      return isSeen
    case 'learned':
      return isLearned
    case 'prefixes':
      return isSeen || (address !== null && rule.prefixes.some((prefix) => prefix.contains(address)))
  }
}
