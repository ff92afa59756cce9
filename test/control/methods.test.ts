import { describe, expect, test } from 'vitest'
import { type Method, MethodTable, Responders, wholeAnswer } from '../../src/control/methods.ts'
import { processMethods } from '../../src/control/process-methods.ts'
import { limits } from '../../src/limits.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'

const clock = simulatedClock()
const signals: number[] = []
const own: Method[] = processMethods({
  clock,
  args: ['run', '-f', 'x.cfg'],
  threads: () => ['main thread', 'worker 0'],
  methods: () => all.methods(),
  signal: (number) => void signals.push(number),
})
const others: Method[] = [
  { name: 'core.version', doc: 'Another one.', run: () => 'hidden' },
  { name: 'z.long', doc: 'Long.', run: () => 'x'.repeat(limits.controlMergedCharactersMax) },
]
const table = (methods: Method[]) => new MethodTable(methods, clock, collectingLog())
const all = new Responders([table(own), table(others)])
const ask = async (name: string, ...params: unknown[]) => JSON.parse(await wholeAnswer(all, name, params))

/** Names and shapes as Kamailio 5.6.3 has them. */
describe('methods of the process', () => {
  test.each([
    ['core.version', [], expect.stringMatching(/^viaduct \d/)],
    ['core.uptime', [], { now: expect.any(String), up_since: expect.any(String), uptime: 0 }],
    ['core.ps', [], [process.pid, 'main thread', process.pid, 'worker 0']],
    ['core.psx', [], expect.arrayContaining([{ IDX: 1, PID: process.pid, DSC: 'worker 0' }])],
    ['core.arg', [], ['viaduct', 'run', '-f', 'x.cfg']],
    ['core.pwd', [], [process.cwd()]],
    ['core.echo', ['a', 1, '2'], ['a', '1', '2']],
    ['core.printi', [1, '2', 'x'], [1, 2, 0]],
    ['core.runinfo', [], expect.objectContaining({ name: 'viaduct', utime_days: '0d 0h 0m 0s' })],
    ['core.info', [], expect.objectContaining({ version: expect.stringContaining('viaduct') })],
    ['core.shmmem', ['m'], expect.objectContaining({ fragments: 0, total: expect.any(Number) })],
    ['system.methodHelp', ['core.pwd'], 'The working directory.'],
    [
      'system.methodSignature',
      ['system.methodHelp'],
      [{ name: 'method', doc: 'Its name.', optional: false }],
    ],
  ])('%s %j', async (name, params, expected) => {
    expect(await ask(name, ...params)).toEqual(expected)
  })

  test.each([
    ['system.methodHelp', [], 400, 'Method Name Expected'],
    ['system.methodHelp', ['nope'], 400, 'command not found'],
    ['core.shmmem', ['x'], 500, 'bad memory size unit: b, k, m or g'],
    ['core.kill', ['TERM'], 400, 'A signal is a number from 1 to 64'],
    ['core.kill', [0], 400, 'A signal is a number from 1 to 64'],
  ])('%s %j is refused with %i %s', async (name, params, code, message) => {
    await expect(ask(name, ...params)).rejects.toMatchObject({ fault: { code, message } })
  })

  test('core.kill sends what it is told, 15 by itself', async () => {
    await ask('core.kill')
    await ask('core.kill', '9')
    expect(signals).toEqual([15, 9])
  })

  test('a date is as ctime(3) writes it', async () => {
    const { now } = await ask('core.uptime')
    expect(now).toMatch(/^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \d{4}$/)
  })
})

test('of two methods of one name the first answers, and all are listed once, in order', async () => {
  const names: string[] = await ask('system.listMethods')
  expect(names).toEqual([...new Set(names)].toSorted())
  expect(names).toContain('z.long')
  expect(await ask('core.version')).not.toBe('hidden')
})

test('an answer that must be one text is bounded', async () => {
  await expect(ask('z.long')).rejects.toMatchObject({
    fault: { code: 500, message: expect.stringMatching(/too long/) },
  })
})
