/* SPDX-License-Identifier: Apache-2.0 */
/* Secret memory. See secret.h for the promises.
 *
 *     | struct secret | bytes ...            |   whole pages: mmap, mlock, MADV_DONTDUMP, MADV_WIPEONFORK
 *
 * Nothing here logs, and no error text contains a byte of a secret.
 */
#include "secret/secret.h"

#include "base/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d /* linux/magic.h since 5.14 */
#endif

#define HANDOVER_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct secret {
    size_t size;   /* bytes of the secret */
    size_t mapped; /* bytes of the mapping, which has this header too */
    uint8_t bytes[];
};

struct secret_handover {
    int fd;
    void *map; /* the descriptor's pages, locked */
    size_t mapped;
};

static size_t whole_pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

size_t secret_pages_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return 1;
    return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur / whole_pages(1);
}

int secret_new(size_t size, struct secret **ret, struct error *e)
{
    size_t mapped = whole_pages(sizeof(struct secret) + size);
    void *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return error_memory(e);
    if (mlock(map, mapped) < 0 || madvise(map, mapped, MADV_DONTDUMP) < 0 ||
        madvise(map, mapped, MADV_WIPEONFORK) < 0) {
        int r = -errno;
        munmap(map, mapped);
        return error_set(e, r,
                         "secret memory: cannot lock %zu bytes into RAM: %s; raise RLIMIT_MEMLOCK "
                         "(ulimit -l, LimitMEMLOCK=)",
                         mapped, strerror(-r));
    }
    struct secret *s = map;
    s->size = size;
    s->mapped = mapped;
    *ret = s;
    return 0;
}

int secret_random(size_t size, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *s = NULL;
    int r = secret_new(size, &s, e);
    if (r < 0)
        return r;
    for (size_t done = 0; done < size;) {
        ssize_t n = getrandom(s->bytes + done, size - done, 0);
        if (n < 0 && errno != EINTR)
            return error_set(e, errno, "random numbers: the kernel gives none: %m");
        done += n > 0 ? (size_t)n : 0;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

uint8_t *secret_bytes(struct secret *s)
{
    return s->bytes;
}

const uint8_t *secret_peek(const struct secret *s)
{
    return s->bytes;
}

size_t secret_size(const struct secret *s)
{
    return s->size;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    if (a->size != b->size)
        return false;
    uint8_t difference = 0;
    for (size_t i = 0; i < a->size; i++)
        difference |= a->bytes[i] ^ b->bytes[i];
    return difference == 0;
}

struct secret *secret_free(struct secret *s)
{
    if (s) {
        size_t mapped = s->mapped;
        explicit_bzero(s, mapped);
        munmap(s, mapped); /* unlocks too */
    }
    return NULL;
}

/* Tries memfd_secret first: its pages are not even in the kernel's own map. Its size can be set only once, so
 * it needs no seals. Most kernels before 6.5 have it switched off (secretmem.enable=0). */
static int open_handover(size_t mapped)
{
    int fd = (int)syscall(SYS_memfd_secret, (unsigned)O_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)mapped) == 0)
        return fd;
    fd_close(fd);

    fd = fd_memfd_empty("mayfly-secret", MFD_ALLOW_SEALING);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)mapped) < 0 || fcntl(fd, F_ADD_SEALS, HANDOVER_SEALS) < 0) {
        int r = -errno;
        fd_close(fd);
        return r;
    }
    return fd;
}

static int map_locked(int fd, size_t mapped, void **ret_map)
{
    void *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    if (mlock(map, mapped) < 0 || madvise(map, mapped, MADV_DONTDUMP) < 0) {
        /* memfd_secret's pages are always locked and never dumped, but may refuse both calls */
        struct statfs fs;
        if (fstatfs(fd, &fs) < 0 || fs.f_type != SECRETMEM_MAGIC) {
            int r = -errno;
            munmap(map, mapped);
            return r;
        }
    }
    *ret_map = map;
    return 0;
}

int secret_handover(const struct secret *s, struct secret_handover **ret, struct error *e)
{
    size_t mapped = whole_pages(s->size);
    _cleanup_close_ int fd = open_handover(mapped);
    void *map = NULL;
    int r = fd < 0 ? fd : map_locked(fd, mapped, &map);
    if (r < 0)
        return error_set(e, r, "secret memory: cannot make %zu locked bytes to hand over: %s", mapped,
                         strerror(-r));

    struct secret_handover *h = malloc(sizeof *h);
    if (!h) {
        munmap(map, mapped);
        return error_memory(e);
    }
    memcpy(map, s->bytes, s->size);
    *h = (struct secret_handover){.fd = TAKE_FD(fd), .map = map, .mapped = mapped};
    *ret = h;
    return 0;
}

int secret_handover_fd(const struct secret_handover *h)
{
    return h->fd;
}

struct secret_handover *secret_handover_end(struct secret_handover *h)
{
    if (h) {
        explicit_bzero(h->map, h->mapped);
        munmap(h->map, h->mapped);
        fd_close(h->fd);
        free(h);
    }
    return NULL;
}

/* Whether the file cannot shrink. Else the sender could cut it while we read it, and so kill us with
 * SIGBUS. */
static bool cannot_shrink(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) == 0 && fs.f_type == SECRETMEM_MAGIC)
        return true;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & HANDOVER_SEALS) == HANDOVER_SEALS;
}

int secret_receive(int fd, size_t size, struct secret **ret, struct error *e)
{
    size_t mapped = whole_pages(size);
    struct stat st;
    if (!cannot_shrink(fd) || fstat(fd, &st) < 0 || (size_t)st.st_size != mapped)
        return error_set(e, -EPROTO, "key descriptor: not a sealed memory file of %zu bytes", mapped);

    _cleanup_secret_ struct secret *s = NULL;
    int r = secret_new(size, &s, e);
    if (r < 0)
        return r;
    void *map = NULL;
    r = map_locked(fd, mapped, &map);
    if (r < 0)
        return error_set(e, r, "key descriptor: cannot be mapped: %s", strerror(-r));
    memcpy(s->bytes, map, size);
    explicit_bzero(map, mapped);
    munmap(map, mapped);
    *ret = TAKE_PTR(s);
    return 0;
}
