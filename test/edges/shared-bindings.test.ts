import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { createBinding } from '../../src/location/binding.ts'
import { memoryLinks } from '../../src/worker/memory-link.ts'
import { createWorkers } from '../../src/worker/workers.ts'
import { world } from './world.ts'

const alice = 'sip:alice@198.51.100.1:5060'

/** Two edges that know each other, and have nothing to tell. */
async function pair(untoldMax: number = limits.edgeUntoldMax) {
  const shared = world()
  const [a, b] = [await shared.edge('a', { untoldMax }), await shared.edge('b')]
  await shared.pass(2_000)
  const asked = async (what: () => unknown) => {
    const before = shared.redis.runs.get('read') ?? 0
    await what()
    return (shared.redis.runs.get('read') ?? 0) - before
  }
  return { ...shared, a, b, asked }
}

describe('what others have is remembered', () => {
  test('until somebody says that it has changed; also that there is none', async () => {
    const { a, b, pass, asked } = await pair()
    expect(await asked(() => b.finds('alice'))).toBe(1)
    expect(b.shared.fetch('alice')).toBeNull()
    const { binding } = await a.binds('alice')
    await pass(1)
    expect(await asked(async () => expect(await b.finds('alice')).toEqual([`a ${alice}`]))).toBe(1)
    expect(await asked(() => b.finds('alice'))).toBe(0)
    await a.removes(binding)
    await pass(1)
    expect(b.shared.of('alice')).toEqual([])
    expect(await b.finds('alice')).toEqual([])
    expect(await asked(() => b.finds('alice'))).toBe(0)
  })

  test('a refresh is told to Redis and to nobody else; what expires is asked for again', async () => {
    const { a, b, pass, asked, clock } = await pair()
    const { binding } = await a.binds('alice', { expiresAt: clock.now() + 60_000 })
    await pass(1)
    await b.finds('alice')
    await pass(30_000)
    await a.binds('alice', { cseq: 2, expiresAt: clock.now() + 60_000 }, binding)
    expect(await asked(() => b.finds('alice'))).toBe(0)
    await pass(40_000)
    expect(b.shared.of('alice')).toEqual([])
    expect(await asked(async () => expect(await b.finds('alice')).toEqual([`a ${alice}`]))).toBe(1)
  })

  test('what changes while it is read is not remembered, and who has asked sees it for a moment', async () => {
    const { a, b, pass, asked } = await pair()
    b.link.delayMs = 100
    const finding = b.finds('alice')
    await pass(60)
    await a.binds('alice')
    await pass(60)
    expect(await finding).toEqual([])
    b.link.delayMs = 0
    expect(await asked(async () => expect(await b.finds('alice')).toEqual([`a ${alice}`]))).toBe(1)
  })

  test('all who ask at once ask once', async () => {
    const { a, b, asked } = await pair()
    await a.binds('alice')
    const ask = () => Promise.all(Array.from({ length: 20 }, () => b.finds('alice')))
    expect(await asked(async () => expect(new Set((await ask()).map(String)).size).toBe(1))).toBe(1)
  })

  test('nothing is, while messages can be missed', async () => {
    const { a, b, pass, asked } = await pair()
    await a.binds('alice')
    await b.finds('alice')
    b.link.interrupt()
    expect(b.shared.of('alice')).toEqual([])
    expect(await b.finds('alice')).toEqual([`a ${alice}`])
    expect(await asked(() => b.finds('alice'))).toBe(1)
    await pass(limits.edgeMomentMilliseconds + 1)
    expect(b.shared.of('alice')).toEqual([])
    b.link.resume()
    await b.finds('alice')
    expect(await asked(() => b.finds('alice'))).toBe(0)
  })
})

