import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pattern } from '../../grammar/program.ts'
import { limits } from '../../src/limits.ts'
import { asciiLower } from '../../src/sip/bytes.ts'
import { compilePattern } from '../../src/text/pattern.ts'
import { PatternCache } from '../../src/text/pattern-cache.ts'
import { request, startRouter } from '../script/router.ts'

function compiled(source: string, ignoreCase = true): Pattern {
  const pattern = compilePattern(source, { ignoreCase })
  if (typeof pattern === 'string') throw new Error(`${source}: ${pattern}`)
  return pattern
}

/** Places of the whole match, as text; null without one. */
function found(source: string, subject: string, ignoreCase = true): string | null {
  const places = compiled(source, ignoreCase).match(subject)
  return places === null ? null : subject.slice(places[0], places[1])
}

describe('POSIX extended syntax', () => {
  test.each([
    ['friendly|scanner', 'User Friendly', 'Friendly'],
    ['[[:digit:]]+', 'ab123c', '123'],
    ['[[:alpha:]_]+', '12ab_3', 'ab_'],
    ['[[:space:]]', 'a b', ' '],
    ['[^[:alnum:]]', 'ab-1', '-'],
    ['[]a]+', 'x]a', ']a'],
    ['[^]a]', ']ab', 'b'],
    ['[a-]+', 'b-a', '-a'],
    ['[\\.]+', 'a\\.', '\\.'],
    ['[[.-.]x]', 'a-', '-'],
    ['\\.com$', 'x.com', '.com'],
    ['a\\|b', 'a|b', 'a|b'],
    ['^sip:([^@]+)@(.+)$', 'SIP:a@b', 'SIP:a@b'],
    ['a{2,3}', 'xaaaa', 'aaa'],
    ['a{2}', 'aaa', 'aa'],
    ['a{,2}b', 'aaab', 'aab'],
    ['(ab){2,}', 'ababab', 'ababab'],
    ['a)', 'ba)', 'a)'],
    ['()', 'x', ''],
    ['a||b', 'zz', ''],
    ['.', '\n', '\n'],
    ['\\w+', '-a_1', 'a_1'],
    ['\\bb', 'ab b', 'b'],
    ['a$', 'a\n', null],
    ['^b', 'a\nb', null],
    ['\\d', '5', null],
    ['\\d', 'd', 'd'],
    ['a+?b', 'b', 'b'],
    ['x{2}{2}', 'xxxxx', 'xxxx'],
  ])('%s on %j finds %j', (source, subject, expected) => {
    expect(found(source, subject)).toBe(expected)
    expect(compiled(source).test(subject)).toBe(expected !== null)
  })

  test.each([
    ['the longest of the leftmost matches wins', 'a|ab', 'xabc', 'ab'],
    ['also when groups would rather stop early', '(a|ab)(c|bcd)', 'abcd', 'abcd'],
    ['and without any alternative', 'a?(ab)?', 'ab', 'ab'],
    ['leftmost comes before longest', 'a|bbb', 'abbb', 'a'],
  ])('%s', (_what, source, subject, expected) => {
    expect(found(source, subject)).toBe(expected)
  })

  test('groups have places, absent ones none', () => {
    expect(compiled('^(a)|(b)').match('b')).toEqual([0, 1, -1, -1, 0, 1])
    expect(compiled('o').match('foo', 2)).toEqual([2, 3])
    expect(compiled('^o').match('oo', 1)).toBeNull()
  })

  test.each([
    ['back references', '^(.)\\1$', 'aa', true],
    ['back references compare without case', '^(.)\\1$', 'aA', true],
    ['back references', '^(.)\\1$', 'ab', false],
  ])('%s: %s on %s is %s', (_what, source, subject, expected) => {
    expect(compiled(source).test(subject)).toBe(expected)
  })

  test('case is folded for ASCII letters alone', () => {
    expect(compiled('k').test('K')).toBe(true)
    expect(compiled('k').test('\u212a')).toBe(false)
    expect(compiled('\xe9').test('\xc9')).toBe(false)
    expect(compiled('[a-c]').test('B')).toBe(true)
    expect(compiled('k', false).test('K')).toBe(false)
  })

  test.each([
    ['*a', 'nothing before'],
    ['a|*b', 'nothing before'],
    ['(a', "'('"],
    ['[a', "'['"],
    ['[z-a]', 'backwards'],
    ['[[:nope:]]', '[:nope:]'],
    ['a{', '{n}'],
    ['a{3,1}', 'out of order'],
    ['a{1001}', '1000'],
    ['a\\', 'backslash'],
    ['\\1', 'no group'],
    ['(a+)+\\1$', 'linear time'],
    ['('.repeat(300) + ')'.repeat(300), 'nested'],
  ])('%s is refused with a reason', (source, reason) => {
    expect(compilePattern(source, { ignoreCase: true })).toContain(reason)
  })

  test('agrees with JavaScript on what both have', () => {
    const atom = fc.constantFrom('a', 'b', '[ab]', '.', '(ab)', '(a|b)', '\\.')
    const piece = fc.tuple(atom, fc.constantFrom('', '?', '*', '+', '{2}', '{1,2}'))
    const source = fc.array(piece, { minLength: 1, maxLength: 4 }).map((list) => list.flat().join(''))
    const subject = fc
      .array(fc.constantFrom('a', 'b', '.', '\n'), { maxLength: 8 })
      .map((list) => list.join(''))
    fc.assert(
      fc.property(source, subject, (pattern, text) => {
        const posix = compilePattern(pattern, { ignoreCase: false, isTrusted: false })
        expect(typeof posix === 'string' ? posix : posix.test(text)).toBe(new RegExp(pattern, 's').test(text))
      }),
      { numRuns: 300 },
    )
  })
})

