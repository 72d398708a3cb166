/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out whether a volume that is not seen may need a key. A look at the volumes can be incomplete in many
 * ways, and absence proves nothing: a key in doubt is not destroyed. Each function returns 0, or -EUNSAFE
 * with the object, the reason and the way out. Those that ask libvirt may also return its errors. */
#pragma once

#include "instance/key-list.h"
#include "storage/active.h"

/* Evidence about keys that are judged at the same moment. Each part is looked up when it is first needed.
 * Begins as zeros. */
struct doubts {
    bool knows_domains, knows_active;
    struct error domains; /* errnum 0: no doubt */
    struct active_list active;
};
void doubts_end(struct doubts *d);
#define _cleanup_doubts_ _cleanup_(doubts_end)

/* Doubts every key of the volume group, if the group is not seen as a whole, or one of its volumes is not
 * understood. */
int doubt_of_group(const struct inventory *i, const char *vg, struct error *e) _must_check_;

/* Doubts a key of one instance, named by its volumes: only possible further volumes of that instance
 * count. */
int doubt_of_instance(const struct inventory *i, const char *vg, const char *uuid,
                      struct error *e) _must_check_;

/* Doubts a key if a domain names disks of its own uuid, while none of its volumes is seen. Then the group was
 * split, replaced, or restored from an old backup of its metadata, and LVM still shows it as whole. A clone
 * of an instance has its mark, but disks of other names: it says nothing of keys. Nor does a domain of Nova
 * whose volumes are seen and not adopted. `i` is a look under the lock of the uuid. */
int doubt_of_domain(const struct context *c, const struct inventory *i, const char *uuid,
                    struct error *e) _must_check_;

/* Doubts a key that any domain may need, as doubt_of_domain() does: one that a batch shares, or a damaged
 * one. Looks at the volumes itself. */
int doubt_of_any_domain(const struct context *c, struct doubts *once, struct error *e) _must_check_;

/* Doubts a key if a volume that may belong to instance `uuid` (NULL: to any) is in a group that is not
 * configured. Its tags, which are not seen, may name the key. */
int doubt_of_elsewhere(const struct context *c, struct doubts *once, const char *uuid,
                       struct error *e) _must_check_;

/* Doubts a key that a manager lists and no volume names. `l` lists all keys, `i` is a look under the lock of
 * the key's owner. */
int doubt_of_unnamed(const struct context *c, const struct key_list *l, const struct inventory *i,
                     struct doubts *once, const struct key_entry *k, struct error *e) _must_check_;
