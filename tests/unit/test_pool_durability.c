/* SPDX-License-Identifier: Apache-2.0 */
/* A pool after a power cut at any moment, on a file system that may lose whatever it was not told to keep.
 *
 * After each call that changes the pool's folder, or an instance's, or a file there (linked with --wrap) what
 * is there is noted. A power cut then leaves
 *
 *     names in a folder    those of its last fsync, with any of the changes since
 *     content of a file    as it was at any moment since its last fsync, or half of it
 *
 * Each of these states is made in another folder, and read as a pool: a disk is as it was or as it was to be,
 * nothing is damaged or without tags, and what is left undone can be removed. */
#include "base/fd.h"
#include "folder.h"
#include "pool/pool.h"
#include "storage/check.h"

#include <dirent.h>
#include <stdio.h>

#define MIB         (UINT64_C(1) << 20)
#define MOMENTS_MAX 128
#define FILES_MAX   8
#define TEXT_MAX    4096

/* ------------------------------------------------------------------ recording */

struct file {
    char name[64];
    ino_t inode;
    int kept_fd; /* so that no other file gets its inode */
    off_t size;
    char text[TEXT_MAX]; /* of its begin */
};

static struct moment {
    bool has_instance; /* the pool's folder names that of the instance */
    struct file files[FILES_MAX];
    size_t n;
    ino_t synced; /* what an fsync was of; 0: none */
} moments[MOMENTS_MAX];
static size_t n_moments, first_moment;
static bool recording;
static struct config config, replayed;
static char instance[UUID_TEXT], folder[PATH_MAX];
static ino_t pool_inode, instance_inode;

static void note_files(struct moment *m, DIR *d)
{
    for (struct dirent *entry; (entry = readdir(d));) {
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        assert_true(m->n < FILES_MAX);
        struct file *f = &m->files[m->n++];
        snprintf(f->name, sizeof f->name, "%.63s", entry->d_name);
        _cleanup_close_ int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
        assert_int_equal(fstat(fd, &st), 0);
        f->inode = st.st_ino;
        f->kept_fd = openat(dirfd(d), entry->d_name, O_PATH | O_CLOEXEC);
        f->size = st.st_size;
        if (str_starts(f->name, "tags"))
            assert_true(pread(fd, f->text, TEXT_MAX, 0) >= 0);
    }
}

static void note(ino_t synced)
{
    struct stat st;
    if (!recording)
        return;
    assert_true(n_moments < MOMENTS_MAX);
    struct moment *m = &moments[n_moments++];
    *m = (struct moment){.synced = synced};
    _cleanup_closedir_ DIR *d = opendir(folder);
    m->has_instance = d != NULL;
    if (d) {
        assert_int_equal(fstat(dirfd(d), &st), 0);
        instance_inode = st.st_ino;
        note_files(m, d);
    }
}

#define WRAP(result, name, ...)                                                                              \
    result __real_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__)
#define NOTED(call)                                                                                          \
    {                                                                                                        \
        __typeof__(call) result_ = call;                                                                     \
        int errnum = errno;                                                                                  \
        note(0);                                                                                             \
        errno = errnum;                                                                                      \
        return result_;                                                                                      \
    }

WRAP(ssize_t, write, int fd, const void *data, size_t size)
NOTED(__real_write(fd, data, size))
WRAP(int, ftruncate64, int fd, off_t size)
NOTED(__real_ftruncate64(fd, size))
WRAP(int, mkdirat, int fd, const char *name, mode_t mode)
NOTED(__real_mkdirat(fd, name, mode))
/* What becomes durable of a new pool, in its order: files that were synced or got a name. */
static struct {
    bool is_name;
    ino_t inode;
} made[16];
static size_t n_made;
static bool has_linked, sync_fails; /* the first one after a file got its name */
static const char *rival;           /* another mayfly's identity, which gets the name first */

static void note_made(bool is_name, ino_t inode)
{
    if (!recording && n_made < ARRAY_SIZE(made)) {
        made[n_made].is_name = is_name;
        made[n_made++].inode = inode;
    }
}

static void write_rival(int folder_fd, const char *name)
{
    _cleanup_close_ int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(fd_pwrite_all(fd, rival, strlen(rival), 0), 0);
    rival = NULL;
}

