/* SPDX-License-Identifier: Apache-2.0 */
/* See memory-table.h. */
#include "disks/memory-table.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_beyond(uint64_t from, uint64_t bytes)
{
    uint64_t end;
    return __builtin_add_overflow(from, bytes, &end);
}

/* True if the whole region is within the file. An access behind its end would kill this process. */
static bool is_in_file(const struct vhost_region *r, int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size >= 0 && r->file_offset + r->bytes <= (uint64_t)st.st_size;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t a_bytes, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static bool is_apart(const struct memory_table *t, const struct vhost_region *r)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct memory_region *other = &t->region[i];
        if (overlap(r->guest_address, other->guest_address, r->bytes, other->bytes) ||
            overlap(r->user_address, other->user_address, r->bytes, other->bytes))
            return false;
    }
    return true;
}

static int map_region(struct memory_table *t, const struct vhost_region *r, int fd)
{
    if (r->bytes == 0 || ends_beyond(r->guest_address, r->bytes) || ends_beyond(r->user_address, r->bytes) ||
        ends_beyond(r->file_offset, r->bytes) || !is_in_file(r, fd) || !is_apart(t, r))
        return -EPROTO;
    uint64_t before = r->file_offset % (uint64_t)sysconf(_SC_PAGESIZE);
    size_t map_bytes = (size_t)(r->bytes + before);
    uint8_t *map =
        mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(r->file_offset - before));
    if (map == MAP_FAILED)
        return -errno;
    madvise(map, map_bytes, MADV_DONTDUMP); /* keeps the guest's memory out of core dumps */
    t->region[t->n++] = (struct memory_region){.guest_address = r->guest_address,
                                               .user_address = r->user_address,
                                               .bytes = r->bytes,
                                               .start = map + before,
                                               .map = map,
                                               .map_bytes = map_bytes};
    return 0;
}

int memory_table_map(struct memory_table *ret, const struct vhost_memory *m, const int *fds)
{
    struct memory_table t = {0};
    int r = m->n <= VHOST_REGIONS_MAX ? 0 : -EPROTO;
    for (unsigned i = 0; r == 0 && i < m->n; i++)
        r = map_region(&t, &m->region[i], fds[i]);
    if (r < 0) {
        memory_table_unmap(&t);
        return r;
    }
    *ret = t;
    return 0;
}

void memory_table_unmap(struct memory_table *t)
{
    for (unsigned i = 0; i < t->n; i++)
        munmap(t->region[i].map, t->region[i].map_bytes);
    t->n = 0;
}

uint8_t *memory_at(const struct memory_table *t, uint64_t address, uint64_t *bytes)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct memory_region *r = &t->region[i];
        if (address < r->guest_address || address - r->guest_address >= r->bytes)
            continue;
        uint64_t at = address - r->guest_address;
        if (*bytes > r->bytes - at)
            *bytes = r->bytes - at;
        return r->start + at;
    }
    return NULL;
}

uint8_t *memory_of_user(const struct memory_table *t, uint64_t address, uint64_t bytes)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct memory_region *r = &t->region[i];
        if (address >= r->user_address && address - r->user_address < r->bytes &&
            bytes <= r->bytes - (address - r->user_address))
            return r->start + (address - r->user_address);
    }
    return NULL;
}
