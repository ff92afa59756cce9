import { definePlugin } from '../../src/plugin/index.ts'

const noPorts =
  'a unix stream socket has an owner and a mode, a port has none: use unixs:/path, or viaduct ctl'
const notHere = 'a unix stream socket is all that is served'

export default definePlugin({
  name: 'ctl',
  summary:
    "Kamailio's binary protocol for commands (kamcmd) over unix stream sockets. viaduct ctl does without this module.",
  params: {
    binrpc: {
      type: 'string',
      repeatable: true,
      doc: 'A socket, `unixs:/path`, `unix:/path` or `/path`. None unless it is named: Kamailio has a default.',
    },
    mode: { type: 'int', default: 0o600, doc: 'Mode of the sockets.' },
    user: { type: 'either', doc: 'Owner of the sockets, name or number.' },
    group: { type: 'either', doc: 'Group of the sockets, name or number.' },
    fifo: ignored('its line protocol is obsolete: jsonrpcs has a FIFO'),
    binrpc_buffer_size: ignored('buffers have the size that is needed'),
    binrpc_max_body_size: ignored('an answer has a bound of its own, 8 MiB'),
    binrpc_struct_max_body_size: ignored('an answer has a bound of its own, 8 MiB'),
    autoconversion: ignored('parameters are converted where that means something'),
    fifo_reply_retries: ignored(notHere),
    fifo_reply_wait: ignored(notHere),
  },
  control: ({ binrpc, mode, user, group }) =>
    binrpc.map((text) => {
      const path = pathOf(text)
      if (path === null) return { kind: 'unserved', what: `ctl binrpc ${text}`, why: noPorts }
      return {
        kind: 'binrpc',
        path,
        mode,
        ...(user !== undefined && { user: String(user) }),
        ...(group !== undefined && { group: String(group) }),
      }
    }),
})

/** Null if it is no unix stream socket. */
function pathOf(text: string): string | null {
  return /^(?:unixs?:)?(\/.*)$/.exec(text)?.[1] ?? null
}

function ignored(why: string) {
  return { type: 'either', ignored: why, doc: "Parameter of Kamailio's ctl." } as const
}
