import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { createBinding, type Origin } from '../../src/location/binding.ts'
import { type DumpFormat, readDump } from '../../src/location/dump-readers.ts'
import { csvWriter, jsonWriter } from '../../src/location/dump-writers.ts'
import { type Listed, type ListedBinding, listedOf } from '../../src/location/listed-binding.ts'
import type { Location } from '../../src/location/location.ts'
import { importBindings } from '../../src/location/location-import.ts'
import { Locations } from '../../src/location/locations.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { privateRegions } from '../../src/store/region.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { SocketTable } from '../../src/transport/socket.ts'

/** Dumps of location tables as Kamailio 5.6.3 gives them, and as we do; and what becomes of them in a table. */
const dumpedAt = 1_800_000_000_000

const kamcmdText = `{
	Domains: {
		Domain: {
			Domain: location
			Size: 1024
			AoRs: {
				Info: {
					AoR: bob
					HashID: 7222211
					Contacts: {
						Contact: {
							Address: sip:bob@10.0.0.2:5062;transport=udp
							Expires: 599
							Q: 0.500000
							Call-ID: bob-cid
							CSeq: 7
							User-Agent: tester "x", 1: two
							Received: sip:127.0.0.1:57638
							Path: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>
							State: CS_SYNC
							Flags: 0
							CFlags: 192
							Socket: udp:127.0.0.1:27060
							Methods: 261
							Ruid: uloc-6b039d74-51fa-2
							Instance: [not set]
							Reg-Id: 0
							Last-Modified: 1795399030
						}
						Contact: {
							Address: sip:bob@10.0.0.9
							Expires: permanent
							Q: -1
							Methods: -1
						}
					}
				}
			}
			Stats: {
				Records: 1
				Max-Slots: 1
			}
		}
	}
}
`

const jsonText = JSON.stringify(
  {
    jsonrpc: '2.0',
    result: {
      Domains: [
        {
          Domain: {
            Domain: 'Info',
            AoRs: [
              {
                Info: {
                  AoR: 'bob',
                  Contacts: [
                    {
                      Contact: {
                        Address: 'sip:bob@10.0.0.2:5062;transport=udp',
                        Expires: 599,
                        Q: 0.5,
                        'Call-ID': 'bob-cid',
                        CSeq: 7,
                        'User-Agent': 'tester "x", 1: two',
                        Received: 'sip:127.0.0.1:57638',
                        Path: '<sip:p1.example.com;lr>, <sip:p2.example.com;lr>',
                        Flags: 0,
                        CFlags: 192,
                        Socket: 'udp:127.0.0.1:27060',
                        Methods: 261,
                        Ruid: 'uloc-6b039d74-51fa-2',
                        Instance: '[not set]',
                        'Reg-Id': 0,
                        'Last-Modified': 1795399030,
                      },
                    },
                    {
                      Contact: {
                        Address: 'sip:bob@10.0.0.9',
                        Expires: 'permanent',
                        Q: -1,
                        Methods: 4294967295,
                      },
                    },
                  ],
                },
              },
            ],
          },
        },
      ],
    },
    id: 1,
  },
  null,
  '\t',
)

async function read(format: DumpFormat, text: string, chunkCharacters = 1_000_000): Promise<Listed[]> {
  async function* chunks() {
    for (let at = 0; at < text.length; at += chunkCharacters) yield text.slice(at, at + chunkCharacters)
  }
  const found: Listed[] = []
  for await (const one of readDump(format, chunks(), dumpedAt)) found.push(one)
  return found
}

const withoutLines = (found: readonly Listed[]) => found.map(({ line: _line, ...rest }) => rest)
const faults = (found: readonly Listed[]) =>
  found.flatMap((one) => (one.kind === 'fault' ? [`${one.line}: ${one.reason}`] : []))

