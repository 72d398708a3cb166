/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a key folder: one line "UID.RANDOM" in its file "identity", written once. It is the place
 * in the references of its keys. The UID helps whoever looks for a key in the wrong folder. */
#pragma once

#include "keys/local-file.h"

/* `path` of the folder is for the sentences.
 * "": the folder has none. -EKEYREJECTED: the file is damaged. */
int local_identity_read(int folder_fd, const char *path, char ret[KEY_PLACE_MAX],
                        struct error *e) _must_check_;

/* The same; makes it if it is missing (one wins of several that try at once). Not beside keys that were made
 * under an identity: then it was lost, or is not mounted (-EKEYREJECTED). */
int local_identity_ensure(int folder_fd, const char *path, char ret[KEY_PLACE_MAX],
                          struct error *e) _must_check_;

/* Is it the identity of another user's folder? `ret_name` is "ann (1001)". False: of this user's, or of no
 * folder. */
bool local_identity_foreign(const char *place, char ret_name[64]);
