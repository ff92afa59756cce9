#define _GNU_SOURCE
#include "bursts.h"

#include <linux/if_ether.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
  /* With fewer that leave at once there is little to gain, and captures of quiet systems are as they always were. */
  WORTH = 8,
  /* What every path takes unfragmented (RFC 8200 §5): a burst cannot be fragmented. */
  SEGMENT_OCTETS_MAX = 1232,
  /* What UDP over IPv4 can carry. */
  OCTETS_MAX = 65507,
  /* Destinations that a burst is open for; a power of two. */
  OPEN_MAX = 32,
  /* So long the answer of somebody_captures() is good. */
  LOOK_MS = 1000,
};

typedef struct {
  /* The record of the first, and how many. */
  uint32_t first, count;
  /* Where its iovecs begin. */
  uint32_t start;
  uint32_t segment_octets, octets;
  bool is_closed;
} Burst;

typedef union {
  struct cmsghdr header;
  uint8_t octets[CMSG_SPACE(sizeof(uint16_t))];
} Control;

/* One of each for every record of the slab. */
struct Bursts {
  Burst *bursts;
  uint32_t *burst_of;
  Control *control;
  /* Milliseconds of the monotonic clock, and whether somebody captured packets then. */
  int64_t looked_at;
  bool is_watched;
};

Bursts *bursts_allocate(uint32_t count) {
  Bursts *it = calloc(1, sizeof *it);
  if (!it) return NULL;
  it->looked_at = INT64_MIN / 2;
  it->bursts = calloc(count, sizeof *it->bursts);
  it->burst_of = calloc(count, sizeof *it->burst_of);
  it->control = calloc(count, sizeof *it->control);
  if (it->bursts && it->burst_of && it->control) return it;
  bursts_free(it);
  return NULL;
}

void bursts_free(Bursts *it) {
  if (!it) return;
  free(it->bursts);
  free(it->burst_of);
  free(it->control);
  free(it);
}

/*
 * Whether a packet socket of this network namespace hears everything, as those of tcpdump and sngrep do. On devices
 * that part bursts themselves it would see several messages as one; also if that cannot be known.
 */
static bool somebody_captures(void) {
  FILE *file = fopen("/proc/self/net/packet", "re");
  if (!file) return true;
  char line[256];
  unsigned protocol;
  bool found = false;
  while (!found && fgets(line, sizeof line, file))
    found = sscanf(line, "%*s %*s %*s %4x", &protocol) == 1 && protocol == ETH_P_ALL;
  fclose(file);
  return found;
}

bool bursts_are_worth(Bursts *it, uint32_t count) {
  if (count < WORTH) return false;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const int64_t ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
  if (ms >= it->looked_at + LOOK_MS) {
    it->is_watched = somebody_captures();
    it->looked_at = ms;
  }
  return !it->is_watched;
}

static bool is_same_destination(const uint32_t *one, const uint32_t *other, bool is_six) {
  return one[PORT] == other[PORT] && one[ADDRESS] == other[ADDRESS] &&
         (!is_six || memcmp(one + ADDRESS, other + ADDRESS, 5 * sizeof *one) == 0);
}

/* An empty one would be no segment at all. */
static bool takes(const Burst *burst, const uint32_t *first, const uint32_t *record, bool is_six) {
  return !burst->is_closed && record[LENGTH] > 0 && record[LENGTH] <= burst->segment_octets && burst->count < BURST_MAX &&
         burst->octets + record[LENGTH] <= OCTETS_MAX && is_same_destination(first, record, is_six);
}

/* Which datagram goes with which burst: to the one that is open for its destination, or it opens one. */
static uint32_t assign(Tables *tables, uint32_t from, uint32_t to, bool is_six) {
  Bursts *it = tables->bursts;
  /* One more than the index of the burst; who comes to the same place closes it, which costs a burst and no order. */
  uint32_t open[OPEN_MAX] = {0}, count = 0;
  for (uint32_t i = from; i < to; i++) {
    const uint32_t *record = tables->out.records + RECORD_WORDS * i;
    uint32_t *place = &open[(record[ADDRESS] * 31 + record[ADDRESS + 3] * is_six + record[PORT]) % OPEN_MAX];
    Burst *burst = *place ? &it->bursts[*place - 1] : NULL;
    if (!burst || !takes(burst, tables->out.records + RECORD_WORDS * burst->first, record, is_six)) {
      burst = &it->bursts[count++];
      *burst = (Burst){.first = i, .segment_octets = record[LENGTH]};
      burst->is_closed = record[LENGTH] > SEGMENT_OCTETS_MAX;
      *place = count;
    }
    burst->count++;
    burst->octets += record[LENGTH];
    /* Only the last one may be shorter. */
    if (record[LENGTH] < burst->segment_octets) burst->is_closed = true;
    it->burst_of[i] = burst - it->bursts;
  }
  return count;
}

static void set_segment(struct msghdr *header, Control *control, uint32_t octets) {
  const uint16_t segment = octets;
  control->header = (struct cmsghdr){
      .cmsg_len = CMSG_LEN(sizeof segment), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
  memcpy(CMSG_DATA(&control->header), &segment, sizeof segment);
  header->msg_control = control;
  header->msg_controllen = sizeof *control;
}

uint32_t bursts_plan(Tables *tables, const Socket *socket, uint32_t from, uint32_t to) {
  Bursts *it = tables->bursts;
  const uint32_t count = assign(tables, from, to, socket->family == AF_INET6);
  Vectors *out = &tables->out_vectors;
  for (uint32_t i = 0, start = from; i < count; i++) {
    Burst *burst = &it->bursts[i];
    struct msghdr *header = &out->headers[from + i].msg_hdr;
    burst->start = start;
    datagram_address(tables, header, socket, burst->first);
    header->msg_iov = &out->octets[start];
    header->msg_iovlen = burst->count;
    header->msg_control = NULL;
    header->msg_controllen = 0;
    if (burst->count > 1) set_segment(header, &it->control[from + i], burst->segment_octets);
    start += burst->count;
  }
  for (uint32_t i = from; i < to; i++)
    out->octets[it->bursts[it->burst_of[i]].start++] = datagram_octets(tables, i);
  return count;
}
