import { DirectNetwork, startOn, WholeCalls } from './whole-calls.ts'

/**
 *     node bench/micro/call.ts        what a whole call of scenario c takes us, in microseconds of this thread, round by round
 *
 * Six datagrams in and seven out, through intake, script, proxy and transactions; without the kernel, without udp.c, and
 * without what both ends say, which is made up in between. The first rounds show what V8 has not compiled yet. Not one of
 * the *.bench.ts: what vitest puts around imports takes ten times as long as the call.
 */
const rounds = 12
const callsPerRound = 6_000
/** That are on their way at one time. */
const callsAtOnce = 8

const network = new DirectNetwork()
const server = await startOn(network, 'c')
const calls = new WholeCalls(network)
let microseconds = 0
const timed = (deliver: () => void) => {
  const before = process.threadCpuUsage()
  deliver()
  const { user, system } = process.threadCpuUsage(before)
  microseconds += user + system
}
for (let round = 0; round < rounds; round++) {
  microseconds = 0
  for (let call = 0; call < callsPerRound; call += callsAtOnce) {
    calls.run(callsAtOnce, timed)
    await new Promise(setImmediate)
  }
  console.log((microseconds / callsPerRound).toFixed(1))
}
await server.stop()
