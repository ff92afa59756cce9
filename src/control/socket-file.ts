import { chmodSync, lchownSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'

/** A unix stream socket in the file system: made for one owner, put in the place of one that nobody serves any more. */
export interface SocketFileOptions {
  readonly path: string
  readonly mode: number
  /** Whose it becomes; ours if absent. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** The directory is made if it is not there. */
  readonly makesDirectory?: boolean
}

/** What struct sockaddr_un has room for, its final zero left out. */
const pathOctetsMax = 107

/**
 * Refuses what is there and is no socket, or a socket that somebody serves.
 *
 * @throws Error that says what to do.
 */
export async function openSocketFile(
  { path, mode, owner, makesDirectory }: SocketFileOptions,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  if (Buffer.byteLength(path) > pathOctetsMax) {
    throw new Error(`the path of a socket has at most ${pathOctetsMax} octets: ${path}`)
  }
  if (makesDirectory === true) mkdirSync(dirname(path), { recursive: true, mode: 0o750 })
  await removeStale(path)
  const server = createServer({ allowHalfOpen: true }, onConnection)
  await listen(server, path, mode)
  chmodSync(path, mode)
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid)
  return server
}

/** The file has its mode from the moment it exists: a socket is made as umask says. */
async function listen(server: Server, path: string, mode: number): Promise<void> {
  const before = process.umask(0o777 & ~mode)
  const bound = new Promise<AddressInfo | string | null>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve(server.address()))
  })
  process.umask(before)
  try {
    await bound
  } catch (cause) {
    throw new Error(`cannot listen on ${path}: ${(cause as Error).message}`, { cause })
  }
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${path} is there and is no socket: remove it, or name another file`)
  const answer = await knock(path)
  if (answer === null) throw new Error(`${path} is served by another process: stop it, or name another file`)
  if (answer !== 'ECONNREFUSED' && answer !== 'ENOENT') {
    throw new Error(`cannot find out who serves ${path}: ${answer}`)
  }
  if (answer === 'ECONNREFUSED') unlinkSync(path)
}

/** Null if somebody answers, else why not. */
function knock(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = dial(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(null)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
