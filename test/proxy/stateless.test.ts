import { describe, expect, it } from 'vitest'
import { createTarget } from '../../src/proxy/target.ts'
import { SipHash } from '../../src/runtime/sip-hash.ts'
import { createEditList } from '../../src/sip/edit.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import type { Identity } from '../../src/sip/scan-record.ts'
import { answer, caller, request, Stand } from './stand.ts'

const bob = '192.0.2.20:5060'

function replying(status = 404, stand = new Stand()) {
  stand.script = (message, flow) => stand.proxy.stateless.reply(message, flow, status, 'Reason')
  return stand
}

function forwarding(stand = new Stand(), forceRport = false) {
  stand.script = (message, flow) => {
    stand.proxy.stateless.forwardRequest(
      message,
      flow,
      createTarget('sip:bob@192.0.2.20'),
      createEditList(),
      { forceRport },
    )
  }
  return stand
}

const telling = (tell: (identity: Identity) => void) => (into: Identity) => {
  tell(into)
  return true
}

/** As sip/scan-record.ts defines it. */
function identityOf(branch = '', message?: SipMessage, key: Uint8Array = new Uint8Array(16)): Identity {
  const { callId = '', cseq = null } = message ?? {}
  const hash = new SipHash(key)
  hash.start()
  hash.word(cseq?.number ?? -1)
  hash.word((branch.length << 16) | callId.length)
  for (const text of [branch, callId]) {
    hash.text(text)
    hash.pad()
  }
  hash.finish()
  return { low: hash.low, high: hash.high }
}

const toTag = (text: string) => text.match(/^To:.*;tag=(.*)\r$/m)?.[1] ?? ''

describe('stateless answers', () => {
  it('have the headers in Kamailio\u2019s order, the Server line last before Content-Length', () => {
    const stand = replying(200)
    stand.proxy.settings.serverHeader = 'Server: viaduct'
    stand.receive(
      request({ method: 'OPTIONS', via: 'Via: SIP/2.0/UDP 192.0.2.10:5070;rport;branch=z9hG4bKa' }),
    )
    expect(stand.sent[0]?.text.split('\r\n').map((line) => line.split(/[: ]/)[0])).toEqual([
      'SIP/2.0',
      'Via',
      'From',
      'To',
      'Call-ID',
      'CSeq',
      'Server',
      'Content-Length',
      '',
      '',
    ])
    expect(stand.sent[0]?.text).toContain(
      'Via: SIP/2.0/UDP 192.0.2.10:5070;rport=5070;branch=z9hG4bKa;received=192.0.2.10\r\n',
    )
  })

  it('to the same request always carry the same To-tag, across restarts too', () => {
    const stand = replying()
    stand.receive(request())
    stand.receive(request())
    stand.receive(request({ branch: 'z9hG4bKother' }))
    const again = replying()
    again.receive(request())
    const [first, second, other] = stand.sent.map(({ text }) => toTag(text))
    expect(first).toMatch(/^[0-9a-f]{32}\.[0-9a-f]{8}$/)
    expect(second).toBe(first)
    expect(other).not.toBe(first)
    expect(toTag(again.sent[0]?.text ?? '')).toBe(first)
  })

  it('leave a To-tag that is there, and give none to 100', () => {
    const stand = replying(404)
    stand.receive(request({ toTag: 'theirs' }))
    expect(toTag(stand.sent[0]?.text ?? '')).toBe('theirs')
    const trying = replying(100)
    trying.receive(request())
    expect(toTag(trying.sent[0]?.text ?? '')).toBe('')
  })

  it('the ACK that brings the tag back is swallowed; another is not', () => {
    const stand = replying()
    stand.receive(request())
    let runs = 0
    stand.script = () => runs++
    const tag = toTag(stand.sent[0]?.text ?? '')
    stand.receive(request({ method: 'ACK', toTag: tag }))
    expect(runs).toBe(0)
    expect(stand.proxy.statistics.statelessAcks).toBe(1)
    stand.receive(request({ method: 'ACK', toTag: 'somebody' }))
    expect(runs).toBe(1)
  })

  it('an ACK is never answered', () => {
    const stand = replying()
    stand.receive(request({ method: 'ACK' }))
    expect(stand.take()).toEqual([])
  })

  it('case 30: go to the packet\u2019s source, whatever Via and maddr say', () => {
    const stand = replying()
    stand.receive(
      request({
        via: 'Via: SIP/2.0/UDP 198.51.100.9:9;maddr=198.51.100.8;received=198.51.100.7;rport=1;branch=z9hG4bKa',
      }),
    )
    expect(stand.sent[0]?.to).toBe(caller)
  })

  it('force_rport: to the source port even if the Via names another', () => {
    const stand = new Stand()
    stand.script = (message, flow) =>
      stand.proxy.stateless.reply(message, flow, 200, 'OK', { forceRport: true })
    stand.receive(
      request({ method: 'MESSAGE', via: 'Via: SIP/2.0/UDP 10.92.240.131:5060;branch=z9hG4bKa' }),
      '60.250.149.198:59177',
    )
    expect(stand.sent[0]?.to).toBe('60.250.149.198:59177')
  })
})