describe('Redis is away', () => {
  test('nobody waits, the alarm says of how many others do not know, and they are told in the end', async () => {
    const { a, b, redis, pass } = await pair()
    const { binding } = await a.binds('kept')
    await pass(1)
    redis.stop()
    for (let n = 0; n < 300; n++) expect((await a.binds(`user${n}`)).told).toBe('later')
    expect((await a.binds('kept', { cseq: 2 }, binding)).told).toBe('later')
    expect(await b.finds('user7')).toBe('unknown')
    expect(a.metric('viaduct_edges_untold')).toBe(301)
    await pass(60_000)
    redis.start()
    await pass(3_000)
    expect(a.metric('viaduct_edges_untold')).toBe(0)
    expect(await b.finds('user299')).toHaveLength(1)
    expect((await b.others('kept'))[0]?.cseq).toBe(2)
    const lines = a.log.lines.filter(({ fields }) => fields['table'] === 'location' && 'aors' in fields)
    expect(lines.map(({ message }) => message)).toEqual([
      'the other edges cannot be told of bindings: they are told later',
      'the other edges have been told',
    ])
  })

  test('a binding that came and went meanwhile is nowhere', async () => {
    const { a, b, redis, pass } = await pair()
    const { binding } = await a.binds('alice')
    redis.stop()
    const { binding: brief } = await a.binds('bob')
    await a.removes(brief)
    await a.removes(binding)
    redis.start()
    await pass(3_000)
    expect(await b.finds('alice')).toEqual([])
    expect(await b.finds('bob')).toEqual([])
  })

  test('what does not fit into the queue is told by a walk over all that is owned', async () => {
    const { a, b, redis, pass } = await pair(500)
    redis.stop()
    const count = 1_500
    for (let n = 0; n < count; n++) {
      const binding = createBinding({ aor: `user${n}`, ruid: `r${n}`, contact: alice, expiresAt: 9e9 })
      a.owned.set(binding.ruid, binding)
      a.shared.tell([{ before: null, after: binding }])
    }
    expect(a.metric('viaduct_edges_untold')).toBe(500)
    redis.start()
    await pass(30_000)
    expect(a.metric('viaduct_edges_untold')).toBe(0)
    expect(await b.finds(`user${count - 1}`)).toHaveLength(1)
  })

  test('it refuses writes: the same, and what is read is read', async () => {
    const { a, b, pass } = await pair()
    await a.binds('alice')
    a.link.refusal = 'OOM'
    await a.binds('bob')
    expect(a.metric('viaduct_edges_untold')).toBe(1)
    expect(await b.finds('alice')).toHaveLength(1)
    await pass(5_000)
    a.link.refusal = ''
    await pass(2_000)
    expect(await b.finds('bob')).toHaveLength(1)
  })

  test('it is slow: a change waits for its deadline and no longer', async () => {
    const { a, b, pass, clock } = await pair()
    a.link.delayMs = 400
    const started = clock.now()
    let took = 0
    const binding = a.binds('alice').then(({ told }) => {
      took = clock.now() - started
      return told
    })
    await pass(300)
    expect(await binding).toBe('told')
    expect(took).toBe(limits.redisDeadlineMilliseconds)
    a.link.delayMs = 0
    await pass(2_000)
    expect(a.metric('viaduct_edges_untold')).toBe(0)
    expect(await b.finds('alice')).toHaveLength(1)
  })

  test('the link breaks with a question under way', async () => {
    const { a, b, pass } = await pair()
    a.link.delayMs = 100
    const telling = a.binds('alice')
    const asking = a.finds('bob')
    await pass(20)
    a.link.lose()
    await pass(100)
    expect((await telling).told).toBe('told')
    expect(await asking).toBe('unknown')
    expect(a.metric('viaduct_edges_untold')).toBe(1)
    a.link.delayMs = 0
    a.link.find()
    await pass(1_000)
    expect(await b.finds('alice')).toHaveLength(1)
  })
})

describe('what an edge owns is told again', () => {
  test('a directory that has not been told everything does not say that there is none', async () => {
    const { edge, pass, clock } = world()
    const a = await edge('a')
    const owned = Array.from({ length: 2_000 }, (_, n) =>
      createBinding({ aor: `user${n}`, ruid: `r${n}`, contact: alice, expiresAt: clock.now() + 3_600_000 }),
    )
    await edge('b', { owned })
    expect(await a.finds('user1999')).toBe('unknown')
    expect(await a.finds('nobody')).toBe('unknown')
    expect(await a.finds('user1')).toHaveLength(1)
    await pass(2_000)
    expect(await a.finds('user1999')).toHaveLength(1)
    expect(await a.finds('nobody')).toEqual([])
  })

  test('what a process before it had and it has not is gone; what its store has is there all the while', async () => {
    const { edge, pass } = world()
    const a = await edge('a')
    const before = await edge('b')
    const { binding: stored } = await before.binds('alice')
    await before.binds('bob')
    await pass(1)
    expect(await a.finds('bob')).toHaveLength(1)
    before.link.lose()
    const after = await edge('b', { owned: [stored] })
    await pass(100)
    expect(after.edges.standing?.life).toBe(2)
    expect(await a.finds('alice')).toHaveLength(1)
    expect(a.shared.of('bob')).toEqual([])
    expect(await a.finds('bob')).toEqual([])
  })

  test('an edge that missed a message loses what others have taken from it', async () => {
    const { a, b, pass } = await pair()
    await a.binds('alice')
    a.link.interrupt()
    await b.binds('alice', { cseq: 2 })
    await pass(100)
    expect(a.owns('alice')).toHaveLength(1)
    a.link.resume()
    await pass(100)
    expect(a.owns('alice')).toEqual([])
    expect(b.owns('alice')).toHaveLength(1)
  })

  test('what never expires is told again before the directory forgets it', async () => {
    const { edge, pass } = world()
    const [a, b] = [await edge('a', { heartbeatMs: 600_000 }), await edge('b', { heartbeatMs: 600_000 })]
    await a.binds('pbx', { origin: 'static', expiresAt: Number.POSITIVE_INFINITY })
    for (let hours = 0; hours < 60; hours++) await pass(3_600_000)
    expect(await b.finds('pbx')).toHaveLength(1)
  })
})

