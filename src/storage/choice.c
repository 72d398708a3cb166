/* SPDX-License-Identifier: Apache-2.0 */
/* See choice.h. */
#include "storage/choice.h"

#include "base/str.h"
#include "config/cipher.h"

#include <stdio.h>

#define CONFIGURED "as configured"

static const char *const flag_names[] = {"allow_discards", "no_read_workqueue", "no_write_workqueue",
                                         "high_priority",  "same_cpu_crypt",    "submit_from_crypt_cpus"};

static const struct {
    const char *name;
    uint32_t flags;
    bool negative; /* if the flags are set, the option is off */
} choices[CHOICE_COUNT] = {
    [CHOICE_WORKQUEUES] = {"workqueues", CRYPT_NO_WORKQUEUES, true},
    [CHOICE_HIGH_PRIORITY] = {"high_priority", CRYPT_HIGH_PRIORITY, false},
    [CHOICE_SAME_CPU] = {"same_cpu", CRYPT_SAME_CPU | CRYPT_SUBMIT_FROM_CPUS, false},
    [CHOICE_DISCARD] = {"discard", CRYPT_ALLOW_DISCARDS, false},
};

static bool workqueues(const struct config *c, const struct facts *f, const char **why)
{
    bool asked = !streq(c->workqueues, "auto");
    bool on = asked ? streq(c->workqueues, "on") : f->rotational;
    *why = asked           ? CONFIGURED
           : f->rotational ? "the disk turns, or may turn: dm-crypt sorts what it writes to it"
                           : "the disk does not turn: another thread costs a request more than it brings";
    if (on || f->crypt_version >= CRYPT_VERSION_NO_WORKQUEUES)
        return on;
    *why = "the kernel's dm-crypt has no other way (before Linux 5.9)";
    return true;
}

static bool high_priority(const struct config *c, const struct facts *f, const char **why)
{
    bool on = streq(c->high_priority, "on");
    *why = streq(c->high_priority, "auto") ? "it takes the processor from all else on the host" : CONFIGURED;
    if (!on || f->crypt_version >= CRYPT_VERSION_HIGH_PRIORITY)
        return on;
    *why = "the kernel's dm-crypt does not have it (before Linux 6.10)";
    return false;
}

static bool same_cpu(const struct config *c, const char **why)
{
    *why = streq(c->same_cpu, "auto") ? "the requests of one guest are spread over processors" : CONFIGURED;
    return streq(c->same_cpu, "on");
}

static bool is_on(enum choice choice, const struct config *c, const struct facts *f, const char **why)
{
    switch (choice) {
    case CHOICE_WORKQUEUES:
        return workqueues(c, f, why);
    case CHOICE_HIGH_PRIORITY:
        return high_priority(c, f, why);
    case CHOICE_SAME_CPU:
        return same_cpu(c, why);
    case CHOICE_DISCARD:
    case CHOICE_COUNT:
        break;
    }
    *why = c->discard ? CONFIGURED : CONFIGURED ": discards show which blocks are in use";
    return c->discard;
}

uint32_t choose_flags(const struct config *c, const struct facts *f, const char *ret_why[CHOICE_COUNT])
{
    uint32_t flags = 0;
    for (enum choice i = 0; i < CHOICE_COUNT; i++) {
        const char *why = NULL;
        if (is_on(i, c, f, &why) != choices[i].negative)
            flags |= choices[i].flags;
        if (ret_why)
            ret_why[i] = why;
    }
    return flags;
}

const char *choice_name(enum choice choice)
{
    return choices[choice].name;
}

const char *choice_value(enum choice choice, uint32_t flags)
{
    uint32_t set = flags & choices[choice].flags;
    if (set && set != choices[choice].flags)
        return "partly";
    return !set == choices[choice].negative ? "on" : "off";
}

/* Whether a power cut may garble other data. In CBC a write of 512 bytes changes how the rest of its unit is
 * encrypted. If the disk may write less than 4096 bytes at once, a power cut could garble data that the guest
 * did not write. XTS garbles 16 bytes of the data that it did write. */
static bool may_tear(const char *cipher, const struct facts *f)
{
    return !cipher_is_xts(cipher) && f->physical_block_bytes < 4096;
}

static uint32_t sector_bytes_asked(const struct config *c, const char *cipher, const struct facts *f)
{
    if (streq(c->sector_size, "auto"))
        return may_tear(cipher, f) ? 512 : 4096;
    return streq(c->sector_size, "512") ? 512 : 4096;
}

uint32_t choose_sector_bytes(const struct config *c, const char *cipher, const struct facts *f,
                             uint64_t size_bytes)
{
    uint32_t asked = sector_bytes_asked(c, cipher, f);
    return size_bytes % asked ? 512 : asked;
}

const char *explain_sector_bytes(const struct config *c, const char *cipher, const struct facts *f,
                                 uint64_t size_bytes)
{
    if (size_bytes % sector_bytes_asked(c, cipher, f))
        return "the size of the disk is not a multiple of 4096";
    if (!streq(c->sector_size, "auto"))
        return CONFIGURED;
    if (may_tear(cipher, f))
        return "CBC, and the disk below may write 512 bytes alone: a power cut garbles no neighbours";
    return f->physical_block_bytes >= 4096
               ? "as large as the blocks of the disk below; guests see 512 bytes either way"
               : "an eighth as many units to encrypt; guests see 512 bytes either way";
}

void choose_encryption(const struct config *c, const struct facts *f, struct volume *v)
{
    v->key_bits = c->key_size_bits;
    v->sector_bytes = choose_sector_bytes(c, c->cipher, f, v->size_bytes);
    snprintf(v->cipher, sizeof v->cipher, "%.47s", c->cipher);
    snprintf(v->kdf, sizeof v->kdf, "%s", KDF_HKDF_SHA512);
}

const char *explain_cipher(const char *cipher, bool has_aes)
{
    if (!str_starts(cipher, "aes-"))
        return "as the disk was made; slow, since no processor has instructions for it";
    return has_aes ? "as the disk was made; the processor has instructions for AES"
                   : "as the disk was made; slow, since the processor has no instructions for AES";
}

/* ------------------------------------------------------------------- tables */

/* CRYPT_OPTIONS_TEXT_MAX has room for all the words together. */
void crypt_options_text(uint32_t sector_bytes, bool large_iv, uint32_t flags,
                        char text[CRYPT_OPTIONS_TEXT_MAX])
{
    const char *words[2 + ARRAY_SIZE(flag_names)];
    int n = 0;
    if (sector_bytes == 4096)
        words[n++] = "sector_size:4096";
    if (sector_bytes == 4096 && large_iv)
        words[n++] = "iv_large_sectors";
    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
        if (flags & 1U << i)
            words[n++] = flag_names[i];
    char *end = text;
    *end = '\0';
    if (n)
        end += sprintf(end, " %d", n);
    for (int i = 0; i < n; i++)
        end = stpcpy(stpcpy(end, " "), words[i]);
}

uint32_t crypt_flags_parse(const char *params)
{
    uint32_t flags = 0;
    while (*params) {
        size_t n = strcspn(params, " ");
        for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
            if (strlen(flag_names[i]) == n && memcmp(flag_names[i], params, n) == 0)
                flags |= 1U << i;
        params += n + strspn(params + n, " ");
    }
    return flags;
}
