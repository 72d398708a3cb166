/* SPDX-License-Identifier: Apache-2.0 */
/* One adoption; private to adopt*.c.
 *
 *     adopt_look()     adopt-look.c   which volumes, with which key, as what; changes nothing
 *     instance_adopt() adopt.c        the steps
 */
#pragma once

#include "instance/disks.h"
#include "instance/operations.h"

#define ADOPT_MANAGER "local" /* keeps a key that is in no manager yet */

struct adoption {
    const struct context *context;
    const struct adopt_request *request;
    struct model *model;    /* before */
    struct volume *volumes; /* as they will be, lead first */
    size_t n_volumes;
    struct key_info imports; /* id "": the key is in its manager already */
};

/* Fills in all but context and request. *ret_done: it was adopted before, and there is nothing to do. */
int adopt_look(struct adoption *a, bool *ret_done, struct error *e) _must_check_;
