import {
  anyRoute,
  type FunctionDeclaration,
  type RecordStore,
  type RouteContext,
} from '../../src/plugin/index.ts'

/** Functions on $xavp, $xavi and $xavu: whole records at once. */
const done = { '1': 'done', '-1': 'there is no such record, or no room' } as const

const root = { name: 'record', type: 'string', doc: 'Name of the record.' } as const
const key = { name: 'key', type: 'string', doc: 'Name in the record.' } as const

function textSetter(store: string) {
  const value = { name: 'value', type: 'string', doc: 'The value.' } as const
  return { in: anyRoute, args: [root, key, value], returns: done, doc: setterDoc(store) } as const
}

function numberSetter(store: string) {
  const value = { name: 'value', type: 'int', doc: 'The value.' } as const
  return { in: anyRoute, args: [root, key, value], returns: done, doc: setterDoc(store) } as const
}

function setterDoc(store: string): string {
  return `Sets a value in the newest $${store} of that name, which is made if there is none.`
}

function remover(store: string) {
  return {
    in: anyRoute,
    args: [root],
    returns: done,
    doc: `Removes the newest $${store} of that name.`,
  } as const
}

function childRemover(store: string) {
  return {
    in: anyRoute,
    args: [root, key],
    returns: done,
    doc: `Removes a key of the newest $${store} of that name.`,
  } as const
}

function explode(store: string) {
  return {
    in: anyRoute,
    args: [{ name: 'params', type: 'string', doc: 'a=1;b=two;c' }, root],
    returns: done,
    doc: `Makes a $${store} of a list of parameters.`,
  } as const
}

function implode(store: string) {
  return {
    in: anyRoute,
    args: [root, { name: 'variable', type: 'variable', doc: 'Where the text goes.' }],
    returns: done,
    doc: `Writes the newest $${store} of that name as a list of parameters.`,
  } as const
}

function printer(store: string) {
  return {
    in: anyRoute,
    returns: { '1': 'done' },
    doc: `Explains, in the trace, which $${store} there are.`,
  } as const
}

export const recordFunctions = {
  xavp_child_sets: textSetter('xavp'),
  xavp_child_seti: numberSetter('xavp'),
  xavi_child_sets: textSetter('xavi'),
  xavi_child_seti: numberSetter('xavi'),
  xavu_child_sets: textSetter('xavu'),
  xavu_child_seti: numberSetter('xavu'),
  xavp_rm: remover('xavp'),
  xavi_rm: remover('xavi'),
  xavu_rm: remover('xavu'),
  xavp_child_rm: childRemover('xavp'),
  xavi_child_rm: childRemover('xavi'),
  xavu_child_rm: childRemover('xavu'),
  xavp_params_explode: explode('xavp'),
  xavu_params_explode: explode('xavu'),
  xavp_params_implode: implode('xavp'),
  xavu_params_implode: implode('xavu'),
  xavp_copy: {
    in: anyRoute,
    args: [
      root,
      { name: 'index', type: 'int', doc: 'Which one, 0 the newest.' },
      { name: 'new name', type: 'string', doc: 'Name of the copy.' },
      { name: 'new index', type: 'int', optional: true, doc: 'Copy into this record of that name.' },
    ],
    returns: done,
    aliases: ['xavp_copy_dst'],
    doc: 'Copies a record.',
  },
  xavp_slist_explode: {
    in: anyRoute,
    args: [
      { name: 'list', type: 'string', doc: 'a,b,c' },
      { name: 'separator', type: 'string', doc: 'One character.' },
      { name: 'mode', type: 'string', doc: 't: without surrounding blanks; "": as it is.' },
      root,
    ],
    returns: done,
    doc: 'Makes a record with the key v for each part of a list, the first part newest.',
  },
  pv_xavp_print: printer('xavp'),
  pv_xavi_print: printer('xavi'),
  pv_xavu_print: printer('xavu'),
} as const satisfies Record<string, FunctionDeclaration>

type Store = (context: RouteContext) => RecordStore

const xavps: Store = (context) => context.scope.xavps
const xavis: Store = (context) => context.scope.xavis
const xavus: Store = (context) => context.scope.xavus

