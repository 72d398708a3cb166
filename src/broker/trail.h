/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's part of the audit trail: an entry for each volume that a request changes, or tries to. */
#pragma once

#include "broker/operations.h"

/* The subject of a request, noted before it is carried out: afterwards a volume may be gone. */
struct trail {
    const char *action; /* NULL: the request changes nothing */
    size_t n;
    struct trail_volume {
        struct volume_ref ref;
        char key[KEY_REF_MAX]; /* "": not known, or a plain volume */
    } volume[WIRE_VOLUMES_MAX];
};

/* Notes the subject; `body` is the request after it was authorised. */
void trail_begin(struct trail *t, struct session *s, enum op op, const void *body);

/* Writes the entries, except for volumes that `reply` reports as unchanged. */
void trail_end(struct trail *t, struct session *s, const struct reply *reply, int result,
               const struct error *e);
