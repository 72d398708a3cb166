/* SPDX-License-Identifier: Apache-2.0 */
/* The sealing key of the local key manager: 32 random bytes in a file of their own, made once. */
#pragma once

#include "secret/secret.h"

/* `name` is a name in the folder, or an absolute path. */

/* Reads it. *ret is NULL if there is none. -EACCES: others may read it, or it belongs to someone else.
 * -EKEYREJECTED: its size is wrong. */
int local_seal_read(int folder_fd, const char *name, struct secret **ret, struct error *e) _must_check_;

/* As local_seal_read(), but makes the key if it is missing (one wins of several that try at once). Never
 * beside keys, which a new sealing key could not unseal (-EKEYREJECTED). */
int local_seal_ensure(int folder_fd, const char *name, struct secret **ret, struct error *e) _must_check_;
