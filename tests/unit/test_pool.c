/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of files passes the suite of all brokers; then what only files have. An engine in memory stands
 * for what serves disks to guests: it keeps the file open, as a keeper does. */
#include "broker-suite.h"

#include "base/audit.h"
#include "base/fd.h"
#include "base/process.h"
#include "folder.h"
#include "openssl-xts.h"
#include "pool/pool.h"
#include "storage/check.h"
#include "trail.h"

#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define MIB (UINT64_C(1) << 20)

static struct config config;
static char instance[UUID_TEXT];
static struct secret *key;
static bool shares_blocks;

/* --wrap: a file system that shares blocks, or one that does not; the copy is made as it comes. */
int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    if (request != FICLONE) {
        void *argument = va_arg(ap, void *);
        va_end(ap);
        return __real_ioctl(fd, request, argument);
    }
    int from = va_arg(ap, int);
    va_end(ap);
    if (!shares_blocks) {
        errno = EOPNOTSUPP;
        return -1;
    }
    char buffer[4096];
    off_t size = lseek(from, 0, SEEK_END);
    for (off_t at = 0; at < size; at += (off_t)sizeof buffer) {
        assert_int_equal(fd_pread_all(from, buffer, sizeof buffer, (uint64_t)at), 0);
        assert_int_equal(fd_pwrite_all(fd, buffer, sizeof buffer, (uint64_t)at), 0);
    }
    return 0;
}

/* --wrap: whoever holds a file here does not let it go while it is waited for. */
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
    (void)t, (void)left;
    return 0;
}

/* --------------------------------------------------------------- the engine */

static struct served {
    struct map map;
    int fd;
} served[16];
static size_t n_served, n_closes;

static struct served *find_served(const struct volume *v)
{
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    for (size_t i = 0; i < n_served; i++)
        if (streq(served[i].map.name, name))
            return &served[i];
    return NULL;
}

static int engine_open(const struct engine *g, const struct volume *v, int file_fd,
                       const struct secret *volume_key, enum map_use use, struct error *e)
{
    (void)e;
    assert_string_equal(g->sockets.path, "/run/nowhere");
    assert_non_null(volume_key);
    assert_null(find_served(v));
    struct served *s = &served[n_served++];
    *s = (struct served){.fd = dup(file_fd),
                         .map.size_bytes = v->size_bytes,
                         .map.served = 1,
                         .map.read_only = use == MAP_READ_ONLY || volume_is_snapshot(v)};
    volume_map_name(v, s->map.name);
    map_uuid_make(v->disk, use, s->map.uuid);
    return 0;
}

static int engine_maps(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e)
{
    (void)g, (void)e;
    *ret = calloc(n_served + 1, sizeof **ret);
    assert_non_null(*ret);
    for (size_t i = 0; i < n_served; i++)
        (*ret)[i] = served[i].map;
    *ret_n = n_served;
    return 0;
}

static int engine_close(const struct engine *g, const struct volume *v, enum map_use up_to, bool *ret_closed,
                        struct error *e)
{
    (void)g, (void)e;
    struct served *s = find_served(v);
    n_closes++;
    *ret_closed = s && map_uuid_use(s->map.uuid) <= up_to;
    if (*ret_closed) {
        fd_close(s->fd);
        *s = served[--n_served];
    }
    return 0;
}

static int engine_grow(const struct engine *g, const struct volume *v, struct error *e)
{
    (void)g, (void)e;
    find_served(v)->map.size_bytes = v->size_bytes;
    return 0;
}

static const struct engine_ops engine_ops = {engine_open, engine_maps, engine_close, engine_grow};
static const struct engine engine = {.ops = &engine_ops, .sockets = {"/run/nowhere", false}};

static struct broker *connect_pool(void)
{
    struct broker *b = NULL;
    OK(pool_open(&config, &engine, &b, &e));
    return b;
}

static void end_connection(struct broker **b)
{
    if (*b)
        *b = broker_disconnect(*b);
}
#define _cleanup_connection_ _cleanup_(end_connection)

/* ------------------------------------------------------------- what files have */

static struct volume disk_of(struct broker *b, const char *role, uint64_t size_bytes)
{
    struct volume v = {.size_bytes = size_bytes,
                       .name = "ci-1",
                       .cipher = "aes-xts-plain64",
                       .key = "local:ci-1",
                       .kdf = KDF_HKDF_SHA512,
                       .key_bits = 512,
                       .sector_bytes = 4096};
    snprintf(v.vg, sizeof v.vg, "%s", pool_name(b));
    snprintf(v.instance, sizeof v.instance, "%s", instance);
    snprintf(v.role, sizeof v.role, "%s", role);
    broker_disk_uuid(b, v.disk);
    volume_set_lv_name(&v);
    OK(volume_check_value(&v, key, v.check, &e));
    return v;
}

