import { compiler } from '../../grammar/compile.ts'
import {
  ArgumentProblem,
  anyRoute,
  type CoreDeclarations,
  type ModuleDeclaration,
  type RouteKind,
  type RunContext,
  type Value,
  type VariableImplementation,
} from '../../grammar/declarations.ts'
import type { Diagnostic } from '../../grammar/diagnostics.ts'
import type {
  CompileHost,
  LinkedProgram,
  Pattern,
  Program,
  RunHost,
  ScriptFunction,
} from '../../grammar/program.ts'

/**
 * A tiny world for scripts: a handful of functions and variables with the names and answers that Kamailio's have for
 * one OPTIONS request from alice to bob, and some of its own. What scripts log with xlog() is kept.
 */
export interface WorldContext extends RunContext {
  readonly log: string[]
  readonly warnings: string[]
  readonly avps: Map<string, (string | number)[]>
  readonly headers: Map<string, string>
}

const module = (name: string, part: Partial<ModuleDeclaration>): ModuleDeclaration => ({
  name,
  summary: name,
  params: {},
  functions: {},
  variables: {},
  transformations: {},
  events: {},
  uses: [],
  ...part,
})

const rc = { '1': 'yes', '-1': 'no' }
const doc = ''

const xlogFunction = {
  in: anyRoute,
  args: [{ name: 'text', type: 'format' as const, doc }],
  returns: rc,
  doc,
}

export const modules: readonly ModuleDeclaration[] = [
  module('xlog', { functions: { xlog: xlogFunction, xdbg: xlogFunction } }),
  module('textops', {
    functions: {
      is_method: { in: anyRoute, args: [{ name: 'methods', type: 'string', doc }], returns: rc, doc },
      starts_with: {
        in: anyRoute,
        args: [
          { name: 'text', type: 'string', doc },
          { name: 'prefix', type: 'string', doc },
        ],
        returns: rc,
        doc,
      },
      search: { in: anyRoute, args: [{ name: 'pattern', type: 'regex', doc }], returns: rc, doc },
    },
  }),
  module('pv', {
    params: { varset: { type: 'string', repeatable: true, doc } },
    variables: {
      rm: { type: 'string', doc },
      fU: { type: 'string', doc },
      sp: { type: 'int', doc },
      ci: { type: 'string', doc },
      ru: { type: 'string', assignable: true, aliases: ['ruri'], doc },
      'err.class': { type: 'int', doc },
      fs: { type: 'string', assignable: true, doc },
      hdr: { type: 'string', inner: 'name', indexed: true, doc },
      avp: { type: 'value', inner: 'name', indexed: true, assignable: true, doc },
      cnt: { type: 'int', inner: 'variable', doc },
      sel: { type: 'value', inner: 'name', doc },
      even: {
        type: 'int',
        inner: 'name',
        assignable: true,
        prepare: (text) => {
          const number = Number(text)
          if (!Number.isInteger(number) || number % 2 !== 0)
            throw new ArgumentProblem(`${text} is odd`, 'try 2')
          return number
        },
        doc,
      },
    },
    transformations: {
      's.len': { apply: (text) => text.length, doc },
      's.toupper': { apply: (text) => text.toUpperCase(), doc },
      's.substr': {
        params: [
          { name: 'offset', type: 'int' },
          { name: 'length', type: 'int' },
        ],
        apply: (text, offset, length) =>
          Number(length) === 0
            ? text.slice(Number(offset))
            : text.slice(Number(offset), Number(offset) + Number(length)),
        doc,
      },
      's.select': {
        params: [
          { name: 'field', type: 'int' },
          { name: 'separator', type: 'string' },
        ],
        apply: (text, field, separator) => text.split(String(separator)).at(Number(field)) ?? '',
        doc,
      },
      's.nothing': { apply: () => null, ofNull: 'was null', doc },
    },
  }),
  module('tm', {
    params: {
      fr_timer: { type: 'int', default: 30000, doc },
      contact_avp: { type: 'variable', doc },
      note: { type: 'format', doc },
      any: { type: 'either', doc },
      old: { type: 'int', ignored: 'nothing here needs it', doc },
      picky: {
        type: 'int',
        check: (value) => {
          if (Number(value) < 0) throw new ArgumentProblem('must not be negative')
        },
        doc,
      },
    },
    functions: {
      t_on_failure: {
        in: ['request', 'failure', 'branch'],
        args: [{ name: 'route', type: 'route', route: 'failure', doc }],
        returns: rc,
        doc,
      },
      t_on_branch_failure: {
        in: ['request'],
        args: [{ name: 'route', type: 'route', route: 'event', doc }],
        returns: rc,
        doc,
      },
      t_drop_replies: { in: ['failure'], returns: rc, doc },
      t_relay: {
        in: ['request', 'failure'],
        args: [
          { name: 'host', type: 'string', optional: true, doc },
          { name: 'port', type: 'int', optional: true, doc },
        ],
        returns: rc,
        aliases: ['t_forward'],
        doc,
      },
    },
    events: { 'local-request': { doc }, 'branch-failure:*': { doc } },
  }),
  module('test', {
    functions: {
      /** Answers with what it is given. */
      rc: { in: anyRoute, args: [{ name: 'rc', type: 'int', doc }], returns: rc, doc },
      wait_rc: { in: anyRoute, args: [{ name: 'rc', type: 'int', doc }], returns: rc, waits: true, doc },
      /** As rc(), and as wait_rc() if pv's varset is set. */
      rc_if: {
        in: anyRoute,
        args: [{ name: 'rc', type: 'int', doc }],
        returns: rc,
        waits: { module: 'pv', param: 'varset' },
        doc,
      },
      throws: { in: anyRoute, returns: rc, doc },
      set: {
        in: anyRoute,
        args: [
          { name: 'variable', type: 'variable', doc },
          { name: 'value', type: 'value', doc },
        ],
        returns: rc,
        doc,
      },
      typed: { in: anyRoute, args: [{ name: 'value', type: 'value', doc }], returns: rc, doc },
      text: { in: anyRoute, args: [{ name: 'text', type: 'string', doc }], returns: rc, doc },
      raw: { in: anyRoute, args: [{ name: 'text', type: 'literal', doc }], returns: rc, doc },
      flag: { in: anyRoute, args: [{ name: 'flag', type: 'flag', doc }], returns: rc, doc },
      even: {
        in: anyRoute,
        args: [
          {
            name: 'number',
            type: 'string',
            prepare: (text) => {
              if (Number(text) % 2 !== 0) throw new ArgumentProblem(`${text} is odd`, 'try 2')
              return { even: Number(text) }
            },
            doc,
          },
        ],
        returns: rc,
        doc,
      },
      pair: {
        in: anyRoute,
        args: [
          { name: 'first', type: 'string', doc },
          { name: 'second', type: 'string', optional: true, doc },
        ],
        returns: rc,
        doc,
      },
    },
  }),
  module('needy', { uses: ['tm'] }),
  module('idle', { ignored: 'it serves nothing' }),
]

