import { describe, expect, test } from 'vitest'
import { type RequestParts, request, startRouter } from './router.ts'

/** What the script logs is what its variables read: each expectation was measured on Kamailio 5.6.3. */
async function logged(statements: string, parts: RequestParts = {}): Promise<string[]> {
  const router = await startRouter(
    `loadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "kex.so"\nloadmodule "corex.so"\nrequest_route { ${statements} }`,
  )
  await router.handle(request(parts))
  return router.lines().map((line) => line.replace(/^error: /, ''))
}

const rich: RequestParts = {
  method: 'INVITE',
  uri: 'sip:bob@test.local;transport=tcp',
  via:
    'SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKx;rport\r\n' +
    'Via: SIP/2.0/TCP h2.example:5070;branch=z9hG4bK2;received=1.2.3.4, SIP/2.0/UDP h3.example;branch=z9hG4bK3',
  from: '"Alice B" <sip:alice@a.example>;tag=ft',
  to: '<sip:bob@b.example>',
  callId: 'c1',
  cseq: '7 INVITE',
  headers:
    'Contact: <sip:alice@10.0.0.1:5066;ob>;expires=33\r\n' +
    'P-Asserted-Identity: <sip:pai@x>\r\nP-Preferred-Identity: "Pn" <sip:ppi@y>\r\n' +
    'Diversion: <sip:div@z>;reason=busy;privacy=full;counter=2\r\n' +
    'Remote-Party-ID: <sip:rpid@w>\r\nRefer-To: <sip:ref@v>\r\n' +
    'Authorization: Digest username="al@dom", realm="r1", nonce="n1", uri="sip:r", response="abc",' +
    ' algorithm=MD5, cnonce="cn", opaque="op", qop=auth, nc=00000001\r\n' +
    'User-Agent: UA1\r\nContent-Type: text/plain\r\nExpires: 100\r\n',
  body: 'hello',
}