static struct volume make(struct broker *b, const char *role, uint64_t size_bytes)
{
    struct volume v = disk_of(b, role, size_bytes);
    OK(broker_create(b, &v, &e));
    return v;
}

static int mark(struct broker *b, const struct volume *v, enum volume_state state, struct error *e)
{
    return broker_mark(b, &v, 1, state, e);
}

static void remove_doomed(struct broker *b, const struct volume *v)
{
    OK(broker_close(b, v, SETTLE_NOW, &e));
    OK(mark(b, v, VOLUME_DOOMED, &e));
    OK(broker_remove(b, &v, 1, &e));
}

static const char *path_of(const struct volume *v)
{
    static char path[PATH_MAX];
    pool_file_path(config.pool_path, v, path);
    return path;
}

/* What dm-crypt would show of it goes to a file, which is returned. */
static int decrypted(const struct volume *v, const char *to)
{
    _cleanup_close_ int from = open(path_of(v), O_RDONLY | O_CLOEXEC);
    int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static uint8_t piece[MIB];
    for (uint64_t at = 0, n; at < v->size_bytes; at += n) {
        n = v->size_bytes - at < MIB ? v->size_bytes - at : MIB;
        assert_int_equal(fd_pread_all(from, piece, n, at), 0);
        openssl_xts(0, key, v->sector_bytes, at / v->sector_bytes, piece, n);
        assert_int_equal(fd_pwrite_all(fd, piece, n, at), 0);
    }
    return fd;
}

static struct broker *begin(void)
{
    struct broker *b = connect_pool();
    uuid_make(instance);
    OK(broker_lock(b, instance, &e));
    return b;
}

static void files_hold_what_dm_crypt_would(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB);
    _cleanup_opened_ struct opened o = OPENED_NONE;
    uint8_t text[8192], got[8192];
    struct stat st;
    memset(text, 'p', sizeof text);
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.200s/%s", config.pool_path, v.instance);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(path_of(&v), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_blocks, 0); /* it takes no room before it is written */
    assert_int_equal(stat(config.pool_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    assert_int_equal(opened_pwrite(&o, text, sizeof text, 4096), 0);
    _cleanup_close_ int fd = decrypted(&v, "plain");
    assert_int_equal(fd_pread_all(fd, got, sizeof got, 4096), 0);
    assert_memory_equal(got, text, sizeof got);
    assert_int_equal(fd_pread_all(o.fd, got, sizeof got, 4096), 0);
    assert_memory_not_equal(got, text, sizeof got);
    opened_close(&o);
    remove_doomed(b, &v);
    assert_int_equal(access(path_of(&v), F_OK), -1);
}

static void run(const char *const argv[])
{
    struct error e = ERROR_NONE;
    assert_ok(process_run(argv, 120, NULL, &e), e);
}

/* What programs that read such a file system find, of the decrypted file, where all else is noise. */
static void formats_are_whole(void **state)
{
    (void)state;
    static const struct {
        const char *fs, *check[4];
    } kinds[] = {{"ext4", {"e2fsck", "-fn", "plain"}},
                 {"vfat", {"fsck.vfat", "-n", "plain"}},
                 {"xfs", {"xfs_repair", "-n", "plain"}},
                 {"swap", {"blkid", "-p", "plain"}}};
    _cleanup_connection_ struct broker *b = begin();
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct volume v = make(b, "eph0", 320 * MIB);
        struct opened o = OPENED_NONE;
        struct stat st;
        OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
        opened_close(&o);
        OK(broker_format(b, &v, kinds[i].fs, "label0", &e));
        assert_int_equal(stat(path_of(&v), &st), 0);
        assert_in_range((uint64_t)st.st_blocks * 512, 4096, 100 * MIB); /* holes stay holes */
        fd_close(decrypted(&v, "plain"));
        run(kinds[i].check);
        remove_doomed(b, &v);
    }
}