export const core: CoreDeclarations = {
  globals: {
    children: { type: 'int', default: 8, ignored: 'one process serves all', doc },
    debug: { type: 'int', doc },
    log_prefix: { type: 'string', doc },
    log_facility: { type: 'name', doc },
    listen_backlog: { type: 'int', aliases: ['backlog'], doc },
    max_while_loops: { type: 'int', default: 100, doc },
  },
  functions: {
    setflag: { in: anyRoute, args: [{ name: 'flag', type: 'flag', doc }], returns: rc, doc },
    force_rport: { in: ['request'], aliases: ['add_rport'], returns: rc, doc },
  },
  variables: {},
  transformations: {},
  events: { 'worker-one-init': { doc } },
}

/** What the functions do. */
const functions: Readonly<
  Record<string, (context: WorldContext, ...args: never[]) => number | Promise<number>>
> = {
  xlog: (context, text: (context: WorldContext) => string) => {
    context.log.push(text(context).replace(/\n$/, ''))
    return 1
  },
  xdbg: () => 1,
  is_method: (_, methods: string) => (methods.split('|').includes('OPTIONS') ? 1 : -1),
  starts_with: (_, text: string, prefix: string) => (text.startsWith(prefix) ? 1 : -2),
  search: (context, pattern: Pattern) =>
    pattern.test(context.headers.get('body') ?? 'hello world') ? 1 : -1,
  rc: (_, value: number) => value,
  wait_rc: (_, value: number) => (value === 7 ? value : Promise.resolve(value)),
  rc_if: (_, value: number) => (value === 7 ? Promise.resolve(value) : value),
  throws: () => {
    throw new Error('thrown')
  },
  set: (context, variable: { write(context: WorldContext, value: Value): boolean }, value: Value) =>
    variable.write(context, value) ? 1 : -1,
  typed: (context, value: Value) => {
    context.log.push(JSON.stringify(value))
    return 1
  },
  text: (context, text: string) => {
    context.log.push(JSON.stringify(text))
    return 1
  },
  raw: (context, text: string) => {
    context.log.push(JSON.stringify(text))
    return 1
  },
  flag: (context, flag: number) => {
    context.log.push(`flag ${flag}`)
    return 1
  },
  even: (context, prepared: { even: number }) => {
    context.log.push(`even ${prepared.even}`)
    return 1
  },
  pair: (context, first: string, second: string | undefined) => {
    context.log.push(`${first},${second}`)
    return 1
  },
  t_on_failure: (context, name: string) => {
    context.log.push(`armed ${name}`)
    return 1
  },
  t_on_branch_failure: () => 1,
  t_drop_replies: () => 1,
  t_relay: () => 1,
  setflag: () => 1,
  force_rport: () => 1,
}

const text = (read: (context: WorldContext) => Value): VariableImplementation<WorldContext> => ({ read })

