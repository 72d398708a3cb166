/* SPDX-License-Identifier: Apache-2.0 */
/* One secret, many disks: see derive.h. All choices for a disk go into its key: a changed tag gives another
 * key, rather than the same key used in another way. */
#include "keys/derive.h"

#include "storage/check.h"

#include <openssl/evp.h>
#include <stdio.h>

#define INFO_MAX 128

static int derive_ours(const struct volume *v, const struct secret *secret, struct secret **ret,
                       struct error *e)
{
    char info[INFO_MAX];
    snprintf(info, sizeof info, VOLUME_INFO_FORMAT, v->cipher, v->key_bits, v->sector_bytes);
    return hkdf_sha512(secret, v->disk, info, v->key_bits / 8, ret, e);
}

/* -------------------------------------------------------- Nova's derivation */

/* Writes the secret as Nova gives it to cryptsetup. */
static int to_hex(const struct secret *secret, struct secret **ret, struct error *e)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = secret_size(secret);
    int r = secret_new(2 * size, ret, e);
    for (size_t i = 0; r == 0 && i < size; i++) {
        secret_bytes(*ret)[2 * i] = (uint8_t)digits[secret_peek(secret)[i] >> 4];
        secret_bytes(*ret)[2 * i + 1] = (uint8_t)digits[secret_peek(secret)[i] & 15];
    }
    return r;
}

/* Fills `key` with hashes of `text`; the n-th hash (from 0) is that of n times "A" and the text. OpenSSL
 * wipes its copy when the context is freed. */
static bool hash_into(const EVP_MD *hash, const struct secret *text, struct secret *block, struct secret *key)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = secret_size(key), each = secret_size(block);
    bool ok = context != NULL;
    for (size_t at = 0, round = 0; ok && at < size; at += each, round++) {
        ok = EVP_DigestInit_ex(context, hash, NULL) > 0;
        for (size_t i = 0; ok && i < round; i++)
            ok = EVP_DigestUpdate(context, "A", 1) > 0;
        ok = ok && EVP_DigestUpdate(context, secret_peek(text), secret_size(text)) > 0 &&
             EVP_DigestFinal_ex(context, secret_bytes(block), NULL) > 0;
        if (ok)
            memcpy(secret_bytes(key) + at, secret_peek(block), size - at < each ? size - at : each);
    }
    EVP_MD_CTX_free(context);
    return ok;
}

static int derive_novas(const struct volume *v, const char *digest, const struct secret *secret,
                        struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *text = NULL, *block = NULL, *key = NULL;
    if (secret_size(secret) == 0 || v->key_bits == 0)
        return error_set(e, -EINVAL, "volume %s: a key of %u bits cannot be derived from %zu bytes", v->lv,
                         v->key_bits, secret_size(secret));
    EVP_MD *hash = EVP_MD_fetch(NULL, digest, NULL);
    if (!hash)
        return error_set(e, -ENOTSUP,
                         "volume %s: its key cannot be derived: OpenSSL has no %s; see openssl list "
                         "-digest-algorithms",
                         v->lv, digest);
    int r = to_hex(secret, &text, e);
    if (r == 0)
        r = secret_new((size_t)EVP_MD_get_size(hash), &block, e);
    if (r == 0)
        r = secret_new(v->key_bits / 8, &key, e);
    if (r == 0 && !hash_into(hash, text, block, key))
        r = error_set(e, -EIO, "volume %s: its key cannot be derived: OpenSSL's %s failed", v->lv, digest);
    EVP_MD_free(hash);
    if (r == 0)
        *ret = TAKE_PTR(key);
    return r;
}

/* ------------------------------------------------------------------------------- */

int derive_volume_key(const struct volume *v, const struct secret *secret, struct secret **ret,
                      struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    int r;
    if (streq(v->kdf, KDF_HKDF_SHA512))
        r = derive_ours(v, secret, &key, e);
    else if (streq(v->kdf, KDF_NOVA_RIPEMD160))
        r = derive_novas(v, "RIPEMD160", secret, &key, e);
    else if (streq(v->kdf, KDF_NOVA_SHA256))
        r = derive_novas(v, "SHA256", secret, &key, e);
    else
        r = error_set(e, -EINVAL,
                      "volume %s: its key cannot be derived: the derivation \"%s\" is unknown to this "
                      "version of Mayfly, which has " KDF_HKDF_SHA512 ", " KDF_NOVA_RIPEMD160
                      " and " KDF_NOVA_SHA256,
                      v->lv, v->kdf);
    if (r < 0)
        return r;
    r = volume_check_key_form(v, key, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(key);
    return 0;
}
