import { beforeEach, describe, expect, test } from 'vitest'
import learn from '../../plugins/learn/index.ts'
import nathelper from '../../plugins/nathelper/index.ts'
import registrar from '../../plugins/registrar/index.ts'
import type { UsrlocExports } from '../../plugins/usrloc/exports.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import type { AuthenticatedUser, Table } from '../../src/plugin/index.ts'
import { ladder } from '../../src/testing/index.ts'
import { founding, routerAddress } from '../ladders/founding.ts'
import { createEdge, type Edge, type EdgeContext, requestText, router, udpSocket } from './edge.ts'

const device = { address: '60.250.149.198', port: 59177 }
const elsewhere = { address: '60.250.1.1', port: 1024 }
const stranger = { address: '203.0.113.66', port: 5060 }
const carrier = { source: ['60.250.0.0/16'], devices: ['pattern:2???'] }

let edge: Edge

async function edgeWith(
  values: Record<string, unknown> = carrier,
  tables?: Map<string, Table<unknown>>,
  sockets = [router],
) {
  const made = createEdge({ sockets, ...(tables === undefined ? {} : { tables }) })
  await made.load(usrloc)
  await made.load(registrar)
  await made.load(learn, values)
  await made.start()
  return made
}

beforeEach(async () => {
  edge = await edgeWith()
})

const digest = (user: string, more: Partial<AuthenticatedUser> = {}): AuthenticatedUser => ({
  user,
  realm: '50.170.158.149',
  flowProven: true,
  qop: true,
  ...more,
})

function message(user: string, from: object = device, body = 'reading 42, and so on. '.repeat(40)) {
  return edge.receives(
    requestText('MESSAGE', { uri: 'sip:1000@50.170.158.149', from: `sip:${user}@10.92.240.131`, body }),
    from,
  )
}

function learned(user: string, from: object = device, who: AuthenticatedUser | null = null) {
  const context = message(user, from)
  context.scope.authenticated = who
  const rc = edge.call('learn_location', context, 'location')
  return {
    rc,
    reason: edge.read('learn', context, 'reason'),
    result: edge.read('learn', context, 'result'),
    context,
  }
}

function lookedUp(user: string, body = 'ok') {
  const context = edge.receives(requestText('MESSAGE', { uri: `sip:${user}@50.170.158.149`, body }), {
    address: '10.0.0.5',
  })
  const rc = edge.call('lookup', context, 'location')
  return { rc, target: context.target, context }
}

function answered(user: string, statusCode: number, from: object = device) {
  const { target } = lookedUp(user)
  edge.branchEnds({ target, statusCode, responseFlow: { socket: router, ...device, ...from } })
}

function register(user: string) {
  const uri = `sip:${user}@50.170.158.149`
  const context = edge.receives(
    requestText('REGISTER', { from: uri, lines: [`Contact: <sip:${user}@192.0.2.77>`] }),
  )
  return edge.call('save', context, 'location')
}

describe('the founding case: a device behind a carrier NAT that never registers', () => {
  test('what it sends teaches where it is; the reply leaves from the same socket to that very flow', () => {
    expect(learned('2000')).toMatchObject({ rc: 1, result: 'learned', reason: '' })
    const { rc, target } = lookedUp('2000')
    expect(rc).toBe(1)
    expect(target).toMatchObject({ uri: 'sip:2000@60.250.149.198:59177', trust: 'unproven', socket: router })
    expect(target.flow).toMatchObject({ ...device, socket: router })
  })

  test('of two sockets the one that heard it', async () => {
    const second = udpSocket(1, '50.170.158.149', 5070)
    edge = await edgeWith(carrier, undefined, [router, second])
    learned('2000', { ...device, socket: second })
    expect(lookedUp('2000').target.socket).toBe(second)
  })

  test('the private From host, Via and Contact mean nothing', () => {
    const context = edge.receives(
      requestText('MESSAGE', {
        from: 'sip:2000@10.92.240.131',
        lines: ['Contact: <sip:2000@6.6.6.6>;received="sip:6.6.6.6"'],
      }),
      device,
    )
    expect(edge.call('learn_location', context, 'location')).toBe(1)
    expect(lookedUp('2000').target.flow).toMatchObject(device)
  })

  test('again from there: refreshed; from elsewhere: moved', () => {
    learned('2000')
    expect(learned('2000')).toMatchObject({ rc: 2, result: 'refreshed' })
    expect(learned('2000', elsewhere)).toMatchObject({ rc: 3, result: 'moved' })
    expect(lookedUp('2000').target.flow).toMatchObject(elsewhere)
  })
})

