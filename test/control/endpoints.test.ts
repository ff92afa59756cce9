import { expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { controlEndpointsOf, loadScript } from '../../src/script/engine.ts'

/** Where the modules of a script want commands to be served; no module runs for that. */
async function endpointsOf(lines: string) {
  const text = `loadmodule "jsonrpcs.so"\nloadmodule "ctl.so"\n${lines}\nrequest_route { exit; }`
  const { loaded, diagnostics } = await loadScript({ path: 'x.cfg', text, compiler })
  if (loaded === null) throw new Error(JSON.stringify(diagnostics))
  return controlEndpointsOf(loaded)
}

const set = (module: string, name: string, value: string | number) =>
  `modparam("${module}", "${name}", ${typeof value === 'number' ? value : `"${value}"`})\n`
const fifo = set('jsonrpcs', 'fifo_name', '/run/x.fifo')

test.each([
  ['nothing is named', '', []],
  [
    'a FIFO',
    fifo,
    [{ kind: 'fifo', path: '/run/x.fifo', mode: 0o660, replyDirectory: '/tmp/', pretty: true }],
  ],
  [
    'a FIFO with all that belongs to it',
    `${fifo}modparam("jsonrpcs", "fifo_mode", 0600)\n${set('jsonrpcs', 'fifo_user', 'nobody')}${set('jsonrpcs', 'fifo_group', 7)}` +
      `${set('jsonrpcs', 'fifo_reply_dir', '/run/replies')}${set('jsonrpcs', 'pretty_format', 0)}`,
    [
      {
        kind: 'fifo',
        path: '/run/x.fifo',
        mode: 0o600,
        user: 'nobody',
        group: '7',
        replyDirectory: '/run/replies',
        pretty: false,
      },
    ],
  ],
  ['transport leaves the FIFO out', fifo + set('jsonrpcs', 'transport', 1), []],
  [
    'sockets of ctl, however they are written',
    ['unixs:/a', 'unix:/b', '/c'].map((text) => set('ctl', 'binrpc', text)).join(''),
    [
      { kind: 'binrpc', path: '/a', mode: 0o600 },
      { kind: 'binrpc', path: '/b', mode: 0o600 },
      { kind: 'binrpc', path: '/c', mode: 0o600 },
    ],
  ],
  [
    'what is not served',
    set('jsonrpcs', 'dgram_socket', '/run/x.sock') +
      set('ctl', 'binrpc', 'unixd:/x') +
      set('ctl', 'binrpc', 'tcp:3012'),
    [
      { kind: 'unserved', what: 'jsonrpcs dgram_socket /run/x.sock', why: expect.any(String) },
      { kind: 'unserved', what: 'ctl binrpc unixd:/x', why: expect.any(String) },
      { kind: 'unserved', what: 'ctl binrpc tcp:3012', why: expect.any(String) },
    ],
  ],
])('%s', async (_, lines, expected) => {
  expect(await endpointsOf(lines)).toEqual(expected)
})
