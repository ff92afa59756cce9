import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Answer, Caller, pause, request } from './caller.ts'
import { Lab } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/**
 * docs/decisions/0023-overload.md with a process of its own: one that gets several times as many registrations as it can
 * handle. The script takes milliseconds for each, so that a test can send more than that on any machine.
 */
const knownUsers = 20
const newcomersPerSecond = 1_500
const floodSeconds = 8

describe('more newcomers than it can register', { timeout: 90_000 }, () => {
  let lab: Lab
  let router: Router
  let newcomers: Caller
  let known: Caller
  const figures: string[] = []
  beforeEach(async () => {
    lab = new Lab()
    newcomers = await Caller.open()
    known = await Caller.open()
    router = await startRouter(lab, 'test/wire/scripts/overload.cfg', { data: join(lab.directory, 'data') })
  })
  afterEach(async () => {
    newcomers.close()
    known.close()
    await lab.close()
  })
  afterAll(() => process.stdout.write(`${figures.join('\n')}\n`))

  const registration = (caller: Caller, user: string, callId = `${user}@127.0.0.1`) =>
    request(caller, router.port, {
      method: 'REGISTER',
      user,
      callId,
      headers: `Contact: <sip:${user}@127.0.0.1:${caller.port}>;expires=600\r\n`,
    })
  const patient = { milliseconds: 8_000, retryMilliseconds: 500 }

  /** Sends newcomers until `until` is over; what each was answered first. */
  async function flood(until: Promise<void>): Promise<Map<string, Answer>> {
    const answers = new Map<string, Answer>()
    let isOver = false
    void until.then(() => {
      isOver = true
    })
    const asking: Promise<void>[] = []
    const startedAt = performance.now()
    for (let n = 0; !isOver; await pause(10)) {
      const due = ((performance.now() - startedAt) / 1000) * newcomersPerSecond
      for (const end = Math.min(due, n + 50); n < end; n++) {
        const user = `new-${n}`
        const asked = newcomers.ask(registration(newcomers, user), router.port, { milliseconds: 4_000 })
        asking.push(
          asked.then((answer) => {
            if (answer !== null) answers.set(user, answer)
          }),
        )
      }
    }
    await Promise.all(asking)
    return answers
  }

  test('known users are answered, newcomers get 503 with a Retry-After of their own, and are let in at their time', async () => {
    for (let n = 0; n < knownUsers; n++) {
      expect((await known.ask(registration(known, `known-${n}`), router.port, patient))?.status).toBe(200)
    }
    const delays: number[] = []
    const unlucky: (number | undefined)[] = []
    const appointments: (number | undefined)[] = []
    /** Told when to come, and come then. */
    const appointed = async () => {
      const first = await newcomers.ask(registration(newcomers, 'appointed'), router.port, patient)
      if (first?.status !== 503) return
      await pause(retryAfter(first) * 1000)
      const second = await newcomers.ask(registration(newcomers, 'appointed'), router.port, patient)
      appointments.push(second?.status)
    }
    const goOn = async () => {
      for (let n = 0; n < floodSeconds * 10; n++) {
        const user = `known-${n % knownUsers}`
        const text =
          n % 4 === 0
            ? registration(known, user, `refresh-${n}@127.0.0.1`)
            : request(known, router.port, { method: 'MESSAGE', user: 'somebody', from: user })
        const answer = await known.ask(text, router.port, patient)
        if (answer?.status === 200) delays.push(answer.milliseconds)
        else unlucky.push(answer?.status)
        await pause(60)
      }
    }
    // Until it has noticed.
    const wait = pause(2_000).then(async () => {
      await Promise.all([appointed(), goOn()])
    })
    const answers = await flood(wait)

    const refused = [...answers.values()].filter(({ status }) => status === 503)
    const seconds = refused.map(retryAfter)
    delays.sort((a, b) => a - b)
    const p99 = delays[Math.floor(delays.length * 0.99)] ?? Number.POSITIVE_INFINITY
    figures.push(
      `${newcomersPerSecond} newcomers a second: ${refused.length} of ${answers.size} answers were 503, Retry-After ${Math.min(...seconds)} to ` +
        `${Math.max(...seconds)} s; ${delays.length} requests of known users: p50 ${delays[delays.length >> 1]?.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    )
    expect(unlucky).toEqual([])
    // By lot it may have been let in at once.
    expect(appointments).toEqual(appointments.map(() => 200))
    expect(p99).toBeLessThan(3_000)
    expect(refused.length).toBeGreaterThan(500)
    expect(seconds.every((told) => told >= 1 && told <= 900)).toBe(true)
    expect(new Set(seconds).size).toBeGreaterThan(5)
    expect([...answers.values()].some(({ status }) => status === 200)).toBe(true)
    expect([...answers.values()].every(({ status }) => status === 200 || status === 503)).toBe(true)
    const lines = () => router.logLines().filter(({ msg }) => msg.includes('overloaded'))
    expect(lines().map(({ msg }) => msg)).toEqual([
      'overloaded: newcomers are told to come again later, whom we know is served',
    ])

    // When it is over, strangers are served again.
    for (let n = 0; n < 400 && lines().length < 2; n++) await pause(100)
    expect(lines().map(({ msg }) => msg)[1]).toBe('no longer overloaded: everybody is served')
    expect((await newcomers.ask(registration(newcomers, 'later'), router.port, patient))?.status).toBe(200)
    expect(await router.stop()).toBe(0)
  })
})

function retryAfter(answer: Answer | null): number {
  return Number(/^Retry-After: (\d+)\r$/im.exec(answer?.text ?? '')?.[1] ?? 0)
}
