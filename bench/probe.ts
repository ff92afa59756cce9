import { createSocket } from 'node:dgram'

/** Asks for a user whom nobody knows, again and again, until the server says so: 404. */
export async function askUntilAnswered(port: number, secondsMax = 180): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
  let asked = 0
  const ask = () => socket.send(question(socket.address().port, asked++), port, '127.0.0.1')
  const repetition = setInterval(ask, 20)
  try {
    await new Promise<void>((answered, failed) => {
      socket.on('message', (octets) => {
        if (octets.toString('latin1').startsWith('SIP/2.0 404')) answered()
      })
      // While nobody listens, the system says so with an error on the socket.
      socket.on('error', () => {})
      setTimeout(() => failed(new Error(`no answer within ${secondsMax} s`)), secondsMax * 1_000).unref()
      ask()
    })
  } finally {
    clearInterval(repetition)
    socket.close()
  }
}

function question(port: number, count: number): string {
  return [
    'MESSAGE sip:nobody@bench.test SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKprobe${count};rport`,
    'Max-Forwards: 9',
    `From: <sip:probe@bench.test>;tag=probe${count}`,
    'To: <sip:nobody@bench.test>',
    `Call-ID: probe${count}-${port}`,
    'CSeq: 1 MESSAGE',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
}
