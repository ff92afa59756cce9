import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, chosenSeed, contactsOf, pause, request, seeded } from './caller.ts'
import { Lab } from './lab.ts'
import { freePort } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/**
 * kill -9 at moments that nobody chose: what was answered with 2xx is there after the restart, and what was removed
 * stays removed. A request that was under way may have been carried out or not, but not by half.
 */
const seed = chosenSeed()
const random = seeded(seed)
const figures: string[] = []

describe(`kill -9 (VIADUCT_SEED=${seed})`, { timeout: 60_000 }, () => {
  let lab: Lab
  let caller: Caller
  let router: Router
  let port: number | undefined
  beforeEach(async () => {
    lab = new Lab()
    port = undefined
    caller = await Caller.open()
  })
  afterEach(async () => {
    caller.close()
    await lab.close()
  })
  afterAll(() => process.stdout.write(`${figures.join('\n')}\n`))

  const start = async (script: string) => {
    const startedAt = performance.now()
    // The same port again: what was learned hangs on the socket that the device spoke to.
    port ??= freePort()
    const data = join(lab.directory, 'data')
    router = await startRouter(lab, `test/wire/scripts/${script}`, { data, port })
    const seconds = (performance.now() - startedAt) / 1000
    return seconds
  }

  test('every registration that was answered with 200 is there, no other one, and whole', async () => {
    /** What the router said 200 to last; null: nothing, or removed. */
    const told = new Map<string, string | null>()
    const restarts: number[] = []
    let lost = 0
    let requests = 0
    const check = async (user: string, inFlight: ReadonlyMap<string, string | null>, round: number) => {
      const question = request(caller, router.port, { method: 'REGISTER', user })
      const answer = await caller.ask(question, router.port, { retryMilliseconds: 300 })
      const found = contactsOf(answer).join()
      const allowed = [told.get(user) ?? '', ...(inFlight.has(user) ? [inFlight.get(user) ?? ''] : [])]
      if (!allowed.includes(found)) lost++
      expect(allowed, `${user} in round ${round}`).toContain(found)
      told.set(user, found === '' ? null : found)
    }
    await start('location.cfg')
    for (let round = 0; round < 3; round++) {
      /** Sent and not answered: both states will do. */
      const open = new Map<string, string | null>()
      const killAt = performance.now() + 250 + random() * 900
      while (performance.now() < killAt) {
        for (let i = 0; i < 5; i++) {
          const user = `u${Math.floor(random() * 1_500)}`
          if (open.has(user)) continue
          const before = told.get(user) ?? null
          // Refreshes, removals and new ones; a device keeps its contact.
          const removes = before !== null && random() < 0.4
          const contact = before ?? `sip:${user}@127.0.0.1:${10_000 + Math.floor(random() * 50_000)}`
          const after = removes ? null : contact
          open.set(user, after)
          requests++
          const headers = `Contact: <${contact}>;expires=${removes ? 0 : 3600}\r\n`
          const callId = `register-${user}`
          void caller
            .ask(
              request(caller, router.port, { method: 'REGISTER', user, callId, cseq: requests, headers }),
              router.port,
            )
            .then((answer) => {
              if (answer === null) return
              expect(answer.status).toBe(200)
              told.set(user, after)
              open.delete(user)
            })
        }
        await pause(8)
      }
      await router.kill()
      // Answers that had left before the kill are read first.
      await pause(30)
      const inFlight = new Map(open)

      restarts.push(await start('location.cfg'))
      const users = [...new Set([...told.keys(), ...inFlight.keys()])]
      while (users.length > 0)
        await Promise.all(users.splice(0, 40).map((user) => check(user, inFlight, round)))
      expect(router.logLines().filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([])
    }
    const bindings = [...told.values()].filter((contact) => contact !== null).length
    figures.push(
      `REGISTER: ${requests} in ${restarts.length} crashes, ${bindings} bindings at the end, ${lost} lost; restarts ${restarts
        .map((seconds) => seconds.toFixed(2))
        .join(' ')} s`,
    )
    expect(bindings).toBeGreaterThan(100)
    // Each worker loads the script.
    expect(Math.min(...restarts)).toBeLessThan(2 * Number(process.env['VIADUCT_WORKERS'] || 1))
  })

  test('10,000 bindings: a restart answers its first lookup within 2 s', async () => {
    await start('location.cfg')
    const users = Array.from({ length: 10_000 }, (_, i) => `many${i}`)
    while (users.length > 0) {
      const answers = users.splice(0, 50).map((user) =>
        caller.ask(
          request(caller, router.port, {
            method: 'REGISTER',
            user,
            headers: `Contact: <sip:${user}@127.0.0.1:${caller.port}>\r\n`,
          }),
          router.port,
          { milliseconds: 5_000, retryMilliseconds: 500 },
        ),
      )
      for (const answer of await Promise.all(answers)) expect(answer?.status).toBe(200)
    }
    await router.kill()
    const seconds = await start('location.cfg')
    const found = await caller.ask(
      request(caller, router.port, { method: 'MESSAGE', user: 'many9999' }),
      router.port,
    )
    expect(found?.status).toBe(200)
    figures.push(
      `restart with 10,000 bindings: ${seconds.toFixed(2)} s; first lookup ${found?.milliseconds.toFixed(0)} ms later`,
    )
    expect(seconds).toBeLessThan(4)
  })

  test('learned bindings come back, unproven', async () => {
    const devices = await Promise.all(Array.from({ length: 20 }, () => Caller.open()))
    await start('learning.cfg')
    const says = (device: Caller, i: number) =>
      device.ask(
        request(device, router.port, { method: 'MESSAGE', user: '1000', from: `${2000 + i}` }),
        router.port,
      )
    for (const [i, device] of devices.entries()) expect((await says(device, i))?.status).toBe(200)
    // A MESSAGE is not held back for the store: what was learned in the last moment was promised to nobody.
    await pause(500)
    await router.kill()
    await start('learning.cfg')

    for (const [i, device] of devices.entries()) {
      // Unproven: nothing that waits is sent, whatever the device says ...
      const headers = 'X-Store: yes\r\n'
      const kept = request(caller, router.port, {
        method: 'MESSAGE',
        user: `${2000 + i}`,
        from: 'x',
        headers,
        body: `kept ${i}`,
      })
      expect((await caller.ask(kept, router.port))?.status).toBe(202)
      expect((await says(device, i))?.status).toBe(200)
    }
    await pause(100)
    expect(devices.flatMap(({ received }) => received)).toEqual([])
    for (const [i, device] of devices.entries()) {
      // ... until it has answered something: the lookup still finds it where it was.
      const direct = request(caller, router.port, {
        method: 'MESSAGE',
        user: `${2000 + i}`,
        from: 'x',
        body: `direct ${i}`,
      })
      expect((await caller.ask(direct, router.port))?.status).toBe(200)
      await until(() => device.received.length === 2)
      expect(device.received.map(bodyOf)).toEqual([`direct ${i}`, `kept ${i}`])
      device.close()
    }
  })

  test('the outbox: nothing that was answered with 202 is lost, and what comes twice says so', async () => {
    const devices = await Promise.all(Array.from({ length: 20 }, () => Caller.open()))
    await start('learning.cfg')
    const says = (device: Caller, i: number) =>
      device.ask(
        request(device, router.port, { method: 'MESSAGE', user: '1000', from: `${2000 + i}` }),
        router.port,
      )
    const direct = (i: number) =>
      caller.ask(
        request(caller, router.port, { method: 'MESSAGE', user: `${2000 + i}`, from: 'x', body: 'direct' }),
        router.port,
      )
    for (const [i, device] of devices.entries()) await says(device, i)

    /** Bodies that were answered with 202, by device. */
    const promised = devices.map(() => new Set<string>())
    const sent = new Set<string>()
    let crashes = 0
    for (let round = 0; round < 2; round++) {
      const killAt = performance.now() + 150 + random() * 300
      for (let n = 0; performance.now() < killAt && n < 300; n++) {
        const i = n % devices.length
        const body = `message ${round}.${n}`
        const text = request(caller, router.port, {
          method: 'MESSAGE',
          user: `${2000 + i}`,
          from: 'x',
          headers: 'X-Store: yes\r\n',
          body,
        })
        sent.add(body)
        void caller.ask(text, router.port).then((answer) => answer?.status === 202 && promised[i]?.add(body))
        await pause(1)
      }
      await router.kill()
      await pause(30)
      crashes++
      await start('learning.cfg')
      // Each device proves itself, which opens its outbox; the next crash comes while messages are delivered.
      const deliveries = devices.map(async (device, i) => {
        await says(device, i)
        await direct(i)
      })
      if (round === 0) {
        await pause(30 + random() * 60)
        await router.kill()
        crashes++
        await Promise.allSettled(deliveries)
        await start('learning.cfg')
      } else await Promise.all(deliveries)
    }
    for (const [i, device] of devices.entries()) {
      await says(device, i)
      await direct(i)
    }
    const isThere = () => devices.every(({ received }, i) => hasAll(received.map(bodyOf), promised[i]))
    await until(isThere, 5_000).catch(() => undefined)
    await pause(200)

    let missing = 0
    let marked = 0
    let unmarked = 0
    for (const [i, device] of devices.entries()) {
      const bodies = device.received.map(bodyOf)
      for (const body of promised[i] ?? []) if (!bodies.includes(body)) missing++
      const seen = new Set<string>()
      for (const text of device.received) {
        const body = bodyOf(text)
        if (body === 'direct') continue
        expect(sent).toContain(body)
        const branch = /branch=([^;\s]+)/.exec(text)?.[1] ?? ''
        // A retransmission is no second delivery: the transaction layer of a device absorbs it.
        if (seen.has(branch)) continue
        seen.add(branch)
        if (!seen.has(body)) seen.add(body)
        else if (/^X-Delivery-Attempt: [2-9]/im.test(text)) marked++
        else unmarked++
      }
      device.close()
    }
    const count = promised.reduce((sum, bodies) => sum + bodies.size, 0)
    figures.push(
      `outbox: ${count} answered with 202 in ${crashes} crashes, ${missing} lost, ${marked} delivered twice and marked, ${unmarked} not`,
    )
    expect(count).toBeGreaterThan(50)
    expect(missing).toBe(0)
    expect(unmarked).toBe(0)
  })
})

function hasAll(bodies: readonly string[], wanted: Iterable<string> = []): boolean {
  const found = new Set(bodies)
  return [...wanted].every((body) => found.has(body))
}

function bodyOf(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

async function until(isTrue: () => boolean, milliseconds = 3_000): Promise<void> {
  const end = performance.now() + milliseconds
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`not true after ${milliseconds} ms: ${isTrue}`)
    await pause(10)
  }
}