describe('what a variable reads', () => {
  test.each([
    ['$ru $rU $rd $rp $rP $rz', 'sip:bob@test.local;transport=tcp bob test.local 5060 tcp sip'],
    ['$ou $oU $od $op $oP', 'sip:bob@test.local;transport=tcp bob test.local 5060 tcp'],
    ['$du $dd $dp $dP $ds $br $bR', '<null> <null> <null> <null> <null> <null> <null>'],
    ['$nh(u) $nh(U) $nh(d) $nh(p)', 'sip:bob@test.local;transport=tcp bob test.local 5060'],
    ['$fu $fU $fd $ft $fn', 'sip:alice@a.example alice a.example ft "Alice B"'],
    ['$tu $tU $td $tt $tn', 'sip:bob@b.example bob b.example <null> <null>'],
    ['$rm $rmid $rs $rsi $rr $rv', 'INVITE 1 <null> 0 <null> SIP/2.0'],
    ['$rb $ci $cs $csb $cT $cl $ua', 'hello c1 7 7 INVITE text/plain 5 UA1'],
    ['$ct', '<sip:alice@10.0.0.1:5066;ob>;expires=33'],
    [
      '$si $sp $su $sut $sas $siz',
      '198.51.100.7 5062 sip:198.51.100.7:5062 sip:198.51.100.7:5062;transport=udp udp:198.51.100.7:5062 198.51.100.7',
    ],
    [
      '$Ri $Rp $Ru $Rn $RAi $RAp $Ras',
      '192.0.2.1 5060 sip:192.0.2.1:5060 outside 192.0.2.1 5060 udp:192.0.2.1:5060',
    ],
    ['$proto $pr $prid $af(x) $conid', 'udp udp 1 2 <null>'],
    ['$fs $fsn $fsp $mt $mts', '<null> <null> 0 1 rq'],
    [
      '$via0(host) $via0(port) $via0(branch) $via0(rport) $via0(received)',
      '198.51.100.7 5062 z9hG4bKx <null> <null>',
    ],
    ['$via1(host) $via1(received) $viaZ(host)', 'h2.example 1.2.3.4 h3.example'],
    [
      '$hdrc(Via) $hflc(Via) $(hfl(Via)[1])',
      '2 3 SIP/2.0/TCP h2.example:5070;branch=z9hG4bK2;received=1.2.3.4',
    ],
    [
      '$hdr(nope) $hdr(p-asserted-identity) $(hdr(Via)[-1])',
      '<null> <sip:pai@x> SIP/2.0/TCP h2.example:5070;branch=z9hG4bK2;received=1.2.3.4, SIP/2.0/UDP h3.example;branch=z9hG4bK3',
    ],
    ['$ai $pu $pU $pd $pn', 'sip:pai@x sip:ppi@y ppi y "Pn"'],
    ['$di $dir $dip $dic $re $rt', 'sip:div@z busy full 2 sip:rpid@w sip:ref@v'],
    ['$au $aU $ad $ar $adu $aa $adn $adc $ado $adr', 'al al@dom dom r1 sip:r MD5 n1 cn op abc'],
    ['$Au $AU', 'alice@a.example alice'],
    ['$expires(min) $expires(max)', '33 33'],
    [
      '$version(num) $version(hash) $cfg(route) $cfg(line) $cfg(name)',
      '5.6.3 unknown DEFAULT_ROUTE 5 test.cfg',
    ],
    ['$err.class $err.rreason $def(NOPE) $env(NOPE)', '<null> <null> <null> <null>'],
    [
      '$sel(via[1].host) $sel(via[2].host) $sel(from.uri.user) $sel(ruri.user)',
      '198.51.100.7 h2.example alice bob',
    ],
    [
      '$sel(contact.uri) $sel(contact.uri.hostport) $sel(contact.expires)',
      'sip:alice@10.0.0.1:5066;ob 10.0.0.1:5066 33',
    ],
    ['$mf $mF $bf $bF $sf $sF', '0 00000000 0 00000000 0 00000000'],
    ['$_s(to $rU at $rd)', 'to bob at test.local'],
    ['$branch(count) $(branch(uri)[0]) $rcv(srcip) $snd(ip)', '<null> <null> <null> <null>'],
  ])('%s', async (format, expected) => {
    expect(await logged(`xlog("${format.replaceAll('"', '\\"')}");`, rich)).toEqual([expected])
  })

  test('time stands still for one message, and has the calendar of Kamailio', async () => {
    const [line] = await logged('xlog("$TS $Ts $TV(s) $utimef(%Y-%m-%d) $utime(mon) $utime(wday)");')
    const [ts, same, seconds, date, month] = line?.split(' ') ?? []
    expect(same).toBe(ts)
    expect(seconds).toBe(ts)
    expect(date).toBe(new Date(Number(ts) * 1000).toISOString().slice(0, 10))
    expect(Number(month)).toBe(new Date(Number(ts) * 1000).getUTCMonth() + 1)
  })

  test('a number in a string context adds as the left operand says', async () => {
    const lines = await logged(
      '$var(a)=$rp+1; $var(b)=$sp+1; $var(c)=$cs+1; $var(d)=$rsi+1; xlog("$var(a) $var(b) $var(c) $var(d)");',
      rich,
    )
    expect(lines).toEqual(['50601 5063 71 1'])
  })

  test('a reply reads as a reply', async () => {
    const router = await startRouter(
      'loadmodule "xlog.so"\nrequest_route { exit; }\nreply_route { xlog("$rs $rr $rm $mt $ru $rsi"); }',
    )
    await router.handle(
      'SIP/2.0 183 Session Progress\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\n' +
        'To: <sip:c@d>;tag=2\r\nCall-ID: r\r\nCSeq: 3 INVITE\r\nContent-Length: 0\r\n\r\n',
    )
    expect(router.lines()).toEqual(['error: 183 Session Progress INVITE 2 <null> 183'])
  })
})

