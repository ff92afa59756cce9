import { resolve } from 'node:path'
import { describe, expect } from 'vitest'
import { type Agent, ladder, type Received, type SendOptions } from '../../src/testing/index.ts'
import { carrierAddress, carrierPort, founding, reaches, routerAddress, writes } from './founding.ts'

/**
 * Third-party registration: the server (1000) registers the device (2000). RFC 3261 §10.3 step 3, docs/learning.md.
 *
 * The carrier's prefix is another one here, so that nothing is learned: where a device is reached, it is reached
 * because somebody registered it.
 */
const gsm = 'routes/gsm.cfg'
const users = { USERS: resolve('test/ladders/users.txt') }
const unlearned = { CARRIER: '198.18.0.0/15', ...users }
const seen = `<sip:2000@${carrierAddress}:${carrierPort}>`

/** The device says something, is not believed, and is seen all the same. */
async function isSeen(device: Agent): Promise<void> {
  await device.sends(`MESSAGE sip:1000@${routerAddress}`, { body: 'position 25.03 121.56' })
  await device.receives(407)
}

/** REGISTER for somebody else, with the credentials of the agent: the answer after the challenge. */
async function registersFor(
  agent: Agent,
  user: string,
  contact: string,
  { headers = {}, code }: SendOptions & { code: number | string },
): Promise<Received> {
  await agent.sends(`REGISTER sip:${routerAddress}`, {
    headers: { To: `<sip:${user}@${routerAddress}>`, Contact: contact, ...headers },
  })
  await agent.receives(401)
  await agent.authenticates()
  return await agent.receives(code)
}

describe('the policy allows it', () => {
  ladder(
    '200 at the first answer, and the device is reached where it was seen',
    gsm,
    founding(unlearned),
    async ({ device, server, log }) => {
      await isSeen(device)
      const ok = await registersFor(server, '2000', seen, { code: 200 })
      expect(ok.header('Contact')).toMatch(/^<sip:2000@60\.250\.149\.198:59177>;expires=300$/)
      await reaches(server, device, 'through the pinhole')
      expect(log.messages('info')).toContainEqual(expect.stringMatching(/1000 at .* registers 2000: allowed/))
    },
  )

  ladder(
    "its own source never becomes the device's location",
    gsm,
    founding(unlearned),
    async ({ device, server, network }) => {
      await isSeen(device)
      await registersFor(server, '2000', seen, { code: 200 })
      await writes(server, 'to the device')
      await device.receives('MESSAGE')
      const sent = network.captured.findLast(({ text }) => text.startsWith('MESSAGE sip:2000@'))
      expect(sent).toMatchObject({
        from: { address: routerAddress, port: 5060 },
        to: { address: carrierAddress, port: carrierPort },
        toHost: 'device',
      })
    },
  )

  ladder(
    "a contact at the router's own name stands for wherever the device is",
    gsm,
    founding(unlearned),
    async ({ device, server }) => {
      await isSeen(device)
      await registersFor(server, '2000', `<sip:2000@${routerAddress}>`, { code: 200 })
      await reaches(server, device, 'wherever you are')
    },
  )

  ladder(
    'the pinhole closes whatever lifetime was granted: 202, nothing is sent',
    gsm,
    founding(unlearned),
    async ({ device, server, advance }) => {
      await isSeen(device)
      await registersFor(server, '2000', seen, { code: 200 })
      await advance(60_000)
      await writes(server, 'too late')
      await server.receives(202)
      await device.receivesNothing()
    },
  )

  ladder(
    'a rule with wildcards and any address: it is sent there, without a flow to stand for it',
    gsm,
    founding({
      ...unlearned,
      DELEGATE: '1000 2* contact=any max=2',
    }),
    async ({ server, agent }) => {
      const pbx = agent('pbx', { user: '2999', address: '192.0.2.99' })
      await registersFor(server, '2999', '<sip:2999@192.0.2.99:5060>', { code: 200 })
      await reaches(server, pbx, 'wherever it was told')
    },
  )

  ladder(
    'a delegated binding counts more than a learned one, and less than a registration',
    gsm,
    founding({
      ...users,
      DELEGATE: '1000 1???,2??? contact=any max=2',
    }),
    async ({ device, server, agent }) => {
      const pbx = agent('pbx', { user: '2000', address: '192.0.2.99' })
      await speaks1000(device)
      await registersFor(server, '2000', '<sip:2000@192.0.2.99:5060>', { code: 200 })
      await reaches(server, pbx, 'the delegated one')
      expect(device.unexpected).toEqual([])
      const other = agent('other', { user: '1001', address: '192.0.2.98', password: 'other' })
      await other.registers()
      await registersFor(server, '1001', '<sip:1001@192.0.2.99:5060>', { code: 200 })
      await reaches(server, other, 'the registered one')
    },
  )

  async function speaks1000(device: Agent): Promise<void> {
    await device.sends(`MESSAGE sip:1000@${routerAddress}`)
    await device.receives(404)
  }
})

