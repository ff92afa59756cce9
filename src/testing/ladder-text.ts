import type { CapturedDatagram } from './network.ts'

/**
 * Datagrams as the ladder that people draw of them:
 *
 *              alice                   router                    bob
 *     0.000      |--- MESSAGE sip:bob --->|                       |
 *     0.001      |                        |--- MESSAGE sip:bob -->|
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

function heading(hosts: readonly string[], gap: number): string {
  const line = hosts.map((host) => centred(host, gap, ' ')).join('')
  return `${' '.repeat(timeWidth)}${line}`.trimEnd()
}

function arrow(datagram: CapturedDatagram, label: string, hosts: readonly string[], gap: number): string {
  const position = (host: string) => hosts.indexOf(host) * gap + (gap >> 1)
  const from = position(datagram.fromHost)
  const to = position(datagram.toHost || datagram.to.address)
  const row = new Array<string>(hosts.length * gap).fill(' ')
  for (const host of hosts) row[position(host)] = '|'
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
