/*
 * What src/sip/scan.ts finds in a message, found while its octets are still in the cache: the table that JavaScript
 * would otherwise make letter by letter. src/sip/scan-record.ts has the same numbers.
 *
 * scan.ts stays the one definition. What is not written as nearly all write it, or might be wrong, is not usual, and
 * scan.ts looks at it. That both agree about what is usual is a law: test/wire/native-scan.test.ts.
 */
#ifndef VIADUCT_SCAN_H
#define VIADUCT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Header rows as in src/sip/header-table.ts: the first header of each id below 31, then five words for each line. */
enum { COUNTED_IDS = 31, ROW_START = 0, ROW_NAME_END, ROW_VALUE_START, ROW_VALUE_END, ROW_ID, ROW_WORDS };

enum {
  /* Lines of a usual message. */
  ROWS_MAX = 64,
  ROWS = COUNTED_IDS,
  /* Of the whole message. */
  IS_USUAL = ROWS + ROWS_MAX * ROW_WORDS,
  METHOD_END,
  URI_START,
  URI_END,
  STATUS_CODE,
  REASON_START,
  REASON_END,
  HEADERS_START,
  HEADERS_END,
  BODY_START,
  BODY_END,
  HEADER_COUNT,
  SEEN,
  CSEQ_NUMBER,
  CSEQ_METHOD_START,
  CSEQ_METHOD_END,
  /* A tag's end follows its start. A start of -1: look yourself; 0: there is none. */
  FROM_TAG,
  FROM_TAG_END,
  TO_TAG,
  TO_TAG_END,
  TOPMOST_VIA,
};

/* Words of a Via, of which each record has two. A start of 0: the parameter is not there. */
enum {
  /* Of the second Via 0: there is none; -1: it is not usual, look yourself. */
  VIA_START = 0,
  VIA_END,
  VIA_HOST_START,
  VIA_HOST_END,
  VIA_PORT,
  /* After the first semicolon; -1 without one. */
  VIA_PARAMS_START,
  VIA_BRANCH_START,
  VIA_BRANCH_END,
  VIA_RECEIVED_START,
  VIA_RECEIVED_END,
  VIA_MADDR_START,
  VIA_MADDR_END,
  /* -1: no such parameter. */
  VIA_RPORT,
  VIA_RPORT_END,
  VIA_IS_UNFILLED,
  VIA_IS_RFC3261,
  VIA_WORDS,
};

enum {
  SECOND_VIA = TOPMOST_VIA + VIA_WORDS,
  /* Whether the two words after it are there: SipHash of what the sender of a request knows it by. */
  IS_IDENTIFIED = SECOND_VIA + VIA_WORDS,
  IDENTITY_LOW,
  IDENTITY_HIGH,
  /* Of a Request-URI without parameters and headers; a start of 0: parse it. */
  URI_HOST,
  URI_HOST_END,
  URI_PORT,
  /* Between the angle brackets of From and To. */
  FROM_URI,
  FROM_URI_END,
  TO_URI,
  TO_URI_END,
  SCAN_WORDS,
};

/*
 * Fills the record, of SCAN_WORDS. False, and IS_USUAL is 0: nothing else in it counts. Without a key, of 16 octets, there
 * is no identity.
 */
bool scan_usual(const uint8_t *octets, size_t length, int32_t *record, const uint8_t *key);

#endif
