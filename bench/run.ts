import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { compared } from './comparison.ts'
import { type Idle, measureIdle } from './idle.ts'
import { type LocationFigures, measureLocation } from './location.ts'
import { type Footprint, measureFootprint } from './memory.ts'
import { readOptions } from './options.ts'
import { scenario, scenarioNames } from './scenarios.ts'
import { type Measured, measureScenario } from './session.ts'
import { idleMarkdown, locationMarkdown, memoryMarkdown, scenarioMarkdown, workersMarkdown } from './table.ts'
import { measureWorkers, type Throughput } from './workers.ts'

/** `npm run bench`: measures, prints, and ends with 0 unless something could not be measured. README.md says how. */
/** Threads of one server that wait for each other come to half of this; more is somebody else's doing. */
const waitingMax = 0.5

const options = readOptions(process.argv)
const measured: Measured[] = []
const footprints: Footprint[] = []
const idle: Idle[] = []
const locations: LocationFigures[] = []
const throughputs: Throughput[] = []
const failures: string[] = []

for (const subject of options.subjects) {
  try {
    if (scenarioNames.includes(subject)) {
      measured.push(...(await measureScenario(scenario(subject), options, progress)))
    } else if (subject === 'memory') footprints.push(...(await measureFootprint(options, progress)))
    else if (subject === 'idle') idle.push(...(await measureIdle(options, progress)))
    else if (subject === 'workers') throughputs.push(...(await measureWorkers(options, progress)))
    else locations.push(...(await measureLocation(options, progress)))
  } catch (error) {
    failures.push(`${subject}: ${error instanceof Error ? error.message : error}`)
  }
}

const comparisons = compared(measured)
for (const engine of new Set(comparisons.map(({ engine }) => engine))) {
  if (engine !== null) console.log(`Viaduct reads and writes UDP with: ${engine}\n`)
}
const tables = [
  scenarioMarkdown(comparisons),
  memoryMarkdown(footprints),
  idleMarkdown(idle),
  locationMarkdown(locations),
  workersMarkdown(throughputs),
]
console.log(tables.filter((table) => table !== '').join('\n\n'))
for (const { scenario, rate, isClean } of comparisons) {
  if (!isClean) failures.push(`${scenario} at ${rate}: no run without losses or retransmissions`)
}
const crowded = measured.filter(({ run }) => run.waiting > waitingMax)
if (crowded.length > 0) {
  const where = crowded.map(({ server, scenario, rate }) => `${server} ${scenario} ${rate}`)
  console.log(`\nThe machine was busy with other things: ${where.join(', ')}. Measure again.`)
}
for (const failure of failures) console.error(`not measured: ${failure}`)
if (failures.length > 0) process.exitCode = 1
if (options.json !== null) {
  const document = {
    date: new Date().toISOString(),
    commit: commit(options.settings.checkout ?? '.'),
    machine: { processor: cpus()[0]?.model, processors: cpus().length, node: process.version },
    options,
    comparisons,
    measured,
    footprints,
    idle,
    locations,
    throughputs,
    failures,
  }
  writeFileSync(options.json, `${JSON.stringify(document, null, 2)}\n`)
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}

function commit(checkout: string): string | null {
  try {
    const args = ['-C', checkout, 'rev-parse', '--short', 'HEAD']
    return execFileSync('git', args, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}
