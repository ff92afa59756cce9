import { describe, expect, it } from 'vitest'
import type { ResponseContext } from '../../src/proxy/proxy.ts'
import { createTarget } from '../../src/proxy/target.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import { answer, caller, request, Stand, type StandOptions, scan } from './stand.ts'

const bob = '192.0.2.20:5060'
const carol = '192.0.2.30:5060'
const dave = '192.0.2.40:5060'
const uriOf = (address: string) => `sip:u@${address}`

function forked(
  to: string[],
  options: {
    method?: string
    headers?: string[]
    stand?: StandOptions
    prepare?: (context: ResponseContext) => void
  } = {},
) {
  const stand = new Stand(options.stand)
  const state = stand.relayTo(to.map(uriOf), options.prepare)
  const text = request({ method: options.method ?? 'INVITE', headers: options.headers ?? [] })
  stand.receive(text)
  if (state.context === null) throw new Error('no context')
  return { stand, state, context: state.context, text }
}

const cancelOf = (text: string) =>
  text.replace(/^INVITE/, 'CANCEL').replace('CSeq: 1 INVITE', 'CSeq: 1 CANCEL')

describe('RFC 3261 §16.7: parallel forking', () => {
  it('sends 100 at once, then the request to every target', () => {
    const { stand, state } = forked([bob, carol])
    expect(state.result).toBe(2)
    expect(stand.take()).toEqual([`100 ${caller}`, `INVITE ${bob}`, `INVITE ${carol}`])
  })

  it('step 5: 1xx other than 100 goes upstream, 100 does not', () => {
    const { stand } = forked([bob])
    const invite = stand.lastTo(bob)
    stand.take()
    stand.receive(answer(invite, 100), bob)
    expect(stand.take()).toEqual([])
    stand.receive(answer(invite, 180), bob)
    expect(stand.take()).toEqual([`180 ${caller}`])
  })

  it('step 10: a 2xx goes upstream at once and cancels the others', () => {
    const { stand } = forked([bob, carol])
    const [first, second] = [stand.lastTo(bob), stand.lastTo(carol)]
    stand.receive(answer(second, 180), carol)
    stand.take()
    stand.receive(answer(first, 200), bob)
    expect(stand.take().sort()).toEqual([`200 ${caller}`, `CANCEL ${carol}`])
    expect(stand.proxy.statistics.finalByClass[2]).toBe(1)
  })

  it('step 6: waits for all, then sends the best', () => {
    const { stand } = forked([bob, carol])
    const [first, second] = [stand.lastTo(bob), stand.lastTo(carol)]
    stand.take()
    stand.receive(answer(first, 486), bob)
    expect(stand.take()).toEqual([`ACK ${bob}`])
    stand.receive(answer(second, 404), carol)
    expect(stand.take()).toEqual([`ACK ${carol}`, `404 ${caller}`])
  })

  it('step 5: a 6xx cancels the others but waits for them', () => {
    const { stand, context } = forked([bob, carol])
    const [first, second] = [stand.lastTo(bob), stand.lastTo(carol)]
    stand.receive(answer(second, 180), carol)
    stand.take()
    stand.receive(answer(first, 603), bob)
    expect(stand.take().sort()).toEqual([`ACK ${bob}`, `CANCEL ${carol}`])
    stand.receive(answer(second, 487), carol)
    expect(stand.take()).toEqual([`ACK ${carol}`, `603 ${caller}`])
    expect(context.relay([createTarget(uriOf(dave))], context.request, createEditList())).toBe(-1)
  })

  it('a 503 alone goes upstream as a 500 of ours (step 6)', () => {
    const { stand } = forked([bob], { method: 'MESSAGE' })
    stand.receive(answer(stand.lastTo(bob, 'MESSAGE'), 503, ['X-From: bob']), bob)
    const { text } = stand.sent.at(-1) ?? { text: '' }
    expect(text).toMatch(/^SIP\/2\.0 500 Service Unavailable\r\n/)
    expect(text).not.toContain('X-From')
    expect(text).toMatch(/To: <sip:bob@example.com>;tag=[0-9a-f]{32}-[0-9a-f]{8}\r\n/)
  })

  it('step 7: challenges of two branches become one 401 of ours', () => {
    const { stand } = forked([bob, carol], { method: 'MESSAGE' })
    const [first, second] = [stand.lastTo(bob, 'MESSAGE'), stand.lastTo(carol, 'MESSAGE')]
    stand.receive(answer(first, 407, ['Proxy-Authenticate: Digest realm="a"']), bob)
    stand.receive(answer(second, 401, ['WWW-Authenticate: Digest realm="b"']), carol)
    const { text } = stand.sent.at(-1) ?? { text: '' }
    expect(text).toMatch(/^SIP\/2\.0 401 Unauthorized\r\n/)
    expect(text).toContain('Proxy-Authenticate: Digest realm="a"\r\nWWW-Authenticate: Digest realm="b"\r\n')
  })

  it('every further 2xx to an INVITE is forwarded, also after the final answer (step 5)', () => {
    const { stand } = forked([bob, carol])
    const [first, second] = [stand.lastTo(bob), stand.lastTo(carol)]
    stand.receive(answer(first, 200), bob)
    stand.take()
    stand.receive(answer(first, 200, [], 'other-device'), bob)
    stand.receive(answer(second, 200), carol)
    expect(stand.take()).toEqual([`200 ${caller}`, `200 ${caller}`])
    stand.receive(answer(second, 180), carol)
    expect(stand.take()).toEqual([])
  })

  it('a 2xx after a final failure is still forwarded: the caller has to end that call itself', async () => {
    const { stand, context } = forked([bob])
    const invite = stand.lastTo(bob)
    stand.receive(answer(invite, 180), bob)
    context.reply(480, 'Gone')
    stand.take()
    stand.receive(answer(invite, 200), bob)
    expect(stand.take()).toEqual([`200 ${caller}`])
  })

  it('a non-INVITE gets the first 2xx only', () => {
    const { stand } = forked([bob, carol], { method: 'MESSAGE' })
    const [first, second] = [stand.lastTo(bob, 'MESSAGE'), stand.lastTo(carol, 'MESSAGE')]
    stand.receive(answer(first, 200), bob)
    stand.receive(answer(second, 200), carol)
    expect(stand.take().filter((line) => line.startsWith('200'))).toEqual([`200 ${caller}`])
  })

  it('step 3: a response without a further Via was meant for us, and is not forwarded: 502', () => {
    const { stand } = forked([bob])
    const invite = stand.lastTo(bob)
    stand.take()
    const headless = (status: number) =>
      answer(invite, status).replace(/Via: SIP.*branch=z9hG4bKcaller.*\r\n/, '')
    stand.receive(headless(180), bob)
    expect(stand.take()).toEqual([])
    stand.receive(headless(404), bob)
    expect(stand.take()).toEqual([`ACK ${bob}`, `502 ${caller}`])
  })

  it('no more than twelve branches', () => {
    const many = Array.from({ length: 14 }, (_, i) => `192.0.2.${100 + i}:5060`)
    const { state, stand } = forked(many)
    expect(state.result).toBe(12)
    expect(stand.log.messages('error')).toContain('maximum number of branches exceeded')
  })

  it('a retransmission of the request does not run the script', () => {
    const { stand, text } = forked([bob])
    stand.take()
    stand.receive(text)
    expect(stand.take()).toEqual([`100 ${caller}`])
  })
})