WRAP(int, linkat, int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    struct stat st;
    if (rival)
        write_rival(to_fd, to);
    assert_int_equal(fstatat(from_fd, from, &st, 0), 0);
    int r = __real_linkat(from_fd, from, to_fd, to, flags), errnum = errno;
    note(0);
    note_made(true, st.st_ino);
    has_linked = true;
    errno = errnum;
    return r;
}
WRAP(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
NOTED(__real_renameat(from_fd, from, to_fd, to))
WRAP(int, unlinkat, int fd, const char *name, int flags)
NOTED(__real_unlinkat(fd, name, flags))

WRAP(int, fsync, int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    note(st.st_ino); /* no power is cut in earnest */
    note_made(false, st.st_ino);
    if (!sync_fails || !has_linked)
        return 0;
    sync_fails = false;
    errno = EIO;
    return -1;
}

/* ------------------------------------------------------------------- replaying */

static size_t last_sync(size_t now, ino_t inode)
{
    for (size_t i = now + 1; i-- > 0;)
        if (moments[i].synced == inode)
            return i;
    return 0;
}

static struct file *name_in(struct moment *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->files[i].name, name))
            return &m->files[i];
    return NULL;
}

/* The name leads to that file now; NULL: it is gone. */
static void take_name(struct moment *m, const char *name, const struct file *file)
{
    struct file *there = name_in(m, name);
    if (!there && file) {
        assert_true(m->n < FILES_MAX);
        there = &m->files[m->n++];
    }
    if (there && file)
        *there = *file;
    else if (there)
        *there = m->files[--m->n];
}

static const struct file *file_at(size_t moment, ino_t inode)
{
    for (size_t i = 0; i < moments[moment].n; i++)
        if (moments[moment].files[i].inode == inode)
            return &moments[moment].files[i];
    return NULL;
}

/* The files of the instance's folder at its last sync, with those changes since that `mask` has a bit for.
 * Returns how many changes there are. */
static unsigned names_at(size_t now, unsigned mask, struct moment *ret)
{
    size_t from = last_sync(now, instance_inode);
    unsigned changes = 0;
    *ret = moments[from];
    for (size_t i = from + 1; i <= now; i++) {
        struct moment before = moments[i - 1], after = moments[i];
        bool changed = before.n != after.n;
        for (size_t k = 0; !changed && k < after.n; k++)
            changed = after.files[k].inode != before.files[k].inode;
        if (!changed || !(mask & 1U << changes++))
            continue;
        for (size_t k = 0; k < before.n; k++)
            if (!name_in(&after, before.files[k].name))
                take_name(ret, before.files[k].name, NULL);
        for (size_t k = 0; k < after.n; k++) {
            const struct file *old = name_in(&before, after.files[k].name);
            if (!old || old->inode != after.files[k].inode)
                take_name(ret, after.files[k].name, &after.files[k]);
        }
    }
    return changes;
}

enum content { OLDEST, NEWEST, HALF };

/* The file's content of that age; one that had no name at its sync has what it had first. */
static void replay_file(int folder_fd, const char *name, ino_t inode, size_t now, enum content content)
{
    const struct file *f = NULL;
    size_t from = last_sync(now, inode), step = content == OLDEST ? 1 : (size_t)-1;
    bool synced = moments[from].synced == inode;
    for (size_t i = content == OLDEST ? from : now; !f && i <= now && i >= from; i += step)
        f = file_at(i, inode);
    for (size_t i = 0; !f && i < n_moments; i++) /* made without a name, which it gets later */
        f = file_at(i, inode);
    assert_non_null(f);
    _cleanup_close_ int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    size_t bytes = strnlen(f->text, TEXT_MAX);
    if (content == OLDEST && !synced) /* nothing of it was ever kept */
        return;
    bytes = content == HALF && !synced ? bytes / 2 : bytes;
    assert_int_equal(fd_pwrite_all(fd, f->text, bytes, 0), 0);
    if (!str_starts(name, "tags"))
        assert_int_equal(__real_ftruncate64(fd, f->size), 0);
}

