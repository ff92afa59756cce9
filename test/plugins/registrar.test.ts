import { beforeEach, describe, expect, test } from 'vitest'
import registrar from '../../plugins/registrar/index.ts'
import type { UsrlocExports } from '../../plugins/usrloc/exports.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import { limits, type Table } from '../../src/plugin/index.ts'
import { memoryTable } from '../../src/store/memory.ts'
import { createEdge, type Edge, type EdgeContext, requestText } from './edge.ts'

let edge: Edge

async function edgeWith(
  values: Record<string, unknown> = {},
  location: Record<string, unknown> = {},
  tables?: Map<string, Table<unknown>>,
) {
  const made = createEdge(tables === undefined ? {} : { tables })
  await made.load(usrloc, location)
  await made.load(registrar, values)
  await made.start()
  return made
}

beforeEach(async () => {
  edge = await edgeWith()
})

let cseq = 100

function register(
  user: string,
  contact: string | null,
  options: { lines?: string[]; callId?: string; cseq?: number } = {},
) {
  const lines = [...(contact === null ? [] : [`Contact: ${contact}`]), ...(options.lines ?? [])]
  const uri = `sip:${user}@50.170.158.149`
  return edge.receives(
    requestText('REGISTER', {
      from: uri,
      to: uri,
      callId: options.callId ?? 'c1',
      cseq: options.cseq ?? cseq++,
      lines,
    }),
  )
}

async function saved(context: EdgeContext, ...args: unknown[]) {
  const rc = edge.call('save', context, 'location', ...args)
  await edge.clock.settle()
  const [reply] = context.replies
  return { rc, status: reply?.statusCode, headers: reply?.headers ?? '', replies: context.replies.length }
}

function lookedUp(user: string, method = 'INVITE') {
  const context = edge.receives(requestText(method, { uri: `sip:${user}@50.170.158.149` }))
  const rc = edge.call('lookup', context, 'location')
  return { rc, uri: context.target.uri, context, branches: context.branches.map((branch) => branch.uri) }
}

const contactsOf = (headers: string) => /Contact: (.*)\r\n/.exec(headers)?.[1] ?? ''