/* An older file system must not be seen again: neither its blocks nor its signature. */
static void what_is_made_anew_is_empty(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB), w = disk_of(b, "root", 8 * MIB);
    struct opened o = OPENED_NONE;
    struct stat st;
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    assert_int_equal(opened_pwrite(&o, w.disk, 0, 0), 0);
    opened_close(&o);
    OK(broker_format(b, &v, "ext4", "", &e));
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    OK(mark(b, &v, VOLUME_READY, &e));
    w.state = VOLUME_REBUILDING;
    OK(broker_remake(b, &w, &e));
    assert_int_equal(stat(path_of(&w), &st), 0);
    assert_int_equal(st.st_blocks, 0);
    assert_int_equal(st.st_size, 8 * MIB);
    OK(mark(b, &w, VOLUME_READY, &e));
    remove_doomed(b, &w);
}

/* Somebody else has it open: a backup, say. */
static void what_is_held_stays(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB);
    const struct volume *one = &v;
    int fd = open(path_of(&v), O_RDWR | O_CLOEXEC);
    REFUSED_WITH(-EBUSY, "has its file open", broker_remove(b, &one, 1, &e));
    fd_close(fd);

    struct opened o = OPENED_NONE;
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    opened_close(&o);
    REFUSED_WITH(-EBUSY, "is open, and is left", broker_remove(b, &one, 1, &e));
    OK(broker_close(b, &v, SETTLE_NOW, &e));

    OK(mark(b, &v, VOLUME_READY, &e)); /* two that write to it would destroy what is there */
    fd = open(path_of(&v), O_RDWR | O_CLOEXEC);
    REFUSED_WITH(-EBUSY, "has its file open", broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    fd_close(fd);
    OK(mark(b, &v, VOLUME_DOOMED, &e));
    size_t closes = n_closes; /* what a keeper that was killed has left goes with the file */
    OK(broker_remove(b, &one, 1, &e));
    assert_int_equal(n_closes, closes + 1);
}

static void a_disk_without_its_file_does_not_become_ready(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB);
    assert_int_equal(unlink(path_of(&v)), 0);
    REFUSED_WITH(-ENOENT, "its file was never made", mark(b, &v, VOLUME_READY, &e));
    remove_doomed(b, &v);
}

/* Each change of a disk leaves an entry, and names it. */
static void changes_leave_a_trail(void **state)
{
    static const char *const actions[] = {"create", "open", "close", "ready", "resize", "doom", "remove"};
    _cleanup_close_ int trail = trail_listen(state, "journal");
    audit_open_at("mayfly", folder_path(state, "journal"), folder_path(state, "journal"));
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB);
    struct opened o = OPENED_NONE;
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    opened_close(&o);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    OK(mark(b, &v, VOLUME_READY, &e));
    OK(broker_resize(b, &v, 12 * MIB, &e));
    remove_doomed(b, &v);
    audit_close();
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        _cleanup_free_ char *action = str_format("MAYFLY_ACTION=%s", actions[i]);
        _cleanup_free_ char *disk = str_format("MAYFLY_VOLUME=%s/%s", v.vg, v.lv);
        const char *entry = trail_next(trail);
        if (!trail_has(entry, action) || !trail_has(entry, disk) || !trail_has(entry, "MAYFLY_RESULT=0"))
            fail_msg("not %s of %s but:\n%s", actions[i], v.lv, entry);
    }
    assert_string_equal(trail_next(trail), "");
}

static void another_disk_under_its_name_is_not_opened(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB), other = disk_of(b, "root", 8 * MIB);
    struct opened o = OPENED_NONE;
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    opened_close(&o);
    map_uuid_make(other.disk, MAP_FOR_DOMAIN, find_served(&v)->map.uuid);
    REFUSED_WITH(-EUNSAFE, "another disk is served",
                 broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    remove_doomed(b, &v);
}

static struct volume make_with_contents(struct broker *b)
{
    struct volume v = make(b, "root", 8 * MIB);
    struct opened o = OPENED_NONE;
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &o, &e));
    uint8_t text[8192];
    memset(text, 'p', sizeof text);
    assert_int_equal(opened_pwrite(&o, text, sizeof text, 4 * MIB), 0);
    opened_close(&o);
    OK(mark(b, &v, VOLUME_READY, &e));
    return v;
}

static size_t count_disks(struct broker *b)
{
    _cleanup_inventory_ struct inventory *all = NULL;
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_damaged + all->n_untagged, 0);
    return all->n_volumes;
}

/* Where blocks cannot be shared, a disk that is open is not copied: it changes meanwhile. */
static void copies_of_open_disks_need_shared_blocks(void **state)
{
    (void)state;
    char disk[UUID_TEXT];
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make_with_contents(b);
    uuid_make(disk);
    shares_blocks = false;
    REFUSED_WITH(-EOPNOTSUPP, "shut the instance down first", broker_snapshot(b, &v, key, disk, 8 * MIB, &e));
    assert_int_equal(count_disks(b), 1);
    remove_doomed(b, &v);
}