describe('RFC 3261 §16.11: stateless forwarding', () => {
  it('the same request gets the same branch', () => {
    const stand = forwarding()
    stand.receive(request({ method: 'OPTIONS' }))
    stand.receive(request({ method: 'OPTIONS' }))
    const [first, second] = stand.sent
    expect(first?.to).toBe(bob)
    expect(first?.text).toBe(second?.text)
    expect(first?.message.topmostVia?.branch).toMatch(/^z9hG4bK.*\.0$/)
  })

  it('asks the transport once to identify requests, and goes by what it finds', () => {
    const keys: Uint8Array[] = []
    const stand = forwarding(new Stand({ identifyBy: (key) => keys.push(key) }))
    stand.receive(request({ method: 'OPTIONS' }))
    stand.receive(request({ method: 'OPTIONS' }))
    expect(keys.map(({ length }) => length)).toEqual([16])
    const branchOf = (tell: (identity: Identity) => void) => {
      const forward = stand.script
      stand.script = (message, flow) => forward(Object.assign(message, { readIdentity: telling(tell) }), flow)
      stand.receive(request({ method: 'OPTIONS' }))
      stand.script = forward
      return stand.sent.at(-1)?.message.topmostVia?.branch
    }
    const read = stand.sent[0]?.message
    const own = branchOf((identity) =>
      Object.assign(identity, identityOf(read?.vias()[1]?.branch, read, keys[0])),
    )
    expect(own).toBe(read?.topmostVia?.branch)
    expect(branchOf((identity) => Object.assign(identity, { low: 1, high: 2 }))).not.toBe(own)
  })

  it('its response goes back to where it came from, without our Via', () => {
    const stand = forwarding(new Stand(), true)
    stand.receive(request({ method: 'OPTIONS' }), '203.0.113.5:40000')
    const sent = stand.sent[0]?.text ?? ''
    stand.receive(answer(sent, 200), bob)
    expect(stand.sent[1]?.to).toBe('203.0.113.5:40000')
    expect(stand.sent[1]?.message.vias()).toHaveLength(1)
  })

  it('through the socket that the request came in at', () => {
    const stand = forwarding(
      new Stand({
        sockets: [
          { address: '192.0.2.1', port: 5060 },
          { address: '192.0.2.1', port: 5080 },
        ],
      }),
    )
    stand.receive(request({ method: 'OPTIONS' }), caller, 1)
    stand.receive(answer(stand.sent[0]?.text ?? '', 200), bob, 0)
    expect(stand.sent[1]).toMatchObject({ to: caller, socket: 1 })
  })

  it('another worker with the same key forwards it as well, one with another key does not', () => {
    const stand = forwarding()
    stand.receive(request({ method: 'OPTIONS' }))
    const response = answer(stand.sent[0]?.text ?? '', 200)
    const sibling = new Stand()
    sibling.receive(response, bob)
    expect(sibling.take()).toEqual([`200 ${caller}`])
  })

  describe('case 25: a stray response is dropped', () => {
    const stray = (via: string) =>
      `SIP/2.0 200 OK\r\n${via}\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKvictim\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`

    for (const branch of [
      'z9hG4bKguess',
      'z9hG4bKs0.0000000000000000.0.0',
      'z9hG4bKs0.00000000000000000000000000000000.0',
      'z9hG4bKs9.x.0',
      'z9hG4bKs',
      '',
    ]) {
      it(`branch '${branch}'`, () => {
        const stand = new Stand()
        stand.receive(stray(`Via: SIP/2.0/UDP 192.0.2.1:5060;branch=${branch}`), '203.0.113.66:5060')
        expect(stand.take()).toEqual([])
      })
    }

    it('with a branch of ours and the second Via of somebody else', () => {
      const stand = forwarding()
      stand.receive(request({ method: 'OPTIONS' }))
      const sent = stand.sent[0]?.text ?? ''
      stand.take()
      stand.receive(answer(sent, 200).replace('192.0.2.10:5070', '198.51.100.1:5070'), bob)
      stand.receive(answer(sent, 200).replace('192.0.2.10:5070', '192.0.2.10:5071'), bob)
      stand.receive(answer(sent, 200).replace('z9hG4bKcaller', 'z9hG4bKother'), bob)
      expect(stand.take()).toEqual([])
    })
  })

  it.each([...Array(16).keys()])('case 25: a branch with another digit at place %i is not ours', (place) => {
    const stand = forwarding()
    stand.receive(request({ method: 'OPTIONS' }))
    const sent = stand.sent[0]?.text ?? ''
    stand.take()
    const [whole = '', digits = ''] = /z9hG4bKs0\.([0-9a-f]{16})/.exec(sent) ?? []
    const other = digits[place] === '0' ? '1' : '0'
    const forged = `z9hG4bKs0.${digits.slice(0, place)}${other}${digits.slice(place + 1)}`
    stand.receive(answer(sent.replace(whole, forged), 200), bob)
    expect(stand.take()).toEqual([])
    stand.receive(answer(sent, 200), bob)
    expect(stand.take()).toEqual([`200 ${caller}`])
  })

  it('a host name is looked up without waiting; the ACK leaves later', async () => {
    const stand = new Stand({ resolve: async () => [{ address: '192.0.2.20', port: 5060 }] })
    stand.script = (message, flow) => {
      const result = stand.proxy.stateless.forwardRequest(
        message,
        flow,
        createTarget('sip:bob@host.example'),
        createEditList(),
      )
      expect(result).toBe(1)
    }
    stand.receive(request({ method: 'ACK', toTag: 'x' }))
    expect(stand.take()).toEqual([])
    await stand.clock.settle()
    expect(stand.take()).toEqual([`ACK ${bob}`])
  })

  it('a loop is found here too', () => {
    const stand = new Stand()
    const results: number[] = []
    stand.script = (message, flow) => {
      results.push(
        stand.proxy.stateless.forwardRequest(
          message,
          flow,
          createTarget('sip:bob@192.0.2.1'),
          createEditList(),
        ),
      )
    }
    stand.receive(request({ method: 'OPTIONS' }))
    for (let i = 0; i < 20; i++) {
      const last = stand.sent.at(-1)
      if (last?.to === '192.0.2.1:5060' && results.at(-1) === 1) stand.receive(last.text, '192.0.2.1:5060')
    }
    expect(results.at(-1)).toBe(-482)
    expect(results.length).toBeLessThan(5)
  })
})

