import {
  type Binding,
  createTarget,
  ExpiryQueue,
  type Flow,
  isUnicast,
  type Location,
  type PageMark,
  type PluginHost,
  parseUri,
  type SipMessage,
  type Uri,
  uriParam,
} from '../../src/plugin/index.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'

/**
 * Keepalives to registered devices behind a NAT (natping_interval): four zero octets, or a SIP request where the
 * binding asks for one. Each binding is pinged once per interval, spread over it. What was learned is never
 * pinged: those devices are silent to save bandwidth, and an unproven address may be a victim's.
 */
export interface PingSettings {
  /** Milliseconds. */
  readonly interval: number
  readonly natedOnly: boolean
  readonly natBranchFlags: number
  /** Bits; 0 for none. */
  readonly sipBranchFlags: number
  readonly disableBranchFlags: number
  readonly method: string
  /** '' sends no SIP pings. */
  readonly from: string
  /** Milliseconds without an answer to SIP pings after which a binding goes; 0 for never. */
  readonly timeout: number
  /** Label of the socket to ping from; '' for that of the registration. */
  readonly socket: string
  /** Ping bindings with a Path with zeros too, at the Path's received address. */
  readonly fromPath: boolean
}

interface Pinged {
  readonly location: Location
  readonly ruid: string
  nextAt: number
  /** Address that the last SIP ping went to: only from there an answer counts. */
  address: string
  /** Monotonic milliseconds of the last answer, or of the first ping. */
  heardAt: number
}

/** Some milliseconds' work. */
const pagesAtOnce = 20

/** What the worker that pings a binding is told: its table and its name. */
const topic = 'nathelper.pinger'

const zeros = '\u0000\u0000\u0000\u0000'

export class Pinger {
  readonly #host: PluginHost
  readonly #settings: PingSettings
  readonly #byRuid = new Map<string, Pinged>()
  readonly #queue: ExpiryQueue<Pinged>
  readonly #unsubscribe: (() => void)[] = []
  readonly #unseen: { readonly location: Location; mark: PageMark | null }[] = []
  #counter = 0
  isEnabled = true

  constructor(host: PluginHost, usrloc: UsrlocExports, settings: PingSettings) {
    this.#host = host
    this.#settings = settings
    this.#queue = new ExpiryQueue(host.clock.now(), (pinged: Pinged) => pinged.nextAt)
    usrloc.onTable((location) => {
      for (const binding of location.held()) if (this.#isOurs(binding.ruid)) this.#follow(location, binding)
      this.#unseen.push({ location, mark: null })
      const stop = location.onChange(
        (cause, binding, _before, isElsewhere) => {
          if (cause === 'removed' || cause === 'expired') this.#forget(binding.ruid)
          else if (this.#isOurs(binding.ruid)) this.#follow(location, binding)
          else if (!isElsewhere && this.#isPingable(binding)) this.#tell(location, binding.ruid)
        },
        // What is refreshed is followed since it was bound, or it is not to be pinged.
        () => {},
      )
      this.#unsubscribe.push(stop)
    })
    host.workers.onTold(topic, (value) => {
      const [table, ruid] = value as [string, string]
      this.#note(usrloc.table(table), ruid)
    })
  }

  get count(): number {
    return this.#byRuid.size
  }

  close(): void {
    this.isEnabled = false
    for (const stop of this.#unsubscribe) stop()
  }

  /** Once a second. */
  run(): void {
    this.#look()
    const now = this.#host.clock.now()
    for (const pinged of this.#queue.due(now)) {
      const binding = pinged.location.byRuid(pinged.ruid)
      if (binding === undefined || !this.#isPingable(binding)) {
        this.#byRuid.delete(pinged.ruid)
        continue
      }
      pinged.nextAt = Math.max(now, pinged.nextAt) + this.#settings.interval
      this.#queue.add(pinged)
      if (!this.isEnabled) continue
      if (this.#isSilent(binding, pinged, now)) this.#drop(pinged, binding)
      else this.#ping(pinged, binding)
    }
  }

  /**
   * An answer to a SIP ping carries the binding's id in its From tag. It concerns nobody else; one from another
   * address than was pinged keeps nothing alive.
   */
  heard(message: SipMessage | null, flow: Flow): 'taken' | undefined {
    if (message === null || message.isRequest || message.method !== this.#settings.method) return undefined
    const match = /^(uloc-[0-9a-f-]+)-0-\d+$/.exec(message.fromTag)
    if (match?.[1] === undefined || message.vias().length > 1) return undefined
    const pinged = this.#byRuid.get(match[1])
    if (pinged?.address === flow.address) pinged.heardAt = this.#host.clock.now()
    return 'taken'
  }

  /** Bindings that were there before we listened: some pages of them at a time. */
  #look(): void {
    for (let pages = pagesAtOnce; pages > 0; pages--) {
      const [first] = this.#unseen
      if (first === undefined) return
      const { bindings, next } = first.location.tablePage(first.mark)
      for (const binding of bindings) if (this.#isOurs(binding.ruid)) this.#follow(first.location, binding)
      first.mark = next
      if (next === null) this.#unseen.shift()
    }
  }

  #follow(location: Location, binding: Binding): void {
    if (!this.#isPingable(binding)) {
      this.#forget(binding.ruid)
      return
    }
    this.#note(location, binding.ruid)
  }

  /** Where there are several workers each binding is pinged by one of them, whichever it registered with. */
  #isOurs(ruid: string): boolean {
    const { workers } = this.#host
    return workers.count === 1 || workers.inCharge(ruid) === workers.index
  }

  #tell(location: Location, ruid: string): void {
    const { workers } = this.#host
    workers.tellOne(workers.inCharge(ruid), topic, [location.name, ruid])
  }

  #note(location: Location, ruid: string): void {
    if (this.#byRuid.has(ruid)) return
    const now = this.#host.clock.now()
    const nextAt = now + 1_000 + this.#host.random.integer(this.#settings.interval)
    const pinged: Pinged = { location, ruid, nextAt, address: '', heardAt: now }
    this.#byRuid.set(ruid, pinged)
    this.#queue.add(pinged)
  }

  #forget(ruid: string): void {
    const pinged = this.#byRuid.get(ruid)
    if (pinged === undefined) return
    this.#byRuid.delete(ruid)
    this.#queue.remove(pinged)
  }

  #isPingable({ origin, branchFlags, socket }: Binding): boolean {
    const { natedOnly, natBranchFlags, disableBranchFlags } = this.#settings
    if (origin !== 'registered' && origin !== 'static') return false
    if ((branchFlags & disableBranchFlags) !== 0) return false
    if (socket !== '' && !socket.startsWith('udp:')) return false
    return !natedOnly || (branchFlags & natBranchFlags) !== 0
  }

  #wantsSip({ branchFlags }: Binding): boolean {
    return this.#settings.from !== '' && (branchFlags & this.#settings.sipBranchFlags) !== 0
  }

