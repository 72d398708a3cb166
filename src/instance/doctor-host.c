/* SPDX-License-Identifier: Apache-2.0 */
/* Doctor's look at the host that Mayfly runs on: the caller, programs, kernel, swap, LVM's view of guests'
 * disks, sockets of disks, clock, and room for files. Nothing here asks the broker, libvirt or a key manager.
 */
#include "instance/doctor.h"

#include "base/fd.h"
#include "base/user.h"
#include "build-config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the caller */

static void examine_membership(struct examination *x, const char *user, const char *group)
{
    char what[sizeof x->findings->what];
    enum membership is = membership(user, group);
    snprintf(what, sizeof what, "group %s", group);
    if (is == MEMBER_LATER)
        examination_warn(
            x, what, "user %s is a member, but this login is older than the membership: log in again", user);
    else if (is == MEMBER_NO)
        examination_warn(x, what, "user %s is not a member: run adduser %s %s as root, then log in again",
                         user, user, group);
}

/* Examines the user's groups, but only if they explain a refusal: there are other ways to get access. */
static void examine_caller(struct examination *x)
{
    char user[USER_NAME_MAX];
    user_name(geteuid(), user);
    if (geteuid() == 0 || streq(user, MAYFLY_USER))
        return;
    if (x->lacks->broker.errnum == -EACCES)
        examine_membership(x, user, MAYFLY_USER);
    if (x->lacks->virt.errnum)
        examine_membership(x, user, "libvirt");
}

/* ------------------------------------------------------------------ programs */

static const struct program {
    const char *name, *package;
    const char *lost; /* what cannot be made without the program; NULL: nothing at all */
} programs[] = {
    {"lvm", "lvm2", NULL},
    {"qemu-img", "qemu-utils", NULL},
    {"qemu-nbd", "qemu-utils", NULL},
#define FILE_SYSTEM(name, program, package, ...) {program, package, "file systems of type " #name},
#define SWAP_AREA(name, program, package, ...)   {program, package, "swap disks"},
#include "storage/file-systems.def"
};

static bool is_installed(const struct examination *x, const char *name)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_SIZE(folders); i++) {
        _cleanup_free_ char *path = str_format("%s%s/%s", x->paths->root, folders[i], name);
        found = path && access(path, X_OK) == 0;
    }
    return found;
}

static void examine_programs(struct examination *x)
{
    char text[160];
    bool all = true;
    for (const struct program *p = programs; p < programs + ARRAY_SIZE(programs); p++) {
        if (is_installed(x, p->name))
            continue;
        all = false;
        snprintf(text, sizeof text, "is missing: apt-get install %s", p->package);
        if (p->lost)
            examination_warn(x, p->name, "%s; until then there are no %s", text, p->lost);
        else
            examination_fail(x, p->name, -ENOENT, text);
    }
    if (all)
        examination_ok(x, "programs", "all are installed");
}

/* -------------------------------------------------------------------- kernel */

static void examine_kernel(struct examination *x)
{
    const char *what = "kernel";
    _cleanup_free_ char *modules = examination_read(x, "/sys/kernel/security/lsm");
    _cleanup_free_ char *rings = examination_read(x, "/proc/sys/kernel/io_uring_disabled");
    bool confined = modules && strstr(modules, "landlock");
    bool slow = rings && *rings != '0';
    if (!confined)
        examination_warn(
            x, what,
            "Landlock is not in use, so the broker and the programs that read images are confined "
            "less; add it to lsm= on the kernel's command line");
    if (slow)
        examination_warn(x, what,
                         "io_uring is disabled, so images are written more slowly; see sysctl "
                         "kernel.io_uring_disabled");
    if (confined && !slow)
        examination_ok(x, what, "Landlock and io_uring are in use");
}

/* ---------------------------------------------------------------------- swap */

static bool has_line(const struct examination *x, const char *folder, const char *file, const char *start)
{
    _cleanup_free_ char *path = str_format("%s/%s", folder, file);
    _cleanup_free_ char *text = path ? examination_read(x, path) : NULL;
    return text && str_starts(text, start);
}

#define DEVICE_LEVELS_MAX 8

/* True if the device is a dm-crypt map, or lies on such maps only; `folder` is its folder in sysfs. */
static bool is_encrypted(const struct examination *x, const char *folder, unsigned level)
{
    if (has_line(x, folder, "dm/uuid", "CRYPT-"))
        return true;
    _cleanup_free_ char *path = str_format("%s%s/slaves", x->paths->root, folder);
    _cleanup_closedir_ DIR *slaves = path && level < DEVICE_LEVELS_MAX ? opendir(path) : NULL;
    bool all = true;
    size_t n = 0;
    for (const struct dirent *d; slaves && all && (d = readdir(slaves));) {
        if (*d->d_name == '.')
            continue;
        _cleanup_free_ char *below = str_format("/sys/class/block/%s", d->d_name);
        all = below && is_encrypted(x, below, level + 1);
        n++;
    }
    return all && n > 0;
}

/* True if the device is zram, which is in RAM unless it writes idle pages to a disk. */
static bool is_ram(const struct examination *x, const char *folder)
{
    return str_starts(folder, "/sys/class/block/zram") &&
           (has_line(x, folder, "backing_dev", "none") || !has_line(x, folder, "backing_dev", ""));
}

