import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What users install is what is measured: the compiled build of a checkout, made anew once in a session. */
const built = new Map<string, string>()

export const thisCheckout = fileURLToPath(new URL('..', import.meta.url))

/** The file that node runs. */
export function mainOf(checkout: string, isCompiled: boolean): string {
  if (!isCompiled) return `${checkout}/src/main.ts`
  const known = built.get(checkout)
  if (known !== undefined) return known
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${checkout}/src/build.ts`], {
    cwd: checkout,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${checkout} cannot be built:\n${stdout}${stderr}`)
  const main = `${checkout}/dist/src/main.js`
  built.set(checkout, main)
  return main
}
