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
  /** Each binds these, SO_REUSEPORT. */
  readonly listen: readonly ListenRequest[]
  /** One for the whole router: what a worker signs another recognizes. */
  readonly secret: string
  /** Milliseconds of the system's monotonic clock that are zero on the clock of all workers. */
  readonly clockOrigin: number
  readonly settings: Settings
}

/** The life of a thread: bound, (open) ready, (serve) it serves, (drain) drained, (close) it ends. */
export type ToThread =
  | { readonly kind: 'open' | 'serve' | 'close' | 'unsettle' }
  | { readonly kind: 'drain'; readonly milliseconds: number }

export type FromThread =
  | { readonly kind: 'bound' | 'drained' }
  | { readonly kind: 'ready'; readonly description: ServerDescription }
  | { readonly kind: 'failed'; readonly error: unknown }

/** For the line that says what runs. */
export interface ServerDescription {
  readonly sockets: readonly string[]
  /** Which engine carries the datagrams. */
  readonly udp: string
  readonly modules: readonly string[]
  readonly store: string
}
