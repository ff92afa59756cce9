import type { Log } from '../runtime/log.ts'

/**
 * An error that nobody caught: a plugin's timer that throws, a promise that a plugin forgot. It costs a line in the
 * log and what it interrupted, as a datagram that meets a defect does (intake.ts), not the calls of everybody else.
 */
export function keepRunning(log: Log): void {
  process.on('uncaughtException', (error) => report(log, error, 'an error that nobody caught'))
  process.on('unhandledRejection', (error) => report(log, error, 'a rejected promise that nobody waits for'))
}

function report(log: Log, error: unknown, what: string): void {
  log.error({ err: error }, `${what}: ${error instanceof Error ? error.message : String(error)}`)
}
