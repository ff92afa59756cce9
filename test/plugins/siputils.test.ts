import { beforeAll, describe, expect, it, test } from 'vitest'
import siputils from '../../plugins/siputils/index.ts'
import { ArgumentProblem } from '../../src/plugin/index.ts'
import { type Bench, createStand } from './stand.ts'
import { difference, type TextParts, textMessage } from './text-message.ts'

/** Codes and effects are those of Kamailio 5.6.3 unless a test says otherwise. */
const stand = createStand()
let bench: Bench

beforeAll(async () => {
  bench = await stand.load(siputils)
})

function run(parts: TextParts, name: string, ...args: unknown[]) {
  const text = textMessage(parts)
  const context = stand.context(text)
  const code = bench.call(name, context, ...args)
  return { code, context, uri: context.target.uri, ...difference(text, context.written()) }
}

/** A variable as a script has it. */
function variable(value = '') {
  return {
    value,
    read: () => value,
    write(_context: unknown, text: string) {
      this.value = text
      return true
    },
  }
}

describe('messages', () => {
  it.each<[string, TextParts, unknown[], number]>([
    ['has_totag', {}, [], -1],
    ['has_totag', { to: '<sip:b@c>;TAG=x' }, [], 1],
    ['has_totag', { to: '<sip:b@c;tag=uri>' }, [], -1],
    ['is_request', {}, [], 1],
    ['is_reply', {}, [], -1],
    ['is_first_hop', {}, [], 1],
    ['is_first_hop', { headers: 'Via: SIP/2.0/UDP x\r\n' }, [], -1],
    ['is_supported', { headers: 'Supported: path\r\nk: gruu\r\n' }, ['GRUU'], 1],
    ['is_supported', { headers: 'Supported: path\r\n' }, ['timer'], -1],
    ['is_user', {}, ['alice'], -1],
  ])('%s %#: %i', (name, parts, args, code) => {
    expect(run(parts, name, ...args).code).toBe(code)
  })

  it('is_user asks who was authenticated, not who says so', () => {
    const { context } = run({}, 'is_user', 'alice')
    context.scope.authenticated = { user: 'alice', realm: 'r', flowProven: true, qop: true }
    expect([bench.call('is_user', context, 'alice'), bench.call('is_user', context, 'bob')]).toEqual([1, -1])
  })

  it.each<[string, string, number | undefined, number]>([
    ['no Record-Route', '', undefined, 1],
    ['ours on top', 'Record-Route: <sip:192.0.2.1;lr>, <sip:other;lr>\r\n', undefined, 1],
    ['another on top', 'Record-Route: <sip:192.0.2.9;lr>\r\n', undefined, -1],
    ['our name on top', 'Record-Route: <sip:edge.example.com;lr>\r\n', undefined, -1],
    ['our name on top, mode 1', 'Record-Route: <sip:edge.example.com;lr>\r\n', 1, 1],
  ])('is_first_hop of a response: %s', (_what, headers, mode, code) => {
    stand.aliases.add('edge.example.com')
    const context = stand.context(textMessage({ headers }).replace(/^.*/, 'SIP/2.0 200 OK'))
    expect(bench.call('is_first_hop', context, mode)).toBe(code)
  })

  it('is_first_hop: a response that we sent ourselves came from further away', () => {
    const text = textMessage({ headers: 'Record-Route: <sip:192.0.2.1;lr>\r\n' }).replace(
      /^.*/,
      'SIP/2.0 200 OK',
    )
    expect(bench.call('is_first_hop', stand.context(text, { address: '192.0.2.1' }))).toBe(-1)
  })

  it.each([
    [-11, 10, -4],
    [-9, 10, 1],
    [60, 10, 1],
  ])('hdr_date_check: %i s from now, %i s allowed: %i', (offset, seconds, code) => {
    const date = new Date(stand.clock.wall() + offset * 1000).toUTCString()
    expect(run({ headers: `Date: ${date}\r\n` }, 'hdr_date_check', seconds).code).toBe(code)
  })

  it.each(['', 'Date: foo\r\n', 'Date: 2020-01-01\r\n', 'Date: Sun, 99 Foo 2020 10:00:00 GMT\r\n'])(
    'hdr_date_check: %j cannot be read',
    (headers) => {
      expect(run({ headers }, 'hdr_date_check', 10).code).toBe(-1)
    },
  )
})

