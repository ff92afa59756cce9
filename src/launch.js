#!/usr/bin/env node
// The command as npm installs it. Plain JavaScript, so that it can speak to any Node.js: docs/decisions/0002-node.md.
import { existsSync } from 'node:fs'

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `viaduct needs Node.js 24 or newer; this is ${process.version}.\n` +
      'In a checkout, `npm ci` brings one: use `npm start -- ...` or `npx viaduct ...`.\n',
  )
  process.exit(1)
}
const emitted = new URL('../dist/src/main.js', import.meta.url)
const source = new URL('./main.ts', import.meta.url)
await import((existsSync(source) ? source : emitted).href)
