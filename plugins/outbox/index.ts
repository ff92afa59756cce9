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
import { Delivery } from './delivery.ts'
import { OutboxPeers } from './peers.ts'
import { type Entry, Outbox, type StoredMessage } from './queue.ts'

/** Milliseconds between two looks whether the date has been changed. */
const dateInterval = 10_000

export default definePlugin({
  name: 'outbox',
  summary:
    'Keeps a MESSAGE for a device that cannot be reached now, and delivers it into the next open pinhole.',
  uses: ['usrloc'],
  usesIfLoaded: ['registrar', 'learn'],
  params: {
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
        '1': 'kept; 202 leaves once it is durable, 503 if the store refuses',
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
      doc: 'Messages stored, refused, delivered, failed, rejected, expired, purged.',
    },
    viaduct_outbox_messages: { doc: 'Messages that wait.' },
    viaduct_outbox_bytes: { doc: 'Octets that wait.' },
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
    const peers = host.workers.count > 1 ? new OutboxPeers(host.workers) : null
    const table = host.openTable<StoredMessage>('outbox')
    const time = storeTime(host)
    const outbox = new Outbox(table, bounds, host.clock, host.log, peers, time.shift)
    const events = host.metrics.counter('viaduct_outbox_events_total', 'What became of messages.', ['event'])
    host.metrics.gauge('viaduct_outbox_messages', 'Messages that wait.', () => outbox.count, true)
    host.metrics.gauge('viaduct_outbox_bytes', 'Octets that wait.', () => outbox.bytes, true)
    const delivery = new Delivery(
      host,
      outbox,
      (event, entry, statusCode) => {
        events.add(1, event)
        host.log.debug({ aor: entry.aor, statusCode }, `outbox: ${event}`)
        if (event === 'delivered') runEvent(host, 'outbox:delivered')
      },
      peers,
    )
    peers?.follow(outbox, (aor, table) => delivery.drain(aor, usrloc.table(table)))
    outbox.restore()
    host.every(dateInterval, () => time.check())
    host.every(1_000, () => {
      for (const entry of outbox.expire()) {
        events.add(1, 'expired')
        host.log.info({ aor: entry.aor }, 'a message waited too long in the outbox')
        runEvent(host, 'outbox:expired')
      }
    })

    return {
      close: () => time.check(),
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
          if (!outbox.hasRoomFor(message)) return refused(context, aor, 'the outbox is full', -3)
          events.add(1, 'stored')
          context.explain(`outbox ${aor}`, `kept; ${outbox.of(aor).length + 1} waiting`)
          context.replyLater(stored(host, outbox.put(message)), 202, 'Accepted')
          return 1
        },
        outbox_drain(context, recipient) {
          const aor = recipientOf(recipient || (context.message.from?.uri ?? ''), rules)
          if (aor === null) return -1
          const outcome = delivery.drain(aor, location())
          if (outcome !== 'nothing') context.explain(`outbox ${aor}`, outcome)
          return outcome === 'draining' ? 1 : outcome === 'nothing' ? 2 : -1
        },
      },
      variables: {},
      rpc: {
        'outbox.list': ([aor]) => chosen(aor).flatMap((one) => outbox.of(one).map((entry) => listed(entry))),
        'outbox.purge'([aor]) {
          const entries = chosen(aor ?? '').flatMap((one) => [...outbox.of(one)])
          for (const entry of entries) outbox.remove(entry)
          events.add(entries.length, 'purged')
          return { purged: entries.length }
        },
        'outbox.flush': ([aor]) => ({
          draining: chosen(aor).filter((one) => delivery.drain(one, location()) === 'draining').length,
        }),
      },
    }

    function refused(context: RouteContext, aor: string, why: string, rc: number): number {
      events.add(1, 'refused')
      context.explain(`outbox ${aor}: refused`, why)
      return rc
    }

    function chosen(aor: unknown): string[] {
      return aor === undefined ? [...outbox.aors()] : [canonicalName(String(aor), rules)]
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

async function stored(
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
