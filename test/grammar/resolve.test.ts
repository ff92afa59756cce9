import { describe, expect, test } from 'vitest'
import { compile, compileRight, preamble } from './world.ts'

/** One line per diagnostic: severity, code, the text that it points at, and the hint. */
function diagnose(script: string, head = preamble): string[] {
  const source = head + script
  return compile(source).diagnostics.map(({ severity, code, span, hint }) => {
    const at = span === null ? '' : source.slice(span.start, span.end)
    return `${severity} ${code} [${at}]${hint === undefined ? '' : ` ${hint}`}`
  })
}

const inRoute = (body: string) => diagnose(`request_route { ${body} }`)

describe('names', () => {
  test.each([
    ['xlg("a");', 'error script/unknown-function [xlg] did you mean xlog?'],
    ['nonsense("a");', 'error script/unknown-function [nonsense]'],
    ['is_method();', 'error script/argument-count [is_method] is_method(methods)'],
    ['t_relay("a", 1, 2);', 'error script/argument-count [t_relay] t_relay([host], [port])'],
    ['t_drop_replies();', 'error script/wrong-route-kind [t_drop_replies]'],
    ['route(NOWHERE);', 'error script/unknown-route [NOWHERE]'],
    ['t_on_failure("F");', 'error script/unknown-route ["F"]'],
    ['setflag(FOO);', 'error script/unknown-flag [FOO] declare it: flags FOO'],
    ['setflag(32);', 'error script/bad-argument [32]'],
    ['if ($fU == $rq) exit;', 'error script/unknown-variable [$rq] did you mean $rm?'],
    ['xlog("x $rq y");', 'error script/unknown-variable [$rq] did you mean $rm?'],
    ['xlog("x $hdr y");', 'error script/variable-name [$hdr] $hdr(name)'],
    ['$var(x) = $rm(y);', 'error script/variable-name [y]'],
    ['$var(x) = $even(3);', 'error script/variable-name [3] try 2'],
    ['$var(x) = $(rm[1]);', 'warning script/variable-index [1]'],
    ['$var(x) = $(hdr(a)[b]);', 'error script/variable-index [b]'],
    ['$var(x) = $(rm{s.lent});', 'error script/unknown-transformation [s.lent] did you mean s.len?'],
    ['$var(x) = $(rm{s.substr,1});', 'error script/transformation-parameters [s.substr]'],
    ['$var(x) = $(rm{s.len,1});', 'error script/transformation-parameters [s.len]'],
    ['$var(x) = $(rm{s.substr,a,1});', 'error script/transformation-parameters [a]'],
    ['xlog("costs $ 5");', 'error script/bad-variable [$]'],
    ['$ci = "x";', 'error script/read-only-variable [$ci]'],
    ['$rc = 1;', 'error script/read-only-variable [$rc]'],
    ['$null = 1;', 'error script/read-only-variable [$null]'],
    ['$(ru{s.len}) = 1;', 'error script/assigned-transformation [$(ru{s.len})]'],
    ['set("$ci", 1);', 'error script/read-only-variable ["$ci"]'],
    ['set("x", 1);', 'error script/bad-argument ["x"]'],
    ['even("3");', 'error script/bad-argument ["3"] try 2'],
    ['rc("many");', 'error script/bad-argument ["many"]'],
    ['search("a(");', 'error script/bad-pattern ["a("]'],
    ['search("(a+)+b");', 'note script/slow-pattern ["(a+)+b"]'],
    ['if ($rm =~ "a(") exit;', 'error script/bad-pattern ["a("]'],
    [
      '$var(x) = "sip:$rm@host";',
      'warning script/variable-in-string ["sip:$rm@host"] join the parts with +, as in "..." + $rm',
    ],
    [
      'xlog(is_method("A"));',
      'error script/bad-argument [is_method("A")] assign its value to a variable first',
    ],
  ])('%s', (body, expected) => {
    expect(inRoute(body)).toEqual([expected])
  })

  test('what a module that is not loaded declares has its loadmodule line as hint', () => {
    const without = preamble.replace('loadmodule "tm.so"\n', '').replace('loadmodule "pv.so"\n', '')
    expect(
      diagnose('request_route { t_relay(); $var(x) = $rm; $var(x) = $(var(x){s.len}); }', without),
    ).toEqual([
      'error script/unknown-function [t_relay] module tm declares it: loadmodule "tm.so"',
      'error script/unknown-variable [$rm] module pv declares it: loadmodule "pv.so"',
      'error script/unknown-transformation [s.len] module pv declares it: loadmodule "pv.so"',
    ])
  })

  test('event routes take what request routes take', () => {
    expect(
      diagnose('request_route { ; } event_route[tm:local-request] { t_relay(); t_drop_replies(); }'),
    ).toEqual(['error script/wrong-route-kind [t_drop_replies]'])
  })

  test('all of them come at once, in the order of the script', () => {
    expect(inRoute('xlg("a"); $ci = $rq; route(NOWHERE);').map((line) => line.split(' ')[1])).toEqual([
      'script/unknown-function',
      'script/read-only-variable',
      'script/unknown-variable',
      'script/unknown-route',
    ])
  })
})

