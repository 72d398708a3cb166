/* SPDX-License-Identifier: Apache-2.0 */
/* See format.h.
 *
 *     mkfs, mkswap --> memory file --all but holes--> cipher --> file of the disk
 *
 * A program zeroes a range of a file by making a hole, which cannot be told from what it has never written.
 * So fallocate() is refused, and the program writes the zeros.
 */
#include "broker/format.h"

#include "base/fd.h"
#include "storage/mkfs.h"

#include <seccomp.h>
#include <string.h>

static int refuse_holes(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return -ENOMEM;
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(fallocate), 0);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

static int write_to_disk(void *disk, const void *bytes, size_t n, uint64_t at)
{
    return opened_pwrite(disk, bytes, n, at);
}

int format_make(const struct opened *disk, const char *fs, const char *label, struct error *e)
{
    const struct mkfs m = {.fs = fs, .label = label, .noise = true, .prepare = refuse_holes};
    _cleanup_close_ int memory_fd = -1;
    uint64_t size_bytes = 0;
    int r = opened_size(disk, &size_bytes);
    if (r < 0)
        return error_set(e, r, "its size cannot be found: %s", strerror(-r));
    r = mkfs_in_memory(&m, size_bytes, &memory_fd, e);
    if (r < 0)
        return r;
    r = fd_each_data(memory_fd, write_to_disk, (void *)disk);
    if (r == 0)
        r = opened_sync(disk);
    return r < 0 ? error_set(e, r, "it cannot be written: %s", strerror(-r)) : 0;
}
