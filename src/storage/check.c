/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF, and the value by which a disk knows its key: see check.h for what goes into it.
 *
 * OpenSSL writes straight into the secret memory of the result; the copy of the input that it keeps meanwhile
 * is wiped when its context is freed.
 */
#include "storage/check.h"

#include "base/str.h"
#include "config/cipher.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>

#define CHECK_BYTES    ((CHECK_HEX - 1) / 2)
#define INFO_MAX       320
#define HKDF_MAX_BYTES (255 * 64) /* RFC 5869, 2.3 */

static EVP_KDF_CTX *new_context(void)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    EVP_KDF_free(kdf); /* the context holds it */
    return context;
}

int hkdf_sha512(const struct secret *ikm, const char *salt, const char *info, size_t size,
                struct secret **ret, struct error *e)
{
    if (secret_size(ikm) == 0 || size == 0 || size > HKDF_MAX_BYTES)
        return error_set(e, -EINVAL, "key derivation: %zu bytes cannot be derived from a secret of %zu bytes",
                         size, secret_size(ikm));

    _cleanup_secret_ struct secret *out = NULL;
    int r = secret_new(size, &out, e);
    if (r < 0)
        return r;
    EVP_KDF_CTX *context = new_context();
    if (!context)
        return error_set(e, -ENOTSUP,
                         "key derivation: OpenSSL has no HKDF; see openssl list -kdf-algorithms");
    /* OSSL_PARAM has no const, but none of these is written to. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA512", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret_peek(ikm), secret_size(ikm)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, strlen(salt)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    int ok = EVP_KDF_derive(context, secret_bytes(out), size, params);
    EVP_KDF_CTX_free(context);
    if (ok <= 0)
        return error_set(e, -EIO, "key derivation: OpenSSL's HKDF with SHA-512 failed");
    *ret = TAKE_PTR(out);
    return 0;
}

int volume_check_value(const struct volume *v, const struct secret *volume_key, char hex[CHECK_HEX],
                       struct error *e)
{
    char info[INFO_MAX];
    int n = snprintf(info, sizeof info, CHECK_INFO_FORMAT, v->instance, v->role, v->cipher, v->key_bits,
                     v->sector_bytes, v->kdf);
    if (n < 0 || (size_t)n >= sizeof info)
        return error_set(e, -EINVAL, "volume %s: its tags are too long", v->lv);

    _cleanup_secret_ struct secret *value = NULL;
    int r = hkdf_sha512(volume_key, v->disk, info, CHECK_BYTES, &value, e);
    if (r < 0)
        return r;
    str_hex(secret_peek(value), CHECK_BYTES, hex);
    return 0;
}

int volume_check_key_form(const struct volume *v, const struct secret *volume_key, struct error *e)
{
    size_t size = secret_size(volume_key);
    if (size == 0 || size != v->key_bits / 8)
        return error_set(e, -EKEYREJECTED, "volume %s: cannot be opened: the key has %zu bits, not %u", v->lv,
                         size * 8, v->key_bits);
    if (!cipher_is_xts(v->cipher))
        return 0;
    uint8_t difference = 0;
    const uint8_t *bytes = secret_peek(volume_key);
    for (size_t i = 0; i < size / 2; i++)
        difference |= bytes[i] ^ bytes[size / 2 + i];
    if (!difference)
        return error_set(e, -EKEYREJECTED,
                         "volume %s: cannot be opened: the two halves of its XTS key are equal", v->lv);
    return 0;
}

int volume_verify_key(const struct volume *v, const struct secret *volume_key, struct error *e)
{
    char hex[CHECK_HEX];
    int r = volume_check_key_form(v, volume_key, e);
    if (r < 0)
        return r;
    r = volume_check_value(v, volume_key, hex, e);
    if (r < 0)
        return r;
    if (!streq(hex, v->check)) /* no secret: the value is a tag for all to read */
        return error_set(e, -EKEYREJECTED,
                         "volume %s: cannot be opened: this is not its key, or its tags were changed; see "
                         "mayfly-tags(7)",
                         v->lv);
    return 0;
}