static char *folder_of_swap(const struct examination *x, const char *name, const char *type)
{
    struct stat st;
    _cleanup_free_ char *path = str_format("%s%s", x->paths->root, name);
    if (!streq(type, "file"))
        return str_format("/sys/class/block/%s", strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
    if (!path || stat(path, &st) < 0)
        return NULL;
    return str_format("/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
}

static void examine_swap(struct examination *x)
{
    const char *what = "swap of the host";
    _cleanup_free_ char *text = examination_read(x, "/proc/swaps");
    char *rest = text, *line = strsep(&rest, "\n"); /* the heading */
    size_t n = 0, plain = 0;
    for (; rest && (line = strsep(&rest, "\n"));) {
        char name[256], type[16];
        if (sscanf(line, "%255s %15s", name, type) != 2) // NOLINT(cert-err34-c): words, no numbers
            continue;
        n++;
        _cleanup_free_ char *folder = folder_of_swap(x, name, type);
        if (folder && (is_ram(x, folder) || is_encrypted(x, folder, 0)))
            continue;
        plain++;
        examination_warn(x, what,
                         "%s is not encrypted, or not known to be: memory of guests may be written there in "
                         "plaintext; encrypt it (swap in crypttab(5)), or turn it off: swapoff %s",
                         name, name);
    }
    if (!text)
        examination_warn(x, what, "/proc/swaps cannot be read");
    else if (plain == 0)
        examination_ok(x, what, n == 0 ? "is not in use" : "is encrypted, or in memory");
}

/* ----------------------------------------------------- LVM's view of disks */

/* True if a line of the file, not a comment, is a filter that names our maps. */
static bool rejects_maps(const struct examination *x, const char *path)
{
    _cleanup_free_ char *text = examination_read(x, path);
    bool found = false;
    for (char *rest = text, *line; rest && !found && (line = strsep(&rest, "\n"));) {
        line += strspn(line, " \t");
        found = *line != '#' && strstr(line, "filter") && strstr(line, "-dmcrypt");
    }
    return found;
}

static void examine_lvm(struct examination *x)
{
    const char *what = "LVM of the host";
    if (rejects_maps(x, "/etc/lvm/lvm.conf") || rejects_maps(x, "/etc/lvm/lvmlocal.conf"))
        examination_ok(x, what, "does not look into guests' disks");
    else
        examination_warn(
            x, what,
            "looks into guests' disks while they are open, so that vgs shows their volume groups, and "
            "vgchange -ay activates them; put the global_filter of lvmlocal.conf.sample into "
            "/etc/lvm/lvmlocal.conf");
}

/* ------------------------------------------------------- sockets of disks */

static bool serves_disks(const struct examination *x)
{
    bool served = streq(x->context->config->engine, "user");
    for (size_t i = 0; !served && x->model && i < x->model->n_instances; i++)
        served = instance_is_served(&x->model->instances[i]);
    return served;
}

/* Examines the folder by which QEMU reaches the disks of the host that processes serve. */
static void examine_sockets(struct examination *x)
{
    const char *what = "sockets of disks", *path = SOCKETS_OF_HOST;
    _cleanup_free_ char *full = str_format("%s%s", x->paths->root, path);
    struct stat st;
    if (!full || !serves_disks(x))
        return;
    if (stat(full, &st) < 0)
        examination_ok(x, what, "are not there yet: root's mayfly makes their folder");
    else if ((st.st_mode & 0777) != 0755)
        examination_warn(
            x, what,
            "folder %s has mode %o: QEMU does not reach the disks in it, or others may write to it; "
            "run chmod 2755 %s",
            path, st.st_mode & 07777, path);
    else if (st.st_gid == 0)
        examination_warn(
            x, what,
            "folder %s has no group of QEMU's, so that guests do not get their disks; give it the "
            "group of qemu.conf by chgrp, and chmod 2755 it",
            path);
    else
        examination_ok(x, what, "QEMU's group reaches them");
}

/* ------------------------------------------------------------- clock and room */

/* Examines the clock: tokens and certificates are valid for a time. */
static void examine_clock(struct examination *x)
{
    struct timex t = {.modes = 0};
    const char *what = "clock";
    bool kept = adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
    if (kept)
        examination_ok(x, what, "is synchronised");
    else if (streq(x->context->config->key_backend, "barbican"))
        examination_warn(
            x, what,
            "is not synchronised: certificates and tokens of the key manager may be refused; see "
            "timedatectl");
    else
        examination_ok(x, what, "is not synchronised, which matters to key managers on a network alone");
}

#define ROOM_BYTES (UINT64_C(16) << 20)
#define ROOM_FILES 100

/* Examines the room for keys, LVM's backups, libvirt's definitions and locks. */
static void examine_room(struct examination *x)
{
    static const char *const folders[] = {"/var/lib/mayfly", "/etc", "/run"};
    const char *what = "room for files";
    char left[32];
    bool enough = true;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        struct statvfs st;
        _cleanup_free_ char *path = str_format("%s%s", x->paths->root, folders[i]);
        if (!path || statvfs(path, &st) < 0)
            continue;
        uint64_t bytes = (uint64_t)st.f_bavail * st.f_frsize;
        if (bytes >= ROOM_BYTES && (st.f_files == 0 || st.f_favail >= ROOM_FILES))
            continue;
        enough = false;
        examination_warn(x, what, "the file system of %s has only %s and %lu files left", folders[i],
                         str_from_room(bytes, left, sizeof left), (unsigned long)st.f_favail);
    }
    if (enough)
        examination_ok(x, what, "there is enough for keys, definitions and locks");
}

void examine_host(struct examination *x)
{
    examine_caller(x);
    examine_programs(x);
    examine_kernel(x);
    examine_swap(x);
    if (!*x->context->config->pool_path) {
        examine_lvm(x);
        examine_sockets(x);
    }
    examine_clock(x);
    examine_room(x);
}
