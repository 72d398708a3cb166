/* SPDX-License-Identifier: Apache-2.0 */
/* One disk of one instance: a logical volume, or a file, and what its tags say. The tags are the only record
 * that Mayfly keeps of a disk; mayfly-tags(7) is the table of them.
 *
 *     LV   <instance uuid>_disk[.eph0|.swap|...]
 *     map  <LV>-dmcrypt, device-mapper UUID MAYFLY-<disk uuid>, and a mark (map.h)
 *
 * A struct volume has no pointers, so that it goes through a socket as it is; volume_check() decides whether
 * one that came from elsewhere can be believed.
 */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "config/config.h"
#include "storage/file-systems.h"

#include <stdbool.h>
#include <stdint.h>

#define VOLUME_INFIX      "_disk"
#define LV_NAME_MAX       64  /* <uuid>_disk.rescue is 48 */
#define KEY_REF_MAX       192 /* "barbican:https://..." */
#define CIPHER_MAX        48  /* "aes-xts-plain64", or "none" for a plain volume */
#define KDF_MAX           24  /* "hkdf-sha512", "nova-ripemd160" */
#define CHECK_MAX         35  /* "2:", 16 bytes in hex and a NUL */
#define ROLE_MAX          8   /* root, local, eph0..eph99, swap, seed, snap, rescue, bench */
#define INSTANCE_NAME_MAX 64
#define ALIAS_MAX         64

/* In the order of a disk's life. A new disk begins as building, an adopted one as adopting. */
enum volume_state { VOLUME_BUILDING, VOLUME_ADOPTING, VOLUME_READY, VOLUME_REBUILDING, VOLUME_DOOMED };

/* The check value begins with the number of its scheme; that of scheme 1 has none. See check.h. */
#define CHECK_SCHEME_2   "2:"
#define CHECK_HEX_DIGITS 32

/* Who shares a secret: the disks of one instance; those of a batch; an exported image file, whose secret no
 * volume names; or the caller who named the secret, which Mayfly then never destroys. */
enum key_scope { KEY_SCOPE_INSTANCE, KEY_SCOPE_BATCH, KEY_SCOPE_IMAGE, KEY_SCOPE_CALLER };

/* Who opens the disk for a guest: device-mapper, or a process of ours, which serves the disk on a socket
 * (engine/engine.h). The bytes on the volume are the same. */
enum volume_engine { ENGINE_DM_CRYPT, ENGINE_USER };
#define ENGINE_USER_CIPHER "aes-xts-plain64" /* the only one that our process has */

struct volume {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
    uint64_t size_bytes;

    char instance[UUID_TEXT];     /* mayfly.instance: the libvirt domain's uuid */
    char name[INSTANCE_NAME_MAX]; /* mayfly.name: the domain's name when it was launched */
    char disk[UUID_TEXT];         /* mayfly.disk: this disk alone; salt of its key */
    char role[ROLE_MAX];          /* mayfly.role */
    enum volume_state state;      /* mayfly.state */
    char fs[FS_MAX];       /* mayfly.fs: the file system that was made on it; empty: none, or an image */
    char alias[ALIAS_MAX]; /* mayfly.alias: the caller's name for the disk; empty: none */

    /* A plain volume has cipher "none" and nothing in the rest. */
    char cipher[CIPHER_MAX]; /* mayfly.cipher: as dm-crypt and cryptsetup write it */
    uint32_t key_bits;       /* mayfly.bits: of the volume key */
    uint32_t sector_bytes;   /* mayfly.sector: 512 or 4096 */
    char
        key[KEY_REF_MAX]; /* mayfly.key: MANAGER:PLACE/ID of the secret that the volume key is derived from */
    enum key_scope scope; /* mayfly.scope: who shares that secret */
    char kdf[KDF_MAX];    /* mayfly.kdf */
    char check[CHECK_MAX];     /* mayfly.check: see check.h */
    enum volume_engine engine; /* mayfly.engine; without the tag, dm-crypt */
};

#define ROLE_RESCUE "rescue"

/* Whether it is the rescue disk, which is there only between mayfly rescue and unrescue. */
static inline bool volume_is_rescue(const struct volume *v)
{
    return streq(v->role, ROLE_RESCUE);
}

/* A file system that is read at the first boot (image/seed.h); the guest has it read-only. */
#define ROLE_SEED "seed"
static inline bool volume_is_seed(const struct volume *v)
{
    return streq(v->role, ROLE_SEED);
}

/* In place of a group's name, for a volume that is a file in a folder of the user's, which a process serves
 * to the guest (engine/engine.h). Digits follow that no other folder has. No volume group can have such a
 * name. */
#define VOLUME_FOLDER_PREFIX    "dir:"
#define VOLUME_FOLDER_ID_DIGITS 12 /* hex */
static inline bool volume_group_is_folder(const char *vg)
{
    return str_starts(vg, VOLUME_FOLDER_PREFIX);
}
static inline bool volume_in_folder(const struct volume *v)
{
    return volume_group_is_folder(v->vg);
}