describe('the pinhole clock', () => {
  test('60 seconds after the last inbound packet the binding is cold: not none, and nothing to send to', async () => {
    learned('2000')
    await edge.clock.advance(59_000)
    expect(lookedUp('2000').rc).toBe(1)
    await edge.clock.advance(2_000)
    const { rc, target } = lookedUp('2000')
    expect([rc, target.flow, target.uri]).toEqual([-3, null, 'sip:2000@50.170.158.149'])
    expect(lookedUp('2001').rc).toBe(-1)
  })

  test('any packet on the flow keeps it open, a keepalive too; packets on other flows do not', async () => {
    learned('2000')
    await edge.clock.advance(50_000)
    edge.keepalive(device)
    await edge.clock.advance(50_000)
    expect(lookedUp('2000').rc).toBe(1)
    edge.keepalive({ ...device, port: 59178 })
    await edge.clock.advance(20_000)
    expect(lookedUp('2000').rc).toBe(-3)
  })

  test('what we send extends nothing', async () => {
    learned('2000', device, digest('2000'))
    for (let i = 0; i < 5; i++) {
      await edge.clock.advance(15_000)
      lookedUp('2000')
    }
    expect(lookedUp('2000').rc).toBe(-3)
  })

  test('T6: a pinhole that has closed does not open again because the port was given to another subscriber', async () => {
    learned('2000')
    await edge.clock.advance(130_000)
    expect(learned('2001')).toMatchObject({ rc: 1 })
    expect(lookedUp('2001').rc).toBe(1)
    expect(lookedUp('2000').rc).toBe(-3)
  })

  test('per prefix', async () => {
    edge = await edgeWith({ ...carrier, source: ['60.250.0.0/16=>pinhole=30'] })
    learned('2000')
    await edge.clock.advance(31_000)
    expect(lookedUp('2000').rc).toBe(-3)
  })

  test('the administrative clock ends it for good, with an event', async () => {
    edge = await edgeWith({ ...carrier, expires: 120 })
    learned('2000')
    await edge.clock.advance(122_000)
    expect(lookedUp('2000').rc).toBe(-1)
    expect(edge.events.map(({ name }) => name)).toContain('learn:expired')
  })

  test('row 64, after a restart: still known, unproven whatever it was', async () => {
    const tables = new Map<string, Table<unknown>>()
    edge = await edgeWith(carrier, tables)
    learned('2000', device, digest('2000'))
    expect(lookedUp('2000').target.trust).toBe('proven')
    edge = await edgeWith(carrier, tables)
    expect(lookedUp('2000')).toMatchObject({ rc: 1, target: { trust: 'unproven' } })
    await edge.clock.advance(61_000)
    expect(lookedUp('2000').rc).toBe(-3)
  })
})

