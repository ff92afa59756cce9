import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ring, ringMemory } from '../../src/worker/ring.ts'

/** A ring and both of its ends in one thread. */
const capacity = 4_096

function ends() {
  const memory = ringMemory(capacity)
  const received: string[] = []
  const reader = {
    onDatagram: (text: string, socket: number, address: string, port: number, hops: number) =>
      void received.push(`${socket} ${address}:${port} ${hops} ${text}`),
    onNotice: (topic: string, text: string) => void received.push(`${topic}: ${text}`),
  }
  const writer = new Ring(memory)
  const other = new Ring(memory)
  return { writer, received, read: (max = 1_000) => other.read(reader, max) }
}

describe('a ring between two workers', () => {
  test('datagrams come out with their flow, notices with their topic, in order', () => {
    const { writer, received, read } = ends()
    expect(writer.writeDatagram('SIP/2.0 200 OK\r\n\xff\x00', 3, '2001:db8::7', 65_535, 2)).toBe(true)
    expect(writer.writeNotice('outbox', '"Größe \u{1f600}"')).toBe(true)
    expect(writer.isEmpty).toBe(false)
    expect(read()).toBe(2)
    expect(received).toEqual([
      '3 2001:db8::7:65535 2 SIP/2.0 200 OK\r\n\xff\x00',
      'outbox: "Größe \u{1f600}"',
    ])
    expect(writer.isEmpty).toBe(true)
  })

  test('what does not fit is refused; what was read makes room again', () => {
    const { writer, received, read } = ends()
    const text = 'x'.repeat(1_000)
    let written = 0
    while (writer.writeDatagram(text, 0, '192.0.2.1', 5060, 0)) written++
    expect(written).toBe(3)
    expect(read(1)).toBe(1)
    expect(writer.writeNotice('topic', text)).toBe(true)
    expect(writer.writeNotice('topic', text)).toBe(false)
    expect(read()).toBe(3)
    expect(received).toHaveLength(4)
  })

  test('a reader that throws has taken what it threw at: it does not come again', () => {
    const memory = ringMemory(capacity)
    const writer = new Ring(memory)
    writer.writeNotice('bad', '')
    writer.writeNotice('good', '')
    const topics: string[] = []
    const reader = {
      onDatagram() {},
      onNotice(topic: string) {
        if (topic === 'bad') throw new Error('bad')
        topics.push(topic)
      },
    }
    const other = new Ring(memory)
    expect(() => other.read(reader, 10)).toThrow('bad')
    other.read(reader, 10)
    expect(topics).toEqual(['good'])
  })

  test('law: whatever is written and read in whatever portions comes out whole and in order', () => {
    const step = fc.oneof(
      fc.nat({ max: 1_500 }).map((length) => ({ write: length })),
      fc.nat({ max: 5 }).map((count) => ({ read: count })),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { writer, received, read } = ends()
        const expected: string[] = []
        for (const [i, one] of steps.entries()) {
          if ('read' in one) read(one.read)
          else if (writer.writeDatagram(`${i} ${'y'.repeat(one.write)}`, 1, '::1', i, 0)) {
            expected.push(`1 ::1:${i} 0 ${i} ${'y'.repeat(one.write)}`)
          }
        }
        read()
        expect(received).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })
})
