import { compareProbes, type Difference, type Probe } from './compare.ts'

const headers = `Contact: <sip:al@192.0.2.7:5080;x=1>
Remote-Party-ID: <sip:+15551234@h>;party=calling
Supported: path, 100rel
X-Two: first;p=1
X-Two: second;p=2, third;p=3
X-One: a1,b2,ab3
Date: Sat, 13 Nov 2010 23:29:00 GMT
Content-Type: text/plain`

const keepsHeaders: Difference = {
  why: 'what did its work returns 1',
  replace: [[/^X-Value: -1/m, 'X-Value: 1']],
}

const refusal = `--- A received
SIP/2.0 400 Bad Max-Forwards Header
Via: SIP/2.0/UDP A;rport=A;branch=z9hG4bK-keep-CALL-1;received=127.0.0.1
From: "Al Ice" <sip:alice@example.com>;tag=from1
To: <sip:bob@example.com>;tag=LOCALTAG
Call-ID: CALL
CSeq: 1 MESSAGE
Server: router
Content-Length: 0

`.replaceAll(/(?<!received)\n/g, '\r\n')

/** Kamailio's maxfwd rewrites the value in the width that it had. */
const padded: Difference = {
  why: 'a smaller number is not padded to the width of the old one',
  replace: [[/^Max-Forwards: {2}/m, 'Max-Forwards: ']],
}

const different: Readonly<Record<string, Difference>> = {
  'cmp_uri("sip:a@b;transport=udp", "sip:a@b")': {
    why: 'RFC 3261 §19.1.4: a URI without transport matches none with it',
    replace: [[/^X-Value: 1/m, 'X-Value: -1']],
  },
  'decode_contact()': {
    why: 'every failure is -1',
    replace: [[/^X-Value: -26/m, 'X-Value: -1']],
  },
  'decode_contact_header()': {
    why: 'every failure is -1',
    replace: [[/^X-Value: -26/m, 'X-Value: -1']],
  },
  'fnmatch("abc", "A*", "i")': {
    why: 'the flag works',
    replace: [[/^X-Value: -1/m, 'X-Value: 1']],
  },
  'keep_hf("^X-")': keepsHeaders,
  'keep_hf("^Z-")': keepsHeaders,
  'keep_hf("^(Contact|X-Two)$")': keepsHeaders,
}

/** A row: statements, or one call whose return code shows in X-Value. */
const rows = (scripts: readonly string[], more: Partial<Probe> = {}): Probe[] =>
  scripts.map((script) => ({
    title: script,
    script: /^\w+\((?:"[^"]*"|[^;"])*\)$/.test(script) ? `$var(x) = ${script};` : script,
    headers,
    ...more,
    ...(different[script] && { differs: different[script] }),
  }))

const show = 'append_hf("X-S: $avp(s)\\r\\n");'
const showUri = 'append_hf("X-Uri: $ru $rU $rd\\r\\n");'