describe('who may teach what: rows 5 to 9', () => {
  test('row 5: without credentials and outside of the allowed prefixes: nothing', () => {
    register('1001')
    expect(learned('2000', stranger)).toMatchObject({ rc: -1, reason: 'unauthenticated' })
    expect(learned('1001', stranger)).toMatchObject({ rc: -1, reason: 'registered' })
    expect(lookedUp('2000').rc).toBe(-1)
    expect(lookedUp('1001').target.uri).toBe('sip:1001@192.0.2.77')
  })

  test('row 6: with the credentials of another user: nothing, even from an allowed prefix', () => {
    expect(learned('2001', device, digest('2002'))).toMatchObject({ rc: -1, reason: 'not-the-user' })
    expect(lookedUp('2001').rc).toBe(-1)
    expect(lookedUp('2002').rc).toBe(-1)
  })

  test('row 7: a digest whose nonce was not sent to this flow proves the user, not the flow', () => {
    expect(learned('1001', stranger, digest('1001', { flowProven: false }))).toMatchObject({ rc: 1 })
    expect(lookedUp('1001').target.trust).toBe('unproven')
    expect(learned('1002', stranger, digest('1002'))).toMatchObject({ rc: 1 })
    expect(lookedUp('1002').target).toMatchObject({ trust: 'proven' })
  })

  test('T7: a digest that could be a replay teaches nothing', () => {
    expect(learned('1001', stranger, digest('1001', { flowProven: false, qop: false }))).toMatchObject({
      rc: -1,
      reason: 'no-qop',
    })
  })

  test('row 7: a learned location never overrides a registration, and goes when one comes', () => {
    learned('2000')
    register('2000')
    expect(lookedUp('2000').target).toMatchObject({ uri: 'sip:2000@192.0.2.77', flow: null, trust: 'any' })
    expect(learned('2000', device, digest('2000'))).toMatchObject({ rc: -1, reason: 'registered' })
    edge.call('unregister', message('2000'), 'location', 'sip:2000@x')
    expect(lookedUp('2000').rc).toBe(-1)
  })

  test('row 8: learned locations do not count against max_contacts', async () => {
    edge = await edgeWith()
    learned('2000')
    expect(register('2000')).toBe(1)
  })

  test.each([
    ['multicast', { address: '224.0.0.5', port: 5060 }],
    ['broadcast', { address: '255.255.255.255', port: 5060 }],
    ['no address', { address: '0.0.0.0', port: 5060 }],
    ['port 0', { address: '60.250.149.198', port: 0 }],
  ])('row 9: %s is no place to send to', (_name, from) => {
    expect(learned('2000', from, digest('2000'))).toMatchObject({ rc: -1, reason: 'address' })
  })

  test('row 9: nor is the router itself', () => {
    expect(learned('2000', { address: '50.170.158.149', port: 5060 }, digest('2000'))).toMatchObject({
      rc: -1,
      reason: 'self',
    })
  })

  test('not in the list of devices; with credentials it did not use; by another method', async () => {
    expect(learned('3000')).toMatchObject({ rc: -1, reason: 'not-a-device' })
    edge = await edgeWith({ ...carrier, credentials: ['list:2005'] })
    expect(learned('2005')).toMatchObject({ rc: -1, reason: 'has-credentials' })
    const options = edge.receives(requestText('OPTIONS', { from: 'sip:2000@x' }), device)
    expect(edge.call('learn_location', options, 'location')).toBe(-1)
    expect(edge.read('learn', options, 'reason')).toBe('method')
  })

  test.each<[string, unknown, string]>([
    ['has a password there', { hasCredentials: () => true }, 'has-credentials'],
    ['may have one: the database cannot be asked', { hasCredentials: () => null }, 'credentials-unknown'],
    ['may have one: the module does not say', {}, 'credentials-unknown'],
    ['has none', { hasCredentials: () => false }, ''],
  ])('T2, auth_db is loaded and the user %s', async (_, exports, reason) => {
    edge = createEdge()
    await edge.load({ name: 'auth_db', summary: '', setup: () => ({ exports }) })
    for (const [plugin, values] of [[usrloc], [registrar], [learn, carrier]] as const) {
      await edge.load(plugin, values)
    }
    await edge.start()
    expect(learned('2000').reason).toBe(reason)
    // With the password it may.
    expect(learned('2001', device, digest('2001')).rc).toBe(1)
  })

  test('T2: either list is enough, and a name that is not to be believed anyway costs no query', async () => {
    const asked: string[] = []
    const exports = { hasCredentials: (user: string) => asked.push(user) > 99 }
    edge = createEdge()
    await edge.load({ name: 'auth_db', summary: '', setup: () => ({ exports }) })
    for (const [plugin, values] of [
      [usrloc],
      [registrar],
      [learn, { ...carrier, credentials: ['list:2005'] }],
    ] as const) {
      await edge.load(plugin, values)
    }
    await edge.start()
    expect(learned('2005').reason).toBe('has-credentials')
    expect(learned('2006', stranger).reason).toBe('unauthenticated')
    expect(learned('3000').reason).toBe('not-a-device')
    expect(asked).toEqual([])
    expect(learned('2006').rc).toBe(1)
    expect(asked).toEqual(['2006'])
  })

  for (const name of ['1000', '%31000']) {
    ladder(
      `T2: ${name} has a password, so nobody in the carrier's prefix is 1000 without it, whatever the devices are`,
      'routes/gsm.cfg',
      founding({ DEVICES: 'pattern:*' }),
      async ({ server, forger, running }) => {
        await forger.sends(`MESSAGE sip:2000@${routerAddress}`, {
          headers: { From: `<sip:${name}@${routerAddress}>;tag=1` },
        })
        await forger.receives(407)
        expect(
          running.metrics.counter('viaduct_learn_events_total', '').value('refused', 'has-credentials'),
        ).toBe(1)
        await server.registers()
        await server.receivesNothing()
      },
    )
  }

  test('off until a script asks: a MESSAGE alone teaches nothing', () => {
    message('2000')
    expect(lookedUp('2000').rc).toBe(-1)
  })

  test.each(['__proto__', 'constructor'])('row 41: a device named %s', async (user) => {
    edge = await edgeWith({ source: ['60.250.0.0/16'], devices: [`list:${user}`] })
    expect(lookedUp(user).rc).toBe(-1)
    expect(learned(user)).toMatchObject({ rc: 1 })
    expect(lookedUp(user).rc).toBe(1)
  })
})

