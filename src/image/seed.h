/* SPDX-License-Identifier: Apache-2.0 */
/* The seed that an instance reads at its first boot, for cloud-init and others (data source NoCloud): a
 * small FAT file system with the label CIDATA, and in it
 *
 *     meta-data    the id of the instance, its host name, public SSH keys
 *     user-data    instructions of the owner, unchanged
 *
 * User data may hold passwords. So a seed is kept in locked memory, and on an encrypted disk of the instance.
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

/* Checks that a host name has labels of letters, digits and '-', separated by dots. -EINVAL: it does not. */
int seed_check_hostname(const char *hostname, struct error *e) _must_check_;

/* Checks that each line is a public key, a comment, or empty, and that one is a key. -EINVAL: not so, or the
 * keys are too many. */
int seed_check_ssh_keys(const char *keys, struct error *e) _must_check_;

/* Checks that the user data fits into a seed, and is not a private key. -EINVAL: not so. */
int seed_check_user_data(const struct secret *user_data, struct error *e) _must_check_;

/* Returns a sentence on why cloud-init would ignore the user data; NULL: it would not. */
const char *seed_doubt(const struct secret *user_data);

/* Makes the whole file system. The parts must have passed the checks above. */
int seed_make(const struct seed *s, struct secret **ret, struct error *e) _must_check_;

/* Writes a seed to the beginning of a disk, and syncs the disk. */
int seed_write(const struct opened *disk, const struct secret *seed, struct error *e) _must_check_;

/* Reads the seed back. -EIO also if the disk holds none. */
int seed_read(const struct opened *disk, struct secret **ret, struct error *e) _must_check_;