export const recordImplementations = {
  xavp_child_sets: setIn<string>(xavps),
  xavp_child_seti: setIn<number>(xavps),
  xavi_child_sets: setIn<string>(xavis),
  xavi_child_seti: setIn<number>(xavis),
  xavu_child_sets: setIn<string>(xavus),
  xavu_child_seti: setIn<number>(xavus),
  xavp_rm: removeFrom(xavps),
  xavi_rm: removeFrom(xavis),
  xavu_rm: removeFrom(xavus),
  xavp_child_rm: removeKeyFrom(xavps),
  xavi_child_rm: removeKeyFrom(xavis),
  xavu_child_rm: removeKeyFrom(xavus),
  xavp_params_explode: explodeInto(xavps),
  xavu_params_explode: explodeInto(xavus),
  xavp_params_implode: implodeFrom(xavps),
  xavu_params_implode: implodeFrom(xavus),
  xavp_copy: copyRecord,
  xavp_slist_explode: explodeList,
  pv_xavp_print: explain('xavp'),
  pv_xavi_print: explain('xavi'),
  pv_xavu_print: explain('xavu'),
}

/** In the newest record, or in a new one. */
function setIn<T extends string | number>(store: Store) {
  return (context: RouteContext, name: string, child: string, value: T): number => {
    const records = store(context)
    const index = records.count(name) === 0 ? null : 0
    return records.set(name, index, child, value, index === null ? null : 0) ? 1 : -1
  }
}

/** 1 even if there was nothing to remove (measured on Kamailio 5.6.3). */
function removeFrom(store: Store) {
  return (context: RouteContext, name: string): number => {
    store(context).remove(name, 0, null)
    return 1
  }
}

function removeKeyFrom(store: Store) {
  return (context: RouteContext, name: string, child: string): number => {
    store(context).remove(name, 0, child)
    return 1
  }
}

function explodeInto(store: Store) {
  return (context: RouteContext, params: string, name: string): number => {
    const records = store(context)
    let index: number | null = null
    for (const [child, value] of splitParams(params)) {
      if (!records.set(name, index, child, value, index === null ? null : 0)) return -1
      index = 0
    }
    return index === null ? -1 : 1
  }
}

function splitParams(params: string): [string, string][] {
  return params
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=')
      if (equals < 0) return [part, '']
      return [part.slice(0, equals).trim(), unquoted(part.slice(equals + 1).trim())]
    })
}

function unquoted(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}

/** `a=1;b=two;c;` (measured on Kamailio 5.6.3). */
function implodeFrom(store: Store) {
  return (
    context: RouteContext,
    name: string,
    variable: { write(context: RouteContext, value: string): boolean },
  ): number => {
    const records = store(context)
    if (records.count(name) === 0) return -1
    const parts = records.keys(name, 0).map((child) => {
      const value = records.get(name, 0, child, 0)
      return value === null || value === '' ? `${child};` : `${child}=${value};`
    })
    return variable.write(context, parts.join('')) ? 1 : -1
  }
}

function copyRecord(
  context: RouteContext,
  from: string,
  index: number,
  to: string,
  toIndex?: number,
): number {
  const records = context.scope.xavps
  const keys = records.keys(from, index)
  if (keys.length === 0) return -1
  const values = keys.map((child) => [child, records.get(from, index, child, 0)] as const)
  let target: number | null = toIndex ?? null
  for (const [child, value] of values) {
    if (!records.set(to, target, child, value, target === null ? null : 0)) return -1
    target ??= 0
  }
  return 1
}

function explodeList(
  context: RouteContext,
  list: string,
  separator: string,
  mode: string,
  name: string,
): number {
  if (list === '' || separator === '') return -1
  const parts = list.split(separator.charAt(0)).toReversed()
  for (const part of parts) {
    if (!context.scope.xavps.set(name, null, 'v', mode.includes('t') ? part.trim() : part)) return -1
  }
  return 1
}

/** `name[0]: a=1;b=two` for each record. */
function explain(store: 'xavp' | 'xavi' | 'xavu') {
  const storeOf = { xavp: xavps, xavi: xavis, xavu: xavus }[store]
  return (context: RouteContext): number => {
    const records = storeOf(context)
    for (const name of records.roots()) {
      for (let index = 0; index < records.count(name); index++) {
        const values = records.keys(name, index).map((key) => `${key}=${records.get(name, index, key, 0)}`)
        context.explain(`$${store}(${name}[${index}])`, values.join(';'))
      }
    }
    return 1
  }
}
