/* SPDX-License-Identifier: Apache-2.0 */
/* AES-XTS as dm-crypt has it (plain64, iv_large_sectors), by OpenSSL: what wants nothing of ours in between.
 */
#pragma once

#include "secret/secret.h"

#include <openssl/evp.h>

static inline void openssl_xts(int encrypt, const struct secret *key, uint32_t sector_bytes, uint64_t first,
                               uint8_t *bytes, size_t n_bytes)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = secret_size(key) == 32 ? EVP_aes_128_xts() : EVP_aes_256_xts();
    int n = 0;
    for (size_t at = 0; at < n_bytes; at += sector_bytes) {
        uint64_t tweak[2] = {first + at / sector_bytes, 0};
        if (EVP_CipherInit_ex(context, cipher, NULL, secret_peek(key), (uint8_t *)tweak, encrypt) <= 0 ||
            EVP_CipherUpdate(context, bytes + at, &n, bytes + at, (int)sector_bytes) <= 0)
            abort();
    }
    EVP_CIPHER_CTX_free(context);
}
