/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and unsealing one key: see local-file.h for the picture. It opens no file. The plaintext is read
 * from one struct secret and decrypted straight into another; OpenSSL wipes its contexts when they are
 * freed. */
#include "keys/local-file.h"

#include "base/str.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/random.h>

#define NONCE_BYTES 12
#define TAG_BYTES   16

/* Writes the text part. Returns its bytes, without the NUL. */
static size_t format_header(const struct key_info *info, const char *folder, char text[LOCAL_FILE_MAX])
{
    int n =
        snprintf(text, LOCAL_FILE_MAX,
                 "mayfly-key %d\nid=%s\nowner=%s\nvg=%s\nscope=%s\nbits=%u\ncreated=%" PRIu64 "\n%s%s%s\n",
                 *folder ? 2 : 1, info->id, info->owner, info->vg, key_scope_name(info->scope), info->bits,
                 info->created_sec, *folder ? "folder=" : "", folder, *folder ? "\n" : "");
    return n < 0 ? 0 : (size_t)n;
}

static void free_cipher(EVP_CIPHER_CTX **context)
{
    EVP_CIPHER_CTX_free(*context);
}

/* Encrypts or decrypts. `tag` is written when encrypting, else compared. False: it does not fit, or OpenSSL
 * failed. */
static bool gcm(bool encrypt, const struct secret *sealing_key, const uint8_t *nonce, const char *header,
                size_t header_bytes, const uint8_t *in, size_t size, uint8_t *out, uint8_t *tag)
{
    _cleanup_(free_cipher) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int done = 0;
    return c &&
           EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, secret_peek(sealing_key), nonce, encrypt) == 1 &&
           EVP_CipherUpdate(c, NULL, &done, (const uint8_t *)header, (int)header_bytes) == 1 &&
           EVP_CipherUpdate(c, out, &done, in, (int)size) == 1 &&
           (encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1) &&
           EVP_CipherFinal_ex(c, out + size, &done) == 1 &&
           (!encrypt || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1);
}

int local_file_seal(const struct key_info *info, const char *folder, const struct secret *key,
                    const struct secret *sealing_key, uint8_t file[LOCAL_FILE_MAX], size_t *ret_size,
                    struct error *e)
{
    char header[LOCAL_FILE_MAX];
    size_t header_bytes = format_header(info, folder, header), key_bytes = secret_size(key);
    size_t size = header_bytes + NONCE_BYTES + key_bytes + TAG_BYTES;
    if (size > LOCAL_FILE_MAX)
        return error_set(e, -EINVAL, "key local: is too large"); /* unreached: see keymgr.c */

    uint8_t *nonce = file + header_bytes, *sealed = nonce + NONCE_BYTES;
    memcpy(file, header, header_bytes);
    if (getrandom(nonce, NONCE_BYTES, 0) != NONCE_BYTES)
        return error_set(e, -EIO, "random numbers: the kernel gives none: %m");
    if (!gcm(true, sealing_key, nonce, header, header_bytes, secret_peek(key), key_bytes, sealed,
             sealed + key_bytes))
        return error_set(e, -EIO, "key local:%s: cannot be sealed: OpenSSL's AES-256-GCM failed", info->id);
    *ret_size = size;
    return 0;
}

static bool info_valid(const struct key_info *info)
{
    return uuid_valid(info->id) && uuid_valid(info->owner) && volume_group_valid(info->vg) &&
           info->bits >= KEY_BITS_MIN && info->bits <= KEY_BITS_MAX && info->bits % 8 == 0;
}

int local_file_parse(const uint8_t *file, size_t size, struct key_info *ret, char ret_folder[KEY_PLACE_MAX],
                     size_t *ret_header_bytes, struct error *e)
{
    _Static_assert(UUID_TEXT == 37 && VG_NAME_MAX == 64 && KEY_PLACE_MAX == 96, "the widths below");
    char text[LOCAL_FILE_MAX + 1] = "", again[LOCAL_FILE_MAX], scope[9] = "";
    memcpy(text, file, size < LOCAL_FILE_MAX ? size : LOCAL_FILE_MAX);
    struct key_info info = {0};
    char folder[KEY_PLACE_MAX] = "";
    int n = sscanf(text,
                   "mayfly-key %*1[12] id=%36s owner=%36s vg=%63s scope=%8s bits=%4u created=%19" SCNu64
                   " folder=%95s",
                   info.id, info.owner, info.vg, scope, &info.bits, &info.created_sec, folder);

    /* sscanf() is lenient, so the text must equal, byte for byte, the one that we would write. */
    size_t header_bytes = n >= 6 && key_scope_parse(scope, &info.scope) == 0 && info_valid(&info)
                              ? format_header(&info, folder, again)
                              : 0;
    if (!header_bytes || size != header_bytes + NONCE_BYTES + info.bits / 8 + TAG_BYTES ||
        memcmp(file, again, header_bytes) != 0)
        return error_set(e, -EKEYREJECTED, "is damaged, or not a key file of this version of Mayfly");
    *ret = info;
    memcpy(ret_folder, folder, sizeof folder);
    *ret_header_bytes = header_bytes;
    return 0;
}

int local_file_unseal(const uint8_t *file, size_t size, const struct secret *sealing_key,
                      struct key_info *ret_info, struct secret **ret_key, struct error *e)
{
    struct key_info info;
    char folder[KEY_PLACE_MAX];
    size_t header_bytes = 0;
    int r = local_file_parse(file, size, &info, folder, &header_bytes, e);
    if (r < 0)
        return r;

    size_t key_bytes = info.bits / 8;
    const uint8_t *nonce = file + header_bytes, *sealed = nonce + NONCE_BYTES;
    uint8_t tag[TAG_BYTES];
    memcpy(tag, sealed + key_bytes, TAG_BYTES);
    _cleanup_secret_ struct secret *key = NULL;
    r = secret_new(key_bytes, &key, e);
    if (r < 0)
        return r;
    if (!gcm(false, sealing_key, nonce, (const char *)file, header_bytes, sealed, key_bytes,
             secret_bytes(key), tag))
        return error_set(e, -EKEYREJECTED, "is damaged, or was sealed by another sealing key");
    if (ret_info)
        *ret_info = info;
    if (ret_key)
        *ret_key = TAKE_PTR(key);
    return 0;
}
