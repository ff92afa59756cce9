import { asciiLower, Method, methodMask, type Pattern, type SipMessage } from '../../src/plugin/index.ts'

/** Comparisons of plain strings, with the return codes that Kamailio 5.6.3 gives (measured). */

/** `is_method("INVITE|BYE")`, taken apart once: bits for the methods that have one, names for the others. */
export interface MethodList {
  readonly mask: number
  readonly names: ReadonlySet<string>
}

/** Names of known methods may be in lower case, as Kamailio's scripts write them; others count as written. */
export function parseMethods(text: string): MethodList {
  const names = text.split('|').map((name) => name.trim())
  const known = names.map((name) => methodMask(name.toUpperCase())).filter((bit) => bit !== Method.other)
  return {
    mask: known.reduce((mask, bit) => mask | bit, 0),
    names: new Set(names.filter((name) => methodMask(name.toUpperCase()) === Method.other)),
  }
}

/** Of a response: the method in its CSeq. */
export function hasMethod(message: SipMessage, methods: MethodList): boolean {
  if ((message.methodMask & methods.mask) !== 0) return true
  return methods.names.size > 0 && methods.names.has(message.method)
}

/** -1: `a` comes after `b`; -2: before. */
export function compare(a: string, b: string): number {
  if (a === b) return 1
  return a < b ? -2 : -1
}

export function compareFolded(a: string, b: string): number {
  return compare(asciiLower(a), asciiLower(b))
}

/** -1: too short to start with it; -2: starts otherwise. */
export function startsWith(text: string, start: string): number {
  if (text.length < start.length) return -1
  return text.startsWith(start) ? 1 : -2
}

export function endsWith(text: string, end: string): number {
  return text.endsWith(end) ? 1 : -1
}

/** Where it stands, counted from 1. */
export function find(text: string, part: string): number {
  const at = part === '' ? -1 : text.indexOf(part)
  return at === -1 ? -1 : at + 1
}

export function findFolded(text: string, part: string): number {
  return find(asciiLower(text), asciiLower(part))
}

/** Elements are trimmed; an empty subject or list is in nothing. */
export function inList(subject: string, list: string, separator: string): number {
  return elements(subject, list, separator).includes(subject) ? 1 : -1
}

/** 1 if an element is a prefix of the subject. */
export function inListPrefix(subject: string, list: string, separator: string): number {
  return elements(subject, list, separator).some((element) => subject.startsWith(element)) ? 1 : -1
}

function elements(subject: string, list: string, separator: string): string[] {
  if (subject === '' || separator.length !== 1) return []
  return list
    .split(separator)
    .map((element) => element.trim())
    .filter((element) => element !== '')
}

/** The group with this number of the first match; 0 is the whole match. Null if there is none. */
export function matchedGroup(pattern: Pattern, text: string, group: number): string | null {
  const places = pattern.match(text)
  const start = places?.[2 * group] ?? -1
  return places === null || start < 0 ? null : text.slice(start, places[2 * group + 1])
}
