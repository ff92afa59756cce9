/*
 * sipgen: load for a SIP server, over UDP on loopback. It is both ends of the traffic, who asks and whom the server
 * forwards to, in one process and one thread, and prints what it saw as one line of JSON.
 *
 *   sipgen -m MODE -s IP:PORT -n REQUESTS (-r RATE | -r 0 -w WINDOW) [options]
 *
 * -r RATE     open loop: requests evenly spaced in time, whatever the server does
 * -r 0 -w W   closed loop: W requests always in flight, which is what "saturation" means here
 *
 * -m msg      request -> server -> our callee -> 200 -> server -> us
 *    opt      request, answered by the server itself
 *    call     INVITE 180 200 ACK BYE 200 through the server; Record-Route is honoured
 *    reg      REGISTER, 200
 *    auth     REGISTER, 401, REGISTER with digest, 200
 *
 * -M METHOD   of msg and opt                    -D 1      the Request-URI is user@bench.test, not our address
 * -k USERS    how many there are                -N 1      a device behind a NAT: private Via and Contact
 * -B USER     the first of them                 -H FILE   more header lines
 * -q 1        one after the other, not scattered
 * -u PORT -S N  callers: N sockets from there on    -U PORT   the callee's, and the one that is registered
 * -P 0        spins until the next request is due, instead of sleeping
 * -T SECONDS  sends nothing new after that, and waits for what is in flight
 *
 * A request that is not answered is sent again as RFC 3261 has it (timer E from T1 on), and has failed after 7.5 s.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { MSG, OPT, CALL, REG, AUTH };
static const char *const mode_names[] = {"msg", "opt", "call", "reg", "auth"};

enum { SOCKETS_MAX = 256, BATCH = 64, QUEUE_MAX = 256, DATAGRAM_MAX = 4096, RETRIES = 4, CODES = 700 };
static const char domain[] = "bench.test", password[] = "secret";
static const char text_body[] = /* 200 octets */
    "The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. "
    "The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. "
    "The quick brown fox ";
static const char session_body[] =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 8 "
    "101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/* ---- what the command line says ---- */

static enum mode mode;
static long requests = 1000;
static double rate;
static int window = 128, users = 1000, first_user, in_sequence, to_domain, behind_nat, sleeps = 1,
           seconds_max = 600;
static int caller_port = 6100, caller_count = 8, callee_port = 5070;
static const char *method = "MESSAGE";
static char more_headers[DATAGRAM_MAX];
static struct sockaddr_in server;

/* ---- one request from its first datagram to its last ---- */

enum stage { UNSENT, ASKED, CHALLENGED, RINGING, CONFIRMED, DONE, FAILED };

struct request {
  uint64_t sent_at; /* monotonic nanoseconds */
  uint32_t latency; /* tenths of a microsecond; of a call: until its 200 */
  uint8_t stage;
};
static struct request *table;
static uint32_t run_id; /* in every Call-ID: answers to an earlier run are nobody's */
static long sent, finished, ok, failed, retransmitted, in_flight, codes[CODES];

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void finish(long index, int is_good, uint64_t time) {
  struct request *request = &table[index];
  if (request->stage >= DONE) return;
  request->stage = is_good ? DONE : FAILED;
  if (!request->latency) request->latency = (time - request->sent_at) / 100;
  finished++, in_flight--;
  if (is_good) ok++;
  else failed++;
}

/** Neighbours in time are strangers in the server's tables, unless -q 1. */
static uint32_t user_of(long index) {
  if (in_sequence) return first_user + index % users;
  uint64_t mixed = (uint64_t)index * 0x9E3779B97F4A7C15ull;
  mixed ^= mixed >> 29;
  mixed *= 0xBF58476D1CE4E5B9ull;
  mixed ^= mixed >> 32;
  return first_user + mixed % users;
}

/* ---- sockets: what is sent is queued, and leaves in batches ---- */

