/*
 * Names of headers as most senders write them, and their numbers: those of src/sip/header-id.ts, found as it finds them.
 * test/wire/native-scan.test.ts looks up each name that is known there.
 */
#ifndef VIADUCT_HEADER_NAMES_H
#define VIADUCT_HEADER_NAMES_H

#include <stdint.h>

typedef struct {
  const char *name;
  uint8_t length, id;
} Name;

#define SLOT(length, first, last) (((length) + ((first) | 0x20) * 2 + ((last) | 0x20) * 13) & 511)
#define NAME(first, last, text, id) [SLOT(sizeof text - 1, first, last)] = {text, sizeof text - 1, id}

/* Length, first and last letter choose a slot; no two names share one. */
static const Name names[512] = {
    NAME('V', 'a', "Via", 1),
    NAME('v', 'v', "v", 1),
    NAME('F', 'm', "From", 2),
    NAME('f', 'f', "f", 2),
    NAME('T', 'o', "To", 3),
    NAME('t', 't', "t", 3),
    NAME('C', 'D', "Call-ID", 4),
    NAME('i', 'i', "i", 4),
    NAME('C', 'q', "CSeq", 5),
    NAME('C', 't', "Contact", 6),
    NAME('m', 'm', "m", 6),
    NAME('M', 's', "Max-Forwards", 7),
    NAME('R', 'e', "Route", 8),
    NAME('R', 'e', "Record-Route", 9),
    NAME('C', 'h', "Content-Length", 10),
    NAME('l', 'l', "l", 10),
    NAME('C', 'e', "Content-Type", 11),
    NAME('c', 'c', "c", 11),
    NAME('A', 'n', "Authorization", 12),
    NAME('P', 'n', "Proxy-Authorization", 13),
    NAME('E', 's', "Expires", 14),
    NAME('P', 'h', "Path", 15),
    NAME('S', 'd', "Supported", 16),
    NAME('k', 'k', "k", 16),
    NAME('R', 'e', "Require", 17),
    NAME('P', 'e', "Proxy-Require", 18),
    NAME('U', 't', "User-Agent", 19),
    NAME('A', 'w', "Allow", 20),
    NAME('E', 't', "Event", 21),
    NAME('o', 'o', "o", 21),
    NAME('U', 'd', "Unsupported", 22),
    NAME('W', 'e', "WWW-Authenticate", 23),
    NAME('P', 'e', "Proxy-Authenticate", 24),
    NAME('M', 'h', "Max-Breadth", 25),
    NAME('P', 'y', "P-Asserted-Identity", 26),
    NAME('P', 'y', "P-Preferred-Identity", 27),
    NAME('R', 'd', "Remote-Party-Id", 28),
    NAME('D', 'n', "Diversion", 29),
    NAME('R', 'o', "Refer-To", 30),
    NAME('r', 'r', "r", 30),
    NAME('M', 's', "Min-Expires", 31),
    NAME('D', 'e', "Date", 32),
    NAME('S', 't', "Subject", 33),
    NAME('s', 's', "s", 33),
    NAME('R', 'n', "Reason", 34),
    NAME('R', 'r', "Retry-After", 35),
};

#undef NAME

#endif
