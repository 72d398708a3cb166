/* SPDX-License-Identifier: Apache-2.0 */
/* Removes an instance, or one disk of it, for good. delete, unrescue and recover all end here.
 *
 *     doomed -> domain gone -> maps closed -> key destroyed, seen gone -> volumes removed
 *
 * Several are removed together, each step for all of them at once if possible. One that cannot go on drops
 * out, with its error, and the others go on.
 *
 * A domain that others have defined, or that keeps other disks, stays: the disks are taken out of it. If only
 * the rescue disk is removed, the domain gets its definition back. Each step may be repeated, and nothing is
 * undone: the next recover goes on with a removal that was stopped.
 */
#pragma once

#include "instance/disks.h"
#include "instance/keys-going.h"
#include "instance/steps.h"

/* Are the volumes removed even if the key cannot be destroyed? */
enum key_demand {
    KEY_MUST_GO,
    KEY_LEFT_IF_DENIED, /* yes, where the caller has no right to it: recover destroys it, once its owner runs
                           that */
    KEY_FORGOTTEN,      /* yes, whatever the reason; asked for by a person */
};

struct removal {
    const struct model *model;
    const struct instance *instance;
    const struct volume *const *volumes; /* that go: the instance's, lead first; or some, but not the lead */
    size_t n_volumes;
    bool whole; /* the domain goes too */
    enum key_demand demand;
    bool begun;         /* set by the first step: from then on there is no way back */
    struct key_end key; /* what became of its key; of several, of one that did not go */

    struct removal *next; /* that goes at the same time, of the same model; NULL: none */
    struct error error;   /* why it got no further than it did; the steps fail where none got any further */
};

/* 0 if it may begin: the domain is ours or idle, no volume has damaged tags. -EUNSAFE with a sentence. */
int removal_check(const struct removal *r, struct error *e) _must_check_;

/* All volumes of `i`, with its domain. */
static inline struct removal removal_of(const struct model *m, const struct instance *i)
{
    return (struct removal){
        .model = m, .instance = i, .volumes = i->volumes, .n_volumes = i->n_volumes, .whole = true};
}

/* Does a volume of it name this key? */
bool removal_has_key(const struct removal *r, const char *key);

/* Removes a snapshot that was cut off: its map, the key of the image that it did not become, its volume. */
int snapshot_remove(const struct context *c, const struct volume *v, struct error *e) _must_check_;

/* Adds the steps of it and of those behind it. They must outlive them. */
int removal_add_steps(struct steps *s, struct removal *r, struct error *e) _must_check_;

/* Gives the domain, which must not run, the definition back that it had before its rescue; 0 if it has that,
 * or is gone. */
int domain_leave_rescue(const struct context *c, const char *uuid, struct error *e) _must_check_;

/* Ends and undefines the domain, which is ours, for good; 0 if there is none. */
int domain_remove(const struct context *c, const char *uuid, struct error *e) _must_check_;
