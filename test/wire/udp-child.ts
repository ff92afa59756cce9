/**
 * The native UDP engine in a process or worker thread of its own, for what cannot be tried in the tests' own:
 * `node udp-child.ts CASE`. What came of it is one line of JSON on stdout.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { silentLog } from '../../src/runtime/log.ts'
import { createSystemNetwork } from '../../src/transport/system-network.ts'
import type { DatagramBatch, Transport } from '../../src/transport/transport.ts'

const errors: string[] = []

async function open(onDatagrams: (batch: DatagramBatch) => void = () => {}): Promise<Transport> {
  const network = createSystemNetwork({ log: silentLog, environment: { VIADUCT_UDP: 'native' } })
  return await network.open(
    [{ transport: 'udp', address: '127.0.0.1', port: 0 }],
    { onDatagrams, onSendError: ({ address, port }, code) => errors.push(`${code} ${address}:${port}`) },
    { receiveBufferBytes: 4_194_304 },
  )
}

async function peer() {
  const dgram = createSocket('udp4')
  dgram.bind(0, '127.0.0.1')
  await once(dgram, 'listening')
  dgram.setRecvBufferSize(4_194_304)
  const received: string[] = []
  dgram.on('message', (octets) => received.push(octets.toString('latin1')))
  return { dgram, received, port: dgram.address().port }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends `count` datagrams of `size` octets, each with its number, in turns of `perTurn`. */
async function send(count: number, size: number, perTurn: number): Promise<void> {
  const { dgram, received, port } = await peer()
  const transport = await open()
  const { sockets } = transport
  for (let i = 0; i < count; i++) {
    if (sockets[0]) transport.send(sockets[0], `${i}`.padEnd(size, '.'), '127.0.0.1', port)
    if (i % perTurn === perTurn - 1) await pause(1)
  }
  await transport.close()
  await pause(50)
  dgram.close()
  print({ received: received.map((text) => Number.parseInt(text, 10)), errors: tally(errors, port) })
}

function tally(list: readonly string[], port: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const error of list) {
    const name = error.replace(`127.0.0.1:${port}`, 'peer')
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** A handler that throws at every second batch, after it has answered. */
async function throwing(): Promise<void> {
  const thrown: string[] = []
  process.on('uncaughtException', (error) => thrown.push(error.message))
  const { dgram, received } = await peer()
  let batches = 0
  const transport = await open((batch) => {
    const { socket, address, port } = batch.flow(0)
    transport.send(socket, batch.text(0), address, port)
    if (batches++ % 2 === 0) throw new Error(`batch ${batches}`)
  })
  for (let i = 0; i < 4; i++) {
    dgram.send(`${i}`, transport.sockets[0]?.port ?? 0, '127.0.0.1')
    while (received.length <= i) await pause(1)
  }
  await transport.close()
  dgram.close()
  print({ received, thrown })
}

/** A handler that closes the transport in the middle of a batch. */
async function closing(): Promise<void> {
  const { dgram, received } = await peer()
  let batches = 0
  const transport = await open((batch) => {
    batches++
    const { socket, address, port } = batch.flow(0)
    transport.send(socket, 'bye', address, port)
    void transport.close()
    transport.send(socket, 'too late', address, port)
  })
  const port = transport.sockets[0]?.port ?? 0
  for (let i = 0; i < 3; i++) dgram.send('x', port, '127.0.0.1')
  await pause(50)
  const again = createSocket('udp4')
  again.bind(port, '127.0.0.1')
  await once(again, 'listening')
  again.close()
  dgram.close()
  print({ received, batches, errors: errors.map((error) => error.split(' ')[0]) })
}

/** Echoes until it is told to end, or ended. */
async function worker(): Promise<void> {
  const transport = await open((batch) => {
    for (let i = 0; i < batch.count; i++) {
      const { socket, address, port } = batch.flow(i)
      transport.send(socket, `${workerData}: ${batch.text(i)}`, address, port)
    }
  })
  parentPort?.once('message', async () => {
    await transport.close()
    parentPort?.close()
  })
  parentPort?.postMessage(transport.sockets[0]?.port)
}

function print(outcome: object): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}

const [name, count = '0', size = '0', perTurn = '1'] = process.argv.slice(2)
if (!isMainThread) await worker()
else if (name === 'send') await send(Number(count), Number(size), Number(perTurn))
else if (name === 'throwing') await throwing()
else if (name === 'closing') await closing()