static void copy_identity(const char *path)
{
    char name[PATH_MAX], text[UUID_TEXT];
    snprintf(name, sizeof name, "%.200s/pool", config.pool_path);
    _cleanup_close_ int from = open(name, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_read_all(from, text, sizeof text), 0);
    snprintf(name, sizeof name, "%.200s/pool", path);
    _cleanup_close_ int to = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fd_pwrite_all(to, text, sizeof text, 0), 0);
}

static void replay(const char *path, size_t now, size_t pool_at, unsigned mask, enum content content)
{
    static struct moment m;
    char name[PATH_MAX];
    assert_int_equal(mkdir(path, 0700), 0);
    copy_identity(path);
    if (!moments[pool_at].has_instance)
        return;
    snprintf(name, sizeof name, "%.200s/%s", path, instance);
    assert_int_equal(mkdir(name, 0700), 0);
    _cleanup_close_ int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    names_at(now, mask, &m);
    for (size_t i = 0; i < m.n; i++)
        replay_file(fd, m.files[i].name, m.files[i].inode, now, content);
}

/* ----------------------------------------------------------------- the engine */

static int no_maps(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e)
{
    (void)g, (void)e;
    *ret = calloc(1, sizeof **ret);
    *ret_n = 0;
    return *ret ? 0 : -ENOMEM;
}

static int nothing_to_close(const struct engine *g, const struct volume *v, enum map_use up_to,
                            bool *ret_closed, struct error *e)
{
    (void)g, (void)v, (void)up_to, (void)e;
    *ret_closed = false;
    return 0;
}

static const struct engine_ops engine_ops = {.maps = no_maps, .close = nothing_to_close};
static const struct engine engine = {.ops = &engine_ops, .sockets = {"/run/nowhere", false}};

/* ------------------------------------------------------------------- scenarios */

static struct volume disks[2];
static const struct volume *const both[] = {&disks[0], &disks[1]};

static void design(const struct broker *b, struct volume *v, const char *role)
{
    *v = (struct volume){.size_bytes = 8 * MIB,
                         .name = "ci-1",
                         .cipher = "aes-xts-plain64",
                         .key = "local:ci-1",
                         .kdf = KDF_HKDF_SHA512,
                         .key_bits = 512,
                         .sector_bytes = 4096,
                         .check = CHECK_SCHEME_2 "00112233445566778899aabbccddeeff"};
    snprintf(v->vg, sizeof v->vg, "%s", pool_name(b));
    snprintf(v->instance, sizeof v->instance, "%s", instance);
    snprintf(v->role, sizeof v->role, "%s", role);
    uuid_make(v->disk);
    volume_set_lv_name(v);
}

/* The state of a disk in a pool; -1: there is none. */
static int state_of(const struct inventory *all, const struct volume *v)
{
    for (size_t i = 0; i < all->n_volumes; i++)
        if (streq(all->volumes[i].disk, v->disk)) {
            if (all->volumes[i].size_bytes != v->size_bytes) /* its file is not there */
                assert_int_equal(all->volumes[i].size_bytes, 4096);
            return (int)all->volumes[i].state;
        }
    return -1;
}

/* What an operation may leave: each disk in its state before, or the one after; alike if they go together. */
struct wanted {
    int before[2], after[2];
    bool together;
};

static void check(struct broker *b, const struct wanted *w, bool done)
{
    _cleanup_inventory_ struct inventory *all = NULL;
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_damaged, 0);
    assert_int_equal(all->n_untagged, 0);
    bool is_after[2];
    for (size_t i = 0; i < 2; i++) {
        int state = state_of(all, &disks[i]);
        is_after[i] = state == w->after[i];
        if (!is_after[i])
            assert_int_equal(state, w->before[i]);
        assert_true(is_after[i] || !done);
    }
    assert_true(!w->together || is_after[0] == is_after[1] || w->before[0] == w->after[0]);
}

