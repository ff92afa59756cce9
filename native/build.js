// Builds the native UDP engine: one call of the C compiler. npm runs it at the end of an installation.
// Plain JavaScript, for the Node.js that happens to run npm: docs/decisions/0014-native-udp.md.
//
// Whatever is missing, this ends with 0 and a line that says so: the router works without it, with node:dgram.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const output = join(here, 'build', 'udp.node')

/** With uv.h beside node_api.h. First those of the Node.js that a checkout brings, then those of this one. */
const headers = [
  ...['x64', 'arm64'].map((cpu) => join(here, '..', 'node_modules', `node-linux-${cpu}`, 'include', 'node')),
  join(dirname(process.execPath), '..', 'include', 'node'),
].find((folder) => existsSync(join(folder, 'node_api.h')) && existsSync(join(folder, 'uv.h')))

const compilers = process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang']

const failure = build()
if (failure === null) {
  console.log('viaduct: the native UDP engine is built')
} else {
  console.log(`viaduct: no native UDP engine, node:dgram is used instead: ${failure}`)
}

/** Null, or why there is none. */
function build() {
  // What an earlier installation has built may be for other sources.
  rmSync(output, { force: true })
  if (process.platform !== 'linux') return `it is for Linux, this is ${process.platform}`
  if (headers === undefined)
    return `there are no headers of Node.js (node_api.h, uv.h) beside ${process.execPath}`
  try {
    mkdirSync(dirname(output), { recursive: true })
  } catch (error) {
    return error.message
  }
  for (const compiler of compilers) {
    const { status, error, stderr } = compile(compiler)
    if (error?.code === 'ENOENT') continue
    if (error || status !== 0) return `${compiler} failed: ${error?.message ?? stderr.trim()}`
    // Never half a file where a router that starts now looks for it.
    renameSync(`${output}.new`, output)
    return null
  }
  return `there is no C compiler (${compilers.join(', ')})`
}

function compile(compiler) {
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Wno-unused-parameter', '-fPIC', '-shared']
  const sources = ['udp.c', 'datagrams.c', 'bursts.c', 'scan.c', 'digest.c'].map((name) => join(here, name))
  return spawnSync(compiler, [...flags, '-isystem', headers, '-o', `${output}.new`, ...sources], {
    encoding: 'utf8',
  })
}