compareProbes('siputils', '', [
  ...rows([
    'has_totag()',
    'is_request()',
    'is_reply()',
    'is_first_hop()',
    'is_user("alice")',
    'is_gruu()',
    'is_gruu("sip:a@b;gr")',
    'is_gruu("sip:a@b;gr=x")',
    'is_gruu("sip:a@b")',
    'cmp_uri("sip:a@b", "sip:a@B")',
    'cmp_uri("sip:a@b", "sip:A@b")',
    'cmp_uri("sip:a@b;transport=udp", "sip:a@b")',
    'cmp_uri("sip:a@b:5060", "sip:a@b")',
    'cmp_uri("sip:a@b;x=1", "sip:a@b;y=2")',
    'cmp_uri("sip:a@b;x=1", "sip:a@b;x=2")',
    'cmp_uri("nonsense", "sip:a@b")',
    'cmp_aor("sip:a@b;x=1", "sip:a@b:5070")',
    'cmp_aor("sip:a@b", "sip:c@b")',
    'cmp_aor("sip:a@b", "sip:a@B;x=1")',
    'cmp_aor("sip:a@b", "sip:A@b")',
    'cmp_aor("sip:a@b:5060", "sip:a@b")',
    'cmp_aor("sip:a@b", "sips:a@b")',
    'is_uri("sip:a@b")',
    'is_uri("tel:+1")',
    'is_uri("nonsense")',
    '$avp(s) = "+15551234"; $var(x) = is_e164("$avp(s)");',
    '$avp(s) = "15551234"; $var(x) = is_e164("$avp(s)");',
    '$avp(s) = "+1"; $var(x) = is_e164("$avp(s)");',
    '$avp(s) = "+123456789012345"; $var(x) = is_e164("$avp(s)");',
    '$avp(s) = "+1234567890123456"; $var(x) = is_e164("$avp(s)");',
    '$avp(s) = "sip:+15551234@h"; $var(x) = is_uri_user_e164("$avp(s)");',
    '$avp(s) = "sip:bob@h"; $var(x) = is_uri_user_e164("$avp(s)");',
    'is_tel_number("+15551234")',
    'is_tel_number("15551234")',
    'is_tel_number("1a")',
    'is_tel_number("*123#")',
    'is_numeric("0123")',
    'is_numeric("01a")',
    'is_alphanum("ab1")',
    'is_alphanum("ab-1")',
    'is_alphanumex("ab-1", "-")',
    'is_alphanumex("ab_1", "-")',
    'is_rpid_user_e164()',
    'append_rpid_hf()',
    'hdr_date_check("10")',
    'encode_contact("enc", "192.0.2.99")',
    'contact_param_encode("line", "sip:192.0.2.99")',
    'contact_param_decode("line")',
    'contact_param_rm("x")',
    'decode_contact()',
    'decode_contact_header()',
    'sip_p_charging_vector("r")',
    `$avp(s) = "-"; $var(x) = tel2sip("tel:+1-555-1234;ext=2", "h.example.com", "$avp(s)"); ${show}`,
    `$avp(s) = "-"; $var(x) = tel2sip("tel:1234", "h", "$avp(s)"); ${show}`,
    `$avp(s) = "-"; $var(x) = tel2sip("sip:a@b", "h", "$avp(s)"); ${show}`,
    `$avp(s) = "sip:a@b;x=1"; $avp(n) = "new"; $var(x) = set_uri_user("$avp(s)", "$avp(n)"); ${show}`,
    `$avp(s) = "sip:b"; $avp(n) = "new"; $var(x) = set_uri_user("$avp(s)", "$avp(n)"); ${show}`,
    `$avp(s) = "sip:a@b:5070;x=1"; $avp(n) = "h"; $var(x) = set_uri_host("$avp(s)", "$avp(n)"); ${show}`,
    `$avp(s) = "bad"; $avp(n) = "h"; $var(x) = set_uri_host("$avp(s)", "$avp(n)"); ${show}`,
  ]),
  ...['sip:bob@h;a=b;x=1', 'sip:bob@h;x', 'sip:bob@h', 'sip:bob@h;line=sip:1.2.3.4'].flatMap((uri) =>
    rows(
      [
        'uri_param("x")',
        'uri_param("x", "1")',
        'uri_param("x", "2")',
        'uri_param("nope")',
        'uri_param_any("x")',
        `$var(x) = add_uri_param("y=2"); ${showUri}`,
        `$var(x) = add_uri_param("y"); ${showUri}`,
        `$avp(s) = "-"; $var(x) = get_uri_param("x", "$avp(s)"); ${show}`,
        `$avp(s) = "-"; $var(x) = get_uri_param("nope", "$avp(s)"); ${show}`,
        `$var(x) = uri_param_rm("x"); ${showUri}`,
      ],
      { uri },
    ).map((row) => ({ ...row, title: `${uri}: ${row.title}` })),
  ),
  { title: 'options_reply', method: 'OPTIONS', uri: 'sip:{ROUTER}', script: 'options_reply(); exit;' },
  { title: 'options_reply for a user', method: 'OPTIONS', script: 'options_reply(); exit;', isSilent: true },
  ...rows(['has_totag()', 'is_first_hop()'], {
    to: '<sip:b@h>;tag=1',
    headers: 'Via: SIP/2.0/UDP h;branch=z9hG4bK-keep',
  }).map((row) => ({ ...row, title: `${row.title} of another hop` })),
])