describe('the policy refuses it: one 403 with a reason, never a second 401', () => {
  const cases: [title: string, user: string, contact: string, reason: string][] = [
    ['a user of no rule', '1002', seen, 'Third-Party Registration Not Allowed'],
    [
      'a contact that is no flow of that user',
      '2000',
      '<sip:2000@203.0.113.66:5060>',
      'Contact Is No Flow Of That User',
    ],
    [
      'the delegate as the contact',
      '2000',
      '<sip:1000@50.170.158.150:5060>',
      'Contact Is No Flow Of That User',
    ],
    [
      'a port that nobody spoke from',
      '2000',
      `<sip:2000@${carrierAddress}:1>`,
      'Contact Is No Flow Of That User',
    ],
    ['a flow of another device', '2001', seen, 'Contact Is No Flow Of That User'],
    ['the wipe of all bindings', '2000', '*', 'Removal By A Third Party Not Allowed'],
  ]
  for (const [title, user, contact, reason] of cases) {
    ladder(title, gsm, founding(unlearned), async ({ device, server, log }) => {
      await isSeen(device)
      const headers = contact === '*' ? { Expires: '0' } : {}
      const refusal = await registersFor(server, user, contact, { code: `403 ${reason}`, headers })
      expect(refusal.headers('WWW-Authenticate')).toEqual([])
      await server.receivesNothing()
      expect(log.messages('warn')).toContainEqual(
        expect.stringMatching(
          new RegExp(`1000 at 50\\.170\\.158\\.150:5060 registers ${user}: refused, ${reason}`),
        ),
      )
      await writes(server, 'hello?', user)
      await server.receives(404)
      expect(device.unexpected).toEqual([])
    })
  }

  ladder(
    'longer ago than the pinhole lives: seen no more',
    gsm,
    founding(unlearned),
    async ({ device, server, advance }) => {
      await isSeen(device)
      await advance(60_000)
      await registersFor(server, '2000', seen, { code: 403 })
    },
  )

  ladder(
    'whose credentials they are counts, never From',
    gsm,
    founding(unlearned),
    async ({ device, agent }) => {
      await isSeen(device)
      const rogue = agent('rogue', { user: '1001', address: '192.0.2.66', password: 'other' })
      await registersFor(rogue, '2000', seen, {
        headers: { From: `<sip:1000@${routerAddress}>;tag=boss` },
        code: '403 Third-Party Registration Not Allowed',
      })
    },
  )
})

/** What Kamailio's stock configuration does with REGISTER. */
const stock = {
  script: `
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
modparam("auth_db", "users_file", "test/ladders/users.txt")
request_route {
  if (!auth_check("$fd", "subscriber", "1")) {
    auth_challenge("$fd", "1");
    exit;
  }
  if (!save("location")) sl_reply_error();
  exit;
}
`,
}

describe('the stock script: auth_check() with flag 1', () => {
  ladder(
    '401 again and again on the wire, and one line in the log that says why',
    stock,
    founding(),
    async ({ server, log, advance }) => {
      await server.sends(`REGISTER sip:${routerAddress}`, {
        headers: { To: `<sip:2000@${routerAddress}>`, Contact: seen },
      })
      for (let attempt = 0; attempt < 4; attempt++) {
        const challenge = await server.receives(401)
        expect(challenge.header('WWW-Authenticate')).not.toContain('stale')
        await server.authenticates()
        await advance(1_000)
      }
      await server.receives(401)
      const why = log.messages('warn').filter((message) => message.includes('auth_check'))
      expect(why).toHaveLength(1)
      expect(why[0]).toContain("auth_check flag 1 demands that the credentials' user equals the To user")
      expect(why[0]).toContain('the password of 1000 was right')
      expect(why[0]).toContain('To is 2000')
      expect(why[0]).toContain('allow_third_party()')
    },
  )

  ladder('who registers itself gets its 200', stock, founding(), async ({ server }) => {
    await server.registers()
  })
})
