/* SPDX-License-Identifier: Apache-2.0 */
/* See foreign.h. Bytes at fixed offsets are compared, and no offset is followed. The magic numbers are those
 * of file(1) and of the formats' documents.
 */
#include "image/foreign.h"

#include "base/signature.h"

#include <ctype.h>
#include <string.h>

enum kind { IMAGE, COMPRESSED, ARCHIVE, ENCRYPTED, OTHER };

static const char *const ways_out[] = {
    [IMAGE] = "convert it by qemu-img convert",
    [COMPRESSED] = "uncompress it",
    [ARCHIVE] = "unpack it, and use the image in it",
    [ENCRYPTED] = "decrypt it, by cryptsetup or qemu-img convert",
    [OTHER] = "check whether it was downloaded whole",
};

struct magic {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *bytes;
    size_t size;
};

#define MAGIC(name, kind, offset, text)                                                                      \
    {                                                                                                        \
        (name), (kind), (offset), (text), sizeof(text) - 1                                                   \
    }
static const struct magic heads[] = {
    MAGIC("VMDK", IMAGE, 0, "KDMV"),
    MAGIC("VMDK", IMAGE, 0, "COWD"),
    MAGIC("VMDK", IMAGE, 0, "# Disk DescriptorFile"),
    MAGIC("VHDX", IMAGE, 0, "vhdxfile"),
    MAGIC("VPC (VHD)", IMAGE, 0, "conectix"),
    MAGIC("VDI", IMAGE, 64, "\x7f\x10\xda\xbe"),
    MAGIC("QED", IMAGE, 0, "QED\0"),
    MAGIC("Parallels", IMAGE, 0, "WithoutFreeSpace"),
    MAGIC("Parallels", IMAGE, 0, "WithouFreSpacExt"),
    MAGIC("Bochs", IMAGE, 0, "Bochs Virtual HD Image"),
    MAGIC("cloop", IMAGE, 0, "#!/bin/sh\n#V2.0 Format"),
    MAGIC("Apple sparse image", IMAGE, 0, "sprs"),
    MAGIC("Android sparse image", IMAGE, 0, "\x3a\xff\x26\xed"),
    MAGIC("EnCase", IMAGE, 0, "EVF\x09\x0d\x0a\xff"),
    MAGIC("EnCase", IMAGE, 0, "EVF2\x0d\x0a\x81"),
    MAGIC("partclone", IMAGE, 0, "partclone-image"),
    MAGIC("ntfsclone", IMAGE, 0, "\0ntfsclone-image"),
    MAGIC("encrypted dmg", ENCRYPTED, 0, "encrcdsa"),
    MAGIC("LUKS", ENCRYPTED, 0, "LUKS\xba\xbe"),
    MAGIC("gzip", COMPRESSED, 0, "\x1f\x8b\x08"),
    MAGIC("compress", COMPRESSED, 0, "\x1f\x9d\x90"),
    MAGIC("xz", COMPRESSED, 0, "\xfd\x37zXZ\0"),
    MAGIC("zstd", COMPRESSED, 0, "\x28\xb5\x2f\xfd"),
    MAGIC("bzip2", COMPRESSED, 0, "BZh"),
    MAGIC("lz4", COMPRESSED, 0, "\x04\x22\x4d\x18"),
    MAGIC("lz4", COMPRESSED, 0, "\x02\x21\x4c\x18"),
    MAGIC("lzip", COMPRESSED, 0, "LZIP"),
    MAGIC("lzop", COMPRESSED, 0, "\x89LZO\0\r\n\x1a\n"),
    MAGIC("lrzip", COMPRESSED, 0, "LRZI"),
    MAGIC("snappy", COMPRESSED, 0, "\xff\x06\0\0sNaPpY"),
    MAGIC("tar (OVA)", ARCHIVE, 257, "ustar"),
    MAGIC("zip", ARCHIVE, 0, "PK\x03\x04"),
    MAGIC("zip", ARCHIVE, 0, "PK\x05\x06"),
    MAGIC("zip", ARCHIVE, 0, "PK\x07\x08"),
    MAGIC("7z", ARCHIVE, 0, "7z\xbc\xaf\x27\x1c"),
    MAGIC("rar", ARCHIVE, 0, "Rar!\x1a\x07"),
    MAGIC("cab", ARCHIVE, 0, "MSCF"),
    MAGIC("WIM", ARCHIVE, 0, "MSWIM\0\0\0"),
    MAGIC("xar", ARCHIVE, 0, "xar!"),
    MAGIC("ar (deb)", ARCHIVE, 0, "!<arch>\n"),
    MAGIC("rpm", ARCHIVE, 0, "\xed\xab\xee\xdb"),
    MAGIC("cpio", ARCHIVE, 0, "070701"),
    MAGIC("cpio", ARCHIVE, 0, "070702"),
    MAGIC("cpio", ARCHIVE, 0, "070707"),
    MAGIC("ELF", OTHER, 0,
          "\x7f"
          "ELF"),
    MAGIC("Linux kernel", OTHER, 514, "HdrS"),
    MAGIC("PDF", OTHER, 0, "%PDF-"),
    MAGIC("PNG", OTHER, 0, "\x89PNG\r\n\x1a\n"),
    MAGIC("JPEG", OTHER, 0, "\xff\xd8\xff"),
    MAGIC("SQLite", OTHER, 0, "SQLite format 3"),
    MAGIC("Git bundle", OTHER, 0, "# v2 git bundle"),
    MAGIC("script", OTHER, 0, "#!/"),
    MAGIC("PEM or OpenPGP", OTHER, 0, "-----BEGIN "),
};

