import { getHeapStatistics } from 'node:v8'
import { RpcFault } from '../plugin/rpc-fault.ts'
import type { Clock } from '../runtime/clock.ts'
import { version } from '../version.ts'
import type { Method, MethodDescription } from './methods.ts'

/** Methods about the process as a whole, with the names and shapes that Kamailio 5.6.3 gives them. */
export interface ProcessView {
  readonly clock: Clock
  /** Of the command line, without what runs it. */
  readonly args: readonly string[]
  /** What runs in the process, the main thread first: `worker 0`. */
  threads(): readonly string[]
  /** All methods that can be asked for. */
  methods(): readonly MethodDescription[]
  /** As kill(1) does; SIGTERM drains and stops. */
  signal(number: number): void
}

export function processMethods(view: ProcessView): Method[] {
  const started = view.clock.wall()
  const uptime = () => Math.floor((view.clock.wall() - started) / 1000)
  return [
    method('core.version', 'Name, version and platform.', () => `viaduct ${version} (${platform()})`),
    method('core.info', 'Version and what runs it.', () => ({
      version: `viaduct ${version}`,
      id: version,
      compiler: `node ${process.version}`,
      compiled: '',
      flags: flags(),
    })),
    method('core.flags', 'What is built in.', flags),
    method('core.runinfo', 'Version and uptime.', () => ({
      name: 'viaduct',
      version,
      sourceid: version,
      compiler: `node ${process.version}`,
      compiled: '',
      time_now: date(view.clock.wall()),
      time_started: date(started),
      uptime_secs: uptime(),
      utime_days: days(uptime()),
    })),
    method('core.uptime', 'Since when it runs, and for how many seconds.', () => ({
      now: date(view.clock.wall()),
      up_since: date(started),
      uptime: uptime(),
    })),
    method('core.ps', 'Process id and description of each thread, flat.', () =>
      view.threads().flatMap((name) => [process.pid, name]),
    ),
    method('core.psx', 'The same as rows: all threads have the process id of the one process.', () =>
      view.threads().map((name, index) => ({ IDX: index, PID: process.pid, DSC: name })),
    ),
    method('core.pwd', 'The working directory.', () => [process.cwd()]),
    method('core.arg', 'The command line.', () => ['viaduct', ...view.args]),
    method('core.echo', 'Its parameters, as texts.', (params) => params.map(String)),
    method('core.prints', 'Its parameters, as texts.', (params) => params.map(String)),
    method('core.printi', 'Its parameters, as integers; 0 for what is none.', (params) =>
      params.map(integerOf),
    ),
    method(
      'core.shmmem',
      'Octets of memory. There is no pool: total and free are those of the heap, real_used is what the process has.',
      ([unit]) => memory(String(unit ?? '')),
      [{ name: 'unit', optional: true, doc: 'b, k, m or g; octets if absent.' }],
    ),
    method(
      'core.kill',
      'Sends the process a signal; 15, if none is named: no new requests, a drain, the end.',
      ([number]) => {
        view.signal(signalOf(number))
        return {}
      },
      [{ name: 'signal', optional: true, doc: '15 if absent; 9 cannot be undone.' }],
    ),
    method('system.listMethods', 'The names of all methods.', () => view.methods().map(({ name }) => name)),
    method('system.methodHelp', 'What a method does.', ([name]) => described(view, name).doc, [
      { name: 'method', doc: 'Its name.' },
    ]),
    method(
      'system.methodSignature',
      'The parameters of a method.',
      ([name]) =>
        (described(view, name).params ?? []).map((param) => ({
          ...param,
          optional: param.optional ?? false,
        })),
      [{ name: 'method', doc: 'Its name.' }],
    ),
    method('viaduct.methods', 'Each method with what it does and its parameters.', () =>
      view.methods().map(({ name, doc, params = [] }) => ({ name, doc, params })),
    ),
  ]
}

export function method(
  name: string,
  doc: string,
  run: Method['run'],
  params: NonNullable<MethodDescription['params']> = [],
): Method {
  return { name, doc, run, params }
}

function described(view: ProcessView, name: unknown): MethodDescription {
  if (name === undefined) throw new RpcFault(400, 'Method Name Expected')
  const found = view.methods().find((one) => one.name === name)
  if (found === undefined) throw new RpcFault(400, 'command not found')
  return found
}

function platform(): string {
  return `${process.arch}/${process.platform}`
}

function flags(): string {
  return `node ${process.version}, v8 ${process.versions.v8}, openssl ${process.versions.openssl}`
}

/** As ctime(3) writes it: `Mon Nov 23 01:42:29 2026`, in the host's zone. */
export function date(wall: number): string {
  const [day, month, number, year, time] = new Date(wall).toString().split(' ')
  return `${day} ${month} ${number?.replace(/^0/, ' ')} ${time} ${year}`
}

function days(seconds: number): string {
  const hours = Math.floor(seconds / 3600)
  return `${Math.floor(hours / 24)}d ${hours % 24}h ${Math.floor(seconds / 60) % 60}m ${seconds % 60}s`
}

function integerOf(param: unknown): number {
  const number = Number(param)
  return Number.isFinite(number) ? Math.trunc(number) : 0
}

const units: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

function memory(unit: string): Record<string, number> {
  const size = units[unit.toLowerCase()]
  if (size === undefined) throw new RpcFault(500, 'bad memory size unit: b, k, m or g')
  const { heap_size_limit: total, used_heap_size: used } = getHeapStatistics()
  const shown = (octets: number) => Math.round(octets / size)
  return {
    total: shown(total),
    free: shown(Math.max(0, total - used)),
    used: shown(used),
    real_used: shown(process.memoryUsage.rss()),
    max_used: shown(process.resourceUsage().maxRSS * 1024),
    fragments: 0,
  }
}

/** The standard ones that mean something to a process; 0 would do nothing. */
function signalOf(param: unknown): number {
  const number = param === undefined ? 15 : Number(param)
  if (!Number.isInteger(number) || number < 1 || number > 64)
    throw new RpcFault(400, 'A signal is a number from 1 to 64')
  return number
}