describe('RFC 3261 §16.8: timeouts', () => {
  it('a branch of an INVITE without an answer is a 408, upstream too', async () => {
    const { stand } = forked([bob])
    stand.take()
    await stand.clock.advance(30_100)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 408 Request Timeout\r\n/)
    expect(stand.ends).toMatchObject([{ cause: 'timeout', statusCode: 0, method: 'INVITE' }])
  })

  it('timer C: a ringing branch is cancelled and counts as 408', async () => {
    const { stand } = forked([bob])
    stand.receive(answer(stand.lastTo(bob), 180), bob)
    stand.take()
    await stand.clock.advance(120_100)
    const sent = stand.take()
    expect(sent).toContain(`CANCEL ${bob}`)
    expect(sent).toContain(`408 ${caller}`)
  })

  it('timer C: the callee answered before our CANCEL came: the caller has to end that call itself', async () => {
    const { stand } = forked([bob])
    const invite = stand.lastTo(bob)
    stand.receive(answer(invite, 180), bob)
    await stand.clock.advance(120_100)
    stand.take()
    stand.receive(answer(invite, 200), bob)
    expect(stand.take()).toEqual([`200 ${caller}`])
  })

  it('RFC 3261 §9.1: a 1xx after our CANCEL does not prolong its 64*T1', async () => {
    const { stand } = forked([bob])
    stand.proxy.settings.restartTimerOnEachReply = false
    const invite = stand.lastTo(bob)
    stand.receive(answer(invite, 180), bob)
    stand.receive(cancelOf(request()))
    await stand.clock.advance(20_000)
    stand.receive(answer(invite, 183), bob)
    stand.take()
    await stand.clock.advance(12_100)
    expect(stand.take()).toContain(`487 ${caller}`)
  })

  it('restart_fr_on_each_reply=0: later 1xx do not prolong it', async () => {
    const { stand } = forked([bob], { prepare: (context) => (context.finalResponseInvite = 10_000) })
    stand.proxy.settings.restartTimerOnEachReply = false
    const invite = stand.lastTo(bob)
    stand.receive(answer(invite, 180), bob)
    await stand.clock.advance(6_000)
    stand.receive(answer(invite, 183), bob)
    await stand.clock.advance(4_200)
    expect(stand.take()).toContain(`408 ${caller}`)
  })

  it('max_inv_lifetime ends what keeps ringing', async () => {
    const { stand } = forked([bob], { prepare: (context) => (context.maxLifetime = 20_000) })
    const invite = stand.lastTo(bob)
    for (let i = 0; i < 4; i++) {
      stand.receive(answer(invite, 180 + i), bob)
      await stand.clock.advance(4_900)
    }
    stand.take()
    await stand.clock.advance(600)
    expect(stand.take()).toContain(`408 ${caller}`)
  })

  it('RFC 4320 §4.2: a non-INVITE that timed out gets no 408, and no second script run', async () => {
    const { stand, text, context } = forked([bob], { method: 'MESSAGE' })
    stand.take()
    await stand.clock.advance(30_100)
    expect(stand.take().filter((line) => line.endsWith(caller))).toEqual([])
    expect(context.isAnswered).toBe(true)
    let runs = 0
    stand.script = () => runs++
    stand.receive(text)
    expect(runs).toBe(0)
    await stand.clock.advance(5_100)
    expect(stand.proxy.contextCount).toBe(0)
    expect(stand.transactions.serverCount).toBe(0)
  })

  it('an unreachable host is a 503, hence a 500 upstream', async () => {
    const { stand } = forked([bob])
    stand.transactions.onSendError(stand.flow(bob), 'ECONNREFUSED')
    await stand.clock.advance(20)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 500 Service Unavailable/)
    expect(stand.ends).toMatchObject([{ cause: 'transport' }])
  })
})