/* What recover does: all can be removed. */
static void clean(struct broker *b, const struct wanted *w)
{
    char path[PATH_MAX];
    OK(broker_lock(b, instance, &e));
    for (size_t i = 0; i < 2; i++) {
        if (w->before[i] == VOLUME_READY || w->after[i] == VOLUME_READY)
            (void)!broker_mark(b, &both[i], 1, VOLUME_DOOMED, NULL);
        OK(broker_remove(b, &both[i], 1, &e));
    }
    snprintf(path, sizeof path, "%.200s/%s", replayed.pool_path, instance);
    assert_int_equal(access(path, F_OK), -1);
}

static void try_state(size_t now, size_t pool_at, unsigned mask, enum content content, const struct wanted *w,
                      bool done)
{
    struct broker *b = NULL;
    replay(replayed.pool_path, now, pool_at, mask, content);
    OK(pool_open(&replayed, &engine, &b, &e));
    check(b, w, done);
    clean(b, w);
    b = broker_disconnect(b);
    assert_int_equal(nftw(replayed.pool_path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Is the content of each file on the disk? Then its age does not matter. */
static bool all_kept(size_t now)
{
    bool kept = true;
    for (size_t i = 0; kept && i < moments[now].n; i++)
        kept = moments[last_sync(now, moments[now].files[i].inode)].synced == moments[now].files[i].inode;
    return kept;
}

static void try_all(const struct wanted *w)
{
    static struct moment names;
    recording = false;
    for (size_t now = first_moment; now < n_moments; now++) {
        bool done = now == n_moments - 1;
        for (size_t p = last_sync(now, pool_inode); p <= now; p++)
            for (unsigned mask = 0; mask < 1U << names_at(now, 0, &names); mask++)
                for (enum content content = all_kept(now) ? HALF : OLDEST; content <= HALF; content++)
                    try_state(now, p, mask, content, w, done);
    }
}

/* From here on all is recorded; what is there now is on the disk. */
static void begin(void)
{
    for (size_t i = 0; i < n_moments; i++)
        for (size_t k = 0; k < moments[i].n; k++)
            fd_close(moments[i].files[k].kept_fd);
    n_moments = 0;
    recording = true;
    note(instance_inode);
    for (size_t i = 0; i < moments[0].n; i++)
        note(moments[0].files[i].inode);
    note(pool_inode);
    note(instance_inode);
    first_moment = n_moments - 1;
}

/* The same, but what is there now is on the disk only as far as it was told to be. */
static void go_on(void)
{
    recording = true;
    first_moment = n_moments - 1;
}

static void power_cuts(void **state)
{
    (void)state;
    enum { NONE = -1 };
    struct stat st;
    struct broker *b = NULL;
    OK(pool_open(&config, &engine, &b, &e));
    assert_int_equal(stat(config.pool_path, &st), 0);
    pool_inode = st.st_ino;
    uuid_make(instance);
    snprintf(folder, sizeof folder, "%.200s/%s", config.pool_path, instance);
    OK(broker_lock(b, instance, &e));
    design(b, &disks[0], "root");
    design(b, &disks[1], "eph0");

    begin();
    OK(broker_create(b, &disks[0], &e));
    note(0);
    try_all(&(struct wanted){{NONE, NONE}, {VOLUME_BUILDING, NONE}, false});
    go_on();
    OK(broker_create(b, &disks[1], &e));
    note(0);
    try_all(&(struct wanted){{VOLUME_BUILDING, NONE}, {VOLUME_BUILDING, VOLUME_BUILDING}, false});
    go_on();
    OK(broker_mark(b, both, 2, VOLUME_READY, &e));
    note(0);
    try_all(&(struct wanted){{VOLUME_BUILDING, VOLUME_BUILDING}, {VOLUME_READY, VOLUME_READY}, true});
    go_on();
    OK(broker_mark(b, &both[1], 1, VOLUME_DOOMED, &e));
    note(0);
    try_all(&(struct wanted){{VOLUME_READY, VOLUME_READY}, {VOLUME_READY, VOLUME_DOOMED}, false});
    go_on();
    OK(broker_remove(b, &both[1], 1, &e));
    note(0);
    try_all(&(struct wanted){{VOLUME_READY, VOLUME_DOOMED}, {VOLUME_READY, NONE}, false});
    go_on();
    OK(broker_mark(b, both, 1, VOLUME_DOOMED, &e));
    note(0);
    try_all(&(struct wanted){{VOLUME_READY, NONE}, {VOLUME_DOOMED, NONE}, false});
    go_on();
    OK(broker_remove(b, both, 1, &e));
    note(0);
    try_all(&(struct wanted){{VOLUME_DOOMED, NONE}, {NONE, NONE}, false});
    broker_disconnect(b);
}

static size_t made_at(size_t from, bool is_name, ino_t inode)
{
    while (from < n_made && !(made[from].is_name == is_name && made[from].inode == inode))
        from++;
    return from;
}

/* A pool without it, or with half of it, would be refused with all that is in it. */
static void the_identity_is_there_for_good(void **state)
{
    (void)state;
    struct stat identity, pool;
    struct broker *b = NULL;
    char path[PATH_MAX];
    n_made = 0;
    OK(pool_open(&config, &engine, &b, &e));
    snprintf(path, sizeof path, "%.200s/pool", config.pool_path);
    assert_int_equal(stat(path, &identity), 0);
    assert_int_equal(stat(config.pool_path, &pool), 0);
    size_t at = made_at(0, false, identity.st_ino);
    at = made_at(at, true, identity.st_ino);
    at = made_at(at, false, pool.st_ino);
    assert_true(at < n_made);
    broker_disconnect(b);
}

static void a_new_size_is_there_for_good(void **state)
{
    (void)state;
    struct stat st;
    struct broker *b = NULL;
    char path[PATH_MAX];
    OK(pool_open(&config, &engine, &b, &e));
    uuid_make(instance);
    OK(broker_lock(b, instance, &e));
    design(b, &disks[0], "root");
    OK(broker_create(b, &disks[0], &e));
    OK(broker_mark(b, both, 1, VOLUME_READY, &e));
    pool_file_path(config.pool_path, &disks[0], path);
    assert_int_equal(stat(path, &st), 0);
    n_made = 0;
    OK(broker_resize(b, &disks[0], 12 * MIB, &e));
    assert_true(made_at(0, false, st.st_ino) < n_made);
    broker_disconnect(b);
}

/* Its file has its name already, and goes before its line: a file without a line would be left to a person.
 */
static void a_disk_that_could_not_be_made_leaves_nothing(void **state)
{
    (void)state;
    struct broker *b = NULL;
    _cleanup_inventory_ struct inventory *all = NULL;
    OK(pool_open(&config, &engine, &b, &e));
    uuid_make(instance);
    OK(broker_lock(b, instance, &e));
    design(b, &disks[0], "root");
    design(b, &disks[1], "eph0");
    OK(broker_create(b, &disks[0], &e));
    has_linked = false;
    sync_fails = true;
    REFUSED_WITH(-EIO, "its file cannot be made", broker_create(b, &disks[1], &e));
    assert_false(sync_fails);
    OK(broker_list(b, &all, &e));
    assert_int_equal(all->n_volumes, 1);
    assert_int_equal(all->n_untagged, 0);
    OK(broker_create(b, &disks[1], &e));
    broker_disconnect(b);
}

static void of_two_that_make_a_pool_the_first_wins(void **state)
{
    (void)state;
    struct broker *b = NULL;
    rival = "0badc0de-1234-4000-8000-000000000000\n";
    OK(pool_open(&config, &engine, &b, &e));
    assert_non_null(strstr(pool_name(b), "0badc0de1234"));
    broker_disconnect(b);
}

static int make_pool(void **state)
{
    if (folder_make(state) < 0)
        return -1;
    config_defaults(&config);
    replayed = config;
    snprintf(config.pool_path, sizeof config.pool_path, "%.200s/pool", (const char *)*state);
    snprintf(replayed.pool_path, sizeof replayed.pool_path, "%.200s/again", (const char *)*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(power_cuts, make_pool, folder_remove),
        cmocka_unit_test_setup_teardown(the_identity_is_there_for_good, make_pool, folder_remove),
        cmocka_unit_test_setup_teardown(a_new_size_is_there_for_good, make_pool, folder_remove),
        cmocka_unit_test_setup_teardown(a_disk_that_could_not_be_made_leaves_nothing, make_pool,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(of_two_that_make_a_pool_the_first_wins, make_pool, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
