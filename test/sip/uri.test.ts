import { describe, expect, it } from 'vitest'
import {
  hostForUri,
  hostWithoutBrackets,
  parseUri,
  unescapeUser,
  uriParam,
  urisEqual,
  withHost,
  withHostAndPort,
  withoutHeaders,
  withoutParam,
  withParam,
  withParams,
  withPassword,
  withPort,
  withScheme,
  withUser,
  writeUri,
} from '../../src/sip/uri.ts'

describe('parseUri: RFC 3261 §19.1.1, RFC 3966', () => {
  it.each([
    ['sip:example.com', { scheme: 'sip', user: null, host: 'example.com', port: 0, params: '', headers: '' }],
    ['SIPS:a@h', { scheme: 'sips', user: 'a' }],
    ['sip:a:p@h:5070;lr;x=1?s=2', { user: 'a', password: 'p', port: 5070, params: 'lr;x=1', headers: 's=2' }],
    ['sip:a:@h', { user: 'a', password: '' }],
    [
      'sip:user;par=u%40example.net@example.com',
      { user: 'user;par=u%40example.net', host: 'example.com', params: '' },
    ],
    [
      'sip:+1555;npdi;rn=+1999@h:99;user=phone;x=1',
      { user: '+1555', userParams: 'npdi;rn=+1999', host: 'h', port: 99, params: 'user=phone;x=1' },
    ],
    ['sip:+1555;npdi@h;user=ip', { user: '+1555;npdi', userParams: '' }],
    ['sip:+1555;npdi:pw@h;user=phone', { user: '+1555;npdi', userParams: '', password: 'pw' }],
    ['sip:a?b/c@h', { user: 'a?b/c', headers: '' }],
    ['sip:[2001:db8::1]:5060', { host: '2001:db8::1', hostIsIpv6: true, port: 5060 }],
    ['sip:[2001:db8::10:5070]', { host: '2001:db8::10:5070', port: 0 }],
    ['sip:[2001:db8:::192.0.2.1]', { host: '2001:db8:::192.0.2.1' }],
    ['sip:h?a=b', { host: 'h', headers: 'a=b' }],
    [
      'tel:+1-201-555-0123;phone-context=x',
      { scheme: 'tel', user: '+1-201-555-0123', host: '', params: 'phone-context=x' },
    ],
    ['urn:service:sos', { scheme: 'urn', user: null, host: '' }],
    ['sip:\u00e9@h', { user: '\u00e9' }],
  ])('%s', (text, parts) => {
    expect(parseUri(text)).toMatchObject(parts)
  })

  it.each([
    '',
    'sip',
    'sip:',
    ':a',
    'sip:@h',
    'sip:a@',
    'sip:a@b@c',
    'sip:h:',
    'sip:h:0',
    'sip:h:65536',
    'sip:h:+1',
    'sip:h:5 060',
    'sip:h:1e3',
    'sip:a b@h',
    'sip:h\r\nX: y',
    'sip:h\u0000',
    '<sip:a@h>',
    'sip:2001:db8::10',
    'sip:[2001:db8::1',
    'sip:[::1%eth0]',
    'sip:[abc]',
    'sip:h/path',
    'tel:',
    'tel:abc-xyz',
    '1sip:a@h',
    'si p:a@h',
  ])('%j is none', (text) => {
    expect(parseUri(text)).toBeNull()
  })
})

describe('urisEqual: RFC 3261 §19.1.4, its own examples', () => {
  it.each([
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['tel:+1-201-555-0123', 'tel:+12015550123'],
    ['urn:service:sos', 'URN:service:sos'],
  ])('%s = %s', (a, b) => {
    expect(urisEqual(a, b)).toBe(true)
  })

  it.each([
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=off', 'sip:carol@chicago.com;security=on'],
    ['sip:a@h', 'sips:a@h'],
    ['sip:+1;a=b@h;user=phone', 'sip:+1;a=c@h;user=phone'],
    ['sip:a@h;maddr=1.2.3.4', 'sip:a@h'],
    ['sip:a%40b@h', 'sip:a%3Ab@h'],
    ['sip:null-%00-null@h', 'sip:null-@h'],
    ['no uri', 'no uri'],
  ])('%s ≠ %s', (a, b) => {
    expect(urisEqual(a, b)).toBe(false)
  })
})

describe('writers change one part of the text', () => {
  const text = 'sip:u:p@h:99;x=1?y=2'
  it.each([
    ['withUser', withUser(text, 'new'), 'sip:new:p@h:99;x=1?y=2'],
    ['withUser to none takes the password along', withUser(text, ''), 'sip:h:99;x=1?y=2'],
    ['withUser where there is none', withUser('sip:h', 'new'), 'sip:new@h'],
    ['withUser of tel', withUser('tel:+1;x', '+2'), 'tel:+2;x'],
    ['withUser of a number', withUser('sip:+1;a=b@h;user=phone', '+2'), 'sip:+2;a=b@h;user=phone'],
    ['withUser of a number to none', withUser('sip:+1;a=b@h;user=phone', ''), 'sip:h;user=phone'],
    ['withPassword', withPassword(text, null), 'sip:u@h:99;x=1?y=2'],
    ['withPassword, new', withPassword('sip:u@h', 'q'), 'sip:u:q@h'],
    ['withHost', withHost(text, 'n'), 'sip:u:p@n:99;x=1?y=2'],
    ['withHost, IPv6', withHost(text, '::1'), 'sip:u:p@[::1]:99;x=1?y=2'],
    ['withPort', withPort(text, 5), 'sip:u:p@h:5;x=1?y=2'],
    ['withPort, none', withPort(text, 0), 'sip:u:p@h;x=1?y=2'],
    ['withHostAndPort', withHostAndPort(text, 'n', 0), 'sip:u:p@n;x=1?y=2'],
    ['withParams', withParams(text, ''), 'sip:u:p@h:99?y=2'],
    ['withParam', withParam(text, 'z'), 'sip:u:p@h:99;x=1;z?y=2'],
    ['withoutParam', withoutParam('sip:h;a;B=1;c', 'b'), 'sip:h;a;c'],
    ['withoutHeaders', withoutHeaders(text), 'sip:u:p@h:99;x=1'],
    ['withScheme', withScheme(text, 'sips'), 'sips:u:p@h:99;x=1?y=2'],
    ['of tel, the host', withHost('tel:+1', 'h'), null],
    ['of what is no URI', withUser('garbage', 'u'), null],
  ])('%s', (_what, actual, expected) => {
    expect(actual).toBe(expected)
  })
})

describe('parts', () => {
  it.each([
    ['a', 'lr', ''],
    ['a', 'LR', ''],
    ['a', 'transport', 'tcp'],
    ['a', 'trans', null],
  ])('uriParam(%s, %s) is %j', (_a, name, value) => {
    const uri = parseUri('sip:a@h;transport=tcp;lr')
    expect(uri && uriParam(uri, name)).toBe(value)
  })

  it('a number keeps its parameters when another part changes', () => {
    const uri = parseUri('sip:+1;a=b@h;user=phone')
    expect(uri && writeUri({ ...uri, port: 99 })).toBe('sip:+1;a=b@h:99;user=phone')
  })

  it('unescapeUser leaves what is no escape', () => {
    expect(unescapeUser('a%41%4x%')).toBe('aA%4x%')
  })

  it('brackets go on and off', () => {
    expect([hostForUri('::1'), hostForUri('[::1]'), hostForUri('h')]).toEqual(['[::1]', '[::1]', 'h'])
    expect([hostWithoutBrackets('[::1]'), hostWithoutBrackets('h')]).toEqual(['::1', 'h'])
  })
})