describe('RFC 3261 §9, §16.10: CANCEL', () => {
  it('is answered 200 canceling and goes to every ringing branch, its Reason too', () => {
    const { stand, text, context } = forked([bob, carol])
    const [first, second] = [stand.lastTo(bob), stand.lastTo(carol)]
    stand.receive(answer(first, 180), bob)
    stand.receive(answer(second, 183), carol)
    stand.take()
    stand.receive(cancelOf(text).replace('Max-Forwards: 70', 'Max-Forwards: 70\r\nReason: SIP;cause=200'))
    const cancels = stand.sent.filter(({ message }) => message.method === 'CANCEL' && message.isRequest)
    expect(stand.sent[0]?.text).toMatch(/^SIP\/2\.0 200 canceling\r\n/)
    expect(cancels.map(({ to }) => to)).toEqual([bob, carol])
    for (const { message } of cancels) expect(message.value(HeaderId.reason)).toBe('SIP;cause=200')
    expect(context.isCancelled).toBe(true)
    stand.take()
    stand.receive(answer(first, 487), bob)
    stand.receive(answer(second, 487), carol)
    expect(stand.take()).toContain(`487 ${caller}`)
  })

  it('before any provisional answer it waits for one (§9.1)', () => {
    const { stand, text } = forked([bob])
    const invite = stand.lastTo(bob)
    stand.take()
    stand.receive(cancelOf(text))
    expect(stand.take()).toEqual([`200 ${caller}`])
    stand.receive(answer(invite, 180), bob)
    expect(stand.take()).toContain(`CANCEL ${bob}`)
  })

  it('a branch that was cancelled and never answers counts as 487', async () => {
    const { stand, text } = forked([bob])
    stand.receive(cancelOf(text))
    stand.take()
    await stand.clock.advance(33_000)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 487 Request Terminated\r\n/)
  })

  it('crossing a 200: the 200 goes upstream', () => {
    const { stand, text } = forked([bob])
    const invite = stand.lastTo(bob)
    stand.receive(answer(invite, 180), bob)
    stand.receive(cancelOf(text))
    stand.take()
    stand.receive(answer(invite, 200), bob)
    expect(stand.take()).toEqual([`200 ${caller}`])
  })

  it('after the final answer it says so and does nothing', () => {
    const { stand, text } = forked([bob])
    stand.receive(answer(stand.lastTo(bob), 486), bob)
    stand.take()
    stand.receive(cancelOf(text))
    expect(stand.sent.map(({ text: sent }) => sent.split('\r\n')[0])).toEqual([
      'SIP/2.0 200 ok -- no more pending branches',
    ])
  })

  it('no branches can be added afterwards', () => {
    const { stand, text, context } = forked([bob])
    stand.receive(cancelOf(text))
    expect(context.relay([createTarget(uriOf(carol))], context.request, createEditList())).toBe(-487)
  })

  it('before anything was relayed it ends the INVITE with 487', () => {
    const stand = new Stand()
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      if (message.method === 'CANCEL')
        context?.relay([createTarget(message.requestUri)], message, createEditList())
    }
    stand.receive(request())
    stand.receive(cancelOf(request()))
    expect(stand.take()).toEqual([`200 ${caller}`, `487 ${caller}`])
  })

  it('without its INVITE it is relayed like any request', () => {
    const stand = new Stand()
    stand.relayTo([uriOf(bob)])
    stand.receive(cancelOf(request()))
    expect(stand.take()).toEqual([`CANCEL ${bob}`])
  })
})