describe('URIs', () => {
  it.each<[string, unknown[], number]>([
    ['is_uri', ['sip:a@b'], 1],
    ['is_uri', ['tel:+123'], 1],
    ['is_uri', ['sip:b'], 1],
    ['is_uri', ['abc'], -1],
    ['is_uri', ['abc:def'], -1],
    ['is_gruu', ['sip:a@b;gr'], 2],
    ['is_gruu', ['sip:a@b;gr=x'], 1],
    ['is_gruu', ['sip:a@b'], -1],
    ['is_gruu', [], -1],
    ['cmp_uri', ['sip:a@b', 'sip:a@B'], 1],
    ['cmp_uri', ['sip:a@b', 'sip:a@b;x=y'], 1],
    ['cmp_uri', ['sip:a@b', 'sip:a@b:5060'], -1],
    ['cmp_uri', ['sip:a@b', 'sip:c@b'], -1],
    ['cmp_uri', ['zz', 'sip:c@b'], -2],
    ['cmp_aor', ['sip:a@b', 'sip:a@B:5060;x=y'], 1],
    ['cmp_aor', ['sip:a@b', 'sip:A@b'], -1],
    ['cmp_aor', ['sip:a@b', 'sip:a@b:5070'], -1],
    ['cmp_hdr_name', ['f', 'From'], 1],
    ['cmp_hdr_name', ['x-a', 'X-A'], 1],
    ['cmp_hdr_name', ['x-b', 'X-A'], -1],
    ['is_e164', ['+123'], 1],
    ['is_e164', ['123'], -1],
    ['is_e164', ['+1'], -1],
    ['is_e164', ['+123456789012345'], 1],
    ['is_e164', ['+1234567890123456'], -1],
    ['is_e164', [''], -1],
    ['is_uri_user_e164', ['sip:+123@b'], 1],
    ['is_uri_user_e164', ['sip:b'], -1],
    ['is_uri_user_e164', ['tel:+123'], -1],
    ['is_tel_number', ['+123'], 1],
    ['is_tel_number', ['123'], 1],
    ['is_tel_number', ['+'], -2],
    ['is_tel_number', ['12a'], -2],
    ['is_numeric', ['123'], 1],
    ['is_numeric', [''], -2],
    ['is_numeric', ['\u0663'], -2],
    ['is_alphanum', ['1a'], 1],
    ['is_alphanum', ['1-a'], -3],
    ['is_alphanumex', ['1-a', '-'], 1],
    ['is_alphanumex', ['1-a_', '-'], -3],
  ])('%s%j gives %i', (name, args, code) => {
    expect(run({}, name, ...args).code).toBe(code)
  })

  const uri = 'sip:bob@127.0.0.1;nat=yes;lr'
  it.each<[string, unknown[], number, string]>([
    ['uri_param', ['lr'], 1, uri],
    ['uri_param', ['nat'], -1, uri],
    ['uri_param', ['nat', 'yes'], 1, uri],
    ['uri_param', ['nat', 'YES'], -1, uri],
    ['uri_param', ['lr', ''], 1, uri],
    ['uri_param_any', ['nat'], 1, uri],
    ['uri_param_any', ['na'], -1, uri],
    ['add_uri_param', ['x=1'], 1, `${uri};x=1`],
    ['add_uri_param', [''], 1, uri],
    ['uri_param_rm', ['nat'], 1, 'sip:bob@127.0.0.1;lr'],
    ['uri_param_rm', ['no'], 1, uri],
  ])('%s%j gives %i and %s', (name, args, code, expected) => {
    const { context, ...result } = run({ uri }, name, ...args)
    expect(result).toMatchObject({ code, uri: expected })
    expect(context.requestUriChanged).toBe(uri !== expected)
  })

  it.each([
    ['nat', 1, 'yes'],
    ['lr', 1, ''],
    ['no', -1, 'before'],
  ])('get_uri_param(%s)', (name, code, value) => {
    const into = variable('before')
    expect(run({ uri }, 'get_uri_param', name, into).code).toBe(code)
    expect(into.value).toBe(value)
  })

  it.each([
    ['tel:+(34)-999-888-777', 1, 'sip:+34999888777@foo.com;user=phone'],
    ['tel:+12-(34)-56-78;Ext=200;ISUB=+123-456', 1, 'sip:+12345678;ext=200;isub=+123-456@foo.com;user=phone'],
    ['sip:a@b', 2, ''],
    ['zz', 2, ''],
  ])('tel2sip(%s) gives %i: RFC 3261 §19.1.6', (text, code, sip) => {
    const into = variable()
    expect([run({}, 'tel2sip', text, 'foo.com', into).code, into.value]).toEqual([code, sip])
  })

  it.each([
    ['set_uri_user', 'sip:user@host', 'new', 1, 'sip:new@host'],
    ['set_uri_user', 'sip:user@host', '', 1, 'sip:host'],
    ['set_uri_user', 'sip:host', 'new', 1, 'sip:new@host'],
    ['set_uri_host', 'sip:user@host:99', 'new', 1, 'sip:user@new:99'],
    ['set_uri_host', 'zz', 'new', -1, 'zz'],
  ])('%s(%s, %s)', (name, text, part, code, expected) => {
    const into = variable(text)
    expect([run({}, name, into, part).code, into.value]).toEqual([code, expected])
  })
})

