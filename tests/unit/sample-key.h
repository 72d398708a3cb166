/* SPDX-License-Identifier: Apache-2.0 */
/* Volume keys of tests. */
#pragma once

#include "secret/secret.h"
#include "unit.h"

/* Makes a key of 64 bytes: `start`, and so on. The caller frees it. */
static inline struct secret *key_of(uint8_t start)
{
    struct secret *key = NULL;
    OK(secret_new(64, &key, &e));
    for (size_t i = 0; i < 64; i++)
        secret_bytes(key)[i] = (uint8_t)(start + i);
    return key;
}
