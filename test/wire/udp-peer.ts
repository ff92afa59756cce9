/**
 * A UDP endpoint that a test drives from outside its network namespace: commands come as JSON lines on stdin,
 * what arrives leaves as JSON lines on stdout. It knows no SIP. `node udp-peer.ts ADDRESS PORT`.
 */
import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'

const [address = '127.0.0.1', port = '0'] = process.argv.slice(2)
const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 })

socket.on('message', (bytes, from) => {
  emit({ event: 'received', text: bytes.toString('latin1'), address: from.address, port: from.port })
})
socket.on('error', (error) => emit({ event: 'error', text: error.message }))
socket.bind(Number(port), address, () => emit({ event: 'bound', port: socket.address().port }))

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as { text: string; address: string; port: number }
  socket.send(Buffer.from(command.text, 'latin1'), command.port, command.address)
})
process.stdin.on('end', () => process.exit(0))

function emit(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}