describe('proof of the flow', () => {
  test('a 2xx from that very flow proves it; from any other it proves nothing', () => {
    learned('2000')
    answered('2000', 200, { port: 59178 })
    expect(lookedUp('2000').target.trust).toBe('unproven')
    answered('2000', 200)
    expect(lookedUp('2000').target.trust).toBe('proven')
    expect(edge.events.map(({ name }) => name)).toContain('learn:proven')
  })

  test('until then at most three times the octets that came in go out, and then it is cold', () => {
    const { context } = learned('2000')
    let out = 0
    for (let i = 0; i < 20; i++) {
      const { rc, target } = lookedUp('2000')
      if (rc !== 1) break
      out += target.bytesMax
    }
    expect(out).toBeGreaterThan(0)
    expect(out).toBeLessThanOrEqual(3 * context.message.text.length)
    expect(lookedUp('2000').rc).toBe(-3)
  })

  test('provisional=accept is for prefixes whose operator vouches for the source', async () => {
    edge = await edgeWith({ ...carrier, source: ['60.250.0.0/16=>provisional=accept'] })
    learned('2000')
    expect(lookedUp('2000').target.trust).toBe('proven')
  })

  test.each([
    ['404', { statusCode: 404 }],
    ['481', { statusCode: 481 }],
    ['timeout', { statusCode: 0, cause: 'timeout' as const, responseFlow: null }],
    ['icmp', { statusCode: 0, cause: 'transport' as const, responseFlow: null }],
  ])('row 64: %s drops it at once', (reason, end) => {
    learned('2000')
    const { target } = lookedUp('2000')
    edge.branchEnds({ target, responseFlow: { socket: router, ...device }, ...end })
    expect(lookedUp('2000').rc).toBe(-1)
    expect(edge.count('viaduct_learn_events_total', 'expired', reason)).toBe(1)
  })

  test('an ICMP error on the flow drops all that was learned on it; our own errors drop nothing', () => {
    learned('2000')
    learned('2001')
    edge.sendFails({ socket: router, ...device }, 'EMSGSIZE')
    expect(lookedUp('2000').rc).toBe(1)
    edge.sendFails({ socket: router, ...device }, 'ECONNREFUSED')
    expect([lookedUp('2000').rc, lookedUp('2001').rc]).toEqual([-1, -1])
  })

  test('a 486 is the device being there', () => {
    learned('2000')
    answered('2000', 486)
    expect(lookedUp('2000').rc).toBe(1)
  })
})

