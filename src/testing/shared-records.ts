import type { Binding } from '../location/binding.ts'
import type { Change } from '../location/location.ts'
import { urisEqual } from '../sip/uri.ts'

/**
 * What a directory that edges share has of one location table, and who wins there (docs/decisions/0025-edges.md): plainly
 * written, to be compared with. It has one clock, which is all edges'.
 */
export interface SharedRecord {
  readonly edge: string
  readonly binding: Binding
}

/** What was removed: nothing that was written before may come back. */
interface Tombstone {
  readonly binding: Binding
  readonly request: Change['request']
  readonly at: number
}

export interface ToldChange extends Change {
  /** When it was made, in milliseconds of the clock. */
  readonly at: number
}

/** usrloc's matching_mode. */
export type SharedMatching = 0 | 1 | 2 | 3

export class SharedRecords {
  readonly #mode: SharedMatching
  readonly #records = new Map<string, SharedRecord[]>()
  readonly #tombstones = new Map<string, Tombstone[]>()

  constructor(mode: SharedMatching) {
    this.#mode = mode
  }

  of(aor: string, now: number): readonly SharedRecord[] {
    return (this.#records.get(aor) ?? []).filter(({ binding }) => binding.expiresAt > now)
  }

  /** Null: one of the changes came too late, and nothing has changed. Otherwise what other edges have lost by them. */
  tell(edge: string, changes: readonly ToldChange[], now: number): readonly SharedRecord[] | null {
    if (changes.some((change) => this.#isOutdated(edge, change, now))) return null
    return changes.flatMap((change) => this.#make(edge, change, now))
  }

  forget(): void {
    this.#records.clear()
    this.#tombstones.clear()
  }

  #isOutdated(edge: string, { before, after, request, at }: ToldChange, now: number): boolean {
    const aor = (after ?? before)?.aor ?? ''
    for (const record of this.of(aor, now)) {
      if (record.edge === edge) continue
      if (after !== null && this.#isSame(record.binding, after) && !isNewer(after, at, record.binding))
        return true
      const isRemoved = after === null && record.binding.ruid === before?.ruid
      if (isRemoved && request !== undefined && !isNewer(request, at, record.binding)) return true
    }
    if (after === null) return false
    const buried = this.#buried(aor, now).filter(({ binding }) => this.#isSame(binding, after))
    return buried.some((tombstone) => !isAfter(after, at, tombstone))
  }

  #make(edge: string, change: ToldChange, now: number): SharedRecord[] {
    const { before, after, request, at } = change
    const aor = (after ?? before)?.aor ?? ''
    const records = this.of(aor, now)
    const isLost = (record: SharedRecord) =>
      record.binding.ruid === before?.ruid ||
      (after !== null && record.edge !== edge && this.#isSame(record.binding, after))
    const left = records.filter((record) => !isLost(record) && record.binding.ruid !== after?.ruid)
    const lost = records.filter(isLost)
    this.#records.set(aor, after === null ? left : [...left, { edge, binding: after }])
    if (after === null && before !== null && lost.length > 0) {
      this.#tombstones.set(aor, [...this.#buried(aor, now), { binding: before, request, at }])
    }
    return lost.filter((record) => record.edge !== edge)
  }

  #buried(aor: string, now: number): readonly Tombstone[] {
    return (this.#tombstones.get(aor) ?? []).filter(({ binding }) => binding.expiresAt > now)
  }

  /** As usrloc and registrar have it within one edge. */
  #isSame(a: Binding, b: Binding): boolean {
    if (a.origin !== b.origin) return false
    if (a.origin === 'learned') return true
    if (a.instance !== '' && a.instance === b.instance && a.regId === b.regId) return true
    if (a.regId !== 0 && b.regId !== 0) return false
    if (this.#mode === 3) return a.callId === b.callId
    if (a.contact !== b.contact && !urisEqual(a.contact, b.contact)) return false
    if (this.#mode === 1) return a.callId === b.callId
    return this.#mode !== 2 || a.path.join() === b.path.join()
  }
}

type Request = Pick<Binding, 'callId' | 'cseq'>

/** Of one Call-ID the higher CSeq, otherwise the later one. */
function isNewer(request: Request, at: number, binding: Binding): boolean {
  const isOfOneCall = request.callId !== '' && request.callId === binding.callId
  return isOfOneCall ? request.cseq > binding.cseq : at >= binding.modifiedAt
}

function isAfter(after: Binding, at: number, { request, at: buriedAt }: Tombstone): boolean {
  const isOfOneCall = request !== undefined && request.callId === after.callId
  return isOfOneCall ? after.cseq > request.cseq : at > buriedAt
}
