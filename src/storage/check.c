/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF, and the check value of a disk: check.h says what goes into it.
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

#define CHECK_BYTES    (CHECK_HEX_DIGITS / 2)
#define INFO_MAX       768
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

/* Writes the info of a scheme. No field has a blank in it, so no two volumes have the same. */
static int format_info(const struct volume *v, int scheme, char info[INFO_MAX], struct error *e)
{
    int n = scheme == 1 ? snprintf(info, INFO_MAX, CHECK_INFO_1, v->instance, v->role, v->cipher, v->key_bits,
                                   v->sector_bytes, v->kdf)
                        : snprintf(info, INFO_MAX, CHECK_INFO_2, v->instance, v->role, v->cipher, v->key_bits,
                                   v->sector_bytes, v->kdf, v->key, key_scope_name(v->scope), v->fs, v->name);
    if (scheme != 1 && v->alias[0] && n >= 0 && n < INFO_MAX)
        n += snprintf(info + n, (size_t)(INFO_MAX - n), CHECK_INFO_ALIAS, v->alias);
    return n < 0 || n >= INFO_MAX ? error_set(e, -EINVAL, "volume %s: its tags are too long", v->lv) : 0;
}

static int check_value(const struct volume *v, int scheme, const struct secret *volume_key,
                       char value[CHECK_MAX], struct error *e)
{
    char info[INFO_MAX];
    _cleanup_secret_ struct secret *bytes = NULL;
    int r = format_info(v, scheme, info, e);
    if (r == 0)
        r = hkdf_sha512(volume_key, v->disk, info, CHECK_BYTES, &bytes, e);
    if (r < 0)
        return r;
    char *hex = scheme == 1 ? value : stpcpy(value, CHECK_SCHEME_2);
    str_hex(secret_peek(bytes), CHECK_BYTES, hex);
    return 0;
}

int volume_check_value(const struct volume *v, const struct secret *volume_key, char value[CHECK_MAX],
                       struct error *e)
{
    return check_value(v, 2, volume_key, value, e);
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
    char value[CHECK_MAX];
    int scheme = str_starts(v->check, CHECK_SCHEME_2) ? 2 : 1;
    int r = volume_check_key_form(v, volume_key, e);
    if (r == 0)
        r = check_value(v, scheme, volume_key, value, e);
    if (r < 0)
        return r;
    if (!streq(value, v->check)) /* not in constant time: everybody can read this tag */
        return error_set(e, -EKEYREJECTED,
                         "volume %s: cannot be opened: this is not its key, or its tags were changed; see "
                         "mayfly-tags(7)",
                         v->lv);
    return 0;
}
