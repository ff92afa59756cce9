/*
 * The system calls: many datagrams at once. A batch costs one recvmmsg and one sendmmsg, where one datagram after the
 * other costs two calls each.
 */
#define _GNU_SOURCE
#include "datagrams.h"
#include "bursts.h"
#include "scan.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  /* ICMP errors that are read at one time; the next ones are there the next time. */
  ERRORS_AT_ONCE = 64,
  /* Datagrams of the backlog for one system call. */
  KEPT_AT_ONCE = 16,
  /* So many times the datagrams of a socket leave one by one after a burst was refused. */
  LONE_RUNS = 1000,
  /* How often a datagram is sent whose failure may be about an earlier one. */
  TRIES = 4,
};

int vectors_allocate(Vectors *vectors, uint32_t count) {
  vectors->headers = calloc(count, sizeof *vectors->headers);
  vectors->octets = calloc(count, sizeof *vectors->octets);
  vectors->addresses = calloc(count, sizeof *vectors->addresses);
  if (!vectors->headers || !vectors->octets || !vectors->addresses) return -ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    struct msghdr *header = &vectors->headers[i].msg_hdr;
    header->msg_name = &vectors->addresses[i];
    header->msg_namelen = sizeof(Address);
    header->msg_iov = &vectors->octets[i];
    header->msg_iovlen = 1;
  }
  return 0;
}

void vectors_free(Vectors *vectors) {
  free(vectors->headers);
  free(vectors->octets);
  free(vectors->addresses);
}

/* Sockets. */

static int parse(const char *text, sa_family_t family, int port, Address *address) {
  memset(address, 0, sizeof *address);
  return family == AF_INET ? uv_ip4_addr(text, port, &address->four) : uv_ip6_addr(text, port, &address->six);
}

