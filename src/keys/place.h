/* SPDX-License-Identifier: Apache-2.0 */
/* What a reference says about the place of its key, and what a manager's answer proves. For keymgr.c and
 * keymgr-many.c. */
#pragma once

#include "keys/keymgr.h"

struct key_at {
    char place[KEY_PLACE_MAX]; /* "": the reference names none */
    const char *id;            /* the manager's own; points into the reference */
};

/* Splits an id. -EINVAL. Ids of a manager without places stay as they are. */
int key_locate(const struct keymgr *km, const char *id, struct key_at *ret, struct error *e) _must_check_;

/* Puts `place` before `id`; the place "" leaves `id` as it is. -EPROTO: it does not fit, or has a '/' of its
 * own. */
int key_add_place(const struct keymgr *km, const char *place, char id[KEY_ID_MAX],
                  struct error *e) _must_check_;

/* Checks that this is the place of the reference; 0 also if the reference names none. -EHOSTUNREACH, -EACCES:
 * it names another. Other errors: the place cannot be asked. */
int key_check_place(struct keymgr *km, const struct key_at *at, struct error *e) _must_check_;

/* Judges the manager's answer `why` that it has no such key. -ENOKEY: it is gone for good. Else as
 * key_check_place(); -EHOSTUNREACH if the reference names no place. */
int key_judge_absence(struct keymgr *km, const struct key_at *at, const struct error *why, struct error *e);

/* Destroys keys that this run has made, by the manager's own ids. Places are not checked. */
void key_ask_destroy(struct keymgr *km, struct key_asked k[], size_t n);
