import {
  Exchange,
  type Metrics,
  type PluginHost,
  type ProxyCore,
  type SipMessage,
  type Workers,
} from '../../src/plugin/index.ts'

/**
 * Statistics under Kamailio's names (`$stat(rcv_requests)`, stats.get_statistics): the core's messages, tm's
 * transactions, sl's answers. What is not counted here has no value; every metric is there under its own name.
 * Where there are several workers: the sums over all of them, those of the others as they were a second ago.
 */
export interface Statistics {
  count(message: SipMessage): void
  /** Tells the other workers. */
  publish(): void
  value(name: string): number | null
  /** `all`, `core:`, or a name: group, name and value. */
  select(which: string): [group: string, name: string, value: number][]
  /** Counts of what select() gives begin at 0 again. */
  reset(which: string): void
}

type Rooms = {
  metrics: Metrics
  proxy: ProxyCore
  transactions: PluginHost['transactions']
  workers: Workers
}

const methods = [
  'invite',
  'cancel',
  'ack',
  'bye',
  'info',
  'register',
  'subscribe',
  'notify',
  'message',
  'options',
  'prack',
  'update',
  'refer',
  'publish',
]

/** How many there are now: nothing to begin again. */
const levels = new Set(['inuse_transactions'])

export function createStatistics({ metrics, proxy, transactions, workers }: Rooms): Statistics {
  let requests = 0
  let replies = 0
  const byMethod = new Map<string, number>(methods.map((method) => [method, 0]))
  const byClass = new Map<number, number>()

  const core = (): [string, number][] => [
    ['rcv_requests', requests],
    ['rcv_replies', replies],
    ...[...byMethod].map(([method, count]): [string, number] => [`rcv_requests_${method}`, count]),
    ...[1, 2, 3, 4, 5, 6].map((digit): [string, number] => [
      `rcv_replies_${digit}xx`,
      byClass.get(digit) ?? 0,
    ]),
  ]
  const tm = (): [string, number][] => {
    const { statistics } = proxy
    return [
      ['UAS_transactions', statistics.created],
      ['UAC_transactions', statistics.local],
      ['inuse_transactions', transactions.serverCount],
      ['received_replies', statistics.repliesReceived],
      ['relayed_replies', statistics.repliesSent],
      ['local_replies', statistics.repliesGenerated],
      ...[2, 3, 4, 5, 6].map((digit): [string, number] => [
        `${digit}xx_transactions`,
        statistics.finalByClass[digit] ?? 0,
      ]),
    ]
  }
  const sl = (): [string, number][] => {
    const { statelessReplies, statelessAcks } = proxy.statistics
    const sent = [...statelessReplies.values()].reduce((sum, count) => sum + count, 0)
    return [
      ['sent_replies', sent],
      ['received_ACKs', statelessAcks],
      ...[...statelessReplies].map(([code, count]): [string, number] => [`${code}_replies`, count]),
    ]
  }
  const own = (): [string, number][] =>
    metrics.samples().map(({ name, labels, value }) => {
      const values = Object.values(labels)
      return [values.length === 0 ? name : `${name}_${values.join('_')}`, value]
    })
  const exchange = new Exchange(workers, 'kex', () => ({ core: core(), tmx: tm(), sl: sl() }))
  /** What was counted before the last reset, by group and name. */
  const before = new Map<string, number>()
  const since = (group: string, counts: [string, number][]) =>
    counts.map(([name, count]): [string, number] => [
      name,
      Math.max(0, count - (before.get(`${group}.${name}`) ?? 0)),
    ])
  const counted: Readonly<Record<string, () => [string, number][]>> = {
    core: () => summed(core(), exchange, 'core'),
    tmx: () => summed(tm(), exchange, 'tmx'),
    sl: () => summed(sl(), exchange, 'sl'),
  }
  const groups: Readonly<Record<string, () => [string, number][]>> = {
    ...Object.fromEntries(
      Object.entries(counted).map(([group, counts]) => [group, () => since(group, counts())]),
    ),
    viaduct: own,
  }

  return {
    publish: () => exchange.publish(),
    count(message) {
      if (message.isRequest) {
        requests += 1
        const method = message.method.toLowerCase()
        const known = byMethod.get(method)
        if (known !== undefined) byMethod.set(method, known + 1)
      } else {
        replies += 1
        const digit = Math.floor(message.statusCode / 100)
        byClass.set(digit, (byClass.get(digit) ?? 0) + 1)
      }
    },
    reset(which) {
      for (const [group, counts] of Object.entries(counted)) {
        for (const [name, count] of counts()) {
          const isWanted = which === 'all' || which === name || which === `${group}:`
          if (isWanted && !levels.has(name)) before.set(`${group}.${name}`, count)
        }
      }
    },
    value(name) {
      for (const group of Object.values(groups)) {
        const found = group().find(([candidate]) => candidate === name)
        if (found) return found[1]
      }
      return null
    },
    select(which) {
      const all = Object.entries(groups).flatMap(([group, values]) =>
        values().map(([name, value]): [string, string, number] => [group, name, value]),
      )
      if (which === 'all') return all
      return which.endsWith(':')
        ? all.filter(([group]) => `${group}:` === which)
        : all.filter(([, name]) => name === which)
    },
  }
}

type Counts = Record<'core' | 'tmx' | 'sl', [string, number][]>

function summed(
  own: [string, number][],
  exchange: Exchange<Counts>,
  group: keyof Counts,
): [string, number][] {
  const sums = new Map(own)
  for (const counts of exchange.others()) {
    for (const [name, value] of counts[group]) sums.set(name, (sums.get(name) ?? 0) + value)
  }
  return [...sums]
}
