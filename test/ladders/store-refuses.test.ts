import { expect, test } from 'vitest'
import { memoryStore } from '../../src/store/memory.ts'
import { playLadder } from '../../src/testing/index.ts'

/** docs/operations.md, "What to watch": a store that takes no writes is seen from outside. */
const script = `
  loadmodule "sl.so"
  loadmodule "usrloc.so"
  modparam("usrloc", "durability", "power")
  request_route { sl_send_reply("200", "OK"); }
`

test('viaduct_store_refuses_writes is 1 while the store refuses, and 0 before and after', async () => {
  let refusal: string | null = null
  const store = { ...memoryStore(), refusal: () => refusal }
  await playLadder({ script }, { store, workers: 1 }, ({ running }) => {
    const value = () =>
      running.metrics.samples().find(({ name }) => name === 'viaduct_store_refuses_writes')?.value
    expect(value()).toBe(0)
    refusal = 'the disk is full'
    expect(value()).toBe(1)
    refusal = null
    expect(value()).toBe(0)
    return Promise.resolve()
  })
})

test('a durability that there is not is a diagnostic, with the three that there are', async () => {
  const wrong = script.replace('"power"', '"disk"')
  const play = playLadder({ script: wrong }, { workers: 1 }, () => Promise.resolve())
  await expect(play).rejects.toThrow(/memory, crash or power/)
})
