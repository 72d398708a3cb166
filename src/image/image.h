/* SPDX-License-Identifier: Apache-2.0 */
/* Images: checked by qemu-img and parsed by qemu-nbd in a sandbox of ours, read through libnbd, written to
 * mapped devices. A raw image is no format, and read as it is.
 *
 *     image file -> qemu-nbd (sandbox) -> unix socket -> libnbd -> device descriptors -> dm-crypt -> LVs
 *     raw image  ------------------------------------------------> device descriptors -> dm-crypt -> LVs
 *     new qcow2 <- qemu-nbd (sandbox) <- unix socket <- libnbd <- device descriptor <- dm-crypt <- snapshot
 *
 * Of a disk that is a file, and no map, what is read and written goes through its cipher here
 * (crypt/opened.h).
 *
 * No process of Mayfly parses more of an image than its first bytes (format.h).
 */
#pragma once

#include "crypt/opened.h"

#include <stdbool.h>
#include <stdint.h>

struct image;

/* How a long operation tells of its progress, and is told to stop. */
struct image_progress {
    void (*update)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    bool (*stopped)(void *context); /* true: give up with -ECANCELED */
    void *context;
};

/* A file or block device, open for reading: for an image that is opened by somebody who may, and read by
 * somebody who may not. */
struct image_early {
    bool is_open;
    int fd, direct_fd; /* the same with O_DIRECT; -1: its file system has no such thing */
};

/* -EINVAL: it is neither; -EACCES, -ENOENT. What it is an image of is not looked at. */
int image_open_early(const char *path, struct image_early *ret, struct error *e) _must_check_;
void image_early_close(struct image_early *i);

/* An image as its user names it. Nothing of it is needed once the image is open. */
struct image_source {
    const char *path;
    const struct image_early *early; /* NULL, or not open: it is opened by its path */
    const char *format;              /* "raw", "qcow2"; NULL: qcow2 by its magic, else raw */
    const struct secret *key; /* of a qcow2 that is encrypted by LUKS: its passphrase is the key in hex */
    const struct image_progress *progress; /* asked whether to stop; NULL: nobody stops it */
};

/* Opens it for reading. Refused with -EINVAL: a backing file, an external data file, a damaged qcow2, one
 * that is encrypted where there is no key or the other way round, what is no disk image (foreign.h) unless
 * the format is stated as raw, a size of zero or beyond 1 EiB, something that is not a file or block device.
 * A truncated qcow2 is a damaged one, unless all that it lacks is a part of its last cluster. -EKEYREJECTED:
 * this is not its key. -EACCES: the user that mayfly runs as may not read it. -ENOENT. -EIO: qemu-img's or
 * qemu-nbd's own words. -ECANCELED. */
int image_open(const struct image_source *source, struct image **ret, struct error *e) _must_check_;

/* Its virtual size, which the disk must hold. */
uint64_t image_size_bytes(const struct image *i);

/* A sentence on why it may not be the disk image that was meant; NULL: it looks like one. */
const char *image_doubt(const struct image *i);

struct image *image_close(struct image *i);
DEFINE_CLEANUP(struct image *, image_close)
#define _cleanup_image_ _cleanup_(image_closep)

/* From now on an import ends with -EINVAL, all written, if the contents (all of the virtual size) do not have
 * this SHA-256, in hex. -EINVAL: it is none. */
#define IMAGE_SHA256_BYTES 32
int image_expect(struct image *i, const char *sha256, struct error *e) _must_check_;

/* A disk that an image is written to, and its name for sentences. Both stay the caller's. */
struct image_target {
    const struct opened *disk;
    const char *name;
};

/* Reads the image once, writes its whole virtual size to each of the devices, holes as zeros (which dm-crypt
 * encrypts), and syncs them. What a device has beyond that is left as it is. Progress is told of all of them
 * together. -EINVAL: a device is smaller; then nothing was written. With no device it is
 * only read, for image_expect(), and may be imported after that. An error of one ends it for all. Not more
 * than 12 MiB of memory are used, whatever the number of devices. */
int image_import(struct image *i, const struct image_target *targets, size_t n,
                 const struct image_progress *progress, struct error *e) _must_check_;

/* The other way: makes a qcow2 of all that the disk holds in the empty file behind `file_fd`,
 * which is synced then; what is zeros takes no room. With a key it is encrypted by LUKS, the passphrase being
 * the key in hex; NULL: it is plaintext. `name` is for sentences. What goes through memory of ours is locked
 * into RAM. */
int image_export(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                 const struct image_progress *progress, struct error *e) _must_check_;

/* The same, byte for byte, as a raw image in plaintext, to a pipe for instance: no file of ours is made, and
 * nobody but who reads knows what became of it. -EIO: also where nobody reads any more. */
int image_stream(const struct opened *disk, int output_fd, const char *name,
                 const struct image_progress *progress, struct error *e) _must_check_;
