import type { SocketTable } from '../transport/socket.ts'
import { type Binding, createBinding } from './binding.ts'
import type { FlowTable } from './flows.ts'
import type { Location } from './location.ts'

/**
 * Held bindings where several workers have them: each worker has all of them as objects, and tells the others what it
 * has changed. The clock of a flow is shared (flow-slots.ts) and need not be told. Of two workers that change one
 * binding in the same moment the later one counts.
 *
 * A worker that starts after the first one gets them from a worker that runs already, page by page.
 */
export interface Peers {
  readonly index: number
  readonly count: number
  readonly isFirst: boolean
  tell(topic: string, value: unknown): void
  tellOne(worker: number, topic: string, value: unknown): void
  onTold(topic: string, listen: (value: unknown, from: number) => void): void
  inCharge(name: string): number
}

/** What is told. A finite number stands for itself, null for Infinity. */
type Told =
  | { readonly kind: 'changed'; readonly table: string; readonly ruid: string; readonly binding: Copy | null }
  | { readonly kind: 'ask'; readonly page: number }
  | {
      readonly kind: 'page'
      readonly page: number
      readonly isLast: boolean
      readonly bindings: readonly [string, Copy][]
    }

interface Copy extends Omit<Binding, 'expiresAt' | 'flow'> {
  readonly expiresAt: number | null
  readonly flow: {
    readonly socketIndex: number
    readonly address: string
    readonly port: number
    readonly pinholeMilliseconds: number | null
    readonly slot: number
  } | null
}

export interface HeldPeersWorld {
  readonly peers: Peers
  readonly sockets: SocketTable
  readonly flows: FlowTable
  /** Whoever follows what happens in tables sets another one. */
  open: (table: string) => Location
  readonly tables: () => Iterable<Location>
  readonly now: () => number
}

const bindingsPerPage = 200

export class HeldPeers {
  readonly world: HeldPeersWorld
  readonly #topic: string
  /** What each asking worker has not got yet. */
  readonly #pages = new Map<number, IterableIterator<[string, Copy]>>()
  #joined: () => void = () => {}

  /** `kind`: tables that are filed differently know nothing of each other. */
  constructor(world: HeldPeersWorld, kind: string) {
    this.world = world
    this.#topic = `location ${kind}`
    world.peers.onTold(this.#topic, (value, from) => this.#told(value as Told, from))
  }

  /** Whose task it is to say that a held binding has expired, and to tell the store. */
  isInCharge(ruid: string): boolean {
    return this.world.peers.inCharge(ruid) === this.world.peers.index
  }

  changed(table: string, ruid: string, after: Binding | null): void {
    this.#tellAll({ kind: 'changed', table, ruid, binding: after === null ? null : copyOf(after) })
  }

  /** Gets what the others hold; fulfilled when all of it is here. */
  async join(): Promise<void> {
    const { peers } = this.world
    const joined = new Promise<void>((resolve) => {
      this.#joined = resolve
    })
    this.#tellOne(firstOther(peers.index), { kind: 'ask', page: 0 })
    await joined
  }

  #told(told: Told, from: number): void {
    if (told.kind === 'changed') this.#receive(told.table, told.ruid, told.binding)
    else if (told.kind === 'ask') this.#answer(from, told.page)
    else {
      for (const [table, copy] of told.bindings) this.#receive(table, copy.ruid, copy)
      if (told.isLast) this.#joined()
      else this.#tellOne(from, { kind: 'ask', page: told.page + 1 })
    }
  }

  #answer(to: number, page: number): void {
    const rest = page === 0 ? this.#all() : this.#pages.get(to)
    if (rest === undefined) return
    this.#pages.set(to, rest)
    const bindings: [string, Copy][] = []
    let isLast = false
    while (bindings.length < bindingsPerPage && !isLast) {
      const next = rest.next()
      if (next.done === true) isLast = true
      else bindings.push(next.value)
    }
    if (isLast) this.#pages.delete(to)
    this.#tellOne(to, { kind: 'page', page, isLast, bindings })
  }

  /** As they are now: what changes meanwhile is told as it changes. */
  *#all(): IterableIterator<[string, Copy]> {
    for (const location of this.world.tables()) {
      for (const binding of [...location.held()]) yield [location.name, copyOf(binding)]
    }
  }

  #receive(table: string, ruid: string, copy: Copy | null): void {
    const binding = copy === null ? null : this.#bindingOf(copy)
    if (copy === null || binding !== null) this.world.open(table).receive(ruid, binding)
  }

  /** Null if we do not have its socket. */
  #bindingOf(copy: Copy): Binding | null {
    const expiresAt = copy.expiresAt ?? Number.POSITIVE_INFINITY
    if (copy.flow === null) return createBinding({ ...copy, expiresAt, flow: null })
    const { sockets, flows, now } = this.world
    const { socketIndex, address, port, slot, pinholeMilliseconds } = copy.flow
    const socket = sockets.sockets[socketIndex]
    if (socket === undefined) return null
    const pinhole = pinholeMilliseconds ?? Number.POSITIVE_INFINITY
    const flow = flows.adopt({ socket, address, port }, slot, pinhole, now())
    return createBinding({ ...copy, expiresAt, flow })
  }

  #tellAll(told: Told): void {
    this.world.peers.tell(this.#topic, told)
  }

  #tellOne(worker: number, told: Told): void {
    this.world.peers.tellOne(worker, this.#topic, told)
  }
}

function copyOf(binding: Binding): Copy {
  const { flow, expiresAt } = binding
  return {
    ...binding,
    expiresAt: Number.isFinite(expiresAt) ? expiresAt : null,
    flow:
      flow === null
        ? null
        : {
            socketIndex: flow.flow.socket.index,
            address: flow.flow.address,
            port: flow.flow.port,
            pinholeMilliseconds: Number.isFinite(flow.pinholeMilliseconds) ? flow.pinholeMilliseconds : null,
            slot: flow.slot ?? -1,
          },
  }
}

/** One that has started before: the first, or the second if this is the first itself, in another's place. */
function firstOther(index: number): number {
  return index === 0 ? 1 : 0
}