describe('save() answers as measured on Kamailio 5.6.3', () => {
  test('a first contact: 200 with its lifetime, rc 1; the same again: rc 2', async () => {
    expect(await saved(register('a', '<sip:a@1.2.3.4>;q=0.5;expires=100'))).toMatchObject({
      rc: 1,
      status: 200,
    })
    const again = await saved(register('a', '<sip:a@1.2.3.4>;q=0.5;expires=100'))
    expect(again).toMatchObject({ rc: 2, headers: 'Contact: <sip:a@1.2.3.4>;q=0.5;expires=100\r\n' })
  })

  test('no Contact: the bindings there are, rc 4, and nothing changes', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>'))
    expect(await saved(register('a', null))).toMatchObject({
      rc: 4,
      headers: 'Contact: <sip:a@1.2.3.4>;expires=3600\r\n',
    })
    expect(await saved(register('b', null))).toMatchObject({ rc: 4, status: 200, headers: '' })
  })

  test('several contacts come in the order of q', async () => {
    const { headers } = await saved(
      register('a', '<sip:a@1.2.3.4:5070>;q=0.3,<sip:a@1.2.3.5>;q=1.0,<sip:a@9.9.9.9>'),
    )
    expect(contactsOf(headers)).toBe(
      '<sip:a@1.2.3.5>;q=1;expires=3600, <sip:a@1.2.3.4:5070>;q=0.3;expires=3600, <sip:a@9.9.9.9>;expires=3600',
    )
  })

  test.each([
    ['* with a lifetime', '*', ['Expires: 10'], 400, '* used in contact and expires is not zero'],
    ['* without a lifetime', '*', [], 400, '* used in contact and expires is not zero'],
    [
      '* beside another (RFC 3261 §10.3 step 6)',
      '*',
      ['Contact: <sip:a@b>', 'Expires: 0'],
      400,
      '* used in contact and more than 1 contact',
    ],
    ['* in a list', '*, <sip:a@b>', ['Expires: 0'], 400, 'Contact parse error'],
    ['a q beyond 1', '<sip:a@1.2.3.4>;q=2', [], 400, 'Invalid q param in contact'],
    ['a q that is no number', '<sip:a@1.2.3.4>;q=x', [], 400, 'Invalid q param in contact'],
    ['a bracket that does not close', '<sip:a@1.2.3.4', [], 400, 'Contact parse error'],
    ['a contact without end', `<sip:a@${'x'.repeat(600)}>`, [], 400, 'Contact/received too long'],
    [
      'outbound, which is off',
      '<sip:a@1.2.3.4>',
      ['Require: outbound'],
      420,
      'No support for Outbound on server',
    ],
  ])('%s', async (_name, contact, lines, status, error) => {
    const result = await saved(register('a', contact, { lines: lines as string[] }))
    expect(result).toMatchObject({ rc: -1, status, replies: 1 })
    expect(result.headers).toContain(`P-Registrar-Error: ${error}\r\n`)
    expect(lookedUp('a').rc).toBe(-1)
  })

  test.each([
    ['<sip:a@1.2.3.4>;expires=10', [], 60],
    ['<sip:a@1.2.3.4>;expires=100', ['Expires: 200'], 100],
    ['<sip:a@1.2.3.4>', ['Expires: 200'], 200],
    ['<sip:a@1.2.3.4>', [], 3600],
    ['<sip:a@1.2.3.4>;expires=90000', [], 7200],
    ['<sip:a@1.2.3.4>;expires=abc', [], 3600],
    ['<sip:a@1.2.3.4>;expires=4294967296', [], 3600],
    ['<sip:a@1.2.3.4>;expires=-5', [], 3600],
  ])('lifetime of %s with %j: %i', async (contact, lines, seconds) => {
    edge = await edgeWith({ max_expires: 7200 })
    const { headers } = await saved(register('a', contact, { lines }))
    expect(contactsOf(headers)).toContain(`;expires=${seconds}`)
  })

  test('a lifetime is told as it was granted, whatever fraction of a millisecond it is', async () => {
    for (let i = 0; i < 100; i++) {
      await edge.clock.advance(Math.sqrt(i * 1_000_003))
      const answers = [
        await saved(register(`u${i}`, '<sip:a@1.2.3.4>;expires=100')),
        await saved(register(`u${i}`, '<sip:a@1.2.3.4>;expires=100')),
        await saved(register(`u${i}`, '<sip:a@1.2.3.4>;expires=100;q=1')),
        await saved(register(`u${i}`, null)),
      ]
      for (const { headers } of answers) expect(contactsOf(headers)).toMatch(/;expires=100$/)
    }
  })

  test('a refusal about what is registered lists it', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>'))
    for (const value of ['<sip:a@1.2.3.4>;q=9', '<sip:a@1.2.3.5>;q=x']) {
      const { status, headers } = await saved(register('a', value))
      expect([status, contactsOf(headers)]).toEqual([400, '<sip:a@1.2.3.4>;expires=3600'])
    }
  })

  test('an empty q is none', async () => {
    expect((await saved(register('a', '<sip:a@1.2.3.4>;q='))).headers).toBe(
      'Contact: <sip:a@1.2.3.4>;expires=3600\r\n',
    )
  })

  test('matching_mode 3: one contact for each Call-ID', async () => {
    edge = await edgeWith({}, { matching_mode: 3 })
    const { headers } = await saved(register('a', '<sip:a@1.2.3.4>,<sip:a@1.2.3.5>'))
    expect(contactsOf(headers)).toBe('<sip:a@1.2.3.5>;expires=3600')
    const other = await saved(register('a', '<sip:a@1.2.3.6>', { callId: 'c2' }))
    expect(contactsOf(other.headers)).toBe('<sip:a@1.2.3.5>;expires=3600, <sip:a@1.2.3.6>;expires=3600')
  })

  test('a refreshed contact keeps its place', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>,<sip:a@1.2.3.5>'))
    await edge.clock.advance(1_000)
    const { headers } = await saved(register('a', '<sip:a@1.2.3.4>'))
    expect(contactsOf(headers)).toBe('<sip:a@1.2.3.4>;expires=3600, <sip:a@1.2.3.5>;expires=3599')
  })

  test('min_expires_mode 1: 423 with Min-Expires', async () => {
    edge = await edgeWith({ min_expires_mode: 1 })
    const { rc, status, headers } = await saved(register('a', '<sip:a@1.2.3.4>;expires=10'))
    expect([rc, status]).toEqual([-1, 423])
    expect(headers).toContain('Min-Expires: 60\r\n')
  })

  test('expires=0 removes: rc 3', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>'))
    expect(await saved(register('a', '<sip:a@1.2.3.4>;expires=0'))).toMatchObject({
      rc: 3,
      status: 200,
      headers: '',
    })
    expect(lookedUp('a').rc).toBe(-1)
  })

  test('* removes all of this user and nothing of others', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>,<sip:a@1.2.3.5>'))
    await saved(register('b', '<sip:b@1.2.3.4>'))
    expect(await saved(register('a', '*', { lines: ['Expires: 0'] }))).toMatchObject({ rc: 3, headers: '' })
    expect([lookedUp('a').rc, lookedUp('b').rc]).toEqual([-1, 1])
  })

  test('an instance with GRUU support gets its GRUUs, and lookup() finds it by them', async () => {
    const { headers } = await saved(
      register('a', '<sip:a@1.2.3.5>;+sip.instance="<urn:uuid:1>";reg-id=1', { lines: ['Supported: gruu'] }),
    )
    expect(contactsOf(headers)).toMatch(
      /^<sip:a@1.2.3.5>;expires=3600;pub-gruu="sip:a@50.170.158.149;gr=urn:uuid:1";temp-gruu="sip:uloc-[^"]+;gr";\+sip.instance="<urn:uuid:1>";reg-id=1$/,
    )
    const temporary = /temp-gruu="([^"]+)"/.exec(headers)?.[1] ?? ''
    for (const uri of ['sip:a@50.170.158.149;gr=urn:uuid:1', temporary]) {
      const context = edge.receives(requestText('INVITE', { uri }))
      expect([edge.call('lookup', context, 'location'), context.target.uri]).toEqual([1, 'sip:a@1.2.3.5'])
    }
    const other = edge.receives(requestText('INVITE', { uri: 'sip:a@50.170.158.149;gr=urn:uuid:2' }))
    expect(edge.call('lookup', other, 'location')).toBe(-1)
  })

  test('flags: 2 leaves the answer to reg_send_reply(), 4 keeps only this contact, 16 with 2 to the script', async () => {
    const silent = register('a', '<sip:a@1.2.3.4>')
    expect(await saved(silent, '2')).toMatchObject({ rc: 1, replies: 0 })
    await saved(register('a', '<sip:a@1.2.3.5>'), '0x04')
    expect(lookedUp('a')).toMatchObject({ uri: 'sip:a@1.2.3.5', branches: [] })
    const contact = 'Contact: <sip:a@1.2.3.5>;expires=3600\r\n'
    edge.call('reg_send_reply', silent)
    await edge.clock.settle()
    expect(silent.replies).toMatchObject([
      { statusCode: 200, headers: 'Contact: <sip:a@1.2.3.4>;expires=3600\r\n' },
    ])
    expect(await saved(register('a', '<sip:a@1.2.3.5>'), '0x10')).toMatchObject({
      replies: 1,
      headers: contact,
    })
    const prepared = register('a', '<sip:a@1.2.3.5>')
    expect(await saved(prepared, '0x12')).toMatchObject({ replies: 0 })
    expect(prepared.replyHeaders).toBe(contact)
    edge.call('reg_send_reply', prepared)
    await edge.clock.settle()
    expect(prepared.replies).toMatchObject([{ statusCode: 200, headers: '' }])
  })

  test('the third argument names the address-of-record', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>'), '0', 'sip:other@x')
    expect([lookedUp('a').rc, lookedUp('other').rc]).toEqual([-1, 1])
  })

  test('a contact at the received_avp shows where it came from, and lookup() sends there', async () => {
    const received = { text: '$avp(r)', read: () => 'sip:198.51.100.7:1024', write: () => true }
    edge = await edgeWith({ received_avp: received })
    const { headers } = await saved(register('a', '<sip:a@10.0.0.1>'))
    expect(contactsOf(headers)).toBe('<sip:a@10.0.0.1>;expires=3600;received="sip:198.51.100.7:1024"')
    expect(lookedUp('a').context.target.destinationUri).toBe('sip:198.51.100.7:1024')
  })
})