  #isSilent(binding: Binding, { heardAt }: Pinged, now: number): boolean {
    const { timeout } = this.#settings
    return timeout > 0 && this.#wantsSip(binding) && now - heardAt > timeout
  }

  #drop({ location }: Pinged, binding: Binding): void {
    this.#host.log.info(
      { aor: binding.aor, contact: binding.contact },
      'a binding that answers no pings was removed',
    )
    location.applyUnwatched([{ before: binding, after: null }])
  }

  #ping(pinged: Pinged, binding: Binding): void {
    const destination = this.#destinationOf(binding)
    if (destination === null) return
    const label = this.#settings.socket || binding.socket
    const socket =
      (label === '' ? null : this.#host.sockets.find(label)) ??
      this.#host.sockets.chooseFor(destination.host, 'udp', null)
    if (socket === null) return
    const port = destination.port === 0 ? 5060 : destination.port
    if (!this.#wantsSip(binding)) {
      this.#host.sendRaw(socket, zeros, destination.host, port)
      return
    }
    pinged.address = destination.host
    const target = createTarget(binding.contact)
    target.path = binding.path
    target.socket = socket
    target.flow = { socket, address: destination.host, port }
    target.ruid = binding.ruid
    this.#host.proxy.sendRequest({
      method: this.#settings.method,
      target,
      from: `${this.#settings.from};tag=${binding.ruid}-0-${this.#counter++}`,
      to: binding.contact,
      stateful: false,
    })
  }

  /** Where the REGISTER came from, else the contact; always a literal address: a ping waits for no name. */
  #destinationOf(binding: Binding): Uri | null {
    const hop = binding.path[0]
    if (hop !== undefined && !this.#wantsSip(binding) && !this.#settings.fromPath) return null
    const uri = parseUri(
      hop === undefined ? binding.received || binding.contact : receivedOf(hop) || binding.received,
    )
    if (uri === null || !isUnicast(uri.host)) return null
    const transport = uriParam(uri, 'transport')
    return transport === null || transport.toLowerCase() === 'udp' ? uri : null
  }
}

/** The hop's own address, or the `received` that the path module wrote into it. */
function receivedOf(hop: string): string {
  const uriText = /<([^>]*)>/.exec(hop)?.[1] ?? hop
  const uri = parseUri(uriText)
  if (uri === null) return ''
  const received = uriParam(uri, 'received')
  return received === null || received === '' ? uriText : received.replace(/%3a/gi, ':')
}
