import { expect, test } from 'vitest'
import { ladderText, sideBySide } from '../../src/testing/ladder-text.ts'
import type { CapturedDatagram } from '../../src/testing/network.ts'

const nowhere = { address: '203.0.113.9', port: 5060 }

function datagram(
  at: number,
  fromHost: string,
  toHost: string,
  startLine: string,
  fate: CapturedDatagram['fate'] = 'delivered',
): CapturedDatagram {
  return { at, fromHost, toHost, from: nowhere, to: nowhere, text: `${startLine}\r\nVia: x\r\n\r\n`, fate }
}

test('datagrams become the ladder that people draw', () => {
  const text = ladderText([
    datagram(0, 'alice', 'router', 'MESSAGE sip:bob SIP/2.0'),
    datagram(1, 'router', 'bob', 'MESSAGE sip:bob SIP/2.0', 'lost'),
    datagram(501, 'router', 'bob', 'MESSAGE sip:bob SIP/2.0'),
    datagram(502, 'bob', 'router', 'SIP/2.0 200 OK'),
    datagram(503, 'router', '', 'OPTIONS sip:x@203.0.113.9 SIP/2.0', 'unreachable'),
    datagram(12_345, 'bob', 'alice', '\r\n'),
  ])
  expect(text.split('\n')).toEqual([
    '           alice                           router                             bob                          203.0.113.9',
    '   0.000     |------- MESSAGE sip:bob ------->|                                |                                |',
    '   0.001     |                                |------- MESSAGE sip:bob -------x|                                |  lost',
    '   0.501     |                                |------- MESSAGE sip:bob ------->|                                |',
    '   0.502     |                                |<----------- 200 OK ------------|                                |',
    '   0.503     |                                |------------------- OPTIONS sip:x@203.0.113.9 ------------------x|  unreachable',
    '  12.345     |<------------------------- (keepalive) --------------------------|                                |',
  ])
})

test('columns stand in the order that is asked for; long labels are cut', () => {
  const captured = [datagram(0, 'a', 'b', `MESSAGE sip:${'x'.repeat(50)} SIP/2.0`)]
  const text = ladderText(captured, { hosts: ['b', 'unused', 'a'], labelMax: 12 })
  expect(text.split('\n')).toEqual(['           b                   a', '   0.000   |<- MESSAGE sip~ ---|'])
})

test('control characters of a start line do not reach a terminal', () => {
  expect(ladderText([datagram(0, 'a', 'b', 'X \u001b[31m\u009b SIP/2.0')])).not.toMatch(/[\u001b\u009b]/)
})

test('two texts side by side', () => {
  expect(sideBySide('one', 'a\nbbb', 'two', 'c')).toBe('one   two\n---   ---\na     c\nbbb')
})
