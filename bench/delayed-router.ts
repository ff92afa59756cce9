import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A router of the sources that says how late its event loop is (loop-delay.ts). */
export interface DelayedRouter {
  /** One line: how late the loop was since the last question, and the processor time so far. */
  ask(): Promise<string>
  stop(): Promise<void>
}

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** @param words what follows `viaduct run` */
export async function startDelayedRouter(words: readonly string[]): Promise<DelayedRouter> {
  const router = spawn(
    process.execPath,
    ['--import', at('./loop-delay.ts'), at('../src/main.ts'), 'run', ...words],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const ended = new Promise<void>((done) => router.once('exit', () => done()))
  const told: string[] = []
  createInterface({ input: router.stdout }).on('line', (line) => told.push(line))
  await new Promise<void>((started, failed) => {
    createInterface({ input: router.stderr }).on('line', (line) => line.includes(' runs ') && started())
    void ended.then(() => failed(new Error('the router did not start')))
  })
  return {
    async ask() {
      const before = told.length
      router.kill('SIGUSR2')
      while (told.length === before) await new Promise((next) => setTimeout(next, 20))
      return told[told.length - 1] ?? ''
    },
    async stop() {
      router.kill('SIGTERM')
      await ended
    },
  }
}
