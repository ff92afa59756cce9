import { beforeAll, describe, expect, it, test } from 'vitest'
import { matchesGlob } from '../../plugins/textopsx/glob.ts'
import textopsx from '../../plugins/textopsx/index.ts'
import { ArgumentProblem, isFault, scanMessage } from '../../src/plugin/index.ts'
import { compilePattern } from '../../src/text/pattern.ts'
import { type Bench, type BenchContext, createStand } from './stand.ts'
import { bodyOf, difference, textMessage } from './text-message.ts'

/** Codes and effects are those of Kamailio 5.6.3 unless a test says otherwise. */
const stand = createStand()
let bench: Bench

beforeAll(async () => {
  bench = await stand.load(textopsx)
})

const text = textMessage({
  headers:
    'X-A: one, two\r\nX-A: three;p=1;q=2\r\nP-Foo: x\r\nSupported: path, 100rel\r\n' +
    'Authorization: Digest username="a,b", realm="b", nonce="c"\r\n',
})

function run(name: string, ...args: unknown[]) {
  const context = stand.context(text)
  const code = bench.call(name, context, ...args)
  return { code, context, ...difference(text, context.written()) }
}

describe('values of headers', () => {
  it.each<[string, unknown[], number, string[], string[]]>([
    ['append_hf_value', ['X-A', 'new'], 1, ['X-A: new'], []],
    ['append_hf_value', ['X-A[1]', 'new'], 1, ['X-A: one,new, two'], ['X-A: one, two']],
    ['append_hf_value', ['X-A[-1]', 'new'], 1, ['X-A: three;p=1;q=2,new'], ['X-A: three;p=1;q=2']],
    ['append_hf_value', ['X-A[9]', 'new'], 1, ['X-A: new'], []],
    ['append_hf_value', ['Nope', 'new'], 1, ['Nope: new'], []],
    ['insert_hf_value', ['X-A', 'new'], 1, ['X-A: new'], []],
    ['insert_hf_value', ['X-A[2]', 'new'], 1, ['X-A: one,new, two'], ['X-A: one, two']],
    ['insert_hf_value', ['Nope', 'new'], 1, ['Nope: new'], []],
    ['remove_hf_value', ['X-A'], 1, ['X-A:  two'], ['X-A: one, two']],
    ['remove_hf_value', ['X-A[2]'], 1, ['X-A: one'], ['X-A: one, two']],
    ['remove_hf_value', ['X-A[3]'], 1, [], ['X-A: three;p=1;q=2']],
    ['remove_hf_value', ['X-A[-1]'], 1, [], ['X-A: three;p=1;q=2']],
    ['remove_hf_value', ['x-a[*]'], 1, [], ['X-A: one, two', 'X-A: three;p=1;q=2']],
    ['remove_hf_value', ['X-A[3].p'], 1, ['X-A: three;q=2'], ['X-A: three;p=1;q=2']],
    ['remove_hf_value', ['X-A[*].q'], 1, ['X-A: three;p=1'], ['X-A: three;p=1;q=2']],
    ['remove_hf_value', ['X-A[*].z'], -1, [], []],
    ['remove_hf_value', ['X-A[9]'], -1, [], []],
    ['remove_hf_value', ['Nope'], -1, [], []],
    ['assign_hf_value', ['X-A', 'z'], 1, ['X-A: z, two'], ['X-A: one, two']],
    ['assign_hf_value', ['X-A[2]', 'z'], 1, ['X-A: one, z'], ['X-A: one, two']],
    ['assign_hf_value', ['X-A[3].p', '77'], 1, ['X-A: three;p=77;q=2'], ['X-A: three;p=1;q=2']],
    ['assign_hf_value', ['X-A[1].lr', ''], 1, ['X-A: one;lr, two'], ['X-A: one, two']],
    ['assign_hf_value', ['Nope', 'z'], -1, [], []],
    ['include_hf_value', ['Supported', 'PATH'], 1, [], []],
    ['include_hf_value', ['k', 'timer'], 1, ['Supported: path, 100rel,timer'], ['Supported: path, 100rel']],
    ['include_hf_value', ['Require', 'timer'], 1, ['Require: timer'], []],
    ['exclude_hf_value', ['Supported', '100rel'], 1, ['Supported: path'], ['Supported: path, 100rel']],
    ['exclude_hf_value', ['Supported', 'path'], 1, ['Supported:  100rel'], ['Supported: path, 100rel']],
    ['exclude_hf_value', ['Supported', 'nope'], 1, [], []],
    ['hf_value_exists', ['Supported', '100rel'], 1, [], []],
    ['hf_value_exists', ['Supported', '100'], -1, [], []],
    ['hf_value_exists', ['Nope', 'x'], -1, [], []],
  ])('%s%j gives %i', (name, args, code, added, removed) => {
    expect(run(name, ...args)).toMatchObject({ code, added, removed })
  })

  it('a header that is new stands below all others', () => {
    expect(run('insert_hf_value', 'Nope', 'new').context.written()).toMatch(/\r\nNope: new\r\n\r\n/)
  })

  it.each<[string, unknown[], string]>([
    ['remove_hf_value2', ['Authorization.realm'], 'Digest username="a,b", nonce="c"'],
    ['remove_hf_value2', ['Authorization.username'], 'Digest realm="b", nonce="c"'],
    [
      'assign_hf_value2',
      ['Authorization.integrity-protected', '"yes"'],
      'Digest username="a,b", realm="b", nonce="c",integrity-protected="yes"',
    ],
    ['assign_hf_value2', ['Authorization.realm', 'zz'], 'Digest username="a,b", realm=zz, nonce="c"'],
    ['assign_hf_value2', ['Authorization', 'Basic x'], 'Basic x'],
  ])('%s%j', (name, args, value) => {
    const { code, added } = run(name, ...args)
    expect(code).toBe(1)
    expect(added.map((line) => line.replace(/: +/, ': '))).toEqual([`Authorization: ${value}`])
  })

  it.each(['', 'X-A[', 'X-A[0]', 'X-A[x]', 'X A', 'X-A[1.5]'])('%j is no name of a value', (name) => {
    expect(() => run('remove_hf_value', name)).toThrow(ArgumentProblem)
  })
})

