/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's part of the audit trail: an entry for each volume that a request changes, or tries to. */
#pragma once

#include "broker/operations.h"
#include "broker/session.h"

/* What a request is about, noted before it is carried out: afterwards a volume may be gone. */
struct trail {
    enum op op;
    const char *action; /* NULL: the request changes nothing */
    size_t n;
    struct trail_volume {
        struct volume_ref ref;
        char key[KEY_REF_MAX]; /* "": not known, or a plain volume */
    } volume[WIRE_VOLUMES_MAX];
};

/* `body` is the request after it was authorised. */
void trail_begin(struct trail *t, struct session *s, enum op op, const void *body);

/* Writes the entries, if anything was changed, or failed. */
void trail_end(struct trail *t, struct session *s, int result, const struct reply *reply,
               const struct error *e);