static void expect_counts(struct broker *b, size_t volumes, size_t damaged, size_t untagged)
{
    _cleanup_inventory_ struct inventory *all = NULL;
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_volumes, volumes);
    assert_int_equal(all->n_damaged, damaged);
    assert_int_equal(all->n_untagged, untagged);
}

/* Closes a disk, and copies it under the lock of the copy. */
static struct volume close_and_copy(struct broker *b, const struct volume *v)
{
    struct volume copy = *v;
    OK(broker_close(b, v, SETTLE_NOW, &e));
    shares_blocks = false;
    uuid_make(copy.disk);
    OK(broker_lock(b, copy.disk, &e));
    OK(broker_snapshot(b, v, key, copy.disk, 8 * MIB, &e));
    snprintf(copy.role, sizeof copy.role, ROLE_SNAPSHOT);
    volume_set_lv_name(&copy);
    return copy;
}

/* One that is closed is: byte for byte, and holes stay holes. */
static void closed_disks_are_copied(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make_with_contents(b), copy = close_and_copy(b, &v);
    uint8_t one[8192], other[8192];
    struct stat st;
    _cleanup_close_ int from = open(path_of(&v), O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int to = open(path_of(&copy), O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(to, &st), 0);
    assert_int_equal(st.st_size, 8 * MIB);
    assert_in_range((uint64_t)st.st_blocks * 512, 8192, MIB);
    assert_int_equal(fd_pread_all(from, one, sizeof one, 4 * MIB), 0);
    assert_int_equal(fd_pread_all(to, other, sizeof other, 4 * MIB), 0);
    assert_memory_equal(one, other, sizeof one);
    from = fd_close(from);
    to = fd_close(to);
    const struct volume *gone = &copy;
    OK(broker_remove(b, &gone, 1, &e));
    remove_doomed(b, &v);
}

/* A copy belongs to the connection that has locked it until it is gone: one whose file went, and whose line
 * could not, can be removed again. */
static void a_copy_that_was_half_removed_can_be_removed(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make_with_contents(b), copy = close_and_copy(b, &v);
    const struct volume *gone = &copy;
    char in_the_way[PATH_MAX];
    broker_unlock(b, instance);
    snprintf(in_the_way, sizeof in_the_way, "%s/%s/tags.new", config.pool_path, instance);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    REFUSED_WITH(-EISDIR, "its tags cannot be written", broker_remove(b, &gone, 1, &e));
    assert_int_equal(access(path_of(&copy), F_OK), -1);
    assert_int_equal(rmdir(in_the_way), 0);
    OK(broker_remove(b, &gone, 1, &e));
    expect_counts(b, 1, 0, 0);
    OK(broker_lock(b, instance, &e));
    remove_doomed(b, &v);
}

static void tags_are_text(const struct volume *v, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s/tags", config.pool_path, v->instance);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void read_tags(const struct volume *v, char **ret)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s/tags", config.pool_path, v->instance);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_read_text(fd, 65536, ret, NULL), 0);
}

/* Lost or changed tags: told of, and nothing is done on doubt; other disks keep theirs. */
static void damage_is_told_and_kept(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB), w = make(b, "eph0", 8 * MIB);
    const struct volume *one = &v, *other = &w;
    _cleanup_free_ char *good = NULL, *after = NULL;
    read_tags(&v, &good);
    _cleanup_free_ char *bad = str_format("%.*sx%s", (int)strlen("mayfly=1,mayfly.instance="), good,
                                          good + strlen("mayfly=1,mayfly.instance="));
    struct inventory *all = NULL;
    tags_are_text(&v, bad);
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_volumes, 1);
    assert_int_equal(all->n_damaged, 1);
    assert_true(damaged_is_of(&all->damaged[0], instance));
    all = inventory_free(all);
    assert_true(broker_remove(b, &one, 1, &(struct error){.errnum = 0}) < 0);
    OK(mark(b, &w, VOLUME_READY, &e));
    read_tags(&v, &after);
    assert_memory_equal(after, bad, strcspn(bad, "\n")); /* the damaged line is as it was */

    tags_are_text(&v, strchr(good, '\n') + 1); /* the line of the first one is lost */
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_untagged, 1);
    assert_string_equal(all->untagged[0].lv, v.lv);
    all = inventory_free(all);
    REFUSED_WITH(-EUNSAFE, "has no line", broker_remove(b, &other, 1, &e));
    REFUSED_WITH(-EUNSAFE, "has no line", broker_create(b, &v, &e));
    tags_are_text(&v, good);

    OK(mark(b, &v, VOLUME_READY, &e)); /* a ready disk whose file is gone */
    char away[PATH_MAX];
    snprintf(away, sizeof away, "%s", path_of(&v));
    assert_int_equal(rename(away, "away"), 0);
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_damaged, 1);
    assert_string_equal(all->damaged[0].lv, v.lv);
    all = inventory_free(all);
    assert_int_equal(rename("away", away), 0);
    remove_doomed(b, &v);
    remove_doomed(b, &w);
}

