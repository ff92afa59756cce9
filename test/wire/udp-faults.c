/*
 * Faults of sendmmsg that loopback never has, for LD_PRELOAD. Each call takes the next letter of UDP_FAULTS:
 *   a EAGAIN   b ENOBUFS   p EPERM   1 sends the first datagram only   . sends all
 * The last letter stands for all calls that follow.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

int sendmmsg(int fd, struct mmsghdr *headers, unsigned int count, int flags) {
  static const char *at;
  static int (*send_all)(int, struct mmsghdr *, unsigned int, int);
  if (!send_all) *(void **)&send_all = dlsym(RTLD_NEXT, "sendmmsg");
  if (!at) at = getenv("UDP_FAULTS");
  const char letter = at && *at ? *at : '.';
  if (at && at[0] && at[1]) at++;
  errno = letter == 'a' ? EAGAIN : letter == 'b' ? ENOBUFS : EPERM;
  if (letter == 'a' || letter == 'b' || letter == 'p') return -1;
  return send_all(fd, headers, letter == '1' && count > 1 ? 1 : count, flags);
}
