import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean; readonly dev?: boolean }>>
}

interface Manifest {
  readonly allowScripts: Readonly<Record<string, boolean>>
  readonly scripts: Readonly<Record<string, string>>
}

const read = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T

test('row 70: no dependency runs a script when it is installed: those that want to are named and refused', () => {
  const { packages } = read<Lock>('package-lock.json')
  const { allowScripts, scripts } = read<Manifest>('package.json')
  const wanting = Object.entries(packages)
    .filter(([path, { hasInstallScript, dev }]) => path !== '' && hasInstallScript === true && dev !== true)
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))
  expect(wanting.filter((name) => allowScripts[name] !== false)).toEqual([])
  // Our own compiles two files of C that are in the package, and fetches nothing: docs/decisions/0014-native-udp.md.
  expect(scripts['install']).toBe('node native/build.js')
  expect(readFileSync('native/build.js', 'utf8')).not.toMatch(/https?:|node:net|fetch\(/)
  for (const name of ['preinstall', 'postinstall', 'prepare']) expect(scripts[name]).toBeUndefined()
})
