import { join, resolve } from 'node:path'
import { ControlServer } from '../control/control-server.ts'
import type { Responder } from '../control/methods.ts'
import { MethodTable, Responders } from '../control/methods.ts'
import { type ProcessView, processMethods } from '../control/process-methods.ts'
import type { ControlEndpoint, UnservedEndpoint } from '../plugin/plugin.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type Identity, identityOf } from './privileges.ts'

/** The control interface of a router that runs: where it is, whose it is, and who answers. */
export interface ControlSettings {
  /** `--control`: a path, `none`, or nothing. */
  readonly wished: string | undefined
  /** The data directory, null where nothing is kept. */
  readonly directory: string | null
  /** Whom the process is about to become. */
  readonly identity: Identity | null
}

export type Endpoints = readonly (ControlEndpoint | UnservedEndpoint)[]

export const controlSocketName = 'control.sock'

/**
 * Opens the socket, and what modules of the script ask for besides. What somebody named must work. The socket that
 * nobody named need not: if another router has the data directory, the store says so next, and whose it is.
 *
 * @throws Error that says what to do; what was opened before is closed again.
 */
export async function openControl(
  { wished, directory, identity }: ControlSettings,
  endpoints: Endpoints,
  clock: Clock,
  log: Log,
): Promise<ControlServer> {
  const server = new ControlServer(clock, log)
  const owner = ownerOf(identity)
  try {
    const path = wished ?? (directory === null ? 'none' : join(directory, controlSocketName))
    if (path !== 'none') {
      const makesDirectory = wished === undefined
      await server.openSocket({ path, mode: 0o600, owner, makesDirectory }).catch((error: Error) => {
        if (wished !== undefined) throw error
        server.miss({ path }, `there is no control socket: ${error.message}`)
      })
    }
    for (const endpoint of endpoints) {
      if (endpoint.kind === 'unserved') {
        server.miss({ asked: endpoint.what }, `${endpoint.what} is not served: ${endpoint.why}`)
        continue
      }
      const found = { ...endpoint, path: resolve(directory ?? '.', endpoint.path) }
      await server.openEndpoint(found, ownerOf(identityFor(endpoint)) ?? owner)
    }
  } catch (error) {
    server.close()
    throw new Error(`the control interface: ${(error as Error).message}`, { cause: error })
  }
  return server
}

/** What the process answers, and what its router does. */
export function responderOf(
  router: Responder,
  view: Pick<ProcessView, 'clock' | 'threads'>,
  log: Log,
): Responder {
  const methods = () => all.methods()
  const signal = (number: number) => void process.kill(process.pid, number)
  const own = processMethods({ ...view, args: process.argv.slice(2), methods, signal })
  const all = new Responders([new MethodTable(own, view.clock, log), router])
  return all
}

function identityFor({ user, group }: ControlEndpoint): Identity | null {
  return identityOf(user, group)
}

function ownerOf(identity: Identity | null): { uid: number; gid: number } | undefined {
  if (identity === null) return undefined
  return { uid: identity.uid ?? process.geteuid?.() ?? 0, gid: identity.gid }
}