describe('row 21: bounds', () => {
  test('per flow', async () => {
    edge = await edgeWith({ ...carrier, max_per_flow: 2 })
    expect([learned('2000').rc, learned('2001').rc]).toEqual([1, 1])
    expect(learned('2002')).toMatchObject({ rc: -2, reason: 'flow-full' })
    expect(learned('2000').rc).toBe(2)
  })

  test('per address, and per carrier prefix instead if it is declared one', async () => {
    edge = await edgeWith({ ...carrier, max_per_address: 2, max_per_carrier: 4 })
    const port = (n: number) => ({ ...device, port: 50_000 + n })
    expect([learned('2000', port(0)).rc, learned('2001', port(1)).rc]).toEqual([1, 1])
    expect(learned('2002', port(2))).toMatchObject({ rc: -2, reason: 'address-full' })
    expect(learned('2002', elsewhere).rc).toBe(1)
    edge = await edgeWith({
      ...carrier,
      source: ['60.250.0.0/16=>carrier=1'],
      max_per_address: 2,
      max_per_carrier: 4,
    })
    const codes = [0, 1, 2, 3, 4].map((n) => learned(`200${n}`, port(n)).rc)
    expect(codes).toEqual([1, 1, 1, 1, -2])
  })

  test('ten thousand devices behind one carrier address', async () => {
    edge = await edgeWith({
      source: ['60.250.0.0/16=>carrier=1'],
      devices: ['pattern:2*'],
      max_new_rate: 100_000,
    })
    for (let n = 0; n < 10_000; n++) {
      if (learned(`2${n}`, { ...device, port: 1024 + n }).rc !== 1) throw new Error(`refused ${n}`)
    }
    expect(learned('2x', { ...device, port: 60_000 })).toMatchObject({ rc: -2, reason: 'address-full' })
    expect(lookedUp('29999').rc).toBe(1)
  })

  test('in all: the longest silent learned one goes, registrations never', async () => {
    edge = await edgeWith({ ...carrier, max_total: 2 })
    register('1000')
    learned('2000')
    learned('2001', elsewhere)
    learned('2002', { ...elsewhere, port: 2 })
    expect(['1000', '2000', '2001', '2002'].map((user) => lookedUp(user).rc)).toEqual([1, -1, 1, 1])
  })

  test('new ones per second and prefix; known ones are refreshed all the same', async () => {
    edge = await edgeWith({ ...carrier, max_new_rate: 2 })
    expect(['2000', '2001', '2002'].map((user) => learned(user).rc)).toEqual([1, 1, -2])
    expect(learned('2000').rc).toBe(2)
    await edge.clock.advance(1_000)
    expect(learned('2002').rc).toBe(1)
  })
})

