/**
 * Counters and gauges, kept in memory and read by whoever exports them. A metric with labels is declared
 * once with its label names; each combination of values seen is one series, and the number of series per
 * metric is bounded, so that no label taken from the wire can grow the table without end.
 */
export interface Counter {
  add(amount?: number, ...labelValues: string[]): void
  /** The sum over all series, or the value of one. */
  value(...labelValues: string[]): number
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
  const counters = new Map<string, SeriesCounter>()
  const gauges = new Map<string, { help: string; read: () => number; isShared: boolean }>()
  return {
    counter(name, help, labels = []) {
      const existing = counters.get(name)
      if (existing) return existing
      const created = new SeriesCounter(help, labels)
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

class SeriesCounter implements Counter {
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #series = new Map<string, { values: string[]; total: number }>()
  #total = 0

  constructor(help: string, labels: readonly string[]) {
    this.#help = help
    this.#labels = labels
  }

  add(amount = 1, ...labelValues: string[]): void {
    this.#total += amount
    if (this.#labels.length === 0) return
    let key = labelValues.join('\u0000')
    let values = labelValues
    if (!this.#series.has(key) && this.#series.size >= seriesMax) {
      values = this.#labels.map(() => 'other')
      key = values.join('\u0000')
    }
    const series = this.#series.get(key)
    if (series) series.total += amount
    else this.#series.set(key, { values, total: amount })
  }

  value(...labelValues: string[]): number {
    if (labelValues.length === 0) return this.#total
    return this.#series.get(labelValues.join('\u0000'))?.total ?? 0
  }

  samples(name: string, out: MetricSample[]): void {
    if (this.#labels.length === 0) {
      out.push({ name, kind: 'counter', help: this.#help, labels: {}, value: this.#total })
      return
    }
    for (const { values, total } of this.#series.values()) {
      const labels = Object.fromEntries(this.#labels.map((label, i) => [label, values[i] ?? '']))
      out.push({ name, kind: 'counter', help: this.#help, labels, value: total })
    }
  }
}