describe('failure routes: serial forking', () => {
  const failing = (onFailure: (context: ResponseContext) => void, to = [bob]) => {
    const forkedStand = forked(to, { prepare: (context) => (context.failureRoute = 'F') })
    const { stand } = forkedStand
    stand.proxy.handlers = { ...stand.proxy.handlers, onFailure: (context) => onFailure(context) }
    return forkedStand
  }

  it('runs once when all branches are final, with the winner at hand', () => {
    const seen: number[] = []
    const { stand } = failing((context) => seen.push(context.bestStatus), [bob, carol])
    stand.receive(answer(stand.lastTo(bob), 486), bob)
    expect(seen).toEqual([])
    stand.receive(answer(stand.lastTo(carol), 404), carol)
    expect(seen).toEqual([404])
    expect(stand.take()).toContain(`404 ${caller}`)
  })

  it('relays on; the new leg decides', () => {
    const { stand } = failing((context) => {
      context.relay([createTarget(uriOf(carol))], context.request, createEditList())
    })
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    expect(stand.take()).toEqual([`100 ${caller}`, `INVITE ${bob}`, `ACK ${bob}`, `INVITE ${carol}`])
  })

  for (const [mode, winner] of [
    [0, 404],
    [1, 486],
    [2, 486],
    [3, 486],
  ] as const) {
    it(`failure_reply_mode ${mode}: 404 of the first leg and 486 of the second give ${winner}`, () => {
      const { stand } = failing((context) => {
        context.relay([createTarget(uriOf(carol))], context.request, createEditList())
      })
      stand.proxy.settings.failureReplyMode = mode
      stand.receive(answer(stand.lastTo(bob), 404), bob)
      stand.receive(answer(stand.lastTo(carol), 486), carol)
      expect(stand.take().at(-1)).toBe(`${winner} ${caller}`)
    })
  }

  it('its own reply replaces the winner, and no second final answer follows', () => {
    const { stand, context } = failing((failed) => failed.reply(480, 'Mine'))
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 480 Mine/)
    expect(context.reply(500, 'Another')).toBe(false)
    expect(stand.take().filter((line) => line.endsWith(caller))).toEqual([`100 ${caller}`, `480 ${caller}`])
  })

  it('armed again without a new leg it is not run for ever', () => {
    let runs = 0
    const { stand } = failing((context) => {
      runs++
      context.failureRoute = 'F'
    })
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    expect(runs).toBe(1)
    expect(stand.take().at(-1)).toBe(`404 ${caller}`)
  })

  it('armed again with a new leg it runs for that leg too', () => {
    const seen: number[] = []
    const { stand } = failing((context) => {
      seen.push(context.bestStatus)
      if (seen.length > 1) return
      context.failureRoute = 'F'
      context.relay([createTarget(uriOf(carol))], context.request, createEditList())
    })
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    stand.receive(answer(stand.lastTo(carol), 486), carol)
    expect(seen).toEqual([404, 404])
  })

  it('a promise holds everything back until it is fulfilled', async () => {
    const { stand } = forked([bob], { prepare: (context) => (context.failureRoute = 'F') })
    let finish = () => {}
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onFailure: () => new Promise<void>((resolve) => (finish = resolve)),
    }
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    await stand.clock.settle()
    expect(stand.take()).not.toContain(`404 ${caller}`)
    finish()
    await stand.clock.settle()
    expect(stand.take()).toEqual([`404 ${caller}`])
  })

  it('t_drop_replies: what is forgotten cannot win', () => {
    const { stand } = failing((context) => {
      context.relay([createTarget(uriOf(carol))], context.request, createEditList())
      context.dropResponses('all')
    })
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    stand.receive(answer(stand.lastTo(carol), 500), carol)
    expect(stand.take().at(-1)).toBe(`500 ${caller}`)
  })

  it('branch-failure runs for each branch, and may relay', () => {
    const seen: number[] = []
    const { stand } = forked([bob, carol], { prepare: (context) => (context.branchFailureRoute = 'B') })
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onBranchFailure(context, _route, branch) {
        seen.push(branch.status)
        if (seen.length === 2) context.relay([createTarget(uriOf(dave))], context.request, createEditList())
      },
    }
    stand.receive(answer(stand.lastTo(bob), 404), bob)
    stand.receive(answer(stand.lastTo(carol), 480), carol)
    expect(seen).toEqual([404, 480])
    expect(stand.take().at(-1)).toBe(`INVITE ${dave}`)
  })
})

