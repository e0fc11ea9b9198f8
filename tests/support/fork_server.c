/* Starts a program many times and loads it once.
 *
 * Preloaded into the program, it stops in front of main(), when all libraries are linked and set up, and forks a process
 * for each request, in which main() is called with the arguments of the request. Of a short command most of the time is
 * spent before main(). Used by tests/support/fork_server.py, which says what a request is. Linux, glibc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRequestBytesMax = 64 * 1024, kArgumentsMax = 256, kRequestSocket = 3 };

typedef int Main(int, char**, char**);

struct Reply {
  int32_t pid; /* sent when it was started, with the rest zero, and again at its end */
  int32_t status;
  int64_t peak_resident_kib;
};

static Main* real_main;
static char request[kRequestBytesMax];

/* A request is its arguments, each with a zero byte behind it, and two descriptors: stdout and stderr. Its length, or 0
 * at the end of requests. */
static size_t receive_request(int descriptors[2]) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct iovec part = {request, sizeof request};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control};
  const ssize_t length = recvmsg(kRequestSocket, &message, 0);
  const struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (length <= 0) return 0;
  if (header == NULL || header->cmsg_type != SCM_RIGHTS || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) abort();
  memcpy(descriptors, CMSG_DATA(header), 2 * sizeof(int));
  return (size_t)length;
}

static int run_main(size_t length, const int descriptors[2], char** environment) {
  static char* arguments[kArgumentsMax + 1];
  int count = 0;
  for (char* at = request; at < request + length; at += strlen(at) + 1) {
    if (count == kArgumentsMax) abort();
    arguments[count++] = at;
  }
  dup2(descriptors[0], STDOUT_FILENO);
  dup2(descriptors[1], STDERR_FILENO);
  close(descriptors[0]);
  close(descriptors[1]);
  close(kRequestSocket);
  return real_main(count, arguments, environment);
}

static void reply(struct Reply answer) {
  if (send(kRequestSocket, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) _exit(1);
}

static int serve(int count, char** arguments, char** environment) {
  (void)count;
  (void)arguments;
  int descriptors[2];
  for (;;) {
    const size_t length = receive_request(descriptors);
    if (length == 0) _exit(0);
    const pid_t child = fork();
    if (child < 0) abort();
    if (child == 0) return run_main(length, descriptors, environment);
    close(descriptors[0]);
    close(descriptors[1]);
    reply((struct Reply){child, 0, 0});
    int status = 0;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) != child) abort();
    reply((struct Reply){child, status, usage.ru_maxrss});
  }
}

int __libc_start_main(Main* main, int count, char** arguments, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void* stack_end) {
  typedef int Start(Main*, int, char**, void (*)(void), void (*)(void), void (*)(void), void*);
  Start* const start = (Start*)dlsym(RTLD_NEXT, "__libc_start_main");
  real_main = main;
  return start(serve, count, arguments, init, fini, rtld_fini, stack_end);
}
