import { expect, test } from 'vitest'
import { type Binding, createBinding } from '../../src/location/binding.ts'
import { Locations } from '../../src/location/locations.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { privateRegions } from '../../src/store/region.ts'
import type { SocketTable } from '../../src/transport/socket.ts'

/**
 * `lookup()` and `save()` reduced to what they ask of the location table, at three sizes. Users are visited in
 * scattered order, as in life: at a million the price is that of memory which is in no cache, not that of the code.
 */
const clock = systemClock()

/** A step that has no divisor in common with any of the sizes visits all users, each far from the one before. */
const step = 7_368_787

test.for([1_000, 100_000, 1_000_000])('location of %i users', async (users, { bench }) => {
  const aors = Array.from({ length: users }, (_, index) => `u${String(index).padStart(7, '0')}`)
  const location = locations.open(`of ${users}`)
  for (const aor of aors) location.applyUnwatched([{ before: null, after: bindingOf(aor, 1) }])
  let position = 0
  const nextAor = () => aors[(position = (position + step) % users)] ?? ''

  await bench.compare(
    bench('of: an address-of-record that is there', () => void location.of(nextAor())),
    bench('of: one that is not', () => void location.of(`${nextAor()}x`)),
    bench('applyUnwatched: a refresh', () => {
      const before = location.of(nextAor())[0]
      if (before === undefined) throw new Error('somebody is gone')
      location.applyUnwatched([
        { before, after: { ...bindingOf(before.aor, before.cseq + 1), ruid: before.ruid } },
      ])
    }),
  )
  expect(location.bindingCount).toBe(users)
})

const locations = new Locations(
  {
    clock,
    log: silentLog,
    random: systemRandom(),
    sockets: { find: () => null } as unknown as SocketTable,
    openTable: memoryStore().open,
    openRegion: privateRegions(),
  },
  { isDurable: false, kind: '' },
)

function bindingOf(aor: string, cseq: number): Binding {
  return createBinding({
    aor,
    ruid: locations.newRuid(aor),
    contact: `sip:${aor}@198.51.100.7:5060`,
    callId: `${aor}@198.51.100.7`,
    cseq,
    userAgent: 'telephone/1.0',
    socket: 'udp:192.0.2.1:5060',
    expiresAt: clock.now() + 3_600_000,
  })
}