describe('branch and reply routes', () => {
  it('a branch route changes its branch alone', () => {
    const stand = new Stand()
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onBranch(_context, index, target, edits) {
        target.uri = `sip:changed${index}@192.0.2.99`
        edits.appendHeader(`X-Branch: ${index}\r\n`)
        return true
      },
    }
    stand.relayTo([uriOf(bob), uriOf(carol)], (context) => (context.branchRoute = 'B'))
    stand.receive(request())
    const requests = stand.sent.filter(({ message }) => message.isRequest)
    expect(requests.map(({ message }) => message.requestUri)).toEqual([
      'sip:changed0@192.0.2.99',
      'sip:changed1@192.0.2.99',
    ])
    expect(requests.map(({ text }) => text.match(/X-Branch: \d/g))).toEqual([
      ['X-Branch: 0'],
      ['X-Branch: 1'],
    ])
  })

  it('a dropped branch is left out; all dropped is -6 and a 500 (6/TM)', () => {
    const stand = new Stand()
    const drops = new Set([0])
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onBranch: (_c, index, target) => !(drops.has(index) && target.uri === uriOf(bob)),
    }
    const state = stand.relayTo([uriOf(bob), uriOf(carol)], (context) => (context.branchRoute = 'B'))
    stand.receive(request({ callId: 'one', branch: 'z9hG4bKone' }))
    expect(state.result).toBe(1)
    stand.take()
    const alone = stand.relayTo([uriOf(bob)], (context) => (context.branchRoute = 'B'))
    stand.receive(request({ callId: 'two', branch: 'z9hG4bKtwo' }))
    expect(alone.result).toBe(-6)
    expect(stand.sent.at(-1)?.text).toMatch(
      /^SIP\/2\.0 500 I'm terribly sorry, server error occurred \(6\/TM\)\r\n/,
    )
  })

  it('a branch route that waits sends later', async () => {
    const stand = new Stand()
    let decide = (_keep: boolean) => {}
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onBranch: () => new Promise<boolean>((resolve) => (decide = resolve)),
    }
    const state = stand.relayTo([uriOf(bob)], (context) => (context.branchRoute = 'B'))
    stand.receive(request())
    expect(state.result).toBe(1)
    expect(stand.take()).toEqual([`100 ${caller}`])
    decide(true)
    await stand.clock.settle()
    expect(stand.take()).toEqual([`INVITE ${bob}`])
  })

  it('a branch route that drops after waiting fails the branch', async () => {
    const stand = new Stand()
    stand.proxy.handlers = { ...stand.proxy.handlers, onBranch: async () => false }
    stand.relayTo([uriOf(bob)], (context) => (context.branchRoute = 'B'))
    stand.receive(request())
    await stand.clock.settle()
    expect(stand.sent.at(-1)?.text).toContain('(6/TM)')
  })

  it('a reply route edits what goes upstream, and drops a 1xx but no final response', () => {
    const { stand } = forked([bob], { prepare: (context) => (context.replyRoute = 'R') })
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onReply(_context, _branch, response, _flow, edits) {
        edits.appendHeader('X-Seen: yes\r\n')
        return response.statusCode === 180
      },
    }
    const invite = stand.lastTo(bob)
    stand.take()
    stand.receive(answer(invite, 183), bob)
    expect(stand.take()).toEqual([])
    stand.receive(answer(invite, 180), bob)
    expect(stand.sent.at(-1)?.text).toContain('X-Seen: yes\r\n')
    stand.receive(answer(invite, 486), bob)
    const last = stand.sent.at(-1)?.text ?? ''
    expect(last).toMatch(/^SIP\/2\.0 486/)
    expect(last.match(/X-Seen/g)).toHaveLength(1)
  })

  it('a reply route may change the status', () => {
    const { stand } = forked([bob], { prepare: (context) => (context.replyRoute = 'R') })
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onReply(_context, branch) {
        branch.replyStatus = { code: 480, reason: 'Changed' }
        return true
      },
    }
    stand.receive(answer(stand.lastTo(bob), 486), bob)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 480 Changed\r\n/)
  })

  it('responses behind one whose reply route waits keep their order', async () => {
    const { stand } = forked([bob], { prepare: (context) => (context.replyRoute = 'R') })
    const waiting: ((keep: boolean) => void)[] = []
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onReply: () => new Promise<boolean>((resolve) => waiting.push(resolve)),
    }
    const invite = stand.lastTo(bob)
    stand.take()
    stand.receive(answer(invite, 180), bob)
    stand.receive(answer(invite, 200), bob)
    expect(waiting).toHaveLength(1)
    waiting[0]?.(true)
    await stand.clock.settle()
    expect(stand.take()).toEqual([`180 ${caller}`])
    waiting[1]?.(true)
    await stand.clock.settle()
    expect(stand.take()).toEqual([`200 ${caller}`])
  })
})

