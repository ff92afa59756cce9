import { Command, InvalidArgumentError, Option } from 'commander'
import type { RunOptions } from './command/run.ts'
import { limits } from './limits.ts'
import { version } from './version.ts'

/** Options that size or place Kamailio's processes and memory: nothing to one process with a heap. */
const ignoredOptions = ['-m', '-M', '-n', '-N', '-x', '-X', '-Y', '-W', '-O', '-a']

interface RunArguments extends Omit<RunOptions, 'environment' | 'ignored'> {
  check?: boolean
  ignored?: string[]
}

/**
 * The command line: `viaduct run | check | demo | reference`. The only reader of argv and of the environment; each
 * command is a file in command/, imported when it is asked for.
 *
 * Kamailio's options keep their letters, so that a unit file or a habit works here too.
 */
const program = new Command('viaduct')
  .description('A programmable SIP router: Kamailio scripts, compiled.')
  .version(version, '-V, --version')
  .showHelpAfterError('(viaduct --help shows the commands, viaduct run --help the options)')
  .enablePositionalOptions()

const runCommand = program
  .command('run', { isDefault: true })
  .description('runs a script until SIGTERM or SIGINT')
  .argument('[script]', 'the script; -f says the same')
  .option(
    '-f, --file <script>',
    'the script (default: routes/edge.cfg, or /etc/viaduct/viaduct.cfg where installed)',
  )
  .option('-c, --check', 'only checks the script, as viaduct check does')
  .option('-A, --define <name=value>', '#!define NAME VALUE; may be repeated', collectDefines, new Map())
  .option(
    '-l, --listen <socket>',
    '[udp:]address[:port], instead of what the script says; may be repeated',
    collect,
    [],
  )
  .option('--data <directory>', 'where bindings and messages are kept', defaultDataDirectory())
  .option('--memory', 'keeps nothing on disk')
  .option(
    '--control <path>',
    'the socket for viaduct ctl, or none (default: control.sock in the data directory; none with --memory)',
    process.env['VIADUCT_CONTROL'],
  )
  .addOption(pluginsOption())
  .option('-P, --pid <file>', 'writes the process id there')
  .option('-w, --workdir <directory>', 'changes to this directory first')
  .option('-u, --user <user>', 'changes to this user once the sockets are open')
  .option('-g, --group <group>', 'changes to this group once the sockets are open')
  .option(
    '--workers <count>',
    'exactly so many worker threads, instead of children= of the script',
    workers,
    defaultWorkers(),
  )
  .option(
    '--moderation <microseconds>',
    'collects datagrams that long at busy rates, instead of what the script says (udp_moderation); 0: never',
    microseconds,
  )
  .option('-d, --debug', 'logs more; -dd even more', count, 0)
  .option('-E, --stderr', 'logs to stderr, as always (accepted)')
  .option('-e, --colour', 'logs pretty and in colour, on a terminal or not')
  .option('-D', 'stays in the foreground, as always (accepted)', count, 0)
  .addHelpText('after', `\nAccepted and ignored, with a note: ${ignoredOptions.join(' ')}.`)
  .action(async (script: string | undefined, options: RunArguments) => {
    const file = script ?? options.file
    if (options.check === true) {
      const { check } = await import('./command/check.ts')
      const { defaultScript } = await import('./command/script-file.ts')
      process.exitCode = await check([file ?? defaultScript()], { ...options, environment: process.env })
      return
    }
    const { run } = await import('./command/run.ts')
    process.exitCode = await run({
      ...options,
      file,
      environment: process.env,
      ignored: options.ignored ?? [],
    })
  })
for (const flags of ignoredOptions) {
  runCommand.addOption(new Option(`${flags} <value>`).hideHelp().argParser(() => undefined))
  runCommand.on(`option:${flags.slice(1)}`, () =>
    runCommand.setOptionValue('ignored', [...(runCommand.getOptionValue('ignored') ?? []), flags]),
  )
}

program
  .command('check')
  .description('says everything that is wrong with scripts; exits with 0 or 1')
  .argument('<script...>')
  .option('--json', 'diagnostics as one JSON document')
  .option('-A, --define <name=value>', '#!define NAME VALUE; may be repeated', collectDefines, new Map())
  .addOption(pluginsOption())
  .action(async (scripts: string[], options) => {
    const { check } = await import('./command/check.ts')
    process.exitCode = await check(scripts, { ...options, environment: process.env })
  })

program
  .command('ctl')
  .description('asks a router that runs; without a method: what can be asked')
  .argument('[method]', 'such as ul.lookup; drain and edges are short for edges.drain and edges.list')
  .argument('[params...]', 'values in their order, or name=value; -- before one that begins with -')
  .option(
    '--socket <path>',
    'the control socket (default: control.sock in the data directory)',
    process.env['VIADUCT_CONTROL'],
  )
  .option('--data <directory>', 'the data directory of the router', defaultDataDirectory())
  .option('--json', 'the result as JSON')
  .action(async (method: string | undefined, params: string[], options) => {
    const { ctl } = await import('./command/ctl.ts')
    process.exitCode = await ctl(method, params, options)
  })