describe('fnmatch', () => {
  it.each([
    ['1234', '123*', true],
    ['1234', '*34', true],
    ['1234', '1*2*4', true],
    ['1234', '1*5', false],
    ['a/b', 'a*b', true],
    ['abc', 'a?c', true],
    ['abc', 'a[a-c]c', true],
    ['abc', 'a[!a-c]c', false],
    ['a]c', 'a[]]c', true],
    ['a*c', 'a\\*c', true],
    ['abc', 'a\\*c', false],
    ['a[c', 'a[c', true],
    ['', '*', true],
    ['', '?', false],
    ['abc', '', false],
  ])('%j against %j: %s', (value, pattern, isMatch) => {
    expect(matchesGlob(value, pattern)).toBe(isMatch)
    expect(run('fnmatch', value, pattern).code).toBe(isMatch ? 1 : -1)
  })

  it('case counts unless the flag says otherwise (the documentation: 5.6.3 itself ignores the flag)', () => {
    expect([run('fnmatch', 'ABC', 'a*').code, run('fnmatch', 'ABC', 'a*', 'i').code]).toEqual([-1, 1])
  })

  it('takes no more than text times pattern', () => {
    const started = performance.now()
    expect(matchesGlob('a'.repeat(20_000), `${'*a'.repeat(20)}b`)).toBe(false)
    expect(performance.now() - started).toBeLessThan(200)
  })
})

describe('walks', () => {
  it('over headers, in order', () => {
    const context = stand.context(text)
    expect(bench.read('hfitname', context, 'i')).toBeNull()
    bench.call('hf_iterator_start', context, 'i')
    const seen: unknown[] = []
    while (bench.call('hf_iterator_next', context, 'i') === 1) {
      seen.push(`${bench.read('hfitname', context, 'i')}=${bench.read('hfitbody', context, 'i')}`)
      if (bench.read('hfitname', context, 'i') === 'X-A') bench.call('hf_iterator_rm', context, 'i')
      if (bench.read('hfitname', context, 'i') === 'To') {
        bench.call('hf_iterator_append', context, 'i', 'X-After: 1\r\n')
        bench.call('hf_iterator_insert', context, 'i', 'X-Before: 1\r\n')
      }
    }
    expect(seen.slice(0, 3)).toEqual([
      'Via=SIP/2.0/UDP 127.0.0.1:15421;branch=z9hG4bK1',
      'Max-Forwards=70',
      'From="Al" <sip:alice@example.com>;tag=1',
    ])
    expect(seen).toHaveLength(context.message.headerCount)
    expect(context.written()).toContain(
      '\r\nX-Before: 1\r\nTo: <sip:bob@example.com>\r\nX-After: 1\r\nCall-ID',
    )
    expect(context.written()).not.toContain('X-A:')
    expect(bench.call('hf_iterator_prev', context, 'i')).toBe(1)
    expect(bench.read('hfitname', context, 'i')).toBe('Content-Type')
    expect([
      bench.call('hf_iterator_end', context, 'i'),
      bench.call('hf_iterator_end', context, 'i'),
    ]).toEqual([1, -1])
  })

  it('over body lines', () => {
    const context = stand.context(text)
    bench.call('bl_iterator_start', context, 'i')
    while (bench.call('bl_iterator_next', context, 'i') === 1) {
      const line = String(bench.read('blitval', context, 'i'))
      if (line.startsWith('c=')) bench.call('bl_iterator_rm', context, 'i')
      if (line.startsWith('o=')) {
        bench.call('bl_iterator_append', context, 'i', 'a=x\r\n')
        bench.call('bl_iterator_insert', context, 'i', 'b=x\r\n')
      }
    }
    expect(bodyOf(context.written())).toBe(
      'v=0\r\nb=x\r\no=x 1 1 IN IP4 10.0.0.1\r\na=x\r\nm=audio 4000 RTP/AVP 0\r\n',
    )
  })

  it('belong to one run and one message', () => {
    const context = stand.context(text)
    expect(bench.call('hf_iterator_next', context, 'none')).toBe(-1)
    bench.call('hf_iterator_start', context, 'i')
    expect(bench.call('hf_iterator_next', stand.context(text), 'i')).toBe(-1)
    context.message = stand.context(text).message
    expect(bench.call('hf_iterator_next', context, 'i')).toBe(-1)
  })

  it('are bounded', () => {
    const context = stand.context(text)
    const codes = Array.from({ length: 17 }, (_, i) => bench.call('hf_iterator_start', context, `i${i}`))
    expect(codes).toEqual([...Array(16).fill(1), -1])
  })
})

