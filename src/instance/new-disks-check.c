/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the disks that were asked for before anything is made, and changes nothing. A fault that appears
 * later fails in a step, and is undone. */
#include "instance/group.h"
#include "instance/new-disks.h"

#include <inttypes.h>
#include <stdio.h>

#define XFS_MIN_BYTES (UINT64_C(300) << 20) /* limit of mkfs.xfs since xfsprogs 5.19 */

#define SIZE_MAX_BYTES (UINT64_C(1) << 60)

static int check_size(const char *verb, const char *what, uint64_t bytes, struct error *e)
{
    if (bytes <= SIZE_MAX_BYTES)
        return 0;
    return error_set(e, -EINVAL, "%s: a %s disk of %" PRIu64 " bytes is larger than any that LVM makes", verb,
                     what, bytes);
}

static int check_ephemeral(const char *verb, const struct launch_ephemeral *disk, size_t number,
                           struct error *e)
{
    if (disk->size_bytes == 0)
        return error_set(e, -EINVAL, "%s: ephemeral disk %zu has no size", verb, number);
    if (!streq(disk->fs, "ext4") && !streq(disk->fs, "xfs") && !streq(disk->fs, "vfat"))
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu cannot have file system %.7s; use ext4, xfs or vfat", verb,
                         number, disk->fs);
    if (streq(disk->fs, "xfs") && disk->size_bytes < XFS_MIN_BYTES)
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu is too small for xfs, which needs at least 300 MiB; use a "
                         "larger size, or fs=ext4",
                         verb, number);
    if (streq(disk->fs, "vfat") && disk->size_bytes > VFAT_MAX_BYTES)
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu is too large for vfat, which is limited to 256 GiB; use "
                         "fs=ext4 or fs=xfs",
                         verb, number);
    return check_size(verb, "ephemeral", disk->size_bytes, e);
}

/* Checks that the names of root, swap and ephemeral disks, if given, differ. */
static int check_aliases(const struct launch_request *q, struct error *e)
{
    const char *alias[LAUNCH_EPHEMERALS_MAX + 2] = {q->root_alias, q->swap_alias};
    size_t n = 2;
    for (size_t i = 0; i < q->n_ephemeral; i++)
        alias[n++] = q->ephemeral[i].alias;
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

int new_disks_check(const struct config *c, const struct launch_request *q, const char *verb, struct error *e)
{
    if (q->n_ephemeral > LAUNCH_EPHEMERALS_MAX)
        return error_set(e, -EINVAL, "%s: cannot make %zu ephemeral disks; the limit is %d", verb,
                         q->n_ephemeral, LAUNCH_EPHEMERALS_MAX);
    if (launch_disks_each(q) == seed_wanted(&q->seed))
        return error_set(e, -EINVAL, "%s: there is nothing to make; use --root, --ephemeral or --swap", verb);
    if (q->key && !c->encryption_enabled)
        return error_set(e, -EINVAL,
                         "key %s: is not used, since encryption is off; set enabled in "
                         "[ephemeral_storage_encryption]",
                         q->key);
    if (q->image.path && !q->root_bytes)
        return error_set(e, -EINVAL, "image %s: there is no root disk to write it to; use --root",
                         q->image.path);
    int r = check_aliases(q, e);
    if (r == 0)
        r = check_size(verb, "root", q->root_bytes, e);
    if (r == 0)
        r = check_size(verb, "swap", q->swap_bytes, e);
    for (size_t i = 0; r == 0 && i < q->n_ephemeral; i++)
        r = check_ephemeral(verb, &q->ephemeral[i], i, e);
    return r;
}

/* Returns the size of whole extents, limited so that the sum of all disks of an instance fits into 64
 * bits. */
static uint64_t room_for(const struct group *g, uint64_t bytes)
{
    uint64_t limit = UINT64_MAX / LAUNCH_DISKS_MAX;
    uint64_t rounded = group_round_up(g, bytes);
    return rounded < limit ? rounded : limit;
}

static int check_room(const struct group *g, const struct launch_request *q, struct error *e)
{
    uint64_t each = room_for(g, q->root_bytes) + room_for(g, q->swap_bytes);
    if (seed_wanted(&q->seed))
        each += room_for(g, SEED_BYTES);
    if (q->seed_image)
        each += room_for(g, secret_size(q->seed_image));
    for (size_t i = 0; i < q->n_ephemeral; i++)
        each += room_for(g, q->ephemeral[i].size_bytes);

    uint64_t all = each > UINT64_MAX / q->count ? UINT64_MAX : each * q->count;
    return group_check_room(g, all, launch_disks_each(q) * q->count, e);
}

static int check_image(struct new_disks *n, const struct launch_request *q, struct error *e)
{
    int r = wanted_image_open(n->context, &q->image, &n->image, e);
    n->image_path = q->image.path;
    if (r < 0 || !n->image)
        return r;
    char image[32], disk[32];
    if (image_size_bytes(n->image) > group_round_up(n->group, q->root_bytes))
        return error_set(e, -EINVAL,
                         "image %s: its %s (%" PRIu64
                         " bytes) do not fit a root disk of %s; use a larger --root",
                         q->image.path, str_from_bytes(image_size_bytes(n->image), image, sizeof image),
                         image_size_bytes(n->image), str_from_bytes(q->root_bytes, disk, sizeof disk));
    return 0;
}

int new_disks_check_room(struct new_disks *n, const struct launch_request *q, struct error *e)
{
    int r = group_find(n->context->config, n->before, q->volume_group, &n->group, e);
    if (r == 0)
        r = check_room(n->group, q, e);
    return r < 0 ? r : check_image(n, q, e);
}
