import {
  type AorRules,
  canonicalAor,
  canonicalName,
  definePlugin,
  flat,
  HeaderId,
  limits,
  type PluginHost,
  parseDecimal,
  type RouteContext,
  StoreTime,
} from '../../src/plugin/index.ts'
import type { RegistrarExports } from '../registrar/exports.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'
import { Delivery, type DrainOutcome } from './delivery.ts'
import { Moving } from './moving.ts'
import { provenBinding } from './outgoing.ts'
import { OutboxPeers } from './peers.ts'
import { bytesOf, type Entry, Outbox, type QueueBounds, type StoredMessage } from './queue.ts'
import { SharedDelivery } from './shared-delivery.ts'
import { SharedOutbox } from './shared-outbox.ts'

/** Milliseconds between two looks whether the date has been changed. */
const dateInterval = 10_000

export default definePlugin({
  name: 'outbox',
  summary:
    'Keeps a MESSAGE for a device that cannot be reached now, and delivers it into the next open pinhole.',
  uses: ['usrloc'],
  usesIfLoaded: ['registrar', 'learn'],
  params: {
    store: {
      type: 'string',
      default: '',
      doc:
        'Where edges share what waits: redis://host:6379/0. Messages are delivered by whichever edge the device speaks to; while ' +
        'Redis is away they wait in the store of the edge that took them.',
    },
    table: { type: 'string', default: 'location', doc: 'Location table of the recipients.' },
    max_messages: {
      type: 'int',
      default: limits.outboxMessagesPerAorMax,
      doc: 'Most messages for one recipient.',
    },
    max_bytes: {
      type: 'int',
      default: limits.outboxBytesPerAorMax,
      unit: 'octets',
      doc: 'Most octets for one recipient.',
    },
    max_total_bytes: {
      type: 'int',
      default: limits.outboxBytesMax,
      unit: 'octets',
      doc: 'Most octets in all.',
    },
    expires: {
      type: 'int',
      default: limits.outboxSecondsMax,
      unit: 's',
      doc: "How long a message waits; the sender's Expires (RFC 3428 §4) shortens it.",
    },
  },
  functions: {
    outbox_store: {
      in: ['request', 'failure'],
      args: [
        { name: 'uri', type: 'string', optional: true, doc: 'The recipient; the Request-URI by default.' },
      ],
      returns: {
        '1': 'kept; 202 leaves once it is durable (or Redis has it), 503 if the store refuses, 480 if another edge was faster and it is full',
        '-1': 'not a MESSAGE, or its Expires is 0',
        '-2': 'the recipient is unknown: no binding, not even a cold one',
        '-3': 'full: for this recipient, or in all. Answer 480',
      },
      doc: 'Keeps this MESSAGE for its recipient and answers 202 (Accepted).',
    },
    outbox_drain: {
      in: ['request', 'event', 'reply', 'core-reply', 'failure'],
      args: [
        {
          name: 'recipient',
          type: 'string',
          optional: true,
          doc: 'A URI, or a user as in "$learn(aor)"; the From user by default: whoever was just heard from.',
        },
      ],
      returns: {
        '1': 'delivery has begun',
        '2': 'nothing is waiting',
        '-1': 'no open and proven flow: everything stays',
      },
      doc: 'Delivers what waits, in order, one at a time. Without effect while the flow is unproven.',
    },
  },
  variables: {},
  events: {
    delivered: { doc: 'A message was answered 2xx.' },
    expired: { doc: 'A message waited too long and was dropped.' },
  },
  rpc: {
    'outbox.list': {
      doc: 'What waits.',
      params: [{ name: 'aor', optional: true, doc: 'One recipient only.' }],
    },
    'outbox.purge': { doc: 'Drops what waits.', params: [{ name: 'aor', doc: 'The recipient.' }] },
    'outbox.flush': {
      doc: 'Delivers now what can be.',
      params: [{ name: 'aor', optional: true, doc: 'One recipient only.' }],
    },
  },
  metrics: {
    viaduct_outbox_events_total: {
      doc: 'Messages stored, refused, delivered, failed, rejected, expired, purged, moved.',
    },
    viaduct_outbox_messages: { doc: 'Messages that wait.' },
    viaduct_outbox_bytes: { doc: 'Octets that wait.' },
    viaduct_outbox_unshared: {
      doc: 'Messages that wait here for Redis to come back, with the parameter store.',
    },
  },

  setup(host, params) {
    const usrloc = host.exportsOf<UsrlocExports>('usrloc')
    if (usrloc === undefined) throw new Error('outbox needs usrloc: loadmodule "usrloc.so"')
    const rules = host.exportsOf<RegistrarExports>('registrar')?.aorRules ?? usrloc.aorRules
    const location = () => usrloc.table(params.table)
    const bounds = {
      messagesPerAorMax: params.max_messages,
      bytesPerAorMax: params.max_bytes,
      bytesMax: params.max_total_bytes,
    }
    const shared = openShared(host, params.store, params.table, bounds)
    const peers = host.workers.count > 1 ? new OutboxPeers(host.workers) : null
    const table = host.openTable<StoredMessage>('outbox')
    const time = storeTime(host)
    const outbox = new Outbox(table, bounds, host.clock, host.log, peers, time.shift)
    const events = host.metrics.counter('viaduct_outbox_events_total', 'What became of messages.', ['event'])
    host.metrics.gauge(
      'viaduct_outbox_messages',
      'Messages that wait.',
      () => outbox.count + (shared?.count ?? 0),
      true,
    )
    host.metrics.gauge(
      'viaduct_outbox_bytes',
      'Octets that wait.',
      () => outbox.bytes + (shared?.bytes ?? 0),
      true,
    )
    host.metrics.gauge(
      'viaduct_outbox_unshared',
      'Messages that wait for Redis.',
      () => (shared === null ? 0 : outbox.count),
      true,
    )
    const became = (event: 'delivered' | 'rejected' | 'failed', aor: string, statusCode: number) => {
      events.add(1, event)
      host.log.debug({ aor, statusCode }, `outbox: ${event}`)
      if (event === 'delivered') runEvent(host, 'outbox:delivered')
    }
    const delivery = new Delivery(
      host,
      outbox,
      (event, { aor }, statusCode, callId) => {
        became(event, aor, statusCode)
        // Redis may have it too, if it did not answer when it was stored.
        if (event === 'delivered') void shared?.settle(aor, callId, 'delivered', 1)
      },
      peers,
    )
    const sharedDelivery = shared === null ? null : new SharedDelivery(host, shared, became)
    peers?.follow(outbox, (aor, table) => delivery.drain(aor, usrloc.table(table)))
    outbox.restore()
    host.every(dateInterval, () => time.check())
    host.every(1_000, () => {
      for (const { aor } of outbox.expire()) expired(aor)
    })
    const moving =
      shared === null
        ? null
        : new Moving(outbox, shared, delivery, peers, { clock: host.clock, log: host.log, events })
    if (shared !== null) {
      host.every(1_000, async () => {
        await shared.settleRest()
        for (const aor of await shared.sweep()) expired(aor)
        await moveAll()
      })
    }

    return {
      close() {
        time.check()
        shared?.close()
      },
      functions: {
        outbox_store(context, uri) {
          const tried = uri ? '' : triedInVain(context)
          const aor = tried || canonicalAor(uri || context.target.uri, rules)
          const message =
            aor === null
              ? null
              : messageOf(host, context, aor, { secondsMax: params.expires, shift: time.shift })
          if (aor === null || message === null) return -1
          if (tried === '' && location().of(aor).length === 0) {
            return refused(context, aor, 'the recipient is unknown', -2)
          }
          const hasRoom = shared?.isUp ? shared.hasRoomFor(message) : outbox.hasRoomFor(message)
          if (!hasRoom) return refused(context, aor, 'the outbox is full', -3)
          events.add(1, 'stored')
          context.explain(`outbox ${aor}`, `kept; ${waiting(aor) + 1} waiting`)
          context.replyLater(stored(host, message), 202, 'Accepted')
          return 1
        },
        outbox_drain(context, recipient) {
          const aor = recipientOf(recipient || (context.message.from?.uri ?? ''), rules)
          if (aor === null) return -1
          const outcome = drain(aor)
          if (outcome !== 'nothing') context.explain(`outbox ${aor}`, outcome)
          return outcome === 'draining' ? 1 : outcome === 'nothing' ? 2 : -1
        },
      },
      variables: {},
      rpc: {
        'outbox.list'([aor]) {
          const own = chosen(aor, outbox.aors()).flatMap((one) =>
            outbox.of(one).map((entry) => listed(entry)),
          )
          return shared === null ? own : listedAmong(shared, chosen(aor, shared.aors()), own)
        },
        'outbox.purge'([aor]) {
          const [one = ''] = chosen(aor ?? '', [])
          const entries = [...outbox.of(one)]
          for (const entry of entries) outbox.remove(entry)
          events.add(entries.length, 'purged')
          if (shared === null) return { purged: entries.length }
          return shared.purge(one).then((among) => {
            events.add(among, 'purged')
            return { purged: entries.length + among }
          })
        },
        'outbox.flush': ([aor]) => ({
          draining: [
            ...new Set([...chosen(aor, outbox.aors()), ...chosen(aor, shared?.aors() ?? [])]),
          ].filter((one) => drain(one) === 'draining').length,
        }),
      },
    }

    function refused(context: RouteContext, aor: string, why: string, rc: number): number {
      events.add(1, 'refused')
      context.explain(`outbox ${aor}: refused`, why)
      return rc
    }

    function chosen(aor: unknown, all: Iterable<string>): string[] {
      return aor === undefined ? [...all] : [canonicalName(String(aor), rules)]
    }

    function waiting(aor: string): number {
      return outbox.of(aor).length + (shared?.waiting(aor) ?? 0)
    }

    /** What lies here moves to the others as soon as Redis is back, and is delivered after what they have: it is newer. */
    function drain(aor: string): DrainOutcome {
      const isHere = outbox.of(aor).length > 0
      if (sharedDelivery === null || moving === null) return delivery.drain(aor, location())
      const among = sharedDelivery.drain(aor, location())
      if (!isHere) return among
      if (!shared?.isUp || moving.isStuck(aor) || delivery.isBusy(aor)) return delivery.drain(aor, location())
      void moveAll()
      return provenBinding(location(), aor, host.clock.now()) === null ? 'unreachable' : 'draining'
    }

    async function moveAll(): Promise<void> {
      for (const aor of (await moving?.move()) ?? []) sharedDelivery?.drain(aor, location())
    }

    /** Redis has it, or this edge's own store: null, or another answer than 202. */
    async function stored(
      host: PluginHost,
      message: StoredMessage,
    ): Promise<{ statusCode: number; reason: string } | null> {
      const kept =
        shared === null
          ? 'away'
          : await shared.put(message, message.expiresAt - time.shift - host.clock.now())
      if (kept === 'kept') return null
      if (kept === 'full' || (shared !== null && !outbox.hasRoomFor(message))) return full
      // It may be in Redis too: whoever gets it twice is told.
      return await storedHere(host, outbox.put(kept === 'unknown' ? { ...message, attempts: 1 } : message))
    }

    function expired(aor: string): void {
      events.add(1, 'expired')
      host.log.info({ aor }, 'a message waited too long in the outbox')
      runEvent(host, 'outbox:expired')
    }

    function listed(entry: Entry): Record<string, unknown> {
      const message = outbox.read(entry)
      return {
        AoR: entry.aor,
        From: message?.from ?? '',
        Bytes: entry.bytes,
        Attempts: message?.attempts ?? 0,
        Stored: message === undefined ? 0 : Math.round(message.storedAt / 1000),
        Expires: Math.ceil((entry.expiresAt - host.clock.now()) / 1000),
      }
    }
  },
})

