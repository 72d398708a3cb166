/* SPDX-License-Identifier: Apache-2.0 */
/* volume-key KEY-ID [DISK-UUID BITS SECTOR]: writes the volume key of a disk to standard output, which must
 * be a pipe; or the secret that it is derived from. For the tests that cryptsetup can open our disks, and
 * that neither is anywhere else. */
#include "base/fd.h"
#include "keys/derive.h"
#include "keys/keymgr.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int derive(char **argv, const struct secret *secret, struct secret **ret, struct error *e)
{
    struct volume v = {.cipher = "aes-xts-plain64", .kdf = KDF_HKDF_SHA512};
    uint64_t bits = 0, sector = 0;
    int r = str_copy(v.disk, sizeof v.disk, argv[2]);
    if (r == 0)
        r = str_to_u64(argv[3], &bits);
    if (r == 0)
        r = str_to_u64(argv[4], &sector);
    if (r < 0)
        return r;
    v.key_bits = (uint32_t)bits;
    v.sector_bytes = (uint32_t)sector;
    return derive_volume_key(&v, secret, ret, e);
}

static int write_key(char **argv, bool of_disk, struct error *e)
{
    struct config c;
    _cleanup_keymgr_ struct keymgr *km = NULL;
    _cleanup_secret_ struct secret *secret = NULL, *key = NULL;
    int r = config_load(NULL, CONFIG_ANY_OWNER, &c, e);
    if (r == 0)
        r = keymgr_open(&c, &KEY_CONTEXT_NONE, "local", &km, e);
    if (r == 0)
        r = keymgr_fetch(km, argv[1], &secret, e);
    if (r == 0 && of_disk)
        r = derive(argv, secret, &key, e);
    if (r < 0)
        return r;
    const struct secret *written = of_disk ? key : secret;
    return fd_write_all(STDOUT_FILENO, secret_peek(written), secret_size(written));
}

int main(int argc, char **argv)
{
    struct error e = ERROR_NONE;
    struct stat st;
    if ((argc != 2 && argc != 5) || fstat(STDOUT_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        fprintf(stderr, "usage: volume-key KEY-ID [DISK-UUID BITS SECTOR] | ...\n");
        return 1;
    }
    int r = write_key(argv, argc == 5, &e);
    if (r < 0)
        fprintf(stderr, "volume-key: %s\n", e.text);
    return r < 0;
}