describe('requests of our own', () => {
  const own = (onResponse: (status: number) => void, stateful = true) => ({
    method: 'OPTIONS',
    target: createTarget('sip:bob@192.0.2.20'),
    from: '<sip:router@192.0.2.1>;tag=r',
    to: '<sip:bob@192.0.2.20>',
    stateful,
    onResponse,
  })

  it('are answered or time out, once', async () => {
    const stand = new Stand()
    const seen: number[] = []
    stand.proxy.sendRequest(own((status) => seen.push(status)))
    const sent = stand.lastTo(bob, 'OPTIONS')
    expect(sent.message.value(7)).toBe('70')
    stand.receive(answer(sent, 100), bob)
    stand.receive(answer(sent, 200), bob)
    expect(seen).toEqual([200])
    stand.proxy.sendRequest(own((status) => seen.push(status)))
    await stand.clock.advance(33_000)
    expect(seen).toEqual([200, 408])
    expect(stand.ends.map(({ cause, context }) => [cause, context])).toEqual([
      ['response', null],
      ['timeout', null],
    ])
  })

  it('without a transaction they are sent once', async () => {
    const stand = new Stand()
    stand.proxy.sendRequest(own(() => {}, false))
    await stand.clock.advance(10_000)
    expect(stand.take()).toEqual([`OPTIONS ${bob}`])
  })

  it('with nowhere to go they fail with 503', () => {
    const stand = new Stand()
    const seen: number[] = []
    stand.proxy.sendRequest({ ...own((status) => seen.push(status)), target: createTarget('garbage') })
    expect(seen).toEqual([503])
  })
})

it('an answer to an ACK is not forwarded: there is no such thing (RFC 3261 §17)', () => {
  const stand = forwarding()
  stand.receive(request({ method: 'ACK', toTag: 'uas' }))
  const [ack] = stand.sent
  if (ack === undefined) throw new Error('the ACK was not forwarded')
  stand.take()
  stand.receive(answer(ack, 200), bob)
  expect(stand.take()).toEqual([])
})

describe('the branch of a request that is forwarded statelessly', () => {
  const branchOut = (stand: Stand) => stand.sent.at(-1)?.message.topmostVia?.branch

  it.each([
    ['a retransmission', { method: 'INVITE' }],
    ['the CANCEL', { method: 'CANCEL' }],
    ['the ACK to a failure, whose To has the tag of the answer', { method: 'ACK', toTag: 'uas' }],
  ])('is the same for %s: RFC 3261 §16.11', (_, parts) => {
    const stand = forwarding()
    stand.receive(request())
    const invite = branchOut(stand)
    stand.receive(request(parts))
    expect(branchOut(stand)).toBe(invite)
  })

  it('is another for another transaction', () => {
    const stand = forwarding()
    stand.receive(request())
    const invite = branchOut(stand)
    stand.receive(request({ branch: 'z9hG4bKother' }))
    expect(branchOut(stand)).not.toBe(invite)
  })
})
