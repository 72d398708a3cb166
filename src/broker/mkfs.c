/* SPDX-License-Identifier: Apache-2.0 */
/* File systems by the programs of those who make them. See mkfs.h.
 *
 * The device may have logical sectors of 4096 bytes (dm-crypt's sector_size), while the guest sees 512:
 *   ext4, swap  know blocks and pages only, never the sector
 *   xfs         notes 4096, and any kernel mounts that on a disk with smaller sectors
 *   vfat        notes it too, but most firmware and Windows want the disk's own: 512. mkfs.vfat does not make
 *               less than the device has, so it works on a sparse memory file, and what it wrote is copied.
 * A fresh map reads as noise, in which any signature may be found: all are told to go on (-F, -f).
 * None is told to discard: noise must stay noise, and the volume is fresh anyway. All are synced, as the
 * guest reads past the page cache. They run without capabilities (sandbox_mkfs), since what they find on the
 * device may be a client's; its node is root's.
 */
#include "broker/mkfs.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "broker/sandbox.h"
#include "storage/volume.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGV_MAX 12

static const struct {
    const char *fs;
    size_t label_max; /* characters */
} kinds[] = {{"ext4", 16}, {"xfs", 12}, {"vfat", 11}, {"swap", 15}};

int mkfs_check(const char *fs, const char *label, struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!streq(fs, kinds[i].fs))
            continue;
        if (strlen(label) > kinds[i].label_max || *label == '-' || !str_made_of(label, "-"))
            return error_set(e, -EINVAL, "label: must be of at most %zu letters, digits and '-' for %s",
                             kinds[i].label_max, fs);
        return 0;
    }
    return error_set(e, -EINVAL, "file system: there are ext4, xfs, vfat and swap, nothing else");
}

static void push(const char *argv[], const char *option, const char *value)
{
    size_t n = 0;
    while (argv[n])
        n++;
    argv[n++] = option;
    if (value)
        argv[n++] = value;
}

static int make_here(const char *argv[], const char *path, const char *label, struct error *e)
{
    if (*label)
        push(argv, "-L", label);
    push(argv, path, NULL);
    int r = process_run_prepared(-1, sandbox_mkfs, argv, PROCESS_NO_DEADLINE, NULL, e);
    if (r < 0)
        return r;
    _cleanup_close_ int device = open(path, O_RDONLY | O_CLOEXEC);
    if (device < 0 || fsync(device) < 0)
        return error_set(e, errno, "%s: cannot be synced: %m", path);
    return 0;
}

/* Without zeroing the journal first only on noise: remains of an older journal could be replayed. */
static int make_ext4(const char *path, const char *label, bool noise, struct error *e)
{
    const char *extended = noise ? "nodiscard,lazy_itable_init=1,lazy_journal_init=1"
                                 : "nodiscard,lazy_itable_init=1,lazy_journal_init=0";
    const char *argv[ARGV_MAX] = {"mkfs.ext4", "-F", "-q", "-E", extended};
    return make_here(argv, path, label, e);
}

static int make_xfs(const char *path, const char *label, struct error *e)
{
    const char *argv[ARGV_MAX] = {"mkfs.xfs", "-f", "-q", "-K"};
    return make_here(argv, path, label, e);
}

static int make_swap(const char *path, const char *label, struct error *e)
{
    const char *argv[ARGV_MAX] = {"mkswap", "-f"};
    return make_here(argv, path, label, e);
}

/* Copies what is not a hole in `from` to the same places in `to`. */
static int copy_data(int from, int to)
{
    char buffer[65536];
    for (off_t at = 0, hole; (at = lseek(from, at, SEEK_DATA)) >= 0; at = hole) {
        hole = lseek(from, at, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        for (off_t done = at; done < hole;) {
            size_t n = hole - done < (off_t)sizeof buffer ? (size_t)(hole - done) : sizeof buffer;
            int r = fd_pread_all(from, buffer, n, (uint64_t)done);
            if (r == 0)
                r = fd_pwrite_all(to, buffer, n, (uint64_t)done);
            if (r < 0)
                return r;
            done += (off_t)n;
        }
    }
    return errno == ENXIO ? 0 : -errno; /* no more data */
}

static void to_upper(char field[16], const char *label)
{
    size_t i = 0;
    for (; label[i]; i++)
        field[i] = label[i] >= 'a' && label[i] <= 'z' ? (char)(label[i] - 'a' + 'A') : label[i];
    field[i] = '\0';
}

static int make_vfat(const char *path, const char *label, struct error *e)
{
    _cleanup_close_ int device = open(path, O_RDWR | O_CLOEXEC);
    _cleanup_close_ int file = fd_memfd_empty("mayfly-vfat", 0);
    off_t size_bytes = device < 0 ? -1 : lseek(device, 0, SEEK_END);
    if (size_bytes > 0 && (uint64_t)size_bytes > VFAT_MAX_BYTES)
        return error_set(e, -EINVAL, "%s: is larger than the 256 GiB of a vfat; choose ext4 or xfs", path);
    if (file < 0 || size_bytes < 0 || ftruncate(file, size_bytes) < 0)
        return error_set(e, errno, "%s: cannot be formatted as vfat: %m", path);

    /* no fake partition table: the guest is to see one file system, like with the others */
    const char *argv[ARGV_MAX] = {"mkfs.vfat", "-S", "512", "--mbr=n"};
    char upper[16];
    to_upper(upper, label);
    if (*upper)
        push(argv, "-n", upper);
    push(argv, "/proc/self/fd/0", NULL);
    int r = process_run_prepared(file, sandbox_mkfs, argv, PROCESS_NO_DEADLINE, NULL, e);
    if (r < 0)
        return r;
    r = copy_data(file, device);
    if (r == 0 && fsync(device) < 0)
        r = -errno;
    return r < 0 ? error_set(e, r, "%s: cannot be formatted as vfat: %s", path, strerror(-r)) : 0;
}

int mkfs_make(const char *path, const char *fs, const char *label, bool noise, struct error *e)
{
    int r = mkfs_check(fs, label, e);
    if (r < 0)
        return r;
    if (streq(fs, "ext4"))
        r = make_ext4(path, label, noise, e);
    else if (streq(fs, "xfs"))
        r = make_xfs(path, label, e);
    else if (streq(fs, "vfat"))
        r = make_vfat(path, label, e);
    else
        r = make_swap(path, label, e);
    return r;
}
