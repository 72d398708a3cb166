/* SPDX-License-Identifier: Apache-2.0 */
/* May a volume need a key although none is seen that does? A look at the volumes can be incomplete in many
 * ways, and what is not seen is no proof: as long as there is doubt no key is destroyed.
 *
 * Each function returns 0, or -EUNSAFE with the object, the reason and the way out. Those that ask libvirt
 * may also return its errors.
 */
#pragma once

#include "instance/key-list.h"
#include "storage/active.h"

/* What keys are judged by that are judged at the same moment. Each part is looked at once, when the first of
 * them needs it. Begins as zeros. */
struct doubts {
    bool knows_domains, knows_active;
    struct error domains; /* errnum 0: no doubt */
    struct active_list active;
};
void doubts_end(struct doubts *d);
#define _cleanup_doubts_ _cleanup_(doubts_end)

/* Any key of the volume group: it is not seen as a whole, or a volume in it is not understood. */
int doubt_of_group(const struct inventory *i, const char *vg, struct error *e) _must_check_;

/* A key that is the instance's alone, named by volumes of it: only what may be another volume of it counts.
 */
int doubt_of_instance(const struct inventory *i, const char *vg, const char *uuid,
                      struct error *e) _must_check_;

/* Libvirt's word against LVM's: is there a domain that names disks of its own uuid, and none of its volumes?
 * Then they are in a group that was split, replaced, or restored from an old backup of its metadata, which
 * LVM shows as whole. A clone of an instance has its mark, but disks of other names: it says nothing of keys.
 * Nor does a domain of Nova's whose volumes are seen and not adopted. `i` is a look under the lock of the
 * uuid. */
int doubt_of_domain(const struct context *c, const struct inventory *i, const char *uuid,
                    struct error *e) _must_check_;

/* The same of all domains, for a key that may be of any: shared by a batch, or damaged. Looks at the volumes
 * itself. */
int doubt_of_any_domain(const struct context *c, struct doubts *once, struct error *e) _must_check_;

/* Is there a volume that may be one of instance `uuid` (NULL: of any) in a group that is not configured? Its
 * tags, which are not seen, may name the key. */
int doubt_of_elsewhere(const struct context *c, struct doubts *once, const char *uuid,
                       struct error *e) _must_check_;

/* A key that a manager lists and no volume names. `l` says which keys there are, `i` is a look under the lock
 * of its owner. */
int doubt_of_unnamed(const struct context *c, const struct key_list *l, const struct inventory *i,
                     struct doubts *once, const struct key_entry *k, struct error *e) _must_check_;
