import type { EdgeState, Edges } from '../edges/edges.ts'
import { parseUri } from '../sip/uri.ts'
import type { SharedDirectory } from './shared-location.ts'

/** Who lives, as one edge of a SharedDirectory sees it. */
export class SimulatedEdges implements Edges {
  readonly self: { readonly name: string; readonly uri: string }
  readonly #directory: SharedDirectory
  readonly #owners = new Map<string, SimulatedOwner>()
  readonly #listeners = new Set<() => void>()

  constructor(directory: SharedDirectory, self: { readonly name: string; readonly uri: string }) {
    this.#directory = directory
    this.self = self
  }

  get secret(): Buffer | null {
    return this.#directory.secret
  }

  owner(name: string): SimulatedOwner {
    const existing = this.#owners.get(name)
    if (existing !== undefined) return existing
    const created = new SimulatedOwner(this.#directory, name, name === this.self.name)
    this.#owners.set(name, created)
    return created
  }

  /** All that have ever been, also those that are dead, and this one. */
  all(): SimulatedOwner[] {
    return this.#directory.names().map((name) => this.owner(name))
  }

  /** Until its next heartbeat. */
  suspect(name: string): void {
    const owner = this.owner(name)
    if (!owner.isAlive) return
    owner.isSuspected = true
    this.changed()
    this.#directory.clock.schedule(this.#directory.heartbeatMs, () => {
      owner.isSuspected = false
      this.changed()
    })
  }

  isEdgeAddress(address: string, port: number): boolean {
    return this.all().some(({ uri }) => {
      const parsed = parseUri(uri)
      return parsed !== null && parsed.host === address && (parsed.port || 5060) === port
    })
  }

  drain(on: boolean): void {
    this.#directory.drain(this.self.name, on)
  }

  get isDraining(): boolean {
    return this.#directory.isDraining(this.self.name)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** @internal */
  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  async close(): Promise<void> {
    this.#listeners.clear()
    this.#directory.kill(this.self.name)
  }
}

export class SimulatedOwner implements EdgeState {
  readonly name: string
  readonly isSelf: boolean
  readonly #directory: SharedDirectory
  isSuspected = false

  constructor(directory: SharedDirectory, name: string, isSelf: boolean) {
    this.name = name
    this.isSelf = isSelf
    this.#directory = directory
  }

  get uri(): string {
    return this.#directory.uriOf(this.name)
  }

  get isDraining(): boolean {
    return this.#directory.isDraining(this.name)
  }

  get silentMs(): number {
    return this.#directory.isAlive(this.name) ? 0 : this.#directory.heartbeatMs * 3
  }

  get isAlive(): boolean {
    return !this.isSuspected && this.#directory.isAlive(this.name)
  }
}
