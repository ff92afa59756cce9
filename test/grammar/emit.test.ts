import { describe, expect, test } from 'vitest'
import type { RunContext, VariableAccess } from '../../grammar/declarations.ts'
import { compile, compileRight, link, newContext, preamble, run, type WorldContext } from './world.ts'

const logOf = (body: string) => run(`${preamble}request_route { ${body} }`).context.log

describe('arguments', () => {
  test.each([
    [
      'a format string is evaluated for each call',
      'text("a $rm $$ $(rm{s.substr,0,3})");',
      ['"a OPTIONS $ OPT"'],
    ],
    ['a bare undefined variable is the empty text', 'text("$hdr(None)"); text($hdr(None));', ['""', '""']],
    ['in a longer text it shows', 'text("<$hdr(None)>");', ['"<<null>>"']],
    [
      'any expression may be a text',
      'text("a" + $sp + 1); text(200); text($sp);',
      ['"a155611"', '"200"', '"15561"'],
    ],
    ['a literal is taken as it stands', 'raw("$rm"); raw(name); raw($rm);', ['"$rm"', '"name"', '"OPTIONS"']],
    [
      'values keep their type',
      'typed(5); typed("5"); typed($sp); typed("$sp"); typed("$rm/$sp"); typed($hdr(None));',
      ['5', '"5"', '15561', '15561', '"OPTIONS/15561"', 'null'],
    ],
    ['the empty first argument is not there', 'pair(, "a", "b"); pair("a");', ['a,b', 'a,undefined']],
    [
      'constants are prepared before the first message',
      'even("4"); $var(x) = 6; even("$var(x)");',
      ['even 4', 'even 6'],
    ],
    [
      'flags',
      'flag(3); flag(FOO); flag("4"); $var(f) = 5; flag($var(f));',
      ['flag 3', 'flag 7', 'flag 4', 'flag 5'],
    ],
    [
      'a name that is known without its dot',
      'text("$rm.example.com"); text("$err.class");',
      ['"OPTIONS.example.com"', '"2"'],
    ],
    [
      'separators that are commas',
      'text("$(avp(x){s.select,1,,})"); $avp(x) = "a,b"; text("$(avp(x){s.select,1,,})");',
      ['""', '"b"'],
    ],
    [
      'parameters of transformations may be variables',
      '$var(n) = 3; text("$(rm{s.substr,$var(n),2})");',
      ['"IO"'],
    ],
    [
      'transformations say what undefined becomes',
      'text("$(hdr(None){s.nothing})"); text("$(rm{s.nothing})x");',
      ['"was null"', '"x"'],
    ],
    [
      'indexes',
      '$avp(a) = 1; $avp(a) = 2; $var(i) = 1; text("$avp(a) $(avp(a)[1]) $(avp(a)[$var(i)]) $(avp(a)[*])");',
      ['"2 1 1 2, 1"'],
    ],
    [
      'variables as names of variables',
      '$avp(k) = "name"; $avp($avp(k)) = 5; text("$avp(name) $avp($avp(k))");',
      ['"5 5"'],
    ],
    ['variables in variables', 'text("$cnt($avp(none))$cnt($rm)");', ['"01"']],
    ['selects', 'text(@cfg_get.group.name); text($sel(cfg_get.group.name));', ['"set"', '"set"']],
    [
      'names of $var that are made at run time',
      '$var(ab) = 3; $var(n) = "b"; text("$var(a$var(n))"); $var(c$var(n)) = 4; text("$var(c$var(n)) $var(d$var(n))");',
      ['"3"', '"4 0"'],
    ],
    [
      'functions write variables',
      'set("$var(x)", "text"); set($avp(y), 5); text($var(x) + $avp(y));',
      ['"text5"'],
    ],
    ['aliases of functions and variables', 'if (t_forward()) text($ruri);', ['"sip:bob@127.0.0.1:15560"']],
  ])('%s', (_, body, expected) => {
    const script = body.includes('FOO') ? `flags FOO:7\n${preamble}` : preamble
    expect(run(`${script}request_route { ${body} }`).context.log).toEqual(expected)
  })

  test('what cannot be prepared at run time gives -1 and a warning, and the function is not called', () => {
    const { context } = run(
      `${preamble}request_route {
        $var(x) = "3";
        even("$var(x)"); xlog("$rc");
        rc("$rm"); xlog("$rc");
        rc($hdr(None)); xlog("$rc");
        $var(x) = 32; flag($var(x)); xlog("$rc");
        if (even("$var(y)1")) { ; } else { xlog("false"); }
        $var(o) = 3; $var(r) = $even($var(o)); xlog("$var(r)");
        $even($var(o)) = 1; xlog("on");
      }`,
    )
    expect(context.log).toEqual(['-1', '-1', '-1', '-1', 'false', '0', 'on'])
    expect(context.warnings).toEqual([
      '3 is odd',
      '"OPTIONS" is no number',
      'an int argument is undefined',
      'a flag is a number from 0 to 31',
      '01 is odd',
      '3 is odd',
      '3 is odd',
    ])
  })
})

