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

test('row 70: no package runs a script when it is installed: those that want to are named and refused', () => {
  const { packages } = read<Lock>('package-lock.json')
  const { allowScripts, scripts } = read<Manifest>('package.json')
  const wanting = Object.entries(packages)
    .filter(([, { hasInstallScript, dev }]) => hasInstallScript === true && dev !== true)
    .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))
  expect(wanting.filter((name) => allowScripts[name] !== false)).toEqual([])
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
    expect(scripts[name]).toBeUndefined()
})
