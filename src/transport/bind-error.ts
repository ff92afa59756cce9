import { networkInterfaces } from 'node:os'
import type { ListenRequest } from './socket.ts'

/** Why a socket could not be bound, for the person who reads it: what, why, what to do. */
export function bindError(request: ListenRequest, cause: unknown): Error {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const { transport, address, port } = request
  const where = `${transport}:${address.includes(':') ? `[${address}]` : address}:${port}`
  return new Error(`cannot listen on ${where}: ${reason(code, request, cause)}`, { cause })
}

function reason(code: string, { address, port }: ListenRequest, cause: unknown): string {
  switch (code) {
    case 'EADDRINUSE':
      return (
        `another program uses that port (EADDRINUSE). See which one with: ss -lunp 'sport = :${port}'; ` +
        'stop it, or listen on another port'
      )
    case 'EACCES':
      return (
        `ports below 1024 are for privileged programs (EACCES). Listen on a port from 1024 to 65535, ` +
        'or allow it with: setcap cap_net_bind_service=+ep on the node program'
      )
    case 'EADDRNOTAVAIL':
      return (
        `this host has no such address (EADDRNOTAVAIL). It has ${ownAddresses().join(', ')}. ` +
        'Behind a NAT, listen on the private address and advertise the public one: ' +
        `listen=udp:PRIVATE:${port} advertise ${address}:${port}`
      )
    case 'EAFNOSUPPORT':
      return 'this host does not speak that address family (EAFNOSUPPORT): IPv6 is switched off'
    default:
      return cause instanceof Error ? cause.message : String(cause)
  }
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map(({ address }) => address),
  )
}
