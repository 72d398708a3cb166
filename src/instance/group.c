/* SPDX-License-Identifier: Apache-2.0 */
/* See group.h. */
#include "instance/group.h"

#include <inttypes.h>

/* Room for its tags and its segment in the group's metadata: usually some 770 bytes, and LVM counts in
 * sectors. */
#define METADATA_BYTES_A_DISK 1024

/* This part of the area stays free, so that existing volumes can be changed: a volume that becomes doomed
 * takes a byte more, a resized one a segment. Without it a full group could not even be emptied. */
#define METADATA_RESERVE_PART 64

int group_find(const struct config *c, const struct inventory *i, const char *vg, const struct group **ret,
               struct error *e)
{
    if (!vg && c->volume_groups.n == 0)
        return error_set(e, -EINVAL,
                         "volume group: none is configured; set images_volume_group in [libvirt]");
    if (!vg)
        vg = c->volume_groups.item[0];
    if (!config_has_volume_group(c, vg))
        return error_set(e, -EINVAL,
                         "volume group %s: it is not configured; add it to images_volume_group in [libvirt]",
                         vg);
    const struct group *g = inventory_group(i, vg);
    if (!g)
        return error_set(e, -ENOENT,
                         "volume group %s: cannot create volumes: there is no such group; see vgs, or set "
                         "images_volume_group",
                         vg);
    if (!g->complete)
        return error_set(e, -ENODEV,
                         "volume group %s: cannot create volumes: one of its physical volumes is missing; "
                         "see pvs, or name another group by --volume-group",
                         vg);
    if (g->shared)
        return error_set(
            e, -EUNSAFE,
            "volume group %s: cannot be used: it is shared with other hosts (lvmlockd or clustered), and "
            "Mayfly's locks hold on one host only; use a group of this host alone",
            vg);
    *ret = g;
    return 0;
}

uint64_t group_round_up(const struct group *g, uint64_t bytes)
{
    uint64_t extent = g->extent_bytes ? g->extent_bytes : 1;
    return (bytes + extent - 1) / extent * extent;
}

uint64_t group_room_disks(const struct group *g)
{
    uint64_t reserve = g->metadata_size_bytes / METADATA_RESERVE_PART;
    return g->metadata_free_bytes > reserve ? (g->metadata_free_bytes - reserve) / METADATA_BYTES_A_DISK : 0;
}

int group_check_room(const struct group *g, uint64_t bytes, uint64_t n_disks, struct error *e)
{
    char wanted[32], free_text[32];
    uint64_t room = group_room_disks(g);
    if (bytes > g->free_bytes)
        return error_set(e, -ENOSPC,
                         "volume group %s: cannot create the disks: %s needed, %s free; delete instances, or "
                         "extend the group by vgextend",
                         g->name, str_from_bytes(bytes, wanted, sizeof wanted),
                         str_from_room(g->free_bytes, free_text, sizeof free_text));
    if (n_disks > room)
        return error_set(
            e, -ENOSPC,
            "volume group %s: cannot create the disks: LVM's metadata has room for about %" PRIu64
            " more, and these are %" PRIu64
            "; delete instances, or make a group by vgcreate --metadatasize 64m",
            g->name, room, n_disks);
    return 0;
}
