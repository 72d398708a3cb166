/* SPDX-License-Identifier: Apache-2.0 */
/* The key folder after a power cut at any moment, on a file system that may lose whatever it was not told to
 * keep.
 *
 * The calls that change files are recorded (linked with --wrap). After each of them every state is made that
 * a disk could be in then:
 *
 *     content of a file    any that it has had since its last fsync, or half of one and half of the next
 *     names in the folder  those of its last fsync, with any of the changes since, in their order
 *
 * A file that has lost its last name keeps its blocks as they were: they can be read from the raw disk. */
#include "base/fd.h"
#include "keys/local-folder.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_BYTES 256
#define EVENTS_MAX     32
#define FILES_MAX      4

struct content {
    uint8_t bytes[SIZE_MAX_BYTES];
    size_t size;
};

enum kind { WRITTEN, SYNCED, LINKED, RENAMED, UNLINKED, FOLDER_SYNCED };

static struct event {
    enum kind kind;
    ino_t file;
    char name[64], to[64];
    struct content content; /* WRITTEN: of the whole file, afterwards */
} events[EVENTS_MAX];
static size_t n_events;
static bool recording;
static const char *comes_back; /* the name that somebody gives a copy of the key as its file loses its own */

/* ------------------------------------------------------------------ recording */

static struct event *record(enum kind kind, int fd)
{
    struct stat st = {.st_ino = 0};
    assert_true(n_events < EVENTS_MAX);
    if (fd >= 0)
        assert_int_equal(fstat(fd, &st), 0);
    events[n_events] = (struct event){.kind = S_ISDIR(st.st_mode) ? FOLDER_SYNCED : kind, .file = st.st_ino};
    return &events[n_events++];
}

static void record_write(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct event *written = record(WRITTEN, fd);
    _cleanup_close_ int again = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(again, written->content.bytes, SIZE_MAX_BYTES);
    assert_true(n >= 0 && n < SIZE_MAX_BYTES);
    written->content.size = (size_t)n;
}

#define WRAP(result, name, ...)                                                                              \
    result __real_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__)

WRAP(ssize_t, write, int fd, const void *data, size_t size)
{
    ssize_t n = __real_write(fd, data, size);
    if (recording && n > 0)
        record_write(fd);
    return n;
}

WRAP(ssize_t, pwrite64, int fd, const void *data, size_t size, off_t at)
{
    ssize_t n = __real_pwrite64(fd, data, size, at);
    if (recording && n > 0)
        record_write(fd);
    return n;
}

WRAP(int, fsync, int fd)
{
    if (recording)
        record(SYNCED, fd);
    return __real_fsync(fd);
}

WRAP(int, fdatasync, int fd)
{
    if (recording)
        record(SYNCED, fd);
    return __real_fdatasync(fd);
}

WRAP(int, linkat, int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int r = __real_linkat(from_fd, from, to_fd, to, flags), fd = -1;
    if (recording && r == 0 && sscanf(from, "/proc/self/fd/%d", &fd) == 1)
        strcpy(record(LINKED, fd)->name, to);
    return r;
}

WRAP(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
{
    int r = __real_renameat(from_fd, from, to_fd, to);
    if (recording && r == 0) {
        struct event *renamed = record(RENAMED, -1);
        strcpy(renamed->name, from);
        strcpy(renamed->to, to);
    }
    return r;
}

WRAP(int, unlinkat, int fd, const char *name, int flags)
{
    int r = __real_unlinkat(fd, name, flags);
    if (comes_back)
        fd_close(openat(fd, comes_back, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (recording && r == 0)
        strcpy(record(UNLINKED, -1)->name, name);
    return r;
}

/* ------------------------------------------------------------------- disks */

/* A folder of few files. A file without a name is not in the folder, but on the disk. */
struct disk {
    struct named {
        ino_t file;
        char name[64]; /* "": none */
        struct content content;
    } files[FILES_MAX];
    size_t n;
};

static struct named *find(struct disk *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->files[i].name, name) == 0)
            return &d->files[i];
    return NULL;
}

static struct named *file_of(struct disk *d, ino_t file)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->files[i].file == file)
            return &d->files[i];
    assert_true(d->n < FILES_MAX);
    d->files[d->n] = (struct named){.file = file};
    return &d->files[d->n++];
}

