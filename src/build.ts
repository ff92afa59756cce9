/**
 * `npm run build`: emits what is published. JavaScript and declarations go to dist/, in the layout of the sources,
 * so that every relative path in the code means the same there. `npm pack` runs it first (package.json, prepack).
 */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
const compiler = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url))
const { status, error } = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (error) process.stderr.write(`cannot run the TypeScript compiler: ${error.message}; npm ci installs it\n`)
process.exitCode = status ?? 1
