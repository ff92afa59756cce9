import { readFileSync } from 'node:fs'
import { isFault, scanMessage } from '../../src/sip/scan.ts'

/** The torture messages of RFC 4475 and RFC 5118, byte for byte, and what may become of each. */
export interface TortureCase {
  /** `4475-wsinv` */
  readonly name: string
  /** As Latin-1 text. */
  readonly text: string
  readonly isValid: boolean
  /** `F` forwarded, a status code, `D` silently dropped. */
  readonly acceptable: readonly string[]
  readonly note: string
}

const folder = new URL('./messages/', import.meta.url)

export const tortureCases: readonly TortureCase[] = readFileSync(new URL('expectations.tsv', folder), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [file = '', validity, acceptable = '', note = ''] = line.split('\t')
    return {
      name: file.replace('.dat', ''),
      text: readFileSync(new URL(file, folder), 'latin1'),
      isValid: validity === 'valid',
      acceptable: acceptable.split('|'),
      note,
    }
  })

export function tortureCase(name: string): TortureCase {
  const found = tortureCases.find((torture) => torture.name === name)
  if (found === undefined) throw new Error(`there is no torture message ${name}`)
  return found
}

/** What the scan alone says: `D`, a status code, or `pass` for what goes on to the script or the transactions. */
export function scanVerdict(text: string): string {
  const result = scanMessage(text)
  if (isFault(result)) return 'D'
  return result.fault === null ? 'pass' : String(result.fault.status)
}
