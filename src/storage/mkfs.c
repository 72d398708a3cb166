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
#include "storage/file-systems.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGV_MAX 12

static const char memory_path[] = "/proc/self/fd/0";

int mkfs_check(const char *fs, const char *label, struct error *e)
{
    const struct file_system *kind = file_system_find(fs);
    if (!kind)
        return error_set(e, -EINVAL, "file system: there are %s and swap, nothing else", file_system_choice);
    if (strlen(label) > kind->label_max || *label == '-' || !str_made_of(label, "-"))
        return error_set(e, -EINVAL, "label: must be of at most %zu letters, digits and '-' for %s",
                         kind->label_max, fs);
    return 0;
}

struct command {
    const char *argv[ARGV_MAX];
    char upper[16]; /* a label in capitals, to which argv may point */
};

static void push(struct command *c, const char *word)
{
    size_t n = 0;
    while (c->argv[n])
        n++;
    c->argv[n] = word;
}

static void push_label(struct command *c, const char *option, const char *label)
{
    if (!*label)
        return;
    push(c, option);
    push(c, label);
}

static void to_upper(char field[16], const char *label)
{
    size_t i = 0;
    for (; label[i]; i++)
        field[i] = label[i] >= 'a' && label[i] <= 'z' ? (char)(label[i] - 'a' + 'A') : label[i];
    field[i] = '\0';
}

/* The journal is not zeroed on noise alone: remains of an older one could be replayed. */
static void options_ext4(struct command *c, const struct mkfs *m)
{
    push(c, "-F");
    push(c, "-q");
    push(c, "-E");
    push(c, m->noise ? "nodiscard,lazy_itable_init=1,lazy_journal_init=1"
                     : "nodiscard,lazy_itable_init=1,lazy_journal_init=0");
    push_label(c, "-L", m->label);
}

static void options_xfs(struct command *c, const struct mkfs *m)
{
    push(c, "-f");
    push(c, "-q");
    push(c, "-K");
    push_label(c, "-L", m->label);
}

/* No fake partition table: the guest is to see one file system, like with the others. */
static void options_vfat(struct command *c, const struct mkfs *m)
{
    push(c, "--mbr=n");
    push(c, "-S");
    push(c, "512");
    to_upper(c->upper, m->label);
    push_label(c, "-n", c->upper);
}

static void options_swap(struct command *c, const struct mkfs *m)
{
    push(c, "-f");
    push_label(c, "-L", m->label);
}

/* Builds the command line that makes it at `path`. */
static void build_command(const struct mkfs *m, const char *path, struct command *ret)
{
    static const struct {
        const char *fs, *program;
        void (*push_options)(struct command *c, const struct mkfs *m);
    } commands[] = {
#define FILE_SYSTEM(name, program, ...) {#name, program, options_##name},
#include "storage/file-systems.def"
    };
    *ret = (struct command){.argv = {NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (streq(m->fs, commands[i].fs)) {
            push(ret, commands[i].program);
            commands[i].push_options(ret, m);
        }
    push(ret, path);
}

static int make_here(const struct mkfs *m, const char *path, struct error *e)
{
    struct command c;
    build_command(m, path, &c);
    int r = process_run_prepared(-1, m->prepare, c.argv, PROCESS_NO_DEADLINE, NULL, e);
    if (r < 0)
        return r;
    _cleanup_close_ int device = open(path, O_RDONLY | O_CLOEXEC);
    if (device < 0 || fsync(device) < 0)
        return error_set(e, errno, "%s: cannot be synced: %m", path);
    return 0;
}

static int check_limit(const char *fs, uint64_t size_bytes, struct error *e)
{
    uint64_t limit = file_system_find(fs)->max_bytes;
    char text[32];
    if (size_bytes <= limit)
        return 0;
    return error_set(e, -EINVAL, "file system: %s takes %s at most, and the disk is larger; choose another",
                     fs, str_from_bytes(limit, text, sizeof text));
}

int mkfs_in_memory(const struct mkfs *m, uint64_t size_bytes, int *ret_fd, struct error *e)
{
    struct command c;
    int r = mkfs_check(m->fs, m->label, e);
    if (r < 0)
        return r;
    r = check_limit(m->fs, size_bytes, e);
    if (r < 0)
        return r;
    _cleanup_close_ int file = fd_memfd_empty("mayfly-mkfs", 0);
    if (file < 0 || ftruncate(file, (off_t)size_bytes) < 0)
        return error_set(e, file < 0 ? file : -errno, "file system: cannot be made in memory: %m");
    build_command(m, memory_path, &c);
    r = process_run_prepared(file, m->prepare, c.argv, PROCESS_NO_DEADLINE, NULL, e);
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