/* A line that says what cannot be so. Each is told as damage, and no file is taken for one without a line. */
static void lines_that_cannot_be_so(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    struct volume v = make(b, "root", 8 * MIB);
    _cleanup_free_ char *good = NULL;
    read_tags(&v, &good);
    _cleanup_free_ char *twice = str_format("%s%s", good, good);
    tags_are_text(&v, twice);
    expect_counts(b, 1, 1, 0);

    _cleanup_free_ char *of_another = strdup(good);
    char *uuid = strstr(of_another, v.instance);
    uuid[0] = uuid[0] == 'a' ? 'b' : 'a';
    tags_are_text(&v, of_another);
    expect_counts(b, 0, 1, 0);

    char *cipher = strstr(good, "mayfly.cipher=");
    _cleanup_free_ char *plain =
        str_format("%.*smayfly.cipher=none%s", (int)(cipher - good), good, cipher + strcspn(cipher, ",\n"));
    tags_are_text(&v, plain);
    expect_counts(b, 0, 1, 0);

    tags_are_text(&v, "what is this?\n"); /* it may be the line of any file */
    expect_counts(b, 0, 1, 0);
    tags_are_text(&v, good);
    expect_counts(b, 1, 0, 0);

    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s", path_of(&v));
    assert_int_equal(rename(file, "aside"), 0); /* a link leads out of the pool */
    assert_int_equal(symlink("../../aside", file), 0);
    expect_counts(b, 0, 1, 0);
    assert_int_equal(rename("aside", file), 0);
    remove_doomed(b, &v);
}

static bool has_folder(const char *uuid)
{
    char path[PATH_MAX + 40];
    snprintf(path, sizeof path, "%.4000s/%s", config.pool_path, uuid);
    return access(path, F_OK) == 0;
}

/* Whoever opens the pool next removes what is left of an instance without disks, but not under the hands of
 * who is making them, nor what holds anything else. */
static void empty_folders_go_if_nobody_works_on_them(void **state)
{
    (void)state;
    char uuid[UUID_TEXT], path[PATH_MAX + 40];
    _cleanup_connection_ struct broker *maker = connect_pool(), *other = NULL;
    uuid_make(uuid);
    snprintf(path, sizeof path, "%.4000s/%s", config.pool_path, uuid);
    OK(broker_lock(maker, uuid, &e));
    assert_int_equal(mkdir(path, 0700), 0);
    other = connect_pool();
    assert_true(has_folder(uuid));
    end_connection(&other);
    broker_unlock(maker, uuid);
    strcat(path, "/somebody's");
    assert_int_equal(mkdir(path, 0700), 0);
    other = connect_pool();
    assert_true(has_folder(uuid));
    end_connection(&other);
    assert_int_equal(rmdir(path), 0);
    other = connect_pool();
    assert_false(has_folder(uuid));
}

/* Tags that are there and cannot be read are not tags that are missing: nothing is said of the pool, and
 * nothing is done to it. */
static void tags_that_cannot_be_read_are_no_missing_tags(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = begin();
    _cleanup_inventory_ struct inventory *all = NULL;
    struct volume v = make(b, "root", 8 * MIB);
    const struct volume *one = &v;
    char tags[PATH_MAX];
    snprintf(tags, sizeof tags, "%.200s/%s/tags", config.pool_path, v.instance);
    assert_int_equal(rename(tags, "tags-aside"), 0);
    assert_int_equal(symlink("../../tags-aside", tags), 0);
    REFUSED_WITH(-ELOOP, "its tags cannot be read", broker_list(b, &all, &e));
    REFUSED_WITH(-ELOOP, "its tags cannot be read", broker_remove(b, &one, 1, &e));
    REFUSED_WITH(-ELOOP, "its tags cannot be read", broker_create(b, &v, &e));
    assert_int_equal(rename("tags-aside", tags), 0);
    remove_doomed(b, &v);
}