describe('special conditions', () => {
  test('go to the host, with their operand', () => {
    expect(
      logOf(
        'if (uri == myself) xlog("mine"); if (src_ip != 10.0.0.0/8) xlog("net"); if (proto == udp) xlog("udp"); if (method =~ "INV|BYE") ; if (src_port == $sp) ;',
      ),
    ).toEqual([
      'uri == myself',
      'mine',
      'src_ip != 10.0.0.0/8',
      'net',
      'proto == udp',
      'method =~ INV|BYE',
      'src_port == 15561',
    ])
  })
})

describe('how a run ends', () => {
  const ends = (body: string) => {
    const { context, result } = run(
      `${preamble}request_route { ${body} } route[A] { exit; } route[B] { drop; }`,
    )
    return { ended: context.ended, result, log: context.log }
  }

  test.each([
    ['xlog("a");', 0, 1],
    ['is_method("FOO");', 0, -1],
    ['return;', 0, 1],
    ['return -3;', 0, -3],
    ['return 0;', 1, 0],
    ['exit;', 1, 1],
    ['exit(0);', 1, 0],
    ['exit(7);', 1, 7],
    ['drop;', 2, 0],
    ['drop(5);', 2, 0],
    ['route(A); xlog("never");', 1, 1],
    ['route(B); xlog("never");', 2, 0],
    ['if (route(A) && xlog("never")) xlog("never");', 1, 1],
    ['if (rc(0) || xlog("never")) xlog("never");', 1, 0],
    ['$var(x) = is_method("FOO") + rc(0) + xlog("never");', 1, 0],
    ['$var(x) = route(B); xlog("never");', 2, 0],
    ['rc(0); xlog("never");', 1, 0],
    ['if (rc(0)) { xlog("never"); } else { xlog("never"); }', 1, 0],
    ['$var(x) = rc(0); xlog("never");', 1, 0],
    ['while (rc(0)) { xlog("never"); } xlog("never");', 1, 0],
    ['switch (rc(0)) { case 0: xlog("never"); } xlog("never");', 1, 0],
    ['return rc(0);', 1, 0],
    ['break;', 0, 0],
    ['$fs = "udp:192.0.2.1:9";', 0, -1],
  ])('%s', (body, ended, result) => {
    const found = ends(body)
    expect([found.ended, found.result]).toEqual([ended, result])
    expect(found.log).not.toContain('never')
  })
})

describe('places', () => {
  test('context.at names the call that threw', () => {
    const program = compileRight(
      `${preamble}request_route {\n  xlog("a");\n  if (is_method("A") || throws()) ;\n}`,
    )
    const context = newContext(program)
    const route = link(program).route('request', '')
    expect(() => route?.(context)).toThrow('thrown')
    const place = program.places[context.at]
    expect(place?.text).toBe('throws()')
    expect(place?.line).toBe(preamble.split('\n').length + 2)
    expect(place?.column).toBe(25)
  })
})

