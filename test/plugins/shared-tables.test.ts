import { beforeEach, describe, expect, test } from 'vitest'
import { judgeMoveHere } from '../../plugins/learn/policy.ts'
import registrar from '../../plugins/registrar/index.ts'
import type { UsrlocExports } from '../../plugins/usrloc/exports.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import { createBinding, type Trust } from '../../src/location/binding.ts'
import type { Owner } from '../../src/location/shared-table.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { SharedDirectory } from '../../src/testing/shared-location.ts'
import { createEdge, type Edge, requestText } from './edge.ts'

/** Modules at an edge of several; ladders show the rest (test/ladders/edges-location.test.ts). */
let clock: SimulatedClock
let directory: SharedDirectory

async function join(name: string, values: Record<string, unknown> = {}): Promise<Edge> {
  const edge = createEdge({ clock: { ...clock }, directory })
  await edge.load(usrloc, { store: 'redis://directory/0', edge_name: name, db_mode: 0, ...values })
  await edge.load(registrar)
  await edge.start()
  return edge
}

const tableOf = (edge: Edge) => edge.exportsOf<UsrlocExports>('usrloc').table('location')

async function register(edge: Edge, cseq: number) {
  const uri = 'sip:bob@50.170.158.149'
  const lines = ['Contact: <sip:bob@192.0.2.9>']
  const context = edge.receives(requestText('REGISTER', { from: uri, to: uri, callId: 'c', cseq, lines }))
  const rc: unknown = edge.call('save', context, 'location')
  const result = await rc
  await clock.settle()
  return { rc: result, status: context.replies[0]?.statusCode }
}

beforeEach(() => {
  clock = simulatedClock()
  directory = new SharedDirectory(clock)
})

describe('save()', () => {
  test('what comes from another edge needs room here; what is here already does not', async () => {
    const [a, b] = [await join('a'), await join('b')]
    expect(await register(a, 1)).toEqual({ rc: 1, status: 200 })
    tableOf(b).hasRoomFor = () => false
    expect(await register(b, 2)).toEqual({ rc: -1, status: 503 })
    tableOf(a).hasRoomFor = () => false
    expect(await register(a, 3)).toEqual({ rc: 2, status: 200 })
  })

  test('answers at once where there is one edge, and where it is known what others have', async () => {
    const alone = createEdge({ clock })
    await alone.load(usrloc, { db_mode: 0 })
    await alone.load(registrar)
    await alone.start()
    const save = (edge: Edge, cseq: number): unknown => {
      const uri = 'sip:bob@50.170.158.149'
      const lines = ['Contact: <sip:bob@192.0.2.9>']
      return edge.call(
        'save',
        edge.receives(requestText('REGISTER', { from: uri, to: uri, callId: 'c', cseq, lines })),
        'location',
      )
    }
    expect(save(alone, 1)).toBe(1)
    const edge = await join('a')
    expect(save(edge, 1)).toBeInstanceOf(Promise)
    await clock.settle()
    expect(save(edge, 2)).toBe(2)
  })
})

describe('usrloc', () => {
  test('has edges to show where there are several', async () => {
    const edge = await join('a', { edge_uri: 'sip:edge-a.example:5070' })
    const { edges } = edge.exportsOf<UsrlocExports>('usrloc')
    expect(edges?.self).toEqual({ name: 'a', uri: 'sip:edge-a.example:5070' })
    expect((await join('b')).exportsOf<UsrlocExports>('usrloc').edges?.self.uri).toBe(
      'sip:50.170.158.149:5060',
    )
    const alone = createEdge({ clock })
    await alone.load(usrloc, { db_mode: 0 })
    expect(alone.exportsOf<UsrlocExports>('usrloc').edges).toBeNull()
  })
})

describe('learn: who was learned at another edge, and is heard here', () => {
  const pinhole = 60_000
  const rules = { holdDown: 5_000, newestWins: false, movesPerMinuteMax: 6 }
  const learned = (trust: Trust, isAlive = true) => {
    const edge: Owner = { name: 'a', uri: 'sip:a.example', isAlive }
    const elsewhere = { edge, isDirect: false }
    return createBinding({
      aor: 'a',
      ruid: 'r',
      contact: 'sip:a@192.0.2.9',
      origin: 'learned',
      trust,
      modifiedAt: 1_000,
      elsewhere,
    })
  }

  test.each([
    [
      'is taken over by his address, if that was all that was known of him',
      'source',
      true,
      'source',
      2_000,
      null,
    ],
    ['is not, if he had shown credentials a moment ago', 'digest', true, 'source', 2_000, 'hold-down'],
    ['is, if that was longer ago than a pinhole lasts', 'digest', true, 'source', 61_000, null],
    ['is, if he shows credentials here', 'digest', true, 'digest', 2_000, null],
    ['is, if his edge is dead', 'digest', false, 'source', 2_000, null],
  ] as const)('%s', (_title, before, isAlive, trust, now, refusal) => {
    expect(judgeMoveHere(learned(before, isAlive), trust, pinhole, rules, now)).toBe(refusal)
    expect(
      judgeMoveHere(learned(before, isAlive), trust, pinhole, { ...rules, newestWins: true }, now),
    ).toBeNull()
  })
})
