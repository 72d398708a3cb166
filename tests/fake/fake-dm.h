/* SPDX-License-Identifier: Apache-2.0 */
/* Device-mapper, udevd and a key ring, in memory, behind libdevmapper's and libkeyutils' own functions: so
 * what src/storage makes of them runs without root, and each request can fail. The kernel's part is checked
 * as the kernel does: a crypt target without its key is not made, a map that is held is not removed.
 *
 * Link it beside the library `storage`, and with fake_dm_wraps of tests/fake/meson.build.
 */
#pragma once

#include "base/str.h"

#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <sys/types.h>

#define FAKE_DM_MAX   16
#define FAKE_DM_MAJOR 253

struct fake_dm_table {
    bool there;
    char type[16];
    char params[400];
    uint64_t sectors;
    uint64_t more_sectors; /* of a second target */
    dev_t below[2];
    bool read_only;
    uint8_t key[64]; /* the kernel's copy */
    size_t key_bytes;
};

struct fake_dm_device {
    char name[DM_NAME_LEN], uuid[DM_UUID_LEN];
    dev_t device;
    struct fake_dm_table live, next;
    bool suspended;
    int held;           /* open so often by others than maps */
    unsigned held_msec; /* they leave after this time; 0: never */
    bool node;          /* /dev/mapper/NAME is there */
    bool probed;        /* udevd has let others look into it */
};

struct fake_key {
    char type[16], description[96];
    uint8_t payload[64];
    size_t size;
    bool linked, revoked;
};

struct fake_dm {
    struct fake_dm_device devices[FAKE_DM_MAX];
    size_t n_devices;
    unsigned n_made; /* also those that are gone: no number is used twice */
    struct fake_key keys[4];
    size_t n_keys;
    bool absent;   /* the kernel has no device-mapper */
    bool no_crypt; /* ... no dm-crypt */
    bool filters;  /* it lists by the uuid's beginning: Linux 5.13 */
    bool ring_full;
    bool udevd;           /* runs */
    bool udevd_stuck;     /* and does nothing */
    bool completed;       /* somebody has said so in its place */
    dev_t node_elsewhere; /* where nodes lead that udevd makes; 0: where they should */
    unsigned now_msec;
    unsigned cookies; /* of udevd, not finished */

    /* Does this request fail? NULL: none does. */
    bool (*fails)(const char *request);
};
extern struct fake_dm fake_dm;

void fake_dm_clear(void);

/* A device with one target, over `below` (0: over none). */
struct fake_dm_device *fake_dm_add(const char *name, const char *uuid, uint64_t sectors, const char *type,
                                   dev_t below);
struct fake_dm_device *fake_dm_find(const char *name); /* NULL: there is none */

/* Keys in the ring that somebody could still find or use. */
size_t fake_dm_keys_left(void);
