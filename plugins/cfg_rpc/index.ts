import { definePlugin, type PluginHost, RpcFault } from '../../src/plugin/index.ts'

const group = { name: 'group', doc: '`core`, or the group of a variable of the script.' } as const
const variable = { name: 'name', doc: 'Its name.' } as const
const value = { name: 'value', doc: 'The new value.' } as const

const setsInteger = {
  params: [group, variable, value],
  workers: 'every',
  doc: 'Sets a variable of the script, or core.debug, to a number. Other settings take another script and a restart.',
} as const
const setsText = {
  params: [group, variable, value],
  workers: 'every',
  doc: 'Sets a variable of the script to a text.',
} as const

export default definePlugin({
  name: 'cfg_rpc',
  summary: 'Shows the settings of the core and the variables of the script, and changes what can be changed.',
  rpc: {
    'cfg.list': { params: [{ ...group, optional: true }], doc: 'All there are, as `group: name`.' },
    'cfg.get': {
      params: [group, { ...variable, optional: true }],
      doc: 'The value of one, or all of a group by name.',
    },
    'cfg.help': { params: [group, variable], doc: 'What one is for.' },
    'cfg.seti': setsInteger,
    'cfg.set_now_int': setsInteger,
    'cfg.sets': setsText,
    'cfg.set_now_string': setsText,
    'cfg.set': { ...setsText, doc: 'Sets a variable to a number, if it is one, or else to a text.' },
  },
  setup(host) {
    const read = ([groupName, name]: readonly unknown[]) => {
      if (groupName === undefined) throw new Error('Failed to get the parameters')
      const settings = settingsOf(host, String(groupName))
      if (name === undefined && settings.size > 0) return Object.fromEntries(settings)
      const found = settings.get(String(name))
      if (found === undefined) throw new RpcFault(400, 'Failed to get the variable')
      return found
    }
    const seti = ([groupName, name, given]: readonly unknown[]) => {
      const number = Number(given)
      if (!Number.isSafeInteger(number)) throw new RpcFault(400, 'The value is no integer')
      return set(host, String(groupName), String(name), number)
    }
    const sets = ([groupName, name, given]: readonly unknown[]) =>
      set(host, String(groupName), String(name), String(given ?? ''))
    return {
      rpc: {
        'cfg.list': ([only]) =>
          groupsOf(host)
            .filter((name) => only === undefined || only === name)
            .flatMap((name) => [...settingsOf(host, name).keys()].map((key) => `${name}: ${key}`)),
        'cfg.get': read,
        'cfg.help': ([groupName, name]) => {
          const shown = read([groupName, name ?? ''])
          const doc = groupName === 'core' ? host.globals.get(String(name))?.doc : undefined
          return doc ?? `(parameter type is ${typeof shown === 'number' ? 'integer' : 'string'})`
        },
        'cfg.seti': seti,
        'cfg.set_now_int': seti,
        'cfg.sets': sets,
        'cfg.set_now_string': sets,
        'cfg.set': (params) => (Number.isSafeInteger(Number(params[2] ?? '-')) ? seti(params) : sets(params)),
      },
    }
  },
})

function groupsOf(host: PluginHost): string[] {
  return [...new Set(['core', ...[...host.customGlobals.keys()].map((key) => splitKey(key)[0])])]
}

function settingsOf(host: PluginHost, wanted: string): Map<string, string | number> {
  if (wanted === 'core') {
    const names = [...host.globals.keys()]
    return new Map(names.map((name) => [name, name === 'debug' ? host.debug.value : host.global(name)]))
  }
  const all = [...host.customGlobals].map(([key, found]) => [...splitKey(key), found] as const)
  return new Map(all.flatMap(([name, key, found]) => (name === wanted ? [[key, found] as const] : [])))
}

function set(host: PluginHost, groupName: string, name: string, wanted: string | number): object {
  const key = `${groupName}.${name}`
  const before = host.customGlobals.get(key)
  if (groupName === 'core' && name === 'debug' && Number.isSafeInteger(Number(wanted))) {
    host.debug.value = Number(wanted)
  } else if (before === undefined) {
    throw new RpcFault(400, 'Failed to set the variable')
  } else if (typeof before !== typeof wanted) {
    throw new RpcFault(400, `The variable is ${typeof before === 'number' ? 'a number' : 'a text'}`)
  } else host.customGlobals.set(key, wanted)
  return {}
}

/** `group.name`, or `group[1].name`. */
function splitKey(key: string): [group: string, name: string] {
  const at = key.lastIndexOf('.')
  return [key.slice(0, at), key.slice(at + 1)]
}
