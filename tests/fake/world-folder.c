/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a pool as part of a world. See world-pool.h. It is read with open eyes: not by the code of
 * src/pool, but for the text of tags.
 */
#include "world-pool.h"

#include "base/fd.h"
#include "storage/tags.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_MEMORY "/dev/shm"
#define OURS      "mayfly-matrix-" /* how the folder's name begins */

/* What the doubles leave on a disk, at its beginning. */
struct contents {
    bool has_image;
    char seed[sizeof((struct world_volume *)NULL)->seed];
    char fs[sizeof((struct world_volume *)NULL)->fs], label[sizeof((struct world_volume *)NULL)->label];
};

static int pool_fd = -1;
static struct world_folder there; /* what is in the folder, unless it has changed */
static bool has_changed = true;

void folder_changed(void)
{
    has_changed = true;
}

/* ----------------------------------------------------------------- begin and end */

static char made[PATH_MAX];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void remove_folder(const char *path)
{
    cut_spares = true;
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    cut_spares = false;
}

static void remove_made(void)
{
    remove_folder(made);
}

/* Removes what runs have left that were killed: folders of ours that no one has locked. */
static void remove_abandoned(void)
{
    _cleanup_closedir_ DIR *d = opendir(IN_MEMORY);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        char path[PATH_MAX];
        struct stat st;
        if (!str_starts(entry->d_name, OURS))
            continue;
        snprintf(path, sizeof path, "%s/%s", IN_MEMORY, entry->d_name);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_folder(path);
    }
}

/* Makes a folder and locks it: *ret_fd. False if another run took it for abandoned in between. */
static bool make_folder(int *ret_fd)
{
    struct stat st;
    strcpy(made, IN_MEMORY "/" OURS "XXXXXX");
    if (!mkdtemp(made) && fd_temporary_folder(made, sizeof made) < 0)
        abort();
    *ret_fd = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0)
        return false;
    bool is_there = flock(*ret_fd, LOCK_EX) == 0 && fstat(*ret_fd, &st) == 0 && st.st_nlink > 0;
    if (!is_there)
        close(*ret_fd);
    return is_there;
}

/* In memory, if there is a file system for that. */
const char *folder_begin(void)
{
    remove_abandoned();
    for (unsigned tries = 0; !make_folder(&pool_fd); tries++)
        if (tries == 100)
            abort();
    if (atexit(remove_made))
        abort();
    return made;
}

/* --------------------------------------------------------------------- reading */

static bool is_tags(const char *path)
{
    return str_ends(path, "/tags") || str_ends(path, "/tags.new");
}