struct datagram {
  char octets[3072];
  int length, socket;
  struct sockaddr_in to;
};
static struct datagram queue[QUEUE_MAX];
static int queued;
static int callers[SOCKETS_MAX], callee = -1;

static int bound_socket(int port) {
  int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), buffer = 4 << 20;
  setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(socket_, (struct sockaddr *)&address, sizeof address)) {
    fprintf(stderr, "port %d: %s\n", port, strerror(errno));
    exit(2);
  }
  return socket_;
}

static void flush_queue(void) {
  static struct mmsghdr headers[BATCH];
  static struct iovec vectors[BATCH];
  for (int start = 0; start < queued;) {
    int count = 0;
    for (; count < BATCH && start + count < queued && queue[start + count].socket == queue[start].socket;
         count++) {
      struct datagram *datagram = &queue[start + count];
      vectors[count] = (struct iovec){datagram->octets, datagram->length};
      headers[count].msg_hdr = (struct msghdr){.msg_name = &datagram->to,
                                               .msg_namelen = sizeof datagram->to,
                                               .msg_iov = &vectors[count],
                                               .msg_iovlen = 1};
    }
    int left = sendmmsg(queue[start].socket, headers, count, 0);
    if (left >= 0) start += left;
    else if (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED && errno != EINTR) {
      perror("sendmmsg");
      exit(2);
    }
  }
  queued = 0;
}

static struct datagram *next_datagram(int from, const struct sockaddr_in *to) {
  if (queued == QUEUE_MAX) flush_queue();
  struct datagram *datagram = &queue[queued++];
  datagram->socket = from;
  datagram->to = *to;
  return datagram;
}

static int caller_of(long index) { return index % caller_count; }

/* ---- reading messages: only as much as this traffic needs ---- */

