/* SPDX-License-Identifier: Apache-2.0 */
/* Examines libvirt: whether it answers, its daemon has seen Mayfly's hook, and AppArmor lets the hook run
 * mayfly. */
#include "instance/doctor.h"

#include "base/fd.h"
#include "build-config.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Warns of a managed save: its file holds in plaintext what the disks hold encrypted. */
static void examine_ram(struct examination *x, const struct domain *d)
{
    char what[sizeof x->findings->what];
    size_t n = 0;
    bool has_disks =
        d->ours || (x->model->inventory && inventory_volumes_of(x->model->inventory, d->uuid, &n));
    snprintf(what, sizeof what, "memory of %.80s", d->name);
    if (has_disks && d->saved)
        examination_warn(x, what,
                         "libvirt keeps it unencrypted in a file, as virsh managedsave wrote it; start the "
                         "instance to restore it, or discard it by virsh managedsave-remove %s",
                         d->uuid);
}

static void examine_connection(struct examination *x)
{
    const struct context *c = x->context;
    struct model *m = x->model;
    struct error why = x->lacks->virt;
    int r = why.errnum ? why.errnum : context_check_virt(c, &why);
    if (r == 0)
        r = virt_list(c->virt, true, &m->domains, &m->n_domains, &why);
    x->no_domains = why;
    if (r < 0)
        examination_fail(x, "libvirt", r, why.text);
    else if (!virt_offers(c->virt, VIRT_KVM))
        examination_warn(
            x, "libvirt",
            "%s: answers, but offers no KVM, so guests are emulated and slow; see virt-host-validate",
            c->config->connection_uri);
    else
        examination_ok(x, "libvirt", "%s: answers, and offers KVM", c->config->connection_uri);
    for (size_t i = 0; i < m->n_domains; i++)
        examine_ram(x, &m->domains[i]);
}

/* -------------------------------------------------------- libvirt's daemon */

/* The daemon that starts QEMU: libvirtd, or virtqemud where each driver has a daemon of its own. */
struct daemon {
    const char *name;     /* NULL: none runs */
    char folder[32];      /* /proc/PID */
    uint64_t started_sec; /* since 1970 */
};

/* Reads the start time, in ticks since the boot. The name before it may contain anything. */
static bool read_start(const char *stat, uint64_t *ret_ticks)
{
    const char *field = strrchr(stat, ')');
    for (unsigned i = 2; field && i < 22; i++)
        field = strchr(field + 1, ' ');
    return field && sscanf(field, " %" SCNu64, ret_ticks) == 1; // NOLINT(cert-err34-c): the kernel's own
}

static uint64_t boot_sec(const struct examination *x)
{
    _cleanup_free_ char *text = examination_read(x, "/proc/stat");
    const char *line = text ? strstr(text, "\nbtime ") : NULL;
    return line ? strtoull(line + strlen("\nbtime "), NULL, 10) : 0;
}

static bool is_daemon(const struct examination *x, const char *pid, struct daemon *ret)
{
    static const char *const names[] = {"libvirtd", "virtqemud"};
    struct daemon d = {.name = NULL};
    uint64_t ticks = 0;
    snprintf(d.folder, sizeof d.folder, "/proc/%.20s", pid);
    _cleanup_free_ char *name_path = str_format("%s/comm", d.folder);
    _cleanup_free_ char *stat_path = str_format("%s/stat", d.folder);
    _cleanup_free_ char *name = name_path ? examination_read(x, name_path) : NULL;
    for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
        if (strncmp(name, names[i], strcspn(name, "\n")) == 0 && strlen(names[i]) == strcspn(name, "\n"))
            d.name = names[i];
    _cleanup_free_ char *stat = d.name && stat_path ? examination_read(x, stat_path) : NULL;
    if (!stat || !read_start(stat, &ticks))
        return false;
    d.started_sec = boot_sec(x) + ticks / (uint64_t)sysconf(_SC_CLK_TCK);
    *ret = d;
    return true;
}

