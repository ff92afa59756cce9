/*
 * Faults of sendmmsg that loopback never has, for LD_PRELOAD. Each call takes the next letter of UDP_FAULTS:
 *   a EAGAIN   b ENOBUFS   p EPERM   1 sends the first message only   s refuses bursts (EIO)   . sends all
 * The last letter stands for all calls that follow. UDP_MESSAGES names a file for the number of messages that were sent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static unsigned messages;

__attribute__((destructor)) static void tell(void) {
  const char *name = getenv("UDP_MESSAGES");
  FILE *file = name ? fopen(name, "w") : NULL;
  if (!file) return;
  fprintf(file, "%u", messages);
  fclose(file);
}

/* How many there are before the first burst. */
static unsigned lone(const struct mmsghdr *headers, unsigned count) {
  unsigned i = 0;
  while (i < count && headers[i].msg_hdr.msg_iovlen == 1) i++;
  return i;
}

int sendmmsg(int fd, struct mmsghdr *headers, unsigned int count, int flags) {
  static const char *at;
  static int (*send_all)(int, struct mmsghdr *, unsigned int, int);
  if (!send_all) *(void **)&send_all = dlsym(RTLD_NEXT, "sendmmsg");
  if (!at) at = getenv("UDP_FAULTS");
  const char letter = at && *at ? *at : '.';
  if (at && at[0] && at[1]) at++;
  errno = letter == 'a' ? EAGAIN : letter == 'b' ? ENOBUFS : EPERM;
  if (letter == 'a' || letter == 'b' || letter == 'p') return -1;
  if (letter == '1' && count > 1) count = 1;
  if (letter == 's') {
    count = lone(headers, count);
    errno = EIO;
    if (count == 0) return -1;
  }
  const int sent = send_all(fd, headers, count, flags);
  if (sent > 0) messages += sent;
  return sent;
}
