import { describe, expect } from 'vitest'
import { type Agent, ladder } from '../../src/testing/index.ts'
import { telephones } from '../ladders/telephones.ts'

/** Passwords against routes/registrar.cfg: rows 10, 11, 16 and 18 of the list of attacks. */
const registrar = 'routes/registrar.cfg'

async function guesses(agent: Agent, password: string): Promise<void> {
  await agent.sends('REGISTER sip:192.0.2.1', { headers: aliceAs(agent) })
  await agent.receives(401)
  await agent.authenticates({ username: 'alice', password })
}

const aliceAs = (agent: Agent) => ({
  From: '<sip:alice@192.0.2.1>;tag=1',
  To: '<sip:alice@192.0.2.1>',
  Contact: `<${agent.contact}>`,
})

describe('row 18: guessing', () => {
  ladder(
    'ten wrong passwords: from there not even the right one, from elsewhere nobody notices',
    registrar,
    telephones(),
    async ({ dave, alice, advance }) => {
      for (let i = 0; i < 10; i++) {
        await guesses(dave, `guess ${i}`)
        await dave.receives(401)
      }
      await guesses(dave, 'wonderland')
      await dave.receives(401)
      await alice.registers()
      await advance(301_000)
      await guesses(dave, 'wonderland')
      await dave.receives(200)
    },
  )
})

describe('rows 10 and 11: a REGISTER that somebody has recorded', () => {
  for (const [what, change] of [
    ['as it was', (text: string) => text],
    ['with another branch', (text: string) => text.replace(/branch=[^;\r]+/, 'branch=z9hG4bKreplay')],
    [
      'with a Contact of the thief',
      (text: string) =>
        text
          .replace(/branch=[^;\r]+/, 'branch=z9hG4bKreplay')
          .replace(/Contact: .*\r\n/, 'Contact: <sip:thief@203.0.113.9>\r\n')
          .replace(/CSeq: \d+/, 'CSeq: 99'),
    ],
  ] as const) {
    ladder(`${what}: binds nothing at the thief's address`, registrar, telephones(), async (cast) => {
      const { alice, dave, bob, network, advance } = cast
      await alice.registers()
      const recorded = network.captured.findLast(
        ({ text }) => text.startsWith('REGISTER') && text.includes('Authorization:'),
      )
      await dave.sendsText(change(recorded?.text ?? ''))
      await advance(5_000)
      expect(dave.inbox.every(({ statusCode }) => statusCode === 401 || statusCode === 0)).toBe(true)
      await bob.sends('MESSAGE sip:alice@192.0.2.1')
      await bob.receives(407)
      await bob.authenticates()
      await alice.receives('MESSAGE')
      expect(network.captured.some(({ to }) => to.address === '203.0.113.9')).toBe(false)
    })
  }
})

describe('row 16: an answer for another request', () => {
  ladder('is refused', registrar, telephones(), async ({ alice, network, advance }) => {
    await alice.sends('REGISTER sip:192.0.2.1')
    await alice.receives(401)
    const before = network.captured.length
    await alice.authenticates()
    await advance(10)
    const right = network.captured.slice(before).find(({ text }) => text.startsWith('REGISTER'))?.text ?? ''
    await alice.receives(200)
    await alice.sendsText(
      right
        .replace(/^REGISTER/, 'MESSAGE')
        .replace(/CSeq: \d+ REGISTER/, 'CSeq: 77 MESSAGE')
        .replace('Authorization:', 'Proxy-Authorization:')
        .replace('sip:192.0.2.1 SIP', 'sip:bob@192.0.2.1 SIP')
        .replace(/branch=[^;\r]+/, 'branch=z9hG4bKother'),
    )
    await advance(5_000)
    expect(alice.inbox.at(-1)?.statusCode).toBeGreaterThanOrEqual(400)
    expect(alice.inbox.at(-1)?.statusCode).toBeLessThan(408)
  })
})
