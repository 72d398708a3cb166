/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a key folder: one line "UID.RANDOM" in its file "identity", written once. It is the place
 * in the references of its keys. The UID helps people who look for a key in the wrong folder. */
#pragma once

#include "keys/local-file.h"

/* Reads the identity; "": the folder has none. `path`, that of the folder, is for messages. -EKEYREJECTED:
 * the file is damaged. */
int local_identity_read(int folder_fd, const char *path, char ret[KEY_PLACE_MAX],
                        struct error *e) _must_check_;

/* As local_identity_read(), but makes the identity if it is missing (one wins of several that try at once).
 * Not beside keys that were made under an identity: that was lost, or is not mounted (-EKEYREJECTED). */
int local_identity_ensure(int folder_fd, const char *path, char ret[KEY_PLACE_MAX],
                          struct error *e) _must_check_;

/* Whether `place` is the identity of another user's folder. `ret_name` gets the user: "ann (1001)". */
bool local_identity_foreign(const char *place, char ret_name[64]);
