/*
 * Usual messages, in one pass over octets that the kernel has just copied. Each function stops at the first thing that
 * is not as nearly all write it: what to think of that is scan.ts's to say. Nothing is read at or beyond `length`.
 *
 * JavaScript takes 2.5 us for a MESSAGE of ten lines; with what is found here it takes 0.3, and this another 0.3:
 * docs/decisions/0019-hot-path.md.
 */
#include "scan.h"

#include "header-names.h"
#include "sip-hash.h"

#include <string.h>

enum {
  /* src/limits.ts: uriBytesMax, headerBytesMax. */
  URI_BYTES_MAX = 2048,
  HEADER_BYTES_MAX = 16384,
};

/* Of src/sip/header-id.ts. Those that are not looked at here have their numbers in the table of names only. */
enum { OTHER, VIA, FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS = 7, CONTENT_LENGTH = 10, EXPIRES = 14 };

enum {
  MANDATORY = 1 << VIA | 1 << FROM | 1 << TO | 1 << CALL_ID | 1 << CSEQ,
  SINGLETONS = 1 << FROM | 1 << TO | 1 << CALL_ID | 1 << CSEQ | 1 << MAX_FORWARDS | 1 << CONTENT_LENGTH,
};

typedef struct {
  const uint8_t *octets;
  int32_t length;
  int32_t *record;
} Scan;

/* Octets. */

enum {
  /* RFC 3261 §25.1. */
  IN_TOKEN = 1,
  /* Nowhere in a URI: src/sip/uri-parse.ts. */
  NOT_IN_URI = 2,
  IN_HOST_OF_URI = 4,
  /* Ends the host of a Via. */
  NOT_IN_SENT_BY = 8,
  /* White space, controls, quotes and commas: a Via without is read letter by letter. */
  NOT_IN_VIA = 16,
};

#define LETTER (IN_TOKEN | IN_HOST_OF_URI)

static const uint8_t classes[256] = {
    [0 ... 0x1f] = NOT_IN_URI | NOT_IN_VIA | NOT_IN_SENT_BY,
    [' '] = NOT_IN_URI | NOT_IN_VIA | NOT_IN_SENT_BY,
    [0x7f] = NOT_IN_URI,
    ['"'] = NOT_IN_URI | NOT_IN_VIA,
    ['<'] = NOT_IN_URI,
    ['>'] = NOT_IN_URI,
    [','] = NOT_IN_VIA,
    [':'] = NOT_IN_SENT_BY,
    [';'] = NOT_IN_SENT_BY,
    ['A' ... 'Z'] = LETTER,
    ['a' ... 'z'] = LETTER,
    ['0' ... '9'] = LETTER,
    ['-'] = LETTER,
    ['.'] = LETTER,
    ['_'] = LETTER,
    ['!'] = IN_TOKEN,
    ['%'] = IN_TOKEN,
    ['*'] = IN_TOKEN,
    ['+'] = IN_TOKEN,
    ['`'] = IN_TOKEN,
    ['\''] = IN_TOKEN,
    ['~'] = IN_TOKEN,
};

static bool is_white(uint8_t octet) {
  return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static uint8_t lower(uint8_t octet) {
  return octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
}

/* The position of the octet in the range, -1 if it is not there. */
static int32_t find(const Scan *it, uint8_t octet, int32_t from, int32_t to) {
  const uint8_t *at = from < to ? memchr(it->octets + from, octet, to - from) : NULL;
  return at ? (int32_t)(at - it->octets) : -1;
}

/* The first octet of the range that is of the class, its end if there is none. */
static int32_t find_class(const Scan *it, uint8_t class, int32_t from, int32_t to) {
  while (from < to && !(classes[it->octets[from]] & class)) from++;
  return from;
}

static int32_t skip_class(const Scan *it, uint8_t class, int32_t from, int32_t to) {
  while (from < to && (classes[it->octets[from]] & class)) from++;
  return from;
}

static int32_t skip_white(const Scan *it, int32_t from, int32_t to) {
  while (from < to && is_white(it->octets[from])) from++;
  return from;
}

static bool starts_with(const Scan *it, int32_t from, int32_t to, const char *text, int32_t length) {
  return to - from >= length && memcmp(it->octets + from, text, length) == 0;
}

#define STARTS_WITH(it, from, to, text) starts_with(it, from, to, text, sizeof text - 1)

/* Digits only; -1 if it is anything else or more than `max`. */
static int64_t decimal(const Scan *it, int32_t from, int32_t to, int64_t max) {
  int64_t value = from < to ? 0 : -1;
  for (; from < to; from++) {
    const int digit = it->octets[from] - '0';
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > max) return -1;
  }
  return value;
}

