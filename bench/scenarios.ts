import { fileURLToPath } from 'node:url'

/**
 * What is measured. Both servers run the same script (scripts/NAME.cfg), unmodified; the generator plays both ends:
 * who asks, and whom the server forwards to.
 */
export interface Scenario {
  readonly name: string
  readonly title: string
  /** Of scripts/, without `.cfg`. */
  readonly script: string
  readonly defines?: Readonly<Record<string, string>>
  /** What the generator plays: options of sipgen.c. */
  readonly load: readonly string[]
  readonly users: number
  /** The users are registered before anything is measured. */
  readonly registersFirst?: true
  /** A call is six messages: as many requests as others have would be five times the traffic. */
  readonly requestsPerRate: number
  /** Transactions that one request leaves behind in a server that keeps them; 0: it keeps none. */
  readonly transactions: 0 | 1 | 2
  readonly bars?: { readonly paced: Bar; readonly saturated: Bar }
}

/** CPU of Viaduct divided by CPU of Kamailio, at most. */
export interface Bar {
  readonly must: number
  readonly reach?: number
}

export const scriptsFolder = fileURLToPath(new URL('./scripts/', import.meta.url))

const message = ['-m', 'msg']
const fromBehindNat = ['-D', '1', '-N', '1']
const toServer = ['-m', 'opt', '-M', 'OPTIONS', '-D', '1', '-H', `${scriptsFolder}f.headers`]
const stateless = { users: 1_000, requestsPerRate: 1, transactions: 0 } as const
const stateful = { users: 1_000, requestsPerRate: 1, transactions: 1 } as const

const scenarios: readonly Scenario[] = [
  {
    ...stateless,
    name: 'a',
    title: 'stateless relay of MESSAGE: forward()',
    script: 'a',
    load: message,
    bars: { paced: { must: 0.75, reach: 0.5 }, saturated: { must: 0.75, reach: 0.55 } },
  },
  {
    ...stateful,
    name: 'b',
    title: "stateful relay of MESSAGE: t_relay() after the stock script's tests",
    script: 'b',
    load: message,
    bars: { paced: { must: 0.65, reach: 0.4 }, saturated: { must: 0.7, reach: 0.5 } },
  },
  {
    ...stateful,
    name: 'c',
    title: 'a whole call, record-routed: INVITE 180 200 ACK BYE 200',
    script: 'c',
    load: ['-m', 'call'],
    requestsPerRate: 0.2,
    transactions: 2,
    bars: { paced: { must: 0.75, reach: 0.5 }, saturated: { must: 0.75, reach: 0.55 } },
  },
  {
    ...stateless,
    name: 'd',
    title: 'REGISTER, 401, REGISTER with digest, 200',
    script: 'd',
    load: ['-m', 'auth'],
    users: 10_000,
    bars: { paced: { must: 0.8, reach: 0.6 }, saturated: { must: 0.8, reach: 0.6 } },
  },
  {
    ...stateful,
    name: 'e',
    title: 'MESSAGE from behind a NAT: NAT test, lookup(), t_relay()',
    script: 'e',
    load: [...message, ...fromBehindNat],
    registersFirst: true,
    bars: { paced: { must: 0.65, reach: 0.4 }, saturated: { must: 0.7, reach: 0.5 } },
  },
  {
    ...stateless,
    name: 'f',
    title: 'a script of sixty statements, then a stateless reply',
    script: 'f',
    load: toServer,
    bars: { paced: { must: 0.8, reach: 0.6 }, saturated: { must: 0.4, reach: 0.25 } },
  },
  {
    ...stateless,
    name: 'f0',
    title: 'the stateless reply alone',
    script: 'f',
    defines: { EMPTY: '' },
    load: toServer,
  },
  {
    ...stateless,
    name: 'w',
    title: 'f with its statements twenty times, for several workers',
    script: 'f',
    defines: { TIMES: '20' },
    load: toServer,
  },
]

/** The bars above are with wake-up moderation; without it, below saturation, nobody may be dearer than Kamailio. */
export const unmoderated: Bar = { must: 1 }

export function scenario(name: string): Scenario {
  const found = scenarios.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no scenario is called ${name}: ${scenarioNames.join(' ')}`)
  return found
}

export const scenarioNames: readonly string[] = scenarios.map(({ name }) => name)
