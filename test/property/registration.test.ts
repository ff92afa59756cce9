import fc from 'fast-check'
import { expect, test } from 'vitest'
import registrar from '../../plugins/registrar/index.ts'
import type { UsrlocExports } from '../../plugins/usrloc/exports.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import { createBinding, type Location } from '../../src/plugin/index.ts'
import { createEdge, type EdgeContext, requestText, udpSocket } from '../plugins/edge.ts'

/**
 * save() has a quick way for what nearly every REGISTER is, and a general one for whatever may come. Whoever listens for
 * whole bindings has all of them go the general way: two registrars, one of which has such a listener, get the same
 * requests, and must do the same.
 */
interface Registration {
  readonly user: string
  readonly contacts: readonly string[]
  readonly lines: readonly string[]
  readonly callId: string
  readonly cseq: number
  readonly flags: string
  readonly by: string | null
  readonly received: string | null
  readonly branchFlags: number
  readonly socket: number
  /** What the script makes of the contact's URI: fix_nated_contact(). */
  readonly corrected: string | null
}

type Step =
  | { readonly kind: 'register'; readonly registration: Registration }
  /** The registration before it again, with this more in its CSeq. */
  | { readonly kind: 'again'; readonly more: number }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'look'; readonly user: string }
  | { readonly kind: 'learn'; readonly user: string }
  | { readonly kind: 'expire' }

const often = <T>(usual: T, ...others: T[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  )
const users = fc.constantFrom('alice', 'bob')
const contact = often(
  '<sip:a@1.2.3.4:5070>;expires=100',
  '<sip:a@1.2.3.4:5070>',
  '<sip:A@1.2.3.4:5070>',
  'sip:a@1.2.3.4:5070',
  '< sip:a@1.2.3.4:5070 >',
  '"A" <sip:a@1.2.3.4:5070>;expires=60',
  '<sip:a@1.2.3.4:5070>;expires=0',
  '<sip:a@1.2.3.4:5070>;expires=10',
  '<sip:a@1.2.3.4:5070>;expires=',
  '<sip:a@1.2.3.4:5070>;expires=99999999999',
  '<sip:a@1.2.3.4:5070>;q=0.5',
  '<sip:a@1.2.3.4:5070>;expires=90;q=1',
  '<sip:a@1.2.3.4:5070>;+sip.instance="<urn:uuid:1>"',
  '<sip:a@1.2.3.4:5070>;+sip.instance="<urn:uuid:1>";reg-id=1',
  '<sip:a@1.2.3.4:5070>, <sip:b@1.2.3.4>',
  '<sip:b@1.2.3.4>;expires=100',
  '<sip:b@1.2.3.4',
  '<nonsense>',
  '*',
)
const line = fc.constantFrom(
  'Expires: 300',
  'Expires: 0',
  'Expires: x',
  'User-Agent: phone/1.0',
  'User-Agent: phone/2.0',
  'Allow: INVITE, BYE',
  'Path: <sip:edge.example;lr>',
  'Supported: path, gruu, outbound',
  'Require: outbound',
)
const registration: fc.Arbitrary<Registration> = fc.record({
  user: users,
  contacts: fc.oneof(
    { weight: 6, arbitrary: contact.map((only) => [only]) },
    { weight: 1, arbitrary: fc.array(contact, { maxLength: 3 }) },
  ),
  lines: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(line, { maxLength: 3 }) },
  ),
  callId: often('call-1', 'call-2', 'call-10'),
  cseq: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 100, max: 200 })),
  flags: often('', '1', '4', '8', '12'),
  by: often<string | null>('alice', 'bob', null),
  received: often<string | null>(null, 'sip:198.51.100.7:5060', 'sip:198.51.100.8:5060'),
  branchFlags: often(0, 1, 64),
  socket: often(0, 1),
  corrected: often<string | null>(null, 'sip:a@198.51.100.7:5060'),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: registration.map((of) => ({ kind: 'register', registration: of }) as const) },
  { weight: 12, arbitrary: often(1, 0, -1, 90).map((more) => ({ kind: 'again', more }) as const) },
  {
    weight: 2,
    arbitrary: often(5, 1_000, 15_000, 99_000, 400_000).map(
      (milliseconds) => ({ kind: 'wait', milliseconds }) as const,
    ),
  },
  { weight: 1, arbitrary: users.map((user) => ({ kind: 'look', user }) as const) },
  { weight: 1, arbitrary: users.map((user) => ({ kind: 'learn', user }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'expire' } as const) },
)
const params = fc.record({
  max_contacts: often(0, 1, 2),
  default_q: often(-1, 500),
  min_expires_mode: fc.constantFrom(0, 1),
  max_expires: often(0, 80),
  use_path: fc.constantFrom(0, 1),
  path_mode: fc.constantFrom(0, 1, 2),
  outbound_mode: often(0, 1, 2),
  received_param: often('received', ''),
  contact_max_size: often(512, 18),
})
const tableParams = fc.record({
  matching_mode: fc.constantFrom(0, 0, 0, 1, 2, 3),
  cseq_delay: often(20, 1),
  db_mode: often(0, 1),
})

