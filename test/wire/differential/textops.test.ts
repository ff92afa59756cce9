import { compareProbes, type Difference, type Probe } from './compare.ts'

const headers = `Contact: "Al" <sip:al@192.0.2.7:5080;x=1>;q=0.5
Subject: one two one
User-Agent: agent 1
X-One: a1,b2,ab3
X-Two: first
X-Two: second, third
X-List: <sip:a@h>;p=1, <sip:b@h>
Privacy: id;header
Allow: INVITE, ACK, BYE
Supported: path, 100rel
Date: Sat, 13 Nov 2010 23:29:00 GMT
Content-Type: text/plain`

const body = 'one two\r\nthree one\r\n'

const typeInPlace: Difference = {
  why: 'a Content-Type that is replaced stays where it stood',
  replace: [[/^(Content-Length: 3\r\n)(Content-Type: text\/html\r\n)/m, '$2$1']],
}

const unclosed: Difference = {
  why: 'RFC 2046 §5.1.1: the last delimiter of a multipart body ends with two hyphens',
  replace: [
    [/^Content-Length: 53/m, 'Content-Length: 55'],
    [/^--bound\r\n(?!Content)/m, '--bound--\r\n'],
    [/^(Content-Length: \d+\r\n)(Content-Type: multipart[^\r]*\r\n)/m, '$2$1'],
  ],
}

const different: Readonly<Record<string, Difference>> = {
  'append_hf("no line end")': {
    why: 'a header line always ends: Kamailio joins it with the next one',
    replace: [[/^no line end/m, 'no line end\r\n']],
  },
  'replace_hdrs_str("one", "ONE", "a")': {
    why: 'the body is no header: Kamailio replaces there too',
    replace: [[/ONE two\r\nthree ONE\r\n$/, 'one two\r\nthree one\r\n']],
  },
  'text/plain: set_body("new", "text/html")': typeInPlace,
  'text/plain: set_body("new", "text/html"); msg_apply_changes(); $var(x) = $rb;': typeInPlace,
  'application/sdp: set_body("new", "text/html")': typeInPlace,
  'application/sdp: set_body("new", "text/html"); msg_apply_changes(); $var(x) = $rb;': typeInPlace,
  'no body: set_body("new", "text/html")': {
    why: 'a Content-Type that is added stands last',
    replace: [[/^(Content-Type: text\/html\r\n)([\s\S]*?)(?=\r\nnew)/m, '$2$1']],
  },
  'multipart/mixed;boundary=x: filter_body("application/sdp")': {
    why: "the part's headers are no body: Kamailio takes those after Content-Type for it",
    replace: [
      [/^Content-Length: 35/m, 'Content-Length: 3'],
      [/^Content-Disposition: session\r\n\r\n(?=v=0)/m, ''],
    ],
  },
  'multipart/mixed;boundary=x: get_body_part("application/sdp", "$avp(p)"); append_hf("X-P: $(avp(p){s.len})\\r\\n");':
    {
      why: "the part's headers are no body: Kamailio takes those after Content-Type for it",
      replace: [[/^X-P: 37/m, 'X-P: 3']],
    },
  'text/plain: set_body_multipart("hello", "text/plain", "bound")': unclosed,
  'text/plain: set_body_multipart("hello", "text/plain", "bound"); append_body_part("part", "text/html", "render");':
    unclosed,
}

/** A row: statements, or what they are assigned to `$var(x)` if they are one call. */
const rows = (scripts: readonly string[]): Probe[] =>
  scripts.map((script) => ({
    title: script,
    script: /^\w+\([^;]*\)$/.test(script) ? `$var(x) = ${script};` : script,
    headers,
    body,
    ...(different[script] && { differs: different[script] }),
  }))

