/* SPDX-License-Identifier: Apache-2.0 */
/* Removes an instance, or one disk of it, for good. delete, unrescue and recover all end here.
 *
 *     doomed -> domain gone -> maps closed -> key destroyed, seen gone -> volumes removed
 *
 * Several instances are removed together: each step is done for all at once, if possible. A removal that
 * fails keeps its error and drops out, and the others go on.
 *
 * A domain that others have defined, or that keeps other disks, stays: the disks are taken out of it. If only
 * the rescue disk is removed, the domain gets its definition back. Each step may be repeated, and nothing is
 * undone: recover finishes a removal that was stopped.
 */
#pragma once

#include "instance/disks.h"
#include "instance/keys-going.h"
#include "instance/steps.h"

/* Whether the volumes are removed even if the key cannot be destroyed. */
enum key_demand {
    KEY_MUST_GO,
    KEY_LEFT_IF_DENIED, /* yes, if the caller has no right to the key: its owner's next recover destroys it */
    KEY_FORGOTTEN,      /* yes, whatever the reason; a person has asked for this */
};

struct removal {
    const struct model *model;
    const struct instance *instance;
    const struct volume *const *volumes; /* to remove: all, first disk first; or some without the first */
    size_t n_volumes;
    bool whole; /* the instance is removed, with its domain */
    enum key_demand demand;
    bool begun;         /* set by the first step: from then on there is no way back */
    struct key_end key; /* what became of its key; of several keys, of one that was not destroyed */

    struct removal *next; /* removed at the same time, of the same model; NULL: none */
    struct error error;   /* why it stopped; errnum 0: it did not */
};

/* Checks that it may begin: the domain is ours or idle, and no volume has damaged tags. -EUNSAFE. */
int removal_check(const struct removal *r, struct error *e) _must_check_;

/* Describes the removal of all volumes of `i`, with its domain. */
static inline struct removal removal_of(const struct model *m, const struct instance *i)
{
    return (struct removal){
        .model = m, .instance = i, .volumes = i->volumes, .n_volumes = i->n_volumes, .whole = true};
}

/* True if one of its volumes names this key. */
bool removal_has_key(const struct removal *r, const char *key);

/* Removes the snapshot of an export that was cut off: its map, the key of the unfinished image, its volume.
 */
int snapshot_remove(const struct context *c, const struct volume *v, struct error *e) _must_check_;

/* Adds the steps for the list that begins with `r`, which must outlive the steps. */
int removal_add_steps(struct steps *s, struct removal *r, struct error *e) _must_check_;

/* Gives the domain, which must not run, back the definition that it had before its rescue; 0 if it is not in
 * rescue, or does not exist. */
int domain_restore_definition(const struct context *c, const char *uuid, struct error *e) _must_check_;

/* Ends and undefines the domain, which must be ours; durable when it returns. 0 if there is none. */
int domain_remove(const struct context *c, const char *uuid, struct error *e) _must_check_;
