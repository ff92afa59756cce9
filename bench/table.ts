import { type Comparison, verdict } from './comparison.ts'
import type { Idle } from './idle.ts'
import { type LocationFigures, locationBars, lookedUp } from './location.ts'
import type { Run } from './measurement.ts'
import { type Footprint, footprintBar } from './memory.ts'
import type { Throughput } from './workers.ts'

/** What was found, as tables in Markdown: for a terminal, and for README.md. */
const heads = [
  'scenario',
  'requests/s',
  'Kamailio µs (user + sys)',
  'Viaduct µs (user + sys)',
  'ratio',
  'must',
  'reach',
  '',
  'p50 / p99 ms, K',
  'p50 / p99 ms, V',
  'lost K / V',
  'PSS MB K / V',
]

export function scenarioMarkdown(rows: readonly Comparison[]): string {
  if (rows.length === 0) return ''
  const cells = rows.map((row) => {
    const { kamailio, viaduct, ratio, must, reach, verdict } = row
    return [
      row.scenario,
      row.rate,
      cost(kamailio),
      cost(viaduct),
      ratio === null ? '' : `**${ratio.toFixed(2)}**`,
      must?.toFixed(2) ?? '',
      reach?.toFixed(2) ?? '',
      `${verdict ?? ''}${row.isClean ? '' : ' (dirty)'}`,
      latency(kamailio),
      latency(viaduct),
      both(row, ({ lost }) => lost),
      both(row, ({ proportionalBytes }) => mebibytes(proportionalBytes)),
    ]
  })
  return table(heads, cells)
}

function cost(run: Run | null): string {
  if (run === null) return ''
  const { cpuMicroseconds: all, userMicroseconds: user, systemMicroseconds: system } = run
  return `${all.toFixed(1)} (${user.toFixed(0)} + ${system.toFixed(0)})`
}

function latency(run: Run | null): string {
  return run === null ? '' : `${milliseconds(run.p50Microseconds)} / ${milliseconds(run.p99Microseconds)}`
}

function milliseconds(microseconds: number): string {
  return (microseconds / 1_000).toFixed(microseconds < 10_000 ? 2 : 0)
}

function both({ kamailio, viaduct }: Comparison, figure: (run: Run) => number): string {
  return [kamailio, viaduct].map((run) => (run === null ? '' : figure(run))).join(' / ')
}

/** Live transactions: the ratio only if both servers were measured. */
export function memoryMarkdown(footprints: readonly Footprint[]): string {
  if (footprints.length === 0) return ''
  const rows = footprints.map((one) => {
    const kamailio = footprints.find(
      (other) => other.server === 'kamailio' && other.scenario === one.scenario,
    )
    const bytes = (of: Footprint | undefined) => of?.bytesPerTransaction
    const ratio = one.server === 'viaduct' ? against(bytes(one), bytes(kamailio), footprintBar) : ''
    return [
      one.scenario,
      one.server,
      one.transactions,
      Math.round(one.bytesPerTransaction),
      ratio,
      Math.round(one.bytesPerFurtherOne),
    ]
  })
  return table(['scenario', 'server', 'live transactions', 'bytes each', 'ratio', 'each further one'], rows)
}

export function idleMarkdown(idle: readonly Idle[]): string {
  if (idle.length === 0) return ''
  const rows = idle.map(({ server, seconds, percent }) => [server, seconds, percent.toFixed(3)])
  return table(['idle server', 'seconds', '% of a processor'], rows)
}

export function locationMarkdown(figures: readonly LocationFigures[]): string {
  if (figures.length === 0) return ''
  const rows = figures.map((one) => {
    const kamailio = figures.find(
      ({ server, contacts }) => server === 'kamailio' && contacts === one.contacts,
    )
    const isRated = one.server === 'viaduct' && one.contacts >= 1_000_000
    const bars = isRated ? locationBars : null
    return [
      one.contacts,
      one.server,
      one.newMicroseconds.toFixed(1),
      one.refreshMicroseconds.toFixed(1),
      one.messageMicroseconds.toFixed(1),
      `${Math.round(one.bytesPerContact)} ${bars ? against(one.bytesPerContact, kamailio?.bytesPerContact, bars.bytesPerContact) : ''}`,
      `${one.restart.seconds.toFixed(2)} ${bars ? against(one.restart.seconds, kamailio?.restart.seconds, bars.restart) : ''}`,
      one.restart.cpuSeconds.toFixed(2),
      mebibytes(one.restart.proportionalBytes),
      `${one.restart.found} of ${lookedUp}`,
    ]
  })
  const heads = [
    'contacts',
    'server',
    'new µs',
    'refresh µs',
    'MESSAGE µs',
    'bytes each',
    'restart s',
    'its CPU s',
  ]
  return table([...heads, 'PSS MB after', 'found'], rows)
}

export function workersMarkdown(throughputs: readonly Throughput[]): string {
  if (throughputs.length === 0) return ''
  const rows = throughputs.map(({ scenario, server, workers, run, timesOne }) => [
    scenario,
    server,
    workers,
    Math.round(run.perSecond),
    `**${timesOne.toFixed(2)}**`,
    run.cpuMicroseconds.toFixed(1),
    run.utilisation.toFixed(2),
    run.generatorShare.toFixed(2),
    latency(run),
    run.lost,
    run.retransmissions,
  ])
  const heads = ['scenario', 'server', 'workers', 'requests/s', 'times one', 'CPU µs a request']
  const processors = ['processors: server', 'generator']
  return table([...heads, ...processors, 'p50 / p99 ms', 'lost', 'retransmitted'], rows)
}

function against(value: number | undefined, kamailio: number | undefined, must: number): string {
  if (value === undefined || kamailio === undefined) return ''
  const ratio = value / kamailio
  return `**${ratio.toFixed(2)}** of ${must.toFixed(2)}: ${verdict(ratio, { must })}`
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [heads, heads.map(() => '---'), ...rows].map((line) => `| ${line.join(' | ')} |`).join('\n')
}
