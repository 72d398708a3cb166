/* SPDX-License-Identifier: Apache-2.0 */
/* New disks for a domain that exists, or that others define later. Private to add-disks.c, add-disk.c and
 * given-key.c. */
#pragma once

#include "instance/new-disks.h"

struct addition {
    struct new_disks new;
    const struct add_disks_request *request; /* add-disk: NULL */
    struct model *model;                     /* the look under the lock */
    const struct domain *domain; /* the model's, which gets the disks; add-disk: NULL if there is none */
    struct domain absent;        /* name and uuid of a domain that is not defined yet; add-disks alone */
    bool live;                   /* its running guest gets them, too */
    bool apart;                  /* its definition is left to the program that writes it */
};

/* Adds the steps: keys, volumes, contents, the definition, the commit. */
int addition_add_steps(struct steps *s, struct addition *a, struct error *e) _must_check_;

/* Gives back the lock of the instance. Warns if somebody has started the guest meanwhile from the old
 * definition. libvirt is asked after the lock is given back: the hook of such a start waits for the lock. */
void addition_let_go(const struct addition *a);

/* Frees the contents, not the struct. */
struct addition *addition_free(struct addition *a);
DEFINE_CLEANUP(struct addition *, addition_free)
