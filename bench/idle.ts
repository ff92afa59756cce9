import { cpuTimeOf } from './process-tree.ts'
import { scenario } from './scenarios.ts'
import { pause, Server, type ServerName } from './server.ts'
import { settled, type Turns } from './session.ts'

/** What a server uses while nothing happens: its timers, and whatever else wakes it. */
export interface Idle {
  readonly server: ServerName
  readonly seconds: number
  /** Of one processor. */
  readonly percent: number
}

const seconds = 10

export async function measureIdle(turns: Turns, progress: (text: string) => void): Promise<Idle[]> {
  const found: Idle[] = []
  for (const name of turns.servers) {
    progress(`idle: ${name}, ${seconds} s`)
    const server = await Server.start(name, scenario('b'), {
      ...turns.settings,
      port: turns.stand.serverPort,
    })
    try {
      await settled()
      // What a start leaves to be done, such as compiling, is not idleness.
      await pause(2)
      const before = cpuTimeOf(server.pid).totalSeconds
      await pause(seconds)
      const used = cpuTimeOf(server.pid).totalSeconds - before
      found.push({ server: name, seconds, percent: (used / seconds) * 100 })
    } finally {
      await server.stop()
    }
  }
  return found
}
