import type { CstNode } from 'chevrotain'
import type { AliasItem, Constant, FlagsItem, Item, Listen, ModParam, SocketBlock } from './ast.ts'
import { buildVariable } from './build-expressions.ts'
import { buildRoute } from './build-routes.ts'
import { type BuildContext, nodeOf, nodesOf, onlyChild, spanOf, textOf, tokenOf } from './cst.ts'
import { spanBetween } from './source.ts'
import { type ScriptToken, Transport } from './tokens.ts'

/** What stands outside of routes: settings, sockets, modules. An item that is incomplete is left out. */
export function buildItem(context: BuildContext, node: CstNode): readonly Item[] {
  const child = onlyChild(node)
  return child === undefined ? [] : (builders.get(child.name)?.(context, child) ?? [])
}

type Builder = (context: BuildContext, node: CstNode) => readonly Item[]

const builders: ReadonlyMap<string, Builder> = new Map<string, Builder>([
  ['routeBlock', (context, node) => present(buildRoute(context, node))],
  ['loadModule', buildLoadModule],
  ['loadPath', buildLoadPath],
  ['modParam', (context, node) => present(buildModParam(context, node))],
  ['flags', buildFlags],
  ['listen', buildListen],
  ['alias', buildAlias],
  ['socketBlock', buildSocketBlock],
  ['global', (context, node) => present(buildGlobal(context, node))],
])

function present<T>(item: T | null): readonly T[] {
  return item === null ? [] : [item]
}

// --- settings

function buildGlobal(context: BuildContext, node: CstNode): Item | null {
  const name = tokenOf(node, 'name')
  const constant = nodeOf(node, 'constant')
  const value = constant === undefined ? null : buildConstant(context, constant)
  if (name === undefined || value === null) return null
  const span = spanOf(context, node)
  const member = tokenOf(node, 'member')
  if (member === undefined) return { type: 'global', name: name.image, nameSpan: name.span, value, span }
  return {
    type: 'custom-global',
    group: name.image,
    instance: numberOf(tokenOf(node, 'instance')),
    name: member.image,
    value,
    description: String(tokenOf(node, 'description')?.value ?? ''),
    span,
  }
}

function numberOf(token: ScriptToken | undefined): number | null {
  return typeof token?.value === 'number' ? token.value : null
}

/** `5`, `-5`, `"text"`, or a word: `LOG_LOCAL0`, `tcp`, `sip.example.com`, `10.0.0.1`. */
function buildConstant(context: BuildContext, node: CstNode): Constant | null {
  const minus = tokenOf(node, 'Minus')
  const host = nodeOf(node, 'host')
  if (host === undefined) return null
  const text = tokenOf(host, 'String')
  const span = minus === undefined ? spanOf(context, host) : spanBetween(minus.span, spanOf(context, host))
  if (text !== undefined && minus === undefined) return { kind: 'string', value: String(text.value), span }
  const words = nodeOf(host, 'words')
  const isSingle = words !== undefined && tokenOf(words, 'AnyWord') === undefined
  const number = isSingle ? numberOf(tokenOf(words, 'PlainWord')) : null
  if (number !== null) return { kind: 'number', value: minus === undefined ? number : -number, span }
  const word = hostText(context, host)
  if (word === '') return null
  if (minus === undefined) return { kind: 'word', value: word, span }
  context.report.error('syntax/negative', 'only a number can be negative', span, 'remove the minus sign')
  return null
}

function buildFlags(context: BuildContext, node: CstNode): readonly FlagsItem[] {
  const flags = nodesOf(node, 'flag').flatMap((flag) => {
    const name = tokenOf(flag, 'name')
    if (name === undefined) return []
    return [
      { name: String(name.value), number: numberOf(tokenOf(flag, 'Number')), span: spanOf(context, flag) },
    ]
  })
  return [{ type: 'flags', flags, span: spanOf(context, node) }]
}

// --- sockets

function buildListen(context: BuildContext, node: CstNode): readonly Listen[] {
  return nodesOf(node, 'listenAddress').flatMap((address) => buildListenAddress(context, address))
}

function buildListenAddress(context: BuildContext, node: CstNode): readonly Listen[] {
  const advertised = nodeOf(node, 'advertised')
  const outside = advertised === undefined ? undefined : buildSocketAddress(context, advertised)[0]
  const name = tokenOf(node, 'name')
  const address = nodeOf(node, 'socketAddress')
  if (address === undefined) return []
  return buildSocketAddress(context, address).map((socket) => ({
    type: 'listen',
    ...socket,
    advertisedHost: outside?.host ?? null,
    advertisedPort: outside?.port ?? 0,
    name: name === undefined ? null : String(name.value),
    span: spanOf(context, node),
  }))
}