/* Magic numbers at offsets from the end of the file. */
static const struct magic tails[] = {
    MAGIC("VPC (fixed VHD)", IMAGE, 512, "conectix"),
    MAGIC("dmg", IMAGE, 512, "koly"),
    MAGIC("zip", ARCHIVE, 22, "PK\x05\x06"),
};

static bool is_at(const uint8_t *bytes, size_t n, size_t at, const char *magic, size_t size)
{
    return at <= n && n - at >= size && memcmp(bytes + at, magic, size) == 0;
}

static uint32_t le32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* True if the file is lzma, which has no magic number. It begins with the usual properties, a dictionary of
 * 2^n or 2^n + 2^(n-1) bytes, a size that is unknown or below 1 PiB, and the first byte of the coder, which
 * is zero. */
static bool is_lzma(const struct image_ends *f)
{
    if (f->head_bytes < 14 || f->head[0] != 0x5d || f->head[13] != 0)
        return false;
    uint32_t dictionary = le32(f->head + 1), high = le32(f->head + 9);
    uint32_t top = dictionary;
    while (top & (top - 1))
        top &= top - 1;
    return dictionary >= 4096 && (dictionary == top || dictionary == top + top / 2) &&
           ((high == UINT32_MAX && le32(f->head + 5) == UINT32_MAX) || high < 1 << 18);
}

/* Returns the kind of a page that a web server sent instead of the image: HTML, XML, or an error in JSON. */
static const char *page_name(const struct image_ends *f)
{
    static const struct {
        const char *name, *text;
    } openings[] = {
        {"HTML", "<!doctype"}, {"HTML", "<html"}, {"HTML", "<head"},  {"HTML", "<body"},
        {"HTML", "<title"},    {"HTML", "<h1"},   {"XML", "<?xml"},   {"HTML or XML", "<!--"},
        {"JSON", "{\""},       {"JSON", "[{"},    {"XML", "<error>"}, {"OVF", "<envelope"},
    };
    size_t at = is_at(f->head, f->head_bytes, 0, "\xef\xbb\xbf", 3) ? 3 : 0; /* a byte order mark */
    char text[16] = "";
    size_t n = 0;
    while (at < f->head_bytes && isspace(f->head[at]))
        at++;
    for (; at < f->head_bytes && n < sizeof text - 1; at++)
        if (n == 0 || (text[0] != '{' && text[0] != '[') || !isspace(f->head[at]))
            text[n++] = (char)tolower(f->head[at]);
    for (size_t i = 0; i < ARRAY_SIZE(openings); i++)
        if (memcmp(text, openings[i].text, strlen(openings[i].text)) == 0)
            return openings[i].name;
    return NULL;
}

/* True if the file is a program of Windows or EFI. It begins with a DOS header, which tells where its own
 * header is. A boot sector may begin like it, so the second header is looked for. */
static bool is_pe(const struct image_ends *f)
{
    return is_at(f->head, f->head_bytes, 0, "MZ", 2) && f->head_bytes >= 64 &&
           is_at(f->head, f->head_bytes, le32(f->head + 60), "PE\0\0", 4) &&
           !is_at(f->head, f->head_bytes, 510, "\x55\xaa", 2);
}

