/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance finds at its first boot, as cloud-init and others read it (the data source NoCloud): a
 * small FAT file system with the label CIDATA, and in it
 *
 *     meta-data    the id of the instance, its host name, public SSH keys
 *     user-data    what its owner wants done, as he wrote it
 *
 * User data may hold passwords. So all of it is in locked memory, and on the instance's own encrypted disk.
 */
#pragma once

#include "crypt/opened.h"

#define SEED_BYTES         (UINT64_C(1) << 20)
#define SEED_USER_DATA_MAX (256U << 10)
#define SEED_KEYS_MAX      (64U << 10) /* bytes of all keys */
#define SEED_HOSTNAME_MAX  254

struct seed {
    const char *instance; /* its uuid */
    const char *hostname;
    const char *ssh_keys;           /* a line each, as in authorized_keys; "": none */
    const struct secret *user_data; /* NULL: none */
};

/* Could it be the name of a host: labels of letters, digits and '-', separated by dots? -EINVAL. */
int seed_check_hostname(const char *hostname, struct error *e) _must_check_;

/* Is each line a public key, a comment, or empty, and one a key? -EINVAL: no, or there are too many. */
int seed_check_ssh_keys(const char *keys, struct error *e) _must_check_;

/* Has it a size that has room, and is it no private key? -EINVAL. */
int seed_check_user_data(const struct secret *user_data, struct error *e) _must_check_;

/* A sentence on why cloud-init would not know what it is; NULL: it would. */
const char *seed_doubt(const struct secret *user_data);

/* The whole file system. What it is made of was checked. */
int seed_make(const struct seed *s, struct secret **ret, struct error *e) _must_check_;

/* Writes it to the begin of a disk, and syncs that. */
int seed_write(const struct opened *disk, const struct secret *seed, struct error *e) _must_check_;

/* The other way. -EIO: also if it is none. */
int seed_read(const struct opened *disk, struct secret **ret, struct error *e) _must_check_;