/** The value of a header, by its long name or its compact letter; its length, or -1. */
static int header_value(const char *message, int length, const char *name, char compact, const char **value) {
  int name_length = strlen(name);
  const char *end = message + length, *line = memchr(message, '\n', length);
  while (line && ++line < end && *line != '\r') {
    const char *next = memchr(line, '\n', end - line);
    if (!next) break;
    int colon = -1;
    if (next - line > name_length && line[name_length] == ':' && !strncasecmp(line, name, name_length))
      colon = name_length;
    else if (compact && line[1] == ':' && tolower(*line) == compact) colon = 1;
    if (colon >= 0) {
      const char *start = line + colon + 1, *stop = next;
      while (*start == ' ') start++;
      while (stop > start && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
      *value = start;
      return stop - start;
    }
    line = next;
  }
  return -1;
}

/** Which of our requests a message is about, by its Call-ID; -1: none. */
static long index_of(const char *message, int length) {
  const char *value;
  if (header_value(message, length, "Call-ID", 'i', &value) < 17) return -1;
  if (strtoul(value, 0, 16) != run_id || value[8] != '-') return -1;
  char digits[9] = "";
  memcpy(digits, value + 9, 8);
  long index = strtoul(digits, 0, 16);
  return index < requests ? index : -1;
}

/* ---- digest ---- */

static void md5_block(uint32_t hash[4], const uint8_t *block);

static void md5_hex(const char *text, size_t length, char *hex) {
  uint8_t message[1024] = {0};
  size_t padded = ((length + 8) / 64 + 1) * 64;
  if (padded > sizeof message) abort();
  memcpy(message, text, length);
  message[length] = 0x80;
  uint64_t bits = length * 8;
  memcpy(message + padded - 8, &bits, 8);
  uint32_t hash[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  for (size_t block = 0; block < padded; block += 64) md5_block(hash, message + block);
  for (int octet = 0; octet < 16; octet++) sprintf(hex + 2 * octet, "%02x", ((uint8_t *)hash)[octet]);
}

/** RFC 1321 §3.4, on a little-endian machine. */
static void md5_block(uint32_t hash[4], const uint8_t *block) {
  static const uint32_t sines[64] = {
      0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
      0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
      0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
      0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
      0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
      0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
      0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
      0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
  static const uint8_t shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t words[16], a = hash[0], b = hash[1], c = hash[2], d = hash[3];
  memcpy(words, block, 64);
  for (int step = 0; step < 64; step++) {
    uint32_t mixed;
    int word;
    if (step < 16) mixed = (b & c) | (~b & d), word = step;
    else if (step < 32) mixed = (d & b) | (~d & c), word = (5 * step + 1) & 15;
    else if (step < 48) mixed = b ^ c ^ d, word = (3 * step + 5) & 15;
    else mixed = c ^ (b | ~d), word = (7 * step) & 15;
    uint32_t sum = a + mixed + sines[step] + words[word];
    int shift = shifts[step / 16][step % 4];
    a = d, d = c, c = b, b += (sum << shift) | (sum >> (32 - shift));
  }
  hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d;
}

/** A parameter of a challenge, without its quotes; '' if it is not there. */
static void parameter(const char *value, int length, const char *name, char *out, int room) {
  char pattern[32];
  int pattern_length = sprintf(pattern, "%s=", name), count = 0;
  const char *end = value + length, *at = memmem(value, length, pattern, pattern_length);
  *out = 0;
  if (!at) return;
  at += pattern_length;
  int is_quoted = *at == '"';
  if (is_quoted) at++;
  while (at < end && count < room - 1 && (is_quoted ? *at != '"' : *at != ',' && *at != ' '))
    out[count++] = *at++;
  out[count] = 0;
}

/* ---- the caller ---- */

static void send_request(long index, int cseq, const char *authorization) {
  int is_register = mode == REG || mode == AUTH, caller = caller_of(index);
  uint32_t user = user_of(index);
  const char *name = is_register ? "REGISTER" : mode == CALL ? "INVITE" : method;
  char uri[96], via[64], contact[96];
  if (is_register || (mode == OPT && !to_domain)) sprintf(uri, "sip:%s", domain);
  else if (to_domain) sprintf(uri, "sip:u%07u@%s", user, domain);
  else sprintf(uri, "sip:u%07u@127.0.0.1:%d", user, callee_port);
  if (behind_nat) {
    sprintf(via, "10.%u.%u.%u:5060", (user >> 16) & 255, (user >> 8) & 255, user & 255);
    sprintf(contact, "<sip:alice@%s>", via);
  } else {
    sprintf(via, "127.0.0.1:%d", caller_port + caller);
    sprintf(contact, "<sip:alice@127.0.0.1:%d;transport=udp>", caller_port + caller);
  }
  if (is_register) sprintf(contact, "<sip:u%07u@127.0.0.1:%d>;expires=3600", user, callee_port);
  const char *body = is_register ? "" : mode == CALL ? session_body : text_body;
  const char *type = is_register    ? ""
                     : mode == CALL ? "Content-Type: application/sdp\r\n"
                                    : "Content-Type: text/plain\r\n";
  struct datagram *out = next_datagram(callers[caller], &server);
  out->length = snprintf(out->octets, sizeof out->octets,
                         "%s %s SIP/2.0\r\n"
                         "Via: SIP/2.0/UDP %s;branch=z9hG4bK-%08x-%08lx-%d;rport\r\n"
                         "Max-Forwards: 70\r\n"
                         "From: \"Alice B\" <sip:%s%07u@%s>;tag=f%08lx\r\n"
                         "To: <sip:u%07u@%s>\r\n"
                         "Call-ID: %08x-%08lx@127.0.0.1\r\n"
                         "CSeq: %d %s\r\n"
                         "Contact: %s\r\n"
                         "User-Agent: sipgen/1.0 (bench)\r\n"
                         "%s%s%s"
                         "Content-Length: %d\r\n\r\n%s",
                         name, uri, via, run_id, index, cseq, is_register ? "u" : "a", user, domain, index,
                         user, domain, run_id, index, cseq, name, contact, authorization, more_headers, type,
                         (int)strlen(body), body);
}

/** ACK or BYE of a call, along the reversed Record-Route of its 200. */
static void send_in_dialog(long index, const char *answer, int length, const char *name, int cseq) {
  const char *value, *from, *to, *routes[8], *end = answer + length;
  char target[128] = "sip:uas@127.0.0.1", route_set[1024];
  int value_length = header_value(answer, length, "Contact", 'm', &value), route_lengths[8], route_count = 0,
      written = 0;
  if (value_length > 0) {
    const char *open = memchr(value, '<', value_length);
    const char *close = open ? memchr(open, '>', value + value_length - open) : 0;
    if (close && close - open < (int)sizeof target)
      sprintf(target, "%.*s", (int)(close - open - 1), open + 1);
  }
  for (const char *line = memchr(answer, '\n', length);
       line && ++line < end && *line != '\r' && route_count < 8;) {
    const char *next = memchr(line, '\n', end - line);
    if (!next) break;
    if (!strncasecmp(line, "Record-Route:", 13))
      routes[route_count] = line + 13, route_lengths[route_count++] = next - line - 13;
    line = next;
  }
  while (route_count--)
    written += sprintf(route_set + written, "Route:%.*s\n", route_lengths[route_count], routes[route_count]);
  route_set[written] = 0;
  int from_length = header_value(answer, length, "From", 'f', &from),
      to_length = header_value(answer, length, "To", 't', &to);
  int caller = caller_of(index);
  struct datagram *out = next_datagram(callers[caller], &server);
  out->length = snprintf(out->octets, sizeof out->octets,
                         "%s %s SIP/2.0\r\n"
                         "Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK-%08x-%08lx-%s;rport\r\n"
                         "Max-Forwards: 70\r\n"
                         "%sFrom: %.*s\r\n"
                         "To: %.*s\r\n"
                         "Call-ID: %08x-%08lx@127.0.0.1\r\n"
                         "CSeq: %d %s\r\n"
                         "Content-Length: 0\r\n\r\n",
                         name, target, caller_port + caller, run_id, index, name, route_set, from_length,
                         from, to_length, to, run_id, index, cseq, name);
}

static void answer_challenge(long index, const char *answer, int length) {
  const char *value;
  int value_length = header_value(answer, length, "WWW-Authenticate", 0, &value);
  if (value_length < 0) return finish(index, 0, now());
  char realm[64], nonce[160], qop[32], name[16], text[512], secret[33], request[33], response[33],
      authorization[768];
  parameter(value, value_length, "realm", realm, sizeof realm);
  parameter(value, value_length, "nonce", nonce, sizeof nonce);
  parameter(value, value_length, "qop", qop, sizeof qop);
  sprintf(name, "u%07u", user_of(index));
  md5_hex(text, sprintf(text, "%s:%s:%s", name, realm, password), secret);
  md5_hex(text, sprintf(text, "REGISTER:sip:%s", domain), request);
  const char *counted = *qop ? "00000001:abcdef01:auth:" : "";
  md5_hex(text, sprintf(text, "%s:%s:%s%s", secret, nonce, counted, request), response);
  sprintf(
      authorization,
      "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"sip:%s\", response=\"%s\", "
      "algorithm=MD5%s\r\n",
      name, realm, nonce, domain, response, *qop ? ", qop=auth, nc=00000001, cnonce=\"abcdef01\"" : "");
  table[index].stage = CHALLENGED;
  send_request(index, 2, authorization);
}

/** The CSeq of an answer is of this method, or has this number. */
static int answers(const char *answer, int length, const char *word) {
  const char *value;
  int value_length = header_value(answer, length, "CSeq", 0, &value);
  return value_length > 0 && memmem(value, value_length, word, strlen(word));
}

static void on_answer(const char *answer, int length) {
  if (strncmp(answer, "SIP/2.0 ", 8)) return;
  int code = atoi(answer + 8);
  long index = index_of(answer, length);
  if (index < 0 || code < 100 || code >= CODES) return;
  codes[code]++;
  struct request *request = &table[index];
  if (request->stage >= DONE) return;
  uint64_t time = now();
  if (code < 200) {
    if (mode == CALL && request->stage == ASKED) request->stage = RINGING;
    return;
  }
  if (mode == AUTH && code == 401) {
    if (request->stage == ASKED) return answer_challenge(index, answer, length);
    if (answers(answer, length, "1 ")) return; /* the first REGISTER's, again */
  }
  if (mode == CALL && code == 200 && answers(answer, length, "INVITE")) {
    if (request->stage == CONFIRMED) return;
    request->latency = (time - request->sent_at) / 100;
    request->stage = CONFIRMED;
    send_in_dialog(index, answer, length, "ACK", 1);
    send_in_dialog(index, answer, length, "BYE", 2);
    return;
  }
  finish(index, code < 300, time);
}

/* ---- the callee ---- */

static int goes_into_answer(const char *line) {
  static const char *const names[] = {
      "Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:", "v:", "f:", "t:", "i:"};
  for (size_t name = 0; name < sizeof names / sizeof *names; name++)
    if (tolower(*line) == tolower(*names[name]) && !strncasecmp(line, names[name], strlen(names[name])))
      return 1;
  return 0;
}

static void answer_request(const char *request, int length, const struct sockaddr_in *to, const char *status,
                           int has_contact) {
  struct datagram *out = next_datagram(callee, to);
  char *at = out->octets + sprintf(out->octets, "SIP/2.0 %s\r\n", status);
  const char *end = request + length;
  for (const char *line = memchr(request, '\n', length); line && ++line < end && *line != '\r';) {
    const char *next = memchr(line, '\n', end - line);
    if (!next) break;
    int line_length = next - line + 1;
    if (goes_into_answer(line)) {
      memcpy(at, line, line_length);
      at += line_length;
      int is_to = tolower(*line) == 't' && (line[1] == ':' || tolower(line[1]) == 'o');
      if (is_to && !memmem(line, line_length, ";tag=", 5)) at += sprintf(at - 2, ";tag=uas1\r\n") - 2;
    }
    line = next;
  }
  if (has_contact) at += sprintf(at, "Contact: <sip:uas@127.0.0.1:%d>\r\n", callee_port);
  at += sprintf(at, "Content-Length: 0\r\n\r\n");
  out->length = at - out->octets;
}

static void on_request(const char *request, int length, const struct sockaddr_in *from) {
  if (!strncmp(request, "SIP/2.0", 7) || !strncmp(request, "ACK", 3) || index_of(request, length) < 0) return;
  int is_invite = !strncmp(request, "INVITE", 6);
  if (is_invite) answer_request(request, length, from, "180 Ringing", 1);
  answer_request(request, length, from, "200 OK", is_invite);
}

/* ---- retransmissions: what was sent at one stage falls due in the order in which it was sent ---- */

struct due {
  uint64_t at;
  long index;
};
struct due_list {
  struct due *entries;
  long head, tail;
};
static struct due_list due_lists[RETRIES];
static const uint64_t retry_after[RETRIES] = {500000000ull, 1000000000ull, 2000000000ull, 4000000000ull};

static void await(int retry, long index, uint64_t time) {
  struct due_list *list = &due_lists[retry];
  list->entries[list->tail++] = (struct due){time + retry_after[retry], index};
}

static void retransmit(uint64_t time) {
  for (int retry = 0; retry < RETRIES; retry++) {
    struct due_list *list = &due_lists[retry];
    for (; list->head < list->tail; list->head++) {
      struct due due = list->entries[list->head];
      struct request *request = &table[due.index];
      if (request->stage >= DONE) continue;
      if (due.at > time) break;
      if (retry == RETRIES - 1) {
        finish(due.index, 0, time);
        continue;
      }
      if (request->stage == ASKED || request->stage == CHALLENGED) {
        retransmitted++;
        request->stage = ASKED;
        send_request(due.index, 1, "");
      }
      await(retry + 1, due.index, time);
    }
  }
}

/* ---- the loop ---- */

static int is_due(uint64_t started, uint64_t time) {
  if (sent >= requests) return 0;
  return rate > 0 ? time >= started + (uint64_t)(sent * (1e9 / rate)) : in_flight < window;
}

static void send_what_is_due(uint64_t started, uint64_t time) {
  for (int burst = 0; burst < BATCH && is_due(started, time); burst++) {
    long index = sent++;
    table[index] = (struct request){.sent_at = time, .stage = ASKED};
    in_flight++;
    send_request(index, 1, "");
    await(0, index, time);
  }
}

static struct timespec idle_time(uint64_t started) {
  uint64_t most = 1000000, time = now();
  if (!sleeps) return (struct timespec){0, 0};
  if (rate > 0 && sent < requests) {
    uint64_t due = started + (uint64_t)(sent * (1e9 / rate));
    if (due < time + most) most = due > time ? due - time : 0;
  }
  return (struct timespec){0, most};
}

static void receive(int socket_) {
  static char octets[BATCH][DATAGRAM_MAX];
  static struct mmsghdr headers[BATCH];
  static struct iovec vectors[BATCH];
  static struct sockaddr_in from[BATCH];
  for (int slot = 0; slot < BATCH; slot++) {
    vectors[slot] = (struct iovec){octets[slot], DATAGRAM_MAX - 1};
    headers[slot].msg_hdr = (struct msghdr){.msg_name = &from[slot],
                                            .msg_namelen = sizeof from[slot],
                                            .msg_iov = &vectors[slot],
                                            .msg_iovlen = 1};
  }
  int count = recvmmsg(socket_, headers, BATCH, MSG_DONTWAIT, 0);
  for (int slot = 0; slot < count; slot++) {
    int length = headers[slot].msg_len;
    octets[slot][length] = 0;
    if (socket_ == callee) on_request(octets[slot], length, &from[slot]);
    else on_answer(octets[slot], length);
  }
}

static int open_sockets(void) {
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  for (int caller = 0; caller < caller_count; caller++) {
    event.data.fd = callers[caller] = bound_socket(caller_port + caller);
    epoll_ctl(poll, EPOLL_CTL_ADD, callers[caller], &event);
  }
  if (mode != MSG && mode != CALL) return poll; /* nobody is called */
  event.data.fd = callee = bound_socket(callee_port);
  epoll_ctl(poll, EPOLL_CTL_ADD, callee, &event);
  return poll;
}

/** Returns when everything has been answered, or given up; the nanoseconds that it took. */
static uint64_t play(void) {
  static struct epoll_event events[SOCKETS_MAX + 1];
  int poll = open_sockets();
  uint64_t started = now(), last = started + seconds_max * 1000000000ull;
  while (finished < requests) {
    uint64_t time = now();
    if (time > last && sent < requests) requests = sent;
    send_what_is_due(started, time);
    if (queued) flush_queue();
    struct timespec idle = idle_time(started);
    int count = epoll_pwait2(poll, events, SOCKETS_MAX + 1, &idle, 0);
    for (int event = 0; event < count; event++) receive(events[event].data.fd);
    if (queued) flush_queue();
    retransmit(time);
  }
  return now() - started;
}

/* ---- what is printed ---- */

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void report(uint64_t nanoseconds) {
  uint32_t *latencies = malloc((requests + 1) * sizeof *latencies);
  long count = 0;
  for (long index = 0; index < requests; index++)
    if (table[index].stage == DONE) latencies[count++] = table[index].latency;
  qsort(latencies, count, sizeof *latencies, ascending);
  double seconds = nanoseconds / 1e9;
  printf("{\"sent\":%ld,\"ok\":%ld,\"failed\":%ld,\"retransmissions\":%ld,\"elapsedSeconds\":%.3f,"
         "\"cpuSeconds\":%.3f,\"perSecond\":%.0f,",
         sent, ok, failed, retransmitted, seconds, cpu_seconds(), ok / seconds);
  printf("\"p50Microseconds\":%.1f,\"p99Microseconds\":%.1f,\"codes\":{",
         count ? latencies[count / 2] / 10.0 : 0, count ? latencies[count * 99 / 100] / 10.0 : 0);
  const char *comma = "";
  for (int code = 100; code < CODES; code++) {
    if (!codes[code]) continue;
    printf("%s\"%d\":%ld", comma, code, codes[code]);
    comma = ",";
  }
  printf("}}\n");
}

/* ---- the command line ---- */

/** Zeroed, and in memory before the clock runs: a page fault is a delay that the server would be blamed for. */
static void *touched(size_t bytes) {
  void *memory = malloc(bytes + 1);
  if (!memory) perror("malloc"), exit(2);
  return memset(memory, 0, bytes + 1);
}

static void read_more_headers(const char *path) {
  FILE *file = fopen(path, "r");
  char line[512];
  if (!file) perror(path), exit(2);
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\r\n")] = 0;
    if (*line && strlen(more_headers) + strlen(line) + 3 < sizeof more_headers)
      strcat(strcat(more_headers, line), "\r\n");
  }
  fclose(file);
}

/** Loopback only: this is no tool to be pointed at other people. */
static void read_server(const char *text) {
  char address[32] = "";
  int port = 5060;
  sscanf(text, "%31[^:]:%d", address, &port);
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_aton(address, &server.sin_addr) && ntohl(server.sin_addr.s_addr) >> 24 == 127) return;
  fprintf(stderr, "%s: loopback only\n", text);
  exit(2);
}

static void read_mode(const char *name) {
  for (mode = MSG; mode <= AUTH; mode++)
    if (!strcmp(mode_names[mode], name)) return;
  fprintf(stderr, "no mode is called %s\n", name);
  exit(2);
}

int main(int count, char **words) {
  int option;
  read_server("127.0.0.1:5060");
  while ((option = getopt(count, words, "m:s:n:r:w:M:k:B:D:N:H:u:S:U:P:q:T:")) > 0) switch (option) {
      case 'm': read_mode(optarg); break;
      case 's': read_server(optarg); break;
      case 'n': requests = atol(optarg); break;
      case 'r': rate = atof(optarg); break;
      case 'w': window = atoi(optarg); break;
      case 'M': method = optarg; break;
      case 'k': users = atoi(optarg); break;
      case 'B': first_user = atoi(optarg); break;
      case 'D': to_domain = atoi(optarg); break;
      case 'N': behind_nat = atoi(optarg); break;
      case 'H': read_more_headers(optarg); break;
      case 'u': caller_port = atoi(optarg); break;
      case 'S': caller_count = atoi(optarg) < SOCKETS_MAX ? atoi(optarg) : SOCKETS_MAX; break;
      case 'U': callee_port = atoi(optarg); break;
      case 'P': sleeps = atoi(optarg); break;
      case 'q': in_sequence = atoi(optarg); break;
      case 'T': seconds_max = atoi(optarg); break;
      default: return 2;
    }
  run_id = (uint32_t)(now() >> 10) ^ ((uint32_t)getpid() << 20);
  table = touched(requests * sizeof *table);
  for (int retry = 0; retry < RETRIES; retry++)
    due_lists[retry].entries = touched(requests * sizeof(struct due));
  prctl(PR_SET_TIMERSLACK, 1000);
  report(play());
  return 0;
}
