import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it, test } from 'vitest'
import { AddressTable } from '../../plugins/permissions/address-table.ts'
import permissions from '../../plugins/permissions/index.ts'
import { parseRule } from '../../plugins/permissions/rules.ts'
import { ladder } from '../../src/testing/index.ts'
import { requestText } from './digest-client.ts'
import { type BenchContext, createStand } from './stand.ts'

const lines = [
  '1 198.51.100.7 32 0 tagA',
  '1 10.0.0.0 8 5060 tagB',
  '2 198.51.100.0 24 0 tagC',
  '3 example.com 32 0 tagD',
  '4 2001:db8::/32',
  '5,192.168.0.0,16',
  '6 172.16.0.1',
]

const tagAvp = {
  text: '$avp(tag)',
  read: (context: BenchContext) => context.scope.avps.get('tag', 0),
  write: (context: BenchContext, value: string) => context.scope.avps.push('tag', value),
}

async function stand(values: Record<string, unknown> = { address: lines }) {
  const made = createStand()
  const bench = await made.load(permissions, { peer_tag_avp: tagAvp, ...values })
  const from = (address = '198.51.100.7', port = 5060) => made.context(requestText(), { address, port })
  return { made, bench, from }
}

describe('as measured on Kamailio 5.6.3', () => {
  test.each<[string, unknown[], number, string | null]>([
    ['allow_source_address', [], 1, 'tagA'],
    ['allow_source_address', [2], 1, 'tagC'],
    ['allow_source_address', [9], -1, null],
    ['allow_source_address_group', [], 1, 'tagA'],
    ['allow_address_group', ['10.1.1.1', 5060], 1, 'tagB'],
    ['allow_address_group', ['10.1.1.1', 5061], -1, null],
    ['allow_address', [1, '10.1.1.1', 5060], 1, 'tagB'],
    ['allow_address', [1, '10.1.1.1', 5061], -1, null],
    ['allow_address', [1, '10.1.1.1', 0], -1, null],
    ['allow_address', [3, 'example.com', 5060], 1, 'tagD'],
    ['allow_address', [1, 'garbage', 5060], -1, null],
    ['allow_address', [4, '2001:db8::5', 5060], 1, null],
    ['allow_address', [5, '192.168.9.9', 5060], 1, null],
    ['allow_address', [6, '172.16.0.1', 5060], 1, null],
    ['allow_address', [6, '172.16.0.2', 5060], -1, null],
  ])('%s %j is %i, tag %j', async (name, args, code, tag) => {
    const { bench, from } = await stand()
    const context = from()
    expect(bench.call(name, context, ...args)).toBe(code)
    expect(context.scope.avps.get('tag', 0)).toBe(tag)
  })
})

describe('row 62: IPv4-mapped IPv6 is IPv4', () => {
  test.each([
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['10.0.0.0/8', '[::ffff:10.1.2.3]', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['::ffff:192.0.2.1', '192.0.2.2', false],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '10.0.0.1', false],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
  ])('%s contains %s: %s', (prefix, address, isIn) => {
    const table = new AddressTable()
    expect(table.add({ group: 1, address: prefix, mask: null, port: 0, tag: '' })).toBeTypeOf('object')
    expect(table.find(address, 5060, 1) !== null).toBe(isIn)
  })
})

it('agrees with comparing one rule after the other (law)', () => {
  const octet = fc.constantFrom(0, 1, 127, 128, 255)
  const address = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'))
  const rule = fc.record({ address, mask: fc.integer({ min: 0, max: 32 }), port: fc.constantFrom(0, 5060) })
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 8 }),
      address,
      fc.constantFrom(5060, 5061),
      (rules, asked, port) => {
        const table = new AddressTable()
        for (const one of rules) table.add({ group: 1, tag: '', ...one })
        const isIn = rules.some(
          (one) =>
            (one.port === 0 || one.port === port) &&
            ipaddr.IPv4.parse(asked).match(ipaddr.IPv4.parse(one.address), one.mask),
        )
        expect(table.find(asked, port, 1) !== null).toBe(isIn)
      },
    ),
  )
})

test.each(['', 'x 10.0.0.1', '1', '1 10.0.0.1 x', '1 10.0.0.1 32 x'])('%j is no address', (line) => {
  expect(() => permissions.params?.address.check(line)).toThrow()
})