static int refuse(const char *name, enum kind kind, struct error *e)
{
    return error_set(e, -EINVAL,
                     "it is in the %s format, not a disk image that can be written as it is; %s, or use "
                     "--image-format raw to write it nevertheless",
                     name, ways_out[kind]);
}

int image_foreign_check(const struct image_ends *f, struct error *e)
{
    for (const struct magic *m = heads; m < heads + ARRAY_SIZE(heads); m++)
        if (is_at(f->head, f->head_bytes, m->offset, m->bytes, m->size))
            return refuse(m->name, m->kind, e);
    for (const struct magic *m = tails; m < tails + ARRAY_SIZE(tails); m++)
        if (f->tail_bytes >= m->offset &&
            is_at(f->tail, f->tail_bytes, f->tail_bytes - m->offset, m->bytes, m->size))
            return refuse(m->name, m->kind, e);
    /* skippable frames of lz4 and zstd */
    if (f->head_bytes >= 4 && (f->head[0] & 0xf0) == 0x50 &&
        is_at(f->head, f->head_bytes, 1, "\x2a\x4d\x18", 3))
        return refuse("lz4 or zstd", COMPRESSED, e);
    if (is_lzma(f))
        return refuse("lzma", COMPRESSED, e);
    if (is_pe(f))
        return refuse("PE", OTHER, e);
    const char *page = page_name(f);
    return page ? refuse(page, OTHER, e) : 0;
}

/* -------------------------------------------------------------------- disks */

/* Signatures that are not in signature.h: less certain ones, and those that our guests do not make. */
static const struct {
    size_t offset;
    const char *bytes;
    size_t size;
} disks[] = {
#define AT(offset, text)                                                                                     \
    {                                                                                                        \
        (offset), (text), sizeof(text) - 1                                                                   \
    }
    AT(510, "\x55\xaa"),       /* a boot sector */
    AT(4096, "EFI PART"),      /* GPT, on sectors of 4096 bytes */
    AT(512, "PM\0\0"),         /* Apple's partition map */
    AT(508, "\xda\xbe"),       /* Sun's label */
    AT(0, "\x57\x45\x56\x82"), /* BSD's label, in three places */
    AT(64, "\x57\x45\x56\x82"),
    AT(512, "\x57\x45\x56\x82"),
    AT(0, "IPL1"), /* DASD, in EBCDIC below */
    AT(0, "\xc9\xd7\xd3\xf1"),
    AT(0, "LABELONE"), /* LVM: any of the first four sectors */
    AT(1024, "LABELONE"),
    AT(1536, "LABELONE"),
    AT(4096, "\xfc\x4e\x2b\xa9"), /* md */
    AT(0, "\xfc\x4e\x2b\xa9"),
    AT(3, "EXFAT   "),
    AT(0, "hsqs"),             /* squashfs */
    AT(0, "\x45\x3d\xcd\x28"), /* cramfs */
    AT(0, "-rom1fs-"),
    AT(1024, "\xe2\xe1\xf5\xe0"), /* EROFS */
    AT(1024, "\x10\x20\xf5\xf2"), /* F2FS */
    AT(1024, "H+\0\x04"),         /* HFS+, HFSX */
    AT(1024, "HX\0\x05"),
    AT(32, "NXSB"),       /* APFS */
    AT(1030, "\x34\x34"), /* NILFS2 */
    AT(32768, "JFS1"),
    AT(32769, "CD001"), /* ISO 9660, UDF */
    AT(32769, "BEA01"),
    AT(65588, "ReIsEr"),
    AT(4120, "\xc6\x85\x73\xf6"), /* bcache, bcachefs */
    AT(9564, "\x54\x19\x01\x00"), /* UFS1, UFS2 */
    AT(66908, "\x19\x01\x54\x19"),
    AT(1040, "\x7f\x13"), /* Minix */
    AT(1040, "\x8f\x13"),
    AT(1040, "\x68\x24"),
    AT(1040, "\x78\x24"),
#undef AT
};

static bool is_zeros(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

bool image_shows_disk(const struct image_ends *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(disks); i++)
        if (is_at(f->head, f->head_bytes, disks[i].offset, disks[i].bytes, disks[i].size))
            return true;
    return signature_shows(f->head, f->head_bytes) || is_zeros(f->head, f->head_bytes);
}