static int bind_to(Socket *it, const Address *address, bool reuse_port, int receive_buffer_bytes) {
  const int on = 1;
  const bool is_six = it->family == AF_INET6;
  /* The least receive buffer that the system gives is better than no socket. */
  setsockopt(it->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  if (reuse_port && setsockopt(it->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) return -errno;
  /* An IPv4 device must not appear as ::ffff:192.0.2.1 on the IPv6 socket beside its own on the IPv4 one. */
  if (is_six && setsockopt(it->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) return -errno;
  if (is_six ? setsockopt(it->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on)
             : setsockopt(it->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on))
    return -errno;
  return bind(it->fd, &address->any, is_six ? sizeof address->six : sizeof address->four) ? -errno : 0;
}

int socket_open(Socket *it, const char *text, int port, bool reuse_port, int receive_buffer_bytes) {
  it->family = strchr(text, ':') ? AF_INET6 : AF_INET;
  it->kept_end = &it->kept;
  Address address;
  int failed = parse(text, it->family, port, &address);
  if (failed) return failed;
  it->fd = socket(it->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (it->fd == -1) return -errno;
  failed = bind_to(it, &address, reuse_port, receive_buffer_bytes);
  if (failed) socket_close(it);
  return failed;
}

int socket_port(const Socket *it) {
  Address address;
  socklen_t length = sizeof address;
  if (getsockname(it->fd, &address.any, &length)) return -errno;
  return ntohs(it->family == AF_INET6 ? address.six.sin6_port : address.four.sin_port);
}

void socket_close(Socket *it) {
  if (it->fd != -1) close(it->fd);
  it->fd = -1;
  for (Kept *kept = it->kept, *next; kept; kept = next) {
    next = kept->next;
    free(kept);
  }
  it->kept = NULL;
  it->kept_end = &it->kept;
  it->kept_bytes = 0;
}

/* Addresses in records. */

static void write_address(uint32_t *record, const Address *address) {
  if (address->any.sa_family == AF_INET) {
    record[PORT] = ntohs(address->four.sin_port);
    record[ADDRESS] = ntohl(address->four.sin_addr.s_addr);
    memset(record + ADDRESS + 1, 0, 4 * sizeof *record);
    return;
  }
  record[PORT] = ntohs(address->six.sin6_port);
  for (int i = 0; i < 4; i++) record[ADDRESS + i] = ntohl(address->six.sin6_addr.s6_addr32[i]);
  record[SCOPE] = address->six.sin6_scope_id;
}

static socklen_t read_address(Address *address, sa_family_t family, const uint32_t *record) {
  memset(address, 0, sizeof *address);
  address->any.sa_family = family;
  if (family == AF_INET) {
    address->four.sin_port = htons(record[PORT]);
    address->four.sin_addr.s_addr = htonl(record[ADDRESS]);
    return sizeof address->four;
  }
  address->six.sin6_port = htons(record[PORT]);
  for (int i = 0; i < 4; i++) address->six.sin6_addr.s6_addr32[i] = htonl(record[ADDRESS + i]);
  address->six.sin6_scope_id = record[SCOPE];
  return sizeof address->six;
}

int address_parse(const char *text, sa_family_t family, uint32_t *words) {
  Address address;
  const int failed = parse(text, family, 0, &address);
  if (failed) return failed;
  uint32_t record[RECORD_WORDS];
  write_address(record, &address);
  memcpy(words, record + ADDRESS, 5 * sizeof *words);
  return 0;
}

/* Errors. Those beyond the table are dropped: the transactions' timers take care of the rest. */

static void report(Tables *tables, const Socket *socket, int code, const Address *to) {
  if ((uint32_t)tables->state[ERRORS] >= tables->errors_max) return;
  uint32_t *record = tables->errors + RECORD_WORDS * tables->state[ERRORS]++;
  record[CODE] = code;
  record[LENGTH] = 0;
  record[SOCKET] = socket->index;
  write_address(record, to);
}

/*
 * RFC 3261 §18.4: host, network, port and protocol unreachable and parameter problems are told; TTL exceeded is not.
 * What is too big for the path is fragmented from then on.
 */
static bool is_telling(const struct sock_extended_err *error) {
  if (error->ee_origin == SO_EE_ORIGIN_ICMP)
    return error->ee_type == ICMP_PARAMETERPROB ||
           (error->ee_type == ICMP_DEST_UNREACH && error->ee_code != ICMP_FRAG_NEEDED);
  return error->ee_type == ICMP6_DST_UNREACH || error->ee_type == ICMP6_PARAM_PROB;
}

static bool is_icmp(const struct sock_extended_err *error) {
  return error->ee_origin == SO_EE_ORIGIN_ICMP || error->ee_origin == SO_EE_ORIGIN_ICMP6;
}

static const struct sock_extended_err *error_of(struct msghdr *message) {
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
    if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR) ||
        (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR))
      return (const struct sock_extended_err *)CMSG_DATA(at);
  }
  return NULL;
}

uint32_t datagrams_read_errors(Tables *tables, Socket *socket) {
  uint32_t count = 0;
  for (int i = 0; i < ERRORS_AT_ONCE; i++) {
    Address to;
    memset(&to, 0, sizeof to);
    _Alignas(struct cmsghdr) char control[256];
    struct msghdr message = {
        .msg_name = &to,
        .msg_namelen = sizeof to,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    if (recvmsg(socket->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) == -1) break;
    const struct sock_extended_err *error = error_of(&message);
    /* What failed here and not on the way is what sendmmsg said itself. */
    if (!error || !is_icmp(error)) continue;
    count++;
    if (is_telling(error) && to.any.sa_family == socket->family) report(tables, socket, error->ee_errno, &to);
  }
  return count;
}

/* Receiving. */

static void record_received(Tables *tables, uint32_t first, uint32_t count, const Socket *socket) {
  const uint8_t *key = tables->has_identity_key ? tables->identity_key : NULL;
  for (uint32_t i = first; i < first + count; i++) {
    const struct mmsghdr *header = &tables->in_vectors.headers[i];
    const Address *from = &tables->in_vectors.addresses[i];
    /* The slab has room for the largest datagram: what is cut was none that UDP could carry. */
    if ((header->msg_hdr.msg_flags & MSG_TRUNC) || from->any.sa_family != socket->family) continue;
    const int32_t index = tables->state[RECEIVED]++;
    uint32_t *record = tables->in.records + RECORD_WORDS * index;
    record[OFFSET] = (uint8_t *)header->msg_hdr.msg_iov->iov_base - tables->in.octets;
    record[LENGTH] = header->msg_len;
    record[SOCKET] = socket->index;
    write_address(record, from);
    scan_usual(header->msg_hdr.msg_iov->iov_base, header->msg_len, tables->in.scans + SCAN_WORDS * index, key);
  }
}

bool datagrams_receive(Tables *tables, Socket *socket) {
  /* Each record has its own place in the slab: what an earlier socket has read stays where it is. */
  const uint32_t first = tables->in_used;
  const uint32_t room = tables->in.records_max - first;
  if (room == 0) return true;
  for (int i = 0; i < TRIES; i++) {
    const int count = recvmmsg(socket->fd, tables->in_vectors.headers + first, room, MSG_DONTWAIT, NULL);
    if (count >= 0) {
      record_received(tables, first, count, socket);
      /* Only of those that the kernel has filled in: of a wake-up for one datagram, the others stay untouched. */
      for (int j = 0; j < count; j++) tables->in_vectors.headers[first + j].msg_hdr.msg_namelen = sizeof(Address);
      tables->in_used += count;
      return (uint32_t)count == room;
    }
    if (errno == EAGAIN) return false;
    /* Interrupted, or an ICMP error that waits: it is told here once, and has nothing to do with reading. */
    if (errno != EINTR) datagrams_read_errors(tables, socket);
  }
  return true;
}

/* Sending. */

/* The newest is dropped where there is no room for it. */
static void keep(Tables *tables, Socket *socket, const Address *to, const struct iovec *octets) {
  Kept *kept = NULL;
  /* Empty datagrams count too: what is bounded is memory. */
  const size_t bytes = sizeof *kept + octets->iov_len;
  if (socket->kept_bytes + bytes <= tables->kept_bytes_max) kept = malloc(bytes);
  if (!kept) {
    report(tables, socket, ENOBUFS, to);
    return;
  }
  kept->next = NULL;
  kept->to = *to;
  kept->length = octets->iov_len;
  memcpy(kept->octets, octets->iov_base, octets->iov_len);
  *socket->kept_end = kept;
  socket->kept_end = &kept->next;
  socket->kept_bytes += bytes;
}

static uint32_t send_run(Tables *tables, Socket *socket, struct mmsghdr *headers, uint32_t count);

/*
 * A burst that was refused, one by one: its way may be too narrow, or the device not able to part it. Those that are
 * done with are taken out of it; true if that is all of them.
 */
static bool send_apart(Tables *tables, Socket *socket, struct msghdr *burst) {
  struct mmsghdr headers[BURST_MAX];
  const uint32_t count = burst->msg_iovlen;
  for (uint32_t i = 0; i < count; i++)
    headers[i].msg_hdr = (struct msghdr){.msg_name = burst->msg_name,
                                         .msg_namelen = burst->msg_namelen,
                                         .msg_iov = burst->msg_iov + i,
                                         .msg_iovlen = 1};
  socket->lone_runs = LONE_RUNS;
  const uint32_t done = send_run(tables, socket, headers, count);
  burst->msg_iov += done;
  burst->msg_iovlen -= done;
  return done == count;
}

/* How many of them are done with: sent, or refused and reported. Fewer than `count` if the kernel has no room for more. */
static uint32_t send_run(Tables *tables, Socket *socket, struct mmsghdr *headers, uint32_t count) {
  uint32_t done = 0;
  for (int tries = 0; done < count;) {
    const int sent = sendmmsg(socket->fd, headers + done, count - done, MSG_DONTWAIT);
    if (sent > 0) {
      done += sent;
      tries = 0;
      continue;
    }
    const int code = sent == 0 ? EAGAIN : errno;
    if (code == EINTR) continue;
    if (code == EAGAIN) return done;
    /* An ICMP error about an earlier datagram comes out of the next call, whatever that sends: ask again. */
    const bool is_of_another = datagrams_read_errors(tables, socket) > 0 || tries == 0;
    if (is_of_another && ++tries < TRIES) continue;
    if (headers[done].msg_hdr.msg_iovlen > 1) {
      if (!send_apart(tables, socket, &headers[done].msg_hdr)) return done;
    } else {
      report(tables, socket, code, headers[done].msg_hdr.msg_name);
    }
    done++;
    tries = 0;
  }
  return done;
}

static void send_or_keep(Tables *tables, Socket *socket, struct mmsghdr *headers, uint32_t count) {
  /* Behind those that wait already, so that the order stays. */
  uint32_t done = socket->kept ? 0 : send_run(tables, socket, headers, count);
  for (; done < count; done++) {
    const struct msghdr *header = &headers[done].msg_hdr;
    for (size_t i = 0; i < header->msg_iovlen; i++) keep(tables, socket, header->msg_name, header->msg_iov + i);
  }
}

struct iovec datagram_octets(const Tables *tables, uint32_t record) {
  const uint32_t *words = tables->out.records + RECORD_WORDS * record;
  return (struct iovec){.iov_base = tables->out.octets + words[OFFSET], .iov_len = words[LENGTH]};
}

void datagram_address(const Tables *tables, struct msghdr *header, const Socket *socket, uint32_t record) {
  header->msg_namelen =
      read_address(header->msg_name, socket->family, tables->out.records + RECORD_WORDS * record);
}

/* Fills in a header for each of the records [from, to). */
static void plan_alone(Tables *tables, const Socket *socket, uint32_t from, uint32_t to) {
  const Vectors *out = &tables->out_vectors;
  for (uint32_t i = from; i < to; i++) {
    struct msghdr *header = &out->headers[i].msg_hdr;
    out->octets[i] = datagram_octets(tables, i);
    datagram_address(tables, header, socket, i);
    header->msg_iov = &out->octets[i];
    header->msg_iovlen = 1;
    header->msg_control = NULL;
    header->msg_controllen = 0;
  }
}

/* Fills in headers for the records [from, to); how many. */
static uint32_t plan(Tables *tables, Socket *socket, uint32_t from, uint32_t to) {
  const uint32_t count = to - from;
  if (socket->lone_runs > 0) socket->lone_runs--;
  else if (tables->bursts && bursts_are_worth(tables->bursts, count)) return bursts_plan(tables, socket, from, to);
  plan_alone(tables, socket, from, to);
  return count;
}

static int32_t socket_of(const Tables *tables, uint32_t record) {
  return tables->out.records[RECORD_WORDS * record + SOCKET];
}

void datagrams_send(Tables *tables) {
  const uint32_t count = tables->state[WAITING];
  tables->state[WAITING] = tables->state[WAITING_BYTES] = 0;
  for (uint32_t from = 0, to; from < count; from = to) {
    const int32_t index = socket_of(tables, from);
    for (to = from + 1; to < count && socket_of(tables, to) == index;) to++;
    Socket *socket = tables->sockets[index];
    const uint32_t planned = plan(tables, socket, from, to);
    send_or_keep(tables, socket, tables->out_vectors.headers + from, planned);
  }
}

static void drop_kept(Socket *socket) {
  Kept *kept = socket->kept;
  socket->kept = kept->next;
  if (!socket->kept) socket->kept_end = &socket->kept;
  socket->kept_bytes -= sizeof *kept + kept->length;
  free(kept);
}

void datagrams_send_kept(Tables *tables, Socket *socket) {
  struct mmsghdr headers[KEPT_AT_ONCE];
  struct iovec octets[KEPT_AT_ONCE];
  uint32_t count, done;
  do {
    count = 0;
    for (Kept *kept = socket->kept; kept && count < KEPT_AT_ONCE; kept = kept->next, count++) {
      octets[count] = (struct iovec){.iov_base = kept->octets, .iov_len = kept->length};
      headers[count].msg_hdr = (struct msghdr){
          .msg_name = &kept->to,
          .msg_namelen = socket->family == AF_INET ? sizeof kept->to.four : sizeof kept->to.six,
          .msg_iov = &octets[count],
          .msg_iovlen = 1,
      };
    }
    done = send_run(tables, socket, headers, count);
    for (uint32_t i = 0; i < done; i++) drop_kept(socket);
  } while (done > 0 && done == count);
}