/** Every one of them makes a backtracking engine take quadratic or exponential time. */
const vicious: readonly [source: string, subject: (length: number) => string][] = [
  ['(a+)+$', (n) => `${'a'.repeat(n)}!`],
  ['(a|a)*$', (n) => `${'a'.repeat(n)}!`],
  ['(a|aa)+$', (n) => `${'a'.repeat(n)}!`],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', (n) => 'a'.repeat(n)],
  ['(.*)*x', (n) => 'a'.repeat(n)],
  ['a*a*a*a*a*a*b', (n) => 'a'.repeat(n)],
  ['^(.*a){20}$', (n) => 'a'.repeat(n)],
  ['x*y', (n) => 'x'.repeat(n)],
  ['.*=.*=.*', (n) => `${'='.repeat(1)}${'x'.repeat(n)}`],
  ['(x+x+)+y', (n) => 'x'.repeat(n)],
  ['[0-9]+[0-9]+$', (n) => `${'1'.repeat(n)}a`],
  ['sip:[0-9]+@', (n) => 'sip:'.repeat(n / 4)],
  ['([a-zA-Z0-9._-]+@)?([a-z0-9-]+\\.)+com', (n) => 'a.'.repeat(n / 2)],
  ['a{0,9}a{0,9}a{0,9}b', (n) => 'a'.repeat(n)],
]

