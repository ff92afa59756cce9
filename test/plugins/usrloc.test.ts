import { beforeEach, describe, expect, test } from 'vitest'
import registrar from '../../plugins/registrar/index.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import { createEdge, type Edge, requestText } from './edge.ts'
import { written } from './written.ts'

let edge: Edge

beforeEach(async () => {
  edge = createEdge()
  await edge.load(usrloc)
  await edge.load(registrar)
  await edge.start()
})

function register(user: string, contact: string) {
  const uri = `sip:${user}@x`
  const context = edge.receives(
    requestText('REGISTER', { from: uri, lines: [`Contact: ${contact}`], callId: `${user}-call` }),
  )
  return edge.call('save', context, 'location')
}

function lookup(user: string) {
  const context = edge.receives(requestText('MESSAGE', { uri: `sip:${user}@x` }))
  return [edge.call('lookup', context, 'location'), context.target.uri]
}

describe('ul commands have the shapes that Kamailio gives them', () => {
  test('ul.dump, brief and whole', async () => {
    register('1000', '<sip:1000@192.0.2.9>;q=0.5;expires=100')
    expect(await written(edge.rpc('ul.dump', 'brief'))).toEqual({
      Domains: [
        {
          Domain: {
            Domain: 'location',
            Size: 1024,
            AoRs: [{ Info: { AoR: '1000' } }],
            Stats: { Records: 1, 'Max-Slots': 1 },
          },
        },
      ],
    })
    expect(edge.rpc('ul.lookup', 'location', '1000')).toMatchObject({
      AoR: '1000',
      Contacts: [
        {
          Contact: {
            Address: 'sip:1000@192.0.2.9',
            Expires: 100,
            Q: 0.5,
            'Call-ID': '1000-call',
            CSeq: 1,
            'User-Agent': '[not set]',
            Received: '[not set]',
            Path: '[not set]',
            Socket: 'udp:50.170.158.149:5060',
            Instance: '[not set]',
            Origin: 'registered',
          },
        },
      ],
    })
  })

  test('ul.lookup of nobody, and with too few parameters', () => {
    expect(() => edge.rpc('ul.lookup', 'location', 'nobody')).toThrow('AOR not found in location table')
    expect(() => edge.rpc('ul.lookup', 'location')).toThrow('Not enough parameters (table and AOR to lookup)')
  })

  test('ul.rm answers {} even when there was nothing; ul.rm_contact takes one', async () => {
    register('1000', '<sip:1000@192.0.2.9>,<sip:1000@192.0.2.10>')
    expect(await edge.rpc('ul.rm_contact', 'location', '1000', 'sip:1000@192.0.2.9')).toEqual({})
    expect(lookup('1000')).toEqual([1, 'sip:1000@192.0.2.10'])
    expect(await edge.rpc('ul.rm', 'location', '1000')).toEqual({})
    expect(await edge.rpc('ul.rm', 'location', '1000')).toEqual({})
    expect(lookup('1000')[0]).toBe(-1)
  })

  test('ul.add makes a static binding, which no REGISTER replaces or removes', async () => {
    expect(await edge.rpc('ul.add', 'location', '1000', 'sip:1000@192.0.2.50', 0, 1, '', 0, 0, 0)).toEqual({})
    expect(register('1000', '<sip:1000@192.0.2.50>;expires=0')).toBe(1)
    register('1000', '<sip:1000@192.0.2.66>')
    expect(lookup('1000')).toEqual([1, 'sip:1000@192.0.2.50'])
    expect(edge.rpc('ul.lookup', 'location', '1000')).toMatchObject({
      Contacts: [{ Contact: { Expires: 'permanent' } }, {}],
    })
  })
})

test('event_route[usrloc:contact-expired] runs once per binding, and knows which', async () => {
  register('1000', '<sip:1000@192.0.2.9>;expires=60')
  await edge.clock.advance(59_000)
  expect(edge.events).toEqual([])
  await edge.clock.advance(3_000)
  expect(edge.events.map(({ name }) => name)).toEqual(['usrloc:contact-expired'])
  const profiles = edge.events[0]?.notes.get('registrar.ulc') as Map<string, { aor: string }>
  expect(profiles.get('exp')?.aor).toBe('1000')
  expect(edge.count('viaduct_location_changes_total', 'expired', 'registered')).toBe(1)
})

test('row 53: the host date may jump without a binding vanishing or living on', async () => {
  register('1000', '<sip:1000@192.0.2.9>;expires=60')
  edge.clock.shiftWall(3_600_000)
  expect(lookup('1000')[0]).toBe(1)
  edge.clock.shiftWall(-7_200_000)
  await edge.clock.advance(61_000)
  expect(lookup('1000')[0]).toBe(-1)
})

test('a reload of the script finds the same bindings', async () => {
  register('1000', '<sip:1000@192.0.2.9>')
  await edge.load(usrloc)
  await edge.load(registrar)
  await edge.start()
  expect(lookup('1000')).toEqual([1, 'sip:1000@192.0.2.9'])
})
