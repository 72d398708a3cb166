/* SPDX-License-Identifier: Apache-2.0 */
/* The key and the volume that the vectors of test_check.c and test_derive.c are for. */
#pragma once

#include "secret/secret.h"
#include "storage/volume.h"
#include "unit.h"

/* Bytes 0, 1, 2 ... */
static inline struct secret *counted(size_t size)
{
    struct error e = ERROR_NONE;
    struct secret *s = NULL;
    assert_ok(secret_new(size, &s, &e), e);
    for (size_t i = 0; i < size; i++)
        secret_bytes(s)[i] = (uint8_t)i;
    return s;
}

static inline struct volume a_volume(void)
{
    return (struct volume){
        .lv = "6f1e8a8e-0000-4000-8000-000000000000_disk",
        .instance = "6f1e8a8e-0000-4000-8000-000000000000",
        .disk = "6f1e8a8e-0000-4000-8000-000000000001",
        .role = "root",
        .cipher = "aes-xts-plain64",
        .key_bits = 512,
        .sector_bytes = 4096,
        .kdf = "hkdf-sha512",
        .key = "local:abc",
        .scope = KEY_SCOPE_BATCH,
        .fs = "ext4",
        .name = "ci-1",
        .check = "",
    };
}