describe('functions that wait if a parameter is set', () => {
  const routes = `request_route { if (rc_if(1)) route(R); xlog("b $rc"); } route[R] { rc_if(7); xlog("a $rc"); }
    failure_route[F] { xlog("sync"); }`
  const set = (value: string) => `modparam("pv", "varset", "${value}")\n`

  test.each([
    ['it is not', ''],
    ['it is empty', set('')],
    ['it is emptied again', set('a=i:1') + set('')],
  ])('%s: the code is as if they never waited', (_, params) => {
    const program = compileRight(preamble + params + routes)
    const plain = compileRight(preamble + params + routes.replaceAll('rc_if', 'rc'))
    expect(program.code.replaceAll('rc_if', 'rc')).toBe(plain.code)
    expect(program.code).not.toMatch(/async|await/)
    expect(program.functions).toContainEqual({ module: 'test', name: 'rc_if' })
  })

  test('it is: only the routes that call them are async', async () => {
    const program = compileRight(preamble + set('a=i:1') + routes)
    expect(program.routes.map(({ isAsync }) => isAsync)).toEqual([true, true, false])
    expect(program.functions).toContainEqual({ module: 'test', name: 'rc_if', waits: true })
    const waiting = compileRight(preamble + set('a=i:1') + routes.replaceAll('rc_if', 'wait_rc'))
    expect(program.code.replaceAll('rc_if', 'wait_rc')).toBe(waiting.code)
    const context = newContext(program)
    await link(program).route('request', '')?.(context)
    expect(context.log).toEqual(['a 7', 'b 1'])
  })
})

describe('routes that wait', () => {
  const script = `${preamble}
    request_route { xlog("a"); route(W); xlog("b $rc"); if (wait_rc(-1)) { ; } else { xlog("c $rc"); } route("W" + $var(none)); }
    route[W] { $var(x) = wait_rc(5); wait_rc(7); xlog("in W $var(x) $rc"); return $var(x); }
    route[W0] { ; }
    route[S] { xlog("sync"); }
    failure_route[F] { while (wait_rc(1)) { break; } switch (wait_rc(-1)) { case 0: xlog("0"); } }
    event_route[tm:local-request] { route(S); wait_rc(0); xlog("never"); }`

  test('only they are async', () => {
    const { program } = compile(script)
    expect(program?.routes.map(({ kind, name, isAsync }) => `${kind} ${name} ${isAsync}`)).toEqual([
      'request  true',
      'request W true',
      'request W0 false',
      'request S false',
      'failure F true',
      'event tm:local-request true',
    ])
    const sync = program?.code.slice(
      program.code.indexOf('function route_S'),
      program.code.indexOf('failure_route'),
    )
    expect(sync).not.toContain('await')
  })

  test('they go on where they waited', async () => {
    const program = compileRight(script)
    const linked = link(program)
    const context = newContext(program)
    expect(await linked.route('request', '')?.(context)).toBe(1)
    expect(context.log).toEqual(['a', 'in W 5 7', 'b 5', 'c -1'])
    const failure = newContext(program)
    await linked.route('failure', 'F')?.(failure)
    expect(failure.log).toEqual(['0'])
    const event = newContext(program)
    expect(await linked.route('event', 'tm:local-request')?.(event)).toBe(0)
    expect([event.ended, event.log]).toEqual([1, ['sync']])
  })

  test('two runs at a time do not disturb each other', async () => {
    const program = compileRight(
      `${preamble}request_route { $var(x) = $hdr(N); wait_rc(1); xlog("$var(x)"); wait_rc(1); xlog("$var(x)"); }`,
    )
    const route = link(program).route('request', '')
    const runs = ['one', 'two'].map((name) => {
      const context = newContext(program)
      context.headers.set('N', name)
      return { context, done: route?.(context) }
    })
    await Promise.all(runs.map(({ done }) => done))
    expect(runs.map(({ context }) => context.log)).toEqual([
      ['one', 'one'],
      ['two', 'two'],
    ])
  })
})

