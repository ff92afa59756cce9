import { RpcFault } from '../plugin/rpc-fault.ts'
import type { Engine } from '../script/engine.ts'
import type { ListenSocket, SocketTable } from '../transport/socket.ts'
import type { Method } from './methods.ts'
import { method } from './process-methods.ts'

/** Methods of one worker: what its modules declare, and what the core of Kamailio 5.6.3 tells about sockets and script. */
export interface RouterView {
  readonly engine: Pick<Engine, 'loaded' | 'rpc'>
  readonly sockets: Pick<SocketTable, 'sockets'>
}

export function routerMethods({ engine, sockets }: RouterView): Method[] {
  const { program, plugins } = engine.loaded
  return [
    ...moduleMethods(engine),
    method('core.modules', 'The modules of the script, the last one first.', () =>
      plugins.map(({ request }) => request.name).toReversed(),
    ),
    method('core.ppdefines', 'The names that the preprocessor knows.', () => [...program.defines.keys()]),
    method('core.ppdefines_full', 'The same with their values.', () =>
      [...program.defines].map(([name, value]) => ({ name, type: 0, value: value === '' ? 'none' : value })),
    ),
    method('core.sockets_list', 'The sockets that are listened on.', () => sockets.sockets.map(described)),
    method('core.aliases_list', 'The names that `alias` declares to be the router.', () => ({
      myself_callbacks: 'no',
      aliases: program.aliases.map(({ transport, host, port }) => ({
        alias: { proto: transport ?? '*', address: host, port: port === 0 ? '*' : String(port) },
      })),
    })),
    method('core.tcp_info', 'Connections: there are none, only UDP is served.', () => {
      throw new RpcFault(500, 'tcp support disabled')
    }),
  ]
}

/** A handler without a declaration cannot be: the loader has compared them. */
function moduleMethods({ loaded, rpc }: RouterView['engine']): Method[] {
  return loaded.plugins.flatMap(({ definition }) =>
    Object.entries(definition.rpc ?? {}).flatMap(([name, declaration]) => {
      const run = rpc.get(name)
      return run === undefined ? [] : [{ ...declaration, name, run }]
    }),
  )
}

function described({ transport, advertisedAddress, address, port }: ListenSocket) {
  return {
    socket: {
      proto: transport,
      address: advertisedAddress,
      ipaddress: address,
      port: String(port),
      mcast: 'no',
      mhomed: 'no',
      virtual: 'no',
    },
  }
}
