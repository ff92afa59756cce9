import { once } from 'node:events'
import { statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { controlSocketName } from './control.ts'
import { AnswerLines, answerText, shownSafely } from './ctl-text.ts'

/** `viaduct ctl METHOD [params...]`: asks a router that runs, and shows its answer to people or as JSON. */
export interface CtlOptions {
  readonly socket?: string | undefined
  /** The data directory, in which the socket is if none is named. */
  readonly data: string
  readonly json?: boolean
}

/** The router refuses; there is none that could be asked, or its answer broke off. */
const refused = 1
const unreachable = 2

/** What is read before it is shown as a whole, with tables; longer answers are shown line by line as they come. */
const wholeCharactersMax = 1_048_576

const resultHead = '{"jsonrpc":"2.0","result":'
const tail = ',"id":1}\n'

/** Resolves with the exit code. */
export async function ctl(
  method: string | undefined,
  words: readonly string[],
  options: CtlOptions,
): Promise<number> {
  const path = options.socket ?? join(options.data, controlSocketName)
  try {
    const socket = await dial(path)
    const asked = method === undefined ? 'viaduct.methods' : methodOf(method)
    const request = { jsonrpc: '2.0', method: asked, params: paramsOf(words), id: 1 }
    socket.end(`${JSON.stringify(request)}\n`)
    if (method === undefined && options.json !== true) return await showMethods(socket)
    return await show(socket, options.json === true)
  } catch (error) {
    process.stderr.write(`${explained(error as NodeJS.ErrnoException, path)}\n`)
    return unreachable
  }
}

/** What operators ask for by one word: `viaduct ctl drain`, `viaduct ctl edges`. */
export function methodOf(word: string): string {
  return shortNames.get(word) ?? word
}

const shortNames: ReadonlyMap<string, string> = new Map([
  ['drain', 'edges.drain'],
  ['edges', 'edges.list'],
])

/** All `name=value`: by name; else in their order. `s:` and `i:` before a value are kamcmd's, and taken off. */
export function paramsOf(words: readonly string[]): string[] | Record<string, string> {
  const named = words.map((word) => /^([A-Za-z_]\w*)=(.*)$/s.exec(word))
  if (words.length > 0 && named.every((one) => one !== null)) {
    return Object.fromEntries(named.map(([, name = '', value = '']) => [name, plain(value)]))
  }
  return words.map(plain)
}

function plain(word: string): string {
  return /^[si]:/.test(word) ? word.slice(2) : word
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true })
    socket.setEncoding('utf8')
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })
}

async function show(socket: Socket, asJson: boolean): Promise<number> {
  let held = ''
  let lines: AnswerLines | null = null
  for await (const chunk of socket) {
    held += chunk as string
    if (lines === null) {
      if (held.length <= wholeCharactersMax || !held.startsWith(resultHead)) continue
      lines = new AnswerLines(asJson)
      held = held.slice(resultHead.length)
    }
    // The end of the answer is not part of the result, and may have come by halves.
    await print(lines.add(held.slice(0, -tail.length)))
    held = held.slice(-tail.length)
  }
  if (lines !== null) {
    if (held !== tail) throw new Error('the answer broke off')
    await print(lines.end())
    return 0
  }
  const response = parsed(held)
  if (response.error !== undefined) return complain(response.error)
  await print(asJson ? `${JSON.stringify(response.result)}\n` : answerText(response.result))
  return 0
}

interface Response {
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

function parsed(text: string): Response {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('the answer broke off')
  }
}

function complain({ code, message }: { code: number; message: string }): number {
  process.stderr.write(`error: ${code} - ${shownSafely(message)}\n`)
  return refused
}

async function print(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain')
}

interface ShownMethod {
  readonly name: string
  readonly doc: string
  readonly params: readonly { readonly name: string; readonly optional?: boolean; readonly doc: string }[]
}

/** Each method with its parameters, and under it what it does. */
async function showMethods(socket: Socket): Promise<number> {
  let text = ''
  for await (const chunk of socket) text += chunk as string
  const { result, error } = parsed(text)
  if (error !== undefined) return complain(error)
  const methods = (result as ShownMethod[]).map(({ name, doc, params }) => {
    const words = params.map((param) => (param.optional === true ? ` [${param.name}]` : ` ${param.name}`))
    return `${name}${words.join('')}\n    ${doc}\n`
  })
  await print(methods.join(''))
  return 0
}

function explained(error: NodeJS.ErrnoException, path: string): string {
  if (error.code === 'ENOENT') {
    return (
      `nothing is at ${path}: no router runs with this data directory (--data), or it runs with --memory and has no socket ` +
      'unless --control names one'
    )
  }
  if (error.code === 'ECONNREFUSED') return `nobody serves ${path} any more: the router that made it is gone`
  if (error.code === 'EACCES') return `you may not ask at ${path}: ${ownerOf(path)}`
  return `the router at ${path} could not be asked: ${error.message}`
}

function ownerOf(path: string): string {
  try {
    return `it belongs to the user with the number ${statSync(path).uid}`
  } catch {
    return 'its directory is closed to you'
  }
}