describe('warnings at run time', () => {
  test('texts that are no numbers, division by zero, loops and routes without end', () => {
    const { context } = run(
      `${preamble}request_route { $var(z) = 0;
        if ($rm) ; $var(x) = 1 / $var(z); while (1 == 1) { ; } route(R); route("N" + $rm); }
       route[R] { route(R); }`,
    )
    expect(context.warnings).toEqual([
      'string to int conversion for "OPTIONS" failed',
      'division by zero',
      'a while loop ran more than 100 times',
      'more than 256 routes inside each other',
      'no route NOPTIONS',
    ])
    expect(context.depth).toBe(0)
  })

  test('max_while_loops = 0 knows no end', () => {
    const { context } = run(
      `max_while_loops = 0\n${preamble}request_route { while ($var(i) < 1000) { $var(i) = $var(i) + 1; } xlog("$var(i)"); }`,
    )
    expect(context.log).toEqual(['1000'])
  })
})

describe('values for plugins', () => {
  const program = () =>
    compileRight(
      `${preamble}modparam("tm", "contact_avp", "$avp(c)")\nmodparam("tm", "note", "from $fU: $hdr(None)$var(y)")
       modparam("tm", "any", 3)\nrequest_route { $var(y) = "!"; xlog("$avp(c)"); }`,
    )

  test('variables and formats of parameters work from the moment on when the program is linked', () => {
    const compiled = program()
    const [access, note, any] = compiled.parameters.map(({ value }) => value)
    const linked = link(compiled)
    const context = newContext(compiled)
    const variable = access as VariableAccess<WorldContext>
    expect(variable.write(context, 'set')).toBe(true)
    expect([variable.text, variable.read(context)]).toEqual(['$avp(c)', 'set'])
    linked.route('request', '')?.(context)
    expect(context.log).toEqual(['set'])
    expect((note as (context: RunContext) => string)(context)).toBe('from alice: <null>!')
    expect(any).toBe(3)
  })

  test('used too early they say so', () => {
    const [, note] = program().parameters
    const format = note?.value as (context: RunContext) => string
    expect(() => format(newContext(program()))).toThrow()
  })

  test('compileFormat makes functions of other texts, or says what is wrong', () => {
    const compiled = program()
    const prefix = compiled.compileFormat('{$rm $sp} ')
    expect(compiled.compileFormat('$nothing')).toBe('no loaded module declares $nothing')
    link(compiled)
    expect(typeof prefix === 'function' && prefix(newContext(compiled) as never)).toBe('{OPTIONS 15561} ')
  })
})

describe('the emitted code', () => {
  test('is plain where the types are known', () => {
    const { code } = compileRight(
      `${preamble}request_route { $var(i) = 0; while ($var(i) < 5) { $var(i) = $var(i) + 1; } if ($rm == "INVITE") { route(A); } }
       route[A] { is_method("INVITE"); return; }`,
    )
    expect(code).toContain('$i = sum($i, 1)')
    expect(code).toContain('(v0.read(c, undefined, null) === "INVITE")')
    expect(code).toContain('c.rc = route_A(c)')
    expect(code).toContain('if (ends(c, c.rc = f0(c, "INVITE"))) return c.rc')
  })

  test('cannot be broken out of by what the script says', () => {
    const nasty = `"; throw 1 //\u2028 {1} \``
    const { context } = run(
      `${preamble}request_route { text('${nasty}'); route('${nasty}'); } route['${nasty}'] { xlog("in"); }`,
    )
    expect(context.log).toEqual([JSON.stringify(nasty), 'in'])
  })

  test('routes whose names differ in signs only are kept apart', () => {
    const { context } = run(
      `${preamble}request_route { route("a-b"); route("a_b"); } route["a-b"] { xlog("minus"); } route[a_b] { xlog("low"); }`,
    )
    expect(context.log).toEqual(['minus', 'low'])
  })
})
