import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../src/runtime/metrics.ts'

describe('counters', () => {
  it('without labels there is one number, there from the start', () => {
    const metrics = createMetrics()
    const counter = metrics.counter('a_total', 'A.')
    expect(metrics.samples()).toEqual([
      { name: 'a_total', kind: 'counter', help: 'A.', labels: {}, value: 0 },
    ])
    counter.add()
    counter.add(2)
    counter.series().add(3)
    expect([counter.value(), counter.value('x')]).toEqual([6, 0])
    expect(metrics.counter('a_total', 'Again.')).toBe(counter)
  })

  it('with labels each combination is a series; one that was only looked up is not shown', () => {
    const metrics = createMetrics()
    const counter = metrics.counter('b_total', 'B.', ['how', 'code'])
    const refused = counter.series('refused', '403')
    counter.series('accepted', '200')
    refused.add()
    counter.add(4, 'refused', '403')
    counter.add(1, 'refused', '401')
    expect([counter.value(), counter.value('refused', '403'), counter.value('accepted', '200')]).toEqual([
      6, 5, 0,
    ])
    expect(metrics.samples().map(({ labels, value }) => [labels, value])).toEqual([
      [{ how: 'refused', code: '403' }, 5],
      [{ how: 'refused', code: '401' }, 1],
    ])
  })

  it('labels from the wire do not grow the table without end: the rest is `other`', () => {
    const metrics = createMetrics()
    const counter = metrics.counter('c_total', 'C.', ['kind'])
    for (let i = 0; i < 2_000; i++) counter.add(1, `kind ${i}`)
    expect(counter.value()).toBe(2_000)
    expect(metrics.samples()).toHaveLength(513)
    expect(counter.value('other')).toBe(2_000 - 512)
    expect(counter.series('one more')).toBe(counter.series('other'))
  })
})
