import { anyRoute, type ParamDeclaration, type VariableDeclaration } from '../../grammar/declarations.ts'
import type { PluginDefinition, PluginInstance } from './plugin.ts'

/**
 * What TypeScript says at compile time about a plugin, said again when it is loaded: plugins run as they are, often
 * unchecked. Each problem is a sentence that names the member.
 */
export function declarationProblems(definition: unknown): string[] {
  if (typeof definition !== 'object' || definition === null) {
    return ['the declaration is not an object: definePlugin({ name, summary, ... })']
  }
  const problems: string[] = []
  const plugin = definition as Record<string, unknown>
  checkKeys('', plugin, definitionKeys, problems)
  checkName(plugin['name'], problems)
  requireText('', plugin, 'summary', problems)
  if (plugin['ignored'] !== undefined) requireText('', plugin, 'ignored', problems)
  if (plugin['setup'] !== undefined && typeof plugin['setup'] !== 'function') {
    problems.push('setup must be a function (host, params) => ({ functions, variables, ... })')
  }
  if (plugin['control'] !== undefined && typeof plugin['control'] !== 'function') {
    problems.push('control must be a function (params) => [{ kind, path, ... }]')
  }
  checkNames(plugin, 'uses', problems)
  checkNames(plugin, 'usesIfLoaded', problems)
  checkMembers(plugin, 'params', checkParam, problems)
  checkMembers(plugin, 'functions', checkFunction, problems)
  checkMembers(plugin, 'variables', checkVariable, problems)
  checkMembers(plugin, 'transformations', checkTransformation, problems)
  for (const part of ['events', 'rpc', 'metrics']) {
    checkMembers(plugin, part, (at, member, out) => requireText(at, member, 'doc', out), problems)
  }
  checkAliases(plugin, 'functions', problems)
  checkAliases(plugin, 'variables', problems)
  return problems
}

/** What setup returned against what was declared. */
export function instanceProblems(
  definition: PluginDefinition,
  instance: PluginInstance<unknown, unknown, unknown>,
): string[] {
  if (typeof instance !== 'object' || instance === null) {
    return ['setup must return an object: { functions, variables, rpc, exports, start, close }']
  }
  const problems: string[] = []
  checkKeys('setup returned ', instance as Record<string, unknown>, instanceKeys, problems)
  const functions = (instance.functions ?? {}) as Record<string, unknown>
  for (const name of Object.keys(definition.functions ?? {})) {
    if (typeof functions[name] !== 'function') {
      problems.push(`function ${name} is declared, but setup returned no implementation of it`)
    }
  }
  checkUndeclared('function', functions, definition.functions, problems)
  checkVariableImplementations(definition, instance, problems)
  const rpc = (instance.rpc ?? {}) as Record<string, unknown>
  checkUndeclared('rpc method', rpc, definition.rpc, problems)
  for (const name of Object.keys(definition.rpc ?? {})) {
    if (typeof rpc[name] !== 'function') problems.push(`rpc method ${name} is declared, but not implemented`)
  }
  return problems
}

type Member = Record<string, unknown>
type Check = (at: string, member: Member, problems: string[]) => void

const definitionKeys = [
  'name',
  'summary',
  'params',
  'functions',
  'variables',
  'transformations',
  'events',
  'rpc',
  'metrics',
  'control',
  'uses',
  'usesIfLoaded',
  'ignored',
  'setup',
]
const instanceKeys = ['functions', 'variables', 'rpc', 'exports', 'start', 'close']
const paramKeys = ['type', 'default', 'unit', 'repeatable', 'ignored', 'check', 'doc']
const functionKeys = ['in', 'args', 'returns', 'waits', 'aliases', 'doc']
const argumentKeys = ['name', 'type', 'optional', 'route', 'prepare', 'doc']
const variableKeys = [
  'aliases',
  'inner',
  'innerOptional',
  'prepare',
  'prepareHead',
  'indexed',
  'assignable',
  'type',
  'doc',
]
const transformationKeys = ['params', 'apply', 'doc']

const paramTypes = ['int', 'string', 'format', 'variable', 'either']
const argumentTypes = [
  'string',
  'literal',
  'int',
  'value',
  'regex',
  'route',
  'flag',
  'variable',
  'format',
  'name',
]
const variableTypes: readonly VariableDeclaration['type'][] = ['string', 'int', 'value']

function checkName(name: unknown, problems: string[]): void {
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    problems.push(`name ${show(name)} must be an identifier, as loadmodule and modparam say it without .so`)
  }
}

function checkNames(plugin: Member, key: string, problems: string[]): void {
  const names = plugin[key]
  if (names === undefined) return
  if (!Array.isArray(names) || names.some((name) => typeof name !== 'string')) {
    problems.push(`${key} must be an array of plugin names`)
  }
}

function checkMembers(plugin: Member, part: string, check: Check, problems: string[]): void {
  const members = plugin[part]
  if (members === undefined) return
  if (!isMember(members)) {
    problems.push(`${part} must be an object of declarations by name`)
    return
  }
  for (const [name, member] of Object.entries(members)) {
    if (isMember(member)) check(`${part}.${name}`, member, problems)
    else problems.push(`${part}.${name} must be an object, not ${show(member)}`)
  }
}

function checkParam(at: string, member: Member, problems: string[]): void {
  checkKeys(`${at}: `, member, paramKeys, problems)
  requireText(at, member, 'doc', problems)
  if (!requireOneOf(at, member, 'type', paramTypes, problems)) return
  const type = member['type'] as ParamDeclaration['type']
  const fallback = member['default']
  if (fallback === undefined) return
  const wanted = type === 'int' ? 'number' : type === 'either' ? typeof fallback : 'string'
  const isValue = typeof fallback === 'string' || typeof fallback === 'number'
  if (!isValue || typeof fallback !== wanted) {
    problems.push(`${at}: default ${show(fallback)} is not of type ${type}`)
  }
}