test.each(['1 10.0.0.0 33', '1 ::/129', '1 a..b/c', '1 10.0.0.1 32 70000', '1 -x-'])(
  '%j keeps the router from starting',
  async (line) => {
    await expect(stand({ address: [line] })).rejects.toThrow()
  },
)

describe('sources', () => {
  it('a file, read again by command; a wrong one changes nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-permissions-'))
    const path = join(directory, 'address')
    writeFileSync(path, '# ours\n\n1 192.0.2.1 32 0 x\n')
    const { bench, from } = await stand({ address_file: path })
    const allowed = (address: string) => bench.call('allow_source_address', from(address))
    expect([allowed('192.0.2.1'), allowed('192.0.2.2')]).toEqual([1, -1])
    writeFileSync(path, '1 192.0.2.2\n1 nonsense/9\n')
    await expect(bench.rpc('permissions.addressReload')).rejects.toThrow('address:2')
    expect([allowed('192.0.2.1'), allowed('192.0.2.2')]).toEqual([1, -1])
    writeFileSync(path, '# all\n1 192.0.2.2 # behind a record\n')
    await expect(bench.rpc('permissions.addressReload')).resolves.toBe('Reload OK')
    expect([allowed('192.0.2.1'), allowed('192.0.2.2')]).toEqual([-1, 1])
  })

  it("Kamailio's tables", async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'viaduct-permissions-')), 'x.db')
    const sqlite = new DatabaseSync(path)
    sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
    sqlite.exec(
      'CREATE TABLE address (id INTEGER PRIMARY KEY, grp INT, ip_addr TEXT, mask INT DEFAULT 32, port INT DEFAULT 0, tag TEXT);' +
        "INSERT INTO address (grp, ip_addr, mask, tag) VALUES (1, '192.0.2.0', 24, 'net'), (2, '2001:db8::1', 32, NULL);" +
        'CREATE TABLE trusted (id INTEGER PRIMARY KEY, src_ip TEXT, proto TEXT, from_pattern TEXT, ruri_pattern TEXT, tag TEXT);' +
        "INSERT INTO trusted (src_ip, proto, from_pattern, ruri_pattern, tag) VALUES ('198.51.100.7', 'udp', '^sip:alice@', NULL, 'gw'), ('203.0.113.1', 'tcp', NULL, NULL, NULL), ('203.0.113.2', 'any', '(', NULL, NULL)",
    )
    sqlite.close()
    const { bench, from, made } = await stand({ db_url: `sqlite:///${path}` })
    expect(bench.call('allow_source_address', from('192.0.2.77'))).toBe(1)
    expect(bench.call('allow_address', from(), 2, '2001:db8::1', 5060)).toBe(1)
    expect(bench.call('allow_address', from(), 2, '2001:db8::2', 5060)).toBe(-1)
    const context = from()
    expect(bench.call('allow_trusted', context)).toBe(1)
    expect(context.scope.avps.get('tag', 0)).toBe('gw')
    expect(bench.call('allow_trusted', from('203.0.113.1'))).toBe(-1)
    expect(bench.call('allow_trusted', from(), '203.0.113.1', 'TCP')).toBe(1)
    expect(bench.call('allow_trusted', from(), '198.51.100.7', 'udp', 'sip:bob@example.com')).toBe(-1)
    expect(bench.call('allow_trusted', from('203.0.113.2'))).toBe(-1)
    expect(made.log.messages('error')).toEqual([expect.stringContaining('203.0.113.2')])
  })
})

it('dumps have the shapes of Kamailio', async () => {
  const { bench } = await stand()
  expect(bench.rpc('permissions.addressDump')).toContainEqual({
    table: 0,
    group: 1,
    item: { ip: '198.51.100.7', port: 0, tag: 'tagA' },
  })
  expect(bench.rpc('permissions.subnetDump')).toContainEqual({
    id: 0,
    group: 1,
    item: { ip: '10.0.0.0', mask: 8, port: 5060, tag: 'tagB' },
  })
  expect(bench.rpc('permissions.domainDump')).toEqual([
    { table: 0, group: 3, item: { domain_name: 'example.com', port: 0, tag: 'tagD' } },
  ])
})