describe('T14: two flows claim one user', () => {
  test('a proven flow heard a moment ago is kept', async () => {
    learned('2000')
    answered('2000', 200)
    expect(learned('2000', elsewhere)).toMatchObject({ rc: -3, reason: 'hold-down' })
    expect(lookedUp('2000').target.flow).toMatchObject(device)
    await edge.clock.advance(6_000)
    expect(learned('2000', elsewhere).rc).toBe(3)
  })

  test('whoever has the password wins, and what a password taught yields to nothing less', () => {
    learned('2000')
    answered('2000', 200)
    expect(learned('2000', elsewhere, digest('2000')).rc).toBe(3)
    expect(learned('2000', device)).toMatchObject({ rc: -3, reason: 'hold-down' })
  })

  test('conflict=newest for prefixes whose devices move', async () => {
    edge = await edgeWith({ ...carrier, source: ['60.250.0.0/16=>conflict=newest'] })
    learned('2000')
    answered('2000', 200)
    expect(learned('2000', elsewhere).rc).toBe(3)
  })

  test('changing all the time is a conflict', async () => {
    edge = await edgeWith({ ...carrier, max_moves: 3 })
    const codes = [0, 1, 2, 3, 4].map((n) => learned('2000', { ...device, port: 1000 + n }).rc)
    expect(codes).toEqual([1, 3, 3, 3, -3])
    expect(edge.events.map(({ name }) => name)).toContain('learn:conflict')
  })
})