static void change_names(struct disk *d, const struct event *e)
{
    struct named *old = find(d, e->name);
    if (e->kind == LINKED)
        strcpy(file_of(d, e->file)->name, e->name);
    else if (e->kind == RENAMED && old)
        strcpy(old->name, e->to);
    else if (e->kind == UNLINKED && old)
        old->name[0] = '\0';
}

static bool changes_names(const struct event *e)
{
    return e->kind == LINKED || e->kind == RENAMED || e->kind == UNLINKED;
}

typedef void judge_fn(struct disk *d, bool returned);

/* What the file can be after `n` events: the contents since its last sync, and halves of two. */
static size_t contents_of(const struct content *first, ino_t file, size_t n,
                          struct content ret[2 * EVENTS_MAX])
{
    size_t m = 1;
    ret[0] = *first;
    for (size_t i = 0; i < n; i++) {
        const struct event *e = &events[i];
        if (e->file != file || (e->kind != WRITTEN && e->kind != SYNCED))
            continue;
        if (e->kind == SYNCED) {
            ret[0] = ret[m - 1];
            m = 1;
            continue;
        }
        struct content half = e->content;
        size_t cut = half.size / 2, before = ret[m - 1].size;
        half.size = before > cut ? before : cut;
        if (before > cut)
            memcpy(half.bytes + cut, ret[m - 1].bytes + cut, before - cut);
        ret[m++] = half;
        ret[m++] = e->content;
    }
    return m;
}

/* Each choice of contents for the files from `i` on. */
static void judge_contents(const struct disk *before, struct disk *d, size_t i, size_t n, judge_fn *judge,
                           bool returned)
{
    if (i == d->n) {
        struct disk copy = *d;
        judge(&copy, returned);
        return;
    }
    struct content choices[2 * EVENTS_MAX],
        first = i < before->n ? before->files[i].content : (struct content){.size = 0};
    size_t m = contents_of(&first, d->files[i].file, n, choices);
    for (size_t c = 0; c < m; c++) {
        d->files[i].content = choices[c];
        judge_contents(before, d, i + 1, n, judge, returned);
    }
}

/* Each choice of the changes of names that the folder was not told to keep. */
static void judge_names(const struct disk *before, size_t n, judge_fn *judge, bool returned)
{
    struct disk kept = *before;
    size_t pending[EVENTS_MAX], n_pending = 0;
    for (size_t i = 0; i < n; i++) {
        if (events[i].kind == WRITTEN)
            file_of(&kept, events[i].file);
        if (changes_names(&events[i]))
            pending[n_pending++] = i;
        for (size_t p = 0; events[i].kind == FOLDER_SYNCED && p < n_pending; p++)
            change_names(&kept, &events[pending[p]]);
        n_pending = events[i].kind == FOLDER_SYNCED ? 0 : n_pending;
    }
    for (size_t some = 0; some < (size_t)1 << n_pending; some++) {
        struct disk d = kept;
        for (size_t p = 0; p < n_pending; p++)
            if (some >> p & 1)
                change_names(&d, &events[pending[p]]);
        judge_contents(before, &d, 0, n, judge, returned);
    }
}

static void judge_all(const struct disk *before, judge_fn *judge)
{
    assert_true(n_events > 0);
    for (size_t n = 0; n <= n_events; n++)
        judge_names(before, n, judge, n == n_events);
}

/* ------------------------------------------------------------------- tests */

#define ID     "11111111-1111-4111-8111-111111111111"
#define DOOMED ID ".doomed"

static uint8_t key_file[200];

static bool is_whole(const struct content *c)
{
    return c->size == sizeof key_file && memcmp(c->bytes, key_file, sizeof key_file) == 0;
}

/* Sixteen bytes of the key file, wherever. */
static bool has_some(const struct content *c)
{
    for (size_t i = 0; i + 16 <= sizeof key_file; i += 16)
        if (c->size >= 16 && memmem(c->bytes, c->size, key_file + i, 16))
            return true;
    return false;
}

