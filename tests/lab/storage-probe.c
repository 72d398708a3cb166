/* SPDX-License-Identifier: Apache-2.0 */
/* Drives storage/lvm.h and storage/dmcrypt.h without a broker, for tests/lab/storage-*.sh.
 *
 *     storage-probe COMMAND [ARG...] [+ COMMAND ...]      all by one lvm process
 *
 * A failed command prints its errno's name and sentence on stderr, and ends the program with 1. Keys are
 * arguments here, and only here: they are test vectors.
 */
#include "storage/dmcrypt.h"
#include "storage/lvm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_PREFIX "d15c0000" /* the disk's uuid is the instance's with this beginning and end */

static int need_lvm(struct lvm **l, struct error *e)
{
    return *l ? 0 : lvm_start(-1, l, e);
}

/* What the options CIPHER,BITS,SECTOR say; "none" for a plain volume. */
static void set_cipher(struct volume *v, const char *text)
{
    strcpy(v->cipher, "none");
    if (sscanf(text, "%47[^,],%" SCNu32 ",%" SCNu32, v->cipher, &v->key_bits, &v->sector_bytes) < 3)
        return;
    strcpy(v->key, "local:4f1c");
    strcpy(v->kdf, "hkdf-sha512");
    strcpy(v->check, "00112233445566778899aabbccddeeff");
}

static void make_volume(struct volume *v, char *const arg[])
{
    size_t role = strlen(arg[2]);
    *v = (struct volume){.state = VOLUME_BUILDING};
    snprintf(v->vg, sizeof v->vg, "%s", arg[0]);
    snprintf(v->instance, sizeof v->instance, "%s", arg[1]);
    snprintf(v->role, sizeof v->role, "%s", arg[2]);
    snprintf(v->name, sizeof v->name, "ci-1");
    snprintf(v->disk, sizeof v->disk, DISK_PREFIX "%.26s%02zx", arg[1] + 8,
             role * 16 + arg[2][role - 1] % 16u);
    volume_set_lv_name(v);
}

/* The volumes of an instance (VG UUID), with that role or with any. */
static int find(struct lvm **l, char *const arg[], const char *role, struct volume **ret, size_t *ret_n,
                struct error *e)
{
    char instance[1][UUID_TEXT];
    _cleanup_free_ struct lvm_volume *all = NULL;
    size_t n_all = 0;
    int r = need_lvm(l, e);
    if (r == 0)
        r = str_copy(instance[0], UUID_TEXT, arg[1]);
    if (r == 0)
        r = lvm_volumes_of(*l, arg[0], (const char(*)[UUID_TEXT])instance, 1, &all, &n_all, e);
    if (r < 0)
        return r;
    *ret = calloc(n_all + 1, sizeof **ret);
    if (!*ret)
        return error_memory(e);
    *ret_n = 0;
    for (size_t i = 0; i < n_all; i++) {
        if (all[i].dependent[0])
            printf("%s: %s\n", all[i].v.lv, all[i].dependent);
        if (!role || streq(all[i].v.role, role))
            (*ret)[(*ret_n)++] = all[i].v;
    }
    return *ret_n ? 0 : error_set(e, -ENOENT, "no such volume");
}

/* create VG UUID ROLE SIZE CIPHER,BITS,SECTOR */
static int cmd_create(struct lvm **l, char *const arg[], struct error *e)
{
    struct volume v;
    int r = need_lvm(l, e);
    make_volume(&v, arg);
    set_cipher(&v, arg[4]);
    if (r == 0)
        r = str_to_bytes(arg[3], &v.size_bytes);
    if (r == 0)
        r = volume_check(&v, e);
    return r < 0 ? r : lvm_create(*l, &v, e);
}

