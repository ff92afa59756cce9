import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compiler } from '../../grammar/compile.ts'
import { loadScript } from '../../src/script/engine.ts'
import { request, startRouter } from './router.ts'

const directory = mkdtempSync(join(tmpdir(), 'viaduct-load-'))

function write(name: string, text: string): string {
  const path = join(directory, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text, 'latin1')
  return path
}

/** `line code message` of everything that is an error. */
async function errors(text: string, path = join(directory, 'test.cfg')): Promise<string[]> {
  const { diagnostics, loaded } = await loadScript({ path, text, compiler })
  const wrong = diagnostics.filter(({ severity }) => severity === 'error')
  expect(loaded === null).toBe(wrong.length > 0)
  return wrong.map(({ span, code, message, hint }) => `${span?.line} ${code} ${message} ${hint ?? ''}`)
}

const plugin = (more: string) =>
  `import { definePlugin, anyRoute } from 'viaduct/plugin'\nexport default definePlugin({ name: 'mine', summary: 'Mine.', ${more} })\n`

const hello = plugin(`
  params: { greeting: { type: 'string', default: 'hello', doc: 'What to say.' } },
  functions: { greet: { in: anyRoute, args: [{ name: 'whom', type: 'string', doc: 'Whom.' }], returns: { 1: 'always' }, doc: 'Greets.' } },
  setup: ({ log }, params) => ({ functions: { greet(c, whom) { log.info({}, params.greeting + ' ' + whom); return 1 } } }),
`)

