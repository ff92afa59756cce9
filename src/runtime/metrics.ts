/**
 * Counters and gauges, kept in memory and read by whoever exports them. A metric with labels is declared
 * once with its label names; each combination of values seen is one series, and the number of series per
 * metric is bounded, so that no label taken from the wire can grow the table without end.
 */
export interface Counter {
  add(amount?: number, ...labelValues: string[]): void
  /** One series, looked up once: for who adds to it with every message. */
  series(...labelValues: string[]): Series
  /** The sum over all series, or the value of one. */
  value(...labelValues: string[]): number
}

export interface Series {
  add(amount?: number): void
}

export interface MetricSample {
  name: string
  kind: 'counter' | 'gauge'
  help: string
  labels: Record<string, string>
  value: number
  /** All workers of a router see the same value: there is no sum of it. */
  isShared?: boolean
}

export interface Metrics {
  /** `name` is in Prometheus' style: `viaduct_sip_requests_total`. Declaring twice gives the same counter. */
  counter(name: string, help: string, labels?: readonly string[]): Counter
  /** A value that is asked for when somebody looks. `isShared`: all workers of a router see the same one. */
  gauge(name: string, help: string, read: () => number, isShared?: boolean): void
  samples(): MetricSample[]
}

/** Series per metric; the rest is counted under the label value `other`. */
const seriesMax = 512

export function createMetrics(): Metrics {
  const counters = new Map<string, PlainCounter | LabelledCounter>()
  const gauges = new Map<string, { help: string; read: () => number; isShared: boolean }>()
  return {
    counter(name, help, labels = []) {
      const existing = counters.get(name)
      if (existing) return existing
      const created = labels.length === 0 ? new PlainCounter(help) : new LabelledCounter(help, labels)
      counters.set(name, created)
      return created
    },
    gauge(name, help, read, isShared = false) {
      gauges.set(name, { help, read, isShared })
    },
    samples() {
      const out: MetricSample[] = []
      for (const [name, counter] of counters) counter.samples(name, out)
      for (const [name, { help, read, isShared }] of gauges) {
        out.push({ name, kind: 'gauge', help, labels: {}, value: read(), ...(isShared && { isShared }) })
      }
      return out
    },
  }
}

/** Hot: without labels an addition is one, and makes no array of none. */
class PlainCounter implements Counter, Series {
  readonly #help: string
  #total = 0

  constructor(help: string) {
    this.#help = help
  }

  add(amount = 1): void {
    this.#total += amount
  }

  series(): Series {
    return this
  }

  value(...labelValues: string[]): number {
    return labelValues.length === 0 ? this.#total : 0
  }

  samples(name: string, out: MetricSample[]): void {
    out.push({ name, kind: 'counter', help: this.#help, labels: {}, value: this.#total })
  }
}

class LabelledCounter implements Counter {
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #series = new Map<string, LabelledSeries>()

  constructor(help: string, labels: readonly string[]) {
    this.#help = help
    this.#labels = labels
  }

  add(amount = 1, ...labelValues: string[]): void {
    this.series(...labelValues).add(amount)
  }

  series(...labelValues: string[]): LabelledSeries {
    const found = this.#series.get(keyOf(labelValues))
    if (found !== undefined) return found
    if (this.#series.size < seriesMax) return this.#create(labelValues)
    const other = this.#labels.map(() => 'other')
    return this.#series.get(keyOf(other)) ?? this.#create(other)
  }

  #create(values: readonly string[]): LabelledSeries {
    const created = new LabelledSeries(values)
    this.#series.set(keyOf(values), created)
    return created
  }

  value(...labelValues: string[]): number {
    if (labelValues.length > 0) return this.#series.get(keyOf(labelValues))?.total ?? 0
    let total = 0
    for (const series of this.#series.values()) total += series.total
    return total
  }

  /** A series that nobody has added to yet is none. */
  samples(name: string, out: MetricSample[]): void {
    for (const { values, total, isUsed } of this.#series.values()) {
      if (!isUsed) continue
      const labels = Object.fromEntries(this.#labels.map((label, i) => [label, values[i] ?? '']))
      out.push({ name, kind: 'counter', help: this.#help, labels, value: total })
    }
  }
}

class LabelledSeries implements Series {
  readonly values: readonly string[]
  total = 0
  isUsed = false

  constructor(values: readonly string[]) {
    this.values = values
  }

  add(amount = 1): void {
    this.total += amount
    this.isUsed = true
  }
}

function keyOf(labelValues: readonly string[]): string {
  return labelValues.length === 1 ? (labelValues[0] ?? '') : labelValues.join('\u0000')
}
