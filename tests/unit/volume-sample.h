/* SPDX-License-Identifier: Apache-2.0 */
/* Two volumes that are as they should be, to be spoiled by tests. */
#pragma once

#include "storage/volume.h"

static inline struct volume sample_volume(void)
{
    static const struct volume sample = {
        /* static: of zeros between its members too */
        .vg = "vg0",
        .lv = "11111111-1111-4111-8111-111111111111_disk.eph0",
        .size_bytes = 1 << 20,
        .instance = "11111111-1111-4111-8111-111111111111",
        .name = "ci-1",
        .disk = "22222222-2222-4222-8222-222222222222",
        .role = "eph0",
        .state = VOLUME_READY,
        .cipher = "aes-xts-plain64",
        .key_bits = 512,
        .sector_bytes = 4096,
        .key = "local:abc",
        .scope = KEY_SCOPE_BATCH,
        .kdf = "hkdf-sha512",
        .check = "00112233445566778899aabbccddeeff",
    };
    return sample;
}

static inline struct volume sample_plain_volume(void)
{
    struct volume v = sample_volume();
    strcpy(v.cipher, "none");
    v.key_bits = v.sector_bytes = 0;
    v.key[0] = v.kdf[0] = v.check[0] = '\0';
    v.scope = KEY_SCOPE_INSTANCE;
    return v;
}