describe('what a write does', () => {
  test.each([
    ['$ru="garbage"; xlog("$ru $rU $rd");', '<null> <null> <null>'],
    ['$rU="new"; xlog("$ru");', 'sip:new:p@h:99;x=1?h=1'],
    ['$rd="dom"; xlog("$ru");', 'sip:u:p@dom:99;x=1?h=1'],
    ['$rp=77; xlog("$ru");', 'sip:u:p@h:77;x=1?h=1'],
    ['$rp=$null; xlog("$ru");', 'sip:u:p@h;x=1?h=1'],
    ['$rU=$null; xlog("$ru");', 'sip:h:99;x=1?h=1'],
    ['$rd=$null; xlog("$ru");', 'sip:u:p@h:99;x=1?h=1'],
    ['$ru=$null; xlog("$ru");', 'sip:u:p@h:99;x=1?h=1'],
    ['$du="notauri"; xlog("$du $dd");', 'notauri <null>'],
    [
      '$du="sip:1.2.3.4:77;transport=tcp"; xlog("$dd $dp $dP $nh(d)"); $du=$null; xlog("$du");',
      '1.2.3.4 77 tcp 1.2.3.4',
      '<null>',
    ],
    [
      '$fs="udp:10.0.0.1:5080"; xlog("$fs $fsn $fsp"); $fs=$null; xlog("$fs");',
      'udp:10.0.0.1:5080 inside 5080',
      '<null>',
    ],
    ['$fsn="inside"; xlog("$fs");', 'udp:10.0.0.1:5080'],
    ['$mf=5; xlog("$mF"); $bf=3; $sf=9; xlog("$bF $sF");', '00000005', '00000003 00000009'],
    ['$br="sip:b3@h3"; xlog("$br $bR $branch(count)");', 'sip:b3@h3 sip:b3@h3 1'],
    [
      '$fU="nn"; $fn="Dis"; $tu="sip:x@y"; xlog("$fU $tu"); xlog("$(mbu{line.sw,From}) $(mbu{line.sw,To})");',
      'alice sip:bob@example.com',
      'From: Dis <sip:nn@example.org>;tag=a1 To: <sip:x@y>',
    ],
  ])('%s', async (statements, ...expected) => {
    expect(await logged(statements, { uri: 'sip:u:p@h:99;x=1?h=1' })).toEqual(expected)
  })

  test('a socket that is not ours changes nothing and is warned about', async () => {
    const lines = await logged('$fs="udp:1.2.3.4:99"; xlog("$fs");')
    expect(lines).toEqual(['warn: there is no socket of that name', '<null>'])
  })

  test('branches: list, change, remove', async () => {
    const lines = await logged(
      'append_branch("sip:b1@h1;x=1","0.3"); append_branch("sip:b2@h2");' +
        'xlog("$ds|$br|$bR|$branch(count)|$(branch(q)[0])|$(branch(uri)[1])");' +
        '$branch(uri)="sip:changed@h"; xlog("$bR"); $(branch(uri)[1])=$null; xlog("$bR");',
    )
    expect(lines).toEqual([
      'Contact: <sip:b1@h1;x=1>;q=0.3, <sip:b2@h2>|sip:b1@h1;x=1|<sip:b1@h1;x=1>;q=0.3, sip:b2@h2|2|300|sip:b2@h2',
      '<sip:changed@h>;q=0.3, sip:b2@h2',
      '<sip:changed@h>;q=0.3',
    ])
  })
})

