/* SPDX-License-Identifier: Apache-2.0 */
/* One adoption; private to adopt*.c.
 *
 *     adopt_look()     adopt-look.c   which volumes, with which key, as what; changes nothing
 *     instance_adopt() adopt.c        the steps
 */
#pragma once

#include "instance/disks.h"
#include "instance/operations.h"

#define ADOPT_MANAGER "local" /* manager for a key that no manager has */

struct adoption {
    const struct context *context;
    const struct adopt_request *request;
    struct model *model;    /* the look before the adoption */
    struct volume *volumes; /* the volumes as they will be, the first disk first */
    size_t n_volumes;
    struct key_info imports; /* id "": a manager has the key already */
};

/* Fills in all but context and request. *ret_done: the instance is adopted already, and nothing is to be
 * done. */
int adopt_look(struct adoption *a, bool *ret_done, struct error *e) _must_check_;