/* Finds root's daemon: a user may have one for a session. */
static void find_daemon(const struct examination *x, struct daemon *ret)
{
    struct stat all, one;
    _cleanup_free_ char *path = str_format("%s/proc", x->paths->root);
    _cleanup_closedir_ DIR *proc = path ? opendir(path) : NULL;
    *ret = (struct daemon){.name = NULL};
    if (!proc || fstat(dirfd(proc), &all) < 0)
        return;
    for (const struct dirent *d; !ret->name && (d = readdir(proc));)
        if (isdigit((unsigned char)*d->d_name) && fstatat(dirfd(proc), d->d_name, &one, 0) == 0 &&
            one.st_uid == all.st_uid)
            (void)!is_daemon(x, d->d_name, ret);
}

/* -------------------------------------------------------------------- hook */

/* Returns when the file was made. An upgrade that changes nothing in it leaves it alone. */
static uint64_t made_sec(const char *path, const struct stat *st)
{
    struct statx more;
    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &more) == 0 && more.stx_mask & STATX_BTIME)
        return (uint64_t)more.stx_btime.tv_sec;
    return (uint64_t)st->st_ctime;
}

#define BOOT_TIME_SLACK_SEC 1 /* the kernel tells it in whole seconds */

static void examine_hook(struct examination *x, const struct daemon *d)
{
    struct stat st;
    const char *what = "libvirt hook", *path = x->paths->hook, *wrong = NULL;
    if (stat(path, &st) < 0)
        wrong = errno == ENOENT ? "does not exist" : "cannot be examined";
    else if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
        wrong = "is not executable";
    if (wrong)
        examination_warn(x, what,
                         "%s %s: plain virsh start does not open disks; use mayfly start, or install "
                         "Mayfly's hook there and restart libvirtd",
                         path, wrong);
    else if (d->name && d->started_sec + BOOT_TIME_SLACK_SEC < made_sec(path, &st))
        examination_warn(x, what,
                         "%s is newer than the start of %s, which looks for hooks only then, so plain virsh "
                         "start does not open disks; run systemctl restart %s, which leaves guests running",
                         path, d->name, d->name);
    else
        examination_ok(x, what, "%s is there", path);
}

/* ---------------------------------------------------------------- AppArmor */

/* True if the profile, or the operator's addition to it, allows the program, or all of its folder. */
static bool profile_allows(const struct examination *x, const char *daemon)
{
    static const char *const folders[] = {"/etc/apparmor.d", "/etc/apparmor.d/local"};
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_SIZE(folders); i++) {
        _cleanup_free_ char *path = str_format("%s/usr.sbin.%s", folders[i], daemon);
        _cleanup_free_ char *text = path ? examination_read(x, path) : NULL;
        for (char *rest = text, *line; rest && !found && (line = strsep(&rest, "\n"));) {
            line += strspn(line, " \t");
            found = str_starts(line, MAYFLY_PROGRAM " ") || str_starts(line, MAYFLY_BINDIR "/* ");
        }
    }
    return found;
}

static void examine_apparmor(struct examination *x, const struct daemon *d)
{
    const char *what = "AppArmor";
    _cleanup_free_ char *enabled = examination_read(x, "/sys/module/apparmor/parameters/enabled");
    _cleanup_free_ char *path = str_format("%s/attr/current", d->folder);
    _cleanup_free_ char *label = d->name && path ? examination_read(x, path) : NULL;
    if (!enabled || *enabled != 'Y')
        examination_ok(x, what, "is not in use");
    else if (!label)
        examination_ok(x, what,
                       "is in use; whether it confines libvirt is not known while its daemon does not run");
    else if (!strstr(label, "(enforce)"))
        examination_ok(x, what, "is in use, and does not confine %s", d->name);
    else if (profile_allows(x, d->name))
        examination_ok(x, what, "confines %s, and lets its hook run " MAYFLY_PROGRAM, d->name);
    else
        examination_warn(x, what,
                         "confines %s, and does not let its hook run " MAYFLY_PROGRAM
                         ", so no domain of this host starts: put '" MAYFLY_PROGRAM
                         " PUx,' into /etc/apparmor.d/local/usr.sbin.%s, then "
                         "apparmor_parser -r /etc/apparmor.d/usr.sbin.%s",
                         d->name, d->name, d->name);
}

void examine_libvirt(struct examination *x)
{
    struct daemon d;
    examine_connection(x);
    find_daemon(x, &d);
    if (!*x->context->config->pool_path) /* a user's own libvirt has no hook */
        examine_hook(x, &d);
    examine_apparmor(x, &d);
}
