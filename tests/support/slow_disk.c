/* A device that stores as many bytes a second as somebody says, for one folder.
 *
 * Preloaded into the program: writes below SLOW_DISK_FOLDER wait until the device would have taken them, and syncs until it
 * would have stored them. SLOW_DISK_RATE is a file of 8 bytes, bytes a second (0: as fast as the disk is), which may change
 * at any moment; a call that waits goes on by the new rate. SLOW_DISK_SYNC_BYTES is what a sync counts for. One caller at a
 * time, as on a device. Used by slow_disk.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile uint64_t* bytes_per_second;
static char folder[4096];
static size_t folder_length;
static size_t sync_bytes;
static pthread_mutex_t device = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void set_up(void) {
  const char* const rate_file = getenv("SLOW_DISK_RATE");
  const char* const name = getenv("SLOW_DISK_FOLDER");
  const char* const bytes_of_sync = getenv("SLOW_DISK_SYNC_BYTES");
  if (rate_file == NULL || name == NULL || bytes_of_sync == NULL) return;
  sync_bytes = strtoul(bytes_of_sync, NULL, 10);
  const int file = open(rate_file, O_RDONLY | O_CLOEXEC);
  void* const at = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  folder_length = (size_t)snprintf(folder, sizeof folder, "%s/", name);
  if (at == MAP_FAILED || folder_length >= sizeof folder || sync_bytes == 0) abort();
  bytes_per_second = at;
}

static int is_slow(int file) {
  if (bytes_per_second == NULL || *bytes_per_second == 0) return 0;
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path);
  return length > (ssize_t)folder_length && memcmp(path, folder, folder_length) == 0;
}

static void wait_for_device(int file, size_t bytes) {
  if (!is_slow(file)) return;
  static const struct timespec kTick = {0, 10 * 1000 * 1000};
  pthread_mutex_lock(&device);
  double left = (double)bytes;
  while (left > 0 && *bytes_per_second != 0) {
    nanosleep(&kTick, NULL);
    left -= (double)*bytes_per_second / 100;
  }
  pthread_mutex_unlock(&device);
}

ssize_t write(int file, const void* bytes, size_t count) {
  static ssize_t (*real)(int, const void*, size_t);
  if (real == NULL) real = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  wait_for_device(file, count);
  return real(file, bytes, count);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  static ssize_t (*real)(int, const void*, size_t, off_t);
  if (real == NULL) real = (ssize_t(*)(int, const void*, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  wait_for_device(file, count);
  return real(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) { return pwrite(file, bytes, count, offset); }

/* A device that stands nearly still does not answer either when there is nothing to move. */
int fdatasync(int file) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_for_device(file, sync_bytes);
  return real(file);
}

int fsync(int file) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_for_device(file, sync_bytes);
  return real(file);
}
