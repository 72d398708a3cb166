/* SPDX-License-Identifier: Apache-2.0 */
/* Images of any path: each has the size that the world says, and leaves its mark on the volume that it is
 * written to. These functions stand in for those of src/image when a test is linked: no qemu-nbd runs.
 */
#include "world.h"

#include "base/fd.h"
#include "image/file.h"
#include "image/keeper.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct image {
    uint64_t size_bytes;
    bool unexpected;
};

/* With the key that the file of this name was made with. */
static bool is_its_key(const struct image_source *s)
{
    const struct host *h = &fake_world()->host;
    for (size_t i = 0; i < h->n_files; i++)
        if (streq(h->files[i].path, s->path) && h->files[i].encrypted &&
            memcmp(h->files[i].key, secret_peek(s->key), secret_size(s->key)) == 0)
            return true;
    return false;
}

int image_open(const struct image_source *s, struct image **ret, struct error *e)
{
    if (s->key && !is_its_key(s))
        return error_set(e, -EKEYREJECTED, "image %s: this is not its key", s->path);
    int r = world_enter(fake_world(), "image open", e);
    if (r >= 0 && streq(s->path, "/nowhere"))
        r = error_set(e, -ENOENT, "image %s: there is none", s->path);
    if (r >= 0)
        r = world_leave(fake_world(), 0, e);
    if (r < 0)
        return r;
    struct image *i = world_alloc(1, sizeof *i);
    i->size_bytes = fake_world()->image_bytes;
    *ret = i;
    return 0;
}

/* Whoever calls may open whatever the world has. */
int image_open_early(const char *path, struct image_early *ret, struct error *e)
{
    (void)path, (void)e;
    *ret = (struct image_early){.is_open = false};
    return 0;
}

void image_early_close(struct image_early *i)
{
    (void)i;
}

const char *image_doubt(const struct image *i)
{
    (void)i;
    return NULL;
}

uint64_t image_size_bytes(const struct image *i)
{
    return i->size_bytes;
}

int image_expect(struct image *i, const char *sha256, struct error *e)
{
    (void)e;
    i->unexpected = !streq(sha256, WORLD_IMAGE_SHA256);
    return 0;
}

struct image *image_close(struct image *i)
{
    free(i);
    return NULL;
}

/* Of what is written the volume has a mark, and not the bytes. */
static void wrote(struct world *w, const struct world_volume *v, int fd)
{
    if (w->storage->wrote)
        w->storage->wrote(v, fd);
}

static int write_image(struct world *w, int fd, struct error *e)
{
    struct world_volume *v = world_volume_at(w, fd);
    if (!v)
        return error_set(e, -EBADF, "image: not the device of a volume");
    if (!volume_unfinished(&v->v))
        world_violated(w, "an image was to be written to %s, which is not building", v->v.lv);
    v->has_image = true;
    wrote(w, v, fd);
    return 0;
}

/* Each device is a call of its own: so one may fail, or all may end, when some have the image. */
int fake_import(struct image *i, const struct image_target *targets, size_t n,
                const struct image_progress *progress, struct error *e)
{
    struct world *w = fake_world();
    int r = 0;
    for (size_t t = 0; r >= 0 && t < n; t++) {
        r = world_enter(w, "import", e);
        if (r == 0)
            r = write_image(w, targets[t].disk->fd, e);
        if (r >= 0)
            progress->update(progress->context, i->size_bytes * (t + 1), i->size_bytes * n);
        r = r < 0 ? r : world_leave(w, 0, e);
    }
    if (r >= 0 && i->unexpected)
        r = error_set(e, -EINVAL, "image: not the one that was meant");
    return r;
}

/* ---------------------------------------------------------------------- seeds */

static struct world_volume *seed_volume(struct world *w, int fd)
{
    struct world_volume *v = world_volume_at(w, fd);
    if (v && volume_is_seed(&v->v))
        return v;
    world_violated(w, "what is no seed disk was to be used as one");
    return NULL;
}

int fake_write_seed(const struct opened *disk, const struct secret *seed, struct error *e)
{
    static const char begin[] = "instance-id: ";
    struct world *w = fake_world();
    int r = world_enter(w, "write seed", e);
    struct world_volume *v = r == 0 ? seed_volume(w, disk->fd) : NULL;
    if (v && !volume_unfinished(&v->v))
        world_violated(w, "a seed was to be written to %s, which is not building", v->v.lv);
    const char *text = memmem(secret_peek(seed), secret_size(seed) - sizeof v->seed, begin, strlen(begin));
    if (v) {
        snprintf(v->seed, sizeof v->seed, "%.159s", text ? text : "");
        wrote(w, v, disk->fd);
    }
    return r < 0 ? r : world_leave(w, 0, e);
}

int fake_read_seed(const struct opened *disk, struct secret **ret, struct error *e)
{
    struct world *w = fake_world();
    struct secret *seed = NULL;
    int r = world_enter(w, "read seed", e);
    const struct world_volume *v = r == 0 ? seed_volume(w, disk->fd) : NULL;
    if (r >= 0)
        r = world_leave(w, 0, e);
    if (r == 0)
        r = secret_new(SEED_BYTES, &seed, e);
    if (r == 0 && v)
        memcpy(secret_bytes(seed), v->seed, sizeof v->seed);
    if (r == 0)
        *ret = seed;
    return r;
}