program
  .command('demo')
  .description('plays the founding problem: a silent device behind a NAT is reached, shown as a ladder')
  .option('--script <file>', 'another script than routes/gsm.cfg')
  .action(async (options) => {
    const { demo } = await import('./command/demo.ts')
    process.exitCode = await demo(options)
  })

program
  .command('reference')
  .description('writes docs/reference from the declarations of the core and the modules')
  .option('--verify', 'writes nothing; exits with 1 if a page is out of date')
  .action(async (options) => {
    const { reference } = await import('./command/reference.ts')
    process.exitCode = await reference(options)
  })

const location = program
  .command('location')
  .description('location tables: between stores, databases and files; copies of a store')

/** Where a table is. */
function placed(command: Command, what: string): Command {
  return command
    .option('--store <directory>', `the data directory ${what}`, defaultDataDirectory())
    .option('--db <url>', `instead of it, sqlite:////path or a path: a database in Kamailio's schema`)
    .option('--table <name>', 'the location table', 'location')
    .option('--use-domain', 'the database has names and domains in two columns')
}

placed(location.command('export'), 'to read, also while a router has it open')
  .description('writes all bindings as text, or into a new database')
  .argument('[file]', 'standard output by default')
  .addOption(
    new Option('--format <format>', 'what to write')
      .choices(['kamailio-json', 'csv', 'sqlite'])
      .default('kamailio-json'),
  )
  .action(async (file: string | undefined, options) => {
    const { exportLocation } = await import('./command/location.ts')
    process.exitCode = await exportLocation(file, options)
  })

placed(location.command('import'), 'to write, of a router that does not run')
  .description('adds bindings; never in the place of a newer registration, unless --replace says so')
  .argument('<file>', 'what to read; - for standard input of a dump')
  .addOption(
    new Option('--from <format>', 'what it is: the answer to ul.dump, the output of kamcmd ul.dump, ...')
      .choices(['kamailio-json', 'kamcmd', 'csv', 'sqlite', 'store'])
      .default('kamailio-json'),
  )
  .option(
    '--dumped-at <time>',
    'when a dump was made, since it says lifetimes (default: when the file was written)',
  )
  .option('--dry-run', 'changes nothing, and says what would be')
  .option('--replace', 'also where what is there is newer')
  .action(async (file: string, options) => {
    const { importLocation } = await import('./command/location.ts')
    process.exitCode = await importLocation(file, options)
  })

location
  .command('backup')
  .description('copies the store of a data directory, also while a router has it open')
  .argument('<directory>', 'where the copy goes')
  .option('--store <directory>', 'the data directory', defaultDataDirectory())
  .action(async (directory: string, { store }: { store: string }) => {
    const { backupLocation } = await import('./command/location.ts')
    process.exitCode = await backupLocation(directory, store)
  })

location
  .command('compact')
  .description('writes the store of a stopped router anew, without what is free in it')
  .option('--store <directory>', 'the data directory', defaultDataDirectory())
  .action(async ({ store }: { store: string }) => {
    const { compactLocation } = await import('./command/location.ts')
    process.exitCode = await compactLocation(store)
  })

// `viaduct check ... | head`: who reads has seen enough, and that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

await program.parseAsync(withoutInitialDashes(process.argv))

/** `npm start -- -f x` reaches us as `run -f x`; `npm start -- -- -f x` as `run -- -f x`. */
function withoutInitialDashes(argv: string[]): string[] {
  return argv[3] === '--' ? [...argv.slice(0, 3), ...argv.slice(4)] : argv
}

function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value]
}

function collectDefines(text: string, earlier: Map<string, string>): Map<string, string> {
  const [name = '', ...rest] = text.split('=')
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new InvalidArgumentError(`'${name}' is no name for a define: letters, digits and _ only.`)
  }
  return new Map(earlier).set(name, rest.join('='))
}

function workers(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= limits.workersMax) return value
  throw new InvalidArgumentError(`Workers are a number from 1 to ${limits.workersMax}.`)
}

function microseconds(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= limits.moderationMicrosecondsMax) return value
  throw new InvalidArgumentError(`Microseconds are a number from 0 to ${limits.moderationMicrosecondsMax}.`)
}

function count(_value: unknown, earlier: number): number {
  return earlier + 1
}

function pluginsOption(): Option {
  return new Option(
    '-L, --plugins <directory>',
    'a directory in which modules are looked for that are not built in; may be repeated',
  )
    .argParser(collect)
    .default([])
}

function defaultDataDirectory(): string {
  return process.env['VIADUCT_DATA'] ?? './var'
}

function defaultWorkers(): number | undefined {
  const text = process.env['VIADUCT_WORKERS'] ?? ''
  return text === '' ? undefined : workers(text)
}