/* volumes VG UUID */
static int cmd_volumes(struct lvm **l, char *const arg[], struct error *e)
{
    _cleanup_free_ struct volume *v = NULL;
    size_t n = 0;
    int r = find(l, arg, NULL, &v, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        printf("%s %s %" PRIu64 " %s %s %s %" PRIu32 "\n", v[i].vg, v[i].lv, v[i].size_bytes,
               volume_state_name(v[i].state), v[i].disk, v[i].cipher, v[i].sector_bytes);
    return r;
}

/* mark VG UUID FROM TO; remove VG UUID: all volumes of the instance */
static int on_set(struct lvm **l, char *const arg[], bool removing, struct error *e)
{
    _cleanup_free_ struct volume *v = NULL;
    const struct volume *set[128];
    enum volume_state from, to;
    size_t n = 0;
    int r = find(l, arg, NULL, &v, &n, e);
    for (size_t i = 0; r == 0 && i < n && i < 128; i++)
        set[i] = &v[i];
    if (r < 0 || removing)
        return r < 0 ? r : lvm_remove(*l, set, n, e);
    if (volume_state_parse(arg[2], &from) < 0 || volume_state_parse(arg[3], &to) < 0)
        return error_set(e, -EINVAL, "no such state");
    return lvm_change_state(*l, set, n, from, to, e);
}

static int cmd_mark(struct lvm **l, char *const arg[], struct error *e)
{
    return on_set(l, arg, false, e);
}

static int cmd_remove(struct lvm **l, char *const arg[], struct error *e)
{
    return on_set(l, arg, true, e);
}

/* activate VG UUID ROLE */
static int cmd_activate(struct lvm **l, char *const arg[], struct error *e)
{
    _cleanup_free_ struct volume *v = NULL;
    size_t n = 0;
    int r = find(l, arg, arg[2], &v, &n, e);
    return r < 0 ? r : lvm_activate(*l, v, e);
}

/* report VG,VG... */
static int cmd_report(struct lvm **l, char *const arg[], struct error *e)
{
    const char *vgs[16];
    char *rest = arg[0];
    size_t n = 0;
    int r = need_lvm(l, e);
    for (char *vg; n < 16 && (vg = strsep(&rest, ","));)
        vgs[n++] = vg;
    if (r == 0)
        r = lvm_report(*l, vgs, n, STDOUT_FILENO, e);
    return r;
}

/* By device-mapper's name, in which hyphens are doubled. 0: it is not active. */
static dev_t device_of(const struct volume *v)
{
    struct stat st = {.st_rdev = 0};
    char path[300], *end = path + sprintf(path, "/dev/mapper/%s-", v->vg);
    for (const char *p = v->lv; *p; p++)
        end += sprintf(end, *p == '-' ? "--" : "%c", *p);
    return stat(path, &st) == 0 ? st.st_rdev : 0;
}

/* {open|tune} VG UUID ROLE KEYHEX [discards|noqueues|opened]... joined by commas */
static int with_key(struct lvm **l, char *const arg[], bool tune, struct error *e)
{
    _cleanup_free_ struct volume *v = NULL;
    _cleanup_secret_ struct secret *key = NULL;
    bool changed = false, was_open = false;
    size_t n = 0, size = strlen(arg[3]) / 2;
    struct map_options o = {.flags = (strstr(arg[4], "discards") ? CRYPT_ALLOW_DISCARDS : 0) |
                                     (strstr(arg[4], "noqueues") ? CRYPT_NO_WORKQUEUES : 0),
                            .use = strstr(arg[4], "opened") ? MAP_TO_STAY : MAP_FOR_DOMAIN};
    int r = find(l, arg, arg[2], &v, &n, e);
    if (r == 0)
        r = secret_new(size, &key, e);
    for (size_t i = 0; r == 0 && i < size; i++)
        sscanf(arg[3] + 2 * i, "%2hhx", &secret_bytes(key)[i]);
    o.below = r == 0 ? device_of(v) : 0;
    if (r == 0 && !tune) {
        r = dmcrypt_open(v, key, &o, &was_open, e);
        return r == 0 && was_open ? error_set(e, -EEXIST, "volume %s: is open already", v->lv) : r;
    }
    if (r == 0)
        r = dmcrypt_tune(v, key, &o, &changed, e);
    if (r == 0)
        puts(changed ? "changed" : "unchanged");
    return r;
}

static int cmd_open(struct lvm **l, char *const arg[], struct error *e)
{
    return with_key(l, arg, false, e);
}

static int cmd_tune(struct lvm **l, char *const arg[], struct error *e)
{
    return with_key(l, arg, true, e);
}

static int cmd_close(struct lvm **l, char *const arg[], struct error *e)
{
    (void)l;
    return dmcrypt_close(arg[0], SETTLE_NOW, e);
}

static int cmd_find(struct lvm **l, char *const arg[], struct error *e)
{
    struct map m;
    (void)l;
    int r = dmcrypt_find(arg[0], &m, e);
    if (r == 0)
        printf("%s %s %d\n", m.name, m.uuid, m.open_count);
    return r;
}

static int cmd_maps(struct lvm **l, char *const arg[], struct error *e)
{
    _cleanup_free_ struct map *m = NULL;
    size_t n = 0;
    (void)l, (void)arg;
    int r = dmcrypt_list(&m, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        printf("%s %s %d\n", m[i].name, m[i].uuid, m[i].open_count);
    return r;
}

/* wait FILE: until the file is there; tells our id meanwhile */
static int cmd_wait(struct lvm **l, char *const arg[], struct error *e)
{
    (void)l, (void)e;
    printf("%d\n", getpid());
    fflush(stdout);
    while (access(arg[0], F_OK) < 0)
        usleep(20000);
    return 0;
}

static const struct {
    const char *name;
    int n;
    int (*run)(struct lvm **l, char *const arg[], struct error *e);
} commands[] = {
    {"create", 5, cmd_create}, {"volumes", 2, cmd_volumes}, {"mark", 4, cmd_mark},
    {"remove", 2, cmd_remove}, {"report", 1, cmd_report},   {"activate", 3, cmd_activate},
    {"open", 5, cmd_open},     {"close", 1, cmd_close},     {"find", 1, cmd_find},
    {"maps", 0, cmd_maps},     {"wait", 1, cmd_wait},       {"tune", 5, cmd_tune},
};

static int run(struct lvm **l, int n, char *const arg[], struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (n > 0 && streq(arg[0], commands[i].name) && n == commands[i].n + 1)
            return commands[i].run(l, arg + 1, e);
    return error_set(e, -EINVAL, "storage-probe: %s: no such command, or not so many arguments",
                     n ? arg[0] : "");
}

int main(int argc, char *argv[])
{
    _cleanup_lvm_ struct lvm *l = NULL;
    struct error e = ERROR_NONE;
    int worst = 0;
    for (int i = 1, n = 0; i < argc; i += n + 1) {
        for (n = 0; i + n < argc && !streq(argv[i + n], "+"); n++)
            ;
        e = ERROR_NONE;
        int r = run(&l, n, argv + i, &e);
        if (r < 0)
            fprintf(stderr, "%s %s\n", r == -EUNSAFE ? "EUNSAFE" : strerrorname_np(-r), e.text);
        worst = r < 0 ? 1 : worst;
    }
    return worst;
}
