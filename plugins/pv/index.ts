import { anyRoute, definePlugin } from '../../src/plugin/index.ts'
import { recordFunctions, recordImplementations } from './records.ts'
import { createSharedVariables, parseSharedVariable } from './shared-variables.ts'
import {
  branchFunctions,
  branchImplementations,
  branchPart,
  readBranch,
  writeBranch,
} from './static-branch.ts'

const value = { name: 'variable', type: 'value', doc: 'A pseudo-variable.' } as const

export default definePlugin({
  name: 'pv',
  summary:
    'Shared variables and functions on pseudo-variables; the variables themselves are the core’s (Kamailio: pv).',
  params: {
    shvset: {
      type: 'string',
      repeatable: true,
      check: (text) => void parseSharedVariable(String(text)),
      doc: 'First value of a shared variable: name=s:text or name=i:number.',
    },
    varset: {
      type: 'string',
      repeatable: true,
      ignored: '$var(x) begins as 0 for each message: assign it in request_route',
      doc: 'First value of a $var.',
    },
    avp_aliases: {
      type: 'string',
      ignored: 'an alias is a name like any other',
      doc: 'Further names of AVPs.',
    },
    shv_hash_size: {
      type: 'int',
      default: 64,
      ignored: 'tables grow by themselves',
      doc: 'Size of the table of $shv.',
    },
  },
  functions: {
    pv_isset: {
      in: anyRoute,
      args: [value],
      returns: { '1': 'it has a value', '-1': 'it is null' },
      doc: 'Has the variable a value?',
    },
    pv_unset: {
      in: anyRoute,
      args: [{ name: 'variable', type: 'variable', doc: 'A variable that can be assigned.' }],
      returns: { '1': 'done', '-1': 'it cannot be removed' },
      doc: 'Assigns $null.',
    },
    is_int: {
      in: anyRoute,
      args: [value],
      returns: { '1': 'it is a number', '-1': 'it is a text or null' },
      doc: 'Is the value a number, rather than a text of digits?',
    },
    typeof: {
      in: anyRoute,
      args: [value, { name: 'type', type: 'string', doc: 'int, str, null or xavp.' }],
      returns: { '1': 'it is of that type', '-1': 'it is not' },
      aliases: ['pv_typeof'],
      doc: 'Is the value of that type?',
    },
    not_empty: {
      in: anyRoute,
      args: [value],
      returns: { '1': 'it is a text that is not empty', '-1': 'it is not' },
      doc: 'Is the value a text that is not empty?',
    },
    pv_evalx: {
      in: anyRoute,
      args: [
        { name: 'variable', type: 'variable', doc: 'Where the text goes.' },
        { name: 'text', type: 'string', doc: 'A text with pseudo-variables.' },
      ],
      returns: { '1': 'done', '-1': 'the variable cannot hold it' },
      doc: 'Evaluates a text into a variable, once: what the values hold is not evaluated again.',
    },
    ...recordFunctions,
    ...branchFunctions,
  },
  variables: {
    shv: {
      type: 'value',
      inner: 'name',
      assignable: true,
      doc: 'A variable that all messages share; 0 until it is set, and again when it is set to null.',
    },
    shvinc: { type: 'int', inner: 'name', doc: 'Adds 1 to the shared variable and yields the sum.' },
    sbranch: {
      type: 'value',
      inner: 'name',
      assignable: true,
      prepare: branchPart,
      doc: 'A part of the branch that is being put together: uri, dst_uri, path, q, send_socket, flags, ruid.',
    },
  },
  rpc: {
    'pv.shvGet': {
      doc: 'One shared variable, or all of them.',
      params: [{ name: 'name', optional: true, doc: 'Its name.' }],
    },
    'pv.shvSet': {
      doc: 'Sets a shared variable.',
      params: [
        { name: 'name', doc: 'Its name.' },
        { name: 'type', doc: 'int or str.' },
        { name: 'value', doc: 'The value.' },
      ],
    },
  },
  setup(host, { shvset }) {
    const { sockets, workers } = host
    const shared = createSharedVariables(host)
    for (const text of workers.isFirst ? shvset : []) {
      const { name, value: first } = parseSharedVariable(text)
      shared.set(name, first)
    }
    return {
      functions: {
        pv_isset: (_context, given) => (given === null ? -1 : 1),
        pv_unset: (context, variable) => (variable.write(context, null) ? 1 : -1),
        is_int: (_context, given) => (typeof given === 'number' ? 1 : -1),
        typeof: (_context, given, type) => (typeName(given) === type ? 1 : -1),
        not_empty: (_context, given) => (typeof given === 'string' && given !== '' ? 1 : -1),
        pv_evalx: (context, variable, text) => (variable.write(context, text) ? 1 : -1),
        ...recordImplementations,
        ...branchImplementations,
      },
      variables: {
        shv: {
          read: (_context, name) => shared.get(String(name)),
          write: (_context, given, name) => shared.set(String(name), given),
        },
        shvinc: { read: (_context, name) => shared.increment(String(name)) },
        sbranch: {
          read: (context, part) => readBranch(context, String(part)),
          write: (context, given, part) => writeBranch(context, sockets, String(part), given),
        },
      },
      rpc: {
        'pv.shvGet': ([name]) => (name === undefined ? shared.all() : shared.describe(String(name))),
        'pv.shvSet': ([name, type, given]) => {
          shared.set(String(name), sharedValue(name, type, given))
          return 'Ok. Variable set to new value.'
        },
      },
    }
  },
})

function sharedValue(name: unknown, type: unknown, given: unknown): string | number {
  const missing =
    name === undefined ? 'varname' : type === undefined ? 'type' : given === undefined ? 'value' : null
  if (missing !== null) throw new Error(`Missing parameter ${missing} (Parameters: varname type value)`)
  if (type === 'str') return String(given)
  if (type !== 'int') throw new Error('Unknown parameter type (Types: int or str)')
  const number = Number(given)
  if (!Number.isSafeInteger(number)) throw new Error('The value is no integer')
  return number
}

function typeName(given: string | number | null): string {
  if (given === null) return 'null'
  if (typeof given === 'number') return 'int'
  return given.startsWith('<<xavp:') ? 'xavp' : 'str'
}
