import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalAor } from '../../src/location/aor.ts'
import { type Binding, createBinding, type Origin } from '../../src/location/binding.ts'
import { ExpiryQueue } from '../../src/location/expiry.ts'
import { budgetOf, FlowTable } from '../../src/location/flows.ts'
import { chooseBindings, inOrder, mayReplace } from '../../src/location/precedence.ts'
import { customerPrefix, isUnicast, parsePrefix } from '../../src/location/prefix.ts'
import type { ListenSocket } from '../../src/transport/socket.ts'

const socket = { index: 0, label: 'udp:192.0.2.1:5060' } as ListenSocket
const flow = (port: number, index = 0) => ({
  socket: { ...socket, index } as ListenSocket,
  address: '198.51.100.1',
  port,
})

describe('precedence', () => {
  const order: Origin[] = ['learned', 'delegated', 'registered', 'static']

  test('a lower origin never replaces a higher one', () => {
    for (const [i, writer] of order.entries()) {
      for (const [j, existing] of order.entries()) expect(mayReplace(writer, existing)).toBe(i >= j)
    }
  })

  const binding = (origin: Origin, reachableUntil: number | null): Binding => {
    const state = reachableUntil === null ? null : new FlowTable().open(flow(1), reachableUntil - 60, 60)
    return createBinding({
      aor: 'a',
      ruid: `${origin}${reachableUntil}`,
      contact: 'sip:a@b',
      origin,
      flow: state,
    })
  }

  test.each<[string, Binding[], Origin[], boolean]>([
    ['nothing', [], [], false],
    [
      'the highest origin alone',
      [binding('learned', 100), binding('registered', null)],
      ['registered'],
      false,
    ],
    [
      'all of one origin',
      [binding('registered', null), binding('registered', null)],
      ['registered', 'registered'],
      false,
    ],
    [
      'what is cold does not stand in the way',
      [binding('delegated', 10), binding('learned', 100)],
      ['learned'],
      false,
    ],
    ['only cold ones', [binding('delegated', 10), binding('learned', 20)], [], true],
  ])('lookup takes %s', (_name, bindings, origins, isCold) => {
    const chosen = chooseBindings(bindings, 50)
    expect([chosen.bindings.map(({ origin }) => origin), chosen.isCold]).toEqual([origins, isCold])
  })

  test('by descending q, unset last; or the newest first', () => {
    const made = [200, -1, 900, 900].map((q, i) =>
      createBinding({ aor: 'a', ruid: `${i}`, contact: 'sip:a', q, modifiedAt: i }),
    )
    const refreshed = made.with(
      2,
      createBinding({ aor: 'a', ruid: '2', contact: 'sip:a', q: 900, modifiedAt: 9 }),
    )
    expect(inOrder(refreshed).map(({ ruid }) => ruid)).toEqual(['2', '3', '0', '1'])
    expect(inOrder(refreshed, true).map(({ ruid }) => ruid)).toEqual(['2', '3', '1', '0'])
    expect(inOrder(made).map(({ ruid }) => ruid)).toEqual(['2', '3', '0', '1'])
    expect(inOrder(made, true).map(({ ruid }) => ruid)).toEqual(['3', '2', '1', '0'])
  })
})

