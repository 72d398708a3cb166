/* SPDX-License-Identifier: Apache-2.0 */
/* Knows signatures of what a guest may have on a disk, as blkid(8) does. Noise matches two bytes too easily,
 * so other fields are checked too. See signature.h. */
#include "base/signature.h"

#include "base/macro.h"

#include <string.h>

#define MAGIC(offset, text)                                                                                  \
    {                                                                                                        \
        (offset), (text), sizeof(text) - 1                                                                   \
    }
static const struct magic {
    size_t offset;
    const char *bytes;
    size_t size;
} magics[] = {
    MAGIC(0, "XFSB"),          MAGIC(0, "LUKS\xba\xbe"),   MAGIC(3, "NTFS    "),     MAGIC(54, "FAT12   "),
    MAGIC(54, "FAT16   "),     MAGIC(82, "FAT32   "),      MAGIC(512, "EFI PART"),   MAGIC(512, "LABELONE"),
    MAGIC(4086, "SWAPSPACE2"), MAGIC(65526, "SWAPSPACE2"), MAGIC(65600, "_BHRfS_M"),
};

static uint32_t le32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Recognises ext2, 3, 4: magic; block size 1 KiB to 64 KiB; revision 0 or 1. */
static bool is_ext(const uint8_t *head, size_t size)
{
    const uint8_t *super = head + 1024;
    return size >= 2048 && super[56] == 0x53 && super[57] == 0xef && le32(super + 24) <= 6 &&
           le32(super + 76) <= 1;
}

/* Recognises an MBR partition table: magic; each of four entries active or not, and one of them used at
 * least. */
static bool is_mbr(const uint8_t *head, size_t size)
{
    bool used = false;
    if (size < 512 || head[510] != 0x55 || head[511] != 0xaa)
        return false;
    for (const uint8_t *entry = head + 446; entry < head + 510; entry += 16) {
        if (entry[0] & 0x7f)
            return false;
        used |= entry[4] != 0 && le32(entry + 12) != 0;
    }
    return used;
}

bool signature_shows(const uint8_t *head, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (size >= magics[i].offset + magics[i].size &&
            memcmp(head + magics[i].offset, magics[i].bytes, magics[i].size) == 0)
            return true;
    return is_ext(head, size) || is_mbr(head, size);
}
