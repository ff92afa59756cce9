import { describe, expect, test } from 'vitest'
import type { Binding } from '../../src/location/binding.ts'
import type { EdgeOptions, TestEdge } from './world.ts'

/**
 * What the directory promises of two edges, whatever it is made of: the Redis in memory of the tests, or a real one. Times
 * are given, not waited for.
 */
export interface LawWorld {
  edge(name: string, options?: Partial<EdgeOptions>): Promise<LawEdge>
  now(): number
  pass(milliseconds: number): Promise<void>
  /** Redis is there, and has nothing. */
  loseData(): Promise<void>
  /** How many addresses-of-record it has something of. */
  held(): Promise<number>
}

export interface LawEdge extends TestEdge {
  /** Its network is cut, and mended. */
  cut(): void
  mend(): Promise<void>
}

export function directoryLaws(open: () => Promise<LawWorld>, title: string): void {
  describe(title, () => {
    /** Until it is so, for some seconds. */
    const comes = async (world: LawWorld, read: () => unknown, wanted: unknown) => {
      for (let tries = 0; tries < 200; tries++) {
        const now = await read()
        if (JSON.stringify(now) === JSON.stringify(wanted)) return
        await world.pass(20)
      }
      expect(await read()).toEqual(wanted)
    }
    const pair = async (options: Partial<EdgeOptions> = {}) => {
      const world = await open()
      return { world, a: await world.edge('a', options), b: await world.edge('b', options) }
    }

    test('what is bound at one edge is found at the other, with all that is to be known there', async () => {
      const { world, a, b } = await pair()
      const path = ['<sip:p1@192.0.2.99;lr>', '<sip:caf\xe9@192.0.2.98;lr;x="[]">']
      const given: Partial<Binding> = {
        ...{
          q: 500,
          callId: 'x\xffy"\\ \u0000z',
          cseq: 7,
          instance: '"<urn:uuid:1>"',
          regId: 2,
          methods: 0x1ff,
        },
        ...{ flags: 3, branchFlags: 5, trust: 'source', origin: 'delegated', path, userAgent: 'not told' },
      }
      const { binding, told } = await a.binds('al{}ice\u0000\xe9', given)
      expect(told).toBe('told')
      const [found] = await b.others('al{}ice\u0000\xe9')
      const { ruid, contact } = binding
      expect(found).toMatchObject({ ...given, ruid, contact, userAgent: '', received: '', flow: null })
      expect(found?.elsewhere).toMatchObject({ isDirect: true, edge: { name: 'a', isAlive: true } })
      expect(found?.elsewhere?.edge.uri).toBe(a.edges.self.uri)
      expect(Math.abs((found?.expiresAt ?? 0) - world.now() - 3_600_000)).toBeLessThan(1_000)
      expect(await a.finds('al{}ice\u0000\xe9')).toEqual([])
    })

    test('what was received from behind a NAT is not direct', async () => {
      const { a, b } = await pair()
      await a.binds('alice', { received: 'sip:203.0.113.7:40000' })
      expect((await b.others('alice'))[0]?.elsewhere?.isDirect).toBe(false)
    })

    interface Conflict {
      readonly of: string
      readonly first: Partial<Binding>
      /** Bound so many milliseconds after the first; 1,000 if it is not said. */
      readonly after?: number
      readonly second: Partial<Binding>
      readonly mode?: 0 | 1 | 2 | 3
      readonly told?: 'outdated'
      readonly left: 'both' | 'first' | 'second'
    }
    const elsewhere = 'sip:alice@203.0.113.9:5080'
    const instance = '"<urn:uuid:f81d4fae>"'
    const conflicts: readonly Conflict[] = [
      { of: 'a Call-ID with a higher CSeq', first: { cseq: 4 }, second: { cseq: 5 }, left: 'second' },
      {
        of: 'a Call-ID with a higher CSeq, from another address',
        first: {},
        second: { cseq: 5, contact: elsewhere },
        left: 'second',
      },
      {
        of: 'a Call-ID with a lower CSeq, though it is later',
        first: { cseq: 5 },
        second: { cseq: 4 },
        told: 'outdated',
        left: 'first',
      },
      { of: 'a Call-ID and CSeq once more', first: {}, second: {}, told: 'outdated', left: 'first' },
      { of: 'another Call-ID, later', first: {}, second: { callId: 'other', cseq: 0 }, left: 'second' },
      {
        of: 'another Call-ID, earlier',
        first: {},
        after: -1_000,
        second: { callId: 'other', cseq: 99 },
        told: 'outdated',
        left: 'first',
      },
      {
        of: 'another Call-ID and contact',
        first: {},
        second: { callId: 'o', contact: elsewhere },
        left: 'both',
      },
      {
        of: 'a contact whose host is written otherwise',
        first: { contact: 'sip:Alice@Phone.example.com' },
        second: { callId: 'other', contact: 'sip:Alice@phone.EXAMPLE.com' },
        left: 'second',
      },
      {
        of: 'an instance and reg-id',
        first: { instance, regId: 1 },
        second: { instance, regId: 1, callId: 'other', contact: elsewhere },
        left: 'second',
      },
      {
        of: 'two flows of one instance (RFC 5626), with one Call-ID',
        first: { instance, regId: 1 },
        second: { instance, regId: 2, cseq: 2 },
        left: 'both',
      },
      {
        of: 'an instance without reg-id',
        first: { instance },
        second: { instance, callId: 'other', contact: elsewhere },
        left: 'second',
      },
      { of: 'another origin', first: {}, second: { origin: 'delegated', cseq: 2 }, left: 'both' },
      {
        of: 'two that were learned',
        first: { origin: 'learned', callId: 'm1' },
        second: { origin: 'learned', callId: 'm2', contact: elsewhere },
        left: 'second',
      },
      {
        of: 'matching_mode 1, another Call-ID',
        mode: 1,
        first: {},
        second: { callId: 'other' },
        left: 'both',
      },
      { of: 'matching_mode 2, one Path', mode: 2, first: {}, second: { callId: 'other' }, left: 'second' },
      {
        of: 'matching_mode 2, another Path',
        mode: 2,
        first: {},
        second: { callId: 'other', path: ['<sip:192.0.2.99;lr>'] },
        left: 'both',
      },
      {
        of: 'matching_mode 3, another Call-ID',
        mode: 3,
        first: {},
        second: { callId: 'other' },
        left: 'both',
      },
    ]
    test.each(conflicts)('who wins: $of', async ({ first, after = 1_000, second, mode = 0, told, left }) => {
      const { world, a, b } = await pair({ matchingMode: mode })
      const modifiedAt = world.now() - 10_000
      await a.binds('alice', { ...first, modifiedAt })
      const answer = await b.binds('alice', { ...second, modifiedAt: modifiedAt + after })
      expect(answer.told).toBe(told ?? 'told')
      await comes(world, () => [a.owns('alice').length, b.owns('alice').length], [
        left === 'second' ? 0 : 1,
        left === 'first' ? 0 : 1,
      ])
      const c = await world.edge('c', { matchingMode: mode })
      const found = (await c.others('alice')).map((binding) => binding.elsewhere?.edge.name)
      expect(found.toSorted()).toEqual(left === 'both' ? ['a', 'b'] : left === 'first' ? ['a'] : ['b'])
    })

    test('the same conflicts, if who lost was cut off, and tells of it only when it is back', async () => {
      const { world, a, b } = await pair()
      const modifiedAt = world.now() - 10_000
      a.cut()
      expect((await a.binds('alice', { modifiedAt })).told).toBe('later')
      expect((await a.binds('bob', { modifiedAt: modifiedAt + 2_000 })).told).toBe('later')
      await b.binds('alice', { cseq: 2, modifiedAt: modifiedAt + 1_000 })
      await b.binds('bob', { callId: 'other', modifiedAt: modifiedAt + 1_000 })
      await a.mend()
      await comes(world, () => [a.owns('alice').length, b.owns('alice').length], [0, 1])
      await comes(world, () => [a.owns('bob').length, b.owns('bob').length], [1, 0])
      await comes(world, () => b.finds('bob'), ['a sip:bob@198.51.100.1:5060'])
    })

    test('two bindings of one REGISTER: both go, or none', async () => {
      const { world, a, b } = await pair()
      const { binding: kept } = await a.binds('alice', { cseq: 9 })
      const now = world.now()
      const older = { ...kept, ruid: 'uloc-b-1', cseq: 8, modifiedAt: now }
      const newer = { ...kept, ruid: 'uloc-b-2', contact: elsewhere, callId: 'other', modifiedAt: now }
      const changes = [newer, older].map((after) => ({ before: null, after }))
      await expect(b.shared.tell(changes)).rejects.toThrow('newer')
      const c = await world.edge('c')
      expect(await c.finds('alice')).toEqual([`a ${kept.contact}`])
    })

    test('what one edge has is removed at another', async () => {
      const { world, a, b } = await pair()
      const { binding } = await a.binds('alice')
      const [found] = await b.others('alice')
      expect(found?.ruid).toBe(binding.ruid)
      expect(found && (await b.removes(found, { callId: binding.callId, cseq: 2 }))).toBe('told')
      expect(b.shared.of('alice')).toEqual([])
      await comes(world, () => a.owns('alice'), [])
    })

    test('nor by a request that is older than what is there', async () => {
      const { a, b } = await pair()
      const { binding } = await a.binds('alice', { cseq: 5 })
      const [found] = await b.others('alice')
      await a.binds('alice', { cseq: 7 }, binding)
      expect(found && (await b.removes(found, { callId: binding.callId, cseq: 6 }))).toBe('outdated')
      expect(a.owns('alice')).toHaveLength(1)
    })

    interface Return {
      readonly of: string
      readonly request?: { readonly callId: string; readonly cseq: number }
      /** Milliseconds from the removal. */
      readonly at: number
      readonly back: Partial<Binding>
      readonly isBack: boolean
    }
    const returns: readonly Return[] = [
      { of: 'the removed one itself', at: -5_000, back: {}, isBack: false },
      {
        of: 'a refresh from before',
        request: { callId: 'c', cseq: 9 },
        at: -1,
        back: { cseq: 8 },
        isBack: false,
      },
      {
        of: 'a refresh after',
        request: { callId: 'c', cseq: 9 },
        at: 1_000,
        back: { cseq: 10 },
        isBack: true,
      },
      {
        of: 'the request once more, late',
        request: { callId: 'c', cseq: 9 },
        at: 50,
        back: { cseq: 9 },
        isBack: false,
      },
      { of: 'an earlier one of another Call-ID', at: -500, back: { callId: 'd', cseq: 99 }, isBack: false },
      { of: 'a later one of another Call-ID', at: 500, back: { callId: 'd' }, isBack: true },
      {
        of: 'another contact and Call-ID',
        at: -500,
        back: { ruid: 'uloc-new', callId: 'd', contact: elsewhere },
        isBack: true,
      },
    ]
    test.each(returns)('nothing removed comes back: $of', async ({ request, at, back, isBack }) => {
      const { world, a, b } = await pair()
      const { binding } = await a.binds('alice', { callId: 'c', modifiedAt: world.now() - 60_000 })
      await b.finds('alice')
      a.cut()
      const removedAt = world.now()
      const [found] = await b.others('alice')
      if (found !== undefined) await b.removes(found, request)
      await a.change({ before: binding, after: { ...binding, ...back, modifiedAt: removedAt + at } })
      expect(a.owns('alice')).toHaveLength(1)
      await a.mend()
      await comes(world, () => a.owns('alice').length, isBack ? 1 : 0)
      await comes(world, () => b.finds('alice').then((all) => all.length), isBack ? 1 : 0)
    })

    test('what was displaced does not come back when who displaced it is gone', async () => {
      const { world, a, b } = await pair()
      const modifiedAt = world.now() - 10_000
      await a.binds('alice', { modifiedAt })
      a.cut()
      const { binding } = await b.binds('alice', {
        cseq: 2,
        contact: elsewhere,
        modifiedAt: modifiedAt + 1_000,
      })
      const moved = { ...binding, callId: 'other', cseq: 1, modifiedAt: modifiedAt + 2_000 }
      await b.change({ before: binding, after: moved })
      await b.removes(moved)
      await a.mend()
      await comes(world, () => a.owns('alice'), [])
    })

    test('a directory that has lost its data is told again what there is, and what was removed', async () => {
      const { world, a, b } = await pair()
      await a.binds('alice')
      const { binding: removed } = await a.binds('bob')
      const c = await world.edge('c')
      await b.binds('carol')
      const [foreign] = await b.others('bob')
      c.owned.set('stale', { ...removed, ruid: 'stale', modifiedAt: world.now() - 1_000 })
      if (foreign !== undefined) await b.removes(foreign)
      await comes(world, () => a.owns('bob'), [])
      await world.loseData()
      await comes(world, () => c.finds('alice'), ['a sip:alice@198.51.100.1:5060'])
      await comes(world, () => c.finds('carol'), ['b sip:carol@198.51.100.1:5060'])
      await comes(world, () => c.owns('bob'), [])
      await comes(world, () => a.finds('bob'), [])
    })

    test('a removal that is told after what it has removed was brought back still counts', async () => {
      const { world, a, b } = await pair()
      const c = await world.edge('c')
      const { binding } = await a.binds('alice', { modifiedAt: world.now() - 5_000 })
      const [found] = await b.others('alice')
      b.cut()
      if (found !== undefined) await b.removes(found)
      a.owned.clear()
      const twin = { ...binding, ruid: 'uloc-c-1', modifiedAt: world.now() - 3_000, cseq: 2 }
      expect(await c.change({ before: null, after: twin })).toBe('told')
      await b.mend()
      await comes(world, () => c.owns('alice'), [])
      await comes(world, () => a.finds('alice'), [])
    })

    test('expiry is the directory\u2019s own, and nothing is left of what has expired', async () => {
      const { world, a, b } = await pair()
      await a.binds('alice', { expiresAt: world.now() + 300 })
      expect(await b.finds('alice')).toHaveLength(1)
      await world.pass(400)
      expect(b.shared.of('alice')).toEqual([])
      expect(await b.finds('alice')).toEqual([])
      expect(await world.held()).toBe(0)
    })

    test('told twice is told once', async () => {
      const { world, a, b } = await pair()
      const { binding } = await a.binds('alice')
      for (let n = 0; n < 2; n++) await a.shared.tell([{ before: null, after: binding }])
      expect(await b.finds('alice')).toHaveLength(1)
      for (let n = 0; n < 2; n++) await a.removes(binding)
      await comes(world, () => b.finds('alice'), [])
    })
  })
}