/** The clock of what waits: it goes on through a restart, and a change of the date is remembered and left out. */
function storeTime(host: PluginHost): StoreTime {
  const meta = host.openTable<number>('outbox.meta')
  return new StoreTime(host.clock, meta.get('skew') ?? 0, (skew) => {
    meta
      .put('skew', skew)
      .catch((error) => host.log.info({ err: error }, 'the store refused what the date was'))
  })
}

/**
 * In a failure route: whom lookup() had found. The timeout that led here may have removed the binding (learn's
 * forget_on), and the Request-URI is the contact by now.
 */
function triedInVain(context: RouteContext): string {
  return context.kind === 'failure' ? context.target.aor : ''
}

/** Null for what cannot wait: other methods, and a MESSAGE that is only good now. */
function messageOf(
  host: PluginHost,
  context: RouteContext,
  aor: string,
  { secondsMax, shift }: { secondsMax: number; shift: number },
): StoredMessage | null {
  const { message } = context
  if (message.method !== 'MESSAGE') return null
  const index = message.first(HeaderId.expires)
  const asked = index < 0 ? secondsMax : parseDecimal(message.headerValue(index), 0xffffffff)
  const seconds = asked < 0 ? secondsMax : Math.min(asked, secondsMax)
  if (seconds === 0) return null
  return {
    aor: flat(aor),
    from: flat(message.value(HeaderId.from)),
    to: withoutTag(flat(message.value(HeaderId.to))),
    contentType: flat(message.value(HeaderId.contentType)),
    body: flat(message.body),
    storedAt: host.clock.wall(),
    expiresAt: Math.round(host.clock.now() + shift) + seconds * 1000,
    callId: `${host.random.hex(12)}@outbox`,
    attempts: 0,
  }
}