describe('contacts', () => {
  const encoded = 'sip:pfx*alice**10.0.0.1*5070*tcp@9.9.9.9'
  it.each<[string, unknown[], number, string[]]>([
    ['encode_contact', ['pfx', '9.9.9.9'], 1, [`Contact: <${encoded}>;expires=30`]],
    [
      'contact_param_encode',
      ['ksu', 'sip:1.2.3.4:5060;transport=tcp'],
      1,
      [
        'Contact: <sip:1.2.3.4:5060;transport=tcp;ksu=c2lwOmFsaWNlQDEwLjAuMC4xOjUwNzA7dHJhbnNwb3J0PXRjcDt4PXk>;expires=30',
      ],
    ],
    ['contact_param_encode', ['ksu', 'junk'], -1, []],
    ['contact_param_rm', ['x'], 1, ['Contact: <sip:alice@10.0.0.1:5070;transport=tcp>;expires=30']],
    ['contact_param_rm', ['nope'], 1, []],
    ['contact_param_decode', ['ksu'], 1, []],
    ['decode_contact_header', [], -1, []],
  ])('%s%j gives %i', (name, args, code, added) => {
    expect(run({}, name, ...args)).toMatchObject({ code, added })
  })

  it('without angle brackets get them where they need them', () => {
    const text = textMessage().replace(/Contact: .*\r\n/, 'm: sip:a@b;q=1, "x" <sip:c@d>\r\n')
    const context = stand.context(text)
    expect(bench.call('contact_param_encode', context, 'k', 'sip:us')).toBe(1)
    expect(context.written()).toContain('m: <sip:us;k=c2lwOmFAYg>;q=1, "x" <sip:us;k=c2lwOmNAZA>\r\n')
  })

  it.each([
    [encoded, 1, 'sip:alice@10.0.0.1:5070;transport=tcp'],
    ['sip:pfx*alice*pw*10.0.0.1**@9.9.9.9', 1, 'sip:alice:pw@10.0.0.1'],
    ['sip:pfx***10.0.0.1**@9.9.9.9', 1, 'sip:10.0.0.1'],
    ['sip:alice@9.9.9.9', -1, 'sip:alice@9.9.9.9'],
    ['sip:p*a**b*99999*tcp@h', -1, 'sip:p*a**b*99999*tcp@h'],
  ])('decode_contact of %s', (text, code, uri) => {
    expect(run({ uri: text }, 'decode_contact')).toMatchObject({ code, uri })
  })

  it('decode_contact_header undoes encode_contact', () => {
    const text = textMessage().replace('sip:alice@10.0.0.1:5070;transport=tcp;x=y', encoded)
    const context = stand.context(text)
    expect(bench.call('decode_contact_header', context)).toBe(1)
    expect(context.written()).toContain('Contact: <sip:alice@10.0.0.1:5070;transport=tcp>;expires=30\r\n')
  })

  it.each([
    ['sip:1.2.3.4;ksu=c2lwOmFAYg', 1, 'sip:a@b'],
    ['sip:1.2.3.4;ksu=c2lwOmFAYg==', 1, 'sip:a@b'],
    ['sip:1.2.3.4;ksu=c2lwOmEKYg', -1, 'sip:1.2.3.4;ksu=c2lwOmEKYg'],
    ['sip:1.2.3.4;ksu=%00', -1, 'sip:1.2.3.4;ksu=%00'],
    ['sip:1.2.3.4', -1, 'sip:1.2.3.4'],
  ])('contact_param_decode_ruri of %s: what is no URI is not believed', (text, code, uri) => {
    expect(run({ uri: text }, 'contact_param_decode_ruri', 'ksu')).toMatchObject({ code, uri })
  })
})

