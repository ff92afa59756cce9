import {
  ArgumentProblem,
  anyRoute,
  coreHash,
  definePlugin,
  type PluginHost,
  type RouteContext,
} from '../../src/plugin/index.ts'
import { Locks } from './locks.ts'
import { WorkerLocks } from './worker-locks.ts'

const done = { '1': 'done' } as const

const probability = {
  name: 'percent',
  type: 'int',
  prepare(text: string) {
    const percent = Number(text)
    if (percent >= 0 && percent <= 100) return percent
    throw new ArgumentProblem(`a probability is 0 to 100 percent, not ${text}`)
  },
  doc: '0 to 100.',
} as const

const key = { name: 'key', type: 'string', doc: 'Any text; equal texts are one lock.' } as const

/** Who holds a lock: one run of the script. */
const holders = new WeakMap<RouteContext, object>()

function holderOf(context: RouteContext): object {
  const known = holders.get(context)
  if (known !== undefined) return known
  const created = {}
  holders.set(context, created)
  return created
}

export default definePlugin({
  name: 'cfgutils',
  summary: 'Chance, pauses, locks and hashes for scripts (Kamailio: cfgutils).',
  params: {
    initial_probability: { type: 'int', default: 10, unit: '%', doc: 'What rand_event() begins with.' },
    initial_gflags: { type: 'int', default: 0, doc: 'Global flags at the start.' },
    hash_file: {
      type: 'string',
      default: '',
      ignored: 'scripts are watched by their content',
      doc: 'File to hash.',
    },
    lock_set_size: {
      type: 'int',
      default: 0,
      ignored: 'there are as many locks as keys',
      doc: 'Number of locks.',
    },
  },
  functions: {
    rand_set_prob: { in: anyRoute, args: [probability], returns: done, doc: 'Sets the probability.' },
    rand_reset_prob: { in: anyRoute, returns: done, doc: 'Goes back to initial_probability.' },
    rand_get_prob: {
      in: anyRoute,
      returns: { n: 'the probability in percent' },
      doc: 'The probability; 0 percent ends the script, as every 0 does.',
    },
    rand_event: {
      in: anyRoute,
      args: [{ ...probability, optional: true }],
      returns: { '1': 'it happened', '-1': 'it did not' },
      doc: 'Happens with the probability that was set, or that is given.',
    },
    sleep: {
      in: anyRoute,
      args: [{ name: 'seconds', type: 'int', doc: 'How long.' }],
      returns: done,
      waits: true,
      doc: 'This message waits; all others go on.',
    },
    usleep: {
      in: anyRoute,
      args: [{ name: 'microseconds', type: 'int', doc: 'How long; rounded to milliseconds.' }],
      returns: done,
      waits: true,
      doc: 'This message waits; all others go on.',
    },
    abort: {
      in: anyRoute,
      returns: {},
      aliases: ['dbg_abort'],
      doc: 'Fails on purpose: this message’s run ends with an error, the router goes on.',
    },
    pkg_status: {
      in: anyRoute,
      returns: done,
      aliases: ['pkg_summary'],
      doc: 'Logs how much memory is used.',
    },
    shm_status: {
      in: anyRoute,
      returns: done,
      aliases: ['shm_summary'],
      doc: 'Logs how much memory is used.',
    },
    lock: {
      in: anyRoute,
      args: [key],
      returns: { '1': 'held', '-1': 'the run holds it already' },
      waits: true,
      doc: 'Waits until no other run holds the lock. Who does not unlock() loses it after half a minute.',
    },
    trylock: {
      in: anyRoute,
      args: [key],
      returns: { '1': 'held', '-1': 'another run holds it' },
      doc: 'Takes the lock if nobody holds it.',
    },
    unlock: {
      in: anyRoute,
      args: [key],
      returns: { '1': 'done', '-1': 'the run does not hold it' },
      doc: 'Lets the lock go.',
    },
    core_hash: {
      in: anyRoute,
      args: [
        { name: 'first', type: 'string', doc: 'A text.' },
        { name: 'second', type: 'string', doc: 'Another text, or "".' },
        { name: 'bits', type: 'int', doc: 'The result has so many bits: 1 to 2^bits.' },
      ],
      returns: { n: 'the hash plus 1' },
      doc: 'Kamailio’s hash of one or two texts.',
    },
    check_route_exists: {
      in: anyRoute,
      args: [{ name: 'route', type: 'string', doc: 'Name of a route[NAME].' }],
      returns: { '1': 'there is one', '-1': 'there is none' },
      doc: 'Is there a route of that name?',
    },
    route_if_exists: {
      in: anyRoute,
      args: [{ name: 'route', type: 'string', doc: 'Name of a route[NAME].' }],
      returns: { n: 'what the route returned', '-1': 'there is no such route' },
      waits: true,
      doc: 'Runs a route if there is one of that name.',
    },
    set_gflag: gflagFunction('Sets a global flag.', done),
    reset_gflag: gflagFunction('Clears a global flag.', done),
    is_gflag: gflagFunction('Is a global flag set?', { '1': 'yes', '-1': 'no' }),
  },
  variables: {
    RANDOM: { type: 'int', doc: 'A number from 0 up to, and without, 2^31.' },
  },
  setup(host, params) {
    let percent = params.initial_probability
    let gflags = params.initial_gflags
    const locks = new Locks(host.clock, host.workers.count > 1 ? new WorkerLocks(host) : null)
    return {
      functions: {
        rand_set_prob(_context, value) {
          percent = value
          return 1
        },
        rand_reset_prob() {
          percent = params.initial_probability
          return 1
        },
        rand_get_prob: () => percent,
        rand_event: (_context, given) => (host.random.integer(100) < (given ?? percent) ? 1 : -1),
        sleep: (_context, seconds) => pause(host, seconds * 1000),
        usleep: (_context, microseconds) => pause(host, Math.round(microseconds / 1000)),
        abort() {
          throw new Error('the script called abort()')
        },
        pkg_status: (context) => logMemory(host, context),
        shm_status: (context) => logMemory(host, context),
        lock: (context, name) => locks.take(name, holderOf(context)),
        trylock: (context, name) => (locks.tryTake(name, holderOf(context)) ? 1 : -1),
        unlock: (context, name) => (locks.release(name, holderOf(context)) ? 1 : -1),
        core_hash: (_context, first, second, bits) => lowBits(coreHash(first, second), bits) + 1,
        check_route_exists: (_context, name) => (host.script.hasRoute('request', name) ? 1 : -1),
        route_if_exists: (context, name) => host.script.runRoute(context, name) ?? -1,
        set_gflag(_context, number) {
          gflags |= 1 << number
          return 1
        },
        reset_gflag(_context, number) {
          gflags &= ~(1 << number)
          return 1
        },
        is_gflag: (_context, number) => ((gflags & (1 << number)) === 0 ? -1 : 1),
      },
      variables: { RANDOM: { read: () => host.random.integer(2 ** 31) } },
    }
  },
})

function gflagFunction<const R extends Readonly<Record<string, string>>>(doc: string, returns: R) {
  return {
    in: anyRoute,
    args: [{ name: 'flag', type: 'flag', doc: 'Number 0 to 31 or a declared name.' }],
    returns,
    doc,
  } as const
}

/** Kamailio takes a size out of range for the whole hash (measured on Kamailio 5.6.3). */
function lowBits(hash: number, bits: number): number {
  return bits <= 0 || bits >= 32 ? hash : hash % 2 ** bits
}

/** A timer of the router’s clock: nothing else waits. */
function pause(host: PluginHost, milliseconds: number): number | Promise<number> {
  if (milliseconds <= 0) return 1
  return new Promise((resolve) => host.clock.schedule(milliseconds, () => resolve(1)))
}

function logMemory(host: PluginHost, context: RouteContext): number {
  const { heapUsed, rss } = process.memoryUsage()
  host.log.info({ ...context.logFields(), heapUsed, rss }, 'memory in use')
  return 1
}
