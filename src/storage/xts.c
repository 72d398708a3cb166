/* SPDX-License-Identifier: Apache-2.0 */
/* AES-XTS by OpenSSL. The tweak of a sector is its number, little-endian ("plain64"). OpenSSL's own copy of
 * the key is wiped when its context is freed. See xts.h. */
#include "storage/xts.h"

#include <openssl/evp.h>

#define TWEAK_BYTES 16

static int decrypt_sector(EVP_CIPHER_CTX *context, uint64_t number, uint8_t *bytes)
{
    uint8_t tweak[TWEAK_BYTES] = {0};
    int n = 0;
    for (size_t i = 0; i < sizeof number; i++)
        tweak[i] = (uint8_t)(number >> 8 * i);
    return EVP_DecryptInit_ex(context, NULL, NULL, NULL, tweak) > 0 &&
           EVP_DecryptUpdate(context, bytes, &n, bytes, XTS_SECTOR_BYTES) > 0 && n == XTS_SECTOR_BYTES;
}

int xts_decrypt(const struct secret *volume_key, struct secret *data, struct error *e)
{
    size_t key_bytes = secret_size(volume_key), size = secret_size(data);
    if ((key_bytes != 32 && key_bytes != 64) || size % XTS_SECTOR_BYTES)
        return error_set(e, -EINVAL,
                         "decryption: a key of %zu bytes, or %zu bytes of data, do not suit AES-XTS",
                         key_bytes, size);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context)
        return error_memory(e);
    int ok = EVP_DecryptInit_ex(context, key_bytes == 32 ? EVP_aes_128_xts() : EVP_aes_256_xts(), NULL,
                                secret_peek(volume_key), NULL);
    for (size_t at = 0; ok > 0 && at < size; at += XTS_SECTOR_BYTES)
        ok = decrypt_sector(context, at / XTS_SECTOR_BYTES, secret_bytes(data) + at);
    EVP_CIPHER_CTX_free(context);
    return ok > 0 ? 0 : error_set(e, -EIO, "decryption: OpenSSL's AES-XTS failed");
}
