import type { PluginHost, ResponseContext, RouteContext, Target } from '../../src/plugin/index.ts'

/**
 * What tm's functions said about a message before its transaction exists: armed routes and timers. It becomes the
 * transaction's with t_newtran() or t_relay(); afterwards the functions write to the transaction itself.
 */
export interface TmNote {
  branchRoute: string | null
  replyRoute: string | null
  failureRoute: string | null
  branchFailureRoute: string | null
  /** Milliseconds, 0 for the setting. */
  finalResponse: number
  finalResponseInvite: number
  maxLifetime: number
  t1: number
  t2: number
  autoInvite100: boolean | null
  disable6xx: boolean
  disableFailover: boolean
  /** Serial forking: groups of targets of the same q that were not tried yet (t_load_contacts). */
  groups: Target[][] | null
}

/** Where the functions write: the transaction if there is one, else the note. */
export type Armed = ResponseContext | TmNote

const noteKey = 'tm'

export function noteOf(context: RouteContext): TmNote | null {
  return (context.scope.notes.get(noteKey) as TmNote | undefined) ?? null
}

export function makeNote(context: RouteContext): TmNote {
  const existing = noteOf(context)
  if (existing !== null) return existing
  const note: TmNote = {
    branchRoute: null,
    replyRoute: null,
    failureRoute: null,
    branchFailureRoute: null,
    finalResponse: 0,
    finalResponseInvite: 0,
    maxLifetime: 0,
    t1: 0,
    t2: 0,
    autoInvite100: null,
    disable6xx: false,
    disableFailover: false,
    groups: null,
  }
  context.scope.notes.set(noteKey, note)
  return note
}

export function armed(context: RouteContext): Armed {
  return context.transaction ?? makeNote(context)
}

/**
 * The transaction of the request, made if there is none. Null if it cannot be: an ACK, or the table is full (the
 * caller then got 503).
 */
export function ensureTransaction(context: RouteContext, host: PluginHost): ResponseContext | null {
  if (context.transaction !== null) return context.transaction
  const { message, flow } = context
  if (context.kind !== 'request' || message.method === 'ACK') return null
  const transaction = host.proxy.createContext(message, flow, context.scope)
  if (transaction === null) {
    host.log.warn(context.logFields(), 'no transaction: the table is full, or this request has one already')
    context.reply(503, 'Service Unavailable', { headers: 'Retry-After: 5\r\n' })
    return null
  }
  context.transaction = transaction
  transaction.forceRport = context.forceRport
  const note = noteOf(context)
  if (note !== null) handOver(note, transaction)
  return transaction
}

function handOver(note: TmNote, transaction: ResponseContext): void {
  transaction.branchRoute = note.branchRoute
  transaction.replyRoute = note.replyRoute
  transaction.failureRoute = note.failureRoute
  transaction.branchFailureRoute = note.branchFailureRoute
  transaction.finalResponse = note.finalResponse
  transaction.finalResponseInvite = note.finalResponseInvite
  transaction.maxLifetime = note.maxLifetime
  transaction.t1 = note.t1
  transaction.t2 = note.t2
  transaction.disable6xx = note.disable6xx
  transaction.disableFailover = note.disableFailover
  if (note.autoInvite100 !== null) transaction.autoInvite100 = note.autoInvite100
}