/* Start line. */

static bool scan_status_line(Scan *it, int32_t end) {
  const int32_t code = sizeof "SIP/2.0 " - 1, code_end = code + 3;
  if (code_end >= end || it->octets[code_end] != ' ') return false;
  it->record[METHOD_END] = it->record[URI_START] = it->record[URI_END] = it->record[URI_HOST] = 0;
  it->record[STATUS_CODE] = decimal(it, code, code_end, 699);
  it->record[REASON_START] = code_end + 1;
  it->record[REASON_END] = end;
  return it->record[STATUS_CODE] >= 100;
}

/* sip:[user@]host[:port][;params][?headers], no escapes looked at, no IPv6. The first @ ends the user. */
static bool scan_request_uri(Scan *it, int32_t start, int32_t end) {
  if (!STARTS_WITH(it, start, end, "sip:") || end - start > URI_BYTES_MAX) return false;
  if (find_class(it, NOT_IN_URI, start, end) != end) return false;
  const int32_t user = start + 4, at_sign = find(it, '@', user, end);
  const int32_t host = at_sign == -1 ? user : at_sign + 1;
  /* Not an empty one either before a password. */
  if (at_sign == user || (at_sign != -1 && it->octets[user] == ':')) return false;
  int32_t position = skip_class(it, IN_HOST_OF_URI, host, end);
  if (position == host) return false;
  it->record[URI_HOST_END] = position;
  it->record[URI_PORT] = 0;
  if (position < end && it->octets[position] == ':') {
    const int32_t port = position + 1;
    while (++position < end && it->octets[position] >= '0' && it->octets[position] <= '9') continue;
    it->record[URI_PORT] = decimal(it, port, position, 65535);
    if (it->record[URI_PORT] < 1) return false;
  }
  it->record[URI_HOST] = position == end ? host : 0;
  return position == end || it->octets[position] == ';' || it->octets[position] == '?';
}

static bool scan_request_line(Scan *it, int32_t end) {
  const int32_t method_end = skip_class(it, IN_TOKEN, 0, end);
  const int32_t uri = method_end + 1, uri_end = end - (int32_t)sizeof " SIP/2.0" + 1;
  if (method_end == 0 || uri >= uri_end || it->octets[method_end] != ' ') return false;
  if (!STARTS_WITH(it, uri_end, end, " SIP/2.0")) return false;
  it->record[METHOD_END] = method_end;
  it->record[URI_START] = uri;
  it->record[URI_END] = uri_end;
  it->record[STATUS_CODE] = it->record[REASON_START] = it->record[REASON_END] = 0;
  return scan_request_uri(it, uri, uri_end);
}

static bool scan_start_line(Scan *it) {
  const int32_t line_feed = find(it, '\n', 0, it->length);
  if (line_feed < 1 || find(it, '\r', 0, line_feed) != line_feed - 1) return false;
  it->record[HEADERS_START] = line_feed + 1;
  if (STARTS_WITH(it, 0, line_feed, "SIP/2.0 ")) return scan_status_line(it, line_feed - 1);
  return scan_request_line(it, line_feed - 1);
}

/* Header lines. */

/* The number of the name in any case; -1 if it is none. */
static int32_t header_id(const Scan *it, int32_t start, int32_t end) {
  const int32_t length = end - start;
  if (length < 1) return -1;
  const Name *known = &names[SLOT(length, it->octets[start], it->octets[end - 1])];
  if (known->length == length && memcmp(it->octets + start, known->name, length) == 0) return known->id;
  if (skip_class(it, IN_TOKEN, start, end) != end) return -1;
  if (known->length != length) return OTHER;
  for (int32_t i = 0; i < length; i++)
    if (lower(it->octets[start + i]) != lower(known->name[i])) return OTHER;
  return known->id;
}