function checkFunction(at: string, member: Member, problems: string[]): void {
  checkKeys(`${at}: `, member, functionKeys, problems)
  requireText(at, member, 'doc', problems)
  if (!isMember(member['returns'])) problems.push(`${at}: returns must say each return code's meaning`)
  const kinds = member['in']
  if (!Array.isArray(kinds) || kinds.length === 0) {
    problems.push(`${at}: in must list the kinds of route it may stand in: ${anyRoute.join(', ')}`)
  } else {
    for (const kind of kinds) {
      if (!(anyRoute as readonly unknown[]).includes(kind)) {
        problems.push(`${at}: in: there is no kind of route ${show(kind)}; there are ${anyRoute.join(', ')}`)
      }
    }
  }
  checkWaits(at, member['waits'], problems)
  checkArguments(at, member['args'], problems)
}

function checkWaits(at: string, waits: unknown, problems: string[]): void {
  if (waits === undefined || typeof waits === 'boolean') return
  const names = isMember(waits) ? [waits['module'], waits['param']] : []
  if (names.length === 0 || names.some((name) => typeof name !== 'string')) {
    problems.push(`${at}: waits must be true, or { module, param }: if that parameter is set`)
  }
}

function checkArguments(at: string, args: unknown, problems: string[]): void {
  if (args === undefined) return
  if (!Array.isArray(args)) {
    problems.push(`${at}: args must be an array of { name, type, doc }`)
    return
  }
  let optional: string | null = null
  for (const [index, argument] of args.entries()) {
    const place = `${at}: argument ${index + 1}`
    if (!isMember(argument)) {
      problems.push(`${place} must be an object { name, type, doc }`)
      continue
    }
    checkKeys(`${place}: `, argument, argumentKeys, problems)
    requireText(place, argument, 'name', problems)
    requireText(place, argument, 'doc', problems)
    requireOneOf(place, argument, 'type', argumentTypes, problems)
    if (argument['optional'] === true) optional = String(argument['name'])
    else if (optional !== null) {
      problems.push(`${place} is required, but ${optional} before it is optional`)
    }
  }
}

function checkVariable(at: string, member: Member, problems: string[]): void {
  checkKeys(`${at}: `, member, variableKeys, problems)
  requireText(at, member, 'doc', problems)
  requireOneOf(at, member, 'type', variableTypes, problems)
  if (member['inner'] !== undefined) requireOneOf(at, member, 'inner', ['none', 'name', 'variable'], problems)
}

function checkTransformation(at: string, member: Member, problems: string[]): void {
  checkKeys(`${at}: `, member, transformationKeys, problems)
  requireText(at, member, 'doc', problems)
  if (typeof member['apply'] !== 'function') problems.push(`${at}: apply must be a function`)
  if (!at.slice('transformations.'.length).includes('.')) {
    problems.push(`${at}: the name of a transformation is class.name, such as s.len`)
  }
}

function checkAliases(plugin: Member, part: string, problems: string[]): void {
  const members = plugin[part]
  if (!isMember(members)) return
  const owners = new Map<string, string>(Object.keys(members).map((name) => [name, name]))
  for (const [name, member] of Object.entries(members)) {
    const aliases = isMember(member) ? member['aliases'] : undefined
    if (aliases === undefined) continue
    if (!Array.isArray(aliases)) {
      problems.push(`${part}.${name}: aliases must be an array of names`)
      continue
    }
    for (const alias of aliases) {
      const owner = owners.get(String(alias))
      if (owner !== undefined) problems.push(`${part}.${name}: alias ${alias} is ${owner}'s already`)
      owners.set(String(alias), name)
    }
  }
}

function checkVariableImplementations(
  definition: PluginDefinition,
  instance: PluginInstance<unknown, unknown, unknown>,
  problems: string[],
): void {
  const variables = (instance.variables ?? {}) as Record<string, unknown>
  for (const [name, declaration] of Object.entries(definition.variables ?? {})) {
    const implementation = variables[name]
    if (!isMember(implementation) || typeof implementation['read'] !== 'function') {
      problems.push(`variable ${name} is declared, but setup returned no read function for it`)
    } else if (declaration.assignable === true && typeof implementation['write'] !== 'function') {
      problems.push(`variable ${name} is declared assignable, but setup returned no write function for it`)
    }
  }
  checkUndeclared('variable', variables, definition.variables, problems)
}

function checkUndeclared(
  what: string,
  implemented: Record<string, unknown>,
  declared: object | undefined,
  problems: string[],
): void {
  for (const name of Object.keys(implemented)) {
    if (!declared || !Object.hasOwn(declared, name)) {
      problems.push(`setup returned ${what} ${name}, which is not declared`)
    }
  }
}

function checkKeys(at: string, member: Member, known: readonly string[], problems: string[]): void {
  for (const key of Object.keys(member)) {
    if (!known.includes(key)) problems.push(`${at}there is no member ${key}; there are ${known.join(', ')}`)
  }
}

function requireText(at: string, member: Member, key: string, problems: string[]): void {
  const value = member[key]
  if (typeof value === 'string' && value !== '') return
  problems.push(`${at === '' ? '' : `${at}: `}${key} must be a text that is not empty`)
}

function requireOneOf(
  at: string,
  member: Member,
  key: string,
  values: readonly string[],
  problems: string[],
): boolean {
  if (values.includes(String(member[key]))) return true
  problems.push(`${at}: ${key} ${show(member[key])} must be one of ${values.join(', ')}`)
  return false
}

function isMember(value: unknown): value is Member {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value)
}
