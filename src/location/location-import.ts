import type { Clock } from '../runtime/clock.ts'
import { type Binding, createBinding } from './binding.ts'
import { judge, type Verdict } from './import-precedence.ts'
import type { Listed, ListedBinding } from './listed-binding.ts'
import type { Location } from './location.ts'

/** Bindings of a dump, or of another store, into a location table: as many at a time as the table takes together. */
export interface ImportOptions {
  readonly location: Location
  readonly clock: Clock
  readonly newRuid: (aor: string) => string
  /** Also where what is there is newer. */
  readonly replace: boolean
  /** Nothing is changed, and the counts are what they would be. */
  readonly dryRun: boolean
  readonly onFault: (line: number, reason: string) => void
}

export type ImportCount =
  | Exclude<Verdict, 'add' | 'replace'>
  | 'read'
  | 'added'
  | 'replaced'
  /** Their lifetime has ended. */
  | 'expired'
  /** They hang on a NAT's pinhole, which is not there any more or not here: the device teaches it again. */
  | 'onFlows'
  | 'faults'

export type ImportCounts = Record<ImportCount, number>

/** Changes on their way into the table. */
const changesUnderWay = 500

export async function importBindings(
  listed: AsyncIterable<Listed>,
  options: ImportOptions,
): Promise<ImportCounts> {
  const counts: ImportCounts = {
    read: 0,
    added: 0,
    replaced: 0,
    same: 0,
    older: 0,
    lower: 0,
    expired: 0,
    onFlows: 0,
    faults: 0,
  }
  let underWay: Promise<void>[] = []
  for await (const one of listed) {
    if (one.kind === 'fault') {
      counts.faults++
      options.onFault(one.line, one.reason)
      continue
    }
    counts.read++
    const ready = take(one.binding, one.line, options, counts)
    if (ready !== null) underWay.push(ready)
    if (underWay.length < changesUnderWay) continue
    await Promise.all(underWay)
    underWay = []
  }
  await Promise.all(underWay)
  return counts
}

function take(
  listed: ListedBinding,
  line: number,
  options: ImportOptions,
  counts: ImportCounts,
): Promise<void> | null {
  const { location, clock, newRuid } = options
  const toWall = clock.wall() - clock.now()
  if (listed.flow !== '' || listed.origin === 'learned') counts.onFlows++
  else if (listed.expires <= clock.wall()) counts.expired++
  else {
    const { verdict, existing } = judge(listed, location.of(listed.aor), toWall, options.replace)
    if (verdict !== 'add' && verdict !== 'replace') counts[verdict]++
    else {
      counts[verdict === 'add' ? 'added' : 'replaced']++
      if (options.dryRun) return null
      const after = bindingOf(listed, existing?.ruid ?? newRuid(listed.aor), toWall)
      return made(location, existing, after, line, options, counts)
    }
  }
  return null
}

async function made(
  location: Location,
  before: Binding | null,
  after: Binding,
  line: number,
  { onFault }: ImportOptions,
  counts: ImportCounts,
): Promise<void> {
  try {
    await location.apply([{ before, after }])
  } catch (error) {
    counts[before === null ? 'added' : 'replaced']--
    counts.faults++
    onFault(line, `${after.aor}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Names are given anew: ours say where a binding is, and the same name twice would be one binding. */
function bindingOf(listed: ListedBinding, ruid: string, toWall: number): Binding {
  const { expires, modified, flow: _flow, ...rest } = listed
  return createBinding({ ...rest, ruid, expiresAt: expires - toWall, modifiedAt: modified - toWall })
}
