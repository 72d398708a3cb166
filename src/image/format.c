/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the format of an image by its ends. This file and foreign.c are all that parses an image outside of
 * the sandbox. They compare bytes at fixed offsets, and follow no offset. An image that leads to another
 * file, is damaged, or has a size that its tables cannot hold is refused here, before another program sees
 * it.
 *
 *     0 magic, version   8 backing file   20 cluster_bits   24 size   32 crypt, L1   48 refcounts
 *     60 snapshots   72 features (version 3)   100 header_length   from header_length on: extensions
 */
#include "image/format.h"

#include "base/str.h"

#include <inttypes.h>

#define QCOW2_MAGIC            0x514649fb /* "QFI\xfb" */
#define EXTENSION_BACKING      0xe2792aca
#define EXTENSION_DATA_FILE    0x44415441
#define HEADER_2_BYTES         72
#define HEADER_3_BYTES         104
#define SIZE_LIMIT_BYTES       (UINT64_C(1) << 60)
#define L1_LIMIT_ENTRIES       (UINT32_C(32) << 17) /* 32 MiB of table, as QEMU's own limit */
#define SNAPSHOT_LIMIT         65536
#define REFCOUNT_ORDER_LIMIT   6
#define CRYPT_LUKS             2
#define INCOMPATIBLE_CORRUPT   (1 << 1)
#define INCOMPATIBLE_DATA_FILE (1 << 2)
#define INCOMPATIBLE_WIDE_L2   (1 << 4)
#define INCOMPATIBLE_KNOWN     0x1f /* dirty, corrupt, data file, compression type, extended L2 */

