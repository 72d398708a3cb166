/* SPDX-License-Identifier: Apache-2.0 */
/* Makes file systems by their own programs. See mkfs.h.
 *
 * The device may have logical sectors of 4096 bytes (dm-crypt's sector_size), while the guest sees 512:
 *   ext4, swap  know blocks and pages only, never the sector
 *   xfs         notes 4096, and any kernel mounts that on a disk with smaller sectors
 *   vfat        notes it too, but most firmware and Windows want the disk's own: 512. mkfs.vfat does not make
 *               less than the device has, so it works on a sparse memory file, and what it wrote is copied.
 * A fresh map reads as noise, in which any signature may be found: all are told to go on (-F, -f). None is
 * told to discard: noise must stay noise, and the volume is fresh anyway. All are synced, as the guest reads
 * past the page cache. The broker runs them without capabilities (m->prepare), since a client may have
 * written what they find on the device. They can open its node, which is root's.
 *
 * In a memory file they find nothing. Its holes were not written by any program; zeros that a program wants
 * are data.
 */
#include "storage/mkfs.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "storage/volume.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGV_MAX 12

static const char memory_path[] = "/proc/self/fd/0";

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

static void to_upper(char field[16], const char *label)
{
    size_t i = 0;
    for (; label[i]; i++)
        field[i] = label[i] >= 'a' && label[i] <= 'z' ? (char)(label[i] - 'a' + 'A') : label[i];
    field[i] = '\0';
}

/* Builds the command line behind argv[0]. */
static void build_command(const struct mkfs *m, const char *argv[ARGV_MAX], char upper[16])
{
    const char *label = m->label;
    if (streq(m->fs, "ext4")) { /* the journal is not zeroed on noise alone: remains of an older one could be
                                   replayed */
        push(argv, "mkfs.ext4", "-F");
        push(argv, "-q", "-E");
        push(argv,
             m->noise ? "nodiscard,lazy_itable_init=1,lazy_journal_init=1"
                      : "nodiscard,lazy_itable_init=1,lazy_journal_init=0",
             NULL);
    } else if (streq(m->fs, "xfs")) {
        push(argv, "mkfs.xfs", "-f");
        push(argv, "-q", "-K");
    } else if (streq(m->fs, "swap")) {
        push(argv, "mkswap", "-f");
    } else { /* no fake partition table: the guest is to see one file system, like with the others */
        push(argv, "mkfs.vfat", "--mbr=n");
        push(argv, "-S", "512");
        to_upper(upper, label);
        label = upper;
    }
    if (*label)
        push(argv, streq(m->fs, "vfat") ? "-n" : "-L", label);
}

static int make_here(const struct mkfs *m, const char *path, struct error *e)
{
    const char *argv[ARGV_MAX] = {NULL};
    char upper[16];
    build_command(m, argv, upper);
    push(argv, path, NULL);
    int r = process_run_prepared(-1, m->prepare, argv, PROCESS_NO_DEADLINE, NULL, e);
    if (r < 0)
        return r;
    _cleanup_close_ int device = open(path, O_RDONLY | O_CLOEXEC);
    if (device < 0 || fsync(device) < 0)
        return error_set(e, errno, "%s: cannot be synced: %m", path);
    return 0;
}

int mkfs_in_memory(const struct mkfs *m, uint64_t size_bytes, int *ret_fd, struct error *e)
{
    const char *argv[ARGV_MAX] = {NULL};
    char upper[16];
    int r = mkfs_check(m->fs, m->label, e);
    if (r < 0)
        return r;
    if (streq(m->fs, "vfat") && size_bytes > VFAT_MAX_BYTES)
        return error_set(
            e, -EINVAL,
            "file system: a vfat has 256 GiB at most, and the disk is larger; choose ext4 or xfs");
    _cleanup_close_ int file = fd_memfd_empty("mayfly-mkfs", 0);
    if (file < 0 || ftruncate(file, (off_t)size_bytes) < 0)
        return error_set(e, file < 0 ? file : -errno, "file system: cannot be made in memory: %m");
    build_command(m, argv, upper);
    push(argv, memory_path, NULL);
    r = process_run_prepared(file, m->prepare, argv, PROCESS_NO_DEADLINE, NULL, e);
    if (r == 0)
        *ret_fd = TAKE_FD(file);
    return r;
}

static int write_to_device(void *context, const void *bytes, size_t n, uint64_t at)
{
    return fd_pwrite_all(*(const int *)context, bytes, n, at);
}

static int make_vfat(const struct mkfs *m, const char *path, struct error *e)
{
    _cleanup_close_ int device = open(path, O_RDWR | O_CLOEXEC), file = -1;
    off_t size_bytes = device < 0 ? -1 : lseek(device, 0, SEEK_END);
    if (size_bytes < 0)
        return error_set(e, errno, "%s: cannot be formatted as vfat: %m", path);
    int r = mkfs_in_memory(m, (uint64_t)size_bytes, &file, e);
    if (r < 0)
        return r;
    r = fd_each_data(file, write_to_device, &device);
    if (r == 0 && fsync(device) < 0)
        r = -errno;
    return r < 0 ? error_set(e, r, "%s: cannot be formatted as vfat: %s", path, strerror(-r)) : 0;
}

int mkfs_make(const struct mkfs *m, const char *path, struct error *e)
{
    int r = mkfs_check(m->fs, m->label, e);
    if (r < 0)
        return r;
    return streq(m->fs, "vfat") ? make_vfat(m, path, e) : make_here(m, path, e);
}
