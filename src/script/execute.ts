import type { Place, RouteFunction } from '../../grammar/program.ts'
import type { ScriptRun } from './route-context.ts'

/**
 * Runs one route to its end. A function or variable that throws costs this run, and a request that nobody has
 * answered a 500; the log says which line of the script it was. The process goes on.
 *
 * Hot.
 */

/** Nothing if the route ran through; a promise, which never rejects, if it waits. `run.outcome` says how it ended. */
export function execute(run: ScriptRun, route: RouteFunction): void | Promise<void> {
  try {
    const rc = route(run)
    if (typeof rc !== 'number') return suspended(run, rc)
    run.outcome = rc
  } catch (error) {
    fail(run, error)
  }
}

/**
 * What a run does after its deadline has no effect: the functions that wait throw this when they come back, which
 * ends the run wherever it is.
 */
export class RunAbandoned extends Error {
  override readonly name = 'RunAbandoned'
}

function suspended(run: ScriptRun, ending: Promise<number>): Promise<void> {
  const { gate, services } = run.surroundings
  if (gate.isFull) {
    ending.catch(() => undefined)
    services.log.error(run.logFields(), 'too many script runs wait already: this one is given up')
    abandon(run, 503, 'Service Unavailable')
    return Promise.resolve()
  }
  const mustAbsorb = run.kind === 'request' && run.transaction === null
  if (mustAbsorb) services.transactions.setPending(run.message, true)
  return new Promise((resolve) => {
    const finish = () => {
      if (mustAbsorb) services.transactions.setPending(run.message, false)
      resolve()
    }
    const wait = gate.enter(() => {
      services.log.error(run.logFields(), 'the script waited too long: given up')
      abandon(run, 500, 'Server Time-out')
      finish()
    })
    ending.then(
      (rc) => {
        if (!gate.leave(wait)) return
        run.outcome = rc
        finish()
      },
      (error: unknown) => {
        if (!gate.leave(wait)) {
          if (!(error instanceof RunAbandoned)) report(run, error)
          return
        }
        fail(run, error)
        finish()
      },
    )
  })
}

function fail(run: ScriptRun, error: unknown): void {
  run.hasFailed = true
  run.ended = 1
  report(run, error)
  answerFailure(run, 500, 'Server Internal Error')
}

/** Whatever the run still does when it comes back has no effect. */
function abandon(run: ScriptRun, statusCode: number, reason: string): void {
  answerFailure(run, statusCode, reason)
  run.isAbandoned = true
  run.ended = 1
}

function report(run: ScriptRun, error: unknown): void {
  const { services, countFailure } = run.surroundings
  countFailure(run.kind)
  services.log.error({ ...run.logFields(), err: error }, `${whereIn(run.place)} threw: ${messageOf(error)}`)
}

/** Only who has neither answered nor relayed gets an answer now: never two final ones. */
function answerFailure(run: ScriptRun, statusCode: number, reason: string): void {
  const { transaction } = run
  if (run.kind !== 'request' || run.isReplied) return
  if (transaction !== null && (transaction.isAnswered || transaction.branches.length > 0)) return
  run.reply(statusCode, reason)
}

/** `t_relay() at edge.cfg:14` */
function whereIn(place: Place | null): string {
  return place === null ? 'the script' : `${place.text} at ${place.file}:${place.line}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
