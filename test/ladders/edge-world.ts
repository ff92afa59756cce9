import { resolve } from 'node:path'
import { ScriptRejected, type Server, type ServerOptions, startServer } from '../../src/server.ts'
import { memoryStore } from '../../src/store/memory.ts'
import {
  Agent,
  type AgentOptions,
  type CollectingLog,
  collectingLog,
  type Endpoint,
  ladderText,
  type NatBox,
  type SimulatedClock,
  type SimulatedHost,
  type SimulatedNetwork,
  seededRandom,
  simulatedClock,
  simulatedNetwork,
} from '../../src/testing/index.ts'
import { ladderDefaults } from '../../src/testing/play.ts'
import { startRouter } from '../../src/testing/router.ts'
import { SharedDirectory } from '../../src/testing/shared-location.ts'
import { RedisDirectory, type Switches } from './redis-directory.ts'

/**
 * Several routers that share one location, on one simulated network: edges `a`, `b`, `c` at 192.0.2.1, .2 and .3, a NAT box
 * in front of who is said to be behind it, and agents that each speak to one edge.
 */
export interface EdgeWorld {
  readonly network: SimulatedNetwork
  readonly clock: SimulatedClock
  readonly directory: SharedDirectory
  /** Of what the edges share: the directory, or the Redis in memory. */
  readonly switches: Switches
  /** `mobile`, and `home` behind which other telephones are. */
  readonly nats: Readonly<Record<'mobile' | 'home', NatBox>>
  readonly edges: Readonly<Record<string, RunningEdge>>
  edge(name: string): RunningEdge
  /** One more agent, whose router is that edge. */
  agent(name: string, edge: string, options?: AgentOptions & { behind?: 'mobile' | 'home' }): Agent
  advance(milliseconds: number): Promise<void>
  /** What left an edge, as first lines, from then on. */
  captured(from: number): { from: string; to: string; line: string; fate: string }[]
}

export interface RunningEdge {
  readonly name: string
  readonly endpoint: Endpoint
  readonly host: SimulatedHost
  readonly server: Server
  readonly log: CollectingLog
  /** Its process is gone, and with it its heartbeat; its port answers with ICMP. */
  kill(): Promise<void>
  rpc(method: string, ...params: unknown[]): Promise<unknown>
}

export interface EdgeWorldOptions {
  /** Default: a and b. */
  readonly names?: readonly string[]
  /** Instead of the usual script. */
  readonly script?: string
  /** They share a Redis in memory, through src/edges, instead of the directory. */
  readonly overRedis?: boolean
  /** Edges speak to each other at addresses of their own, 10.9.0.1 or [fd00::1] and so on, which nobody else knows. */
  readonly inner?: 4 | 6
  /** Of one edge alone. */
  readonly scripts?: Readonly<Record<string, string>>
}

export async function playEdges(
  options: EdgeWorldOptions,
  play: (world: EdgeWorld) => Promise<void>,
): Promise<void> {
  const world = await startWorld(options)
  try {
    await play(world)
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error))
    const lines = Object.values(world.edges).flatMap(({ name, log }) =>
      log.lines.slice(-20).map(({ level, message, fields }) => {
        return `  ${name} ${level} ${message}${fields['err'] ? `: ${fields['err']}` : ''}`
      }),
    )
    failure.message = [failure.message, '', ladderText(world.network.captured), '', ...lines].join('\n')
    throw failure
  } finally {
    for (const { server } of Object.values(world.edges)) await server.stop(0)
  }
}

