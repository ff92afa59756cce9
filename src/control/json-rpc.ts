import { limits } from '../limits.ts'
import type { Sink } from './answer.ts'
import { CommandRefused, type Fault, invalidParams, invalidRequest, notJson } from './fault.ts'
import type { MethodDescription, Responder } from './methods.ts'

/**
 * JSON-RPC 2.0 over texts: one request, or a batch of them, and the text that answers it. Differs from the
 * specification where Kamailio's jsonrpcs does: what has no id is answered too, without one, and a method that does not
 * exist is 500. Parameters are plain values.
 */
export interface CommandRequest {
  /** Undefined: the answer has none. */
  readonly id: string | number | null | undefined
  readonly method: string
  readonly params: readonly unknown[] | ReadonlyMap<string, unknown>
  /** Kamailio's, for FIFOs: the file that the answer goes to. */
  readonly replyName: string | null
}

export type Parsed =
  | { readonly kind: 'request'; readonly request: CommandRequest }
  | { readonly kind: 'batch'; readonly requests: readonly Parsed[] }
  | { readonly kind: 'fault'; readonly id: CommandRequest['id']; readonly fault: Fault }

export function parseCommand(text: string): Parsed {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'fault', id: null, fault: notJson }
  }
  if (!Array.isArray(value)) return parseOne(value)
  if (value.length === 0 || value.length > limits.controlBatchMax) {
    return fault(null, invalidRequest(`a batch has 1 to ${limits.controlBatchMax} requests`))
  }
  return { kind: 'batch', requests: value.map(parseOne) }
}

function parseOne(value: unknown): Parsed {
  if (!isObject(value)) return fault(null, invalidRequest('it is no object'))
  const { id } = value
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number') {
    return fault(null, invalidRequest('id is no text, number or null'))
  }
  if (value['jsonrpc'] !== '2.0') return fault(id, invalidRequest('jsonrpc is not "2.0"'))
  const method = value['method']
  if (typeof method !== 'string' || method === '') return fault(id, invalidRequest('method is no name'))
  const params = paramsOf(value['params'])
  if (typeof params === 'string') return fault(id, invalidParams(params))
  const replyName = typeof value['reply_name'] === 'string' ? value['reply_name'] : null
  return { kind: 'request', request: { id, method, params, replyName } }
}

/** What is wrong with them, in words, or the parameters. */
function paramsOf(params: unknown): CommandRequest['params'] | string {
  if (params === undefined || params === null) return []
  if (!Array.isArray(params) && !isObject(params)) return 'neither an array nor an object'
  const values = Object.values(params)
  if (values.length > limits.controlParamsMax) return `more than ${limits.controlParamsMax}`
  if (values.some((value) => typeof value === 'object' && value !== null)) return 'plain values only'
  return Array.isArray(params) ? params : new Map(Object.entries(params))
}

/** Answers to the sink, a line at the end; rejects if the answer broke off, which then is no JSON. */
export async function answerCommand(parsed: Parsed, responder: Responder, sink: Sink): Promise<void> {
  let held = ''
  const collect: Sink = async (piece) => {
    held += piece
    if (held.length < limits.controlPieceCharacters) return
    const text = held
    held = ''
    await sink(text)
  }
  await answerAll(parsed, responder, collect)
  await sink(`${held}\n`)
}

async function answerAll(parsed: Parsed, responder: Responder, sink: Sink): Promise<void> {
  if (parsed.kind !== 'batch') return await answerOne(parsed, responder, sink)
  let separator = '['
  for (const one of parsed.requests) {
    await sink(separator)
    separator = ','
    await answerOne(one, responder, sink)
  }
  await sink(']')
}

async function answerOne(parsed: Parsed, responder: Responder, sink: Sink): Promise<void> {
  if (parsed.kind === 'batch') return
  if (parsed.kind === 'fault') {
    await sink(faultText(parsed.fault, parsed.id))
    return
  }
  const { id, method, params } = parsed.request
  let held = '{"jsonrpc":"2.0","result":'
  try {
    await responder.answer(method, positional(method, params, responder), async (piece) => {
      const text = held + piece
      held = ''
      await sink(text)
    })
  } catch (error) {
    if (!(error instanceof CommandRefused)) throw error
    await sink(faultText(error.fault, id))
    return
  }
  await sink(`${held}${idText(id)}}`)
}

/** By the names that the method declares; as Kamailio does it, in their order, if it declares none of them. */
function positional(
  method: string,
  params: CommandRequest['params'],
  responder: Responder,
): readonly unknown[] {
  if (!(params instanceof Map)) return params as readonly unknown[]
  const declared = namesOf(responder.method(method))
  const unknown = [...params.keys()].filter((name) => !declared.includes(name))
  if (unknown.length === params.size) return [...params.values()]
  if (unknown.length > 0) {
    const known = declared.join(', ')
    throw new CommandRefused(invalidParams(`there is no ${unknown.join(', ')}; there are ${known}`))
  }
  const values = declared.map((name) => params.get(name))
  return values.slice(0, values.findLastIndex((value) => value !== undefined) + 1)
}

function namesOf(method: MethodDescription | undefined): string[] {
  return (method?.params ?? []).map(({ name }) => name)
}

export function faultText(fault: Fault, id: CommandRequest['id']): string {
  const { code, message } = fault
  return `{"jsonrpc":"2.0","error":${JSON.stringify({ code, message })}${idText(id)}}`
}

function idText(id: CommandRequest['id']): string {
  return id === undefined ? '' : `,"id":${JSON.stringify(id)}`
}

function fault(id: CommandRequest['id'], what: Fault): Parsed {
  return { kind: 'fault', id, fault: what }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