describe('dumps of Kamailio', () => {
  test('kamcmd ul.dump', async () => {
    const [first, second] = await read('kamcmd', kamcmdText)
    expect(first).toEqual({
      kind: 'binding',
      line: 11,
      binding: {
        aor: 'bob',
        ruid: 'uloc-6b039d74-51fa-2',
        contact: 'sip:bob@10.0.0.2:5062;transport=udp',
        received: 'sip:127.0.0.1:57638',
        path: ['<sip:p1.example.com;lr>', '<sip:p2.example.com;lr>'],
        expires: dumpedAt + 599_000,
        modified: 1_795_399_030_000,
        q: 500,
        callId: 'bob-cid',
        cseq: 7,
        flags: 0,
        branchFlags: 192,
        userAgent: 'tester "x", 1: two',
        socket: 'udp:127.0.0.1:27060',
        methods: 261,
        instance: '',
        regId: 0,
        origin: 'registered',
        trust: 'script',
        by: 'bob',
        flow: '',
      },
    })
    expect(second).toMatchObject({
      binding: { contact: 'sip:bob@10.0.0.9', expires: Number.POSITIVE_INFINITY, q: -1, methods: 0x7fffffff },
    })
  })

  test.each([
    ['many lines', jsonText],
    ['one line', JSON.stringify(JSON.parse(jsonText))],
  ])('the answer to ul.dump on %s says the same, wherever it is cut', async (_name, text) => {
    const expected = withoutLines(await read('kamcmd', kamcmdText))
    for (const chunkCharacters of [1, 7, 100, 1_000_000]) {
      expect(withoutLines(await read('kamailio-json', text, chunkCharacters))).toEqual(expected)
    }
  })
})

describe('what cannot be read is said with its line', () => {
  test.each<[DumpFormat, string, string[]]>([
    ['kamcmd', kamcmdText.replace('Expires: 599', 'Expires: soon'), ['11: bob: "soon" is no lifetime']],
    ['kamcmd', kamcmdText.slice(0, kamcmdText.indexOf('User-Agent')), ['17: the dump ends within a binding']],
    ['kamailio-json', jsonText.replace('"CSeq": 7', '"CSeq": -7'), ['10: bob: "-7" is no CSeq']],
    [
      'kamailio-json',
      jsonText.slice(0, 900),
      [`${jsonText.slice(0, 900).split('\n').length}: the JSON text ends too early`],
    ],
    [
      'kamailio-json',
      '[{"Info":{"AoR":"x"}}]',
      ['1: no AoR, or no Contacts: the brief form of ul.dump has none'],
    ],
    [
      'csv',
      'aor,Address,Expires\nx,sip:x@h,soon\nx,sip:x@h\n',
      ['2: x: "soon" is no lifetime', '3: 2 cells, and there are 3 columns'],
    ],
    ['csv', 'aor,Address,Expires\nx,"sip:x', ['2: the file ends within a text in quotes']],
  ])('%s %#', async (format, text, expected) => {
    const found = faults(await read(format, text))
    expect(found).toEqual(expected)
  })
})

const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })
const name = octets.filter((text) => text !== '' && text !== '[not set]')

test.each<[DumpFormat, () => ReturnType<typeof csvWriter>]>([
  ['csv', csvWriter],
  ['kamailio-json', () => jsonWriter('location')],
])('law: %s says what was written, wherever it is cut', async (format, writerOf) => {
  const printable = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  })
  const word = (format === 'csv' ? name : printable).filter((text) => !/^(|n\/a|\[not set\])$/.test(text))
  const given = fc.record({
    aor: word,
    contact: word,
    callId: word,
    userAgent: word,
    by: word,
    received: word,
  })
  const origins = fc.constantFrom<Origin>('static', 'registered', 'delegated')
  await fc.assert(
    fc.asyncProperty(
      given,
      origins,
      fc.integer({ min: -1, max: 1000 }),
      fc.integer({ min: 1, max: 50 }),
      async (texts, origin, q, chunk) => {
        const modifiedAt = 1_700_000_000_000
        const binding = createBinding({
          ...texts,
          ruid: 'r',
          origin,
          q,
          modifiedAt,
          expiresAt: dumpedAt + 60_000,
        })
        const listed = listedOf(binding, 0)
        const writer = writerOf()
        const text = writer.begin() + writer.aor([listed], dumpedAt) + writer.end()
        const found = await read(format, text, chunk)
        expect(found.map((one) => (one.kind === 'binding' ? one.binding : one))).toEqual([listed])
      },
    ),
    { numRuns: 60 },
  )
})