test('a device that goes to and fro is always where it was last, though messages overtake', async () => {
  const { a, b, pass } = await pair()
  let cseq = 1
  for (let round = 0; round < 20; round++) {
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const own = [...here.owned.values()][0] ?? null
      const told = here.binds('alice', { cseq: cseq++ }, own)
      if (round % 3 === 0) await pass(2)
      expect((await told).told).toBe('told')
      if (round % 2 === 0) await pass(5)
      expect([here.owns('alice').length, there.edges.isDraining]).toEqual([1, false])
    }
  }
  await pass(100)
  expect([a.owns('alice').length, b.owns('alice').length]).toEqual([0, 1])
  expect(await a.finds('alice')).toEqual([`b ${alice}`])
})

describe('who hears that it has lost what it has just bound again keeps it', () => {
  /** b has taken it, and a has asked whether that is so. */
  const taken = async () => {
    const { a, b, pass } = await pair()
    const { binding } = await a.binds('alice')
    a.link.delayMs = 100
    await b.binds('alice', { cseq: 2 })
    await pass(5)
    return { a, b, pass, binding }
  }
  const ends = async ({ a, b, pass }: Awaited<ReturnType<typeof taken>>) => {
    await pass(3_000)
    expect([a.owns('alice').length, b.owns('alice').length]).toEqual([1, 0])
    expect(await b.finds('alice')).toEqual([`a ${alice}`])
  }

  test('while Redis is told', async () => {
    const all = await taken()
    const telling = all.a.binds('alice', { cseq: 3 }, all.binding)
    await all.pass(300)
    expect((await telling).told).toBe('told')
    await ends(all)
  })

  test('while Redis cannot be told', async () => {
    const all = await taken()
    const { link } = all.a
    link.refusal = 'OOM'
    const telling = all.a.binds('alice', { cseq: 3 }, all.binding)
    await all.pass(300)
    await telling
    expect(all.a.owns('alice')).toHaveLength(1)
    link.refusal = ''
    await ends(all)
  })
})

test('a message of somebody else on the channel harms nobody', async () => {
  const { a, b, redis, pass } = await pair()
  const { binding } = await a.binds('alice')
  for (const text of ['', 'x', '{}', '[]', '[1,2]', '["b"]', '["b","alice","a"]', '["b","alice","a",7]']) {
    redis.publish('viaduct:loc.location', text)
  }
  redis.publish('viaduct:loc.location', JSON.stringify(['b', 'alice', 'a', binding.ruid]))
  await pass(100)
  expect(a.owns('alice')).toHaveLength(1)
  expect(await b.finds('alice')).toHaveLength(1)
})

describe('several workers of one edge', () => {
  const router = async (count: number) => {
    const { edge, ...rest } = world()
    const workers = memoryLinks(count).map((link) => {
      const one = createWorkers(link, 'a secret of the router')
      link.open({ onPassed: () => {}, onTold: (from, topic, text) => one.told(from, topic, text) })
      return one
    })
    const parts = []
    for (const one of workers) parts.push(await edge('a', { workers: one, untoldMax: 500 }))
    const b = await edge('b')
    await rest.pass(2_000)
    const [first, second] = parts
    if (first === undefined || second === undefined) throw new Error('two')
    return { ...rest, first, second, b, edge }
  }

  test('each tells what it has changed, and none sees what they own as another\u2019s', async () => {
    const { first, second, b, pass } = await router(2)
    await first.binds('alice')
    await second.binds('bob')
    await pass(5)
    expect(await b.finds('alice')).toHaveLength(1)
    expect(await b.finds('bob')).toHaveLength(1)
    expect(await first.finds('bob')).toEqual([])
  })

  test('what another edge takes, all of them lose', async () => {
    const { first, second, b, pass } = await router(2)
    const { binding } = await first.binds('alice')
    second.owned.set(binding.ruid, binding)
    await b.binds('alice', { cseq: 2 })
    await pass(5)
    expect([first.owns('alice'), second.owns('alice')]).toEqual([[], []])
  })

  test('the first walks for all, also when another one had too much to tell', async () => {
    const { first, second, b, pass } = await router(2)
    second.link.refusal = 'OOM'
    for (let n = 0; n <= 500; n++) {
      const binding = createBinding({ aor: `user${n}`, ruid: `r${n}`, contact: alice, expiresAt: 9e9 })
      if (n === 500) first.owned.set(binding.ruid, binding)
      second.shared.tell([{ before: null, after: binding }])
    }
    await pass(20_000)
    expect(await b.finds('user500')).toHaveLength(1)
  })
})
