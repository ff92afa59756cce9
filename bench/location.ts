import { mkdirSync, rmSync } from 'node:fs'
import { generate, type Stand } from './generator.ts'
import { fillDatabase } from './location-database.ts'
import { measure, middle, register } from './measurement.ts'
import { askUntilAnswered } from './probe.ts'
import { cpuTimeOf, proportionalBytesOf } from './process-tree.ts'
import { type Scenario, scenario } from './scenarios.ts'
import { Server, type ServerName, type ServerSettings, serverFolder } from './server.ts'
import { settled, type Turns } from './session.ts'

/**
 * Scenario g: the location table at scale. What a new contact, a refresh and a lookup cost, what a contact takes, and
 * how long after a crash a server of so many contacts answers again. Kamailio restarts from a SQLite database that
 * is filled beforehand, Viaduct from its own store, killed with SIGKILL after the last REGISTER was answered.
 */
export interface LocationFigures {
  readonly server: ServerName
  readonly contacts: number
  readonly newMicroseconds: number
  readonly refreshMicroseconds: number
  /** A MESSAGE of scenario e at 10,000/s, to users all over the table. */
  readonly messageMicroseconds: number
  /** Growth of PSS while the contacts were registered. */
  readonly bytesPerContact: number
  readonly restart: Restart
}

export interface Restart {
  /** From exec to the first answer. */
  readonly seconds: number
  readonly cpuSeconds: number
  readonly proportionalBytes: number
  /** Of a thousand users asked for right afterwards. */
  readonly found: number
}

export interface LocationTurns extends Turns {
  readonly contacts: readonly number[]
}

/** Bytes of a contact and seconds of a restart, divided by Kamailio's, at a million. */
export const locationBars = { bytesPerContact: 0.45, restart: 0.1 }

/** Users asked for after a restart. */
export const lookedUp = 1_000

export async function measureLocation(
  turns: LocationTurns,
  progress: (text: string) => void,
): Promise<LocationFigures[]> {
  const found: LocationFigures[] = []
  for (const contacts of turns.contacts) {
    for (const server of turns.servers) {
      progress(`g: ${server}, ${contacts} contacts: REGISTER, refresh, lookup`)
      const costs = await measureCosts(server, contacts, turns)
      progress(`g: ${server}, ${contacts} contacts: restart`)
      found.push({ server, contacts, ...costs, restart: await measureRestart(server, contacts, turns) })
    }
  }
  return found
}

async function measureCosts(
  name: ServerName,
  contacts: number,
  { stand, settings }: Turns,
): Promise<Omit<LocationFigures, 'server' | 'contacts' | 'restart'>> {
  const subject = scenario('e')
  const server = await Server.start(name, subject, { ...settings, port: stand.serverPort })
  try {
    await settled()
    await warmed(stand, subject)
    const registered = async () => {
      const before = cpuTimeOf(server.pid).totalSeconds
      await register(stand, contacts)
      return ((cpuTimeOf(server.pid).totalSeconds - before) / contacts) * 1e6
    }
    const before = proportionalBytesOf(server.pid)
    const newMicroseconds = await registered()
    const bytesPerContact = (proportionalBytesOf(server.pid) - before) / contacts
    const refreshMicroseconds = await registered()
    const costs: number[] = []
    for (let run = 0; run < 3; run++) {
      const load = { play: subject.load, users: contacts, requests: 20_000, rate: 10_000 }
      costs.push((await measure(server, stand, load)).cpuMicroseconds)
    }
    return { newMicroseconds, refreshMicroseconds, bytesPerContact, messageMicroseconds: middle(costs) }
  } finally {
    await server.stop()
  }
}

/** The same few users again and again: V8 compiles what will be measured, and the table stays as good as empty. */
async function warmed(stand: Stand, { load: play }: Scenario): Promise<void> {
  const few = { users: 100, requests: 20_000, rate: 'sat' } as const
  await generate(stand, { ...few, play: ['-m', 'reg'] })
  await generate(stand, { ...few, play })
}

async function measureRestart(name: ServerName, contacts: number, turns: Turns): Promise<Restart> {
  const folder = serverFolder(name, turns.stand.serverPort)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  if (name === 'viaduct') return await restartFromStore(`${folder}restarted`, contacts, turns)
  fillDatabase(`${folder}location.sqlite`, contacts, turns.stand)
  // A million rows are read through private memory: with less it stays mute for minutes.
  const privateMebibytes = contacts >= 500_000 ? 2_000 : 256
  return await restart(name, contacts, turns, { WITH_SQLITE: '' }, { privateMebibytes })
}

async function restartFromStore(data: string, contacts: number, turns: Turns): Promise<Restart> {
  const defines = { WITH_STORE: '' }
  const settings = { ...turns.settings, port: turns.stand.serverPort, data }
  const first = await Server.start('viaduct', { ...scenario('e'), defines }, settings)
  try {
    await settled()
    await register(turns.stand, contacts)
  } finally {
    await first.kill()
  }
  return await restart('viaduct', contacts, turns, defines, { data })
}

async function restart(
  name: ServerName,
  contacts: number,
  { stand, settings }: Turns,
  defines: Readonly<Record<string, string>>,
  more: Partial<ServerSettings>,
): Promise<Restart> {
  const startedAt = performance.now()
  const subject = { ...scenario('e'), defines }
  const server = await Server.start(name, subject, { ...settings, ...more, port: stand.serverPort })
  try {
    await askUntilAnswered(stand.serverPort)
    const seconds = (performance.now() - startedAt) / 1_000
    const cpuSeconds = cpuTimeOf(server.pid).totalSeconds
    const proportionalBytes = proportionalBytesOf(server.pid)
    const load = { play: ['-m', 'msg', '-D', '1'], users: contacts, requests: lookedUp, rate: 2_000 }
    const { sent, lost } = await measure(server, stand, load)
    return { seconds, cpuSeconds, proportionalBytes, found: sent - lost }
  } finally {
    await server.stop()
  }
}