describe('security', () => {
  test('row 20: more than max_contacts is 503 with Retry-After, and what was there stays', async () => {
    edge = await edgeWith({ max_contacts: 2, retry_after: 5 })
    await saved(register('a', '<sip:a@1.2.3.1>,<sip:a@1.2.3.2>'))
    const { rc, status, headers } = await saved(register('a', '<sip:a@1.2.3.3>'))
    expect([rc, status]).toEqual([-2, 503])
    expect(headers).toContain('P-Registrar-Error: Too many registered contacts\r\n')
    expect(headers).toMatch(/Retry-After: \d+\r\n/)
    expect(headers).toContain('1.2.3.2')
    expect(await saved(register('a', '<sip:a@1.2.3.1>'))).toMatchObject({ rc: 2, status: 200 })
    expect(lookedUp('a').branches).toHaveLength(1)
  })

  test('row 20: more contacts in one request than limits allow are refused as a whole', async () => {
    const many = Array.from({ length: 100 }, (_, i) => `<sip:a@1.2.3.4:${6000 + i}>`).join(',')
    const { status } = await saved(register('a', many))
    expect(status).toBeGreaterThanOrEqual(400)
    expect(lookedUp('a').rc).toBe(-1)
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'row 41: the user %s is like any',
    async (user) => {
      expect(lookedUp(user).rc).toBe(-1)
      expect(await saved(register(user, `<sip:x@1.2.3.4>`))).toMatchObject({ rc: 1, status: 200 })
      expect(lookedUp(user)).toMatchObject({ rc: 1, uri: 'sip:x@1.2.3.4' })
      expect(lookedUp(`${user}x`).rc).toBe(-1)
    },
  )

  test.each([
    ['lower', 9, 'old'],
    ['equal, long after', 10, 'old'],
  ])('row 45: a CSeq that is %s is 400, and the binding stays', async (_name, number) => {
    await saved(register('a', '<sip:a@1.2.3.4>', { cseq: 10 }))
    await edge.clock.advance(30_000)
    const removal = await saved(register('a', '<sip:a@1.2.3.4>;expires=0', { cseq: number }))
    expect(removal).toMatchObject({ rc: -1, status: 400 })
    expect(removal.headers).toContain('P-Registrar-Error: Invalid CSeq number')
    expect(lookedUp('a').rc).toBe(1)
    if (number < 10) {
      expect(await saved(register('a', '*', { lines: ['Expires: 0'], cseq: number }))).toMatchObject({
        status: 400,
      })
      expect(lookedUp('a').rc).toBe(1)
    }
  })

  test('the same CSeq at once is a retransmission: 200 with what there is', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>;expires=500', { cseq: 10 }))
    const again = await saved(register('a', '<sip:a@1.2.3.4>;expires=900', { cseq: 10 }))
    expect(again).toMatchObject({ rc: 1, headers: 'Contact: <sip:a@1.2.3.4>;expires=500\r\n' })
  })

  test('row 65: a Path by a user agent is ignored without use_path', async () => {
    await saved(
      register('a', '<sip:a@1.2.3.4>', { lines: ['Path: <sip:evil.example;lr>', 'Supported: path'] }),
    )
    expect(lookedUp('a').context.target).toMatchObject({ path: [], destinationUri: null })
  })

  test('row 65: with use_path it is 420 if the client does not know it, else the way back', async () => {
    edge = await edgeWith({ use_path: 1 })
    const lines = ['Path: <sip:edge1.example;lr>, <sip:edge2.example;lr>']
    expect(await saved(register('a', '<sip:a@1.2.3.4>', { lines }))).toMatchObject({ status: 420 })
    const { headers } = await saved(
      register('a', '<sip:a@1.2.3.4>', { lines: [...lines, 'Supported: path'] }),
    )
    expect(headers).toMatch(/^Contact: .*\r\nPath: <sip:edge1\.example;lr>, <sip:edge2\.example;lr>\r\n$/)
    expect(lookedUp('a').context.target).toMatchObject({
      path: ['<sip:edge1.example;lr>', '<sip:edge2.example;lr>'],
      destinationUri: 'sip:edge1.example;lr',
    })
  })

  test('received= and alias= of a Contact are kept as text and never believed', async () => {
    await saved(register('a', '<sip:a@1.2.3.4;alias=6.6.6.6~666~1>;received="sip:6.6.6.6:666"'))
    expect(lookedUp('a').context.target).toMatchObject({ destinationUri: null, flow: null })
  })

  test('row 67: null%00 and null are two users, each with one answer', async () => {
    expect(await saved(register('null%00', '<sip:n@1.1.1.1>'))).toMatchObject({ status: 200, replies: 1 })
    expect(lookedUp('null').rc).toBe(-1)
    expect(await saved(register('null', '<sip:n@2.2.2.2>'))).toMatchObject({ status: 200, replies: 1 })
    expect([lookedUp('null%00').uri, lookedUp('null').uri]).toEqual(['sip:n@1.1.1.1', 'sip:n@2.2.2.2'])
  })

  test('escapes and case name the same user', async () => {
    await saved(register('Two', '<sip:n@1.1.1.1>'))
    expect([lookedUp('two').rc, lookedUp('%54wo').rc]).toEqual([1, 1])
  })
})