function buildAlias(context: BuildContext, node: CstNode): readonly AliasItem[] {
  return nodesOf(node, 'socketAddress').flatMap((address) =>
    buildSocketAddress(context, address).map((socket) => ({
      type: 'alias' as const,
      ...socket,
      span: spanOf(context, address),
    })),
  )
}

interface SocketAddress {
  readonly transport: string | null
  readonly host: string
  /** 0: not given. */
  readonly port: number
}

/** More than one for a multi-homed address in parentheses. */
function buildSocketAddress(context: BuildContext, node: CstNode): readonly SocketAddress[] {
  const transport = tokenOf(node, 'transport')
  if (transport !== undefined && transport.tokenType !== Transport)
    context.report.error(
      'syntax/transport',
      `there is no transport ${transport.image}`,
      transport.span,
      'udp, tcp, tls, sctp, ws or wss',
    )
  const port = numberOf(tokenOf(node, 'port')) ?? 0
  if (port > 65_535)
    context.report.error('syntax/port', 'there is no such port', spanOf(context, node), '1 to 65535')
  return nodesOf(node, 'host').map((host) => ({
    transport: transport === undefined ? null : transport.image.toLowerCase(),
    host: hostText(context, host),
    port,
  }))
}

/** IPv6 addresses without their brackets. */
function hostText(context: BuildContext, node: CstNode): string {
  return tokenOf(node, 'IpAddress')?.image ?? textOf(context, node)
}

function buildSocketBlock(context: BuildContext, node: CstNode): readonly SocketBlock[] {
  if (tokenOf(node, 'LCurly') === undefined) return []
  const attributes = nodesOf(node, 'socketAttribute').flatMap((attribute) => {
    const name = tokenOf(attribute, 'name')
    const address = nodeOf(attribute, 'socketAddress')
    if (name === undefined || address === undefined) return []
    const lastPort = tokenOf(attribute, 'lastPort')
    const value = textOf(context, address) + (lastPort === undefined ? '' : `-${lastPort.image}`)
    return [{ name: name.image, value, span: spanOf(context, attribute) }]
  })
  return [{ type: 'socket', attributes, span: spanOf(context, node) }]
}

// --- modules

function buildLoadModule(context: BuildContext, node: CstNode): readonly Item[] {
  const text = tokenOf(node, 'String')
  if (text === undefined) return []
  const evaluated = tokenOf(node, 'Keyword_loadmodulex') !== undefined
  return [{ type: 'loadmodule', text: String(text.value), evaluated, span: spanOf(context, node) }]
}

function buildLoadPath(context: BuildContext, node: CstNode): readonly Item[] {
  const text = tokenOf(node, 'String')
  if (text === undefined) return []
  const type = tokenOf(node, 'Keyword_cfgengine') === undefined ? 'loadpath' : 'cfgengine'
  return [{ type, text: String(text.value), span: spanOf(context, node) }]
}

function buildModParam(context: BuildContext, node: CstNode): ModParam | null {
  const modules = tokenOf(node, 'modules')
  const name = tokenOf(node, 'name')
  const evaluated = tokenOf(node, 'Keyword_modparamx') !== undefined
  const value = buildModParamValue(context, node, evaluated)
  if (modules === undefined || name === undefined || value === null) return null
  return {
    type: 'modparam',
    modules: String(modules.value),
    modulesSpan: modules.span,
    name: String(name.value),
    nameSpan: name.span,
    value,
    evaluated,
    span: spanOf(context, node),
  }
}

function buildModParamValue(
  context: BuildContext,
  node: CstNode,
  evaluated: boolean,
): ModParam['value'] | null {
  const variable = tokenOf(node, 'Variable')
  if (variable !== undefined && evaluated) return buildVariable(variable)
  if (variable !== undefined) {
    context.report.error(
      'syntax/modparam-value',
      'modparam takes a number or a string',
      variable.span,
      `put it in quotes if the parameter names a variable; modparamx takes the value of ${variable.value}`,
    )
    return null
  }
  const constant = nodeOf(node, 'constant')
  const value = constant === undefined ? null : buildConstant(context, constant)
  if (value?.kind !== 'word') return value
  context.report.error(
    'syntax/modparam-value',
    `${value.value} is neither a number nor a string`,
    value.span,
    /^\d/.test(String(value.value))
      ? 'a number is written without a unit, a string in quotes'
      : `a string needs quotes; or is #!define ${value.value} missing?`,
  )
  return null
}
