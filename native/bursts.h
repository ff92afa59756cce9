/*
 * Datagrams of one length to one destination as one system call's message: UDP_SEGMENT (Linux 4.18). The kernel takes
 * them through the stack once and parts them at its end. docs/decisions/0024-bursts.md.
 */
#ifndef VIADUCT_BURSTS_H
#define VIADUCT_BURSTS_H

#include "datagrams.h"

/* What one burst holds at most: the kernel's own bound of all versions. */
enum { BURST_MAX = 64 };

/* For a slab of so many records; NULL without memory. */
Bursts *bursts_allocate(uint32_t count);
void bursts_free(Bursts *bursts);

/* Whether so many datagrams should leave as bursts: there are enough of them, and nobody captures packets. */
bool bursts_are_worth(Bursts *bursts, uint32_t count);

/*
 * Fills in headers for the records [from, to), which belong to one socket; how many headers. Datagrams to one
 * destination keep their order. A header of several datagrams has as many iovecs.
 */
uint32_t bursts_plan(Tables *tables, const Socket *socket, uint32_t from, uint32_t to);

#endif