describe('the store behind it', () => {
  test('the 200 leaves when the store has the binding, not before', async () => {
    let release: () => void = () => undefined
    const table = {
      ...memoryTable<unknown>(),
      put: () => new Promise<void>((resolve) => (release = resolve)),
    }
    edge = await edgeWith({}, {}, new Map([['usrloc.location.bindings', table as Table<unknown>]]))
    const context = register('a', '<sip:a@1.2.3.4>')
    expect((await saved(context)).replies).toBe(0)
    release()
    await edge.clock.settle()
    expect(context.replies).toMatchObject([{ statusCode: 200 }])
  })

  test('row 55: if the store refuses: 503, nothing has changed, and look-ups go on', async () => {
    const good = memoryTable<unknown>()
    let isFull = false
    const table = {
      ...good,
      put: (key: string, record: unknown) =>
        isFull ? Promise.reject(new Error('ENOSPC')) : good.put(key, record),
    }
    edge = await edgeWith({}, {}, new Map([['usrloc.location.bindings', table as Table<unknown>]]))
    await saved(register('a', '<sip:a@1.2.3.4>'))
    isFull = true
    const failed = register('a', '<sip:a@1.2.3.4>;q=0.1, <sip:a@6.6.6.6>')
    expect(edge.call('save', failed, 'location')).toBe(2)
    await edge.clock.settle()
    expect(failed.replies).toMatchObject([{ statusCode: 503, reason: 'Service Unavailable' }])
    expect(lookedUp('a')).toMatchObject({ rc: 1, uri: 'sip:a@1.2.3.4', branches: [] })
    expect(lookedUp('a').context.target.q).toBe(-1)
    isFull = false
    expect(await saved(register('a', '<sip:a@6.6.6.6>'))).toMatchObject({ status: 200 })
  })

  test.each([0, 1])(
    'a full table takes nobody new, and refreshes and removes whom it has (db_mode %i)',
    async (mode) => {
      edge = await edgeWith({}, { db_mode: mode })
      expect(await saved(register('a', '<sip:a@1.2.3.4>'))).toMatchObject({ status: 200 })
      const location = edge.exportsOf<UsrlocExports>('usrloc').table('location')
      location.hasRoomFor = () => false
      expect(await saved(register('b', '<sip:b@1.2.3.4>'))).toMatchObject({ status: 503 })
      expect(await saved(register('a', '<sip:a@1.2.3.4>;expires=60'))).toMatchObject({ rc: 2, status: 200 })
      expect(await saved(register('a', '<sip:a@1.2.3.4>;expires=0'))).toMatchObject({ rc: 3, status: 200 })
      expect(lookedUp('a').rc).toBe(-1)
    },
  )

  test('bindings are back after a restart, with what is left of their lifetime', async () => {
    const tables = new Map<string, Table<unknown>>()
    edge = await edgeWith({}, {}, tables)
    await saved(register('a', '<sip:a@1.2.3.4>;expires=600'))
    await saved(register('b', '<sip:b@1.2.3.4>;expires=60'))
    const before = edge
    edge = await edgeWith({}, {}, tables)
    expect(before).not.toBe(edge)
    expect(lookedUp('a')).toMatchObject({ rc: 1, uri: 'sip:a@1.2.3.4' })
    await edge.clock.advance(61_000)
    expect([lookedUp('a').rc, lookedUp('b').rc]).toEqual([1, -1])
    expect(tables.get('usrloc.location.bindings')?.count).toBe(1)
  })

  test('db_mode 0 keeps nothing', async () => {
    const tables = new Map<string, Table<unknown>>()
    edge = await edgeWith({}, { db_mode: 0 }, tables)
    await saved(register('a', '<sip:a@1.2.3.4>;expires=600'))
    expect(lookedUp('a').rc).toBe(1)
    expect(tables.size).toBe(0)
  })
})

