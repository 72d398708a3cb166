/* SPDX-License-Identifier: Apache-2.0 */
/* See seed.h. meta-data is YAML. */
#include "image/seed.h"

#include "base/str.h"
#include "image/fat.h"

#include <stdio.h>
#include <string.h>

#define LABEL             "CIDATA"
#define META_DATA_MAX     (3 * SEED_KEYS_MAX + 4096) /* keys are quoted, and may need escapes */
#define NO_USER_DATA      "#cloud-config\n"          /* cloud-init wants the file */
#define LABEL_OF_HOST_MAX 63

_Static_assert(SEED_BYTES == FAT_BYTES, "a seed is one whole file system");
_Static_assert(META_DATA_MAX + SEED_USER_DATA_MAX <= FAT_DATA_BYTES, "and holds the largest files");

/* ------------------------------------------------------------------- checks */

int seed_check_hostname(const char *hostname, struct error *e)
{
    size_t length = strlen(hostname);
    bool good = length > 0 && length < SEED_HOSTNAME_MAX;
    for (const char *label = hostname; good; label++) {
        size_t n = strcspn(label, ".");
        good = n > 0 && n <= LABEL_OF_HOST_MAX && label[0] != '-' && label[n - 1] != '-';
        for (size_t i = 0; good && i < n; i++)
            good = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", label[i]);
        label += n;
        if (!*label)
            break;
    }
    if (good)
        return 0;
    return error_set(e, -EINVAL,
                     "host name %.80s: is not valid; it has labels of at most 63 letters, digits and '-', "
                     "separated by dots",
                     hostname);
}

/* True if the line is [OPTIONS ]TYPE BASE64[ COMMENT]: the base64 of any key begins with the length of its
 * type. */
static bool is_key(const char *line, size_t length)
{
    const char *blob = memmem(line, length, " AAAA", 5);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
            return false;
    return blob && blob > line;
}

/* Returns the next line that is not a comment, and its *length; `*text` moves behind it. NULL: there is no
 * such line. */
static const char *next_key(const char **text, size_t *length)
{
    while (**text) {
        const char *line = *text + strspn(*text, " \t");
        *length = strcspn(line, "\r\n");
        *text = line + *length;
        *text += strspn(*text, "\r\n");
        if (*length && *line != '#')
            return line;
    }
    return NULL;
}

int seed_check_ssh_keys(const char *keys, struct error *e)
{
    size_t length = 0;
    if (strlen(keys) > SEED_KEYS_MAX)
        return error_set(e, -EINVAL, "SSH keys: are more than %u KiB", SEED_KEYS_MAX >> 10);
    if (strstr(keys, "PRIVATE KEY"))
        return error_set(e, -EINVAL,
                         "SSH keys: one of them is private, and stays with its owner; name its .pub file");
    bool any = false;
    for (const char *line; (line = next_key(&keys, &length)); any = true)
        if (!is_key(line, length))
            return error_set(
                e, -EINVAL,
                "SSH keys: a line is not a public key, which begins as ssh-ed25519 AAAA... does; see "
                "ssh-keygen(1)");
    return any ? 0
               : error_set(e, -EINVAL,
                           "SSH keys: the file has no SSH key; name a .pub file, see ssh-keygen(1)");
}

/* True if the first line is that of a private key, as ssh-keygen and openssl write it. */
static bool is_private_key(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    size_t length = end ? (size_t)(end - text) : size;
    return size >= 5 && memcmp(text, "-----", 5) == 0 && memmem(text, length, "PRIVATE KEY", 11);
}

int seed_check_user_data(const struct secret *user_data, struct error *e)
{
    const char *text = (const char *)secret_peek(user_data);
    size_t size = secret_size(user_data), blank = 0;
    while (blank < size && strchr(" \t\r\n", text[blank]) && text[blank])
        blank++;
    if (blank == size)
        return error_set(e, -EINVAL, "user data: is empty");
    if (size > SEED_USER_DATA_MAX)
        return error_set(e, -EINVAL, "user data: is larger than %u KiB", SEED_USER_DATA_MAX >> 10);
    if (is_private_key(text + blank, size - blank))
        return error_set(e, -EINVAL, "user data: is a private key, which stays with its owner");
    return 0;
}

const char *seed_doubt(const struct secret *user_data)
{
    static const char *const begins[] = {"#", "\x1f\x8b", "Content-Type:", "MIME-Version:", "From "};
    for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
        if (secret_size(user_data) >= strlen(begins[i]) &&
            memcmp(secret_peek(user_data), begins[i], strlen(begins[i])) == 0)
            return NULL;
    return "cloud-init ignores it unless it begins with #cloud-config, #! or another line that tells its "
           "kind";
}

/* ------------------------------------------------------------------- making */

/* Writes the text as a double-quoted YAML string. */
static void put_quoted(FILE *out, const char *text, size_t length)
{
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            fputc('\\', out);
        fputc(text[i], out);
    }
    fputs("\"\n", out);
}

/* Makes the file meta-data, in which nothing is secret. The caller frees *ret. */
static int make_meta_data(const struct seed *s, char **ret, size_t *ret_bytes, struct error *e)
{
    const char *keys = s->ssh_keys;
    size_t length = 0, n = 0;
    FILE *out = open_memstream(ret, ret_bytes);
    if (!out)
        return error_memory(e);
    fprintf(out, "instance-id: %s\nlocal-hostname: ", s->instance);
    put_quoted(out, s->hostname, strlen(s->hostname));
    for (const char *line; (line = next_key(&keys, &length)); n++) {
        fputs(n ? "  - " : "public-keys:\n  - ", out);
        put_quoted(out, line, length);
    }
    if (fclose(out) == 0)
        return 0;
    free(*ret);
    return error_memory(e);
}

int seed_make(const struct seed *s, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *image = NULL;
    _cleanup_free_ char *meta_data = NULL;
    size_t bytes = 0;
    int r = make_meta_data(s, &meta_data, &bytes, e);
    if (r == 0)
        r = secret_new(SEED_BYTES, &image, e);
    if (r < 0)
        return r;
    const struct fat_file files[] = {
        {"meta-data", meta_data, bytes},
        {"user-data", s->user_data ? (const void *)secret_peek(s->user_data) : NO_USER_DATA,
         s->user_data ? secret_size(s->user_data) : strlen(NO_USER_DATA)},
    };
    fat_write(secret_bytes(image), LABEL, (uint32_t)strtoul(s->instance, NULL, 16), files, ARRAY_SIZE(files));
    *ret = TAKE_PTR(image);
    return 0;
}

/* -------------------------------------------------------------------- disks */

int seed_write(const struct opened *disk, const struct secret *seed, struct error *e)
{
    int r = opened_pwrite(disk, secret_peek(seed), secret_size(seed), 0);
    if (r == 0)
        r = opened_sync(disk);
    return r < 0 ? error_set(e, r, "seed: cannot be written to its disk: %s", strerrordesc_np(-r)) : 0;
}

int seed_read(const struct opened *disk, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *image = NULL;
    int r = secret_new(SEED_BYTES, &image, e);
    if (r < 0)
        return r;
    r = opened_pread(disk, secret_bytes(image), secret_size(image), 0);
    if (r < 0)
        return error_set(e, r, "seed: cannot be read from its disk: %s", strerrordesc_np(-r));
    if (!fat_has_label(secret_peek(image), LABEL))
        return error_set(e, -EIO, "seed: its disk holds no seed that Mayfly has written");
    *ret = TAKE_PTR(image);
    return 0;
}