/* The line between its start and its LF. */
static bool scan_line(const Scan *it, int32_t start, int32_t line_feed, int32_t *row) {
  const int32_t colon = find(it, ':', start, line_feed);
  if (colon == -1 || find(it, '\r', colon, line_feed) != line_feed - 1) return false;
  row[ROW_START] = start;
  row[ROW_NAME_END] = colon;
  row[ROW_ID] = header_id(it, start, colon);
  /* Without a value both its ends are at the LF. */
  int32_t end = line_feed;
  row[ROW_VALUE_START] = skip_white(it, colon + 1, end);
  while (end > row[ROW_VALUE_START] && is_white(it->octets[end - 1])) end--;
  row[ROW_VALUE_END] = end;
  return row[ROW_ID] != -1;
}

/* Whether it may stand there; the first of each id is noted. */
static bool count(int32_t *record, int32_t index, int32_t id) {
  if (id >= COUNTED_IDS) return true;
  const int32_t bit = 1 << id;
  if (!(record[SEEN] & bit)) record[id] = index;
  else if (bit & SINGLETONS) return false;
  record[SEEN] |= bit;
  return true;
}

static bool scan_headers(Scan *it) {
  int32_t *record = it->record;
  int32_t start = record[HEADERS_START];
  record[SEEN] = 0;
  for (int32_t index = 0; index < ROWS_MAX; index++) {
    int32_t *row = record + ROWS + index * ROW_WORDS;
    const int32_t line_feed = find(it, '\n', start, it->length);
    if (line_feed == -1 || line_feed - start > HEADER_BYTES_MAX) return false;
    if (line_feed == start + 1 && it->octets[start] == '\r') {
      record[HEADER_COUNT] = index;
      record[HEADERS_END] = start;
      record[BODY_START] = line_feed + 1;
      return true;
    }
    /* A line that goes on begins with white space, which is no name. */
    if (!scan_line(it, start, line_feed, row) || !count(record, index, row[ROW_ID])) return false;
    start = line_feed + 1;
  }
  return false;
}

/* Values. */

/* The row of the first header of that id, NULL if there is none. */
static const int32_t *first(const Scan *it, int32_t id) {
  return it->record[SEEN] & 1 << id ? it->record + ROWS + it->record[id] * ROW_WORDS : NULL;
}

static bool is_number(const Scan *it, int32_t id, int64_t max) {
  const int32_t *row = first(it, id);
  return !row || decimal(it, row[ROW_VALUE_START], row[ROW_VALUE_END], max) != -1;
}

static bool scan_body(Scan *it) {
  const int32_t *row = first(it, CONTENT_LENGTH);
  it->record[BODY_END] = it->length;
  if (!row) return true;
  const int64_t length = decimal(it, row[ROW_VALUE_START], row[ROW_VALUE_END], INT32_MAX);
  if (length < 0 || length > it->length - it->record[BODY_START]) return false;
  it->record[BODY_END] = it->record[BODY_START] + length;
  return true;
}

static bool scan_cseq(Scan *it) {
  const int32_t *row = first(it, CSEQ);
  const int32_t start = row[ROW_VALUE_START], end = row[ROW_VALUE_END], space = find(it, ' ', start, end);
  if (space == -1) return false;
  const int64_t number = decimal(it, start, space, INT32_MAX);
  if (number < 0 || space + 1 == end || skip_class(it, IN_TOKEN, space + 1, end) != end) return false;
  it->record[CSEQ_NUMBER] = number;
  it->record[CSEQ_METHOD_START] = space + 1;
  it->record[CSEQ_METHOD_END] = end;
  const int32_t method = it->record[METHOD_END];
  return method == 0 || (method == end - space - 1 && memcmp(it->octets, it->octets + space + 1, method) == 0);
}

/* The tag of From or To into two words; the first is -1 where the parameters are not plain. */
static void scan_tag(const Scan *it, int32_t start, int32_t end, int32_t *tag) {
  tag[0] = tag[1] = 0;
  if (find(it, '"', start, end) != -1) tag[0] = -1;
  for (int32_t position = start, stop; tag[0] == 0 && position < end; position = stop + 1) {
    stop = find(it, ';', position, end);
    if (stop == -1) stop = end;
    if (STARTS_WITH(it, position, stop, "tag=")) {
      const int32_t value = position + 4;
      const bool is_plain = value < stop && !is_white(it->octets[value]) && !is_white(it->octets[stop - 1]);
      tag[0] = is_plain ? value : -1;
      tag[1] = stop;
    } else if (position < stop && (is_white(it->octets[position]) || lower(it->octets[position]) == 't')) {
      tag[0] = -1;
    }
  }
}