compareProbes(
  'textops: headers',
  '',
  rows([
    'is_present_hf("Subject")',
    'is_present_hf("subject")',
    'is_present_hf("s")',
    'is_present_hf("Nope")',
    'is_present_hf("m")',
    'is_present_hf_re("^X-")',
    'is_present_hf_re("^Z-")',
    'append_hf("X-New: 1\\r\\n")',
    'append_hf("X-New: 1\\r\\n", "Subject")',
    'append_hf("X-New: 1\\r\\n", "Nope")',
    'append_hf("X-New: $fU $ci\\r\\n", "To")',
    'append_hf("X-New: 1\\r\\n"); append_hf("X-New: 2\\r\\n");',
    'append_hf("X-New: 1\\r\\n", "X-Two"); append_hf("X-New: 2\\r\\n", "X-Two");',
    'append_hf("no line end")',
    'insert_hf("X-New: 1\\r\\n")',
    'insert_hf("X-New: 1\\r\\n", "Subject")',
    'insert_hf("X-New: 1\\r\\n", "Nope")',
    'insert_hf("X-New: 1\\r\\n"); insert_hf("X-New: 2\\r\\n");',
    'append_urihf("X-Uri: ", "\\r\\n")',
    'append_to_reply("X-R: 1\\r\\n"); sl_send_reply("200", "OK"); exit;',
    'append_to_reply("X-R: 1\\r\\n"); append_to_reply("X-S: $fU\\r\\n"); sl_send_reply("404", "Nope"); exit;',
    'append_time(); sl_send_reply("200", "OK"); exit;',
    'remove_hf("Date"); append_time_to_request();',
    'append_time_to_request()',
    'remove_hf("Subject")',
    'remove_hf("X-Two")',
    'remove_hf("x-two")',
    'remove_hf("Nope")',
    'remove_hf("m")',
    'remove_hf("Subject"); remove_hf("Subject");',
    'remove_hf_re("^X-")',
    'remove_hf_re("nothing")',
    'remove_hf_exp("^X-", "^X-T")',
    'remove_hf_exp("^X-T|^Subj", "nope")',
    'remove_hf_idx("X-Two", "0")',
    'remove_hf_idx("X-Two", "1")',
    'remove_hf_idx("X-Two", "-1")',
    'remove_hf_idx("X-Two", "5")',
    'remove_hf_match("X-Two", "eq", "first")',
    'remove_hf_match("X-Two", "re", "^sec")',
    'remove_hf_match("X-Two", "in", "con")',
    'remove_hf_match("X-Two", "eq", "nope")',
    'is_privacy("id")',
    'is_privacy("header")',
    'is_privacy("user")',
    'is_privacy("none")',
  ]),
)

compareProbes(
  'textops: search, replace, substitute',
  '',
  rows([
    'search("one")',
    'search("^Subject: one")',
    'search("nowhere")',
    'search("SUBJECT")',
    'search_body("three")',
    'search_body("Subject")',
    'search_body("^three")',
    'search_str("a b", " B")',
    'search_str("a b", "c")',
    'search_hf("X-Two", "second", "a")',
    'search_hf("X-Two", "second", "f")',
    'search_hf("X-Two", "second", "l")',
    'search_append("one two", "!")',
    'search_append("nowhere", "!")',
    'search_append_body("two", "!")',
    'replace("one", "ONE")',
    'replace_all("one", "ONE")',
    'replace_hdrs("one", "ONE")',
    'replace_body("one", "ONE")',
    'replace_body_all("one", "ONE")',
    'replace_body_atonce("^(.*)one", "ONE")',
    'replace_body_all("o", "00")',
    'replace_body("nowhere", "x")',
    'replace_str("one", "ONE", "a")',
    'replace_str("one", "ONE", "f")',
    'replace_hdrs_str("one", "ONE", "a")',
    'replace_body_str("one", "ONE", "a")',
    'replace_body_str("one", "ONE", "f")',
    'subst("/agent/robot/")',
    'subst("/one/ONE/g")',
    'subst("/(one) (two)/\\2 \\1/")',
    'subst("/ONE/x/i")',
    'subst("/nowhere/x/")',
    'subst("/^Subject: (.*)$/Subject: $fU \\1/")',
    'subst_body("/one/ONE/g")',
    'subst_body("/^three/THREE/")',
    'subst_body("/nowhere/x/")',
    'subst_hf("X-Two", "/second/2nd/", "a")',
    'subst_hf("X-Two", "/[a-z]+/W/", "f")',
    'subst_hf("X-Two", "/[a-z]+/W/", "l")',
    'subst_hf("X-Two", "/[a-z]+/W/g", "a")',
    'subst_hf("Nope", "/a/b/", "a")',
    '$ru = "sip:0049123@h;user=phone"; $var(x) = subst_uri("/^sip:00([0-9]+)@(.*)/sip:+\\1@\\2/"); append_hf("X-Uri: $ru\\r\\n");',
    '$ru = "sip:0049123@h"; $var(x) = subst_user("/^00/+/"); append_hf("X-Uri: $ru\\r\\n");',
    '$ru = "sip:0049123@h"; $var(x) = subst_user("/^99/+/"); append_hf("X-Uri: $ru\\r\\n");',
    '$ru = "sip:0049123@h"; $var(x) = subst_user("/^00.*//"); append_hf("X-Uri: $ru\\r\\n");',
    '$ru = "sip:h"; $var(x) = subst_user("/^/u/"); append_hf("X-Uri: $ru\\r\\n");',
    'regex_substring("abc123def", "([a-z]+)([0-9]+)", "2", "2", "$avp(s)"); append_hf("X-S: $avp(s)\\r\\n");',
    'in_list("b", "a,b,c", ",")',
    'in_list("d", "a,b,c", ",")',
    'in_list("B", "a,b,c", ",")',
    'in_list(" b", "a, b,c", ",")',
    'in_list_prefix("bcd", "a,b,c", ",")',
    'in_list_prefix("xbcd", "a,b,c", ",")',
    'cmp_str("a", "a")',
    'cmp_str("a", "A")',
    'cmp_istr("a", "A")',
    'starts_with("abc", "ab")',
    'starts_with("abc", "b")',
    'starts_with("a", "ab")',
    'ends_with("abc", "bc")',
    'ends_with("abc", "b")',
    'str_find("abc", "b")',
    'str_find("abc", "B")',
    'str_ifind("abc", "B")',
  ]),
)

