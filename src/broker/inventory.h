/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of this host: groups, and Mayfly's volumes and maps. Parsed without privilege from the
 * broker's answers. */
#pragma once

#include "storage/dependent.h"
#include "storage/dmcrypt.h"
#include "storage/volume.h"

struct group {
    char name[VG_NAME_MAX];
    uint64_t size_bytes, free_bytes, extent_bytes;
    uint64_t metadata_size_bytes, metadata_free_bytes; /* of the smaller copy */
    bool complete; /* no physical volume of it is missing, nor is it exported */
    bool shared;   /* other hosts may change it too (lvmlockd, clvmd) */
};

/* A volume that is marked as ours and has damaged tags. */
struct damaged_volume {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
    char tagged[UUID_TEXT]; /* the instance that its tags name; "": none */
    struct error reason;
};

/* A volume with the name of an instance's disk, not marked as ours. It may be somebody else's, such as
 * Nova's, or have lost its tags. */
struct untagged_volume {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
    char instance[UUID_TEXT];
};

/* One of our volumes that may not be removed or overwritten, since something in LVM depends on it. */
struct dependent {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
    char reason[DEPENDENT_MAX];
};

struct inventory {
    struct group *groups;
    size_t n_groups;
    struct volume *volumes; /* each passed volume_check(); sorted by instance, then role with root first */
    size_t n_volumes;
    struct damaged_volume *damaged;
    size_t n_damaged;
    struct untagged_volume *untagged;
    size_t n_untagged;
    struct dependent *dependents; /* one volume may have several */
    size_t n_dependents;
    struct map *maps; /* sorted by uuid */
    size_t n_maps;
    uint32_t crypt_version; /* CRYPT_VERSION() of the kernel's dm-crypt; 0: not known */
};

/* Makes an inventory of LVM's JSON (lvm_report) and an array of maps. -EPROTO: the JSON is not of the
 * expected form. */
int inventory_parse(const char *json, size_t size, const struct map *maps, size_t n_maps,
                    struct inventory **ret, struct error *e) _must_check_;
struct inventory *inventory_free(struct inventory *i);
DEFINE_CLEANUP(struct inventory *, inventory_free)
#define _cleanup_inventory_ _cleanup_(inventory_freep)

/* Sorts the arrays, as inventory_parse() does and the functions below need. */
void inventory_sort(struct inventory *i);

/* Whether its name or a tag says that it is a disk of this instance. The second function is also true if
 * neither names any instance. */
bool damaged_is_of(const struct damaged_volume *d, const char *uuid);
bool damaged_may_be_of(const struct damaged_volume *d, const char *uuid);

/* Finds the group of this name, or NULL. The results of this and the functions below belong to the
 * inventory. */
const struct group *inventory_group(const struct inventory *i, const char *vg);

/* Finds the volumes of one instance, side by side. */
const struct volume *inventory_volumes_of(const struct inventory *i, const char *instance, size_t *ret_n);
const struct dependent *inventory_dependent_of(const struct inventory *i, const struct volume *v);
const struct map *inventory_map_of(const struct inventory *i, const struct volume *v);

/* Writes where the disk is: the device of its map if it is open through one, else what a guest gets. */
void inventory_device_path(const struct inventory *i, const struct volume *v, char field[DEVICE_PATH_MAX]);
