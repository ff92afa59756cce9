import { createHmac, timingSafeEqual } from 'node:crypto'
import { type PluginHost, paramOf } from '../../src/plugin/index.ts'

/**
 * Signed Record-Route values: a parameter that only we can write, bound to the Call-ID. A Route header is a wish of
 * whoever sends it; without a signature anybody can make up a dialog (a To tag, a Route that names us) and have a
 * request relayed to anywhere (RFC 3261 §26.2 leaves that to local policy; RFC 5626 §5.2 signs for the same reason).
 */
export interface RouteSigner {
  /** `;sig=...` for the dialogs of this Call-ID. */
  paramFor(callId: string): string
  /** True if these URI parameters, with or without the leading semicolon, carry the signature of this Call-ID. */
  isSigned(params: string, callId: string): boolean
}

/** 64 bits: as much as one request per guess can be asked to find. */
const signatureHexDigits = 16
const secretOctets = 32

/** The secret is kept in table `rr`: dialogs outlive a restart. Parameter `secret` is for routers that share them. */
export async function createRouteSigner(host: PluginHost, given: string): Promise<RouteSigner> {
  const secret = given === '' ? await keptSecret(host) : given
  const signatureOf = (callId: string) =>
    createHmac('sha256', secret).update(callId, 'latin1').digest('hex').slice(0, signatureHexDigits)
  return {
    paramFor: (callId) => `;sig=${signatureOf(callId)}`,
    isSigned(params, callId) {
      const claimed = paramOf(params.startsWith(';') ? params.slice(1) : params, 'sig') ?? ''
      if (claimed.length !== signatureHexDigits) return false
      return timingSafeEqual(Buffer.from(claimed, 'latin1'), Buffer.from(signatureOf(callId), 'latin1'))
    },
  }
}

async function keptSecret(host: PluginHost): Promise<string> {
  const table = host.openTable<{ hex: string }>('rr')
  const kept = table.get('secret')
  if (kept !== undefined) return kept.hex
  const hex = host.random.hex(secretOctets)
  await table.put('secret', { hex })
  return hex
}
