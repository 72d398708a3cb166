/* SPDX-License-Identifier: Apache-2.0 */
/* The wanted contents of a seed disk, as the user gives them (image/seed.h). */
#pragma once

#include "image/seed.h"
#include "instance/context.h"

/* All NULL: no seed disk is wanted. */
struct wanted_seed {
    const char *ssh_keys; /* one on each line */
    const struct secret *user_data;
    const char *hostname; /* NULL: the name of the instance */
};

static inline bool seed_wanted(const struct wanted_seed *w)
{
    return w->ssh_keys || w->user_data || w->hostname;
}

/* Checks that a seed of the instance of this name can hold that. -EINVAL. Warns of user data that cloud-init
 * would ignore. */
int wanted_seed_check(const struct context *c, const struct wanted_seed *w, const char *instance,
                      struct error *e) _must_check_;

#define HOSTNAME_FIELD (SEED_HOSTNAME_MAX + 11) /* a number may follow */

/* Makes the host name of an instance; `number` from 1 if there are several, else 0. -EINVAL: no name is
 * given, and the instance's name cannot be a host name. */
int wanted_seed_hostname(const struct wanted_seed *w, const char *instance, unsigned number,
                         char field[HOSTNAME_FIELD], struct error *e) _must_check_;