/* Whether it could be where a volume is: a volume group, or a folder. */
bool volume_group_valid(const char *vg);

/* Whether the disk is encrypted. */
static inline bool volume_encrypted(const struct volume *v)
{
    return !streq(v->cipher, "none");
}

/* An LVM snapshot of another disk of the instance, which exists while it is written to an image file. The
 * other disk's key opens it. Never ready: see broker/ops.def. */
#define ROLE_SNAPSHOT "snap"
static inline bool volume_is_snapshot(const struct volume *v)
{
    return streq(v->role, ROLE_SNAPSHOT);
}

/* Whether a process serves the disk to its guest. Then what the guest gets is a socket. No guest gets
 * a snapshot. */
static inline bool volume_served(const struct volume *v)
{
    return volume_in_folder(v) || (v->engine == ENGINE_USER && !volume_is_snapshot(v));
}

/* The scratch volume of mayfly bench. It has no instance and is never ready, so that recover removes it if
 * the bench was cut off. */
#define ROLE_BENCH "bench"
static inline bool volume_is_bench(const struct volume *v)
{
    return streq(v->role, ROLE_BENCH);
}

/* How the scratch volume is lent. */
enum bench_table { BENCH_TABLE_NONE, BENCH_TABLE_OURS, BENCH_TABLE_CRYPTSETUP, BENCH_TABLES };

/* Whether it is still being written, so that its contents do not count yet. */
static inline bool volume_unfinished(const struct volume *v)
{
    return v->state == VOLUME_BUILDING || v->state == VOLUME_REBUILDING;
}

/* How the volume key is derived from the secret. Those of Nova are for disks that Nova made: cryptsetup's
 * hash of the secret's hex digits. */
#define KDF_HKDF_SHA512    "hkdf-sha512"
#define KDF_NOVA_RIPEMD160 "nova-ripemd160"
#define KDF_NOVA_SHA256    "nova-sha256"

/* Whether Nova made it. Then it was adopted. */
static inline bool volume_novas(const struct volume *v)
{
    return str_starts(v->kdf, "nova-");
}

/* Checks that every field has its form, and that the LV's name is that of its instance and role. This
 * function alone decides whether a volume from a socket or from LVM is believed. -EINVAL. */
int volume_check(const struct volume *v, struct error *e) _must_check_;

/* Whether it could be the name of an instance in a tag. A domain may have others. */
bool volume_instance_name_valid(const char *name);

/* Whether it could be a caller's name for a disk: letters, digits and "_.-+", and not a role. */
bool volume_alias_valid(const char *alias);

/* Whether it is root, local, eph0 to eph99, swap, seed, snap, rescue or bench. */
bool volume_role_valid(const char *role);

/* Whether it could be the name of one of our volumes: <uuid>_disk, with or without .ROLE. */
bool volume_lv_name_valid(const char *lv);

/* Orders for qsort(): by instance, then the root disk, then local, eph0, eph1 ... eph10, then swap, the seed,
 * a snapshot. */
int volume_order(const void *a, const void *b);

/* Sets v->lv from v->instance and v->role. */
void volume_set_lv_name(struct volume *v);

/* "<lv>-dmcrypt"; the field has LV_NAME_MAX + 8 bytes at least. */
#define MAP_NAME_SUFFIX "-dmcrypt"
#define MAP_NAME_MAX    (LV_NAME_MAX + 8)
void volume_map_name(const struct volume *v, char field[MAP_NAME_MAX]);

/* Folders of the sockets by which disks are served: the host's, and that of the user who runs this. */
#define SOCKETS_OF_HOST  "/run/mayfly/disks"
#define SOCKETS_PATH_MAX 120
void volume_sockets_of_user(char path[SOCKETS_PATH_MAX]);

/* Writes what a guest gets: /dev/mapper/<map>; for a plain volume /dev/<vg>/<lv>; for a disk that is served
 * its socket, <folder of sockets>/<lv>. */
#define DEVICE_PATH_MAX 192
void volume_device_path(const struct volume *v, char field[DEVICE_PATH_MAX]);

const char *volume_state_name(enum volume_state state);
int volume_state_parse(const char *text, enum volume_state *ret) _must_check_;

static inline enum volume_engine volume_other_engine(enum volume_engine engine)
{
    return engine == ENGINE_USER ? ENGINE_DM_CRYPT : ENGINE_USER;
}
const char *volume_engine_name(enum volume_engine engine); /* "dm-crypt", "user" */
int volume_engine_parse(const char *text, enum volume_engine *ret) _must_check_;

const char *key_scope_name(enum key_scope scope); /* "instance", ... */
int key_scope_parse(const char *text, enum key_scope *ret) _must_check_;
