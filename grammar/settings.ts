import type { Constant, Item, ModParam, SocketBlock } from './ast.ts'
import { ArgumentProblem, type ModuleDeclaration, type ParamDeclaration } from './declarations.ts'
import type { LateValue } from './link.ts'
import { expandLoadTimeVariables } from './load-time-variables.ts'
import type { AliasStatement, CompileHost, CustomGlobal, ListenStatement, ModuleRequest } from './program.ts'
import type { Report } from './report.ts'
import { didYouMean, resolveAccess, resolveFormat, writtenText } from './resolve-variable.ts'
import { loadHint, type Resolver } from './resolver.ts'
import type { Span } from './source.ts'
import { suggest } from './suggest.ts'
import { findGlobal, paramOf } from './symbols.ts'

/** What stands outside of routes: globals, sockets, flags, module parameters. */

export interface ParameterSetting {
  readonly module: string
  readonly name: string
  /** What plugins get as it is, or what is compiled for them. */
  readonly value: string | number | LateValue
  readonly span: Span
}

/** Globals by their declared names. Where one is set twice the last one counts, as in Kamailio. */
export function resolveGlobals(
  items: readonly Item[],
  host: CompileHost,
  report: Report,
): ReadonlyMap<string, string | number> {
  const globals = new Map<string, string | number>()
  for (const item of items) {
    if (item.type !== 'global') continue
    const found = findGlobal(host.core, item.name)
    if (found === undefined) {
      const names = Object.entries(host.core.globals).flatMap(([name, { aliases }]) => [
        name,
        ...(aliases ?? []),
      ])
      const hint = didYouMean(suggest(item.name, names))
      report.error('script/unknown-global', `there is no parameter ${item.name}`, item.nameSpan, hint)
      continue
    }
    const { name, declaration } = found
    const problem = typeProblem(declaration.type, item.value)
    if (problem !== null) report.error('script/parameter-type', `${item.name} ${problem}`, item.value.span)
    if (declaration.ignored !== undefined) {
      report.note('script/ignored', `${item.name} has no effect: ${declaration.ignored}`, item.nameSpan)
    }
    globals.set(name, item.value.value)
  }
  return globals
}

export function resolveCustomGlobals(items: readonly Item[]): CustomGlobal[] {
  return items.flatMap((item) => {
    if (item.type !== 'custom-global') return []
    const { instance, name, value, description } = item
    const group = instance === null ? item.group : `${item.group}[${instance}]`
    return [{ group, name, value: value.value, description }]
  })
}

export function resolveListens(items: readonly Item[], report: Report): ListenStatement[] {
  return items.flatMap((item) => {
    if (item.type === 'socket') return listensOfBlock(item, report)
    if (item.type !== 'listen') return []
    const { type, ...listen } = item
    return [listen]
  })
}

export function resolveAliases(items: readonly Item[]): AliasStatement[] {
  return items.flatMap((item) => {
    if (item.type !== 'alias') return []
    const { type, ...alias } = item
    return [alias]
  })
}

/** Flags without a number get the lowest one that is free at that place. */
export function resolveFlags(items: readonly Item[], report: Report): ReadonlyMap<string, number> {
  const flags = new Map<string, number>()
  for (const item of items) {
    if (item.type !== 'flags') continue
    for (const { name, number, span } of item.flags) {
      const taken = new Set(flags.values())
      const free = Array.from({ length: 32 }, (_, bit) => bit).find((bit) => !taken.has(bit))
      const chosen = number ?? free
      if (chosen === undefined || chosen > 31) {
        report.error('script/bad-flag', 'a message has 32 flags, 0 to 31', span)
        continue
      }
      if (number !== null && taken.has(number) && flags.get(name) !== number) {
        report.warning('script/bad-flag', `flag ${number} has another name already`, span)
      }
      flags.set(name, chosen)
    }
  }
  return flags
}

/**
 * `modparam("a|b", "name", value)`: the first argument is a regular expression over the names of the modules that
 * were loaded above; each one it matches must have the parameter, of that type (measured).
 */