describe('import', () => {
  let clock: SimulatedClock
  let location: Location
  let locations: Locations
  beforeEach(() => {
    clock = simulatedClock()
    locations = new Locations(
      {
        clock,
        log: silentLog,
        random: seededRandom(1),
        sockets: { find: () => null } as unknown as SocketTable,
        openTable: memoryStore().open,
        openRegion: privateRegions(),
      },
      { isDurable: true, kind: '' },
    )
    location = locations.open('location')
  })

  const listed = (more: Partial<ListedBinding>): ListedBinding => ({
    ...listedOf(
      createBinding({ aor: 'bob', ruid: '', contact: 'sip:bob@10.0.0.1', callId: 'c', cseq: 5 }),
      0,
    ),
    expires: clock.wall() + 60_000,
    modified: clock.wall() - 1_000,
    ...more,
  })
  async function bring(
    bindings: readonly ListedBinding[],
    how: { replace?: boolean; dryRun?: boolean } = {},
  ) {
    async function* each(): AsyncGenerator<Listed> {
      for (const [i, binding] of bindings.entries()) yield { kind: 'binding', line: i + 1, binding }
    }
    const newRuid = (aor: string) => locations.newRuid(aor)
    const onFault = () => {}
    const counts = await importBindings(each(), {
      location,
      clock,
      newRuid,
      replace: false,
      dryRun: false,
      onFault,
      ...how,
    })
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
  }

  test.each<[string, Partial<ListedBinding>, string, number]>([
    ['the same Call-ID, a higher CSeq', { cseq: 6 }, 'replaced', 6],
    ['the same Call-ID and CSeq', {}, 'same', 5],
    ['the same Call-ID, a lower CSeq, though it was written later', { cseq: 4, modified: 4e12 }, 'older', 5],
    ['another Call-ID, written later', { callId: 'd', cseq: 1, modified: 4e12 }, 'replaced', 1],
    ['another Call-ID, written before', { callId: 'd', cseq: 9, modified: 1 }, 'older', 5],
    ['a lower origin', { origin: 'delegated', cseq: 9 }, 'lower', 5],
    ['one that has expired', { expires: 1, cseq: 9 }, 'expired', 5],
    ['one on a flow', { flow: 'udp:192.0.2.1:5060 198.51.100.7:1', cseq: 9 }, 'onFlows', 5],
  ])('%s', async (_name, more, outcome, cseq) => {
    expect(await bring([listed({})])).toEqual({ read: 1, added: 1 })
    expect(await bring([listed(more)])).toEqual({ read: 1, [outcome]: 1 })
    expect(location.of('bob').map((binding) => binding.cseq)).toEqual([cseq])
  })

  test('--replace takes what is older too, and no lower origin', async () => {
    await bring([listed({})])
    expect(await bring([listed({ cseq: 4 })], { replace: true })).toEqual({ read: 1, replaced: 1 })
    expect(await bring([listed({ origin: 'delegated' })], { replace: true })).toEqual({ read: 1, lower: 1 })
    expect(location.of('bob').map(({ cseq }) => cseq)).toEqual([4])
  })

  test('--dry-run counts and changes nothing', async () => {
    expect(await bring([listed({}), listed({ aor: 'carol' })], { dryRun: true })).toEqual({
      read: 2,
      added: 2,
    })
    expect(location.bindingCount).toBe(0)
  })

  test('an instance is one device, whatever its contact; two contacts are two', async () => {
    const instance = '<urn:uuid:1>'
    await bring([listed({ instance }), listed({ contact: 'sip:bob@10.0.0.2' })])
    await bring([listed({ instance, contact: 'sip:bob@10.0.0.3', cseq: 6 })])
    expect(location.of('bob').map(({ contact }) => contact)).toEqual(['sip:bob@10.0.0.3', 'sip:bob@10.0.0.2'])
  })
})