const valueRows = [
  'append_hf_value("X-Two", "new")',
  'append_hf_value("X-Two[1]", "new")',
  'append_hf_value("X-New", "new")',
  'insert_hf_value("X-Two", "new")',
  'insert_hf_value("X-Two[2]", "new")',
  'insert_hf_value("X-New", "new")',
  'remove_hf_value("X-Two[1]")',
  'remove_hf_value("X-Two[2]")',
  'remove_hf_value("X-Two")',
  'remove_hf_value("X-Two[*]")',
  'remove_hf_value("X-Two.p")',
  'remove_hf_value("Nope")',
  'assign_hf_value("X-Two", "new")',
  'assign_hf_value("X-Two[2]", "new")',
  'assign_hf_value("X-Two[1].p", "9")',
  'include_hf_value("Supported", "gruu")',
  'include_hf_value("Supported", "path")',
  'exclude_hf_value("Supported", "path")',
  'exclude_hf_value("Supported", "nope")',
  'hf_value_exists("Supported", "100rel")',
  'hf_value_exists("Supported", "nope")',
]

compareProbes('textopsx', '', [
  ...rows([
    'append_hf("X-New: 1\\r\\n"); $var(a) = $hdr(X-New); msg_apply_changes(); $var(x) = $var(a) + "/" + $hdr(X-New);',
    'remove_hf("X-Two"); msg_apply_changes(); $var(x) = $hdr(X-Two);',
    '$fu = "sip:new@h"; msg_apply_changes(); $var(x) = $fu;',
    'remove_body()',
    'keep_hf("^X-")',
    'keep_hf("^Z-")',
    'keep_hf("^(Contact|X-Two)$")',
    'fnmatch("abc", "a*")',
    'fnmatch("abc", "a?c")',
    'fnmatch("abc", "[a-c]bc")',
    'fnmatch("abc", "A*")',
    'fnmatch("abc", "A*", "i")',
    'fnmatch("abc", "b*")',
    ...valueRows,
    'hf_iterator_start("i"); while (hf_iterator_next("i")) { $var(n) = $hfitname(i); if ($var(n) == "X-Two") { hf_iterator_rm("i"); } } hf_iterator_end("i");',
    'hf_iterator_start("i"); $var(x) = ""; while (hf_iterator_next("i")) { $var(x) = $var(x) + $hfitname(i) + ";"; } hf_iterator_end("i");',
    'hf_iterator_start("i"); while (hf_iterator_next("i")) { if ($hfitname(i) == "X-One") { hf_iterator_append("i", "X-A: $hfitbody(i)\\r\\n"); hf_iterator_insert("i", "X-B: 1\\r\\n"); } } hf_iterator_end("i");',
  ]).map((row) => ({ ...row, body: 'one\r\ntwo\r\n' })),
  ...rows([
    'bl_iterator_start("i"); $var(x) = ""; while (bl_iterator_next("i")) { $var(x) = $var(x) + $(blitval(i){s.trim}) + ";"; } bl_iterator_end("i");',
    'bl_iterator_start("i"); while (bl_iterator_next("i")) { if ($blitval(i) =~ "one") { bl_iterator_rm("i"); } } bl_iterator_end("i");',
    'bl_iterator_start("i"); while (bl_iterator_next("i")) { if ($blitval(i) =~ "one") { bl_iterator_append("i", "x\\r\\n"); bl_iterator_insert("i", "y\\r\\n"); } } bl_iterator_end("i");',
  ]).map((row) => ({ ...row, body: 'one\r\ntwo\r\n' })),
])

compareProbes('maxfwd', '', [
  ...['70', '10', '1', '0', '71', '255'].flatMap((value) =>
    ['mf_process_maxfwd_header("10")', 'is_maxfwd_lt("11")'].map((call) => ({
      title: `${call} of ${value}`,
      script: `$var(x) = ${call};`,
      change: (text: string) => text.replace('Max-Forwards: 70', `Max-Forwards: ${value}`),
      ...(call.startsWith('mf') && ['10', '255'].includes(value) && { differs: padded }),
    })),
  ),
  ...['256', '-1', 'x', ''].map((value) => ({
    title: `Max-Forwards: ${value}`,
    script: '$var(x) = mf_process_maxfwd_header("10");',
    change: (text: string) => text.replace('Max-Forwards: 70', `Max-Forwards: ${value}`),
    differs: {
      why: 'RFC 3261 §20.22: a number from 0 to 255; anything else is refused before the script',
      replace: [[/^[\s\S]*received=127[\s\S]*$/, refusal]] as const,
    },
  })),
])
