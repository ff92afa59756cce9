import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type CapturedDatagram, ladderText, playLadder } from '../testing/index.ts'

/**
 * `viaduct demo`: the founding problem, played on a simulated network and clock with the real router and the script
 * routes/gsm.cfg, and printed as a ladder. The addresses are those of the packet that started it all.
 *
 * 1. A device (2000) behind a carrier's NAT, which never registers, sends a MESSAGE to the server (1000).
 * 2. The server answers with a MESSAGE: it leaves from the router's own port and arrives through the pinhole.
 * 3. A minute later the pinhole has closed: the next message waits (202), and arrives when the device speaks again.
 */
const router = '50.170.158.149'
const nat = '60.250.149.198'
const users = '1000:processing'

/** Resolves with the exit code: 0 if the device got both messages. */
export async function demo(options: { script?: string }): Promise<number> {
  const script = options.script ?? fileURLToPath(scriptUrl())
  process.stdout.write(`${introduction(script)}\n\n`)
  try {
    const { captured } = await playLadder<'device' | 'server'>(
      script,
      stage(),
      async ({ device, server, advance }) => {
        server.answers('MESSAGE', 200)
        device.answers('MESSAGE', 200)
        await server.registers()

        await device.sends(`MESSAGE sip:1000@${router}`, {
          headers: { Contact: null },
          body: 'position 25.03 121.56',
        })
        await device.receives(200)
        await sendsWithPassword('send a photo')

        await advance(90_000)
        await sendsWithPassword('reboot at noon', 202)

        await advance(60_000)
        await device.sends(`MESSAGE sip:1000@${router}`, {
          headers: { Contact: null },
          body: 'position 25.04 121.56',
        })
        await device.receives(200)
        await sendsWithPassword('thank you')
        await advance(2_000)

        async function sendsWithPassword(body: string, status = 200): Promise<void> {
          await server.sends(`MESSAGE sip:2000@${router}`, { body })
          await server.receives(407)
          await server.authenticates()
          await server.receives(status)
        }
      },
    )
    process.stdout.write(
      `${ladderText(withNat(captured), { hosts: ['device', 'NAT', 'router', 'server'], labelMax: 20 })}\n\n`,
    )
    return conclude(captured)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    return 1
  }
}

function stage() {
  return {
    router,
    domain: router,
    nats: { carrier: { publicAddress: nat, mappingSeconds: 60, firstPort: 59_177 } },
    cast: {
      device: {
        user: '2000',
        address: '10.92.240.131',
        behind: 'carrier',
        rport: false,
        domain: '10.92.240.131',
      },
      server: { user: '1000', address: '50.170.158.150', password: 'processing' },
    },
    defines: { CARRIER: '60.250.0.0/16', USER: users },
  } as const
}

/** What crosses the NAT is drawn as two arrows. */
function withNat(captured: readonly CapturedDatagram[]): CapturedDatagram[] {
  return captured.flatMap((datagram) => {
    if (datagram.fromHost === 'device') {
      return [
        { ...datagram, toHost: 'NAT' },
        { ...datagram, fromHost: 'NAT' },
      ]
    }
    if (datagram.toHost === 'device') {
      return [
        { ...datagram, toHost: 'NAT' },
        { ...datagram, fromHost: 'NAT' },
      ]
    }
    return [datagram]
  })
}

function conclude(captured: readonly CapturedDatagram[]): number {
  const got = captured
    .filter(
      ({ toHost, fate, text }) => toHost === 'device' && fate === 'delivered' && text.startsWith('MESSAGE '),
    )
    .map(({ text }) => text.slice(text.indexOf('\r\n\r\n') + 4))
  const wanted = ['send a photo', 'thank you', 'reboot at noon']
  const isComplete = wanted.every((body) => got.includes(body))
  process.stdout.write(`the device received: ${got.map((body) => `"${body}"`).join(', ') || 'nothing'}\n`)
  return isComplete ? 0 : 1
}

function introduction(script: string): string {
  return [
    'A device (2000) behind a carrier NAT never registers. It sends a MESSAGE to the server (1000) now and then.',
    `The router runs ${script.replace(`${process.cwd()}/`, '')} on a simulated network: device 10.92.240.131, NAT ${nat},`,
    `router ${router}, server 50.170.158.150. Times are seconds of the simulated clock.`,
  ].join('\n')
}

/** From sources two levels up, from dist three. */
function scriptUrl(): URL {
  const here = new URL('../../routes/gsm.cfg', import.meta.url)
  return existsSync(here) ? here : new URL('../../../routes/gsm.cfg', import.meta.url)
}
