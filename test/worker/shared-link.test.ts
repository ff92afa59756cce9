import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import type { LinkReceiver } from '../../src/worker/link.ts'
import { createLinkMemory, SharedLink } from '../../src/worker/shared-link.ts'

function linked(count: number) {
  const memory = createLinkMemory(count)
  const clock = simulatedClock()
  const defects: unknown[] = []
  const links = Array.from(
    { length: count },
    (_, index) => new SharedLink(memory, index, clock, (error) => defects.push(error)),
  )
  const logs: string[][] = links.map(() => [])
  const receiver = (log: string[]): LinkReceiver => ({
    onPassed: (text, socket, address, port, hops) =>
      void log.push(`${socket} ${address} ${port} ${hops} ${text}`),
    onTold(from, topic, text) {
      if (topic === 'bad') throw new Error('bad')
      log.push(`${from} ${topic} ${text}`)
    },
  })
  const open = () => {
    for (const [i, link] of links.entries()) link.open(receiver(logs[i] ?? []))
  }
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  const close = () => {
    for (const link of links) link.close()
  }
  return { links, logs, defects, clock, open, settle, close }
}

describe('the link between workers', () => {
  test('from each to each, and what came before it was opened waits', async () => {
    const { links, logs, open, settle, close } = linked(3)
    links[0]?.passDatagram(2, 'SIP/2.0 200 OK', 1, '192.0.2.7', 5060, 1)
    links[1]?.tell(2, 'learn', '{}')
    open()
    links[2]?.tell(0, 'learn', '[]')
    await settle()
    expect(logs).toEqual([['2 learn []'], [], ['1 192.0.2.7 5060 1 SIP/2.0 200 OK', '1 learn {}']])
    // Asleep by now: the bell wakes it up.
    links[0]?.tell(2, 'again', '')
    await settle()
    expect(logs[2]).toHaveLength(3)
    close()
  })

  test('what is told before a datagram is sent is there when the datagram is handled', () => {
    const { links, logs, open, close } = linked(2)
    open()
    links[0]?.tell(1, 'learn', '1')
    links[1]?.catchUp()
    expect(logs[1]).toEqual(['0 learn 1'])
    close()
  })

  test('where it is full datagrams are refused, notices wait in order, and too many are refused too', async () => {
    const { links, logs, clock, open, settle, close } = linked(2)
    const text = 'x'.repeat(60_000)
    let passed = 0
    while (links[0]?.passDatagram(1, text, 0, '192.0.2.7', 5060, 1)) passed++
    expect(passed).toBe(Math.floor(limits.workerRingBytes / 60_032))
    for (let i = 0; i < limits.workerNoticesWaitingMax; i++) {
      expect(links[0]?.tell(1, 't', `${i}${text.slice(0, i < 9 ? 60_000 : 0)}`)).toBe(true)
    }
    expect(links[0]?.tell(1, 't', 'one too many')).toBe(false)
    open()
    for (
      let turn = 0;
      turn < 40 && (logs[1]?.length ?? 0) < passed + limits.workerNoticesWaitingMax;
      turn++
    ) {
      await settle()
      await clock.advance(5)
    }
    const told = logs[1]?.slice(passed).map((line) => Number.parseInt(line.slice(4), 10))
    expect(told).toEqual(Array.from({ length: limits.workerNoticesWaitingMax }, (_, i) => i))
    close()
  })

  test('a receiver that throws loses that notice alone', async () => {
    const { links, logs, defects, open, settle, close } = linked(2)
    open()
    links[0]?.tell(1, 'bad', '')
    links[0]?.tell(1, 'good', '')
    await settle()
    expect([defects.length, logs[1]]).toEqual([1, ['0 good ']])
    close()
  })

  test('between threads: 20,000 datagrams there and back, none lost, in order', async () => {
    const memory = createLinkMemory(2)
    const source = `
      import { parentPort, workerData } from 'node:worker_threads'
      const { SharedLink } = await import(workerData.module)
      const clock = { schedule: (ms, fire) => setTimeout(fire, ms) }
      const link = new SharedLink(workerData.memory, 1, clock, (error) => { throw error })
      link.open({ onTold() {}, onPassed: (text, ...flow) => { link.passDatagram(0, text, ...flow) } })
      parentPort.on('message', () => { link.close(); process.exit(0) })
    `
    const module = new URL('../../src/worker/shared-link.ts', import.meta.url).href
    const echo = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: { module, memory },
    })
    const link = new SharedLink(memory, 0, simulatedClock(), (error) => {
      throw error
    })
    const count = 20_000
    const received: number[] = []
    await new Promise<void>((done, fail) => {
      echo.on('error', fail)
      let sent = 0
      const sendSome = () => {
        for (let i = 0; i < 100 && sent < count && sent - received.length < 1_000; i++) {
          if (link.passDatagram(1, String(sent), 0, '192.0.2.7', 5060, 1)) sent++
        }
        if (sent < count) setImmediate(sendSome)
      }
      link.open({
        onTold() {},
        onPassed(text) {
          received.push(Number(text))
          if (received.length === count) done()
        },
      })
      sendSome()
    })
    expect(received).toEqual(Array.from({ length: count }, (_, i) => i))
    link.close()
    echo.postMessage('close')
    await new Promise((resolve) => echo.on('exit', resolve))
  })
})
