/**
 * How much is to be turned away: a state and a sample of the processor give the next state. No clock, no message.
 *
 *   calm --busy for `samplesToBegin` in a row--> shedding --nothing turned away and not busy for `samplesToEnd`--> calm
 *
 * `level` is a share: from 0 to 1 of the newcomers, from 1 to 2 of those, too, who come again at the time that they were
 * told. It rises fast and falls slowly, so that the processor stays between the two thresholds and the queue short.
 */
export interface Pressure {
  readonly isShedding: boolean
  readonly level: number
  /** Samples in a row that speak for the other state. */
  readonly inRow: number
}

export const calm: Pressure = { isShedding: false, level: 0, inRow: 0 }

/** A loop that sleeps less than this share of its time does not keep up, or is about not to. */
const busyShare = 0.95
/** Above it nothing more is let in. */
const targetShare = 0.85
/** 0.8 seconds: no collection of garbage takes so long, and no queue of datagrams lasts much longer. */
const samplesToBegin = 4
/** 5 seconds. */
const samplesToEnd = 25
const firstLevel = 0.5
/** Per sample. Who comes at the time that it was told is turned away late and let in again early. */
const newcomers = { rise: 0.1, fall: 0.02 }
const appointed = { rise: 0.05, fall: 0.1 }

/** `busy`: the share of its time that the loop did not sleep, 0 to 1. */
export function pressed(before: Pressure, busy: number): Pressure {
  return before.isShedding ? shedding(before, busy) : watching(before, busy)
}

function watching({ inRow }: Pressure, busy: number): Pressure {
  if (busy < busyShare) return calm
  if (inRow + 1 < samplesToBegin) return { isShedding: false, level: 0, inRow: inRow + 1 }
  return { isShedding: true, level: firstLevel, inRow: 0 }
}

function shedding({ level, inRow }: Pressure, busy: number): Pressure {
  const { rise } = level < 1 ? newcomers : appointed
  const { fall } = level > 1 ? appointed : newcomers
  if (busy >= busyShare) return { isShedding: true, level: Math.min(2, level + rise), inRow: 0 }
  if (busy >= targetShare) return { isShedding: true, level, inRow: 0 }
  if (level > 0) return { isShedding: true, level: Math.max(0, level - fall), inRow: 0 }
  return inRow + 1 < samplesToEnd ? { isShedding: true, level: 0, inRow: inRow + 1 } : calm
}

/** Whether more could be let in than is. */
export function hasRoom(busy: number): boolean {
  return busy < targetShare
}