const multipart = `--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/sdp\r\nContent-Disposition: session\r\n\r\nv=0\r\n--x--\r\n`
const sdp =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\na=sendonly\r\n'

const media = 'm=audio 5004 RTP/AVP 0\r\n'
const holds = [
  sdp,
  sdp.replace('a=sendonly\r\n', ''),
  sdp.replace('0.0.0.0', '192.0.2.1'),
  sdp.replace('0.0.0.0', '192.0.2.1').replace('sendonly', 'inactive'),
  sdp.replace('0.0.0.0', '192.0.2.1').replace('sendonly', 'recvonly'),
  sdp.replace('0.0.0.0', '192.0.2.1').replace(media, `a=inactive\r\n${media}`),
]

const ofBodies = (scripts: readonly string[], type: string, text: string): Probe[] =>
  rows(scripts).map((row) => ({
    ...row,
    ...(different[`${type || 'no body'}: ${row.title}`] && {
      differs: different[`${type || 'no body'}: ${row.title}`],
    }),
    title: `${type || 'no body'}: ${row.title}`,
    headers: type === '' ? '' : `Content-Type: ${type}`,
    body: text,
  }))

const bodyScripts = [
  'has_body()',
  'has_body("text/plain")',
  'has_body("application/sdp")',
  'set_body("new", "text/html")',
  'set_body("", "text/html")',
  'set_body("new", "text/html"); msg_apply_changes(); $var(x) = $rb;',
  'remove_body()',
  'set_reply_body("said", "text/plain"); sl_send_reply("200", "OK"); exit;',
  'filter_body("application/sdp")',
  'filter_body("text/plain")',
  'set_body_multipart("hello", "text/plain", "bound")',
  'set_body_multipart("hello", "text/plain", "bound"); append_body_part("part", "text/html", "render");',
  'append_body_part("part", "text/html")',
  'append_body_part("part", "text/html", "render")',
  'append_body_part_hex("706172 74", "text/html")',
  'append_body_part_hex("70617274", "text/html")',
  'get_body_part("application/sdp", "$avp(p)"); append_hf("X-P: $(avp(p){s.len})\\r\\n");',
  'get_body_part("text/html", "$avp(p)"); append_hf("X-P: $(avp(p){s.len})\\r\\n");',
  'get_body_part_raw("application/sdp", "$avp(p)"); append_hf("X-P: $(avp(p){s.len})\\r\\n");',
  'remove_body_part("text/plain")',
  'remove_body_part("application/sdp")',
  'remove_body_part("text/html")',
  'is_audio_on_hold()',
  'search_body("hello")',
]

compareProbes('textops: bodies', '', [
  ...ofBodies(
    bodyScripts.filter((script) => !script.startsWith('set_body')),
    'multipart/mixed;boundary=x',
    multipart,
  ),
  ...ofBodies(bodyScripts.slice(0, 9), 'application/sdp', sdp),
  ...ofBodies(['append_body_part("part", "text/html")'], 'application/sdp', sdp),
  ...holds.flatMap((one) => ofBodies(['is_audio_on_hold()'], 'application/sdp', one)),
  ...ofBodies(bodyScripts.slice(0, 13), 'text/plain', 'hello'),
  ...ofBodies(bodyScripts.slice(0, 9), '', ''),
])

compareProbes('textops: methods', '', [
  ...(['MESSAGE', 'INVITE', 'ACK', 'NEWMETHOD', 'REGISTER', 'PUBLISH'] as const).flatMap((method) =>
    rows([
      'is_method("MESSAGE")',
      'is_method("INVITE|ACK")',
      'is_method("NEWMETHOD")',
      'is_method("REGISTER|PUBLISH")',
      'is_method("invite")',
    ]).map((row) => ({ ...row, title: `${method}: ${row.title}`, method })),
  ),
])