/* Where the angle bracket of `"display" <uri>` and `display <uri>` is; -1 if it is nothing of that kind. */
static int32_t open_bracket(const Scan *it, int32_t start, int32_t end) {
  if (start < end && it->octets[start] == '"') {
    const int32_t close = find(it, '"', start + 1, end);
    if (close == -1 || find(it, '\\', start, close) != -1) return -1;
    const int32_t bracket = skip_white(it, close + 1, end);
    return bracket < end && it->octets[bracket] == '<' ? bracket : -1;
  }
  return find(it, '<', start, end);
}

static bool scan_address(const Scan *it, int32_t id, int32_t *tag, int32_t *place) {
  const int32_t *row = first(it, id);
  const int32_t end = row[ROW_VALUE_END], bracket = open_bracket(it, row[ROW_VALUE_START], end);
  if (bracket == -1) return false;
  const int32_t uri = bracket + 1, uri_end = find(it, '>', uri, end), scheme_end = find(it, ':', uri, uri_end);
  if (uri_end == -1 || scheme_end <= uri || scheme_end + 1 == uri_end) return false;
  if (is_white(it->octets[uri]) || is_white(it->octets[uri_end - 1])) return false;
  if (uri_end + 1 < end && it->octets[uri_end + 1] != ';') return false;
  place[0] = uri;
  place[1] = uri_end;
  scan_tag(it, uri_end + 2, end, tag);
  return true;
}

/* Via. */

/* Of those parameters that matter to us each one at most, in small letters, with a value where there must be one. */
static bool scan_via_param(const Scan *it, int32_t start, int32_t stop, int32_t *via) {
  const uint8_t letter = start < stop ? lower(it->octets[start]) : 0;
  if (letter != 'b' && letter != 'm' && letter != 'r') return true;
  int32_t *at;
  int32_t value;
  if (STARTS_WITH(it, start, stop, "branch=")) at = via + VIA_BRANCH_START, value = start + 7;
  else if (STARTS_WITH(it, start, stop, "maddr=")) at = via + VIA_MADDR_START, value = start + 6;
  else if (STARTS_WITH(it, start, stop, "received=")) at = via + VIA_RECEIVED_START, value = start + 9;
  else {
    if (via[VIA_RPORT] != -1 || !STARTS_WITH(it, start, stop, "rport")) return false;
    if (stop == start + 5) {
      via[VIA_RPORT] = 0;
      /* After `received` nobody fills it in there. */
      if (via[VIA_IS_UNFILLED]) via[VIA_RPORT_END] = stop;
      return true;
    }
    via[VIA_IS_UNFILLED] = 0;
    via[VIA_RPORT] = it->octets[start + 5] == '=' ? decimal(it, start + 6, stop, 65535) : -1;
    return via[VIA_RPORT] != -1;
  }
  if (at[0] != 0 || value == stop || it->octets[value] == '[') return false;
  if (letter == 'r') via[VIA_IS_UNFILLED] = 0;
  at[0] = value;
  at[1] = stop;
  return true;
}

static bool scan_via_params(const Scan *it, int32_t start, int32_t end, int32_t *via) {
  via[VIA_PARAMS_START] = start;
  if (find_class(it, NOT_IN_VIA, start, end) != end) return false;
  for (int32_t position = start, stop; position < end; position = stop + 1) {
    stop = find(it, ';', position, end);
    if (stop == -1) stop = end;
    if (!scan_via_param(it, position, stop, via)) return false;
  }
  const int32_t branch = via[VIA_BRANCH_START], branch_end = via[VIA_BRANCH_END];
  via[VIA_IS_RFC3261] = branch_end - branch > 7 && STARTS_WITH(it, branch, branch_end, "z9hG4bK");
  return true;
}

