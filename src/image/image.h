/* SPDX-License-Identifier: Apache-2.0 */
/* Images: checked by qemu-img and parsed by qemu-nbd in a sandbox of ours, read through libnbd, written to a
 * mapped device.
 *
 *     image file -> qemu-nbd (sandbox) -> unix socket -> libnbd -> device descriptor -> dm-crypt -> LV
 *     new qcow2 <- qemu-nbd (sandbox) <- unix socket <- libnbd <- device descriptor <- dm-crypt <- snapshot
 *
 * No process of Mayfly parses more of an image than its first bytes (format.h).
 */
#pragma once

#include "secret/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct image;

/* Opens `path` for reading. `format` "raw", "qcow2", or NULL: qcow2 by its magic, else raw. Refused with
 * -EINVAL: a backing file, an external data file, an encrypted (but see below) or damaged qcow2, a size of
 * zero or beyond 1 EiB, something that is not a file or block device. A truncated qcow2 is a damaged one,
 * unless all that it lacks is a part of its last cluster. -EACCES: the user that mayfly runs as may not read
 * it. -ENOENT. -EIO: qemu-img's or qemu-nbd's own words. -ETIMEDOUT: it takes more than a minute to check its
 * tables. */
int image_open(const char *path, const char *format, struct image **ret, struct error *e) _must_check_;

/* The same for a qcow2 that is encrypted by LUKS; its passphrase is `key` in hex. -EINVAL: it is not
 * encrypted. -EKEYREJECTED: this is not its key. `key` is not needed any more then. NULL: as image_open(). */
int image_open_encrypted(const char *path, const char *format, const struct secret *key, struct image **ret,
                         struct error *e) _must_check_;

/* Its virtual size, which the disk must hold. */
uint64_t image_size_bytes(const struct image *i);

struct image *image_close(struct image *i);
DEFINE_CLEANUP(struct image *, image_close)
#define _cleanup_image_ _cleanup_(image_closep)

/* How a long operation tells of its progress, and is told to stop. */
struct image_progress {
    void (*update)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    bool (*stopped)(void *context); /* true: give up with -ECANCELED */
    void *context;
};

/* Writes the whole virtual size to the device behind `fd`, holes as zeros (which dm-crypt encrypts), and
 * syncs it. What the device has beyond that is left as it is. -EINVAL: the device is smaller. */
int image_import(struct image *i, int fd, const struct image_progress *progress,
                 struct error *e) _must_check_;

/* The other way: makes a qcow2 of all that the device behind `fd` holds in the empty file behind `file_fd`,
 * which is synced then; what is zeros takes no room. With a key it is encrypted by LUKS, the passphrase being
 * the key in hex; NULL: it is plaintext. `name` is for sentences. What goes through memory of ours is locked
 * into RAM. */
int image_export(int fd, int file_fd, const char *name, const struct secret *key,
                 const struct image_progress *progress, struct error *e) _must_check_;