describe('types that Kamailio 5.6.3 refuses at start', () => {
  test.each([
    ['$var(x) = 1 + "2";', '"2"'],
    ['$var(x) = "a" - 1;', '"a"'],
    ['$var(x) = "5" * 2;', '"5"'],
    ['if ("a" < 1) exit;', '"a"'],
    ['if ($rm < "a") exit;', '"a"'],
    ['$var(x) = "a" & 1;', '"a"'],
    ['if (5 eq "a") exit;', '5'],
    ['if ("a" ieq 1) exit;', '"a"'],
    ['if (1 =~ "x") exit;', '1'],
    ['if (!"a") exit;', '"a"'],
    ['$var(x) = -"5";', '"5"'],
    ['if (1 == "1") exit;', '"1"'],
    ['if (is_method("x") + "a" == 1) exit;', '"a"'],
    ['if (defined is_method("x")) exit;', 'is_method("x")'],
    ['if (defined 5) exit;', '5'],
    ['return "a";', '"a"'],
  ])('%s', (body, at) => {
    const found = inRoute(body).map((line) => line.split('] ')[0])
    expect(found).toEqual([`error script/type-mismatch [${at}]`.slice(0, found[0]?.length)])
    expect(found[0]).toContain(at)
  })

  test.each([
    'if ("a" == 1) exit;',
    '$var(x) = (int)"5" + 1;',
    'if ($rm == 1) exit;',
    '$var(x) = $rc + "1";',
    'return $rm;',
  ])('%s is taken', (body) => {
    expect(inRoute(body)).toEqual([])
  })
})

describe('labels of a switch', () => {
  test('default stands last among strings', () => {
    expect(inRoute('switch ($rm) { default: ; case "a": ; }')).toEqual([
      'error script/default-not-last [default]',
    ])
  })

  test('among numbers it may stand anywhere', () => {
    expect(inRoute('switch ($sp) { default: ; case 5: ; }')).toEqual([])
  })
})

describe('what is legal and hardly meant', () => {
  test.each([
    ['request_route { ; } route[A] { ; }', 'warning script/unused-route [A] call it with route(A)'],
    ['request_route { ; } failure_route[A] { ; }', 'warning script/unused-route [A] no function arms it'],
    ['request_route { ; } event_route[tm:nothing] { ; }', 'warning script/unknown-event [tm:nothing]'],
    ['request_route { exit; xlog("a"); }', 'warning script/unreachable [xlog("a");]'],
    [
      'request_route { if ($rm == "A") { return; $var(x) = 1; } }',
      'warning script/unreachable [$var(x) = 1]',
    ],
  ])('%s', (script, expected) => {
    expect(diagnose(script)).toEqual([expected])
  })

  test.each([
    'request_route { route("A" + $rm); } route[A] { ; }',
    'request_route { t_on_failure("A"); } failure_route[A] { ; }',
    'request_route { t_on_branch_failure("A"); } event_route[tm:branch-failure:A] { ; }',
    'request_route { ; } event_route[tm:local-request] { ; }',
    'request_route { ; } event_route[core:worker-one-init] { ; }',
    'request_route { exit; return; }',
  ])('%s is silent', (script) => {
    expect(diagnose(script)).toEqual([])
  })
})

