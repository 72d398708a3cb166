/* SPDX-License-Identifier: Apache-2.0 */
/* See group.h. */
#include "instance/group.h"

#define METADATA_BYTES_A_DISK 512 /* at the least: its tags and its segment in the group's metadata */

uint64_t group_round_up(const struct group *g, uint64_t bytes)
{
    uint64_t extent = g->extent_bytes ? g->extent_bytes : 1;
    return (bytes + extent - 1) / extent * extent;
}

int group_check_room(const struct group *g, uint64_t bytes, uint64_t n_disks, struct error *e)
{
    char wanted[32], free_text[32];
    if (bytes > g->free_bytes)
        return error_set(e, -ENOSPC,
                         "volume group %s: cannot create the disks: they take %s, and %s are free; delete "
                         "instances, or extend the group by vgextend",
                         g->name, str_from_bytes(bytes, wanted, sizeof wanted),
                         str_from_bytes(g->free_bytes, free_text, sizeof free_text));
    uint64_t metadata = n_disks * METADATA_BYTES_A_DISK;
    if (metadata > g->metadata_free_bytes)
        return error_set(e, -ENOSPC,
                         "volume group %s: cannot create the disks: LVM's metadata has room for %s, and they "
                         "take %s; delete instances, or make a group by vgcreate --metadatasize 64m",
                         g->name, str_from_bytes(g->metadata_free_bytes, free_text, sizeof free_text),
                         str_from_bytes(metadata, wanted, sizeof wanted));
    return 0;
}
