import { resolve } from 'node:path'
import { ScriptRejected, type Server } from '../server.ts'
import { memoryStore } from '../store/memory.ts'
import type { Store } from '../store/table.ts'
import type { ListenRequest } from '../transport/socket.ts'
import { Agent } from './agent.ts'
import { type SimulatedClock, simulatedClock } from './clock.ts'
import { ladderText, sideBySide } from './ladder-text.ts'
import { type CollectingLog, collectingLog } from './log.ts'
import type { Endpoint, NatBox, NatOptions } from './nat.ts'
import { type CapturedDatagram, type SimulatedNetwork, simulatedNetwork } from './network.ts'
import { seededRandom } from './random.ts'
import { type RouterOptions, startRouter } from './router.ts'
import type { AgentOptions } from './user-agent.ts'

/**
 * Plays a ladder: a router with a script on a simulated network, agents around it, and a test that lets them speak.
 * No socket is opened and nobody waits: an hour of the script's time is a moment of ours.
 */
export type LadderScript = string | { readonly script: string }

export interface CastMember extends AgentOptions {
  /** Its address; the next free one of 192.0.2.0/24 if not given. */
  readonly address?: string
  /** The NAT box that it sits behind, by its name in `nats`. */
  readonly behind?: string
}

export interface LadderOptions<Name extends string = never, Nat extends string = string> {
  /** Agents beside alice, bob, carol and dave, or what is special about those. */
  readonly cast?: { readonly [name in Name]: CastMember }
  readonly nats?: { readonly [name in Nat]: NatOptions }
  /** The router's address. Default 192.0.2.1. Several: it has them all and listens on each. */
  readonly router?: string | readonly string[]
  /** What to listen on instead of port 5060 of the router's addresses; null: what the script says. */
  readonly listen?: readonly ListenRequest[] | null
  readonly domain?: string
  readonly defines?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  /** Host names and what they resolve to. */
  readonly names?: Readonly<Record<string, readonly Endpoint[]>>
  readonly seed?: number
  /** Milliseconds from host to host. Default 1. */
  readonly delayMs?: number
  readonly store?: Store
  /** What runs as the router instead of ours: for tests of ladders themselves. */
  readonly start?: (options: RouterOptions) => Promise<Server>
  /** Workers of the router. Default: 1. */
  readonly workers?: number
}

/** What a test can reach beside its agents. */
export interface World {
  readonly network: SimulatedNetwork
  readonly clock: SimulatedClock
  readonly log: CollectingLog
  /** The router that runs: its metrics, sockets, script. */
  readonly running: Server
  readonly router: Endpoint
  readonly nats: Readonly<Record<string, NatBox>>
  /** Lets time pass. */
  advance(milliseconds: number): Promise<void>
  /** One more agent. */
  agent(name: string, options?: CastMember): Agent
  /** The ladder so far. */
  ladder(): string
}

export type DefaultName = 'alice' | 'bob' | 'carol' | 'dave'

export type Cast<Name extends string = never> = { readonly [name in DefaultName | Name]: Agent } & World

export interface PlayedLadder {
  readonly captured: readonly CapturedDatagram[]
  readonly text: string
  readonly log: CollectingLog
}

/**
 * Starts the router, plays, and stops it. An error of the play is thrown on with the expected and the actual ladder in
 * its message.
 */
export async function playLadder<Name extends string = never>(
  script: LadderScript,
  options: LadderOptions<Name>,
  play: (cast: Cast<Name>) => Promise<void> | void,
): Promise<PlayedLadder> {
  const stage = await setStage(script, options)
  try {
    await play(stage.cast)
  } catch (error) {
    throw explained(error, stage)
  } finally {
    await stage.cast.running.stop(0)
  }
  const { network, log } = stage.cast
  return {
    captured: network.captured,
    // Drawn if somebody looks: a thousand columns take longer than the play.
    get text() {
      return ladderText(network.captured)
    },
    log,
  }
}

interface Stage<Name extends string> {
  readonly cast: Cast<Name>
  /** What the test asked for, step by step. */
  readonly steps: string[]
}