describe('the message itself', () => {
  function applying(context: BenchContext): BenchContext {
    context.applyEdits = () => {
      const message = scanMessage(context.written())
      if (isFault(message)) return false
      context.message = message
      context.edits.clear()
      return true
    }
    return context
  }

  it('msg_apply_changes makes the edits visible', () => {
    const context = applying(stand.context(text))
    context.edits.appendHeader('X-N: 1\r\n')
    expect(context.message.find('X-N')).toBe(-1)
    expect(bench.call('msg_apply_changes', context)).toBe(1)
    expect(context.message.find('X-N')).not.toBe(-1)
  })

  it('but not once there is a transaction', () => {
    const context = applying(stand.context(text))
    context.transaction = {} as never
    expect(bench.call('msg_apply_changes', context)).toBe(-1)
    expect(bench.call('msg_set_buffer', context, text)).toBe(-1)
  })

  it('msg_set_buffer puts another message there', () => {
    const context = stand.context(text)
    expect(bench.call('msg_set_buffer', context, textMessage({ uri: 'sip:new@h' }))).toBe(1)
    expect([context.target.uri, context.message.requestUri]).toEqual(['sip:new@h', 'sip:new@h'])
    expect(bench.call('msg_set_buffer', context, 'junk')).toBe(-1)
    expect(bench.call('msg_set_buffer', context, text.replace(/^.*/, 'SIP/2.0 200 OK'))).toBe(-1)
    expect(context.message.requestUri).toBe('sip:new@h')
  })

  it('remove_body leaves Content-Type', () => {
    expect(run('remove_body')).toMatchObject({ code: 1, added: ['Content-Length: 0'] })
  })

  it('keep_hf keeps what routing needs', () => {
    const pattern = compilePattern('^P-', { ignoreCase: true })
    const authorization = 'Authorization: Digest username="a,b", realm="b", nonce="c"'
    const others = ['X-A: one, two', 'X-A: three;p=1;q=2', 'Supported: path, 100rel', authorization]
    expect(run('keep_hf', pattern)).toMatchObject({ code: 1, added: [], removed: others })
    expect(run('keep_hf').removed.toSorted()).toEqual([...others, 'P-Foo: x'].toSorted())
  })

  test.each<[number, number, number]>([
    [603, 404, 1],
    [404, 603, 1],
    [183, 180, 1],
    [180, 404, -1],
    [200, 404, -1],
    [404, 200, -1],
    [404, 700, -1],
    [404, 99, -1],
  ])('change_reply_status: %i to %i gives %i', (from, to, code) => {
    const context = stand.context(text.replace(/^.*/, `SIP/2.0 ${from} Was`))
    expect(bench.call('change_reply_status', context, to, 'Is\r\nX: y')).toBe(code)
    expect(context.replyStatus).toEqual(code === 1 ? { code: to, reason: 'Is X: y' } : null)
    bench.call('change_reply_status_code', context, to)
    if (code === 1) expect(context.replyStatus).toEqual({ code: to, reason: 'Is X: y' })
  })

  it('a request has no status to change', () => {
    expect(run('change_reply_status', 404, 'x').code).toBe(-1)
  })
})
