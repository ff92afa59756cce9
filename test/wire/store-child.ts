/**
 * The store in a process of its own, under a bound on the length of its files: `prlimit --fsize=... node store-child.ts
 * DIRECTORY`. Prints, as JSON, what became of each put.
 *
 * All of it happens in one turn of the loop, which takes so long that everything handed to the store so far has been
 * through its commit before the next is put: four commits, of which the second does not fit into the file.
 */
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openStore } from '../../src/store/open-store.ts'

const [directory = ''] = process.argv.slice(2)
const store = await openStore({ directory, log: silentLog, clock: systemClock() })
const table = store.open<string>('names')
const outcomes = new Map<string, boolean>()

async function put(key: string, value: string): Promise<void> {
  const isStored = table.put(key, value).then(
    () => true,
    () => false,
  )
  outcomes.set(key, await isStored)
}

function putSome(count: number, phase: string, value: string): Promise<void>[] {
  const puts = Array.from({ length: count }, (_, n) => put(`${phase}${n}`, value))
  const until = performance.now() + 60
  while (performance.now() < until);
  return puts
}

await put('first', 'x')
// Left to itself, lmdb begins to write at the sixth, and looks what has become of it at each eighth.
await Promise.all([
  ...putSome(9, 'small', 'x'),
  ...putSome(2, 'large', 'x'.repeat(300_000)),
  ...putSome(2, 'after', 'x'),
  ...putSome(2, 'last', 'x'),
])
process.stdout.write(`${JSON.stringify([...outcomes])}\n`)
process.kill(process.pid, 'SIGKILL')
