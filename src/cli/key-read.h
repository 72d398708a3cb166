/* SPDX-License-Identifier: Apache-2.0 */
/* A key that a person gives. */
#pragma once

#include "secret/secret.h"

/* Reads `fd` to its end: a key in hex, and perhaps a newline. -EINVAL: something else. */
int key_read_hex(int fd, struct secret **ret, struct error *e) _must_check_;
