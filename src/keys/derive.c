/* SPDX-License-Identifier: Apache-2.0 */
/* One secret, many disks: see derive.h. All that is chosen when a disk is made goes into its key, so that a
 * changed tag gives another key rather than the same key used in another way. */
#include "keys/derive.h"

#include "storage/check.h"

#include <stdio.h>

#define INFO_MAX 128

int derive_volume_key(const struct volume *v, const struct secret *secret, struct secret **ret,
                      struct error *e)
{
    if (!streq(v->kdf, KDF_HKDF_SHA512))
        return error_set(e, -EINVAL,
                         "volume %s: its key cannot be derived: the derivation \"%s\" is unknown to this "
                         "version of Mayfly, which has " KDF_HKDF_SHA512,
                         v->lv, v->kdf);
    char info[INFO_MAX];
    snprintf(info, sizeof info, VOLUME_INFO_FORMAT, v->cipher, v->key_bits, v->sector_bytes);

    _cleanup_secret_ struct secret *key = NULL;
    int r = hkdf_sha512(secret, v->disk, info, v->key_bits / 8, &key, e);
    if (r < 0)
        return r;
    r = volume_check_key_form(v, key, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(key);
    return 0;
}