export function resolveParameters(
  items: readonly Item[],
  modules: readonly ModuleDeclaration[],
  requests: readonly ModuleRequest[],
  defines: ReadonlyMap<string, string>,
  resolver: Resolver,
): ParameterSetting[] {
  const settings: ParameterSetting[] = []
  const loaded: string[] = []
  for (const item of items) {
    if (item.type === 'loadmodule') {
      const request = requests.find(({ span }) => span === item.span)
      if (request !== undefined) loaded.push(request.name)
    }
    if (item.type !== 'modparam') continue
    const matched = matchModules(item, loaded, requests, resolver)
    for (const name of matched) {
      const module = modules.find((candidate) => candidate.name === name)
      if (module === undefined) continue
      const setting = resolveParameter(item, module, defines, resolver)
      if (setting !== null) settings.push(setting)
    }
  }
  return settings
}

function matchModules(
  item: ModParam,
  loaded: readonly string[],
  requests: readonly ModuleRequest[],
  resolver: Resolver,
): readonly string[] {
  const { report, host } = resolver
  const pattern = host.pattern(`^(${item.modules})$`, { ignoreCase: false })
  if (typeof pattern === 'string') {
    report.error('script/bad-pattern', `bad regular expression: ${pattern}`, item.modulesSpan)
    return []
  }
  const matched = loaded.filter((name) => pattern.test(name))
  if (matched.length > 0) return matched
  const later = requests.find(({ name }) => pattern.test(name))
  if (later !== undefined) {
    const message = `module ${later.name} is loaded below, in line ${later.span.line}`
    const hint = 'move the modparam below the loadmodule'
    report.error('script/modparam-before-loadmodule', message, item.modulesSpan, hint)
    return []
  }
  const known = resolver.known.filter(({ name }) => pattern.test(name)).map(({ name }) => name)
  const load = known.map((name) => `loadmodule "${name}.so"`).join(' or ')
  const hint =
    known.length > 0
      ? `load it above: ${load}`
      : didYouMean(suggest(item.modules, [...loaded, ...resolver.known.map(({ name }) => name)]))
  report.error(
    'script/module-not-loaded',
    `no loaded module is named ${item.modules}`,
    item.modulesSpan,
    hint,
  )
  return []
}

function resolveParameter(
  item: ModParam,
  module: ModuleDeclaration,
  defines: ReadonlyMap<string, string>,
  resolver: Resolver,
): ParameterSetting | null {
  if (module.ignored !== undefined) return null
  const { report } = resolver
  const declaration = paramOf(module, item.name)
  if (declaration === undefined) {
    const elsewhere = resolver.known.filter((other) => paramOf(other, item.name) !== undefined)
    const hint =
      didYouMean(suggest(item.name, Object.keys(module.params))) ??
      loadHint(
        elsewhere.map(({ name }) => name).filter((name) => resolver.symbols.module(name) === undefined),
      )
    const message = `module ${module.name} has no parameter ${item.name}`
    report.error('script/unknown-parameter', message, item.nameSpan, hint)
    return null
  }
  if (declaration.ignored !== undefined) {
    report.note('script/ignored', `${item.name} has no effect: ${declaration.ignored}`, item.nameSpan)
  }
  const constant = constantOf(item, defines, resolver)
  if (constant === null) return null
  const problem = typeProblem(declaration.type, constant)
  if (problem !== null) {
    const hint = typeof constant.value === 'number' ? `write "${constant.value}"` : unquoted(constant.value)
    report.error(
      'script/parameter-type',
      `${item.name} of module ${module.name} ${problem}`,
      constant.span,
      hint,
    )
    return null
  }
  const value = parameterValue(declaration, constant, resolver)
  return value === null ? null : { module: module.name, name: item.name, value, span: item.span }
}

function unquoted(text: string): string | undefined {
  return /^-?\d+$/.test(text) ? `write ${text} without quotes` : undefined
}

