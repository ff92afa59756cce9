/**
 * `viaduct/testing`: a router on a simulated network and clock, and agents that play ladders with it. For our own
 * tests, for scripts that people write, and for plugins.
 */
export { Agent } from './agent.ts'
export { type SimulatedClock, simulatedClock } from './clock.ts'
export { answerChallenge, type Challenge, readChallenge } from './digest.ts'
export { LadderMismatch, type ReceiveOptions } from './expectation.ts'
export { ladder } from './ladder.ts'
export { type LadderTextOptions, ladderText } from './ladder-text.ts'
export { type CollectingLog, collectingLog, type LogLine } from './log.ts'
export { type Endpoint, NatBox, type NatOptions } from './nat.ts'
export {
  type CapturedDatagram,
  type Fate,
  type HostOptions,
  SimulatedHost,
  SimulatedNetwork,
  type SimulatedNetworkOptions,
  type SimulatedSocket,
  type SocketUser,
  simulatedNetwork,
} from './network.ts'
export {
  type Cast,
  type CastMember,
  type LadderOptions,
  type LadderScript,
  type PlayedLadder,
  playLadder,
  type World,
} from './play.ts'
export { seededRandom } from './random.ts'
export { Received } from './received.ts'
export type { AgentOptions, SendOptions } from './user-agent.ts'
