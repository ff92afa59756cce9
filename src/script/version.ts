import { arch, platform } from 'node:process'

/** The Kamailio whose language, functions and habits scripts may rely on: KAMAILIO_5_6_3, `$version(num)`. */
export const compatibleVersion = { major: 5, minor: 6, patch: 3 } as const

const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i386' }

/** `$version(num|full|hash)`. */
export function builtInVersion(part: string): string {
  const { major, minor, patch } = compatibleVersion
  const number = `${major}.${minor}.${patch}`
  if (part === 'num') return number
  return part === 'hash' ? 'unknown' : `kamailio ${number} (${architectures[arch] ?? arch}/${platform}) `
}
