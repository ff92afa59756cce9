import { describe, expect, it } from 'vitest'
import type { ResponseContext } from '../../src/proxy/proxy.ts'
import { answer, caller, request, Stand, scan } from './stand.ts'

/**
 * An INVITE that was answered with 2xx, for 64*T1: its context, its request and its transactions are gone, and it does
 * what RFC 6026 §7 asks for all the same.
 */
const bob = '192.0.2.20:5060'
const carol = '192.0.2.30:5060'

const nothing = { contexts: 0, servers: 0, clients: 0 }

function live({ proxy, transactions }: Stand) {
  return {
    contexts: proxy.contextCount,
    servers: transactions.serverCount,
    clients: transactions.clientCount,
  }
}

function answered(to = [bob], prepare?: (context: ResponseContext) => void) {
  const stand = new Stand()
  stand.relayTo(
    to.map((address) => `sip:u@${address}`),
    prepare,
  )
  const text = request()
  stand.receive(text)
  const invites = to.map((address) => stand.lastTo(address))
  const [first] = invites
  if (first === undefined) throw new Error('no INVITE left')
  stand.receive(answer(first, 180), bob)
  stand.receive(answer(first, 200), bob)
  return { stand, text, first, invites }
}

const ofMethod = (text: string, method: string) =>
  text.replace(/^INVITE/, method).replace('CSeq: 1 INVITE', `CSeq: 1 ${method}`)
const ackOf = (text: string) =>
  ofMethod(text, 'ACK')
    .replace('z9hG4bKcaller', 'z9hG4bKack')
    .replace(/^To:.*$/m, '$&;tag=uas')

