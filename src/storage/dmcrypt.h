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

/* Whether to wait for udevd, which makes and removes the nodes of maps, several at a time. */
enum settle {
    SETTLE_NOW,
    SETTLE_LATER /* the caller calls dmcrypt_settle() later */
};

struct map_options {
    dev_t below;      /* the volume; the caller holds it open, else another could get its number */
    uint32_t flags;   /* enum crypt_flag */
    enum map_use use; /* as the map is marked */
    bool read_only;
    bool plain_iv; /* counts 512-byte units for the IV whatever the sector size, as LUKS2 does; for mayfly
                      bench */
    enum settle settle;
};

/* Returns CRYPT_VERSION() of the kernel's dm-crypt, which is loaded if need be; 0: there is none, or it is
 * not told. */
uint32_t dmcrypt_version(void);

/* Opens the map of `v`, whose key has been verified. If the map is open already, and over this volume,
 * *ret_was_open says so, and the map is made as long as the volume; its users go on meanwhile. -EBUSY: it is
 * open read-only while o->read_only is false, or the other way round. -EUNSAFE: another map has its name or
 * its uuid. -ENODEV: no device-mapper, or no dm-crypt. */
int dmcrypt_open(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_was_open, struct error *e) _must_check_;

/* Gives the open map of `v`, whose key has been verified, a table with these flags and as long as the volume;
 * its users go on meanwhile. *ret_changed is false if it has such a table. -ENOENT: the map is not open.
 * -EUNSAFE: as above. */
int dmcrypt_tune(const struct volume *v, const struct secret *volume_key, const struct map_options *o,
                 bool *ret_changed, struct error *e) _must_check_;

/* Closes the map; 0 also if there is none. Waits a bounded time for a holder that is about to leave, then
 * -EBUSY. -EUNSAFE: the map of this name is not ours. */
int dmcrypt_close(const char *map_name, enum settle settle, struct error *e) _must_check_;

/* Waits until udevd has made the nodes of all open maps and removed those of closed ones. */
void dmcrypt_settle(void);

/* Closes a map that was opened with SETTLE_LATER, if its node does not lead to it. */
int dmcrypt_check_node(const struct volume *v, struct error *e) _must_check_;

/* Lists all our maps on this host. The caller frees *ret. */
int dmcrypt_list(struct map **ret, size_t *ret_n, struct error *e) _must_check_;

/* Whether the map of this name leads to the device that `fd` is open on, and to nothing else. */
bool dmcrypt_leads_to(const char *map_name, int fd);

/* Finds a map by name. -ENOENT if there is none, -EUNSAFE if it is not ours. */
int dmcrypt_find(const char *map_name, struct map *ret, struct error *e) _must_check_;
