/* SPDX-License-Identifier: Apache-2.0 */
/* dm-crypt maps through libdevmapper. The key goes into the kernel's key ring as a `logon` key, the table
 * names only its description, and the key is unlinked as soon as the table is loaded.
 *
 *     guest -> /dev/mapper/<lv>-dmcrypt -> dm-crypt -> /dev/<vg>/<lv>
 */
#pragma once

#include "secret/secret.h"
#include "storage/choice.h"
#include "storage/map.h"

#include <sys/types.h>

/* udevd makes the nodes of a map, and takes them away; it works on several at once. */
enum settle {
    SETTLE_NOW,  /* wait for it */
    SETTLE_LATER /* go on; dmcrypt_settle() follows */
};

struct map_options {
    dev_t below;      /* the volume, which the caller holds open: its name could lead to another meanwhile */
    uint32_t flags;   /* enum crypt_flag */
    enum map_use use; /* as the map is marked */
    bool read_only;
    bool plain_iv; /* numbers sectors by 512 bytes whatever their size, as LUKS2 does; for mayfly bench */
    enum settle settle;
};

/* CRYPT_VERSION() of the kernel's dm-crypt, which is loaded if need be; 0: it has none, or does not tell. */
uint32_t dmcrypt_version(void);

/* Opens a map for `v`, whose key has been verified. -EEXIST: there is one for this disk already (and it leads
 * to this volume), which is now as long as the volume, if it was not: whoever uses it goes on meanwhile.
 * -EBUSY: there is one that is read-only, or is not, against what is wanted. -EUNSAFE: a map
 * has its name, or its uuid, that is not this disk's. -ENODEV: no device-mapper, or no dm-crypt. */
int dmcrypt_open(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 struct error *e) _must_check_;

/* Gives the open map of `v`, whose key has been verified, a table with these flags, and makes it as long as
 * the volume, if it has others: whoever uses it goes on meanwhile. Unchanged: it was so. -ENOENT: it is not
 * open. -EUNSAFE as above. */
int dmcrypt_tune(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_changed, struct error *e) _must_check_;

/* Closes it; 0 if there is none. Waits a bounded time for a holder that is about to leave, then -EBUSY.
 * -EUNSAFE: the name belongs to a map that is not ours. */
int dmcrypt_close(const char *map_name, enum settle settle, struct error *e) _must_check_;

/* Waits until the nodes of all maps are there, and those of closed ones gone. */
void dmcrypt_settle(void);

/* For a map that was opened with SETTLE_LATER: does its node lead to it? If not, the map is closed again. */
int dmcrypt_check_node(const struct volume *v, struct error *e) _must_check_;

/* All maps of ours on this host. The caller frees *ret. */
int dmcrypt_list(struct map **ret, size_t *ret_n, struct error *e) _must_check_;

/* Does the map of this name lead to the device that `fd` is open on, and to nothing else? */
bool dmcrypt_leads_to(const char *map_name, int fd);

/* One map by name. -ENOENT if there is none, -EUNSAFE if it is not ours. */
int dmcrypt_find(const char *map_name, struct map *ret, struct error *e) _must_check_;
