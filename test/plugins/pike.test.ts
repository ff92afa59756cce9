import { describe, expect, it } from 'vitest'
import pike from '../../plugins/pike/index.ts'
import { Sources } from '../../plugins/pike/sources.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { requestText } from './digest-client.ts'
import { createStand } from './stand.ts'

async function stand() {
  const made = createStand()
  const bench = await made.load(pike, { sampling_time_unit: 2, reqs_density_per_unit: 4 })
  const send = (address = '198.51.100.7', count = 1): number[] =>
    Array.from({ length: count }, () =>
      bench.call('pike_check_req', made.context(requestText(), { address })),
    )
  return { made, bench, send }
}

describe('pike_check_req', () => {
  it('-2 once when a source gets too fast, -1 as long as it is, 1 again afterwards', async () => {
    const { made, send } = await stand()
    expect(send(undefined, 6)).toEqual([1, 1, 1, 1, -2, -1])
    made.clock.advanceSync(2_000)
    expect(send()).toEqual([-1])
    made.clock.advanceSync(4_000)
    expect(send()).toEqual([1])
    expect(made.log.messages('warn')).toEqual(['198.51.100.7 sends too much'])
  })

  it('a steady source below the limit is never touched', async () => {
    const { made, send } = await stand()
    const codes: number[] = []
    for (let i = 0; i < 20; i++) {
      codes.push(...send(undefined, 4))
      made.clock.advanceSync(2_000)
    }
    expect(new Set(codes)).toEqual(new Set([1]))
  })

  it('counts each source for itself; IPv6 by the 64 bits of a customer', async () => {
    const { send } = await stand()
    send('2001:db8::1', 4)
    expect([send('198.51.100.8'), send('2001:db8:0:1::1'), send('2001:db8::2')]).toEqual([[1], [1], [-2]])
  })

  it('counts an address that the script names', async () => {
    const { made, bench } = await stand()
    const codes = [1, 2, 3, 4, 5].map(() =>
      bench.call('pike_check_ip', made.context(requestText()), '192.0.2.9'),
    )
    expect(codes).toEqual([1, 1, 1, 1, -2])
  })

  it('remembers a bounded number of sources', () => {
    const sources = new Sources(simulatedClock(), 2, 4, 2)
    for (let i = 0; i < 10; i++) sources.count(`192.0.2.${i}`)
    expect(sources.list().map(({ name }) => name)).toEqual(['192.0.2.9', '192.0.2.8'])
  })

  it('pike.top shows who', async () => {
    const { bench, send } = await stand()
    send('192.0.2.1', 5)
    send('192.0.2.2', 1)
    expect(bench.rpc('pike.top')).toEqual({
      max_hits: 4,
      list: [{ ip_addr: '192.0.2.1', leaf_hits_prev: 0, leaf_hits_curr: 5, status: 'HOT' }],
      number_of_rows: 1,
    })
    expect(bench.rpc('pike.top', 'all')).toMatchObject({ number_of_rows: 2 })
  })
})