async function registrarWith(values: Record<string, unknown>, table: Record<string, unknown>) {
  const sockets = [udpSocket(0, '192.0.2.1', 5060), udpSocket(1, '192.0.2.1', 5070)]
  const edge = createEdge({ sockets })
  let received: string | null = null
  let former: Registration | null = null
  await edge.load(usrloc, table)
  await edge.load(registrar, { ...values, received_avp: { read: () => received } })
  await edge.start()
  const location: Location = edge.exportsOf<UsrlocExports>('usrloc').table('location')
  let refreshes = 0
  const refresh = location.refresh.bind(location)
  location.refresh = (...given) => {
    const outcome = refresh(...given)
    if (outcome === 'done') refreshes++
    return outcome
  }
  const all = () => ['alice', 'bob'].flatMap((user) => location.of(user))
  return {
    location,
    get refreshes() {
      return refreshes
    },
    async takes(one: Step): Promise<unknown> {
      if (one.kind === 'wait') await edge.clock.advance(one.milliseconds)
      else if (one.kind === 'look') return location.of(one.user)
      else if (one.kind === 'expire') return location.expire()
      else if (one.kind === 'learn') {
        const flow = location.flows.open(
          { socket: sockets[0] as never, address: '10.0.0.1', port: 5060 },
          0,
          1e9,
        )
        const learned = { aor: one.user, ruid: `learned-${one.user}`, contact: 'sip:learned', flow }
        const before = location.byRuid(learned.ruid) ?? null
        location.applyUnwatched([{ before, after: createBinding({ ...learned, origin: 'learned' }) }])
      } else {
        const registration = one.kind === 'register' ? one.registration : again(former, one.more)
        if (registration === null) return undefined
        former = registration
        received = registration.received
        const context = contextOf(registration)
        const rc = edge.call('save', context, 'location', registration.flags)
        await edge.clock.settle()
        return { rc, replies: context.replies, all: all().map((binding) => ({ ...binding, flow: null })) }
      }
      return undefined
    },
    counts: () => ({
      updated: edge.count('viaduct_location_changes_total', 'updated', 'registered'),
      added: edge.count('viaduct_location_changes_total', 'added', 'registered'),
      accepted: edge.count('viaduct_registrar_requests_total', 'accepted', '200'),
      bindings: location.bindingCount,
      now: edge.clock.now(),
    }),
  }

  function contextOf(one: Registration): EdgeContext {
    const uri = `sip:${one.user}@192.0.2.1`
    const text = requestText('REGISTER', {
      from: uri,
      to: uri,
      callId: one.callId,
      cseq: one.cseq,
      lines: [...one.contacts.map((value) => `Contact: ${value}`), ...one.lines],
    })
    const context = edge.receives(text, { socket: sockets[one.socket] ?? udpSocket(0, '192.0.2.1', 5060) })
    const { message, edits, scope, target } = context
    const start = message.text.indexOf('sip:', message.text.indexOf('\r\nContact: '))
    const end = message.text.indexOf('>', start)
    if (one.corrected !== null && start > 0 && end > start) edits.correct(start, end, one.corrected)
    if (one.by !== null) scope.authenticated = { user: one.by, realm: '192.0.2.1' } as never
    target.flags = one.branchFlags
    return context
  }
}

function again(former: Registration | null, more: number): Registration | null {
  return former === null ? null : { ...former, cseq: Math.max(0, former.cseq + more) }
}

test('the quick way of save() is the general way', async () => {
  let refreshes = 0
  await fc.assert(
    fc.asyncProperty(
      params,
      tableParams,
      fc.array(step, { minLength: 5, maxLength: 40 }),
      async (values, table, steps) => {
        const quick = await registrarWith(values, table)
        const general = await registrarWith(values, table)
        general.location.onChange(() => {})
        for (const one of steps) expect(await quick.takes(one)).toEqual(await general.takes(one))
        expect(quick.counts()).toEqual(general.counts())
        expect(general.refreshes).toBe(0)
        refreshes += quick.refreshes
      },
    ),
    { numRuns: 150 },
  )
  // Or the law would say nothing.
  expect(refreshes).toBeGreaterThan(100)
})
