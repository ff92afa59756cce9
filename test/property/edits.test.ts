import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createEditList, type EditList } from '../../src/sip/edit.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { writeHop, writeMessage } from '../../src/sip/write.ts'
import { request } from './message-text.ts'

interface Step {
  kind: 'remove' | 'before' | 'after' | 'append' | 'prepend'
  /** Which header; the last two do not care. */
  at: number
  text: string
}

const line = fc.integer({ min: 0, max: 999 }).map((number) => `X-New-${number}: ${number}\r\n`)
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('remove', 'before', 'after', 'append', 'prepend'),
  at: fc.nat(30),
  text: line,
})

function scanned(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(message.reason)
  return message
}

function take(edits: EditList, message: SipMessage, steps: readonly Step[]): void {
  for (const one of steps) {
    if (one.kind === 'append') edits.appendHeader(one.text)
    else if (one.kind === 'prepend') edits.prependHeader(one.text)
    else {
      const index = one.at % message.headerCount
      if (one.kind === 'remove') edits.removeHeader(message, index)
      else if (one.kind === 'before') edits.insertBeforeHeader(message, index, one.text)
      else edits.insertAfterHeader(message, index, one.text)
    }
  }
}

/** What the steps amount to, on an array of lines with a gap before each line and one after the last. */
function expectedHeaders(message: SipMessage, steps: readonly Step[]): string {
  const count = message.headerCount
  const gaps = Array.from({ length: count + 1 }, (): string[] => [])
  const lines = Array.from({ length: count }, (_, index) =>
    message.text.slice(message.headerStart(index), message.headerEnd(index)),
  )
  let above = ''
  let below = ''
  for (const one of steps) {
    if (one.kind === 'append') below += one.text
    else if (one.kind === 'prepend') above = one.text + above
    else if (one.kind === 'remove') lines[one.at % count] = ''
    else gaps[(one.at % count) + (one.kind === 'after' ? 1 : 0)]?.push(one.text)
  }
  return above + gaps.map((gap, index) => gap.join('') + (lines[index] ?? '')).join('') + below
}

it('header edits do what they would do to an array of lines', () => {
  fc.assert(
    fc.property(request, fc.array(step, { maxLength: 12 }), ({ text }, steps) => {
      const message = scanned(text)
      const edits = createEditList()
      take(edits, message, steps)
      const startLine = message.text.slice(0, message.headersStart)
      expect(writeMessage(message, edits)).toBe(
        `${startLine}${expectedHeaders(message, steps)}\r\n${message.body}`,
      )
      expect(edits.isEmpty).toBe(steps.length === 0)
    }),
  )
})

it('a clone and its origin go their own ways; a cleared list changes nothing', () => {
  fc.assert(
    fc.property(request, fc.array(step), fc.array(step), ({ text }, first, second) => {
      const message = scanned(text)
      const edits = createEditList()
      take(edits, message, first)
      const before = writeMessage(message, edits)
      const copy = edits.clone()
      take(copy, message, second)
      expect(writeMessage(message, edits)).toBe(before)
      copy.clear()
      expect(writeMessage(message, copy)).toBe(writeMessage(message, null))
    }),
  )
})

it('a changed body has its length, and everything else stays', () => {
  fc.assert(
    fc.property(request, fc.string({ unit: 'binary-ascii' }), ({ text }, body) => {
      const message = scanned(text)
      const edits = createEditList()
      edits.replaceBody(body, 'text/plain')
      const changed = scanned(writeMessage(message, edits))
      expect(changed.fault).toBeNull()
      expect(changed.body).toBe(body)
      expect(changed.value(HeaderId.contentType)).toBe('text/plain')
      expect(changed.callId).toBe(message.callId)
    }),
  )
})

it('replacements that do not overlap are all there; one that overlaps is refused', () => {
  fc.assert(
    fc.property(request, fc.array(fc.tuple(fc.nat(5000), fc.nat(20), fc.nat(99))), ({ text }, cuts) => {
      const message = scanned(text)
      const start = message.headersStart
      const size = message.headersEnd - start
      const edits = createEditList()
      let expected = [...message.text.slice(start, message.headersEnd)]
      const owner = expected.map(() => -1)
      for (const [at, length, number] of cuts) {
        const from = at % size
        const to = Math.min(size, from + length + 1)
        const isFree = owner.slice(from, to).every((taken) => taken === -1)
        expect(edits.replace(start + from, start + to, `<${number}>`)).toBe(isFree)
        if (!isFree) continue
        owner.fill(number, from, to)
        expected = expected.map((c, i) => (i === from ? `<${number}>` : i > from && i < to ? '' : c))
      }
      const written = writeMessage(message, edits)
      expect(written.slice(start, written.length - message.body.length - 2)).toBe(expected.join(''))
    }),
  )
})

it('the short way of a forwarded request writes what the long way does, or leaves it to that', () => {
  fc.assert(
    fc.property(
      request,
      fc.array(step, { maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(8)), { maxLength: 3 }),
      ({ text }, steps, replacements) => {
        const message = scanned(text)
        const edits = createEditList()
        take(edits, message, steps)
        for (const [at, length] of replacements) {
          const start = at % message.text.length
          edits.replace(start, Math.min(start + length, message.text.length), 'replaced')
        }
        const written = writeHop(message, edits, hopOf(message))
        if (written !== null) expect(written).toBe(writtenAtLength(message, edits))
      },
    ),
  )
})

it('Max-Forwards and Record-Route do not keep a request off the short way', () => {
  fc.assert(
    fc.property(request, fc.boolean(), ({ text }, isRouted) => {
      const message = scanned(text.replace('\r\n', '\r\nMax-Forwards: 70\r\n'))
      const edits = createEditList()
      const index = message.first(HeaderId.maxForwards)
      edits.replace(message.headerValueStart(index), message.headerValueEnd(index), '69')
      if (isRouted) edits.prependHeader('Record-Route: <sip:192.0.2.1;lr>')
      const written = writeHop(message, edits, hopOf(message))
      expect(written).toBe(writtenAtLength(message, edits))
    }),
  )
})

function hopOf(message: SipMessage) {
  const via = message.topmostVia
  if (via === null) throw new Error('no Via')
  return {
    requestUri: 'sip:next@hop',
    above: 'Via: SIP/2.0/UDP us;branch=z9hG4bKours\r\n',
    lineStart: message.headerStart(message.first(HeaderId.via)),
    viaStart: via.start,
    viaEnd: via.end,
    via: 'SIP/2.0/UDP theirs;branch=z9hG4bKtheirs',
  }
}

function writtenAtLength(message: SipMessage, edits: EditList): string {
  const { requestUri, above, viaStart, viaEnd, via } = hopOf(message)
  const all = edits.clone()
  all.insertBeforeHeader(message, message.first(HeaderId.via), above)
  all.replace(viaStart, viaEnd, via)
  return writeMessage(message, all, { requestUri })
}