describe('an INVITE that was answered with 2xx', () => {
  it('leaves no context and no transaction behind', () => {
    const { stand } = answered()
    expect(live(stand)).toEqual(nothing)
    expect(stand.transactions.answeredCount).toBe(1)
    expect(stand.proxy.statistics).toMatchObject({ created: 1, freed: 1 })
  })

  it('and has nothing left after 64*T1', async () => {
    const { stand, text } = answered()
    await stand.clock.advance(31_900)
    let runs = 0
    stand.script = () => runs++
    stand.receive(text)
    expect(runs).toBe(0)
    await stand.clock.advance(1_100)
    stand.receive(text)
    expect([runs, stand.transactions.answeredCount]).toEqual([1, 0])
    await stand.clock.advance(2_000)
    expect(stand.clock.pending).toBe(0)
  })

  it('RFC 6026 §7.1: INVITEs that come again are swallowed', () => {
    const { stand, text } = answered()
    stand.take()
    let runs = 0
    stand.script = () => runs++
    for (let i = 0; i < 10; i++) stand.receive(text)
    expect([runs, stand.take()]).toEqual([0, []])
  })

  it('RFC 6026 §7.2: every further 2xx goes to the caller without our Via, and nothing else does', () => {
    const { stand, first } = answered()
    stand.take()
    stand.receive(answer(first, 200, ['X-Again: yes']), bob)
    const [again] = stand.sent.slice(-1)
    expect(again?.text).toContain('X-Again: yes')
    expect(again?.message.vias().map(({ branch }) => branch)).toEqual(['z9hG4bKcaller'])
    stand.receive(answer(first, 200, [], 'another'), carol)
    expect(stand.take()).toEqual([`200 ${caller}`, `200 ${caller}`])
    for (const status of [100, 180, 302, 486, 603]) stand.receive(answer(first, status), bob)
    expect(stand.take()).toEqual([])
  })

  it('a 2xx that nobody but us is meant by goes nowhere', () => {
    const { stand, first } = answered()
    stand.take()
    const ours = answer(first, 200)
      .split('\r\n')
      .filter((line) => !line.includes('z9hG4bKcaller'))
    stand.receive(ours.join('\r\n'), bob)
    expect(stand.take()).toEqual([])
  })

  it('who does not know the branch gets nothing forwarded (security)', () => {
    const { stand, first } = answered()
    stand.take()
    const branch = first.message.topmostVia?.branch ?? ''
    const guessed = branch.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
    stand.receive(answer(first, 200).replace(branch, guessed), bob)
    expect(stand.take()).toEqual([])
  })

  it('its ACK and its responses are known, those of others are not', async () => {
    const { stand, text, first } = answered()
    const ack = ackOf(text)
    const isKnown = (one: string) => stand.proxy.findContext(scan(one)) !== null
    expect(isKnown(ack)).toBe(true)
    expect(isKnown(ack.replace('call-1', 'call-2'))).toBe(false)
    expect(isKnown(ack.replace('tag=ft', 'tag=x'))).toBe(false)
    expect(stand.proxy.knowsResponse(scan(answer(first, 200)))).toBe(true)
    expect(stand.proxy.knowsResponse(scan(answer(text, 200)))).toBe(false)
    await stand.clock.advance(32_000)
    expect(isKnown(ack)).toBe(false)
    expect(stand.proxy.knowsResponse(scan(answer(first, 200)))).toBe(false)
  })

  it('a CANCEL that comes too late is answered and goes no further', () => {
    const { stand, text } = answered()
    const cancel = ofMethod(text, 'CANCEL')
    const invite = stand.proxy.findContext(scan(cancel))
    expect([invite?.isAnswered, invite?.bestStatus]).toEqual([true, 200])
    expect([invite?.server.method, invite?.request.callId]).toEqual(['INVITE', 'call-1'])
    expect(invite?.reply(486, 'Busy Here')).toBe(false)
    stand.take()
    stand.receive(cancel)
    expect(stand.sent.map(({ message }) => message.reasonPhrase)).toEqual(['ok -- no more pending branches'])
    stand.receive(cancel.replace('call-1', 'call-2'))
    expect(stand.take()).toContain(`CANCEL ${bob}`)
  })

  it('waits for the branches that are still open, and forwards what they answer', async () => {
    const { stand, invites } = answered([bob, carol])
    const [first, second] = invites
    if (first === undefined || second === undefined) throw new Error('two INVITEs')
    expect(live(stand)).toMatchObject({ contexts: 1, servers: 1 })
    stand.receive(answer(second, 180), carol)
    expect(stand.take()).toContain(`CANCEL ${carol}`)
    stand.receive(answer(second, 487), carol)
    expect(live(stand)).toMatchObject({ contexts: 0, servers: 0 })
    stand.take()
    // RFC 3261 §16.7 step 5: a 2xx goes upstream whatever went before it.
    stand.receive(answer(second, 200), carol)
    stand.receive(answer(first, 200), bob)
    expect(stand.take()).toEqual([`200 ${caller}`, `200 ${caller}`])
    await stand.clock.advance(40_000)
    expect(live(stand)).toEqual(nothing)
    expect(stand.clock.pending).toBe(0)
  })

  it('stays whole where a reply route wants to see every 2xx', () => {
    const { stand, first } = answered([bob], (context) => {
      context.replyRoute = 'R'
    })
    const seen: number[] = []
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onReply: (_context, _branch, { statusCode }) => {
        seen.push(statusCode)
        return true
      },
    }
    expect(live(stand)).toEqual({ contexts: 1, servers: 1, clients: 1 })
    stand.receive(answer(first, 200), bob)
    expect(seen).toEqual([200])
  })

  it('by the script itself leaves nothing behind either', () => {
    const stand = new Stand()
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      expect(context?.reply(200, 'OK')).toBe(true)
      expect(context?.reply(486, 'Busy Here')).toBe(false)
      context?.finishScript()
    }
    stand.receive(request())
    expect(stand.take()).toEqual([`200 ${caller}`])
    expect(live(stand)).toEqual(nothing)
    stand.receive(request())
    expect(stand.take()).toEqual([])
  })
})
