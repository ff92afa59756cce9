import type { MetricSample, Metrics } from '../runtime/metrics.ts'
import { Exchange } from './exchange.ts'
import type { Workers } from './workers.ts'

/** The metrics of one worker whose samples are those of the router. Of what the workers share the largest counts. */
export interface SummedMetrics extends Metrics {
  publish(): void
}

export function summedMetrics(own: Metrics, workers: Workers): SummedMetrics {
  const exchange = new Exchange<MetricSample[]>(workers, 'metrics', () => own.samples())
  return {
    counter: own.counter,
    gauge: own.gauge,
    publish: () => exchange.publish(),
    samples() {
      const sums = new Map<string, MetricSample>()
      for (const sample of own.samples()) sums.set(keyOf(sample), { ...sample })
      for (const samples of exchange.others()) for (const sample of samples) include(sums, sample)
      return [...sums.values()]
    },
  }
}

function include(sums: Map<string, MetricSample>, sample: MetricSample): void {
  const sum = sums.get(keyOf(sample))
  if (sum === undefined) sums.set(keyOf(sample), { ...sample })
  else sum.value = sample.isShared === true ? Math.max(sum.value, sample.value) : sum.value + sample.value
}

function keyOf({ name, labels }: MetricSample): string {
  return `${name}\n${Object.values(labels).join('\n')}`
}
