import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPinoLog, logLevelOf } from '../../src/runtime/pino-log.ts'
import { redactText } from '../../src/runtime/redact.ts'

function collect(pretty = false, level: 'trace' | 'info' = 'trace') {
  const lines: string[] = []
  const log = createPinoLog({ level, pretty, write: (line) => lines.push(line) })
  return { log, lines, last: () => lines.at(-1) ?? '' }
}

/** Everything a terminal or a line reader could act upon. */
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

describe('a log line', () => {
  test('is JSON: level by name, time, fields, message', () => {
    const { log, last } = collect()
    log.child({ module: 'tm' }).warn({ callId: 'x' }, 'no answer')
    expect(JSON.parse(last())).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      module: 'tm',
      callId: 'x',
      msg: 'no answer',
    })
  })

  test('law: whatever a message brought along, one event is one line of valid JSON without control characters', () => {
    const { log, lines } = collect()
    const octets = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    })
    fc.assert(
      fc.property(octets, octets, fc.constantFrom('\u2028', '\u001b[31m', '\r\n', '%s %j %%'), (a, b, c) => {
        lines.length = 0
        log.info({ from: a + c, [`name${b}`]: b, list: [c], error: new Error(c + a) }, c + b)
        expect(lines).toHaveLength(1)
        const [line = ''] = lines
        expect(line.endsWith('\n')).toBe(true)
        expect(line.slice(0, -1)).not.toMatch(controls)
        expect(JSON.parse(line).level).toBe('info')
      }),
    )
  })

  test('for people: control characters are shown, further lines are indented', () => {
    const { log, last } = collect(true)
    log.info({ agent: '\u001b[2Jx\u009b' }, 'one\n12:00 FATAL: two\u0007\r')
    const plain = last().replace(/\u001b\[\d+m/g, '')
    expect(plain).toContain('one\n    12:00 FATAL: two\\x07\\r')
    expect(plain).toContain('\\x1b[2Jx\\x9b')
    expect(plain.replaceAll('\n', '')).not.toMatch(controls)
  })

  test('fields cannot pretend to be the line itself', () => {
    const { log, last } = collect()
    log.info({ msg: 'forged', level: 'fatal', time: 'never' }, 'true')
    expect(JSON.parse(last())).toMatchObject({ msg: 'true', level: 'info', msg_: 'forged', level_: 'fatal' })
    expect(last().match(/"msg":/g)).toHaveLength(1)
  })

  test('an error keeps its message, stack, code and cause', () => {
    const { log, last } = collect()
    const cause = new Error('disk full')
    log.error({ err: Object.assign(new Error('no write', { cause }), { code: 'ENOSPC' }) }, 'failed')
    expect(JSON.parse(last()).err).toMatchObject({
      type: 'Error',
      message: 'no write',
      stack: expect.stringContaining('pino-log.test.ts'),
      code: 'ENOSPC',
      cause: { message: 'disk full' },
    })
  })
})

describe('levels', () => {
  test('lower ones are not written; children follow a change', () => {
    const { log, lines } = collect(false, 'info')
    const child = log.child({})
    child.debug({}, 'hidden')
    expect([lines.length, child.enabled('debug'), child.enabled('info')]).toEqual([0, false, true])
    log.setLevel('debug')
    child.debug({}, 'shown')
    expect([lines.length, child.enabled('debug')]).toEqual([1, true])
  })

  test.each([
    [-5, 'fatal'],
    [-2, 'fatal'],
    [-1, 'error'],
    [0, 'warn'],
    [1, 'info'],
    [2, 'info'],
    [3, 'debug'],
    [4, 'trace'],
  ])("Kamailio's %d is %s", (kamailio, level) => {
    expect(logLevelOf(kamailio)).toBe(level)
  })
})

describe('secrets', () => {
  test.each([
    ['Authorization: Digest username="a", response="123"\r\nFrom: x', 'Authorization: [redacted]\r\nFrom: x'],
    ['proxy-authorization :Digest x', 'proxy-authorization : [redacted]'],
    ['Digest username="a", response="0123456789abcdef"', 'Digest username="a", response="[redacted]"'],
    ['mysql://kamailio:kamailiorw@localhost/kamailio', 'mysql://kamailio:[redacted]@localhost/kamailio'],
    ['<sip:alice:hunter2@example.com>', '<sip:alice:[redacted]@example.com>'],
    ['password=hunter2 ha1="ab"', 'password=[redacted] ha1="[redacted]"'],
    ['SIP:alice@example.com:5060', 'SIP:alice@example.com:5060'],
    ['WWW-Authenticate: Digest realm="x"', 'WWW-Authenticate: Digest realm="x"'],
    ['response=200 OK', 'response=200 OK'],
  ])('%j', (text, expected) => {
    expect(redactText(text)).toBe(expected)
  })

  test('go by the name of their field too, however deep', () => {
    const { log, last } = collect()
    log.info({ password: 'a', user: { ha1: 'b', name: 'alice' }, list: [{ Authorization: 'c' }] }, 'x')
    expect(JSON.parse(last())).toMatchObject({
      password: '[redacted]',
      user: { ha1: '[redacted]', name: 'alice' },
      list: [{ Authorization: '[redacted]' }],
    })
  })

  test('looking for them takes linear time', () => {
    const time = (text: string) => {
      const start = performance.now()
      redactText(text)
      return performance.now() - start
    }
    for (const unit of ['sip:a:', '://a:', 'authorization :', 'response=', 'sip:', 'authorization ']) {
      expect(time(unit.repeat(Math.ceil(60_000 / unit.length)))).toBeLessThan(200)
    }
  })

  test('a structure that refers to itself is cut short', () => {
    const { log, lines } = collect()
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    log.info({ loop }, 'x')
    expect(lines).toHaveLength(1)
  })
})