/** modparamx: the value is computed now, and is a string whatever it looks like (measured). */
function constantOf(
  item: ModParam,
  defines: ReadonlyMap<string, string>,
  { host, report }: Resolver,
): Constant | null {
  const { value } = item
  const text = 'kind' in value ? value.value : value.text
  if (!item.evaluated || typeof text === 'number') return 'kind' in value ? value : null
  const { text: expanded, unknown } = expandLoadTimeVariables(text, {
    environment: (name) => host.environment(name),
    define: (name) => defines.get(name) ?? null,
  })
  const late = unknown[0] ?? variableIn(expanded)
  if (late === undefined) return { kind: 'string', value: expanded, span: value.span }
  const message = `${late} has no value while the script is loaded`
  report.error('script/no-value-yet', message, value.span, '$def(NAME) and $env(NAME) have one')
  return null
}

/** A variable that is still in the text after those of load time were replaced. */
function variableIn(text: string): string | undefined {
  return /\$\(?[A-Za-z]\w*/.exec(text)?.[0]
}

function parameterValue(
  declaration: ParamDeclaration,
  { value, span }: Constant,
  resolver: Resolver,
): string | number | LateValue | null {
  try {
    declaration.check?.(value)
  } catch (error) {
    if (!(error instanceof ArgumentProblem)) throw error
    resolver.report.error('script/bad-parameter', error.message, span, error.hint)
    return null
  }
  if (declaration.type === 'format') {
    return { format: resolveFormat(resolver, writtenText(String(value), span)) }
  }
  if (declaration.type !== 'variable') return value
  if (value === '') return null
  const access = resolveAccess(resolver, writtenText(String(value), span), 'read')
  return access === null ? null : { access }
}

type ParameterType = ParamDeclaration['type'] | 'name'

/** Numbers are not strings and strings are not numbers, not even `"3"` (measured). */
function typeProblem(type: ParameterType, { kind }: Constant): string | null {
  if (type === 'int' && kind !== 'number') return 'takes a number, and this is a string'
  if (type !== 'int' && type !== 'either' && type !== 'name' && kind === 'number') {
    return 'takes a string, and this is a number'
  }
  return null
}

/** `socket = { bind = udp:1.2.3.4:5060-5062; advertise = 5.6.7.8:5060; name = "s" }`. */
function listensOfBlock(block: SocketBlock, report: Report): ListenStatement[] {
  const attribute = (name: string) => block.attributes.find((candidate) => candidate.name === name)
  const bind = attribute('bind')
  const address = bind === undefined ? null : parseSocketAddress(bind.value)
  if (address === null) {
    const message = 'a socket needs bind = [transport:]host[:port]'
    report.error('script/bad-socket', message, bind?.span ?? block.span)
    return []
  }
  const advertised = parseSocketAddress(attribute('advertise')?.value ?? '')
  const count = Math.max(1, address.lastPort - address.port + 1)
  return Array.from({ length: count }, (_, index) => ({
    transport: address.transport,
    host: address.host,
    port: address.port === 0 ? 0 : address.port + index,
    advertisedHost: advertised?.host ?? null,
    advertisedPort: advertised?.port ?? 0,
    name: attribute('name')?.value ?? null,
    span: block.span,
  }))
}

interface SocketAddress {
  readonly transport: string | null
  readonly host: string
  readonly port: number
  readonly lastPort: number
}

function parseSocketAddress(text: string): SocketAddress | null {
  const match = /^(?:([a-z]+):)?(\[[^\]]+\]|[^:[\]]+)(?::(\d+)(?:-(\d+))?)?$/i.exec(text.trim())
  const host = match?.[2]
  if (match === null || host === undefined) return null
  const port = Number(match[3] ?? 0)
  return {
    transport: match[1]?.toLowerCase() ?? null,
    host: host.replace(/^\[|\]$/g, ''),
    port,
    lastPort: Math.min(Number(match[4] ?? port), port + portsOfOneSocketMax - 1),
  }
}

/** A range of ports is a handful; a slip of the keyboard must not open thousands. */
const portsOfOneSocketMax = 64