function withoutTag(to: string): string {
  return to.replace(/;\s*tag=[^;>]*$/i, '')
}

const full = { statusCode: 480, reason: 'Temporarily Unavailable' } as const

function openShared(host: PluginHost, url: string, name: string, bounds: QueueBounds): SharedOutbox | null {
  if (url === '') return null
  const { clock, log, random } = host
  return new SharedOutbox(host.openRedis(url), name, bounds, { clock, log, edge: random.hex(8) })
}

async function listedAmong(
  shared: SharedOutbox,
  aors: readonly string[],
  own: readonly Record<string, unknown>[],
): Promise<Record<string, unknown>[]> {
  const rows = [...own]
  for (const aor of aors) {
    for (const { message, leftMs } of await shared.list(aor)) {
      rows.push({
        AoR: aor,
        From: message.from,
        Bytes: bytesOf(message),
        Attempts: message.attempts,
        Stored: Math.round(message.storedAt / 1000),
        Expires: Math.ceil(leftMs / 1000),
      })
    }
  }
  return rows
}

async function storedHere(
  host: PluginHost,
  put: Promise<void>,
): Promise<{ statusCode: number; reason: string } | null> {
  try {
    await put
    return null
  } catch (error) {
    host.log.info({ err: error }, 'the store refused a message')
    return { statusCode: 503, reason: 'Service Unavailable' }
  }
}

function recipientOf(text: string, rules: AorRules): string | null {
  if (text === '') return null
  return /^(sips?|tel):/i.test(text) ? canonicalAor(text, rules) : canonicalName(text, rules)
}

function runEvent(host: PluginHost, name: string): void {
  if (!host.script.hasRoute('event', name)) return
  const done = host.script.runEvent(name, null, null)
  if (done instanceof Promise)
    done.catch((error) => host.log.error({ err: error }, `event_route[${name}] failed`))
}