describe('flows', () => {
  test('packets that come in move the pinhole; one that has closed stays closed', () => {
    const flows = new FlowTable()
    const state = flows.open(flow(1), 0, 60)
    expect(flows.heard(flow(1), 10, 50)).toBe(state)
    expect(state.reachableUntil).toBe(110)
    expect(flows.heard(flow(2), 10, 50)).toBeUndefined()
    expect(flows.heard(flow(1, 1), 10, 50)).toBeUndefined()
    expect(flows.heard(flow(1), 10, 110)).toBeUndefined()
    expect(flows.open(flow(1), 111, 60)).not.toBe(state)
    expect(state.reachableUntil).toBe(110)
  })

  test('RFC 9000 §8.1: three times what came in, until it is proven', () => {
    const state = new FlowTable().open(flow(1), 0, 60)
    expect(budgetOf(state)).toBe(0)
    state.bytesIn = 100
    state.bytesOut = 250
    expect(budgetOf(state)).toBe(50)
    state.bytesOut = 400
    expect(budgetOf(state)).toBe(0)
    state.proven = true
    expect(budgetOf(state)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('expiry', () => {
  test('law: whatever is added, moved and removed, due() gives exactly what is due, once', () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom('add', 'later', 'remove', 'tick'),
        item: fc.nat(9),
        by: fc.integer({ min: 0, max: 20_000 }),
      }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(steps, (list) => {
        let now = 0
        const deadlines = new Map<number, number>()
        const queue = new ExpiryQueue<number>(0, (item) => deadlines.get(item) ?? Number.POSITIVE_INFINITY)
        for (const { kind, item, by } of list) {
          if (kind === 'add') {
            deadlines.set(item, now + by)
            queue.add(item)
          } else if (kind === 'later' && deadlines.has(item)) {
            deadlines.set(item, (deadlines.get(item) ?? 0) + by)
          } else if (kind === 'remove') {
            deadlines.delete(item)
            queue.remove(item)
          } else {
            now += by
            const due = queue.due(now)
            for (const one of due) expect(deadlines.get(one)).toBeLessThanOrEqual(now)
            for (const one of due) deadlines.delete(one)
            for (const [, deadline] of deadlines) expect(deadline).toBeGreaterThan(now - 1_000)
          }
        }
        const rest = queue.due(now + 10_000_000)
        expect(rest.sort()).toEqual([...deadlines.keys()].sort())
      }),
    )
  })
})

describe('addresses-of-record', () => {
  const rules = { useDomain: false, caseSensitive: false, realmPrefix: '' }

  test.each<[string, Partial<typeof rules>, string | null]>([
    ['sip:Two@Example.com', {}, 'two'],
    ['sip:Two@Example.com', { caseSensitive: true }, 'Two'],
    ['sip:Two@Example.com:5070;x=y', { useDomain: true }, 'two@example.com'],
    ['sip:a@sip.example.com', { useDomain: true, realmPrefix: 'sip.' }, 'a@example.com'],
    ['sip:%61@x', {}, 'a'],
    ['sip:null%00@x', {}, 'null\u0000'],
    ['sip:example.com', {}, 'example.com'],
    ['nonsense', {}, null],
    [`sip:${'x'.repeat(600)}@y`, {}, null],
  ])('%s with %j', (uri, more, aor) => expect(canonicalAor(uri, { ...rules, ...more })).toBe(aor))

  test('row 43: no Unicode folding: K and the Kelvin sign are two users', () => {
    expect(canonicalAor('sip:%4B@x', rules)).toBe('k')
    expect(canonicalAor('sip:\u00c0@x', rules)).toBe('\u00c0')
  })
})

describe('prefixes', () => {
  test.each<[string, string, boolean]>([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.0/8', 'nonsense', false],
  ])('%s contains %s: %j', (prefix, address, is) => expect(parsePrefix(prefix)?.contains(address)).toBe(is))

  test('what is no prefix', () => {
    for (const text of ['', 'x', '10.0.0.0/33', '10.0.0/8/9']) expect(parsePrefix(text)).toBeNull()
  })

  test('one customer: an IPv4 address, 64 bits of IPv6', () => {
    expect(customerPrefix('192.0.2.1')).toBe('192.0.2.1')
    expect(customerPrefix('2001:db8:1:2:3:4:5:6')).toBe(customerPrefix('2001:db8:1:2::9'))
    expect(customerPrefix('2001:db8:1:2::9')).not.toBe(customerPrefix('2001:db8:1:3::9'))
  })

  test('places that no packet of a device comes from', () => {
    expect(['192.0.2.1', '2001:db8::1', '127.0.0.1'].map(isUnicast)).toEqual([true, true, true])
    expect(['224.0.0.1', '255.255.255.255', '0.0.0.0', 'ff02::1', 'x'].map(isUnicast)).toEqual(
      Array(5).fill(false),
    )
  })
})