describe('files of rules, as measured on Kamailio 5.6.3', () => {
  const script = (condition: string, more = '') => {
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-rules-'))
    const base = join(directory, 'p')
    writeFileSync(
      `${base}.allow`,
      [
        '# comment',
        'ALL : "^sip:361[0-9]*@abc\\.com$" EXCEPT "^sip:361[0-9]*3@abc\\.com$", "^sip:361[0-9]*4@abc\\.com$"',
        '"^sip:bob@x$", "^sip:eve" : ALL  # whatever',
      ].join('\n'),
    )
    writeFileSync(`${base}.deny`, 'ALL : ALL\n')
    writeFileSync(`${base}.broken`, 'ALL ALL\n')
    return {
      script: `
        loadmodule "tm.so"
        loadmodule "sl.so"
        loadmodule "permissions.so"
        modparam("permissions", "default_allow_file", "${base}.allow")
        modparam("permissions", "default_deny_file", "${base}.deny")
        ${more}
        request_route { if (${condition.replaceAll('BASE', base)}) sl_reply("200", "Yes"); else sl_reply("403", "No"); }`,
    }
  }
  const cases: [string, string, string, string | null, string, number][] = [
    ['allow_routing()', 'sip:3611@abc.com', 'sip:a@x', null, '', 200],
    ['allow_routing()', 'sip:3613@abc.com', 'sip:a@x', null, '', 403],
    ['allow_routing()', 'sip:3613@abc.com', 'sip:BOB@X', null, '', 200],
    ['allow_routing("BASE")', 'sip:3611:pw@abc.com:5070;transport=udp', 'sip:a@x', null, '', 200],
    // From counts as it stands.
    ['allow_routing("BASE")', 'sip:3613@abc.com', 'sip:bob@x:5066;a=b', null, '', 403],
    ['allow_routing("BASE")', 'sip:abc.com', 'sip:a@x', null, '', 403],
    ['allow_register("BASE")', 'sip:x', 'sip:a@x', '<sip:3611@abc.com:5070;transport=udp>', '', 200],
    ['allow_register("BASE")', 'sip:x', 'sip:a@x', '<sips:3611@abc.com>', '', 200],
    ['allow_register("BASE")', 'sip:x', 'sip:a@x', '<sip:3611@abc.com>, <sip:9@z>', '', 403],
    ['allow_register("BASE")', 'sip:x', 'sip:a@x', '*', '', 200],
    ['allow_register("BASE")', 'sip:x', 'sip:a@x', null, '', 200],
    ['allow_register("BASE.allow", "BASE.none")', 'sip:x', 'sip:a@x', '<sip:9@z>', '', 200],
    ['allow_register("BASE.none")', 'sip:x', 'sip:a@x', '<sip:9@z>', '', 200],
    ['allow_uri("BASE", "$hdr(X)")', 'sip:x', 'sip:a@x', null, 'sip:3611@ABC.com', 200],
    ['allow_uri("BASE", "$hdr(X)")', 'sip:x', 'sip:a@x', null, 'sips:3611@abc.com', 403],
    ['allow_uri("BASE", "$hdr(X)")', 'sip:x', 'sip:a@x', null, 'sip:3611@abc.com?x=y', 403],
    ['allow_uri("BASE", "$hdr(X)")', 'sip:x', 'sip:a@x', null, 'nonsense', 403],
    // What cannot be understood allows nothing.
    ['allow_register("BASE.broken", "BASE.none")', 'sip:x', 'sip:a@x', '<sip:9@z>', '', 403],
  ]
  for (const [condition, uri, from, contact, x, status] of cases) {
    ladder(
      `${condition} ${uri} ${from} ${contact ?? ''} ${x}: ${status}`,
      script(condition),
      async ({ alice }) => {
        await alice.sends(`REGISTER ${uri}`, {
          headers: { From: `<${from}>;tag=1`, To: `<${from}>`, Contact: contact, ...(x !== '' && { X: x }) },
        })
        await alice.receives(status)
      },
    )
  }

  test.each([
    '"a" "b"',
    'ALL',
    'ALL :',
    '"(" : ALL',
    'ALL : b',
    'ALL : "a" EXCEPT',
    '"a", : ALL',
    '"a : ALL',
  ])('%s is no rule', (line) => {
    expect(() => parseRule(line)).toThrow()
  })
})