static void add_entry(const char *path, const struct stat *st)
{
    struct world_folder *f = &there;
    if (f->n == WORLD_ENTRIES)
        abort();
    struct world_entry *one = &f->entry[f->n++];
    snprintf(one->path, sizeof one->path, "%s", path);
    one->is_folder = S_ISDIR(st->st_mode);
    one->bytes = one->is_folder ? 0 : (uint64_t)st->st_size;
    if (one->is_folder)
        return;
    size_t most = is_tags(path) ? WORLD_TAGS_MAX : sizeof(struct contents);
    if (f->n_text + most > sizeof f->text || (is_tags(path) && one->bytes > most))
        abort();
    _cleanup_close_ int fd = openat(pool_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(fd, f->text + f->n_text, most, 0);
    if (n < 0)
        abort();
    while (n > 0 && !f->text[f->n_text + (size_t)n - 1])
        n--;
    one->at = f->n_text;
    one->n = (size_t)n;
    f->n_text += one->n;
}

static void read_folder(const char *path)
{
    _cleanup_closedir_ DIR *d = fdopendir(openat(pool_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *entry; (entry = readdir(d));) {
        char name[WORLD_PATH_MAX];
        struct stat st;
        bool top = streq(path, ".");
        if (entry->d_name[0] == '.' || (top && !uuid_valid(entry->d_name)))
            continue;
        snprintf(name, sizeof name, "%.40s%s%.40s", top ? "" : path, top ? "" : "/", entry->d_name);
        if (fstatat(pool_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            abort();
        add_entry(name, &st);
        if (S_ISDIR(st.st_mode))
            read_folder(name);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct world_entry *)a)->path, ((const struct world_entry *)b)->path);
}

static void read_again(void)
{
    if (!has_changed)
        return;
    cut_spares = world_allocates = true;
    memset(&there, 0, sizeof there);
    read_folder(".");
    qsort(there.entry, there.n, sizeof there.entry[0], by_path);
    cut_spares = world_allocates = has_changed = false;
}

static const struct world_entry *find_entry(const struct world_folder *f, const char *path)
{
    for (size_t i = 0; i < f->n; i++)
        if (streq(f->entry[i].path, path))
            return &f->entry[i];
    return NULL;
}

/* --------------------------------------------------------------------- restoring */

static bool same_entry(const struct world_folder *f, const struct world_entry *a,
                       const struct world_folder *g, const struct world_entry *b)
{
    return a && b && a->is_folder == b->is_folder && a->bytes == b->bytes && a->n == b->n &&
           memcmp(f->text + a->at, g->text + b->at, a->n) == 0;
}

static void make_entry(const struct world_folder *f, const struct world_entry *one)
{
    if (one->is_folder) {
        if (mkdirat(pool_fd, one->path, 0700) < 0)
            abort();
        return;
    }
    _cleanup_close_ int fd = openat(pool_fd, one->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fd_pwrite_all(fd, f->text + one->at, one->n, 0) < 0 || ftruncate(fd, (off_t)one->bytes) < 0)
        abort();
}

/* Files go before their folder, and come after it. */
void folder_restore(struct world *w)
{
    const struct world_folder *was = &w->folder;
    read_again();
    cut_spares = true;
    for (size_t i = there.n; i-- > 0;) {
        const struct world_entry *one = &there.entry[i];
        if (!find_entry(was, one->path) &&
            unlinkat(pool_fd, one->path, one->is_folder ? AT_REMOVEDIR : 0) < 0)
            abort();
    }
    for (size_t i = 0; i < was->n; i++)
        if (!same_entry(was, &was->entry[i], &there, find_entry(&there, was->entry[i].path)))
            make_entry(was, &was->entry[i]);
    there = *was;
    cut_spares = false;
}

/* ---------------------------------------------------------------------- looking */

static const struct world_entry *file_of(const struct world_folder *f, const struct volume *v)
{
    char path[WORLD_PATH_MAX];
    snprintf(path, sizeof path, "%.36s/%.20s", v->lv, v->lv + UUID_TEXT);
    return find_entry(f, path);
}

static void see_damage(struct host *h, const char *instance)
{
    if (h->n_damaged < ARRAY_SIZE(h->damaged))
        snprintf(h->damaged[h->n_damaged++].tagged, UUID_TEXT, "%.36s", instance);
}

/* A disk that is being made or removed may have no file; it has no size then. */
static void see_disk(struct world *w, const char *instance, const char *line)
{
    struct host *h = &w->host;
    struct world_volume *seen = &h->volumes[h->n_volumes];
    struct contents c = {.has_image = false};
    if (h->n_volumes == WORLD_VOLUMES)
        abort();
    int r = tags_parse(line, &seen->v, NULL);
    memcpy(seen->v.vg, h->group.name, sizeof seen->v.vg);
    volume_set_lv_name(&seen->v);
    const struct world_entry *file = r == 0 ? file_of(&w->folder, &seen->v) : NULL;
    bool may_lack = seen->v.state == VOLUME_BUILDING || seen->v.state == VOLUME_DOOMED;
    if (r < 0 || !streq(seen->v.instance, instance) || (!file && !may_lack)) {
        memset(seen, 0, sizeof *seen);
        see_damage(h, instance);
        return;
    }
    h->n_volumes++;
    seen->v.size_bytes = file ? file->bytes : 0;
    if (file)
        memcpy(&c, w->folder.text + file->at, file->n);
    seen->has_image = c.has_image;
    memcpy(seen->seed, c.seed, sizeof seen->seed);
    memcpy(seen->fs, c.fs, sizeof seen->fs);
    memcpy(seen->label, c.label, sizeof seen->label);
    h->handed_over |= volume_is_snapshot(&seen->v) && seen->v.state == VOLUME_DOOMED;
}

static void see_tags(struct world *w, const struct world_entry *tags)
{
    char text[WORLD_TAGS_MAX + 1], instance[UUID_TEXT];
    snprintf(instance, sizeof instance, "%.36s", tags->path);
    snprintf(text, sizeof text, "%.*s", (int)tags->n, w->folder.text + tags->at);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        see_disk(w, instance, line);
}

/* A file without a line, and a folder without disks. */
static bool is_stray(const struct world *w, const struct world_entry *one)
{
    for (size_t i = 0; i < w->host.n_volumes; i++)
        if (one->is_folder ? str_starts(w->host.volumes[i].v.lv, one->path)
                           : file_of(&w->folder, &w->host.volumes[i].v) == one)
            return false;
    return one->is_folder || !is_tags(one->path);
}

static void see_strays(struct world *w)
{
    struct host *h = &w->host;
    for (size_t i = 0; i < w->folder.n && h->n_untagged < ARRAY_SIZE(h->untagged); i++)
        if (is_stray(w, &w->folder.entry[i])) {
            struct untagged_volume *u = &h->untagged[h->n_untagged++];
            snprintf(u->instance, sizeof u->instance, "%.36s", w->folder.entry[i].path);
            snprintf(u->lv, sizeof u->lv, "%.63s", w->folder.entry[i].path);
        }
}

void folder_look(struct world *w)
{
    struct host *h = &w->host;
    if (!has_changed)
        return;
    read_again();
    w->folder = there;
    memset(h->volumes, 0, sizeof h->volumes);
    memset(h->damaged, 0, sizeof h->damaged);
    memset(h->untagged, 0, sizeof h->untagged);
    h->n_volumes = h->n_damaged = h->n_untagged = 0;
    for (size_t i = 0; i < w->folder.n; i++)
        if (str_ends(w->folder.entry[i].path, "/tags"))
            see_tags(w, &w->folder.entry[i]);
    see_strays(w);
}

/* ------------------------------------------------------------------------ disks */

bool folder_leads_to(const struct world *w, const struct volume *v, int fd)
{
    const struct world_entry *file = file_of(&w->folder, v);
    struct stat a, b;
    return file && fstat(fd, &a) == 0 && fstatat(pool_fd, file->path, &b, 0) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

void folder_wrote(const struct world_volume *v, int fd)
{
    struct contents c;
    memset(&c, 0, sizeof c);
    c.has_image = v->has_image;
    memcpy(c.seed, v->seed, sizeof c.seed);
    memcpy(c.fs, v->fs, sizeof c.fs);
    memcpy(c.label, v->label, sizeof c.label);
    if (pwrite(fd, &c, sizeof c, 0) != (ssize_t)sizeof c)
        abort();
    has_changed = true;
}

void folder_copy(int from_fd, int to_fd)
{
    struct contents c;
    struct stat st;
    if (fstat(from_fd, &st) < 0 || pread(from_fd, &c, sizeof c, 0) != (ssize_t)sizeof c ||
        pwrite(to_fd, &c, sizeof c, 0) != (ssize_t)sizeof c)
        abort();
    cut_spares = true;
    if (ftruncate(to_fd, st.st_size) < 0)
        abort();
    cut_spares = false;
}
