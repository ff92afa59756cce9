import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError, Option, type OptionValues } from 'commander'
import type { Rate } from './generator.ts'
import { scenarioNames } from './scenarios.ts'
import { isInstalled, type ServerName } from './server.ts'
import type { Session, Turns } from './session.ts'

/** The command line of `npm run bench`. */
export interface Options extends Session {
  readonly subjects: readonly string[]
  /** Sizes of the location table. */
  readonly contacts: readonly number[]
  readonly json: string | null
}

/** What can be asked for beside the scenarios. */
export const otherSubjects = ['g', 'memory', 'idle', 'workers'] as const
const usual = ['a', 'b', 'c', 'd', 'e', 'f']

export function readOptions(argv: readonly string[]): Options {
  const command = serverOptions(new Command('npm run bench --'))
    .description('CPU per request of Viaduct and of Kamailio, the same scripts on the same machine in turn.')
    .argument(
      '[what]',
      `any of ${scenarioNames.join(' ')} ${otherSubjects.join(' ')} with commas between them; \`all\`: everything but f0 and w`,
      listOf(subject),
      usual,
    )
    .option('--rates <list>', 'requests a second, or sat: a closed loop', listOf(readRate), [5_000, 'sat'])
    .option('--rounds <n>', 'how often each server has its turn', readNumber, 3)
    .option('--only <server>', 'kamailio or viaduct', server)
    .option('--seconds <s>', 'length of a paced run', readNumber, 3)
    .option('--requests <n>', 'length of a run at saturation', readNumber, 80_000)
    .option('--warm <n>', 'requests before anything is measured', readNumber, 20_000)
    .option('--lead <s>', 'load before each run where transactions linger', readNumber, 5)
    .option('--contacts <list>', 'sizes of g', listOf(readNumber), [1_000, 100_000, 1_000_000])
    .option('--json <file>', 'writes everything that was measured there')
    .parse(argv)
  const given = command.opts()
  return {
    subjects: command.processedArgs[0],
    servers: serversFor(given['only']),
    rates: given['rates'],
    rounds: given['rounds'],
    contacts: given['contacts'],
    amounts: {
      seconds: given['seconds'],
      requests: given['requests'],
      warmUpRequests: given['warm'],
      leadSeconds: given['lead'],
    },
    ...readTurns(given),
    json: given['json'] ?? null,
  }
}

/** What every tool here lets one choose of the servers. */
export function serverOptions(command: Command): Command {
  return command
    .option('--workers <n>', 'of both servers', readNumber)
    .option('--cpus <list>', 'processors of the server, as taskset takes them', '0')
    .option('--generator-cpu <n>', 'processor of the generator', availableParallelism() > 1 ? '1' : '0')
    .option('--moderation <us>', 'Viaduct: most microseconds that a wake-up waits; 0: never', readNumber)
    .addOption(
      new Option('--engine <name>', 'Viaduct: what reads and writes UDP').choices(['dgram', 'native']),
    )
    .option('--checkout <directory>', 'Viaduct: another working tree, for before and after')
    .option('--sources', 'Viaduct: what is in src/, without a build of it')
    .option('--node <options>', 'Viaduct: options of node, in one word with spaces', words, [])
}

export function readTurns(given: OptionValues): Pick<Turns, 'stand' | 'settings'> {
  return {
    stand: { serverPort: 5060, callerPort: 6100, calleePort: 5070, cpu: given['generatorCpu'] },
    settings: {
      cpus: given['cpus'],
      workers: given['workers'],
      moderation: given['moderation'],
      engine: given['engine'],
      checkout: given['checkout'],
      isCompiled: given['sources'] !== true,
      node: given['node'],
    },
  }
}

/** Without Kamailio there are figures, and no ratios. */
function serversFor(only: ServerName | undefined): ServerName[] {
  if (only !== undefined) return [only]
  return isInstalled('kamailio') ? ['kamailio', 'viaduct'] : ['viaduct']
}

function listOf<T>(read: (text: string) => T): (text: string) => T[] {
  return (text) =>
    (text === 'all' ? [...usual, ...otherSubjects] : text.split(',')).map((word) => read(String(word)))
}

function subject(text: string): string {
  if ([...scenarioNames, ...otherSubjects].includes(text)) return text
  throw new InvalidArgumentError(`'${text}' is nothing that is measured.`)
}

export function readRate(text: string): Rate {
  return text === 'sat' ? text : readNumber(text)
}

function server(text: string): ServerName {
  if (text === 'kamailio' || text === 'viaduct') return text
  throw new InvalidArgumentError(`'${text}' is neither kamailio nor viaduct.`)
}

export function readNumber(text: string): number {
  const value = Number(text)
  if (text !== '' && value >= 0) return value
  throw new InvalidArgumentError(`'${text}' is no number.`)
}

function words(text: string): string[] {
  return text.split(' ')
}
