/* Loaded into the server before libc: kills it at an exact call, and lets the storage fail while it runs. What is to
   happen stands in a page that is shared with whoever started it; tests/reliability/harness/shim.py writes it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SYNC = 1, WRITE = 2, SEND = 4, RECEIVE = 8 };
enum { NOTHING, FAIL, HALVE, DELAY };

struct page {
    _Atomic int kill_call, kill_after, kill_at, seen; /* kill at the so-manieth such call, before or after it */
    _Atomic int fault_calls, fault, number;           /* which calls, what happens, which errno or milliseconds */
    _Atomic int fired;                                /* how often something happened */
};

static struct page *page;

__attribute__((constructor)) static void map_page(void) {
    const char *path = getenv("SHIM_PAGE");
    int file = path ? open(path, O_RDWR) : -1;
    void *memory = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    page = memory == MAP_FAILED ? NULL : memory;
    if (file >= 0)
        close(file);
}

static void strike(int call, int after) {
    if (page && page->kill_call == call && page->kill_after == after && ++page->seen == page->kill_at) {
        page->fired++;
        kill(getpid(), SIGKILL);
    }
}

static int kind_of(int fd) {
    struct stat about;
    return fstat(fd, &about) ? 0 : (int)(about.st_mode & S_IFMT);
}

/* What goes wrong with this call on a file; the log is not the storage. */
static int fault_of(int call, int fd) {
    if (!page || !(page->fault_calls & call) || fd <= 2 || kind_of(fd) != S_IFREG)
        return NOTHING;
    int fault = page->fault, number = page->number;
    page->fired++;
    if (fault == FAIL)
        errno = number;
    if (fault == DELAY)
        nanosleep(&(struct timespec){number / 1000, number % 1000 * 1000000L}, NULL);
    return fault;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int synced(int (*real)(int), int fd) {
    if (fault_of(SYNC, fd) == FAIL)
        return -1;
    strike(SYNC, 0);
    int result = real(fd);
    strike(SYNC, 1);
    return result;
}

int fsync(int fd) {
    REAL(fsync);
    return synced(real, fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return synced(real, fd);
}

static ssize_t placed(ssize_t (*real)(int, const void *, size_t, off64_t), int fd, const void *bytes, size_t size,
                      off64_t at) {
    int fault = fault_of(WRITE, fd);
    if (fault == FAIL)
        return -1;
    if (fault == HALVE && size > 1)
        size /= 2;
    strike(WRITE, 0);
    ssize_t result = real(fd, bytes, size, at);
    strike(WRITE, 1);
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    REAL(pwrite64);
    return placed(real, fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    REAL(pwrite64);
    return placed(real, fd, bytes, size, at);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(write);
    int fault = fault_of(WRITE, fd);
    if (fault == FAIL)
        return -1;
    return real(fd, bytes, fault == HALVE && size > 1 ? size / 2 : size);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
    REAL(send);
    strike(SEND, 0);
    ssize_t result = real(fd, bytes, size, flags);
    strike(SEND, 1);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    int is_socket = page && page->kill_call == SEND && kind_of(fd) == S_IFSOCK;
    if (is_socket)
        strike(SEND, 0);
    ssize_t result = real(fd, parts, count);
    if (is_socket)
        strike(SEND, 1);
    return result;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags) {
    REAL(recv);
    strike(RECEIVE, 0);
    ssize_t result = real(fd, bytes, size, flags);
    if (result > 0)
        strike(RECEIVE, 1);
    return result;
}