async function setStage<Name extends string>(
  script: LadderScript,
  options: LadderOptions<Name>,
): Promise<Stage<Name>> {
  const clock = simulatedClock()
  const random = seededRandom(options.seed ?? 1)
  const network = simulatedNetwork({ clock, seed: options.seed ?? 1, delayMs: options.delayMs ?? 1 })
  const log = collectingLog()
  const steps: string[] = []
  for (const [name, endpoints] of Object.entries(options.names ?? {})) {
    network.names.set(name.toLowerCase(), [...endpoints])
  }
  const addresses = [options.router ?? '192.0.2.1'].flat()
  const [address = '192.0.2.1', ...others] = addresses
  const host = network.host('router', { address, addresses: others })
  const startWith = orExplain(options.start ?? startRouter)
  const running = await startWith({
    script:
      typeof script === 'string'
        ? { path: resolve(script) }
        : { path: resolve('ladder.cfg'), text: script.script },
    network: host,
    clock,
    random: seededRandom((options.seed ?? 1) + 1),
    log,
    store: options.store ?? memoryStore(),
    workers: options.workers ?? ladderDefaults.workers,
    ...(options.listen !== null && { listen: options.listen ?? addresses.map(listenOn) }),
    ...(options.defines && { defines: new Map(Object.entries(options.defines)) }),
    environment: (name) => options.environment?.[name] ?? null,
  })
  const socket = running.sockets.sockets[0]
  const router = { address: socket?.address ?? address, port: socket?.port ?? 5060 }
  const nats: Record<string, NatBox> = {}
  for (const [name, nat] of Object.entries<NatOptions>(options.nats ?? {})) nats[name] = network.nat(nat)

  let lastOctet = 10
  const surroundings = { clock, random, router, step: (text: string) => void steps.push(text) }
  const agent = (name: string, member: CastMember = {}): Agent => {
    const behind = member.behind === undefined ? undefined : nats[member.behind]
    const agentHost = network.host(name, {
      address: member.address ?? `192.0.2.${++lastOctet}`,
      ...(behind && { behind }),
    })
    const domain = member.domain ?? options.domain
    return new Agent(name, agentHost, surroundings, { ...member, ...(domain !== undefined && { domain }) })
  }
  const members: Record<string, CastMember> = { alice: {}, bob: {}, carol: {}, dave: {}, ...options.cast }
  const agents = Object.fromEntries(
    Object.entries(members).map(([name, member]) => [name, agent(name, member)]),
  )
  const world: World = {
    network,
    clock,
    log,
    running,
    router,
    nats,
    agent,
    advance: (milliseconds) => clock.advance(milliseconds),
    ladder: () => ladderText(network.captured),
  }
  return { cast: { ...world, ...agents } as Cast<Name>, steps }
}

/** For whoever runs ladders: all of them with several workers (test/ladders/workers.ts). */
export const ladderDefaults = { workers: 1 }

/** A script with errors: the test says which. */
function orExplain(start: (options: RouterOptions) => Promise<Server>) {
  return async (options: RouterOptions): Promise<Server> => {
    try {
      return await start(options)
    } catch (error) {
      if (!(error instanceof ScriptRejected)) throw error
      const found = error.diagnostics.map(({ severity, code, span, message, hint }) => {
        const place = span === null ? '' : ` line ${span.line}, column ${span.column}`
        return `${severity} ${code}${place}: ${message}${hint === undefined ? '' : ` (${hint})`}`
      })
      throw new Error([error.message, ...found].join('\n'))
    }
  }
}

function listenOn(address: string): ListenRequest {
  return { transport: 'udp', address, port: 5060 }
}

/** Log lines that help to see what went wrong. */
const logLinesMax = 25

function explained(error: unknown, { steps, cast }: { steps: readonly string[]; cast: World }): Error {
  const failure = error instanceof Error ? error : new Error(String(error))
  const expected = steps.map((step, i) => `${i === steps.length - 1 ? '=>' : '  '} ${step}`).join('\n')
  const log = cast.log.lines
    .filter(({ level }) => level !== 'trace' && level !== 'debug')
    .slice(-logLinesMax)
    .map(({ level, message, fields }) => `  ${level} ${message}${fields['err'] ? `: ${fields['err']}` : ''}`)
  failure.message = [
    failure.message,
    '',
    sideBySide('expected', expected, 'actual', cast.ladder()),
    ...(log.length > 0 ? ['', 'log', ...log] : []),
  ].join('\n')
  return failure
}
