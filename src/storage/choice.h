/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses how a disk goes through dm-crypt, by disk, kernel, processor and configuration; each choice has a
 * reason. Nothing is read here: storage/facts.h gathers the facts.
 *
 *             configuration --> encryption of a new disk      its data is bound to that
 *     facts + configuration --> options of a map              may change at any opening, and meanwhile
 */
#pragma once

#include "storage/volume.h"

/* The version of dm-crypt, which says better than the kernel's version what it can do. */
#define CRYPT_VERSION(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define CRYPT_VERSION_NO_WORKQUEUES CRYPT_VERSION(1, 22) /* Linux 5.9 */
#define CRYPT_VERSION_HIGH_PRIORITY CRYPT_VERSION(1, 26) /* Linux 6.10 */
#define CRYPT_OPTIONS_TEXT_MAX      192

struct facts {
    bool rotational;               /* the disk below rotates, or the kernel does not tell */
    uint32_t physical_block_bytes; /* of the disk below; 0: the kernel does not tell */
    uint32_t crypt_version;        /* CRYPT_VERSION(); 0: not known */
};

/* dm-crypt's optional arguments that no data is bound to, as bits of `flags`. */
enum crypt_flag {
    CRYPT_ALLOW_DISCARDS = 1 << 0,
    CRYPT_NO_READ_WORKQUEUE = 1 << 1,
    CRYPT_NO_WRITE_WORKQUEUE = 1 << 2,
    CRYPT_HIGH_PRIORITY = 1 << 3,
    CRYPT_SAME_CPU = 1 << 4,
    CRYPT_SUBMIT_FROM_CPUS = 1 << 5,
};
#define CRYPT_NO_WORKQUEUES (CRYPT_NO_READ_WORKQUEUE | CRYPT_NO_WRITE_WORKQUEUE)

/* The options of the configuration that decide about the flags. */
enum choice { CHOICE_WORKQUEUES, CHOICE_HIGH_PRIORITY, CHOICE_SAME_CPU, CHOICE_DISCARD, CHOICE_COUNT };

/* Chooses the flags of a map. ret_why (may be NULL) gets a reason for each, for people; none is to be
 * freed. */
uint32_t choose_flags(const struct config *c, const struct facts *f, const char *ret_why[CHOICE_COUNT]);

/* Return the option's name in mayfly.conf; and what these flags make of it: "on", "off", or "partly". */
const char *choice_name(enum choice choice);
const char *choice_value(enum choice choice, uint32_t flags);

/* Chooses the sector size of a new disk of this cipher and size: 4096 or 512. The second function returns the
 * reason, for people. */
uint32_t choose_sector_bytes(const struct config *c, const char *cipher, const struct facts *f,
                             uint64_t size_bytes);
const char *explain_sector_bytes(const struct config *c, const char *cipher, const struct facts *f,
                                 uint64_t size_bytes);

/* Chooses how a new disk of v->size_bytes is encrypted: fills in cipher, key_bits, sector_bytes and kdf, but
 * no key. */
void choose_encryption(const struct config *c, const struct facts *f, struct volume *v);

/* Returns a remark on this cipher's speed on a processor with instructions for AES, or without. */
const char *explain_cipher(const char *cipher, bool has_aes);

/* Writes the optional arguments at the end of a table, with their number and a blank before them; "" if there
 * are none. 512 and no flags are cryptsetup's default for a plain device; 4096 without `large_iv` is what
 * LUKS2 has. */
void crypt_options_text(uint32_t sector_bytes, bool large_iv, uint32_t flags,
                        char text[CRYPT_OPTIONS_TEXT_MAX]);

/* Reads the flags among the words of a table. */
uint32_t crypt_flags_parse(const char *params);
