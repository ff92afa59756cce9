import type { MessagePort } from 'node:worker_threads'
import type { ListenRequest } from '../transport/socket.ts'
import type { RegionAccess } from './regions.ts'
import type { LinkMemory } from './shared-link.ts'

/** What a worker thread starts with. `settings` is what the command line adds: a value that can be copied. */
export interface ThreadStart<Settings> {
  readonly index: number
  readonly isReplacement: boolean
  readonly links: LinkMemory
  readonly regions: RegionAccess
  readonly control: MessagePort
  /** Commands of operators come here (control/tunnel.ts). */
  readonly commands: MessagePort
  /** One for the whole router: what a worker signs another recognizes. */
  readonly secret: string
  /** Milliseconds of the system's monotonic clock that are zero on the clock of all workers. */
  readonly clockOrigin: number
  readonly settings: Settings
}

/** The life of a thread: loaded, (bind) bound, (open) ready, (serve) it serves, (drain) drained, (close) it ends. */
export type ToThread =
  | { readonly kind: 'open' | 'serve' | 'close' }
  /** Another worker has died, or serves again. */
  | { readonly kind: 'lost' | 'regained'; readonly worker: number }
  /** Each thread binds the same sockets, SO_REUSEPORT. */
  | { readonly kind: 'bind'; readonly listen: readonly ListenRequest[] }
  | { readonly kind: 'drain'; readonly milliseconds: number }

export type FromThread =
  | { readonly kind: 'bound' | 'drained' }
  | { readonly kind: 'ready'; readonly description: ServerDescription }
  | ({ readonly kind: 'loaded' } & LoadedByThread)
  /** With the diagnostics of a script that was rejected. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly diagnostics: readonly unknown[] | null }

/** For the line that says what runs. */
export interface ServerDescription {
  readonly sockets: readonly string[]
  /** Which engine carries the datagrams. */
  readonly udp: string
  readonly modules: readonly string[]
  readonly store: string
}

/** What a thread found in the script: the sockets that it asks for, and the compiler's diagnostics. */
export interface LoadedByThread {
  readonly listen: readonly ListenRequest[]
  readonly diagnostics: readonly unknown[]
  /** Where modules want commands to be served. */
  readonly endpoints: readonly unknown[]
}

/** A thread failed because the script has errors. */
export class RejectedByThread extends Error {
  override readonly name = 'RejectedByThread'
  readonly diagnostics: readonly unknown[]

  constructor(message: string, diagnostics: readonly unknown[]) {
    super(message)
    this.diagnostics = diagnostics
  }
}
