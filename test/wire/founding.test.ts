import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Datagram, type Host, Lab, requireProgram, type UdpPeer } from './lab.ts'
import { respond } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/**
 * The founding problem through a real NAT: a device that never registers, a carrier's NAT (masquerade, conntrack), the
 * router, and a processing server, each a host of its own, with the addresses of the packet that started it all.
 */
const routerAddress = '50.170.158.149'
const serverAddress = '50.170.158.150'
const carrierAddress = '60.250.149.198'
const deviceAddress = '10.92.240.131'
/** Seconds: both the NAT's and the router's idea of it. */
const pinhole = 5

describe('a silent device behind a carrier NAT', { timeout: 90_000 }, () => {
  const lab = new Lab()
  let publicSide: Host
  let attackerSide: Host
  let device: UdpPeer
  let secondDevice: UdpPeer
  let server: UdpPeer
  let attacker: UdpPeer
  let router: Router
  const data = join(lab.directory, 'data')

  beforeAll(async () => {
    requireProgram('nft', 'nftables')
    requireProgram('ip', 'iproute2')
    const deviceSide = lab.host('dev')
    const nat = lab.host('nat')
    publicSide = lab.host('pub')
    attackerSide = lab.host('att')
    lab.cable(deviceSide, `${deviceAddress}/24`, nat, '10.92.240.1/24')
    const outside = lab.cable(nat, `${carrierAddress}/24`, publicSide, '60.250.149.1/24').a
    const attackers = lab.cable(attackerSide, '203.0.113.66/24', publicSide, '203.0.113.1/24')
    deviceSide.route('default', '10.92.240.1')
    nat.route('default', '60.250.149.1')
    attackerSide.route('default', '203.0.113.1')
    publicSide.execute('ip', ['address', 'add', `${routerAddress}/32`, 'dev', 'lo'])
    publicSide.execute('ip', ['address', 'add', `${serverAddress}/32`, 'dev', 'lo'])
    // Nobody filters source addresses between the attacker and us: the worst case.
    for (const name of ['all', attackers.b]) publicSide.setting(`net.ipv4.conf.${name}.rp_filter`, 0)
    nat.becomeNat(outside, pinhole)
    device = await deviceSide.peer(deviceAddress, 5060)
    secondDevice = await deviceSide.peer(deviceAddress, 5062)
    server = await publicSide.peer(serverAddress, 5060)
    attacker = await attackerSide.peer('203.0.113.66', 5060)
    writeFileSync(join(lab.directory, 'users'), '1000:processing\n1001:other\n')
    router = await start()
  })
  afterAll(async () => {
    await router?.stop()
    await lab.close()
  })

  const start = (defines: Record<string, string | number> = {}) =>
    startRouter(lab, 'routes/gsm.cfg', {
      host: publicSide,
      address: routerAddress,
      port: 5060,
      data,
      defines: {
        CARRIER: '60.250.0.0/16',
        PINHOLE: pinhole,
        USERS: join(lab.directory, 'users'),
        ...defines,
      },
    })

  test('the server registers with its password', async () => {
    const answer = await register('1000', '1000', `<sip:1000@${serverAddress}:5060>`)
    expect(answer).toMatch(/^SIP\/2.0 200/)
  })

  test("the device's MESSAGE arrives, and the answer finds its way back", async () => {
    const arrived = await deviceSpeaks('first')
    expect(arrived.text).toMatch(/^MESSAGE sip:1000@50\.170\.158\.150:5060 SIP\/2\.0\r\n/)
    expect(arrived.text).toContain('\r\n\r\nfirst')
  })

  test("the server's MESSAGE arrives through the pinhole, from the router's own port", async () => {
    const answer = serverWrites('to you, device')
    const arrived = await device.receives(/^MESSAGE /)
    expect(arrived).toMatchObject({ address: routerAddress, port: 5060 })
    expect(arrived.text).toContain('\r\n\r\nto you, device')
    device.send(respond(arrived.text, '200 OK', { tag: 'device' }), arrived.address, arrived.port)
    expect(await answer).toMatch(/^SIP\/2.0 200/)
  })

  test("a second device cannot take the server's place, nor can a stranger", async () => {
    for (const peer of [secondDevice, attacker]) {
      peer.send(
        message({ from: '1000', to: '1000', callId: `hijack-${peer === attacker}`, body: 'mine now' }),
        routerAddress,
        5060,
      )
      expect((await peer.receives(/^SIP\/2.0 /)).text).toMatch(/^SIP\/2.0 (407|403)/)
    }
    await server.receivesNothing(/mine now/, 0.3)
    await deviceSpeaks('still to the server')
  })

  test('a stranger that claims to be the device teaches nothing', async () => {
    attacker.send(
      message({ from: '2000', to: '1000', callId: 'stranger', body: 'stranger' }),
      routerAddress,
      5060,
    )
    expect((await attacker.receives(/^SIP\/2.0 /)).text).toMatch(/^SIP\/2.0 (407|403)/)
    await reachesDevice('after the stranger')
    await attacker.receivesNothing(/^MESSAGE/, 0.2)
  })

  test('a forged source within the carrier moves nobody, and gets no more than it gave', async () => {
    await deviceSpeaks('here I am')
    const spoofed = message({ from: '2000', to: '1000', callId: 'forged', body: 'x' })
    sendForged('60.250.149.77', 40_000, spoofed)
    await reachesDevice('after the forgery')
  })

  test('once the pinhole has closed the message waits: 202', async () => {
    await pause(pinhole + 1)
    const answer = await serverWrites('for later')
    expect(answer).toMatch(/^SIP\/2.0 202/)
    await device.receivesNothing(/for later/, 0.3)
  })

  test('after kill -9 and a restart it goes on, and what waited arrives when the device has spoken again', async () => {
    await router.kill()
    router = await start()
    await deviceSpeaks('awake again')
    await reachesDevice('an answer, which proves the flow')
    const stored = await device.receives(/for later/)
    device.send(respond(stored.text, '200 OK', { tag: 'device' }), stored.address, stored.port)
    await device.receivesNothing(/for later/, 1)
  })

  test('without an outbox the answer is 480', async () => {
    await router.stop()
    router = await start({ WITHOUT_OUTBOX: 1 })
    await deviceSpeaks('once more')
    await pause(pinhole + 1)
    expect(await serverWrites('too late')).toMatch(/^SIP\/2.0 480/)
  })

  test('the server registers the device as a third party, where the router saw it', async () => {
    const arrived = await deviceSpeaks('where am I?')
    const [, address] = /;received=([0-9.]+)/.exec(arrived.text) ?? []
    const [, port] = /;rport=(\d+)/.exec(arrived.text) ?? []
    const answer = await register('1000', '2000', `<sip:2000@${address}:${port}>`)
    expect(answer).toMatch(/^SIP\/2.0 200/)
    await reachesDevice('to the registered device')
  })

  test('the policy refuses: one 403 with a reason, and a line in the log', async () => {
    const answer = await register('1001', '2000', '<sip:2000@203.0.113.66:5060>')
    expect(answer).toMatch(/^SIP\/2.0 403 .+/)
    expect(
      router
        .logLines()
        .map(({ msg }) => msg)
        .join('\n'),
    ).toMatch(/1001.*2000|2000.*1001/)
  })

  /** The founding packet: no Contact, no rport, a private From host. Resolves with what the server got of it. */
  async function deviceSpeaks(body: string): Promise<Datagram> {
    const callId = `device-${counter++}`
    device.send(
      `MESSAGE sip:1000@${routerAddress} SIP/2.0
Via: SIP/2.0/UDP ${deviceAddress}:5060;branch=z9hG4bK${callId}
Max-Forwards: 70
To: <sip:1000@${routerAddress}>
From: <sip:2000@${deviceAddress}>;tag=7a82c48a
Call-ID: ${callId}
CSeq: 1 MESSAGE
Content-Type: text/plain
Content-Length: ${body.length}

${body}`,
      routerAddress,
      5060,
    )
    const arrived = await server.receives(new RegExp(`Call-ID: ${callId}`))
    server.send(respond(arrived.text, '200 OK', { tag: 'server' }), arrived.address, arrived.port)
    expect((await device.receives(new RegExp(`^SIP/2.0 [\\s\\S]*Call-ID: ${callId}`))).text).toMatch(
      /^SIP\/2.0 200/,
    )
    return arrived
  }

  async function reachesDevice(body: string): Promise<void> {
    const answer = serverWrites(body)
    const arrived = await device.receives(new RegExp(`^MESSAGE [\\s\\S]*${body}`))
    device.send(respond(arrived.text, '200 OK', { tag: 'device' }), arrived.address, arrived.port)
    expect(await answer).toMatch(/^SIP\/2.0 200/)
  }

  /** A MESSAGE from 1000 to 2000 with its password; resolves with the final answer. */
  async function serverWrites(body: string): Promise<string> {
    return await answered({
      method: 'MESSAGE',
      user: '1000',
      uri: `sip:2000@${routerAddress}`,
      to: `<sip:2000@${routerAddress}>`,
      body,
    })
  }

  /** A REGISTER by `user` for `aor`; resolves with the final answer. */
  async function register(user: string, aor: string, contact: string): Promise<string> {
    return await answered({
      method: 'REGISTER',
      user,
      uri: `sip:${routerAddress}`,
      to: `<sip:${aor}@${routerAddress}>`,
      headers: `Contact: ${contact}\nExpires: 120\n`,
    })
  }

  async function answered(request: {
    method: string
    user: string
    uri: string
    to: string
    headers?: string
    body?: string
  }): Promise<string> {
    const callId = `server-${counter++}`
    const text = (cseq: number, headers: string) => `${request.method} ${request.uri} SIP/2.0
Via: SIP/2.0/UDP ${serverAddress}:5060;branch=z9hG4bK${callId}-${cseq}
Max-Forwards: 70
To: ${request.to}
From: <sip:${request.user}@${routerAddress}>;tag=server
Call-ID: ${callId}
CSeq: ${cseq} ${request.method}
${request.headers ?? ''}${headers}Content-Length: ${request.body?.length ?? 0}

${request.body ?? ''}`
    server.send(text(1, ''), routerAddress, 5060)
    const challenge = (await server.receives(new RegExp(`^SIP/2.0 40[17][\\s\\S]*Call-ID: ${callId}`))).text
    server.send(
      text(2, credentials(challenge, request.method, request.uri, request.user)),
      routerAddress,
      5060,
    )
    return (await server.receives(new RegExp(`^SIP/2.0 [2-6][\\s\\S]*Call-ID: ${callId}\\r\\nCSeq: 2`))).text
  }

  /** A datagram with a source address that is not the sender's. */
  function sendForged(source: string, port: number, text: string): void {
    const program = `
import socket, struct, sys
payload = sys.stdin.buffer.read()
udp = struct.pack('!HHHH', ${port}, 5060, 8 + len(payload), 0) + payload
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton('${source}'), socket.inet_aton('${routerAddress}'))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.sendto(ip + udp, ('${routerAddress}', 0))`
    const sender = lab.start(attackerSide, 'python3', ['-c', program])
    sender.child.stdin?.end(text.replace(/\n/g, '\r\n'))
  }
})