describe('loadmodule', () => {
  test.each(['xlog.so', 'xlog', '/usr/lib/x86_64-linux-gnu/kamailio/modules/xlog.so', 'modules/xlog.so'])(
    '"%s" is the built-in module',
    async (name) => {
      expect(await errors(`loadmodule "${name}"\nrequest_route { xlog("x"); }`)).toEqual([])
    },
  )

  test('a file is seen from the script that names it, and may import viaduct/plugin from anywhere', async () => {
    write('plugins/hello.ts', hello)
    const script = 'loadmodule "./plugins/hello.ts"\nrequest_route { greet("$rU"); }'
    const router = await startRouter(script, { path: join(directory, 'edge.cfg') })
    await router.handle(request())
    expect(router.lines()).toEqual(['info: hello bob'])
  })

  test('its parameters are checked and given to setup', async () => {
    write('plugins/hello.ts', hello)
    const script = (value: string) =>
      `loadmodule "./plugins/hello.ts"\nmodparam("hello", "greeting", ${value})\nrequest_route { greet("you"); }`
    const router = await startRouter(script('"good day"'), { path: join(directory, 'edge.cfg') })
    await router.handle(request())
    expect(router.lines()).toEqual(['info: good day you'])
    expect(await errors(script('5'), join(directory, 'edge.cfg'))).toEqual([
      expect.stringMatching(/^2 script\/parameter-type/),
    ])
  })

  test('a package is found from the script’s directory', async () => {
    write(
      'node_modules/viaduct-plugin-mine/package.json',
      '{"name":"viaduct-plugin-mine","type":"module","exports":"./index.js"}',
    )
    write('node_modules/viaduct-plugin-mine/index.js', hello)
    expect(await errors('loadmodule "viaduct-plugin-mine"\nrequest_route { greet("x"); }')).toEqual([])
  })

  test('an unknown module is told with the nearest name', async () => {
    expect(await errors('loadmodule "registar.so"\nrequest_route { exit; }')).toContainEqual(
      '1 script/unknown-module module registar is unknown did you mean registrar?',
    )
    const all = await errors('loadmodule "./nowhere.ts"\nloadmodule "qqqqqqqqqq.so"\nrequest_route { exit; }')
    expect(all.some((line) => line.startsWith('1 script/unknown-module there is no file'))).toBe(true)
    expect(all.some((line) => line.includes('Viaduct has no module of this name'))).toBe(true)
  })

  test.each([
    ['no default export', 'export const x = 1', 'no default export'],
    ['no plugin', 'export default 5', 'not an object'],
    ['a syntax error', 'export default {', 'broken.ts'],
    ['a wrong declaration', plugin('colour: "red"'), 'there is no member colour'],
    ['a module that throws', 'throw new Error("out of order")', 'out of order'],
  ])('%s is a diagnostic at the statement', async (what, text, message) => {
    const name = `broken-${what.replaceAll(' ', '-')}.ts`
    write(name, text.replace('broken.ts', name))
    const [first = ''] = await errors(`\nloadmodule "./${name}"\nrequest_route { exit; }`)
    expect(first).toMatch(/^2 plugin\//)
    expect(first).toContain(message === 'broken.ts' ? name : message)
  })

  test('a function of a module that is not loaded is told with the loadmodule that is missing', async () => {
    const lines = await errors('request_route { t_relay(); $var(x)=$shv(a); }')
    expect(lines.join('\n')).toContain('loadmodule "tm.so"')
    expect(lines.join('\n')).toContain('loadmodule "pv.so"')
  })

  test('a hint names what was probably meant, loaded or not', async () => {
    const lines = await errors(
      'modparam("regstrar", "max_contacts", 1)\nrequest_route { if (!auth_chalenge("x")) exit; }',
    )
    expect(lines).toEqual([
      '1 script/module-not-loaded no loaded module is named regstrar did you mean registrar?',
      expect.stringMatching(
        /^2 script\/unknown-function .*did you mean auth_challenge\? .*loadmodule "auth\.so"$/,
      ),
    ])
  })

  test('one cause, one diagnostic: also when the script is looked at twice for hints', async () => {
    write('broken-once.ts', 'throw new Error("out of order")')
    const lines = await errors(
      'loadmodule "./broken-once.ts"\nloadmodule "nope.so"\nrequest_route { t_relay(); nofunction(); }',
    )
    for (const what of ['out of order', 'module nope is unknown', 'loadmodule "tm.so"']) {
      expect(lines.filter((line) => line.includes(what)).length, what).toBe(1)
    }
  })

  test('all that is wrong is told at once', async () => {
    const lines = await errors('loadmodule "nope.so"\nrequest_route {\n  nofunction();\n  $ru = $nosuch;\n}')
    expect(lines.map((line) => line.split(' ')[0])).toEqual(expect.arrayContaining(['1', '3', '4']))
  })
})

describe('setup', () => {
  const start = (more: string) => {
    const name = `setup-${more.length}.ts`
    write(name, plugin(more))
    return startRouter(`loadmodule "./${name}"\nrequest_route { exit; }`, {
      path: join(directory, 'edge.cfg'),
    })
  }

  const declared = 'functions: { f: { in: anyRoute, returns: { 1: "yes" }, doc: "F." } },'

  test.each([
    ['that throws', 'setup() { throw new Error("no database") },', 'could not be set up: no database'],
    ['that rejects', 'async setup() { throw new Error("late") },', 'could not be set up: late'],
    [
      'without an implementation',
      `${declared} setup: () => ({}),`,
      'function f is declared, but setup returned no implementation',
    ],
    [
      'with more than was declared',
      'setup: () => ({ functions: { g() {} } }),',
      'setup returned function g, which is not declared',
    ],
    ['with an unknown member', 'setup: () => ({ funtions: {} }),', 'there is no member funtions'],
  ])('%s stops the start with a sentence', async (_what, more, message) => {
    await expect(start(more)).rejects.toThrow(message)
  })

  test('plugins are set up in the order of need, and closed the other way round', async () => {
    const text = (name: string, more: string) =>
      `import { definePlugin } from 'viaduct/plugin'\nexport default definePlugin({ name: '${name}', summary: 'X.', ${more} })\n`
    const body = (name: string) =>
      `setup: ({ log, exportsOf }) => { log.info({}, 'up ${name} ' + (exportsOf('base') ?? '-')); return { exports: '${name}', start() { log.info({}, 'start ${name}') }, close() { log.info({}, 'close ${name}') } } }`
    write('user.ts', text('user', `uses: ['base'], ${body('user')}`))
    write('base.ts', text('base', body('base')))
    const router = await startRouter(
      'loadmodule "./user.ts"\nloadmodule "./base.ts"\nrequest_route { exit; }',
      {
        path: join(directory, 'edge.cfg'),
      },
    )
    await router.engine.close()
    expect(router.lines()).toEqual([
      'info: up base -',
      'info: up user base',
      'info: start base',
      'info: start user',
      'info: close user',
      'info: close base',
    ])
  })
})

describe('globals', () => {
  test('have their defaults, what the script sets, and aliases', async () => {
    const { loaded } = await loadScript({
      path: 'test.cfg',
      text: 'debug=3\nmaxsndbuffer=5\nmaxbuffer_size=262144\nrequest_route { exit; }',
      compiler,
    })
    expect(loaded?.global('debug')).toBe(3)
    expect(loaded?.global('port')).toBe(5060)
    expect(loaded?.global('maxbuffer')).toBe(262_144)
    expect(loaded?.global('maxbuffer_size')).toBe(262_144)
    expect(loaded?.global('max_while_loops')).toBe(100)
  })

  test('those of the stock configuration and of the census are all known', async () => {
    const text = `debug=2
log_stderror=no
memdbg=5
memlog=5
log_facility=LOG_LOCAL0
log_prefix="{$mt $hdr(CSeq) $ci} "
children=8
tcp_connection_lifetime=3605
tcp_max_connections=2048
tcp_accept_no_cl=yes
enable_tls=yes
enable_sctp=0
tls_max_connections=2048
auto_aliases=no
fork=yes
disable_tcp=no
tcp_rd_buf_size=16384
server_header="Server: x"
user_agent_header="User-Agent: x"
tcp_children=4
mhomed=1
dns_try_naptr=on
sip_warning=no
use_dns_cache=on
use_dns_failover=on
dns_try_ipv6=no
server_signature=no
dns=no
rev_dns=no
dns_retr_time=1
dns_srv_lb=yes
max_while_loops=300
mlock_pages=yes
shm_force_alloc=yes
tcp_keepalive=yes
tos=IPTOS_LOWDELAY
check_via=no
user="kamailio"
group="kamailio"
advertised_address="192.0.2.1"
advertised_port=5060
udp_mtu=1400
udp_mtu_try_proto=TCP
pmtu_discovery=2
onsend_route_reply=1
request_route { exit; }`
    expect(await errors(text)).toEqual([])
  })

  test('server_signature and server_header decide what our answers say', async () => {
    const script = (globals: string) =>
      `${globals}\nloadmodule "sl.so"\nrequest_route { sl_send_reply("200", "OK"); }`
    const named = await startRouter(script('server_header="Server: edge"'))
    await named.handle(request())
    expect(named.sent[0]?.text).toContain('\r\nServer: edge\r\n')
    const silent = await startRouter(script('server_signature=no'))
    await silent.handle(request())
    expect(silent.sent[0]?.text).not.toContain('Server:')
  })

  test('custom ones are read by selects', async () => {
    const router = await startRouter(
      'pstn.gw_ip="192.0.2.9" desc "gateway"\npstn.port=5070\nloadmodule "xlog.so"\n' +
        'request_route { if (strempty($sel(cfg_get.pstn.none))) { xlog("$sel(cfg_get.pstn.gw_ip):$sel(cfg_get.pstn.port)"); } $var(x)=@cfg_get.pstn.gw_ip; xlog("$var(x)"); }',
    )
    await router.handle(request())
    expect(router.lines()).toEqual(['error: 192.0.2.9:5070', 'error: 192.0.2.9'])
  })
})

describe('files', () => {
  test('octets above 0x7F are octets: what a script writes goes out as it stands', async () => {
    const path = write(
      'utf8.cfg',
      Buffer.from('loadmodule "sl.so"\nrequest_route { sl_send_reply("200", "Grüße"); }', 'utf8').toString(
        'latin1',
      ),
    )
    const { loaded } = await loadScript({ path, compiler })
    expect(loaded?.program.code).toContain('GrÃ¼Ã')
  })

  test('includes are seen from the including file', async () => {
    write('parts/more.cfg', 'route[MORE] { exit; }')
    write('parts/all.cfg', 'include_file "more.cfg"\n')
    expect(await errors('include_file "parts/all.cfg"\nrequest_route { route(MORE); }')).toEqual([])
  })

  test('environment and defines come from outside', async () => {
    const { loaded } = await loadScript({
      path: 'test.cfg',
      text: '#!defenv HOST\nloadmodule "xlog.so"\nrequest_route {\n#!ifdef WITH_X\nxlog("$def(HOST) $env(HOST)");\n#!endif\nexit;\n}',
      compiler,
      environment: (name) => (name === 'HOST' ? 'edge' : null),
      defines: new Map([['WITH_X', '']]),
    })
    expect(loaded?.program.defines.get('HOST')).toBe('edge')
    expect(loaded?.program.functions.map(({ name }) => name)).toContain('xlog')
  })
})
