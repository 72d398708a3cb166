/* SPDX-License-Identifier: Apache-2.0 */
/* Images of any path: each has the size that the world says, and leaves its mark on the volume that it is
 * written to. These functions stand in for those of src/image when a test is linked: no qemu-nbd runs.
 */
#include "world.h"

#include <sys/stat.h>

struct image {
    uint64_t size_bytes;
};

int image_open(const char *path, const char *format, struct image **ret, struct error *e)
{
    (void)format;
    int r = world_enter(fake_world(), "image open", e);
    if (r >= 0 && streq(path, "/nowhere"))
        r = error_set(e, -ENOENT, "image %s: there is none", path);
    if (r >= 0)
        r = world_leave(fake_world(), 0, e);
    if (r < 0)
        return r;
    struct image *i = calloc(1, sizeof *i);
    if (!i)
        abort();
    i->size_bytes = fake_world()->image_bytes;
    *ret = i;
    return 0;
}

uint64_t image_size_bytes(const struct image *i)
{
    return i->size_bytes;
}

struct image *image_close(struct image *i)
{
    free(i);
    return NULL;
}

/* The descriptor leads nowhere, but its inode says to which volume it was handed out. */
static int write_image(struct world *w, int fd, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, -EBADF, "image: no device");
    for (size_t i = 0; i < w->host.n_volumes; i++) {
        struct world_volume *v = &w->host.volumes[i];
        if (v->inode != st.st_ino)
            continue;
        if (v->v.state != VOLUME_BUILDING)
            world_violated(w, "an image was to be written to %s, which is not building", v->v.lv);
        v->has_image = true;
        return 0;
    }
    return error_set(e, -EBADF, "image: not the device of a volume");
}

int fake_import(struct image *i, int fd, const struct image_progress *progress, struct error *e)
{
    struct world *w = fake_world();
    int r = world_enter(w, "import", e);
    if (r == 0)
        r = write_image(w, fd, e);
    if (r >= 0)
        progress->update(progress->context, i->size_bytes, i->size_bytes);
    return r < 0 ? r : world_leave(w, 0, e);
}