describe('targets', () => {
  it('a flow is used as it is, from its own socket', () => {
    const stand = new Stand({
      sockets: [
        { address: '192.0.2.1', port: 5060 },
        { address: '192.0.2.1', port: 5080 },
      ],
    })
    const target = createTarget('sip:2000@10.0.0.1')
    target.flow = stand.flow('60.250.149.198:59177', 1)
    stand.relayTo([target])
    stand.receive(request({ method: 'MESSAGE' }))
    expect(stand.sent).toHaveLength(1)
    expect(stand.sent[0]).toMatchObject({ to: '60.250.149.198:59177', socket: 1 })
    expect(stand.sent[0]?.message.requestUri).toBe('sip:2000@10.0.0.1')
    expect(stand.sent[0]?.text).toContain('Via: SIP/2.0/UDP 192.0.2.1:5080;branch=')
  })

  it('T5: to an unproven flow once, and never more octets than it may get', async () => {
    const stand = new Stand()
    const target = createTarget('sip:2000@10.0.0.1')
    target.flow = stand.flow('60.250.149.198:59177')
    target.trust = 'unproven'
    target.bytesMax = 1_000
    stand.relayTo([target])
    stand.receive(request({ method: 'MESSAGE' }))
    await stand.clock.advance(20_000)
    expect(stand.take()).toEqual(['MESSAGE 60.250.149.198:59177'])
    const big = stand.relayTo([{ ...target, bytesMax: 100 }])
    stand.receive(request({ method: 'MESSAGE', callId: 'big', branch: 'z9hG4bKbig' }))
    expect(big.result).toBe(-477)
    expect(stand.take()).toEqual([`477 ${caller}`])
  })

  it('one that cannot be sent to is skipped if another can', () => {
    const stand = new Stand()
    const state = stand.relayTo(['garbage', uriOf(bob), 'sip:u@[2001:db8::1]'])
    stand.receive(request())
    expect(state.result).toBe(1)
    expect(stand.take()).toEqual([`100 ${caller}`, `INVITE ${bob}`])
  })

  const failures: [string, string | null, number, string][] = [
    ['garbage', null, -400, '400 Bad Request (400/TM)'],
    ['sip:bob@example.com', 'garbage', -478, '478 Unresolvable destination (478/TM)'],
    ['sip:u@[2001:db8::1]', null, -7, '500 No Socket for That Transport or Address Family (7/TM)'],
    ['sip:u@192.0.2.5;transport=tcp', null, -7, '500 No Socket for That Transport or Address Family (7/TM)'],
  ]
  for (const [uri, next, code, line] of failures) {
    it(`${uri} by ${next ?? 'itself'} is ${code}, told at the end of the script`, () => {
      const stand = new Stand()
      const target = createTarget(uri)
      target.destinationUri = next
      const state = stand.relayTo([target])
      stand.receive(request({ method: 'MESSAGE' }))
      expect(state.result).toBe(code)
      expect(stand.sent.at(-1)?.text.split('\r\n')[0]).toBe(`SIP/2.0 ${line}`)
    })
  }

  it('a Request-URI that would end the request line is not sent', () => {
    const stand = new Stand()
    const state = stand.relayTo(['sip:u@192.0.2.5 SIP/2.0\r\nX-Injected: 1'])
    stand.receive(request())
    expect(state.result).toBe(-400)
  })

  it('a branch that never left is no end of anything: learn must not drop its flow', async () => {
    const stand = new Stand()
    stand.relayTo([createTarget('sip:bob@host.example')])
    stand.receive(request({ method: 'MESSAGE' }))
    await stand.clock.settle()
    expect(stand.take()).toEqual([`478 ${caller}`])
    expect(stand.ends).toEqual([])
  })

  it('BranchEnd tells the flow that answered', () => {
    const { stand } = forked([bob], { method: 'MESSAGE' })
    stand.receive(answer(stand.lastTo(bob, 'MESSAGE'), 200), bob)
    expect(stand.ends).toMatchObject([
      {
        statusCode: 200,
        cause: 'response',
        responseFlow: { address: '192.0.2.20' },
        flow: { address: '192.0.2.20' },
      },
    ])
  })
})

