/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the disks that were asked for before anything is made, and changes nothing. A fault that appears
 * later fails in a step, and is undone. */
#include "instance/group.h"
#include "instance/new-disks.h"

#include <inttypes.h>
#include <stdio.h>

#define SIZE_MAX_BYTES (UINT64_C(1) << 60)

static int check_size(const char *verb, const char *what, uint64_t bytes, struct error *e)
{
    if (bytes <= SIZE_MAX_BYTES)
        return 0;
    return error_set(e, -EINVAL, "%s: a %s disk of %" PRIu64 " bytes is larger than any that LVM makes", verb,
                     what, bytes);
}

static int check_ephemeral(const char *verb, const struct wanted_ephemeral *disk, size_t number,
                           struct error *e)
{
    const struct file_system *fs = file_system_find(disk->fs);
    char limit[32];
    if (disk->size_bytes == 0)
        return error_set(e, -EINVAL, "%s: ephemeral disk %zu has no size", verb, number);
    if (!fs || fs->is_swap)
        return error_set(e, -EINVAL, "%s: ephemeral disk %zu cannot have file system %.7s; use one of %s",
                         verb, number, disk->fs, file_system_choice);
    if (disk->size_bytes < fs->min_bytes)
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu is too small for %s, which needs at least %s; use a larger "
                         "size, or another file system",
                         verb, number, fs->name, str_from_bytes(fs->min_bytes, limit, sizeof limit));
    if (disk->size_bytes > fs->max_bytes)
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu is too large for %s, which is limited to %s; use another "
                         "file system",
                         verb, number, fs->name, str_from_bytes(fs->max_bytes, limit, sizeof limit));
    return check_size(verb, "ephemeral", disk->size_bytes, e);
}

/* Checks that the names of root, swap and ephemeral disks, if given, differ. */
static int check_aliases(const struct wanted_disks *w, struct error *e)
{
    const char *alias[WANTED_EPHEMERALS_MAX + 2] = {w->root_alias, w->swap_alias};
    size_t n = 2;
    for (size_t i = 0; i < w->n_ephemeral; i++)
        alias[n++] = w->ephemeral[i].alias;
    for (size_t i = 0; i < n; i++) {
        if (*alias[i] && !volume_alias_valid(alias[i]))
            return error_set(
                e, -EINVAL,
                "disk %.64s: cannot have this name; use letters, digits, '_', '.', '-' and '+', and no "
                "role such as root or eph0",
                alias[i]);
        for (size_t before = 0; *alias[i] && before < i; before++)
            if (streq(alias[before], alias[i]))
                return error_set(e, -EINVAL, "disk %s: two disks cannot have the same name; use another",
                                 alias[i]);
    }
    return 0;
}

int new_disks_check(const struct new_disks *n, struct error *e)
{
    const struct wanted_disks *w = n->wanted;
    if (w->n_ephemeral > WANTED_EPHEMERALS_MAX)
        return error_set(e, -EINVAL, "%s: cannot make %zu ephemeral disks; the limit is %d", n->verb,
                         w->n_ephemeral, WANTED_EPHEMERALS_MAX);
    if (!w->root_bytes && !w->n_ephemeral && !w->swap_bytes && !n->seed)
        return error_set(e, -EINVAL, "%s: there is nothing to make; use --root, --ephemeral or --swap",
                         n->verb);
    if (w->image.path && !w->root_bytes)
        return error_set(e, -EINVAL, "image %s: there is no root disk to write it to; use --root",
                         w->image.path);
    int r = check_aliases(w, e);
    if (r == 0)
        r = check_size(n->verb, "root", w->root_bytes, e);
    if (r == 0)
        r = check_size(n->verb, "swap", w->swap_bytes, e);
    for (size_t i = 0; r == 0 && i < w->n_ephemeral; i++)
        r = check_ephemeral(n->verb, &w->ephemeral[i], i, e);
    return r;
}

/* Returns the size of whole extents, limited so that the sum of all disks of an instance fits into 64
 * bits. */
static uint64_t room_for(const struct group *g, uint64_t bytes)
{
    uint64_t limit = UINT64_MAX / NEW_DISKS_EACH_MAX;
    uint64_t rounded = group_round_up(g, bytes);
    return rounded < limit ? rounded : limit;
}

static int check_room(const struct new_disks *n, size_t n_recipients, struct error *e)
{
    const struct wanted_disks *w = n->wanted;
    const struct group *g = n->group;
    uint64_t each =
        room_for(g, w->root_bytes) + room_for(g, w->swap_bytes) + room_for(g, new_disks_seed_bytes(n));
    for (size_t i = 0; i < w->n_ephemeral; i++)
        each += room_for(g, w->ephemeral[i].size_bytes);

    uint64_t all = each > UINT64_MAX / n_recipients ? UINT64_MAX : each * n_recipients;
    return group_check_room(g, all, new_disks_each(n) * n_recipients, e);
}

static int check_image(struct new_disks *n, struct error *e)
{
    const struct wanted_disks *w = n->wanted;
    int r = wanted_image_open(n->context, &w->image, &n->image, e);
    n->image_path = w->image.path;
    if (r < 0 || !n->image)
        return r;
    char image[32], disk[32];
    if (image_size_bytes(n->image) > group_round_up(n->group, w->root_bytes))
        return error_set(e, -EINVAL,
                         "image %s: its %s (%" PRIu64
                         " bytes) do not fit a root disk of %s; use a larger --root",
                         w->image.path, str_from_bytes(image_size_bytes(n->image), image, sizeof image),
                         image_size_bytes(n->image), str_from_bytes(w->root_bytes, disk, sizeof disk));
    return 0;
}

int new_disks_check_room(struct new_disks *n, size_t n_recipients, struct error *e)
{
    int r = group_find(n->context->config, n->before, n->wanted->volume_group, &n->group, e);
    if (r == 0)
        r = check_room(n, n_recipients, e);
    return r < 0 ? r : check_image(n, e);
}
