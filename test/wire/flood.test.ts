import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Answer, Caller, chosenSeed, contactsOf, pause, request, seeded } from './caller.ts'
import { Lab } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/**
 * Security rows 20, 22, 23 and 40: more than anybody needs, on loopback. Meanwhile an innocent's OPTIONS is answered:
 * a p99 of 50 ms is the aim on a machine of its own, 250 ms the bound on one that others use too; where we
 * had to wait for a processor (schedstat), the bound only says that it is answered at all.
 */
const seed = chosenSeed()
const random = seeded(seed)
const figures: string[] = []
const script = 'test/wire/scripts/location.cfg'

describe(`floods (VIADUCT_SEED=${seed})`, { timeout: 60_000 }, () => {
  let lab: Lab
  let caller: Caller
  let innocent: Caller
  let router: Router
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
    innocent = await Caller.open()
    router = await startRouter(lab, script, { data: join(lab.directory, 'data') })
  })
  afterEach(async () => {
    caller.close()
    innocent.close()
    await lab.close()
  })
  afterAll(() => process.stdout.write(`${figures.join('\n')}\n`))

  const options = () => request(innocent, router.port, { method: 'OPTIONS', user: 'x' })
  const residentMiB = () => {
    const pages = readFileSync(`/proc/${router.process.child.pid}/statm`, 'latin1').split(' ')[1]
    return Math.round((Number(pages) * 4_096) / 1_048_576)
  }
  /** How long the router and we were ready to run and had no processor. */
  const starvedMilliseconds = () =>
    [router.process.child.pid, process.pid]
      .map((pid) => Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6)
      .reduce((sum, milliseconds) => sum + milliseconds)
  const errors = () => router.logLines().filter(({ level }) => level === 'error' || level === 'fatal')

  /** Sends in bursts at so many requests per second; an innocent's OPTIONS are answered meanwhile. */
  async function flood(
    name: string,
    count: number,
    perSecond: number,
    send: (n: number) => void,
    isMeasured = true,
  ): Promise<void> {
    let isFlooding = true
    const delays: number[] = []
    let unanswered = 0
    const watch = (async () => {
      while (isFlooding) {
        const answer = await innocent.ask(options(), router.port, {
          milliseconds: 3_000,
          retryMilliseconds: 500,
        })
        if (answer === null) unanswered++
        else delays.push(answer.milliseconds)
        await pause(5)
      }
    })()
    const starvedBefore = starvedMilliseconds()
    const startedAt = performance.now()
    for (let n = 0; n < count; ) {
      const due = Math.min(count, Math.ceil(((performance.now() - startedAt) / 1000) * perSecond))
      // Not more than the socket's buffer holds at once: what the kernel drops floods nobody.
      for (const end = Math.min(due, n + 64); n < end; n++) send(n)
      await pause(2)
    }
    const seconds = (performance.now() - startedAt) / 1000
    const starved = (starvedMilliseconds() - starvedBefore) / (seconds * 1000)
    isFlooding = false
    await watch
    delays.sort((a, b) => a - b)
    const quantile = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.POSITIVE_INFINITY
    figures.push(
      `${name}: ${count} in ${seconds.toFixed(1)} s (${Math.round(count / seconds)}/s); OPTIONS p50 ${quantile(0.5).toFixed(1)} ms, ` +
        `p99 ${quantile(0.99).toFixed(1)} ms of ${delays.length}, ${unanswered} unanswered; RSS ${residentMiB()} MiB; waited for a processor ${Math.round(starved * 100)} % of the time`,
    )
    if (!isMeasured) return
    expect(unanswered).toBe(0)
    expect(quantile(0.99)).toBeLessThan(starved > 0.1 ? 3_000 : 250)
  }

  const registration = (user: string, n: number) =>
    request(caller, router.port, {
      method: 'REGISTER',
      user,
      headers: `Contact: <sip:${user}@127.0.0.1:${10_000 + (n % 50_000)};n=${n}>;expires=3600\r\n`,
    })

  test('row 20: 20,000 REGISTERs for one address-of-record', async () => {
    await flood('REGISTER, one AoR', 20_000, 5_000, (n) => caller.tell(registration('one', n), router.port))
    const answer = await caller.ask(
      request(caller, router.port, { method: 'REGISTER', user: 'one' }),
      router.port,
    )
    // max_contacts of the script, and not one more.
    expect(contactsOf(answer)).toHaveLength(10)
    const refused = await caller.ask(registration('one', 99_999), router.port)
    expect(refused?.status).toBe(503)
    expect(errors()).toEqual([])
  })

  test('row 20: 20,000 REGISTERs for as many addresses-of-record', async () => {
    const before = residentMiB()
    await flood('REGISTER, many AoRs', 20_000, 4_000, (n) =>
      caller.tell(registration(`u${n}`, n), router.port),
    )
    // All of those that the kernel did not drop.
    const present: (Answer | null)[] = []
    for (let n = 0; n < 20_000; n += 500) {
      present.push(
        await caller.ask(request(caller, router.port, { method: 'REGISTER', user: `u${n}` }), router.port),
      )
    }
    expect(present.filter((answer) => answer?.text.includes('Contact: <sip:u')).length).toBeGreaterThan(30)
    figures.push(`20,000 bindings: RSS ${before} -> ${residentMiB()} MiB`)
    expect(errors()).toEqual([])
  })

  test('row 22: INVITEs to a black hole: the innocent are served, and the memory comes back', async () => {
    const invite = () =>
      caller.tell(request(caller, router.port, { method: 'INVITE', user: 'blackhole' }), router.port)
    // Twice the same: what the first flood took is there for the second one.
    await flood('INVITE to a black hole', 4_000, 2_000, invite)
    await pause(3_000)
    const afterFirst = residentMiB()
    await flood('the same again', 4_000, 2_000, invite)
    await pause(3_000)
    const afterSecond = residentMiB()
    figures.push(`RSS after the timers: ${afterFirst} MiB, after a second flood ${afterSecond} MiB`)
    expect(afterSecond).toBeLessThan(afterFirst * 1.3 + 30)
    expect(errors()).toEqual([])
  })

  test('row 22: where memory is short, transactions are refused before it is used up', async () => {
    await router.stop()
    const wrapper = ['env', 'NODE_OPTIONS=--max-old-space-size=48']
    router = await startRouter(lab, script, {
      data: join(lab.directory, 'small'),
      wrapper,
      defines: { PATIENT: 1 },
    })
    const statuses = new Map<number, number>()
    let last: Answer | null = null
    await flood(
      'INVITE to a black hole, heap of 48 MiB',
      7_000,
      2_500,
      () => {
        const text = request(caller, router.port, { method: 'INVITE', user: 'blackhole' })
        void caller.ask(text, router.port, { milliseconds: 12_000 }).then((answer) => {
          statuses.set(answer?.status ?? 0, (statuses.get(answer?.status ?? 0) ?? 0) + 1)
          if (answer?.status === 503) last = answer
        })
      },
      false,
    )
    await pause(4_500)
    figures.push(`  refused: ${statuses.get(503) ?? 0} with 503, timed out: ${statuses.get(408) ?? 0}`)
    expect(statuses.get(503)).toBeGreaterThan(100)
    expect((last as Answer | null)?.text).toMatch(/^Retry-After: \d/im)
    expect(router.process.child.exitCode).toBe(null)
    // What has timed out has made room: this one is tried, not refused.
    const again = request(caller, router.port, { method: 'INVITE', user: 'blackhole' })
    expect((await caller.ask(again, router.port, { milliseconds: 500 }))?.status).toBe(undefined)
  })

  test('row 23: a retransmission storm of one INVITE runs the script once', async () => {
    const callee = await Caller.open()
    callee.onRequest = () => '180 Ringing'
    await caller.ask(
      request(caller, router.port, {
        method: 'REGISTER',
        user: 'b',
        headers: `Contact: <sip:b@127.0.0.1:${callee.port}>\r\n`,
      }),
      router.port,
    )
    const invite = request(caller, router.port, { method: 'INVITE', user: 'b' })
    await flood('one INVITE', 10_000, 5_000, () => caller.tell(invite, router.port))
    expect(router.process.output.match(/INVITE seen by the script/g)).toHaveLength(1)
    // Once, and what the callee's own silence before the 180 asked for: never one for each.
    expect(callee.received.filter((text) => text.startsWith('INVITE')).length).toBeLessThan(5)
    callee.close()
  })

  test('row 40: 100,000 random datagrams: alive, and not a word about it', async () => {
    const kinds = [
      'OPTIONS',
      'REGISTER',
      'MESSAGE',
      'OPTIONS',
      'REGISTER',
      'MESSAGE',
      'CANCEL',
      'INVITE',
    ] as const
    const headers = 'Contact: <sip:x@127.0.0.1>;expires=60\r\nRoute: <sip:127.0.0.1;lr>\r\nExpires: 60\r\n'
    const whole = kinds.map((method) => request(caller, router.port, { method, user: 'blackhole', headers }))
    const send = (n: number) =>
      caller.tell(n % 4 === 0 ? noise() : mutated(whole[n % kinds.length] ?? ''), router.port)
    await flood('random datagrams', 50_000, 10_000, send)
    const before = residentMiB()
    await flood('random datagrams, the same again', 50_000, 10_000, send)
    expect(residentMiB()).toBeLessThan(before * 1.3 + 30)
    expect(errors()).toEqual([])
    expect((await innocent.ask(options(), router.port))?.status).toBe(200)
    expect(await router.stop()).toBe(0)
  })
})

function noise(): Buffer {
  const octets = Buffer.alloc(Math.floor(random() * 600))
  for (let i = 0; i < octets.length; i++) octets[i] = Math.floor(random() * 256)
  return octets
}

/** A request with a few octets changed, cut out, doubled, or the end missing. */
function mutated(text: string): Buffer {
  let octets = Buffer.from(text, 'latin1')
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * octets.length)
    const kind = random()
    if (kind < 0.6) octets[at] = Math.floor(random() * 256)
    else if (kind < 0.75) octets = octets.subarray(0, at)
    else if (kind < 0.9)
      octets = Buffer.concat([octets.subarray(0, at), octets.subarray(at + Math.floor(random() * 20))])
    else octets = Buffer.concat([octets.subarray(0, at), octets.subarray(at, at + 30), octets.subarray(at)])
    if (octets.length === 0) break
  }
  return octets
}
