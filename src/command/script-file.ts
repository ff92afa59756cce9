import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The text of a script's file as Latin-1, as the compiler reads it; null if it cannot be read. */
export function readScript(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null
  }
}

/**
 * The script that runs if none is named: the host's own, else the one that comes with Viaduct.
 *
 * @throws Error if there is neither.
 */
export function defaultScript(): string {
  const ofHost = '/etc/viaduct/viaduct.cfg'
  if (existsSync(ofHost)) return ofHost
  const candidates = ['../../routes/edge.cfg', '../../../routes/edge.cfg']
  const found = candidates
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))
  if (found === undefined) throw new Error(`no script: name one with -f FILE, or put it at ${ofHost}`)
  return found
}