describe('modules and their parameters', () => {
  const route = '\nrequest_route { ; }'
  test.each([
    ['loadmodule "needy"', 'error script/module-needed [loadmodule "needy"] loadmodule "tm.so"'],
    ['loadmodule "idle"', 'note script/ignored [loadmodule "idle"]'],
    [
      'modparam("tm", "fr_timer", 5)',
      'error script/module-not-loaded ["tm"] load it above: loadmodule "tm.so"',
    ],
    [
      'modparam("tm", "fr_timer", 5)\nloadmodule "tm.so"',
      'error script/modparam-before-loadmodule ["tm"] move the modparam below the loadmodule',
    ],
    ['children = "3"', 'error script/parameter-type ["3"]'],
    ['childre = 3', 'error script/unknown-global [childre] did you mean children?'],
    ['flags A:3, B:3', 'warning script/bad-flag [B:3]'],
    ['flags A:32', 'error script/bad-flag [A:32]'],
  ])('%s', (script, expected) => {
    const found = diagnose(script + route, '').filter((line) => !line.includes('[children]'))
    expect(found.map((line) => line.replace(/ write .*/, ''))).toEqual([expected])
  })

  test.each([
    ['"tm", "fr_timr", 5', 'error script/unknown-parameter ["fr_timr"] did you mean fr_timer?'],
    ['"tm|pv", "fr_timer", 5', 'error script/unknown-parameter ["fr_timer"]'],
    ['"tm", "fr_timer", "5"', 'error script/parameter-type ["5"] write 5 without quotes'],
    ['"pv", "varset", 5', 'error script/parameter-type [5] write "5"'],
    ['"tm", "picky", -1', 'error script/bad-parameter [-1]'],
    ['"tm", "old", 1', 'note script/ignored ["old"]'],
    ['"tm", "contact_avp", "$nowhere(x)"', 'error script/unknown-variable [$nowhere(x)]'],
    ['"p", "varset", "a"', 'error script/module-not-loaded ["p"]'],
    ['"tmx", "varset", "a"', 'error script/module-not-loaded ["tmx"] did you mean tm?'],
  ])('modparam(%s)', (args, expected) => {
    const found = diagnose(`loadmodule "pv.so"\nloadmodule "tm.so"\nmodparam(${args})${route}`, '')
    expect(found).toEqual([expected])
  })

  test('a pattern sets the parameter of each module that it matches', () => {
    const { parameters } = compileRight(`${preamble}modparam("t.*m", "fr_timer", 5)${route}`)
    expect(parameters.map(({ module, name, value }) => [module, name, value])).toEqual([
      ['tm', 'fr_timer', 5],
    ])
  })

  test('modparamx computes its value now, as a string', () => {
    const script = `#!define NAME x\n${preamble}modparamx("pv", "varset", "$env(HOME)-$def(NAME)")${route}`
    expect(compileRight(script).parameters[0]?.value).toBe('/home-x')
    expect(diagnose(`modparamx("tm", "fr_timer", "5")${route}`)).toEqual([
      'error script/parameter-type ["5"] write 5 without quotes',
    ])
    expect(diagnose(`modparamx("pv", "varset", "$rm")${route}`)).toEqual([
      'error script/no-value-yet ["$rm"] $def(NAME) and $env(NAME) have one',
    ])
  })
})

test('without a module that cannot be had there is no program', () => {
  expect(compile('loadmodule "nowhere.so"\nrequest_route { ; }').program).toBeNull()
})

describe('settings', () => {
  test('globals come by their declared names, the last value counts', () => {
    const { globals } = compileRight(
      'backlog = 3\nbacklog = 4\nlog_facility = LOG_LOCAL0\ndebug = -1\nrequest_route { ; }',
    )
    expect([...globals]).toEqual([
      ['listen_backlog', 4],
      ['log_facility', 'LOG_LOCAL0'],
      ['debug', -1],
    ])
  })

  test('flags without a number get the lowest free one', () => {
    const { flags } = compileRight('flags A, B:2, C, D\nrequest_route { setflag(D); }')
    expect([...flags]).toEqual([
      ['A', 0],
      ['B', 2],
      ['C', 1],
      ['D', 3],
    ])
  })

  test('listen, alias, socket and custom globals', () => {
    const program = compileRight(
      `listen = udp:127.0.0.1:5060 advertise example.com:5070 name "out"
       socket = { bind = tcp:127.0.0.1:5060-5061; name = "range"; advertise = example.com:5080 }
       alias = "example.com"
       pstn.gw = "x" desc "a gateway"
       request_route { ; }`,
    )
    const listens = program.listens.map(({ span, ...listen }) => Object.values(listen).join(' '))
    expect(listens).toEqual([
      'udp 127.0.0.1 5060 example.com 5070 out',
      'tcp 127.0.0.1 5060 example.com 5080 range',
      'tcp 127.0.0.1 5061 example.com 5080 range',
    ])
    expect(program.aliases.map(({ host, port }) => [host, port])).toEqual([['example.com', 0]])
    expect(program.customGlobals).toEqual([
      { group: 'pstn', name: 'gw', value: 'x', description: 'a gateway' },
    ])
  })
})
