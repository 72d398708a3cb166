/* SPDX-License-Identifier: Apache-2.0 */
/* volume-key KEY-ID DISK-UUID BITS SECTOR: writes the volume key of a disk to standard output, which must be
 * a pipe. For the test that cryptsetup can open our disks. */
#include "base/fd.h"
#include "keys/derive.h"
#include "keys/keymgr.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_key(char **argv, struct error *e)
{
    struct config c;
    struct volume v = {.cipher = "aes-xts-plain64", .kdf = KDF_HKDF_SHA512};
    uint64_t bits = 0, sector = 0;
    int r = config_load(NULL, CONFIG_ANY_OWNER, &c, e);
    if (r == 0)
        r = str_copy(v.disk, sizeof v.disk, argv[2]);
    if (r == 0)
        r = str_to_u64(argv[3], &bits);
    if (r == 0)
        r = str_to_u64(argv[4], &sector);
    if (r < 0)
        return r;
    v.key_bits = (uint32_t)bits;
    v.sector_bytes = (uint32_t)sector;

    _cleanup_keymgr_ struct keymgr *km = NULL;
    _cleanup_secret_ struct secret *secret = NULL, *key = NULL;
    r = keymgr_open(&c, &KEY_CONTEXT_NONE, "local", &km, e);
    if (r == 0)
        r = keymgr_fetch(km, argv[1], &secret, e);
    if (r == 0)
        r = derive_volume_key(&v, secret, &key, e);
    return r < 0 ? r : fd_write_all(STDOUT_FILENO, secret_peek(key), secret_size(key));
}

int main(int argc, char **argv)
{
    struct error e = ERROR_NONE;
    struct stat st;
    if (argc != 5 || fstat(STDOUT_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        fprintf(stderr, "usage: volume-key KEY-ID DISK-UUID BITS SECTOR | ...\n");
        return 1;
    }
    int r = write_key(argv, &e);
    if (r < 0)
        fprintf(stderr, "volume-key: %s\n", e.text);
    return r < 0;
}
