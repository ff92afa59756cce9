import { describe, expect, test } from 'vitest'
import { isInNetwork } from '../../src/script/conditions.ts'
import { type RequestParts, request, startRouter } from './router.ts'

async function isTrue(condition: string, parts: RequestParts = {}, from = {}): Promise<boolean> {
  const router = await startRouter(
    `loadmodule "xlog.so"\nrequest_route { if (${condition}) { xlog("yes"); } else { xlog("no"); } }`,
  )
  router.services.sockets.addAlias('alias.example', 0)
  await router.handle(request(parts), from)
  return router.lines().at(-1) === 'error: yes'
}

describe('conditions', () => {
  test.each([
    ['uri == myself', { uri: 'sip:bob@192.0.2.1' }, true],
    ['uri == myself', { uri: 'sip:bob@192.0.2.1:5060' }, true],
    ['uri == myself', { uri: 'sip:bob@192.0.2.1:5061' }, false],
    ['uri == myself', { uri: 'sip:bob@10.0.0.1:5080' }, true],
    ['uri == myself', { uri: 'sip:bob@10.0.0.1' }, false],
    ['uri == myself', { uri: 'sip:bob@ALIAS.example:9999' }, true],
    ['uri != myself', { uri: 'sip:bob@example.com' }, true],
    ['myself == uri', { uri: 'sip:bob@192.0.2.1' }, true],
    ['from_uri == myself', { from: '<sip:a@192.0.2.1>;tag=1' }, true],
    ['to_uri == myself', { to: '<sip:a@192.0.2.1>' }, true],
    ['from_uri =~ "alice"', {}, true],
    ['from_uri == "sip:alice@example.org"', {}, true],
    ['method == INVITE', { method: 'INVITE' }, true],
    ['method == "INVITE"', { method: 'BYE' }, false],
    ['method =~ "INV|BYE"', { method: 'BYE' }, true],
    ['src_ip == 198.51.100.7', {}, true],
    ['src_ip == 198.51.100.0/24', {}, true],
    ['src_ip == 198.51.100.0/255.255.255.0', {}, true],
    ['src_ip == "198.51.100.7"', {}, true],
    ['src_ip == $si', {}, true],
    ['src_ip != 198.51.100.8', {}, true],
    ['src_ip == myself', {}, false],
    ['dst_ip == myself', {}, true],
    ['src_port == 5062', {}, true],
    ['dst_port > 5060', {}, false],
    ['af == INET', {}, true],
    ['af == INET6', {}, false],
    ['proto == UDP', {}, true],
    ['proto == tcp', {}, false],
    ['msg:len > 100', {}, true],
    ['msg:len > 100000', {}, false],
  ])('%s of %j is %s', async (condition, parts, expected) => {
    expect(await isTrue(condition, parts)).toBe(expected)
  })

  test('our own address as source counts whatever its port', async () => {
    expect(await isTrue('src_ip == myself', {}, { address: '192.0.2.1', port: 40_000 })).toBe(true)
  })
})

describe('networks', () => {
  test.each([
    ['192.0.2.9', '192.0.2.0/24', true],
    ['192.0.3.9', '192.0.2.0/24', false],
    ['192.0.2.9', '192.0.2.77/24', true],
    ['192.0.2.9', '0.0.0.0/0', true],
    ['255.255.255.255', '255.0.0.0/8', true],
    ['192.0.2.9', '192.0.2.9/32', true],
    ['2001:db8::1', '2001:db8::/32', true],
    ['2001:db9::1', '2001:db8::/32', false],
    ['2001:0db8:0:0::1', '[2001:db8::1]', true],
    ['192.0.2.9', '2001:db8::/32', false],
    ['2001:db8::1', '0.0.0.0/0', false],
    ['192.0.2.9', 'not an address', false],
    ['192.0.2.9', '192.0.2.0/33', false],
    ['not an address', '192.0.2.0/24', false],
    ['1.2.3', '1.2.3.0/24', false],
    ['1.2.3.400', '1.2.3.0/24', false],
  ])('%s in %s is %s', (address, network, expected) => {
    expect(isInNetwork(address, network)).toBe(expected)
  })

  test.each([
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.0/8'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
    ['127.0.0.1', '::ffff:127.0.0.0/104'],
    ['::ffff:7f00:1', '127.0.0.1'],
  ])('security row 62: %s is %s, mapped or not', (address, network) => {
    expect(isInNetwork(address, network)).toBe(true)
  })
})