describe('third-party registration', () => {
  const rules = (line = '1000 2??? contact=seen max=1') => ({ delegate: [`devices=>${line}`] })

  function thirdParty(
    options: {
      to?: string
      from?: string
      who?: AuthenticatedUser | null
      contact?: string
      expires?: string
      at?: object
    } = {},
  ) {
    const {
      to = '2000',
      from = '1000',
      who = digest('1000'),
      contact = '<sip:2000@60.250.149.198:59177>',
    } = options
    const context = edge.receives(
      requestText('REGISTER', {
        from: `sip:${from}@50.170.158.149`,
        to: `sip:${to}@50.170.158.149`,
        cseq: cseq++,
        lines: [
          `Contact: ${contact}`,
          ...(options.expires === undefined ? [] : [`Expires: ${options.expires}`]),
        ],
      }),
      options.at ?? { address: '10.0.0.5', port: 5060 },
    )
    context.scope.authenticated = who
    return { rc: edge.call('allow_third_party', context, 'devices'), context }
  }
  let cseq = 1

  async function saved(context: EdgeContext) {
    const rc = edge.call('save', context, 'location')
    await edge.clock.settle()
    return { rc, status: context.replies[0]?.statusCode, headers: context.replies[0]?.headers ?? '' }
  }

  const expectRefusal = (context: EdgeContext, phrase: string) => {
    expect(context.replies).toMatchObject([{ statusCode: 403, reason: phrase }])
    expect(context.replies[0]?.headers).toContain('P-Registrar-Error')
  }

  test('row 1: 200 when a rule allows it, for the flow that the device was seen on, at most 300 seconds', async () => {
    edge = await edgeWith(rules())
    message('2000')
    const { rc, context } = thirdParty({ expires: '3600' })
    expect(rc).toBe(1)
    const { rc: savedRc, status, headers } = await saved(context)
    expect([savedRc, status]).toEqual([1, 200])
    expect(headers).toBe('Contact: <sip:2000@60.250.149.198:59177>;expires=300\r\n')
    expect(lookedUp('2000')).toMatchObject({
      rc: 1,
      target: { uri: 'sip:2000@60.250.149.198:59177', trust: 'unproven' },
    })
    expect(lookedUp('2000').target.flow).toMatchObject({ ...device, socket: router })
  })

  test('T9: the delegate\u2019s own source never becomes the location', async () => {
    edge = await edgeWith(rules('1000 2??? contact=any'))
    const { rc, context } = thirdParty({ contact: '<sip:2000@198.51.100.200:7000>' })
    expect(rc).toBe(1)
    await saved(context)
    const { target } = lookedUp('2000')
    expect([target.uri, target.flow, target.destinationUri]).toEqual([
      'sip:2000@198.51.100.200:7000',
      null,
      null,
    ])
  })

  test('T9: a correction of its Contact would be its own source: it counts for nothing', async () => {
    edge = await edgeWith(rules('1000 2??? contact=seen'))
    await edge.load(nathelper)
    message('2000')
    const { context } = thirdParty()
    expect(edge.call('fix_nated_contact', context)).toBe(1)
    expect(await saved(context)).toMatchObject({ rc: 1 })
    expect(lookedUp('2000').target.flow).toMatchObject(device)
  })

  test('a contact at our own name stands for wherever the device is', async () => {
    edge = await edgeWith(rules())
    message('2000')
    const { rc, context } = thirdParty({ contact: '<sip:2000@edge.example>' })
    expect(rc).toBe(1)
    await saved(context)
    expect(lookedUp('2000').target.flow).toMatchObject(device)
  })

  test('a registration that is one too many leaves no flow behind', async () => {
    edge = await edgeWith(rules())
    const { flows } = edge.exportsOf<UsrlocExports>('usrloc')
    message('2000')
    await saved(thirdParty().context)
    const count = flows.count
    message('2000', { ...device, port: 59_178 })
    const { context } = thirdParty({ contact: '<sip:2000@60.250.149.198:59178>' })
    expect(await saved(context)).toMatchObject({ rc: -2, status: 503 })
    expect(flows.count).toBe(count)
  })

  test('its pinhole closes like any, whatever lifetime was granted', async () => {
    edge = await edgeWith(rules())
    message('2000')
    await saved(thirdParty().context)
    await edge.clock.advance(61_000)
    expect(lookedUp('2000').rc).toBe(-3)
  })

  test('rows 1 and 2: one 403 with a reason, a log line with who, for whom and from where', async () => {
    edge = await edgeWith(rules())
    message('2000')
    const { rc, context } = thirdParty({ who: digest('1001') })
    expect(rc).toBe(-1)
    expectRefusal(context, 'Third-Party Registration Not Allowed')
    const line = edge.log.lines.find(({ fields }) => fields['outcome'] === 'no-rule')
    expect(line?.fields).toMatchObject({
      principal: '1001',
      aor: '2000',
      from: '10.0.0.5:5060',
      outcome: 'no-rule',
    })
    expect(edge.events.map(({ name }) => name)).toContain('learn:third-party')
    expect(lookedUp('2000').rc).toBe(-1)
  })

  test('row 3: what counts is whose credentials they are, never From', async () => {
    edge = await edgeWith(rules())
    message('2000')
    expect(thirdParty({ from: '1000', who: digest('1001') }).rc).toBe(-1)
    expect(thirdParty({ from: '9999', who: digest('1000') }).rc).toBe(1)
  })

  test('row 4: removing everything is a permission of its own', async () => {
    edge = await edgeWith(rules())
    message('2000')
    await saved(thirdParty().context)
    const wipe = thirdParty({ contact: '*', expires: '0' })
    expect(wipe.rc).toBe(-1)
    expectRefusal(wipe.context, 'Removal By A Third Party Not Allowed')
    expect(lookedUp('2000').rc).toBe(1)
    const own = thirdParty({ contact: '<sip:2000@60.250.149.198:59177>;expires=0' })
    expect(own.rc).toBe(1)
    expect((await saved(own.context)).rc).toBe(3)
    expect(lookedUp('2000').rc).toBe(-1)
  })

  test('row 4: even with it a delegate never removes what the user registered itself', async () => {
    edge = await edgeWith(rules('1000 2??? contact=any remove=yes'))
    register('2000')
    await saved(thirdParty({ contact: '*', expires: '0' }).context)
    expect(lookedUp('2000').target.uri).toBe('sip:2000@192.0.2.77')
  })

  test.each([
    ['never seen', '<sip:2000@203.0.113.66:5060>'],
    ['seen on another port', '<sip:2000@60.250.149.198:59178>'],
    ['a name of somebody', '<sip:2000@evil.example>'],
  ])('a contact that is no flow of that user (%s) is refused', async (_name, contact) => {
    edge = await edgeWith(rules())
    message('2000')
    const { rc, context } = thirdParty({ contact })
    expect(rc).toBe(-1)
    expectRefusal(context, 'Contact Is No Flow Of That User')
  })

  test('seen longer ago than a pinhole lives, or of another user: no', async () => {
    edge = await edgeWith(rules())
    message('2001')
    expect(thirdParty().rc).toBe(-1)
    message('2000')
    await edge.clock.advance(61_000)
    expect(thirdParty().rc).toBe(-1)
  })

  test('source, any address, prefixes, learned', async () => {
    edge = await edgeWith(rules('1000 2??? contact=any source=10.0.0.0/8'))
    expect(thirdParty().rc).toBe(1)
    const { rc, context } = thirdParty({ at: stranger })
    expect(rc).toBe(-1)
    expectRefusal(context, 'Third-Party Registration Not Allowed From Here')
    edge = await edgeWith(rules('1000 2??? contact=60.250.0.0/16'))
    expect([thirdParty().rc, thirdParty({ contact: '<sip:2000@203.0.113.66>' }).rc]).toEqual([1, -1])
    edge = await edgeWith({ ...carrier, ...rules('1000 2??? contact=learned') })
    message('2000')
    expect(thirdParty().rc).toBe(-1)
    learned('2000')
    expect(thirdParty().rc).toBe(1)
  })

  test('registering oneself is nothing to allow; without credentials there is nobody to allow', async () => {
    edge = await edgeWith(rules())
    expect(thirdParty({ who: digest('2000') }).rc).toBe(2)
    const nobody = thirdParty({ who: null })
    expect([nobody.rc, nobody.context.replies.length]).toEqual([-2, 0])
  })

  test('the permission is for the user in To, and for nobody else that save() is told', async () => {
    edge = await edgeWith(rules())
    message('2000')
    const { context } = thirdParty()
    expect(edge.call('save', context, 'location', '0', 'sip:1234@x')).toBe(-1)
    expect(context.replies).toMatchObject([{ statusCode: 403 }])
    expect(lookedUp('1234').rc).toBe(-1)
  })

  test('at most as many bindings as the rule says', async () => {
    edge = await edgeWith(rules('1000 2??? contact=any max=1'))
    await saved(thirdParty({ contact: '<sip:2000@198.51.100.1>' }).context)
    expect(await saved(thirdParty({ contact: '<sip:2000@198.51.100.2>' }).context)).toMatchObject({
      rc: -2,
      status: 503,
    })
  })

  test('a mistake in the table is an error at start, with its line', async () => {
    await expect(edgeWith(rules('1000 2000 contakt=any'))).rejects.toThrow("line 1: no option 'contakt'")
    await expect(edgeWith(rules('1000'))).rejects.toThrow('line 1')
  })
})

test('learn.list and learn.forget', () => {
  learned('2000')
  expect(edge.rpc('learn.list')).toMatchObject([
    { AoR: '2000', Origin: 'learned', Flow: '60.250.149.198:59177', Proven: 0, Reachable: 60 },
  ])
  expect(edge.rpc('learn.forget', 'location', '2000')).toEqual({ forgotten: 1 })
  expect(lookedUp('2000').rc).toBe(-1)
})

test('every decision is in the explanation of the message', () => {
  expect(learned('2000', stranger).context.explanations.join()).toContain('unauthenticated')
  expect(learned('2000').context.explanations.join()).toContain('learn 2000: learned')
})

test('flows are forgotten with their last binding', () => {
  const { flows } = edge.exportsOf<UsrlocExports>('usrloc')
  for (let n = 0; n < 100; n++) learned('2000', { ...device, port: 2000 + n })
  expect(flows.count).toBeLessThanOrEqual(2)
})