/* ------------------------------------------------------------------ measuring */

int fake_bench_look(char ret_why_not[BENCH_PAIRS][BENCH_WHY_MAX], struct error *e)
{
    int r = world_enter(fake_world(), "bench look", e);
    snprintf(ret_why_not[BENCH_PAIR_NBD], BENCH_WHY_MAX, "there is no QEMU here");
    ret_why_not[BENCH_PAIR_VHOST][0] = '\0';
    return r < 0 ? r : world_leave(fake_world(), 0, e);
}

/* A measurement takes longer than the broker waits for a word. */
static int look_around(struct world *w, const struct bench_cell *cell, struct error *e)
{
    unsigned told = w->told_alive;
    bool stopped = cell->stopped(cell->context);
    if (w->told_alive == told)
        world_violated(w, "the broker hears nothing while it is measured");
    return stopped ? error_set(e, -ECANCELED, "bench: stopped") : 0;
}

/* A scratch volume, or its map, and nothing else. Each column is as fast as its number from the last says. */
int fake_bench_measure(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "measure", e);
    const struct world_volume *v = r == 0 ? world_volume_at(w, fd) : NULL;
    if (r == 0 && !(v && volume_is_bench(&v->v))) {
        world_violated(w, "what is no scratch volume was to be measured");
        r = error_set(e, -EBADF, "bench: no scratch volume");
    }
    if (r == 0 && cell->column == BENCH_OURS_USER &&
        !(v->v.sector_bytes == cell->sector_bytes && cell->volume_key))
        world_violated(w, "mayfly-disks was to be measured without the key, or with other sectors");
    if (r == 0)
        r = look_around(w, cell, e);
    *ret = (struct bench_figures){.iops = 100 * (BENCH_COLUMNS - cell->column)};
    return r < 0 ? r : world_leave(w, 0, e);
}

/* ---------------------------------------------------------------- new files */

struct image_file {
    struct world_file f;
    int fd;
};

static struct image_file *written; /* the only one at a time */

int image_file_new(const char *path, struct image_file **ret, struct error *e)
{
    int r = world_enter(fake_world(), "file new", e);
    if (r >= 0)
        r = world_leave(fake_world(), 0, e);
    if (r < 0)
        return r;
    fake_world()->files_begun++;
    struct image_file *f = world_alloc(1, sizeof *f);
    snprintf(f->f.path, sizeof f->f.path, "%s", path);
    f->fd = memfd_create("fake-file", MFD_CLOEXEC);
    *ret = written = f;
    return 0;
}

int image_file_new_by(struct image_keeper *k, const char *path, struct image_file **ret, struct error *e)
{
    (void)k;
    return image_file_new(path, ret, e);
}

struct image_keeper *image_keeper_end(struct image_keeper *k)
{
    (void)k;
    return NULL;
}

int image_file_fd(const struct image_file *f)
{
    return f->fd;
}

/* Reads the map of a snapshot, and of no other volume. */
static int read_snapshot(struct world *w, int fd, struct error *e)
{
    const struct world_volume *v = world_volume_at(w, fd);
    if (v && volume_is_snapshot(&v->v))
        return 0;
    world_violated(w, "a file was to be made of what is no snapshot");
    return error_set(e, -EBADF, "image: not the device of a snapshot");
}

int fake_export(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                const struct image_progress *progress, struct error *e)
{
    struct world *w = fake_world();
    (void)file_fd, (void)name;
    int r = world_enter(w, "export", e);
    if (r == 0)
        r = read_snapshot(w, disk->fd, e);
    if (r == 0) {
        written->f.encrypted = key != NULL;
        if (key)
            memcpy(written->f.key, secret_peek(key), secret_size(key));
    }
    if (r >= 0)
        progress->update(progress->context, w->image_bytes, w->image_bytes);
    return r < 0 ? r : world_leave(w, 0, e);
}

int fake_stream(const struct opened *disk, int output_fd, const char *name,
                const struct image_progress *progress, struct error *e)
{
    struct world *w = fake_world();
    (void)name;
    int r = world_enter(w, "stream", e);
    if (r == 0)
        r = read_snapshot(w, disk->fd, e);
    if (r == 0 && write(output_fd, "disk", 4) != 4)
        r = error_set(e, -EIO, "nobody reads it");
    if (r >= 0)
        progress->update(progress->context, w->image_bytes, w->image_bytes);
    return r < 0 ? r : world_leave(w, 0, e);
}

int image_file_link(struct image_file *f, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "file link", e);
    world_look(w); /* whose key it is: of the snapshot, or of the file */
    if (r == 0 && w->host.n_files == WORLD_FILES)
        abort();
    if (r == 0)
        w->host.files[w->host.n_files++] = f->f;
    return r < 0 ? r : world_leave(w, 0, e);
}

int image_file_unlink(struct image_file *f, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "file unlink", e);
    for (size_t i = w->host.n_files; r == 0 && i-- > 0;)
        if (streq(w->host.files[i].path, f->f.path))
            world_drop(w->host.files, &w->host.n_files, sizeof w->host.files[0], i);
    return r < 0 ? r : world_leave(w, 0, e);
}

struct image_file *image_file_free(struct image_file *f)
{
    if (f)
        fd_close(f->fd);
    free(f);
    return NULL;
}
