import type { Names } from './emit-call.ts'
import { ExpressionEmitter } from './emit-expression.ts'
import { emitRoute } from './emit-statement.ts'
import { analyseFlow, type Flow } from './flow.ts'
import type { ResolvedAccess, ResolvedExpression, ResolvedRoute } from './resolved.ts'
import { CodeLines } from './source-map.ts'
import type { Tables } from './tables.ts'

/**
 * The program as JavaScript: the body of a function of (functions, variables, constants, host, operators) that
 * returns the routes as an array. One function per route; names:
 *
 *   f3 function, v3 variable, k3 constant, h3 hoisted object, t3 and l3 temporaries, c the context,
 *   $path a $var that one route alone uses, s[3] any other (slots.ts)
 */
export interface EmittedProgram {
  readonly code: string
  readonly sourceMap: string
  /** The map as a debugger needs it, since `new Function` puts lines above the code. */
  readonly evaluatedMap: string
  readonly flow: Flow
  /** How many places `context.vars` needs. */
  readonly placeCount: number
}

/** Lines that `new Function` puts above its body. */
const linesOfFunctionHead = 2

const operatorNames = [
  'failed',
  'toInt',
  'toText',
  'show',
  'transformed',
  'sum',
  'difference',
  'product',
  'divide',
  'remainder',
  'bitAnd',
  'bitOr',
  'bitXor',
  'shiftLeft',
  'shiftRight',
  'plus',
  'equal',
  'matches',
  'prepared',
  'intArgument',
  'flagArgument',
  'readNamed',
  'writeNamed',
  'readSlot',
  'writeSlot',
  'stopped',
  'ends',
  'kept',
  'leave',
  'caught',
  'enter',
  'left',
  'unknownRoute',
  'runaway',
  'step',
] as const

export function emitProgram(
  routes: readonly ResolvedRoute[],
  tables: Tables,
  outside: readonly ResolvedExpression[],
): EmittedProgram {
  const flow = analyseFlow(routes, tables.slotNames.length, outside)
  const functionNames = nameRoutes(routes)
  const names: Names = {
    tables,
    flow,
    routes,
    routeNamed: namedRoutes(routes, functionNames),
    variable: (reference) => `v${reference}`,
    hoisted: [],
  }
  const body = new CodeLines()
  for (const [index, route] of routes.entries()) {
    body.add('')
    emitRoute(names, body, route, functionNames[index] ?? '', flow.isAsync[index] === true)
  }
  const lines = new CodeLines()
  emitHead(lines, names)
  lines.append(body)
  lines.add('')
  lines.add(`return [${functionNames.join(', ')}]`)
  return {
    code: lines.code,
    sourceMap: lines.sourceMap(),
    evaluatedMap: lines.sourceMap(linesOfFunctionHead),
    flow,
    placeCount: flow.slots.localTo.lastIndexOf(-1) + 1,
  }
}

/**
 * A format or a variable that plugins get before the variables are linked: the code looks each variable up when it
 * runs. The body of a function of (variables, constants, host, operators).
 */
export function emitLateValue(
  value: { readonly format: ResolvedExpression } | { readonly access: ResolvedAccess },
  tables: Tables,
): string {
  const names: Names = {
    tables,
    flow: nothingKnown,
    routes: [],
    routeNamed: new Map(),
    variable: (reference) => `variables[${reference}]`,
    hoisted: [],
  }
  const emitter = new ExpressionEmitter(names, 'outside')
  const result = 'format' in value ? emitter.format(value.format) : emitter.access(value.access)
  const lines = new CodeLines()
  lines.add(`'use strict'`)
  lines.add(`const { ${operatorNames.join(', ')} } = operators`)
  for (const index of tables.constants.keys()) lines.add(`const k${index} = constants[${index}]`)
  for (const [index, code] of names.hoisted.entries()) lines.add(`const h${index} = ${code}`)
  lines.add(`return ${result}`)
  return lines.code
}

/** Outside of routes. */
const nothingKnown: Flow = {
  isAsync: [],
  isRecursive: [],
  slotKinds: [],
  slots: { localTo: [], isAssignedFirst: [] },
  dynamicIsAsync: false,
}

function emitHead(lines: CodeLines, { tables, hoisted, routeNamed }: Names): void {
  lines.add(`'use strict'`)
  lines.add('const {')
  lines.indented(() => {
    for (const name of operatorNames) lines.add(`${name},`)
  })
  lines.add('} = operators')
  lines.add('const loopsMax = host.whileLoopsMax > 0 ? host.whileLoopsMax : Infinity')
  for (const [index, { module, name }] of tables.functions.entries()) {
    lines.add(`const f${index} = functions[${index}] // ${module === '' ? 'core' : module} ${name}()`)
  }
  for (const [index, { name }] of tables.variables.entries()) {
    lines.add(`const v${index} = variables[${index}] // $${name}`)
  }
  for (const index of tables.constants.keys()) lines.add(`const k${index} = constants[${index}]`)
  for (const [index, code] of hoisted.entries()) lines.add(`const h${index} = ${code}`)
  const entries = [...routeNamed].map(([name, route]) => `[${JSON.stringify(name)}, ${route.functionName}]`)
  lines.add(`const named = new Map([${entries.join(', ')}])`)
}

/** `route_RELAY`, `failure_route_X`: readable in a stack trace, and each once. */
function nameRoutes(routes: readonly ResolvedRoute[]): string[] {
  const taken = new Set<string>()
  return routes.map(({ kind, name }) => {
    const kindName = kind.replaceAll('-', '_')
    const base =
      kind === 'request' && name !== ''
        ? `route_${plain(name)}`
        : `${kindName}_route${name === '' ? '' : `_${plain(name)}`}`
    let unique = base
    for (let count = 2; taken.has(unique); count++) unique = `${base}_${count}`
    taken.add(unique)
    return unique
  })
}

function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_')
}

function namedRoutes(
  routes: readonly ResolvedRoute[],
  functionNames: readonly string[],
): Map<string, { functionName: string; index: number }> {
  const named = new Map<string, { functionName: string; index: number }>()
  for (const [index, route] of routes.entries()) {
    if (route.kind !== 'request' || route.name === '') continue
    named.set(route.name, { functionName: functionNames[index] ?? '', index })
  }
  return named
}
