/* SPDX-License-Identifier: Apache-2.0 */
/* LVM, device-mapper and the device nodes, in memory, behind the headers of the real ones: so the broker's
 * server runs on any machine, under sanitizers, with clients that send garbage. A volume's contents are an
 * anonymous file, and a map leads to the file of its volume.
 *
 * Link it before the library `broker`, and with -Wl,--wrap=mkfs_make.
 */
#pragma once

#include "storage/dmcrypt.h"
#include "storage/volume.h"

#define FAKE_MAX          64
#define FAKE_EXTENT_BYTES (4ULL << 20)
#define FAKE_REMAINS      "of another before" /* begins a new volume */

struct fake_volume {
    struct volume v;
    int fd;        /* what is on it */
    bool held;     /* by somebody else than us */
    bool stranger; /* it has no tags: of `v` only names and size are told */
    bool suspended;
    bool inactive;      /* its device is not there until LVM has activated it */
    char dependent[64]; /* what of others depends on it; empty: nothing */
};

struct fake_storage {
    struct fake_volume volumes[FAKE_MAX];
    size_t n_volumes;
    struct map maps[FAKE_MAX];
    size_t n_maps;
    bool device_fails;      /* nodes of volumes cannot be opened */
    bool map_fails;         /* nodes of maps cannot */
    const char *node_fails; /* udevd makes none for a map whose name starts so; NULL: it makes all */
    unsigned *settled;      /* counts how often it was waited for; NULL */
    const char *group_gone; /* LVM does not find this group; NULL: all are there */
    bool replaced; /* a person has made another disk under the name of each volume: seen when LVM is asked */
    bool find_fails; /* whether a volume has a uuid cannot be asked */

    /* Does this call of these headers fail? NULL: none does. */
    bool (*fails)(const char *call);
};
extern struct fake_storage fake_storage;

void fake_storage_add(const struct volume *v);
void fake_storage_add_stranger(const struct volume *v);
void fake_storage_add_map(const char *name, const char *uuid);
void fake_storage_clear(void);