describe('0010: DNS does not block', () => {
  const named = createTarget('sip:bob@host.example')

  it('relay() returns 1 at once; the request leaves when the address is known', async () => {
    const stand = new Stand({ resolve: async () => [{ address: '192.0.2.20', port: 5060 }] })
    const state = stand.relayTo([named])
    stand.receive(request())
    expect(state.result).toBe(1)
    expect(stand.take()).toEqual([`100 ${caller}`])
    await stand.clock.settle()
    expect(stand.take()).toEqual([`INVITE ${bob}`])
  })

  it('no address: 478, seen by the failure route', async () => {
    const stand = new Stand()
    const seen: number[] = []
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onFailure: (context) => void seen.push(context.bestStatus),
    }
    stand.relayTo([named], (context) => (context.failureRoute = 'F'))
    stand.receive(request({ method: 'MESSAGE' }))
    await stand.clock.settle()
    expect(seen).toEqual([478])
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 478 Unresolvable destination \(478\/TM\)\r\n/)
  })

  it('what the script changed before it went on is in the request, what it changes later is not', async () => {
    const stand = new Stand({ resolve: async () => [{ address: '192.0.2.20', port: 5060 }] })
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      const edits = createEditList()
      edits.appendHeader('X-Before: 1\r\n')
      context?.relay([named], message, edits)
      edits.appendHeader('X-After: 1\r\n')
    }
    stand.receive(request({ method: 'MESSAGE' }))
    await stand.clock.settle()
    expect(stand.sent.at(-1)?.text).toContain('X-Before: 1\r\n')
    expect(stand.sent.at(-1)?.text).not.toContain('X-After')
  })

  it('RFC 3263 §4.3: the next address if one is unreachable', async () => {
    const stand = new Stand({
      resolve: async () => [
        { address: '192.0.2.20', port: 5060 },
        { address: '192.0.2.30', port: 5060 },
      ],
    })
    stand.relayTo([named])
    stand.receive(request({ method: 'MESSAGE' }))
    await stand.clock.settle()
    stand.transactions.onSendError(stand.flow(bob), 'EHOSTUNREACH')
    await stand.clock.advance(20)
    expect(stand.take()).toEqual([`MESSAGE ${bob}`, `MESSAGE ${carol}`])
  })

  const twoAddresses = {
    resolve: async () => [
      { address: '192.0.2.20', port: 5060 },
      { address: '192.0.2.30', port: 5060 },
    ],
  }

  it.each(['INVITE', 'MESSAGE'])(
    'RFC 3263 §4.3: the next address if one answers %s with 503',
    async (method) => {
      const stand = new Stand(twoAddresses)
      stand.relayTo([named])
      stand.receive(request({ method }))
      await stand.clock.settle()
      stand.receive(answer(stand.lastTo(bob, method), 503), bob)
      const next = stand.lastTo(carol, method)
      expect(stand.take().filter((line) => line.startsWith(method))).toHaveLength(2)
      stand.receive(answer(next, 200), carol)
      expect(stand.take()).toEqual([`200 ${caller}`])
    },
  )

  it('RFC 3263 §4.3: the next address if one does not answer at all', async () => {
    const stand = new Stand(twoAddresses)
    stand.relayTo([named], (context) => (context.finalResponse = 3_000))
    stand.receive(request())
    await stand.clock.advance(3_100)
    const next = stand.lastTo(carol)
    stand.take()
    stand.receive(answer(next, 200), carol)
    expect(stand.take()).toEqual([`200 ${caller}`])
  })

  it('no other address for one that rang, or that was cancelled', async () => {
    const stand = new Stand(twoAddresses)
    stand.relayTo([named])
    const text = request()
    stand.receive(text)
    await stand.clock.settle()
    stand.receive(answer(stand.lastTo(bob), 180), bob)
    stand.receive(cancelOf(text))
    stand.receive(answer(stand.lastTo(bob), 503), bob)
    expect(stand.take().filter((line) => line.endsWith(carol))).toEqual([])
  })

  it('cancelled while it waits: nothing leaves', async () => {
    const stand = new Stand({ resolve: async () => [{ address: '192.0.2.20', port: 5060 }] })
    stand.relayTo([named])
    const text = request()
    stand.receive(text)
    stand.receive(cancelOf(text))
    await stand.clock.settle()
    expect(stand.take()).toEqual([`100 ${caller}`, `200 ${caller}`, `487 ${caller}`])
  })
})

describe('a context that the script leaves', () => {
  it('is freed and silent if it did nothing, and the log says so', () => {
    const stand = new Stand()
    stand.script = (message, flow) => stand.proxy.createContext(message, flow, {})?.finishScript()
    stand.receive(request())
    expect(stand.take()).toEqual([])
    expect(stand.proxy.contextCount).toBe(0)
    expect(stand.transactions.serverCount).toBe(0)
    expect(stand.log.messages('warn')).toHaveLength(1)
  })

  it('is freed without a word by t_release', () => {
    const stand = new Stand()
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      context?.release()
      context?.finishScript()
    }
    stand.receive(request())
    expect(stand.log.lines).toEqual([])
    expect(stand.proxy.contextCount).toBe(0)
  })

  it('waits for resume() if it was suspended, and not for ever', async () => {
    const stand = new Stand()
    const continued: string[] = []
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onContinue(context, route) {
        continued.push(route)
        context.reply(200, 'OK')
      },
    }
    const contexts: ResponseContext[] = []
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      context?.suspend()
      context?.finishScript()
      if (context) contexts.push(context)
    }
    stand.receive(request({ method: 'MESSAGE' }))
    expect(contexts[0]?.resume('LATER')).toBe(true)
    expect(contexts[0]?.resume('LATER')).toBe(false)
    expect(continued).toEqual(['LATER'])
    stand.receive(request({ method: 'MESSAGE', branch: 'z9hG4bKother' }))
    stand.take()
    await stand.clock.advance(30_100)
    expect(stand.take()).toEqual([`500 ${caller}`])
  })

  it('suspended again, it has its whole time again', async () => {
    const stand = new Stand()
    stand.proxy.handlers = { ...stand.proxy.handlers, onContinue: (context) => void context.suspend() }
    const contexts: ResponseContext[] = []
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      context?.suspend()
      context?.finishScript()
      if (context) contexts.push(context)
    }
    stand.receive(request({ method: 'MESSAGE' }))
    await stand.clock.advance(20_000)
    contexts[0]?.resume('LATER')
    await stand.clock.advance(20_000)
    expect(stand.take()).toEqual([])
    await stand.clock.advance(10_100)
    expect(stand.take()).toEqual([`500 ${caller}`])
  })

  it('answered, it keeps no timer', () => {
    const stand = new Stand()
    stand.proxy.handlers = {
      ...stand.proxy.handlers,
      onContinue: (context) => void context.reply(200, 'OK'),
    }
    const contexts: ResponseContext[] = []
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      context?.suspend()
      if (context) contexts.push(context)
    }
    stand.receive(request({ method: 'MESSAGE' }))
    contexts[0]?.resume('LATER')
    // Timer J, and nothing else.
    expect(stand.clock.pending).toBe(1)
  })

  it('a full table makes no context', () => {
    const stand = new Stand({ transactionsMax: 1 })
    stand.script = (message, flow) => void stand.proxy.createContext(message, flow, {})
    stand.receive(request())
    expect(stand.proxy.createContext(scan(request({ branch: 'z9hG4bKx' })), stand.flow(), {})).toBeNull()
  })

  it('a replica counts for nothing', async () => {
    const stand = new Stand()
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      context?.replicate(createTarget(uriOf(bob)), message, createEditList())
      context?.reply(200, 'OK')
    }
    stand.receive(request({ method: 'MESSAGE' }))
    const copy = stand.lastTo(bob, 'MESSAGE')
    stand.take()
    stand.receive(answer(copy, 404), bob)
    await stand.clock.advance(40_000)
    expect(stand.take()).toEqual([])
  })
})