describe('options_reply', () => {
  it.each<[TextParts, number, number]>([
    [{ method: 'OPTIONS', uri: 'sip:127.0.0.1' }, 1, 1],
    [{ method: 'OPTIONS' }, -1, 0],
    [{ uri: 'sip:127.0.0.1' }, -1, 0],
  ])('%j', (parts, code, replies) => {
    const { context, code: given } = run(parts, 'options_reply')
    expect([given, context.replies.length]).toEqual([code, replies])
    if (replies > 0) expect(context.replies[0]).toMatchObject({ statusCode: 200, headers: capabilities })
  })

  const capabilities = 'Accept: */*\r\nAccept-Encoding: \r\nAccept-Language: en\r\nSupported: \r\n'
})

test('Remote-Party-ID from an AVP', async () => {
  const { context } = run({}, 'is_request')
  expect([bench.call('append_rpid_hf', context), bench.call('is_rpid_user_e164', context)]).toEqual([-1, -1])
  const withAvp = await stand.load(siputils, { rpid_avp: variable('sip:+123@b') })
  expect([withAvp.call('append_rpid_hf', context), withAvp.call('is_rpid_user_e164', context)]).toEqual([
    1, 1,
  ])
  withAvp.call('append_rpid_hf', context, '<', '>')
  expect(context.written()).toContain(
    '\r\nRemote-Party-ID: sip:+123@b;party=calling;id-type=subscriber;screen=yes\r\nRemote-Party-ID: <sip:+123@b>\r\n',
  )
})

describe('P-Charging-Vector: RFC 7315 §5.6', () => {
  const vector = 'icid-value=abc;icid-generated-at=1.2.3.4;orig-ioi=x'
  const parts = { headers: `P-Charging-Vector: ${vector}\r\n` }

  it.each([
    ['all', vector],
    ['value', 'abc'],
    ['genaddr', '1.2.3.4'],
    ['orig', 'x'],
    ['term', null],
  ])('$pcv(%s)', (part, value) => {
    expect(bench.read('pcv', run(parts, 'is_request').context, part)).toBe(value)
  })

  it('g makes one if there is none, f in any case, r removes it', () => {
    expect(run(parts, 'sip_p_charging_vector', 'g')).toMatchObject({ code: 1, added: [], removed: [] })
    expect(run({}, 'sip_p_charging_vector', 'g').added[0]).toMatch(
      /^P-Charging-Vector: icid-value=[0-9a-f]{32}; icid-generated-at=192\.0\.2\.1$/,
    )
    const forced = run(parts, 'sip_p_charging_vector', 'f')
    expect([forced.added.length, forced.removed.length]).toEqual([1, 1])
    expect(bench.read('pcv', forced.context, 'value')).toMatch(/^[0-9a-f]{32}$/)
    expect(run(parts, 'sip_p_charging_vector', 'r')).toMatchObject({
      added: [],
      removed: [`P-Charging-Vector: ${vector}`],
    })
  })

  it('refuses other flags', () => {
    expect(() => run({}, 'sip_p_charging_vector', 'x')).toThrow(ArgumentProblem)
  })
})
