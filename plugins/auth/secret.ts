import type { PluginHost } from '../../src/plugin/index.ts'

/** As many octets as SHA-256 yields. */
const secretOctets = 32

/**
 * What signs the nonces. Made once and kept in table `auth`, so that clients need no new challenge after a restart;
 * parameter `secret` is for several routers that stand for one another.
 */
export async function nonceSecret(host: PluginHost, given: string | undefined): Promise<Buffer> {
  if (given !== undefined && given !== '') return Buffer.from(given, 'latin1')
  const table = host.openTable<{ hex: string }>('auth')
  const kept = table.get('secret')
  if (kept !== undefined) return Buffer.from(kept.hex, 'hex')
  // Workers that start at the same time all find none: they must make the same.
  const hex =
    host.workers.count === 1
      ? host.random.hex(secretOctets)
      : Buffer.from(host.workers.sharedKey('auth.secret')).toString('hex')
  await table.put('secret', { hex })
  return Buffer.from(hex, 'hex')
}
