import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { compareProbes } from './compare.ts'

/** Addresses from a file that both read. */
const folder = mkdtempSync(join(tmpdir(), 'viaduct-permissions-'))
const file = join(folder, 'address.list')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

writeFileSync(
  file,
  `# group address mask port tag
1 127.0.0.1 32 0 local
2 192.0.2.0 24 0 net # behind the record

2 198.51.100.7 32 5070 port
3 127.0.0.0 8 0 loop
4 2001:db8:: 32 0 six
5 192.0.2.9
`,
)

const show = 'append_hf("X-Tag: $avp(tag)\\r\\n");'

compareProbes(
  'permissions',
  `loadmodule "permissions.so"
modparam("permissions", "address_file", "${file}")
modparam("permissions", "peer_tag_avp", "$avp(tag)")`,
  [
    'allow_source_address()',
    'allow_source_address("1")',
    'allow_source_address("2")',
    'allow_source_address("3")',
    'allow_source_address("9")',
    'allow_address("2", "192.0.2.77", "5060")',
    'allow_address("2", "192.0.3.77", "5060")',
    'allow_address("2", "198.51.100.7", "5070")',
    'allow_address("2", "198.51.100.7", "5060")',
    'allow_address("4", "2001:db8::1", "5060")',
    'allow_address("5", "192.0.2.9", "5060")',
    'allow_address("5", "192.0.2.8", "5060")',
    'allow_address("1", "nonsense", "5060")',
    'allow_source_address_group()',
    'allow_address_group("192.0.2.1", "5060")',
    'allow_address_group("203.0.113.1", "5060")',
  ].map((call) => ({ title: call, script: `$avp(tag) = "none"; $var(x) = ${call}; ${show}` })),
)