static void a_pool_knows_itself(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *a = connect_pool(), *b = connect_pool(), *c = NULL;
    static struct config other;
    assert_string_equal(pool_name(a), pool_name(b));
    assert_true(volume_group_valid(pool_name(a)));
    assert_false(config_vg_name_valid(pool_name(a)));
    other = config;
    strcat(other.pool_path, "/../deep/er"); /* which is not there yet */
    OK(pool_open(&other, &engine, &c, &e));
    assert_string_not_equal(pool_name(c), pool_name(a));
    end_connection(&c);
    assert_int_equal(chmod(other.pool_path, 0755), 0);
    REFUSED_WITH(-EACCES, "chmod 700", pool_open(&other, &engine, &c, &e));
}

/* Which pool it is nobody else may say, and not half a file. */
static void an_identity_is_believed_only_if_it_is_whole(void **state)
{
    (void)state;
    static struct config other;
    struct broker *b = NULL;
    char path[PATH_MAX + 8], aside[PATH_MAX + 8];
    other = config;
    strcat(other.pool_path, "-identified");
    OK(pool_open(&other, &engine, &b, &e));
    end_connection(&b);
    snprintf(path, sizeof path, "%s/pool", other.pool_path);
    snprintf(aside, sizeof aside, "%s/aside", other.pool_path);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(fd_write_all(fd, "more\n", 5), 0);
    REFUSED_WITH(-EINVAL, "damaged", pool_open(&other, &engine, &b, &e));
    assert_int_equal(ftruncate(fd, UUID_TEXT - 1), 0);
    REFUSED_WITH(-EINVAL, "damaged", pool_open(&other, &engine, &b, &e));
    assert_int_equal(pwrite(fd, "\n", 1, UUID_TEXT - 1), 1);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(symlink("aside", path), 0);
    REFUSED_WITH(-ELOOP, "cannot be read", pool_open(&other, &engine, &b, &e));
    assert_int_equal(rename(aside, path), 0);
    OK(pool_open(&other, &engine, &b, &e));
    end_connection(&b);
    if (geteuid() != 0)
        skip(); /* chown */
    assert_int_equal(chown(other.pool_path, 65534, 0), 0);
    REFUSED_WITH(-EACCES, "belongs to user", pool_open(&other, &engine, &b, &e));
}

static int make_pool(void **state)
{
    if (folder_make(state) < 0 || chdir(*state) < 0 || secret_random(64, &key, NULL) < 0)
        return -1;
    config_defaults(&config);
    snprintf(config.pool_path, sizeof config.pool_path, "%.200s/pool", (const char *)*state);
    struct broker *b = connect_pool();
    static char name[VG_NAME_MAX];
    snprintf(name, sizeof name, "%s", pool_name(b));
    suite.vg = name;
    shares_blocks = true;
    return broker_disconnect(b) ? -1 : 0;
}

static int remove_pool(void **state)
{
    key = secret_free(key);
    return folder_remove(state);
}

static int refuses_domains(void)
{
    return -EINVAL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BROKER_SUITE,
        cmocka_unit_test(files_hold_what_dm_crypt_would),
        cmocka_unit_test(formats_are_whole),
        cmocka_unit_test(what_is_made_anew_is_empty),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(a_disk_without_its_file_does_not_become_ready),
        cmocka_unit_test(changes_leave_a_trail),
        cmocka_unit_test(another_disk_under_its_name_is_not_opened),
        cmocka_unit_test(copies_of_open_disks_need_shared_blocks),
        cmocka_unit_test(closed_disks_are_copied),
        cmocka_unit_test(a_copy_that_was_half_removed_can_be_removed),
        cmocka_unit_test(damage_is_told_and_kept),
        cmocka_unit_test(lines_that_cannot_be_so),
        cmocka_unit_test(tags_that_cannot_be_read_are_no_missing_tags),
        cmocka_unit_test(empty_folders_go_if_nobody_works_on_them),
        cmocka_unit_test(a_pool_knows_itself),
        cmocka_unit_test(an_identity_is_believed_only_if_it_is_whole),
    };
    suite = (struct broker_suite){.connect = connect_pool,
                                  .files = true,
                                  .extent_bytes = 4096,
                                  .other_vg = "vg1",
                                  .sync_domains = refuses_domains};
    return cmocka_run_group_tests_name("the pool of files", tests, make_pool, remove_pool);
}
