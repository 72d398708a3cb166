/* SPDX-License-Identifier: Apache-2.0 */
/* One rescue; private to rescue*.c. */
#pragma once

#include "instance/disks.h"
#include "instance/operations.h"

struct rescue {
    const struct rescue_request *request;
    struct model *model;
    const struct instance *instance;
    struct disks disks; /* the instance's own disks, as they were before the rescue */
    struct image *image;
    struct secret *secret; /* of the instance, from its fetching until the rescue disk is open; NULL: plain */
    struct volume v;       /* the rescue disk */
    bool made;
    struct opened disk; /* between opening it and writing the image */
};

/* Makes the current definition of the domain, with the rescue disk added. The caller frees *ret. */
int rescue_definition(const struct context *c, const struct rescue *r, char **ret,
                      struct error *e) _must_check_;

/* Steps, whose object is the rescue. */
step_fn rescue_fetch_key, rescue_fetch_key_undo, rescue_create, rescue_create_undo, rescue_open,
    rescue_open_undo, rescue_fill, rescue_close, rescue_stop, rescue_stop_undo, rescue_define,
    rescue_define_undo, rescue_ready, rescue_ready_undo, rescue_start, rescue_start_undo;