struct header {
    uint32_t version, backing_size, cluster_bits, crypt, l1_entries, refcount_clusters, snapshots;
    uint32_t refcount_order, bytes;
    uint64_t backing_offset, size_bytes, l1_offset, refcount_offset, snapshots_offset, incompatible;
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static int damaged(struct error *e, const char *what)
{
    return error_set(e, -EINVAL, "this qcow2 is damaged (%s); see qemu-img check", what);
}

static int header_read(const uint8_t *head, size_t size, struct header *ret, struct error *e)
{
    uint32_t version = size >= 8 ? be32(head + 4) : 0;
    if (size < HEADER_2_BYTES || (version >= 3 && size < HEADER_3_BYTES))
        return damaged(e, "its header is cut off");
    if (version != 2 && version != 3)
        return error_set(e, -EINVAL, "qcow2 version %" PRIu32 " is not known; convert it by qemu-img convert",
                         version);
    *ret = (struct header){
        .version = version,
        .backing_offset = be64(head + 8),
        .backing_size = be32(head + 16),
        .cluster_bits = be32(head + 20),
        .size_bytes = be64(head + 24),
        .crypt = be32(head + 32),
        .l1_entries = be32(head + 36),
        .l1_offset = be64(head + 40),
        .refcount_offset = be64(head + 48),
        .refcount_clusters = be32(head + 56),
        .snapshots = be32(head + 60),
        .snapshots_offset = be64(head + 64),
        .incompatible = version == 3 ? be64(head + 72) : 0,
        .refcount_order = version == 3 ? be32(head + 96) : 4,
        .bytes = version == 3 ? be32(head + 100) : HEADER_2_BYTES,
    };
    return 0;
}

/* Refuses an image that would make QEMU open another file, or ask for a key of the old AES encryption. */
static int check_self_contained(const struct header *h, struct error *e)
{
    if (h->backing_offset || h->backing_size)
        return error_set(e, -EINVAL,
                         "it has a backing file, which is never followed; flatten it by qemu-img "
                         "convert");
    if (h->incompatible & INCOMPATIBLE_DATA_FILE)
        return error_set(e, -EINVAL,
                         "its data is in another file, which is never followed; flatten it by "
                         "qemu-img convert");
    if (h->crypt && h->crypt != CRYPT_LUKS)
        return error_set(e, -EINVAL, "it is encrypted, and not by LUKS; decrypt it by qemu-img convert");
    if (h->incompatible & INCOMPATIBLE_CORRUPT)
        return damaged(e, "it is marked as corrupt");
    if (h->incompatible & ~(uint64_t)INCOMPATIBLE_KNOWN)
        return error_set(e, -EINVAL,
                         "it uses unknown qcow2 features (%#" PRIx64 "); convert it by qemu-img "
                         "convert",
                         h->incompatible & ~(uint64_t)INCOMPATIBLE_KNOWN);
    return 0;
}

/* True if a table lies within the file, on a cluster of its own behind the header. */
static bool table_fits(const struct header *h, uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
    uint64_t cluster_bytes = UINT64_C(1) << h->cluster_bits;
    return offset >= cluster_bytes && offset % cluster_bytes == 0 && offset <= file_bytes &&
           bytes <= file_bytes - offset;
}

/* Checks that the size and the tables fit each other. cluster_bits is checked first, since all the shifts
 * depend on it. */
static int check_geometry(const struct header *h, uint64_t file_bytes, struct error *e)
{
    if (h->cluster_bits < 9 || h->cluster_bits > 21)
        return damaged(e, "its cluster size is invalid");
    if (h->bytes > UINT64_C(1) << h->cluster_bits || (h->version == 3 && h->bytes < HEADER_3_BYTES))
        return damaged(e, "its header has a wrong length");
    if (h->refcount_order > REFCOUNT_ORDER_LIMIT)
        return damaged(e, "its reference counts have a wrong width");
    if (!h->size_bytes)
        return error_set(e, -EINVAL, "its virtual size is zero");
    if (h->size_bytes > SIZE_LIMIT_BYTES)
        return error_set(e, -EINVAL, "its virtual size is larger than 1 EiB");

    uint32_t l2_bits = h->cluster_bits - (h->incompatible & INCOMPATIBLE_WIDE_L2 ? 4 : 3);
    uint32_t shift = h->cluster_bits + l2_bits; /* log2 of the bytes that one L1 entry stands for */
    if (h->l1_entries > L1_LIMIT_ENTRIES || (h->size_bytes - 1) >> shift >= h->l1_entries)
        return damaged(e, "its virtual size and its L1 table do not match");
    if (!table_fits(h, h->l1_offset, (uint64_t)h->l1_entries * 8, file_bytes))
        return damaged(e, "its L1 table is not within the file, which may be cut off");
    if (!h->refcount_clusters || !table_fits(h, h->refcount_offset, 1, file_bytes))
        return damaged(e, "its reference counts are not within the file, which may be cut off");
    if (h->snapshots > SNAPSHOT_LIMIT || (h->snapshots && !table_fits(h, h->snapshots_offset, 1, file_bytes)))
        return damaged(e, "its snapshot table is not within the file, which may be cut off");
    return 0;
}

/* Refuses an extension that names another file, though QEMU would ignore some of them. Only extensions within
 * the head are seen: against the others qemu-nbd is given "backing": null. */
static int check_extensions(const struct header *h, const uint8_t *head, size_t size, struct error *e)
{
    for (uint64_t at = h->bytes; at + 8 <= size;) {
        uint32_t type = be32(head + at), bytes = be32(head + at + 4);
        if (!type)
            return 0;
        if (type == EXTENSION_BACKING || type == EXTENSION_DATA_FILE)
            return error_set(e, -EINVAL,
                             "its header names another file, which is never followed; flatten it "
                             "by qemu-img convert");
        at += 8 + (((uint64_t)bytes + 7) & ~UINT64_C(7));
    }
    return 0;
}

static int check_qcow2(const uint8_t *head, size_t size, uint64_t file_bytes, enum image_format *ret,
                       struct error *e)
{
    struct header h = {0};
    int r = header_read(head, size, &h, e);
    if (r == 0)
        r = check_self_contained(&h, e);
    if (r == 0)
        r = check_geometry(&h, file_bytes, e);
    if (r == 0)
        r = check_extensions(&h, head, size, e);
    if (r == 0)
        *ret = h.crypt ? IMAGE_LUKS : IMAGE_QCOW2;
    return r;
}

int image_format_detect(const struct image_ends *f, const char *wanted, enum image_format *ret,
                        struct error *e)
{
    bool raw = wanted && streq(wanted, "raw");
    bool magic = f->head_bytes >= 4 && be32(f->head) == QCOW2_MAGIC;

    if (wanted && !raw && !streq(wanted, "qcow2"))
        return error_set(e, -EINVAL, "the format %.20s is not known; it is one of raw, qcow2", wanted);
    if (!f->file_bytes)
        return error_set(e, -EINVAL, "it is empty");
    if (wanted && !raw && !magic)
        return error_set(e, -EINVAL, "it is not a qcow2, as was stated; leave the format out");
    if (!raw && magic)
        return check_qcow2(f->head, f->head_bytes, f->file_bytes, ret, e);
    int r = raw ? 0 : image_foreign_check(f, e);
    if (r < 0)
        return r;
    if (f->file_bytes > SIZE_LIMIT_BYTES)
        return error_set(e, -EINVAL, "its size is larger than 1 EiB");
    *ret = IMAGE_RAW;
    return 0;
}
