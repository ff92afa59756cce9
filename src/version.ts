import { readFileSync } from 'node:fs'

/** Our version, from package.json: two levels up from src/, three from dist/src/. */
export const version: string = readVersion()

function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8')
      const { name, version: found } = JSON.parse(text) as { name?: string; version?: string }
      if (name === 'viaduct' && found !== undefined) return found
    } catch {
      // Not there: try the next one.
    }
  }
  return '0.0.0'
}
