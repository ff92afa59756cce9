import type { CapturedDatagram } from './network.ts'

/**
 * Datagrams as the ladder that people draw of them:
 *
 *            alice                  router                    bob
 *     0.000    |--- MESSAGE sip:bob -->|                       |
 *     0.001    |                       |--- MESSAGE sip:bob -->|
 *
 * What did not arrive ends in an `x`, with the reason behind it.
 */
export interface LadderTextOptions {
  /** Columns from left to right; hosts that are missing come after them as they appear. */
  readonly hosts?: readonly string[]
  /** Most characters of a label. Default 28. */
  readonly labelMax?: number
}

export function ladderText(captured: readonly CapturedDatagram[], options: LadderTextOptions = {}): string {
  const hosts = columnsOf(captured, options.hosts ?? [])
  const labels = captured.map(({ text }) => labelOf(text, options.labelMax ?? 28))
  const gap = Math.max(
    12,
    ...labels.map(({ length }) => length + 8),
    ...hosts.map(({ length }) => length + 2),
  )
  const lines = captured.map((datagram, i) => arrow(datagram, labels[i] ?? '', hosts, gap))
  return [heading(hosts, gap), ...lines].join('\n')
}

/** `MESSAGE sip:bob@example.com`, `200 OK`. */
function labelOf(text: string, max: number): string {
  const startLine = text.slice(0, text.indexOf('\r\n') >>> 0).replace(/[^\x20-\x7e]/g, '?')
  const words = startLine.startsWith('SIP/2.0 ') ? startLine.slice(8) : startLine.replace(/ SIP\/2\.0$/, '')
  return words.length > max ? `${words.slice(0, max - 1)}~` : words || '(keepalive)'
}

function columnsOf(captured: readonly CapturedDatagram[], first: readonly string[]): string[] {
  const columns = new Set(first)
  for (const { fromHost, toHost, to } of captured) {
    columns.add(fromHost)
    columns.add(toHost || to.address)
  }
  return [...columns].filter((name) =>
    captured.some(({ fromHost, toHost, to }) => fromHost === name || (toHost || to.address) === name),
  )
}

const timeWidth = 10

/** Where the line of a column stands: the first one leaves room for half of its name. */
function position(hosts: readonly string[], host: string, gap: number): number {
  return ((hosts[0]?.length ?? 0) >> 1) + 1 + hosts.indexOf(host) * gap
}

function heading(hosts: readonly string[], gap: number): string {
  let line = ' '.repeat(timeWidth)
  for (const host of hosts) {
    const start = timeWidth + position(hosts, host, gap) - (host.length >> 1)
    line = line.padEnd(start) + host
  }
  return line
}

function arrow(datagram: CapturedDatagram, label: string, hosts: readonly string[], gap: number): string {
  const from = position(hosts, datagram.fromHost, gap)
  const to = position(hosts, datagram.toHost || datagram.to.address, gap)
  const row = new Array<string>(position(hosts, hosts.at(-1) ?? '', gap) + 1).fill(' ')
  for (const host of hosts) row[position(hosts, host, gap)] = '|'
  const [left, right] = from < to ? [from, to] : [to, from]
  const shaft = centred(` ${label} `, right - left - 1, '-')
  for (let i = 0; i < shaft.length; i++) row[left + 1 + i] = shaft[i] ?? '-'
  const arrived = datagram.fate === 'delivered' || datagram.fate === 'on its way'
  if (to > from) row[to - 1] = arrived ? '>' : 'x'
  else row[to + 1] = arrived ? '<' : 'x'
  const time = (datagram.at / 1_000).toFixed(3).padStart(timeWidth - 2)
  return `${time}  ${row.join('').trimEnd()}${arrived ? '' : `  ${datagram.fate}`}`
}

function centred(text: string, width: number, fill: string): string {
  const before = Math.max(0, (width - text.length) >> 1)
  return (fill.repeat(before) + text).padEnd(width, fill)
}

/** Two texts side by side, line by line. */
export function sideBySide(leftTitle: string, left: string, rightTitle: string, right: string): string {
  const leftLines = [leftTitle, '-'.repeat(leftTitle.length), ...left.split('\n')]
  const rightLines = [rightTitle, '-'.repeat(rightTitle.length), ...right.split('\n')]
  const width = Math.max(...leftLines.map(({ length }) => length)) + 3
  const rows = Math.max(leftLines.length, rightLines.length)
  const out: string[] = []
  for (let i = 0; i < rows; i++)
    out.push(`${(leftLines[i] ?? '').padEnd(width)}${rightLines[i] ?? ''}`.trimEnd())
  return out.join('\n')
}
