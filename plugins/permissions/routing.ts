import {
  ArgumentProblem,
  HeaderId,
  limits,
  type PluginHost,
  parseNameAddrs,
  parseUri,
  type RouteContext,
} from '../../src/plugin/index.ts'
import { isAllowed, type RuleFiles, readRules } from './rules.ts'

/** Which files there are, by the names that the script uses: each is read once. */
export class RuleFileTable {
  readonly #host: PluginHost
  readonly #suffixes: { readonly allow: string; readonly deny: string }
  readonly #files = new Map<string, RuleFiles | null>()

  constructor(host: PluginHost, suffixes: { readonly allow: string; readonly deny: string }) {
    this.#host = host
    this.#suffixes = suffixes
  }

  /** Both files, or one base name without the suffixes. Null if one of them cannot be understood: deny. */
  of(first: string, second: string | undefined): RuleFiles | null {
    const allow = second === undefined ? first + this.#suffixes.allow : first
    const deny = second === undefined ? first + this.#suffixes.deny : second
    const key = `${allow}\n${deny}`
    let files = this.#files.get(key)
    if (files === undefined) {
      files = this.#read(allow, deny)
      this.#files.set(key, files)
    }
    return files
  }

  #read(allow: string, deny: string): RuleFiles | null {
    try {
      return this.read(allow, deny)
    } catch (error) {
      this.#host.log.error({ err: error }, 'a file of permissions cannot be used: nothing is allowed')
      return null
    }
  }

  /** @throws ArgumentProblem */
  read(allow: string, deny: string): RuleFiles {
    return { allow: readRules(this.#host.resolvePath(allow)), deny: readRules(this.#host.resolvePath(deny)) }
  }
}

/** From as it stands, against the Request-URI and all branches without their parameters (measured on Kamailio 5.6.3). */
export function allowRouting(context: RouteContext, files: RuleFiles | null, allBranches: boolean): number {
  const from = context.message.from?.uri ?? ''
  if (files === null || from === '') return -1
  const targets = allBranches ? [context.target, ...context.branches] : [context.target]
  return targets.every(({ uri }) => isPlainAllowed(files, from, uri)) ? 1 : -1
}

/** To as it stands, against each Contact. `*` and no Contact at all are allowed: neither names a place. */
export function allowRegister({ message }: RouteContext, files: RuleFiles | null): number {
  const to = message.to?.uri ?? ''
  if (files === null || to === '') return -1
  for (let i = message.first(HeaderId.contact); i >= 0; i = message.next(i)) {
    const value = message.headerValue(i)
    if (value.trim() === '*') continue
    const contacts = parseNameAddrs(value, limits.contactsMax)
    if (contacts === null || !contacts.every(({ uri }) => isPlainAllowed(files, to, uri))) return -1
  }
  return 1
}

/** From against a URI of the script's choice, both as they stand. */
export function allowUri({ message }: RouteContext, files: RuleFiles | null, uri: string): number {
  const from = message.from?.uri ?? ''
  return files !== null && from !== '' && isAllowed(files, from, uri) ? 1 : -1
}

function isPlainAllowed(files: RuleFiles, left: string, right: string): boolean {
  const uri = parseUri(right)
  if (uri === null) return false
  return isAllowed(files, left, uri.user === null ? `sip:${uri.host}` : `sip:${uri.user}@${uri.host}`)
}

/** File names are constants of the script: what is kept is bounded by its length. */
export function checkFileName(text: string): string {
  if (text.trim() === '') throw new ArgumentProblem('a file name is missing')
  return text
}
