import { readFileSync } from 'node:fs'

/** The text of a script's file as Latin-1, as the compiler reads it; null if it cannot be read. */
export function readScript(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return null
  }
}
