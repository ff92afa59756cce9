import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SqliteDatabase } from '../src/database/sqlite.ts'
import { locationSchema } from '../src/location/location-schema.ts'
import { startDelayedRouter } from './delayed-router.ts'
import { generate, workFolder } from './generator.ts'

/**
 * How late the event loop of a router is while it takes REGISTERs and a database is told:
 * `node bench/location-loop.ts [db_modes] [requests a second] [users]`. A timer of one millisecond is asked for, so that a
 * loop that nobody holds is at 1 to 1.2 ms.
 */
const [modes = '1,2,3', rate = '5000', users = '100000'] = process.argv.slice(2)
const port = 27_170
const script = fileURLToPath(new URL('../test/wire/scripts/location-sql.cfg', import.meta.url))

for (const mode of modes.split(',')) {
  const folder = join(workFolder, `loop-${mode}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'location.sqlite')
  const made = new SqliteDatabase(path)
  for (const statement of locationSchema('location')) made.executeSync(statement)
  await made.close()
  const words = ['-f', script, '-A', `PORT=${port}`, '-A', `DATABASE=${path}`]
  words.push('-A', `MODE=${mode}`, '-A', 'INTERVAL=5', '--data', folder)
  const router = await startDelayedRouter(words)
  const stand = { serverPort: port, callerPort: 28_000, calleePort: 28_100, cpu: '0', sleeps: true }
  const load = { play: ['-m', 'reg', '-q', '1'], users: Number(users), rate: Number(rate) }
  await generate(stand, { ...load, requests: 10_000 })
  const cpuOf = (line: string) => Number(/cpu (\d+)/.exec(line)?.[1])
  const before = cpuOf(await router.ask())
  const requests = Number(rate) * 20
  const report = await generate(stand, { ...load, requests })
  const after = await router.ask()
  const cpu = (cpuOf(after) - before) / requests
  process.stdout.write(
    `db_mode ${mode}: ${report.perSecond.toFixed(0)}/s, answered ${report.ok} of ${report.sent}, p50 ${report.p50Microseconds} us, ` +
      `p99 ${report.p99Microseconds} us, ${cpu.toFixed(1)} us of CPU each; ${after.replace(/ cpu.*/, '')}\n`,
  )
  await router.stop()
  rmSync(folder, { recursive: true, force: true })
}
