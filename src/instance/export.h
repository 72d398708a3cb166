/* SPDX-License-Identifier: Apache-2.0 */
/* One export; private to export*.c. */
#pragma once

#include "image/file.h"
#include "instance/disks.h"
#include "instance/keys.h"
#include "instance/operations.h"

struct export
{
    const struct context *context;
    const struct export_request *request;
    struct model *model; /* as seen under the lock */
    const struct instance *instance;
    const struct volume *origin;
    struct volume v; /* the snapshot: its names and uuid; the rest as of the origin; size_bytes: its room */
    struct secret *volume_key; /* from its making until the snapshot is open */
    struct opened disk;        /* open until the file is written */
    struct keymgr *km;         /* NULL: the image is in plaintext */
    char key_id[KEY_ID_MAX];
    struct secret *key; /* of the image, until that is written */
    struct image_file *file;
};

/* Checks, and fills in all but the keys and the descriptor; in export-check.c. */
int export_check(struct export *s, struct error *e) _must_check_;

/* Frees what it holds, not the struct. */
struct export *export_free(struct export *s);
DEFINE_CLEANUP(struct export *, export_free)
