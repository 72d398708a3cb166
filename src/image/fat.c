/* SPDX-License-Identifier: Apache-2.0 */
/* See fat.h. So few clusters make it FAT12. A cluster is one sector.
 *
 *     boot sector | table | table again | root folder | clusters 2, 3, ...
 *          1      |   6   |      6      |      1      |                     sectors
 */
#include "image/fat.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECTOR        512
#define SECTORS       (FAT_BYTES / SECTOR)
#define TABLE_SECTORS 6 /* 12 bits for each cluster */
#define ROOT_ENTRIES  16
#define ENTRY         32
#define ROOT_SECTOR   (1 + 2 * TABLE_SECTORS)
#define DATA_SECTOR   (ROOT_SECTOR + ROOT_ENTRIES * ENTRY / SECTOR)
#define FIRST_CLUSTER 2
#define LAST_OF_FILE  0xfff
#define LABEL_OFFSET  43
#define LONG_CHARS    13 /* characters of a long name in one entry */

enum { ATTRIBUTE_LABEL = 0x08, ATTRIBUTE_LONG_NAME = 0x0f, ATTRIBUTE_FILE = 0x20 };

struct writer {
    uint8_t *image;
    uint8_t *entry;   /* next entry of the root folder */
    unsigned cluster; /* next free cluster */
};

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value & 0xffff);
    put16(at + 2, value >> 16);
}

static void put_padded(uint8_t *at, size_t size, const char *text)
{
    memset(at, ' ', size);
    memcpy(at, text, strnlen(text, size));
}

static void put_boot_sector(uint8_t *at, const char *label, uint32_t serial)
{
    memcpy(at, "\xeb\x3c\x90MAYFLY  ", 11);
    put16(at + 11, SECTOR);
    at[13] = 1;        /* sectors in a cluster */
    put16(at + 14, 1); /* sectors before the tables */
    at[16] = 2;        /* tables */
    put16(at + 17, ROOT_ENTRIES);
    put16(at + 19, SECTORS);
    at[21] = 0xf8; /* media descriptor: a fixed disk */
    put16(at + 22, TABLE_SECTORS);
    put16(at + 24, 32); /* sectors in a track, then heads: nobody reads them */
    put16(at + 26, 2);
    at[36] = 0x80; /* number of a disk for the BIOS */
    at[38] = 0x29; /* serial number, label and type follow */
    put32(at + 39, serial);
    put_padded(at + LABEL_OFFSET, 11, label);
    put_padded(at + 54, 8, "FAT12");
    put16(at + 510, 0xaa55);
}

/* Sets the entry of a cluster. Two entries of 12 bits share three bytes. */
static void put_table(uint8_t *table, unsigned cluster, unsigned value)
{
    uint8_t *at = table + cluster + cluster / 2;
    if (cluster % 2) {
        at[0] = (uint8_t)((at[0] & 0x0f) | value << 4);
        at[1] = (uint8_t)(value >> 4);
    } else {
        at[0] = (uint8_t)value;
        at[1] = (uint8_t)((at[1] & 0xf0) | (value >> 8 & 0x0f));
    }
}

static void link_clusters(struct writer *w, unsigned cluster, unsigned next)
{
    for (unsigned n = 0; n < 2; n++)
        put_table(w->image + SECTOR * (1 + n * TABLE_SECTORS), cluster, next);
}

static uint8_t *new_entry(struct writer *w)
{
    uint8_t *entry = w->entry;
    w->entry += ENTRY;
    return entry;
}

static uint8_t checksum(const uint8_t short_name[11])
{
    uint8_t sum = 0;
    for (int i = 0; i < 11; i++)
        sum = (uint8_t)((sum << 7 | sum >> 1) + short_name[i]);
    return sum;
}

/* Makes the name NAME~1, which old systems would show. */
static void make_short_name(const char *name, unsigned number, uint8_t field[11])
{
    memset(field, ' ', 11);
    for (int i = 0; i < 6 && name[i]; i++)
        field[i] = (uint8_t)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    field[6] = '~';
    field[7] = (uint8_t)('1' + number);
}

/* Writes a long name, its last part first. A zero ends the name, and ones fill the rest. */
static void put_long_name(struct writer *w, const char *name, uint8_t sum)
{
    static const uint8_t places[LONG_CHARS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    size_t length = strlen(name), parts = (length + LONG_CHARS - 1) / LONG_CHARS;
    for (size_t part = parts; part > 0; part--) {
        uint8_t *entry = new_entry(w);
        entry[0] = (uint8_t)(part | (part == parts ? 0x40 : 0));
        entry[11] = ATTRIBUTE_LONG_NAME;
        entry[13] = sum;
        for (size_t i = 0; i < LONG_CHARS; i++) {
            size_t at = (part - 1) * LONG_CHARS + i;
            put16(entry + places[i], at < length ? (unsigned char)name[at] : at == length ? 0 : 0xffff);
        }
    }
}

#define LONG_AGO 0x21 /* the first of January 1980, at midnight: the contents do not depend on the time */

static void put_file(struct writer *w, const struct fat_file *f, unsigned number)
{
    uint8_t short_name[11];
    unsigned n = (unsigned)((f->bytes + SECTOR - 1) / SECTOR);
    make_short_name(f->name, number, short_name);
    put_long_name(w, f->name, checksum(short_name));
    uint8_t *entry = new_entry(w);
    memcpy(entry, short_name, sizeof short_name);
    entry[11] = ATTRIBUTE_FILE;
    put16(entry + 16, LONG_AGO);
    put16(entry + 18, LONG_AGO);
    put16(entry + 24, LONG_AGO);
    put16(entry + 26, n ? w->cluster : 0);
    put32(entry + 28, (uint32_t)f->bytes);
    if (n)
        memcpy(w->image + (size_t)SECTOR * (DATA_SECTOR + w->cluster - FIRST_CLUSTER), f->data, f->bytes);
    for (unsigned i = 0; i < n; i++, w->cluster++)
        link_clusters(w, w->cluster, i + 1 < n ? w->cluster + 1 : LAST_OF_FILE);
}

void fat_write(uint8_t *image, const char *label, uint32_t serial, const struct fat_file *files, size_t n)
{
    struct writer w = {
        .image = image, .entry = image + (size_t)SECTOR * ROOT_SECTOR, .cluster = FIRST_CLUSTER};
    put_boot_sector(image, label, serial);
    link_clusters(&w, 0, 0xff8); /* matches the media descriptor in the boot sector */
    link_clusters(&w, 1, LAST_OF_FILE);
    uint8_t *entry = new_entry(&w);
    put_padded(entry, 11, label);
    entry[11] = ATTRIBUTE_LABEL;
    put16(entry + 24, LONG_AGO);
    for (size_t i = 0; i < n; i++)
        put_file(&w, &files[i], (unsigned)i);
}

bool fat_has_label(const uint8_t *image, const char *label)
{
    uint8_t padded[11];
    put_padded(padded, sizeof padded, label);
    return image[510] == 0x55 && image[511] == 0xaa && memcmp(image + LABEL_OFFSET, padded, 11) == 0;
}