describe('storage', () => {
  test.each([
    [
      '$avp(a)=1; $avp(a)=2; $avp(a)=3; xlog("$avp(a) $(avp(a)[1]) $(avp(a)[2]) $(avp(a)[*]) $(avp(a)[-1])");',
      '3 2 1 3, 2, 1 <null>',
    ],
    [
      '$avp(a)=1; $avp(a)=2; $avp(a)=$null; xlog("$avp(a)"); $(avp(a)[*])=$null; xlog("$avp(a)");',
      '1',
      '<null>',
    ],
    ['$avp(a)=1; $(avp(a)[0])=9; xlog("$(avp(a)[*])"); $(avp(a)[*])=7; xlog("$(avp(a)[*])");', '9, 1', '7'],
    [
      '$avp(s:x)="v"; xlog("$avp(x) $avp(x[0])"); $var(n)="x"; xlog("$avp($var(n)) $cnt($avp(x)) $cnt($avp(y))");',
      'v v',
      'v 1 0',
    ],
    ['$xavp(a[0]=>k)="1"; xlog("$xavp(a=>k)");', '<null>'],
    [
      '$xavp(a=>k)="1"; $xavp(a[0]=>k)="2"; xlog("$xavp(a=>k) $xavp(a[0]=>k[1]) $xavp(a=>k[*])");',
      '2 1 2, 1',
    ],
    ['$xavp(a=>k)="1"; $xavp(a[0]=>k[0])="3"; xlog("$xavp(a=>k[*])");', '3'],
    [
      '$xavp(a=>b)=1; $xavp(a=>b)=2; $xavp(a=>c)=3; xlog("$xavp(a=>b) $xavp(a[1]=>b) $xavp(a[2]=>b) $cnt($xavp(a))");',
      '<null> 2 1 3',
    ],
    ['$xavp(a=>b)=1; $xavp(a[0])=$null; xlog("$xavp(a=>b) $xavp(a)");', '<null> <null>'],
    ['$xavp(a=>q)=1; $xavp(a=>q)=2; $xavp(a[*])=$null; xlog("$cnt($xavp(a))");', '0'],
    ['$xavp(s)="plain"; xlog("$xavp(s)");', 'plain'],
    [
      '$xavu(u=>a)=1; $xavu(u=>a)=2; $xavu(u=>b)=5; xlog("$xavu(u=>a) $xavu(u=>b)"); $xavu(u=>a)=$null; xlog("$xavu(u=>a)");',
      '2 5',
      '<null>',
    ],
    ['$xavi(Foo=>Bar)="x"; xlog("$xavi(foo=>bar) $xavi(FOO[0]=>BAR)");', 'x x'],
    [
      'xlog("$vn(a) $vz(a) $var(a)"); $vn(a)="x"; $vz(a)=2; xlog("$vn(a) $vz(a)"); $vn(a)=$null; xlog("$vn(a)");',
      '<null> 0 0',
      'x 2',
      '<null>',
    ],
  ])('%s', async (statements, ...expected) => {
    expect(await logged(statements)).toEqual(expected)
  })

  test('is bounded: a script that loops over $avp gets no further than the limit', async () => {
    const lines = await logged(
      '$var(i)=0; while($var(i) < 99) { $var(j)=0; while($var(j) < 99) { $avp(x)=$var(j); $var(j)=$var(j)+1; } $var(i)=$var(i)+1; } xlog("$cnt($avp(x))");',
    )
    expect(lines.at(-1)).toBe('1024')
  })

  test('names from the wire are names: __proto__ is one', async () => {
    const lines = await logged('$avp($rU)="v"; $xavp(x=>k)="w"; xlog("$avp(__proto__) $avp(constructor)");', {
      uri: 'sip:__proto__@h',
    })
    expect(lines).toEqual(['v <null>'])
  })
})

describe('names that are none are told when the script is loaded', () => {
  test.each([
    ['$via0(oc)', 'there is no such part'],
    ['$msg(nope)', 'there is no such part'],
    ['$TV(n)', 'there is no such part'],
    ['$sel(nothing.there)', 'nothing is called nothing'],
    ['$nosuchthing', 'declares'],
  ])('%s', async (variable, message) => {
    await expect(logged(`xlog("${variable}");`)).rejects.toThrow(message)
  })
})
