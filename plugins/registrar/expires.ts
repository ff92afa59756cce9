import type { Random } from '../../src/plugin/index.ts'
import type { RegistrarSettings } from './settings.ts'

/**
 * How long a binding is granted: RFC 3261 §10.3 step 7, with Kamailio's parameters. The Contact's parameter
 * counts before the header, the header before the default; 0 removes. Seconds.
 */
export type ExpiresSettings = Pick<
  RegistrarSettings,
  'defaultExpires' | 'defaultExpiresRange' | 'expiresRange' | 'minExpires' | 'minExpiresMode' | 'maxExpires'
>

/** What of a request and its script counts for all of its contacts. */
export interface Terms {
  /** The Expires header; null if there is none. */
  readonly header: number | null
  /** What the script says instead, of whatever is not removed; null: nothing. */
  readonly override: number | null
  /** Null: exactly what was asked for. */
  readonly random: Random | null
}

/** What one contact that asks for so much gets, as grantedExpires() gives it. */
export function lifetimeOf(asked: number | null, terms: Terms, settings: ExpiresSettings): number {
  const { header, override, random } = terms
  const wanted = override === null || (asked ?? header) === 0 ? asked : override
  return grantedExpires(wanted, header, settings, random)
}

/** -1: shorter than min_expires, and min_expires_mode says that this is to be refused. */
export function grantedExpires(
  contact: number | null,
  header: number | null,
  settings: ExpiresSettings,
  random: Random | null,
): number {
  const wanted = contact ?? header
  if (wanted === 0) return 0
  let granted = wanted ?? settings.defaultExpires
  const range = wanted === null ? settings.defaultExpiresRange : settings.expiresRange
  granted = varied(granted, range, random)
  if (granted < settings.minExpires) {
    if (settings.minExpiresMode === 1) return -1
    granted = settings.minExpires
  }
  return settings.maxExpires > 0 ? Math.min(granted, settings.maxExpires) : granted
}

/** Within `range` per cent below and above; exact with flag 0x08 of save(), when `random` is null. */
function varied(seconds: number, range: number, random: Random | null): number {
  if (range <= 0 || random === null || seconds === 0) return seconds
  const spread = Math.floor((seconds * Math.min(range, 100)) / 100)
  return Math.max(1, seconds - spread + random.integer(2 * spread + 1))
}