static int open_folder(char path[64])
{
    struct error e = ERROR_NONE;
    int fd = -1;
    strcpy(path, "/tmp/mayfly-durability-XXXXXX");
    assert_non_null(mkdtemp(path));
    assert_ok(local_folder_open(path, false, &fd, &e), e);
    for (size_t i = 0; i < sizeof key_file; i++)
        key_file[i] = (uint8_t)(i * 7 + 1);
    n_events = 0;
    return fd;
}

static void a_new_file_is_whole(struct disk *d, bool returned)
{
    const struct named *f = find(d, ID);
    assert_true(!f || is_whole(&f->content));
    assert_true(f || !returned);
}

static void what_is_added_is_there_whole_or_not_at_all(void **state)
{
    (void)state;
    char path[64];
    _cleanup_close_ int folder = open_folder(path);
    const struct disk empty = {.n = 0};
    recording = true;
    int r = fd_add_file(folder, ID, key_file, sizeof key_file);
    recording = false;
    assert_int_equal(r, 0);
    judge_all(&empty, a_new_file_is_whole);
    assert_int_equal(unlinkat(folder, ID, 0), 0);
    rmdir(path);
}

/* The folder with the key file alone, under this name, as it is on the disk. */
static struct disk with_key_file(int folder, const char *name)
{
    struct disk d = {.n = 1, .files = {{.content = {.size = sizeof key_file}}}};
    struct stat st;
    assert_int_equal(fd_add_file(folder, name, key_file, sizeof key_file), 0);
    assert_int_equal(fstatat(folder, name, &st, 0), 0);
    d.files[0].file = st.st_ino;
    strcpy(d.files[0].name, name);
    memcpy(d.files[0].content.bytes, key_file, sizeof key_file);
    return d;
}

static void an_erased_file_is_gone(struct disk *d, bool returned)
{
    const struct named *f = find(d, ID);
    assert_true(!f ||
                is_whole(&f->content)); /* else a key would be called damaged that was being destroyed */
    for (size_t i = 0; returned && i < d->n; i++) {
        assert_string_equal(d->files[i].name, "");
        assert_false(has_some(&d->files[i].content));
    }
}

static void what_is_erased_is_on_the_disk_no_more(void **state)
{
    (void)state;
    char path[64];
    struct error e = ERROR_NONE;
    _cleanup_close_ int folder = open_folder(path);
    const struct disk one = with_key_file(folder, ID);

    bool was_there = false;
    recording = true;
    int r = local_folder_erase(folder, ID, &was_there, &e);
    recording = false;
    assert_ok(r, e);
    assert_true(was_there);
    judge_all(&one, an_erased_file_is_gone);
    rmdir(path);
}

/* Cut off after it had its other name, and taken up again by whoever lists the keys. */
static void what_was_being_erased_is_finished(void **state)
{
    (void)state;
    char path[64];
    struct error e = ERROR_NONE;
    _cleanup_free_ char(*ids)[UUID_TEXT] = NULL;
    size_t n = 0;
    _cleanup_close_ int folder = open_folder(path);
    const struct disk one = with_key_file(folder, DOOMED);

    recording = true;
    int r = local_folder_list(folder, &ids, &n, &e);
    recording = false;
    assert_ok(r, e);
    assert_int_equal(n, 0);
    judge_all(&one, an_erased_file_is_gone);
    rmdir(path);
}

/* A backup that is restored meanwhile, or another mayfly: while there is any file of the key it is not called
 * destroyed. */
static void what_is_there_again_is_not_called_destroyed(void **state)
{
    (void)state;
    static const char *const names[] = {ID, DOOMED};
    char path[64];
    _cleanup_close_ int folder = open_folder(path);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct error e = ERROR_NONE;
        with_key_file(folder, ID);
        bool was_there = false;
        comes_back = names[i];
        int r = local_folder_erase(folder, ID, &was_there, &e);
        comes_back = NULL;
        assert_int_equal(r, -EEXIST);
        assert_int_equal(unlinkat(folder, names[i], 0), 0);
    }
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_there_whole_or_not_at_all),
        cmocka_unit_test(what_is_erased_is_on_the_disk_no_more),
        cmocka_unit_test(what_was_being_erased_is_finished),
        cmocka_unit_test(what_is_there_again_is_not_called_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