/** What the variables hold. */
const variables: Readonly<Record<string, VariableImplementation<WorldContext>>> = {
  rm: text(() => 'OPTIONS'),
  fU: text(() => 'alice'),
  sp: text(() => 15561),
  ci: text(() => 'c1'),
  'err.class': text(() => 2),
  ru: {
    read: (context) => context.headers.get('ru') ?? 'sip:bob@127.0.0.1:15560',
    write: (context, value) => {
      context.headers.set('ru', String(value))
      return true
    },
  },
  fs: { read: () => null, write: () => false },
  hdr: { read: (context, inner) => context.headers.get(String(inner)) ?? null },
  avp: {
    read: (context, inner, index) => {
      const values = context.avps.get(String(inner)) ?? []
      if (index === 'all') return values.length === 0 ? null : values.join(', ')
      return values[index ?? 0] ?? null
    },
    write: (context, value, inner, index) => {
      const name = String(inner)
      const values = context.avps.get(name) ?? []
      if (value === null) values.shift()
      else if (index === 'all') values.splice(0, values.length, value)
      else values.unshift(value)
      context.avps.set(name, values)
      return true
    },
  },
  cnt: {
    read: (context, inner) =>
      (inner as { read(context: WorldContext): Value }).read(context) === null ? 0 : 1,
  },
  sel: { read: (_, inner) => (String(inner) === 'cfg_get.group.name' ? 'set' : null) },
  even: { read: (_, inner) => Number(inner) / 2, write: () => true },
}

/** POSIX syntax is the script room's; JavaScript's is near enough here. */
function pattern(source: string, ignoreCase: boolean): Pattern | string {
  try {
    const regexp = new RegExp(source, ignoreCase ? 'is' : 's')
    const note = source.includes('(a+)+') ? 'this pattern is slow' : null
    return { source, note, test: (subject) => regexp.test(subject), match: () => null }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export interface Compiled {
  readonly program: Program | null
  readonly diagnostics: readonly Diagnostic[]
}

/** Compiles one file, or several that include each other; `main.cfg` is the first. */
export function compile(files: string | Readonly<Record<string, string>>): Compiled {
  const all = typeof files === 'string' ? { 'main.cfg': files } : files
  const host: CompileHost = {
    readFile: (path) => all[path] ?? null,
    resolvePath: (_, path) => path,
    environment: (name) => (name === 'HOME' ? '/home' : null),
    defines: new Map(),
    compatibleVersion: { major: 5, minor: 6, patch: 3 },
    core,
    knownModules: () => modules,
    pattern: (source, { ignoreCase }) => pattern(source, ignoreCase),
  }
  const parsed = compiler.parseScript('main.cfg', host)
  const declarations = parsed.modules.map(
    (request) => modules.find((candidate) => candidate.name === request.name) ?? null,
  )
  return compiler.compileScript(parsed, declarations)
}

export function link(program: Program): LinkedProgram {
  const host: RunHost = {
    pattern: (context, source, ignoreCase) => {
      const compiled = pattern(source, ignoreCase)
      if (typeof compiled !== 'string') return compiled
      host.warn(context, `bad pattern ${source}`)
      return { source, note: null, test: () => false, match: () => null }
    },
    warn: (context, what) => (context as WorldContext).warnings.push(what),
    condition: (context, subject, operator, operand) => {
      const seen = `${subject} ${operator} ${operand}`
      ;(context as WorldContext).log.push(seen)
      return operand === 'myself' || operand === '10.0.0.0/8'
    },
    unknownRoute: (context, name) => (context as WorldContext).warnings.push(`no route ${name}`),
    whileLoopsMax: Number(program.globals.get('max_while_loops') ?? 100),
    routeDepthMax: 256,
    stepsMax: 100_000,
  }
  return program.link({
    functions: program.functions.map(({ name }) => functions[name] as unknown as ScriptFunction),
    variables: program.variables.map(({ name }) => variables[name] as unknown as VariableImplementation),
    host,
  })
}

export function newContext(program: Program): WorldContext {
  return {
    rc: 1,
    ended: 0,
    vars: new Array(program.variableSlots).fill(0),
    depth: 0,
    steps: 0,
    at: -1,
    log: [],
    warnings: [],
    avps: new Map(),
    headers: new Map(),
  }
}

/** Compiles a script that must be right. */
export function compileRight(script: string): Program {
  const { program, diagnostics } = compile(script)
  if (program !== null) return program
  throw new Error(diagnostics.map(({ code, message, span }) => `${span?.line} ${code} ${message}`).join('\n'))
}

export interface Run {
  readonly context: WorldContext
  readonly result: number
}

/** Runs one route of a script once; it must not wait. */
export function run(script: string, kind: RouteKind = 'request', name = ''): Run {
  const program = compileRight(script)
  const route = link(program).route(kind, name)
  if (route === undefined) throw new Error(`no route ${kind} ${name}`)
  const context = newContext(program)
  const result = route(context)
  if (typeof result !== 'number') throw new Error('the route waits')
  return { context, result }
}

export const preamble = modules
  .filter(({ name }) => name !== 'needy' && name !== 'idle')
  .map(({ name }) => `loadmodule "${name}.so"\n`)
  .join('')
