/* SPDX-License-Identifier: Apache-2.0 */
/* The files that say who asks; private to context*.c. */
#pragma once

#include "keys/context.h"

/* Names of files that variables give, copied before the variables are cleared. NULL: not given. */
struct key_files {
    const struct config *config;
    char *clouds, *secure, *cacert;
};
int key_files_name(struct key_files *f, struct error *e) _must_check_;
void key_files_end(struct key_files *f);

/* Opens clouds.yaml and secure.yaml if ret->cloud is set, and the files of certificates that are named. What
 * is not there or cannot be read is left out, but for a file that OS_CLIENT_CONFIG_FILE or
 * OS_CLIENT_SECURE_FILE names. */
int key_files_open(const struct key_files *f, struct key_context *ret, struct error *e) _must_check_;
