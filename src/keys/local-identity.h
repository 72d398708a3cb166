/* SPDX-License-Identifier: Apache-2.0 */
/* Which key folder it is: the file "identity" in it has one line, "UID.RANDOM", written once. It is the place
 * in the references of its keys, and the owner in it is for whoever looks for a key in the wrong folder. */
#pragma once

#include "keys/local-file.h"

/* `path` of the folder is for the sentences.
 * "": the folder has none. -EKEYREJECTED: the file is damaged. */
int local_identity_read(int folder_fd, const char *path, char ret[KEY_PLACE_MAX],
                        struct error *e) _must_check_;

/* The same; made where it is missing, of several that try at once by one. But not beside keys that were made
 * under an identity: then it was lost, or is not mounted (-EKEYREJECTED). */
int local_identity_ensure(int folder_fd, const char *path, char ret[KEY_PLACE_MAX],
                          struct error *e) _must_check_;

/* Is it of another user's folder, and whose? `ret_name` is "ann (1001)". False: of this user's, or of no
 * folder. */
bool local_identity_foreign(const char *place, char ret_name[64]);