const passwords: Record<string, string> = { 1000: 'processing', 1001: 'other' }
let counter = 0

function credentials(challenge: string, method: string, uri: string, user: string): string {
  const [line = ''] = challenge.split('\r\n').filter((each) => /^(WWW|Proxy)-Authenticate: /i.test(each))
  const field = (name: string) => new RegExp(`${name}="?([^",]*)"?`).exec(line)?.[1] ?? ''
  const algorithm = field('algorithm') || 'MD5'
  const hash = (text: string) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const [realm, nonce, nc, cnonce] = [field('realm'), field('nonce'), '00000001', 'c0ffee']
  const ha1 = hash(`${user}:${realm}:${passwords[user]}`)
  const response = hash(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash(`${method}:${uri}`)}`)
  const name = line.startsWith('WWW') ? 'Authorization' : 'Proxy-Authorization'
  const opaque = field('opaque')
  return `${name}: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=${algorithm}, qop=auth, nc=${nc}, cnonce="${cnonce}"${opaque && `, opaque="${opaque}"`}\n`
}

function message(options: { from: string; to: string; callId: string; body: string }): string {
  return `MESSAGE sip:${options.to}@${routerAddress} SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK${options.callId}
Max-Forwards: 70
To: <sip:${options.to}@${routerAddress}>
From: <sip:${options.from}@10.0.0.1>;tag=1
Call-ID: ${options.callId}
CSeq: 1 MESSAGE
Content-Length: ${options.body.length}

${options.body}`
}

function pause(seconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, seconds * 1000))
}
