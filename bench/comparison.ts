import type { Rate } from './generator.ts'
import type { Run } from './measurement.ts'
import { type Bar, scenario, unmoderated } from './scenarios.ts'
import type { Measured } from './session.ts'

/** What a session found, one for each scenario and rate: the ratio, and whether the bar holds. */
export interface Comparison {
  readonly scenario: string
  readonly rate: Rate
  readonly kamailio: Run | null
  readonly viaduct: Run | null
  /** CPU of Viaduct divided by that of Kamailio. */
  readonly ratio: number | null
  /** Of Viaduct. */
  readonly engine: string | null
  readonly must: number | null
  readonly reach: number | null
  readonly verdict: Verdict | null
  /** Runs that were set aside. */
  readonly dirtyRuns: number
  /** False: no run of one of the servers was clean. */
  readonly isClean: boolean
}

export type Verdict = 'reached' | 'holds' | 'misses'

export function compared(measured: readonly Measured[]): Comparison[] {
  const keys = [...new Set(measured.map(({ scenario, rate }) => `${scenario} ${rate}`))]
  return keys.map((key) => {
    const pair = measured.filter(({ scenario, rate }) => `${scenario} ${rate}` === key)
    const of = (server: string) => pair.find((one) => one.server === server)?.run ?? null
    const [kamailio, viaduct] = [of('kamailio'), of('viaduct')]
    const { scenario: name = '', rate = 'sat' } = pair[0] ?? {}
    const bar = barOf(name, rate, pair.some(isModerated))
    const ratio = kamailio && viaduct && viaduct.cpuMicroseconds / kamailio.cpuMicroseconds
    return {
      scenario: name,
      rate,
      kamailio,
      viaduct,
      ratio,
      engine: pair.find(({ server }) => server === 'viaduct')?.engine ?? null,
      must: bar?.must ?? null,
      reach: bar?.reach ?? null,
      verdict: ratio === null || bar === null ? null : verdict(ratio, bar),
      dirtyRuns: pair.reduce((sum, one) => sum + one.dirtyRuns, 0),
      isClean: pair.every(({ run }) => !run.isDirty),
    }
  })
}

/** By what it says itself: `native (2000 us of moderation)`, `native (no moderation)`, `node:dgram`. */
function isModerated({ engine }: Measured): boolean {
  return /\(\d+ us of moderation\)/.test(engine ?? '')
}

function barOf(name: string, rate: Rate, moderated: boolean): Bar | null {
  const bars = scenario(name).bars
  if (bars === undefined) return null
  if (rate === 'sat') return bars.saturated
  return moderated ? bars.paced : unmoderated
}

/** To the two decimals that are shown. */
export function verdict(ratio: number, { must, reach }: Bar): Verdict {
  const shown = Number(ratio.toFixed(2))
  return shown <= (reach ?? -1) ? 'reached' : shown <= must ? 'holds' : 'misses'
}
