import { describe, expect, it, test } from 'vitest'
import { parseFormat } from '../../grammar/format-string.ts'
import { parseWholeVariable, spanWithin, splitParameters } from '../../grammar/pseudo-variable.ts'
import { SourceFile } from '../../grammar/source.ts'

/** `name(inner)[index]{transformation|parameters}`, or `offset: problem`. */
function show(text: string): string {
  const variable = parseWholeVariable(text)
  if ('problem' in variable) return `${variable.offset}: ${variable.problem}`
  const { name, inner, index, transformations } = variable
  const parts = transformations.map(({ name, parameters }) => `{${name}|${parameters?.text ?? ''}}`)
  return `${name}${inner === null ? '' : `(${inner.text})`}${index === null ? '' : `[${index.text}]`}${parts.join('')}`
}

describe('a pseudo-variable', () => {
  test.each([
    ['$ru', 'ru'],
    ['$?', 'rc'],
    ['$err.class', 'err.class'],
    ['$hdr(X-Class)', 'hdr(X-Class)'],
    ['$(ru)', 'ru'],
    ['$(ru{s.len})', 'ru{s.len|}'],
    ['$( hdr(From) [0] { s.len } )', 'hdr(From)[0]{s.len|}'],
    ['$(hdr(From)[-1])', 'hdr(From)[-1]'],
    ['$(avp(x)[*])', 'avp(x)[*]'],
    ['$(avp(x)[$var(i)])', 'avp(x)[$var(i)]'],
    ['$avp($var(x))', 'avp($var(x))'],
    ['$sht(t=>$ci::$(si{s.len}))', 'sht(t=>$ci::$(si{s.len}))'],
    ['$xavp(a[0]=>b[1])', 'xavp(a[0]=>b[1])'],
    ['$(xavp(a=>b){s.len})', 'xavp(a=>b){s.len|}'],
    ['$(ru{uri.user}{s.substr,0,$var(n)})', 'ru{uri.user|}{s.substr|0,$var(n)}'],
    ['$(avp(x){s.select,1,,})', 'avp(x){s.select|1,,}'],
    ['$(tU{re.subst,/^([0-9]{3}).*$/\\1/})', 'tU{re.subst|/^([0-9]{3}).*$/\\1/}'],
    ['$(tU{s.replace,\\{,x})', 'tU{s.replace|\\{,x}'],
    ['$(?)', 'rc'],
  ])('%s', (text, expected) => {
    expect(show(text)).toBe(expected)
  })

  test.each([
    ['ru', '0: a pseudo-variable starts with $'],
    ['$', '0: a name must follow $ ($$ stands for a dollar sign)'],
    ['$hdr(x', '4: the parenthesis after $hdr is never closed'],
    ['$(', '2: a name must follow $('],
    ['$(ru', '4: $(ru is never closed'],
    ['$(ru{s.len', '4: the brace is never closed'],
    ['$(hdr(a)[1)', '8: the bracket is never closed'],
    ['$(hdr(a', '5: the parenthesis after hdr is never closed'],
    ['$ru x', '3: unexpected text after $ru'],
  ])('%s is none', (text, expected) => {
    expect(show(text)).toBe(expected)
  })
})

describe('parameters of transformations', () => {
  test.each([
    ['1,:', 2, ['1', ':']],
    ['1,,', 2, ['1', ',']],
    ['1, ', 2, ['1', ' ']],
    [' 1, x y', 2, ['1', 'x y']],
    ['$(avp(a){s.select,1,,}),b', 2, ['$(avp(a){s.select,1,,})', 'b']],
    ['/a,b/c,d/', 1, ['/a,b/c,d/']],
    ['', 1, ['']],
  ])('%j splits in %d', (text, count, expected) => {
    expect(splitParameters({ text, offset: 0 }, count).map((piece) => piece.text)).toEqual(expected)
  })
})

it('in a parameter of a transformation a $ that no name follows stands for itself', () => {
  expect(parseFormat('/(com|org)$/$ru/', () => true, true)).toMatchObject([
    '/(com|org)$/',
    { text: '$ru' },
    '/',
  ])
  expect(parseFormat('/a$/b/', () => true, true)).toEqual(['/a$/b/'])
})

describe('a format string', () => {
  const known = new Set(['ru', 'rU', 'hdr', 'err.class'])
  const parts = (text: string) => {
    const found = parseFormat(text, (name) => known.has(name))
    return 'problem' in found
      ? `${found.offset}: ${found.problem}`
      : found.map((part) => (typeof part === 'string' ? part : { [part.offset]: part.text }))
  }

  test.each([
    ['', []],
    ['text', ['text']],
    ['$ru', [{ 0: '$ru' }]],
    ['to $ru!', ['to ', { 3: '$ru' }, '!']],
    ['a $$ru $(ru{s.len})', ['a $ru ', { 7: '$(ru{s.len})' }]],
    ['%% $ru%', ['%% ', { 3: '$ru' }, '%']],
    ['$rU.example.com', [{ 0: '$rU' }, '.example.com']],
    ['$rU.', [{ 0: '$rU' }, '.']],
    ['$err.class', [{ 0: '$err.class' }]],
    ['$unknown.name', [{ 0: '$unknown.name' }]],
  ])('%j', (text, expected) => {
    expect(parts(text)).toEqual(expected)
  })

  test('a dollar sign alone is refused, as in Kamailio', () => {
    expect(parts('costs $ 5')).toBe('6: a name must follow $ ($$ stands for a dollar sign)')
  })
})

describe('places in texts', () => {
  const file = new SourceFile('a.cfg', 'x = "a $ru b"\n')

  test('point into the string', () => {
    const span = spanWithin(file.span(4, 13), 7, 2, 5)
    expect([span.start, span.end, span.line, span.column]).toEqual([7, 10, 1, 8])
  })

  test('fall back to the whole where escapes or defines stand between', () => {
    const whole = file.span(4, 13)
    expect(spanWithin(whole, 5, 2, 5)).toBe(whole)
    const defined = { ...whole, via: 'NAME' }
    expect(spanWithin(defined, 7, 2, 5)).toBe(defined)
  })
})
