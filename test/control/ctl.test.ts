import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { methodOf, paramsOf } from '../../src/command/ctl.ts'
import { AnswerLines, answerText, shownSafely } from '../../src/command/ctl-text.ts'
import { isReplyName } from '../../src/control/fifo.ts'

test.each([
  [
    ['location', '2000'],
    ['location', '2000'],
  ],
  [['table=location', 'aor=2000'], { table: 'location', aor: '2000' }],
  [
    ['t', 'key', 'a=b'],
    ['t', 'key', 'a=b'],
  ],
  [
    ['s:2000', 'i:5'],
    ['2000', '5'],
  ],
  [['contact=sip:a@b;x=y'], { contact: 'sip:a@b;x=y' }],
  [[], []],
])('the words %j are the parameters %j', (words, expected) => {
  expect(paramsOf(words)).toEqual(expected)
})

test.each([
  ['drain', 'edges.drain'],
  ['edges', 'edges.list'],
  ['ul.dump', 'ul.dump'],
  ['', ''],
])('the word %s asks for %s', (word, method) => {
  expect(methodOf(word)).toBe(method)
})

describe('an answer for people', () => {
  test('how far a drain is', () => {
    const answer = { edge: 'a', uri: 'sip:192.0.2.1:5060', draining: 'yes', bindings: 12, flows: 3 }
    expect(answerText(answer)).toBe(
      'edge: a\nuri: sip:192.0.2.1:5060\ndraining: yes\nbindings: 12\nflows: 3\n',
    )
  })

  test.each([
    ['a value', 'x', 'x\n'],
    ['names', { a: 1, b: 'c' }, 'a: 1\nb: c\n'],
    ['names in names', { a: { b: 1 } }, 'a:\n  b: 1\n'],
    ['rows', [{ a: 1, b: 'x' }, { a: 22 }], 'a   b\n1   x\n22\n'],
    ['rows that are wrapped', [{ socket: { a: 1 } }], 'a\n1\n'],
    ['rows with more in them', [{ a: 1, c: { d: 2 } }], '- a: 1\n  c:\n    d: 2\n'],
    ['values', ['a', 'b'], 'a\nb\n'],
    ['nothing', [], ''],
    ['what a terminal would obey', 'a\u001b[31m\u009b', 'a\\x1b[31m\\x9b\n'],
  ])('%s', (_, answer, expected) => {
    expect(answerText(answer)).toBe(expected)
  })

  test('a long one is the same lines whatever it is cut into', () => {
    const linesOf = (text: string, cut: number) => {
      const lines = new AnswerLines(false)
      let shown = ''
      for (let at = 0; at < text.length; at += cut) shown += lines.add(text.slice(at, at + cut))
      return shown + lines.end()
    }
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 9 }), (value, cut) => {
        const text = JSON.stringify(value)
        expect(linesOf(text, cut)).toBe(linesOf(text, text.length))
      }),
    )
    expect(linesOf('{"a":[{"b":"x,{","c":-1.5e3},{}],"d":null}', 3)).toBe(
      'a:\n    b: x,{\n    c: -1.5e3\nd: null\n',
    )
  })

  test('no control character reaches the terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(/[\x00-\x1f\x7f-\x9f]/.test(shownSafely(text))).toBe(false)
      }),
    )
  })
})

test.each([
  ['kamailio_receiver_123', true],
  ['a.b-c_d', true],
  ['../etc/passwd', false],
  ['a/b', false],
  ['..', false],
  ['.hidden', false],
  ['', false],
  ['a\0b', false],
  ['x'.repeat(256), false],
])('%j as the name of a reply: %s', (name, expected) => {
  expect(isReplyName(name)).toBe(expected)
})
