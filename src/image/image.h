/* SPDX-License-Identifier: Apache-2.0 */
/* Imports and exports of images. An image is checked by qemu-img and parsed by qemu-nbd, both in our
 * sandbox, and read through libnbd. A raw image needs no parser, and is read as it is.
 *
 *     image file -> qemu-nbd (sandbox) -> unix socket -> libnbd -> device descriptors -> dm-crypt -> LVs
 *     raw image  ------------------------------------------------> device descriptors -> dm-crypt -> LVs
 *     new qcow2 <- qemu-nbd (sandbox) <- unix socket <- libnbd <- device descriptor <- dm-crypt <- snapshot
 *
 * A disk that is a file has no map: mayfly itself encrypts and decrypts it (crypt/opened.h).
 *
 * No process of Mayfly parses more of an image than its first and last bytes (format.h).
 */
#pragma once

#include "crypt/opened.h"

#include <stdbool.h>
#include <stdint.h>

struct image;

/* How a long operation tells its progress, and asks whether to stop. */
struct image_progress {
    void (*update)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    bool (*stopped)(void *context); /* true: give up with -ECANCELED */
    void *context;
};

/* A file or block device that one user, who may read it, has opened for another, who may not. */
struct image_early {
    bool is_open;
    int fd, direct_fd; /* direct_fd has O_DIRECT; -1: its file system has no O_DIRECT */
};

/* Opens a file, and does not look at its contents. -EINVAL: it is neither file nor block device; -EACCES,
 * -ENOENT. */
int image_open_early(const char *path, struct image_early *ret, struct error *e) _must_check_;
void image_early_close(struct image_early *i);

/* An image as the user names it. All of it may go once the image is open. */
struct image_source {
    const char *path;
    const struct image_early *early;       /* NULL, or not open: the image is opened by its path */
    const char *format;                    /* "raw", "qcow2"; NULL: qcow2 by its magic, else raw */
    const struct secret *key;              /* key of a qcow2 with LUKS, whose passphrase is the key in hex */
    const struct image_progress *progress; /* asked whether to stop; NULL: the import is never stopped */
};

/* Opens an image for reading. -EINVAL: it has a backing file or an external data file; it is a damaged qcow2;
 * it is encrypted without a key, or the other way round; it is not a disk image (foreign.h), unless the
 * format is stated as raw; its size is zero or larger than 1 EiB; it is neither file nor block device. A
 * truncated qcow2 is damaged, unless it lacks only a part of its last cluster. -EKEYREJECTED: it has another
 * key. -EACCES: the user that mayfly runs as may not read it. -EIO: in the words of qemu-img or qemu-nbd.
 * -ENOENT, -ECANCELED. */
int image_open(const struct image_source *source, struct image **ret, struct error *e) _must_check_;

/* Returns the virtual size, for which the disk needs room. */
uint64_t image_size_bytes(const struct image *i);

/* Returns a sentence on why the image may not be a disk image; NULL: it looks like one. */
const char *image_doubt(const struct image *i);

struct image *image_close(struct image *i);
DEFINE_CLEANUP(struct image *, image_close)
#define _cleanup_image_ _cleanup_(image_closep)

/* Has each import end with -EINVAL if the contents (all of the virtual size) do not have this SHA-256, in
 * hex. All is written by then. -EINVAL: `sha256` is not a SHA-256. */
#define IMAGE_SHA256_BYTES 32
int image_expect(struct image *i, const char *sha256, struct error *e) _must_check_;

/* A disk to write an image to, and its name for sentences. The caller keeps both. */
struct image_target {
    const struct opened *disk;
    const char *name;
};

/* Reads the image once, writes its whole virtual size to each disk, and syncs the disks. Holes are written as
 * zeros, encrypted as all else. A disk keeps what it has beyond that size. Progress is that of all disks
 * together. -EINVAL: a disk is too small, and nothing was written. An error of one disk ends the import for
 * all. Without any disk the image is only read, for image_expect(), and may be imported after that. The
 * import takes at most 12 MiB of memory, whatever the number of disks. */
int image_import(struct image *i, const struct image_target *targets, size_t n,
                 const struct image_progress *progress, struct error *e) _must_check_;

/* Makes a qcow2 of the whole disk in the empty file `file_fd`, and syncs it. Zeros take no room. With a key
 * the image is encrypted by LUKS, and its passphrase is the key in hex; NULL: it is plaintext. `name` is for
 * sentences. Memory with contents of the disk is locked into RAM. */
int image_export(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                 const struct image_progress *progress, struct error *e) _must_check_;

/* Writes the whole disk as a raw image in plaintext, to a pipe for example. -EIO also if the reader is gone.
 */
int image_stream(const struct opened *disk, int output_fd, const char *name,
                 const struct image_progress *progress, struct error *e) _must_check_;
