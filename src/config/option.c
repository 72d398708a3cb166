/* SPDX-License-Identifier: Apache-2.0 */
/* The options of options.def as a table: how one is found by its name, and set from its text. */
#include "config/option.h"

#include "base/str.h"

#include <stddef.h>
#include <strings.h>

static const struct option options[CONFIG_OPTIONS] = {
#define OPTION(group, name, kind, field, fallback, allowed, text)                                            \
    {#group, #name, KIND_##kind, offsetof(struct config, field), fallback, allowed},
#include "config/options.def"
#undef OPTION
};

/* ---------------------------------------------------------- options by name */

bool option_group_known(const char *group)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (streq(options[i].group, group))
            return true;
    return false;
}

const struct option *option_find(const char *group, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (streq(options[i].group, group) && streq(options[i].name, name))
            return &options[i];
    return NULL;
}

enum config_option option_number(const struct option *o)
{
    return (enum config_option)(o - options);
}

/* Returns how many letters must be changed, added or removed to turn one name into the other. Names longer
 * than NAME_LIMIT are not compared: their distance is NAME_LIMIT. */
#define NAME_LIMIT 64
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_LIMIT + 1];
    size_t n = strlen(b);
    if (n > NAME_LIMIT || strlen(a) > NAME_LIMIT)
        return NAME_LIMIT;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; *a; i++, a++) {
        unsigned corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned best = corner + (*a != b[j - 1]);
            corner = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

bool option_misspelt(const char *group, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (streq(options[i].group, group) && distance(name, options[i].name) <= 2)
            return true;
    return false;
}

/* ------------------------------------------------------------------- values */

static int set_bool(bool *field, const char *value, struct error *e)
{
    static const char *const words[][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (size_t i = 0; i < ARRAY_SIZE(words) * 4; i++)
        if (strcasecmp(value, words[i / 4][i % 4]) == 0) {
            *field = i / 4 == 1;
            return 0;
        }
    return error_set(e, -EINVAL, "\"%s\" is neither true nor false", value);
}

/* Sets a number; `allowed` is "MIN-MAX", or NULL. */
static int set_uint(uint32_t *field, const char *value, const char *allowed, struct error *e)
{
    uint64_t number = 0;
    if (str_to_u64(value, &number) < 0 || number > UINT32_MAX)
        return error_set(e, -EINVAL, "\"%s\" is not a number", value);
    if (allowed &&
        (number < strtoull(allowed, NULL, 10) || number > strtoull(strchr(allowed, '-') + 1, NULL, 10)))
        return error_set(e, -EINVAL, "%s is not within %s", value, allowed);
    *field = (uint32_t)number;
    return 0;
}

static int set_size(uint64_t *field, const char *value, struct error *e)
{
    uint64_t bytes = 0;
    if (*value && str_to_bytes(value, &bytes) < 0)
        return error_set(e, -EINVAL, "\"%s\" is not a size; use a number with K, M, G or T, for example 512M",
                         value);
    *field = bytes;
    return 0;
}

static int set_text(char *field, const char *value, struct error *e)
{
    if (strlen(value) >= CONFIG_TEXT_MAX)
        return error_set(e, -EINVAL, "is longer than %d characters", CONFIG_TEXT_MAX - 1);
    return str_copy(field, CONFIG_TEXT_MAX, value);
}

/* Sets a word; `allowed` is "a|b|c". */
static int set_word(char *field, const char *value, const char *allowed, struct error *e)
{
    size_t n = strlen(value);
    for (const char *word = allowed; n; word++) {
        size_t length = strcspn(word, "|");
        if (length == n && memcmp(word, value, n) == 0)
            return set_text(field, value, e);
        word += length;
        if (!*word)
            break;
    }
    return error_set(e, -EINVAL, "\"%s\" is not one of %s", value, allowed);
}

static int set_list(struct config_list *field, const char *value, struct error *e)
{
    struct config_list list = {0};
    while (*value) {
        value += strspn(value, ", \t");
        size_t n = strcspn(value, ",");
        size_t next = n;
        while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
            n--;
        if (n && list.n == CONFIG_LIST_MAX)
            return error_set(e, -EINVAL, "has more than %d items", CONFIG_LIST_MAX);
        if (n >= CONFIG_TEXT_MAX)
            return error_set(e, -EINVAL, "has an item of more than %d characters", CONFIG_TEXT_MAX - 1);
        if (n)
            memcpy(list.item[list.n++], value, n);
        value += next;
    }
    *field = list;
    return 0;
}

int option_set(struct config *c, const struct option *o, const char *value, struct error *e)
{
    void *field = (char *)c + o->offset;
    switch (o->kind) {
    case KIND_BOOL:
        return set_bool(field, value, e);
    case KIND_UINT:
        return set_uint(field, value, o->allowed, e);
    case KIND_SIZE:
        return set_size(field, value, e);
    case KIND_WORD:
        return set_word(field, value, o->allowed, e);
    case KIND_TEXT:
        return set_text(field, value, e);
    case KIND_LIST:
        return set_list(field, value, e);
    }
    return -EINVAL;
}

/* Sets the defaults of options.def, which have the right form: test_config.c reads each of them back. */
void option_set_defaults(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        option_set(c, &options[i], options[i].fallback, NULL);
}