/* SIP/2.0/UDP host[:port][;params], alone in its line. */
static bool scan_via(const Scan *it, const int32_t *row, int32_t *via) {
  const int32_t start = row[ROW_VALUE_START], end = row[ROW_VALUE_END];
  if (!STARTS_WITH(it, start, end, "SIP/2.0/UDP ") || find(it, ',', start, end) != -1) return false;
  memset(via, 0, VIA_WORDS * sizeof *via);
  via[VIA_START] = start;
  via[VIA_END] = end;
  via[VIA_PARAMS_START] = via[VIA_RPORT] = via[VIA_RPORT_END] = -1;
  via[VIA_IS_UNFILLED] = 1;
  const int32_t host = start + 12;
  int32_t position = find_class(it, NOT_IN_SENT_BY, host, end);
  via[VIA_HOST_START] = host;
  via[VIA_HOST_END] = position;
  if (position == host || it->octets[host] == '[') return false;
  if (position < end && it->octets[position] == ':') {
    const int32_t port = position + 1, port_end = find(it, ';', port, end);
    position = port_end == -1 ? end : port_end;
    via[VIA_PORT] = decimal(it, port, position, 65535);
    if (via[VIA_PORT] < 1) return false;
  }
  if (position == end) return true;
  return it->octets[position] == ';' && scan_via_params(it, position + 1, end, via);
}

/* The second one may be of any kind: who asks for it reads it where it stands. */
static bool scan_vias(Scan *it) {
  int32_t *record = it->record;
  const int32_t *row = first(it, VIA), *rows_end = record + ROWS + record[HEADER_COUNT] * ROW_WORDS;
  if (!scan_via(it, row, record + TOPMOST_VIA)) return false;
  record[SECOND_VIA + VIA_START] = 0;
  for (row += ROW_WORDS; row < rows_end; row += ROW_WORDS) {
    if (row[ROW_ID] != VIA) continue;
    if (!scan_via(it, row, record + SECOND_VIA)) record[SECOND_VIA + VIA_START] = -1;
    break;
  }
  return true;
}

static bool has_call_id(const Scan *it) {
  const int32_t *row = first(it, CALL_ID);
  return row[ROW_VALUE_START] < row[ROW_VALUE_END];
}

/*
 * Branch, Call-ID and CSeq number of a request as its sender knows it, keyed: src/proxy/stateless.ts says what for. In a
 * response to what we forwarded the sender's branch is in the second Via.
 */
static bool identify(const Scan *it, const uint8_t *key) {
  int32_t *record = it->record;
  const int32_t *via = record + (record[METHOD_END] != 0 ? TOPMOST_VIA : SECOND_VIA), *row = first(it, CALL_ID);
  if (!key || via[VIA_START] <= 0) return false;
  const uint32_t branch_length = via[VIA_BRANCH_END] - via[VIA_BRANCH_START];
  const uint32_t call_id_length = row[ROW_VALUE_END] - row[ROW_VALUE_START];
  SipHash hash;
  sip_hash_start(&hash, key);
  sip_hash_word(&hash, (uint32_t)record[CSEQ_NUMBER] | (uint64_t)(branch_length << 16 | call_id_length) << 32);
  sip_hash_field(&hash, it->octets + via[VIA_BRANCH_START], branch_length);
  sip_hash_field(&hash, it->octets + row[ROW_VALUE_START], call_id_length);
  const uint64_t identity = sip_hash_finish(&hash);
  record[IDENTITY_LOW] = (int32_t)identity;
  record[IDENTITY_HIGH] = (int32_t)(identity >> 32);
  return true;
}

bool scan_usual(const uint8_t *octets, size_t length, int32_t *record, const uint8_t *key) {
  Scan scan = {octets, (int32_t)length, record}, *it = &scan;
  record[IS_USUAL] = length <= UINT16_MAX && scan_start_line(it) && scan_headers(it) &&
                     (record[SEEN] & MANDATORY) == MANDATORY && scan_body(it) && has_call_id(it) &&
                     scan_cseq(it) && scan_address(it, FROM, record + FROM_TAG, record + FROM_URI) &&
                     scan_address(it, TO, record + TO_TAG, record + TO_URI) && scan_vias(it) &&
                     is_number(it, MAX_FORWARDS, 255) && is_number(it, EXPIRES, UINT32_MAX);
  record[IS_IDENTIFIED] = record[IS_USUAL] && identify(it, key);
  return record[IS_USUAL];
}