describe('questions', () => {
  test('lookup() -2: nobody there takes this method', async () => {
    edge = await edgeWith({ method_filtering: 1 })
    await saved(register('a', '<sip:a@1.2.3.4>;methods="INVITE,ACK"'))
    expect(lookedUp('a', 'INVITE').rc).toBe(1)
    expect(lookedUp('a', 'MESSAGE')).toMatchObject({ rc: -2, uri: 'sip:a@50.170.158.149' })
  })

  test('what Allow lists is what it listed before, whatever others have sent meanwhile', async () => {
    edge = await edgeWith({ method_filtering: 1 })
    const takesInvite = async (user: string, allow: string) => {
      await saved(register(user, '<sip:a@1.2.3.4>', { lines: [`Allow: ${allow}`] }))
      return lookedUp(user, 'INVITE').rc
    }
    expect(await takesInvite('a', 'ACK, INVITE')).toBe(1)
    expect(await takesInvite('b', 'ACK, BYE')).toBe(-2)
    for (let i = 0; i < 2 * limits.methodListsMax; i++) {
      expect(await takesInvite(`u${i}`, `${i % 2 === 0 ? 'INVITE' : 'BYE'}, X${i}`)).toBe(
        i % 2 === 0 ? 1 : -2,
      )
    }
    expect(await takesInvite('a', 'ACK, BYE')).toBe(-2)
    expect(await takesInvite('b', 'ACK, INVITE')).toBe(1)
  })

  test('registered() and unregister()', async () => {
    const ask = () =>
      edge.call('registered', edge.receives(requestText('INVITE', { uri: 'sip:a@x' })), 'location')
    expect(ask()).toBe(-1)
    await saved(register('a', '<sip:a@1.2.3.4>'))
    expect(ask()).toBe(1)
    expect(edge.call('unregister', register('a', null), 'location', 'sip:a@x')).toBe(1)
    expect(ask()).toBe(-1)
    expect(edge.call('unregister', register('a', null), 'location', 'sip:a@x')).toBe(1)
    expect(edge.call('unregister', register('a', null), 'location', 'sip:a@x', 'uloc-none')).toBe(-2)
  })

  test('$ulc reads what reg_fetch_contacts() fetched', async () => {
    await saved(register('a', '<sip:a@1.2.3.4>;q=0.7'))
    const context = register('a', null)
    expect(edge.call('reg_fetch_contacts', context, 'location', 'sip:a@x', 'c')).toBe(1)
    const read = (attribute: string) => edge.read('ulc', context, `c=>${attribute}`)
    expect([read('count'), read('aor'), read('addr'), read('q'), read('user_agent')]).toEqual([
      1,
      'a',
      'sip:a@1.2.3.4',
      700,
      'n/a',
    ])
    edge.call('reg_free_contacts', context, 'c')
    expect(read('count')).toBeNull()
    expect(edge.call('reg_fetch_contacts', context, 'location', 'sip:nobody@x', 'c')).toBe(-1)
  })
})