describe('RFC 5393', () => {
  it('§4.2: a request that comes back unchanged is a loop: 482', () => {
    const stand = new Stand()
    const us = '192.0.2.1:5060'
    const state = stand.relayTo(['sip:bob@192.0.2.1:5060'])
    stand.receive(request({ method: 'MESSAGE' }))
    for (let i = 0; i < 3 && state.result > 0; i++) stand.receive(stand.lastTo(us, 'MESSAGE').text, us)
    expect(state.result).toBe(-482)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 482 Loop Detected\r\n/)
  })

  it('§4.2: with another Request-URI it is a spiral, and goes on', () => {
    const stand = new Stand()
    const us = '192.0.2.1:5060'
    const state = stand.relayTo(['sip:carol@192.0.2.1:5060'])
    stand.receive(request({ method: 'MESSAGE' }))
    stand.relayTo(['sip:dave@192.0.2.1:5060'])
    stand.receive(stand.lastTo(us, 'MESSAGE').text, us)
    expect(stand.lastTo(us, 'MESSAGE').message.requestUri).toBe('sip:dave@192.0.2.1:5060')
    expect(state.result).toBe(1)
  })

  it('§5.3.3: breadth is shared out among parallel branches, and taken back for serial ones', () => {
    const { stand } = forked([bob, carol], { headers: ['Max-Breadth: 7'] })
    const breadths = stand.sent
      .filter(({ message }) => message.isRequest)
      .map(({ message }) => message.value(HeaderId.maxBreadth))
    expect(breadths).toEqual(['2', '2'])
  })

  it('§5.3.3: too little for all targets is 440', () => {
    const { stand, state } = forked([bob, carol], { headers: ['Max-Breadth: 1'], method: 'MESSAGE' })
    expect(state.result).toBe(-440)
    expect(stand.sent.at(-1)?.text).toMatch(/^SIP\/2\.0 440 Max-Breadth Exceeded\r\n/)
  })

  it('a request that does not fork stays as it was', () => {
    const { stand } = forked([bob])
    expect(stand.lastTo(bob).text).not.toContain('Max-Breadth')
  })

  const flood = (targetsOf: (run: number, depth: number) => string[]) => {
    const stand = new Stand()
    const us = '192.0.2.1:5060'
    let run = 0
    stand.script = (message, flow) => {
      const context = stand.proxy.createContext(message, flow, {})
      run++
      context?.relay(
        targetsOf(run, message.vias().length - 1).map((uri) => createTarget(uri)),
        message,
        createEditList(),
      )
      context?.finishScript()
    }
    stand.receive(request({ method: 'MESSAGE' }))
    for (let i = 0; i < stand.sent.length && i < 5_000; i++) {
      const one = stand.sent[i]
      if (one?.to === us) stand.receive(one.text, us)
    }
    return stand.sent.filter(({ message }) => message.isRequest).length
  }

  it('case 26: two contacts that point back at us are a loop after two rounds', () => {
    expect(flood(() => ['sip:bob@192.0.2.1', 'sip:carol@192.0.2.1'])).toBeLessThanOrEqual(20)
  })

  it.each([
    ['doubles', [2]],
    ['trebles', [3]],
    ['grows by five', [5]],
    ['trebles, then doubles', [3, 2, 2, 2, 2, 2]],
    ['doubles, then trebles', [2, 3]],
    ['goes on alone and doubles now and then', [1, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]],
  ])(
    'case 26: a spiral with new URIs each time that %s ends by Max-Breadth: 60 forked branches at most',
    (_, growth) => {
      let leaves = 0
      const sent = flood((run, depth) => {
        const count = growth[depth % growth.length] ?? 2
        if (count === 1) leaves++
        return Array.from({ length: count }, (__, i) => `sip:${run}-${i}@192.0.2.1`)
      })
      expect(sent - leaves).toBeGreaterThan(10)
      expect(sent - leaves).toBeLessThanOrEqual(60)
    },
  )
})