describe('a text without operators, in a long subject', () => {
  test('law: found where the engine finds it', () => {
    const letters = (max: number) =>
      fc.array(fc.constantFrom('q', 'Q', 'u', 'U', '=', ' ', '\xe9', '\n'), { minLength: 2, maxLength: max })
    const source = letters(4).map((list) => list.join(''))
    fc.assert(
      fc.property(source, letters(200), fc.nat(200), fc.boolean(), (text, filler, at, ignoreCase) => {
        const subject = filler.slice(0, at).join('') + 'x'.repeat(at) + filler.slice(at).join('')
        const pattern = compilePattern(text, { ignoreCase })
        if (typeof pattern === 'string') throw new Error(pattern)
        const fold = (string: string) => (ignoreCase ? asciiLower(string) : string)
        expect(pattern.test(subject)).toBe(fold(subject).includes(fold(text)))
      }),
      { numRuns: 2_000 },
    )
  })

  test('is found in either case at either end, and is not found when it is not there', () => {
    const filler = 'lorem ipsum dolor sit amet, '.repeat(10)
    const pattern = compilePattern('Quick Brown', { ignoreCase: true }) as Pattern
    const exact = compilePattern('Quick Brown', { ignoreCase: false }) as Pattern
    for (const [subject, isFound] of [
      [`${filler}quick brown`, true],
      [`QUICK BROWN${filler}`, true],
      [`${filler}Quick Brown${filler}`, true],
      [`${filler}quick  brown`, false],
      [filler, false],
      [`${filler}Q`, false],
    ] as const) {
      expect(pattern.test(subject)).toBe(isFound)
      expect(exact.test(subject)).toBe(subject.includes('Quick Brown'))
    }
  })
})

describe('linear time, whatever the pattern and the subject', () => {
  test.each(vicious)('%s', (source, subject) => {
    const pattern = compiled(source)
    const time = (length: number) => {
      const text = subject(length)
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < 5; i++) {
        // This thread's own work, not what a busy machine made it wait for.
        const start = process.threadCpuUsage()
        pattern.test(text)
        pattern.match(text)
        best = Math.min(best, process.threadCpuUsage(start).user / 1_000)
      }
      return best
    }
    time(1_000)
    const short = time(4_000)
    const long = time(16_000)
    // Four times the text: four times the time, with room for a busy machine; quadratic would be sixteen times.
    expect(long).toBeLessThan(Math.max(short * 9, 25))
  })

  test('patterns that scripts really have run in the fast engine', () => {
    const common = [
      'friendly|scanner|sipcli|sipvicious|VaxSIPUserAgent|pplsip',
      '(sipvicious|sundayddr|friendly-scanner|sipsak|sipcli|iWar|csipsimple|SIVuS|Gulp|sipv|smap|VaxSIPUserAgent)',
      '^[0-9][0-9]$',
      '^(\\+|00)[1-9][0-9]{3,20}$',
      '[12][0-9][0-9]',
      'transport=udp',
      '^([0-9a-f]+)-([0-9]+)$',
      '^/RPC',
      '^sip:.*@foo',
      '\\.example\\.com$',
      'nat=yes',
      '^(192\\.168\\.|10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)',
      '^[+]?[0-9]+$',
      '^sips?:([^@]+)@(.+)$',
      '(\\+1)?[2-9][0-9]{2}[2-9][0-9]{6}',
    ]
    expect(common.filter((source) => compiled(source).note !== null)).toEqual([])
  })

  test('the others say why they are slower', () => {
    expect(compiled('(a+)+$').note).toContain('linear engine')
    expect(compiled('\\d+').note).toContain('[0-9]')
  })
})

describe('patterns made at run time', () => {
  test('are compiled once, and the least used are forgotten', () => {
    const cache = new PatternCache()
    const first = cache.get('a1', true)
    expect(cache.get('a1', true)).toBe(first)
    expect(cache.get('a1', false)).not.toBe(first)
    for (let i = 0; i < limits.dynamicPatternsMax; i++) cache.get(`b${i}`, true)
    expect(cache.get('a1', true)).not.toBe(first)
  })

  test('are linear too', () => {
    const pattern = new PatternCache().get('(a+)+$', true) as Pattern
    const start = process.threadCpuUsage()
    expect(pattern.test(`${'a'.repeat(50_000)}!`)).toBe(false)
    expect(process.threadCpuUsage(start).user).toBeLessThan(1_000_000)
  })

  test('that are none match nothing, and say so each time', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nrequest_route { $var(p)="("; if ($rU =~ $var(p)) { xlog("yes"); } else { xlog("no"); } }',
    )
    await router.handle(request())
    await router.handle(request())
    expect(router.lines().map((line) => line.split(':')[0])).toEqual(['warn', 'error', 'warn', 'error'])
  })
})
