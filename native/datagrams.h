/*
 * Datagrams between sockets and tables that JavaScript sees: what datagrams.c (system calls) and udp.c (event loop,
 * JavaScript) share. src/transport/native-udp.ts is the other side.
 */
#ifndef VIADUCT_DATAGRAMS_H
#define VIADUCT_DATAGRAMS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

/*
 * A record says of a datagram where its octets are in the slab, which socket it belongs to, and the address and port
 * of the other side. IPv4 has its 32 bits in the first word of the address. The record of an error says why instead
 * of where. native-udp.ts has the same numbers.
 */
enum { OFFSET, LENGTH, SOCKET, PORT, ADDRESS, SCOPE = ADDRESS + 4, RECORD_WORDS };
enum { CODE = OFFSET };

/* Words of the state that both sides read and write. */
enum { RECEIVED, WAITING, WAITING_BYTES, ERRORS, STATE_WORDS };

/* Octets and their records; of what is received also what stands where (scan.h). JavaScript owns the memory; it is pinned as long as the engine is open. */
typedef struct {
  uint8_t *octets;
  size_t octets_length;
  uint32_t *records;
  uint32_t records_max;
  int32_t *scans;
} Slab;

typedef union {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
} Address;

/* A datagram that the kernel could not take yet. */
typedef struct Kept {
  struct Kept *next;
  Address to;
  size_t length;
  uint8_t octets[];
} Kept;

typedef struct Engine Engine;

typedef struct {
  Engine *engine;
  uint32_t index;
  int fd;
  sa_family_t family;
  Kept *kept, **kept_end;
  size_t kept_bytes;
  /* So many times what it sends leaves one by one, whatever bursts.h could do. */
  uint32_t lone_runs;
  uv_poll_t poll;
} Socket;

/* What recvmmsg and sendmmsg are told, one of each for every record of the slab. */
typedef struct {
  struct mmsghdr *headers;
  struct iovec *octets;
  Address *addresses;
} Vectors;

typedef struct Bursts Bursts;

/* The tables, and the sockets that they are read from and written to. No state outside: each worker thread has its own. */
typedef struct {
  Slab in, out;
  Vectors in_vectors, out_vectors;
  /* NULL: each datagram leaves alone. */
  Bursts *bursts;
  /* Places of the slab that hold a datagram; more than there are records if one was cut. */
  uint32_t in_used;
  uint32_t *errors, errors_max;
  int32_t *state;
  size_t kept_bytes_max;
  /* For the identities that scan.h speaks of, once JavaScript has asked for them. */
  uint8_t identity_key[16];
  bool has_identity_key;
  Socket **sockets;
  uint32_t sockets_count;
} Tables;

/* All return 0 or a negative errno unless said otherwise. */

int vectors_allocate(Vectors *vectors, uint32_t count);
void vectors_free(Vectors *vectors);

int socket_open(Socket *socket, const char *address, int port, bool reuse_port, int receive_buffer_bytes);
int socket_port(const Socket *socket);
void socket_close(Socket *socket);

/* Reads what is there into the slab, behind what it holds already. True if there may be more. */
bool datagrams_receive(Tables *tables, Socket *socket);
/* Sends what is in the slab, and leaves it empty. What the kernel cannot take yet is kept. */
void datagrams_send(Tables *tables);
/* Sends what was kept, once the socket can be written to. */
void datagrams_send_kept(Tables *tables, Socket *socket);
/* Reads the ICMP errors that wait at the socket; how many there were. */
uint32_t datagrams_read_errors(Tables *tables, Socket *socket);

/* Of what waits in the slab: where a record's octets are, and whom a header is for. */
struct iovec datagram_octets(const Tables *tables, uint32_t record);
void datagram_address(const Tables *tables, struct msghdr *header, const Socket *socket, uint32_t record);

/* An address as text into the words of a record, read as Node.js reads it. */
int address_parse(const char *text, sa_family_t family, uint32_t *words);

#endif
