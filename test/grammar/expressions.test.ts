import { describe, expect, test } from 'vitest'
import type { Expression } from '../../grammar/ast.ts'
import { summariseExpression } from './ast-summary.ts'
import { codesOf, parseText } from './sources.ts'

/** The value of `$x = ...;` in a script, with all parentheses written out. */
function parsed(text: string): string {
  const script = parseText(`request_route { $x = ${text}; }`)
  expect(codesOf(script)).toEqual([])
  const route = script.script.items[0]
  const statement = route?.type === 'route' ? route.body.statements[0] : undefined
  const value: Expression | undefined = statement?.type === 'assignment' ? statement.value : undefined
  return value === undefined ? 'nothing' : summariseExpression(value)
}

describe('precedence, from loosest to tightest, all to the left', () => {
  test.each([
    ['1 || 2 && 3', '(1 || (2 && 3))'],
    ['1 or 2 and 3', '(1 || (2 && 3))'],
    ['1 && 2 | 3', '(1 && (2 | 3))'],
    ['1 | 2 & 3', '(1 | (2 & 3))'],
    ['1 & 2 ^ 3', '(1 & (2 ^ 3))'],
    ['1 ^ 2 << 3', '(1 ^ (2 << 3))'],
    ['1 << 2 >> 3', '(1 << (2 >> 3))'],
    ['1 >> 2 << 3', '((1 >> 2) << 3)'],
    ['6 & 3 == 3', '(6 & (3 == 3))'],
    ['1 << 2 == 3', '(1 << (2 == 3))'],
    ['1 << 2 + 1', '(1 << (2 + 1))'],
    ['1 == 2 < 3', '(1 == (2 < 3))'],
    ['1 < 2 == 1', '((1 < 2) == 1)'],
    ['1 == 2 != 3', '((1 == 2) != 3)'],
    ['"a" =~ "b" eq "c"', '(("a" =~ "b") eq "c")'],
    ['1 ieq 2 ine 3', '((1 ieq 2) ine 3)'],
    ['1 < 2 + 3', '(1 < (2 + 3))'],
    ['1 + 2 - 3', '((1 + 2) - 3)'],
    ['1 + 2 * 3', '(1 + (2 * 3))'],
    ['8 / 4 / 2', '((8 / 4) / 2)'],
    ['1 * 2 mod 3', '((1 * 2) mod 3)'],
    ['-7 mod 3', '((-7) mod 3)'],
    ['!0 + 1', '((!0) + 1)'],
    ['not 1 == 2', '((!1) == 2)'],
    ['!!$y', '(!(!$y))'],
    ['- - 5', '(-(-5))'],
    ['~5 & 1', '((~5) & 1)'],
    ['!defined $y && 1', '((!(defined $y)) && 1)'],
    ['defined $y == 1', '((defined $y) == 1)'],
    ['(int)$y + (str)5', '((int $y) + (string 5))'],
    ['-(int)"3"', '(-(int "3"))'],
    ['(1 + 2) * 3', '((1 + 2) * 3)'],
  ])('%s', (text, expected) => expect(parsed(text)).toBe(expected))
})

describe('operands', () => {
  test.each([
    ['$(hdr(From)[0]{s.len})', '$(hdr(From)[0]{s.len})'],
    ['@hf_value["X-Y"]', '@hf_value["X-Y"]'],
    ['@via[1].host', '@via[1].host'],
    ['yes + off', '(1 + 0)'],
    ['strlen($y) + strempty("") + selval(1, "a", 2)', '((strlen($y) + strempty("")) + selval(1, "a", 2))'],
    ['route(A)', 'route(<A>)'],
    ['route("A" + $rU)', 'route(("A" + $rU))'],
    ['is_method("INVITE") && 1', '(is_method("INVITE") && 1)'],
    ['f(, "a")', 'f(, "a")'],
    ['f( )', 'f()'],
    [
      'f(udp:10.0.0.1:5060, tcp:[::1]:5060, uri:host, FLT_ACC)',
      'f(<udp:10.0.0.1:5060>, <tcp:[::1]:5060>, <uri:host>, <FLT_ACC>)',
    ],
    ['($y = 5) + 1', '($y = 5 + 1)'],
    ['$rc + $? + $retcode', '(($rc + $?) + $retcode)'],
  ])('%s', (text, expected) => expect(parsed(text)).toBe(expected))
})

describe('special conditions', () => {
  test.each([
    ['uri == myself', '[uri == myself myself]'],
    ['myself != from_uri', '[from_uri != myself myself]'],
    ['!uri == myself', '(![uri == myself myself])'],
    ['uri == myself && 1', '([uri == myself myself] && 1)'],
    ['uri == myself == 1', '([uri == myself myself] == 1)'],
    ['uri == $y + "b"', '[uri == ($y + "b")]'],
    ['uri eq "x"', '[uri == "x"]'],
    ['status =~ "2.." || 0', '([status =~ "2.."] || 0)'],
    ['method == INVITE || method == "BYE"', '([method == word INVITE] || [method == "BYE"])'],
    ['src_ip == 10.0.0.0/8', '[src_ip == net 10.0.0.0/8]'],
    ['src_ip == 10.0.0.0/255.0.0.0', '[src_ip == net 10.0.0.0/255.0.0.0]'],
    ['src_ip == 2001:db8::/32', '[src_ip == net 2001:db8::/32]'],
    ['src_ip == [2001:db8::1]', '[src_ip == net 2001:db8::1]'],
    ['src_ip == ::1 && 1', '([src_ip == net ::1] && 1)'],
    ['src_ip == 1:2:3:4:5:6:7:8', '[src_ip == net 1:2:3:4:5:6:7:8]'],
    ['src_ip == gw-1.example.com', '[src_ip == word gw-1.example.com]'],
    ['src_ip != myself', '[src_ip != myself myself]'],
    ['src_port == 5060 + 1', '[src_port == (5060 + 1)]'],
    ['src_port < 1024 == 1', '([src_port < 1024] == 1)'],
    ['af == INET6', '[af == 10]'],
    ['proto == udp || proto == TLS', '([proto == word udp] || [proto == word TLS])'],
    ['msg:len > 100', '[msg:len > 100]'],
  ])('%s', (text, expected) => expect(parsed(text)).toBe(expected))

  test.each([
    'uri',
    'src_port + 1',
    '5060 == src_port',
    'uri == sip',
    'proto == foo',
    'msg:len > max_len',
    'method == myself',
    'uri < "a"',
    'snd_ip == 10.0.0.1',
    'myself',
  ])('%s is no condition', (text) =>
    expect(codesOf(parseText(`request_route { if (${text}) exit; }`))).toEqual(['syntax/condition']),
  )

  test('snd_ip is known in onsend_route', () =>
    expect(codesOf(parseText('onsend_route { if (snd_ip == 10.0.0.1) exit; }'))).toEqual([]))
})
