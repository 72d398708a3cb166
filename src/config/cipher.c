/* SPDX-License-Identifier: Apache-2.0 */
/* The ciphers that Mayfly offers for new disks: those without a known weakness.
 *
 * Not offered, though dm-crypt takes both: ecb, which shows equal blocks; plain, whose 32-bit sector numbers,
 * and with them the IVs, start again after 2 TiB.
 */
#include "config/cipher.h"

#include "base/str.h"

#define KEY_SIZES_MAX 3

static const struct cipher {
    const char *name;
    uint32_t key_bits[KEY_SIZES_MAX]; /* sizes that it takes; 0: end of list */
} ciphers[] = {
    {"aes-xts-plain64", {256, 512}},      {"aes-cbc-essiv:sha256", {128, 192, 256}},
    {"serpent-xts-plain64", {256, 512}},  {"twofish-xts-plain64", {256, 512}},
    {"camellia-xts-plain64", {256, 512}},
};

static const struct cipher *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++)
        if (streq(ciphers[i].name, name))
            return &ciphers[i];
    return NULL;
}

bool cipher_known(const char *cipher)
{
    return find(cipher) != NULL;
}

bool cipher_is_xts(const char *cipher)
{
    return strstr(cipher, "-xts-") != NULL;
}

/* Says why Mayfly does not offer a cipher that dm-crypt knows. */
static const char *objection(const char *cipher)
{
    if (strstr(cipher, "-ecb"))
        return "is not offered: ecb shows which blocks are equal";
    if (str_ends(cipher, "-plain"))
        return "is not offered: its 32-bit sector numbers start again after 2 TiB";
    return "is not offered";
}

static int unknown_cipher(const char *cipher, struct error *e)
{
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ciphers) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", ciphers[i].name);
    return error_set(e, -EINVAL, "cipher %.64s: %s; use one of %s", cipher, objection(cipher), names);
}

/* Writes the sizes that a cipher takes: "128, 192 or 256". */
static void sizes_text(const struct cipher *c, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < KEY_SIZES_MAX && c->key_bits[i]; i++) {
        bool last = i + 1 == KEY_SIZES_MAX || !c->key_bits[i + 1];
        used += (size_t)snprintf(text + used, size - used, "%s%u",
                                 !i     ? ""
                                 : last ? " or "
                                        : ", ",
                                 c->key_bits[i]);
    }
}

static int wrong_size(const struct cipher *c, uint32_t key_bits, struct error *e)
{
    char sizes[64];
    sizes_text(c, sizes, sizeof sizes);
    if (key_bits % 8)
        return error_set(e, -EINVAL, "key size %u: is not a whole number of bytes; %s takes %s bits",
                         key_bits, c->name, sizes);
    if (cipher_is_xts(c->name))
        return error_set(
            e, -EINVAL,
            "key size %u: %s takes %s bits, since XTS splits them into two keys (here of %u bits "
            "each)",
            key_bits, c->name, sizes, key_bits / 2);
    return error_set(e, -EINVAL, "key size %u: %s takes %s bits", key_bits, c->name, sizes);
}

int cipher_check(const char *cipher, uint32_t key_bits, struct error *e)
{
    const struct cipher *c = find(cipher);
    if (!c)
        return unknown_cipher(cipher, e);
    for (size_t i = 0; i < KEY_SIZES_MAX; i++)
        if (key_bits && c->key_bits[i] == key_bits)
            return 0;
    return wrong_size(c, key_bits, e);
}

void cipher_print_manual(FILE *out)
{
    fputs("[[ *cipher*\n:[ *key\\_size*\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++) {
        char sizes[64];
        sizes_text(&ciphers[i], sizes, sizeof sizes);
        fprintf(out, "|  %s\n:  %s\n", ciphers[i].name, sizes);
    }
}