async function startWorld(options: EdgeWorldOptions): Promise<EdgeWorld> {
  const { names = ['a', 'b'] } = options
  const { workers } = ladderDefaults
  const clock = simulatedClock()
  const network = simulatedNetwork({ clock, seed: 1 })
  const directory = new SharedDirectory(clock)
  const redis = options.overRedis === true ? new RedisDirectory(clock) : null
  const nats = {
    mobile: network.nat({ publicAddress: '203.0.113.9', firstPort: 40_000 }),
    home: network.nat({ publicAddress: '198.51.100.200', firstPort: 50_000 }),
  }
  const edges: Record<string, RunningEdge> = {}
  for (const [i, name] of names.entries()) {
    edges[name] = await startEdge(
      name,
      `192.0.2.${i + 1}`,
      options.scripts?.[name] ?? options.script ?? usual,
    )
  }
  // All know of all.
  await clock.advance(2_000)
  let lastOctet = 10
  return {
    network,
    clock,
    directory,
    switches: redis ?? directory,
    nats,
    edges,
    edge,
    agent(name, edgeName, agentOptions = {}) {
      const { behind } = agentOptions
      const prefix = behind === undefined ? '198.51.100' : behind === 'home' ? '192.168.1' : '10.0.0'
      const address = `${prefix}.${++lastOctet}`
      const host = network.host(name, { address, ...(behind && { behind: nats[behind] }) })
      const router = edge(edgeName).endpoint
      const surroundings = { clock, random: seededRandom(lastOctet), router, step() {} }
      return new Agent(name, host, surroundings, agentOptions)
    },
    advance: (milliseconds) => clock.advance(milliseconds),
    captured: (from) =>
      network.captured.slice(from).map(({ fromHost, toHost, text, fate }) => ({
        from: fromHost,
        to: toHost,
        line: text.slice(0, text.indexOf('\r\n')),
        fate,
      })),
  }

  function edge(name: string): RunningEdge {
    const found = edges[name]
    if (found === undefined) throw new Error(`no edge ${name}`)
    return found
  }

  /** A script with errors: the test says which. */
  async function start(settings: ServerOptions): Promise<Server> {
    try {
      return await (workers === 1 ? startServer(settings) : startRouter({ ...settings, workers }))
    } catch (error) {
      if (!(error instanceof ScriptRejected)) throw error
      throw new Error(error.diagnostics.map(({ message, span }) => `${span?.line}: ${message}`).join('\n'))
    }
  }

  async function startEdge(name: string, address: string, script: string): Promise<RunningEdge> {
    const inner = address.replace('192.0.2.', options.inner === 6 ? 'fd00::' : '10.9.0.')
    const addresses = options.inner === undefined ? [address] : [address, inner]
    const uri =
      options.inner === undefined
        ? ''
        : `modparam("usrloc", "edge_uri", "sip:${options.inner === 6 ? `[${inner}]` : inner}:5060")`
    const host = network.host(name, { address, addresses: addresses.slice(1) })
    const log = collectingLog()
    const endpoint = { address, port: 5060 }
    const server = await start({
      script: { path: resolve(`${name}.cfg`), text: `${script.replaceAll('EDGE', name)}\n${uri}\n` },
      network: host,
      // A clock is how modules tell one router from another.
      clock: { ...clock },
      random: seededRandom(100 + address.length + name.charCodeAt(0)),
      log,
      store: memoryStore(),
      listen: addresses.map((one) => ({ transport: 'udp', address: one, port: 5060 })),
      ...(redis === null
        ? { openSharedLocations: (_url, settings) => directory.join(settings) }
        : { openRedis: () => redis.open(name) }),
    })
    return {
      name,
      endpoint,
      host,
      server,
      log,
      async kill() {
        directory.kill(name)
        await server.stop(0)
      },
      async rpc(method, ...params) {
        const handler = server.engine.rpc.get(method)
        if (handler === undefined) throw new Error(`no method ${method}`)
        return await handler(params)
      },
    }
  }
}

/** A proxy and registrar as scripts have them, with NAT traversal and failure routes; without passwords. */
export const usual = `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "xlog.so"
loadmodule "kex.so"
loadmodule "pv.so"
loadmodule "learn.so"
modparam("usrloc", "store", "redis://directory/0")
modparam("usrloc", "edge_name", "EDGE")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", 1)
modparam("registrar", "received_avp", "$avp(received)")
modparam("nathelper", "received_avp", "$avp(received)")
modparam("learn", "source", "203.0.113.0/24=>pinhole=60;carrier=1")
modparam("learn", "devices", "pattern:2???")

request_route {
  xlog("L_INFO", "EDGE runs $rm $ru\\n");
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  force_rport();
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (is_method("INVITE|SUBSCRIBE") && nat_uac_test("19") && is_first_hop()) set_contact_alias();
  if (has_totag()) {
    if (!loose_route()) { if (!is_method("ACK")) sl_send_reply("404", "Not Here"); exit; }
    if (is_method("INVITE")) record_route();
    if (!isdsturiset()) handle_ruri_alias();
    t_relay();
    exit;
  }
  if (is_method("REGISTER")) {
    if (nat_uac_test("19")) fix_nated_register();
    save("location");
    exit;
  }
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  if (is_method("MESSAGE")) learn_location("location");
  $var(found) = lookup("location");
  if ($var(found) == -3) { sl_send_reply("480", "Cold"); exit; }
  if ($var(found) < 0) { sl_send_reply("404", "Not Found"); exit; }
  t_on_failure("FAILED");
  t_relay();
}

failure_route[FAILED] {
  xlog("L_INFO", "EDGE failed with $T_reply_code\\n");
}

onreply_route {
  if (nat_uac_test("1") && is_first_hop()) set_contact_alias();
}
`
