/* SPDX-License-Identifier: Apache-2.0 */
/* Text to values. libinih splits the lines and this file judges the names and values, by options.def.
 *
 * Debian's libinih does not tell its handler the number of a line, and cuts lines of 200 characters into
 * several without a word. So the lines are handed to it one by one, each whole or marked as cut.
 */
#include "config/parse.h"

#include "base/str.h"

#include <ini.h>
#include <stdio.h>
#include <strings.h>

enum option_kind { KIND_BOOL, KIND_UINT, KIND_WORD, KIND_TEXT, KIND_LIST };

static const struct option {
    const char *group, *name;
    enum option_kind kind;
    size_t offset; /* of the field in struct config */
    const char *fallback, *allowed;
} options[] = {
#define OPTION(group, name, kind, field, fallback, allowed, text)                                            \
    {#group, #name, KIND_##kind, offsetof(struct config, field), fallback, allowed},
#include "config/options.def"
#undef OPTION
};

/* One text on its way through libinih. */
struct source {
    struct config_reading *reading;
    struct error *e;
    int r; /* the first error */
    const char *file;
    const char *rest; /* what is not read yet */
    const char *end;
    bool nova; /* a nova.conf: names that are not ours are passed over */

    unsigned given[ARRAY_SIZE(options)]; /* the line in which the option was; 0: none yet */

    unsigned line;  /* number of the line that libinih has, from 1 */
    bool cut;       /* it was longer than libinih's buffer */
    bool named;     /* an option was seen since the last [group] line: */
    bool continues; /* so libinih takes this line, which begins with a blank, for more of that option's value
                     */
};

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

/* `allowed` is "MIN-MAX", or NULL. */
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

static int set_text(char *field, const char *value, struct error *e)
{
    if (strlen(value) >= CONFIG_TEXT_MAX)
        return error_set(e, -EINVAL, "is longer than %d characters", CONFIG_TEXT_MAX - 1);
    return str_copy(field, CONFIG_TEXT_MAX, value);
}

/* `allowed` is "a|b|c". */
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

static int set_value(struct config *c, const struct option *o, const char *value, struct error *e)
{
    void *field = (char *)c + o->offset;
    switch (o->kind) {
    case KIND_BOOL:
        return set_bool(field, value, e);
    case KIND_UINT:
        return set_uint(field, value, o->allowed, e);
    case KIND_WORD:
        return set_word(field, value, o->allowed, e);
    case KIND_TEXT:
        return set_text(field, value, e);
    case KIND_LIST:
        return set_list(field, value, e);
    }
    return -EINVAL;
}

static bool group_known(const char *group)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (streq(options[i].group, group))
            return true;
    return false;
}

static const struct option *find(const char *group, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (streq(options[i].group, group) && streq(options[i].name, name))
            return &options[i];
    return NULL;
}

/* Nova itself has nothing in this group that Mayfly does not know, and a slip of the pen there would change
 * how disks are encrypted. */
static bool must_be_known(const struct source *s, const char *group)
{
    return !s->nova || streq(group, "ephemeral_storage_encryption");
}

static int unknown_name(const struct source *s, const char *group, const char *name)
{
    if (!must_be_known(s, group))
        return 0;
    if (!*group)
        return error_set(s->e, -EINVAL, "option %s: stands before any [group]; see mayfly.conf(5)", name);
    if (!group_known(group))
        return error_set(s->e, -EINVAL, "group [%s]: there is no such group; see mayfly.conf(5)", group);
    return error_set(s->e, -EINVAL, "[%s] %s: there is no such option; see mayfly.conf(5)", group, name);
}

static int take_option(struct source *s, const struct option *o, const char *value)
{
    int r = 0;
    if (s->continues)
        r = error_set(s->e, -EINVAL, "a value has one line only; an option begins in the first column");
    else if (s->cut)
        r = error_set(s->e, -EINVAL, "the line is too long; 196 characters can be read");
    else
        r = set_value(&s->reading->config, o, value, s->e);
    if (r == 0 && s->given[o - options] && must_be_known(s, o->group))
        r = error_set(s->e, -EINVAL, "is given twice; line %u has it too", s->given[o - options]);
    if (r < 0) {
        error_prefix(s->e, "[%s] %s: ", o->group, o->name);
        return r;
    }
    s->given[o - options] = s->line;
    snprintf(s->reading->where[o - options], CONFIG_WHERE_MAX, "%s:%u", s->file, s->line);
    return 0;
}

/* libinih's handler: 0 is its word for an error. */
static int handle(void *user, const char *group, const char *name, const char *value)
{
    struct source *s = user;
    const struct option *o = find(group, name);
    s->named = true;
    s->r = o ? take_option(s, o, value) : unknown_name(s, group, name);
    return s->r == 0;
}

/* libinih's reader: the next line, cut to `size` - 1 bytes, or NULL at the end and after an error. */
static char *next_line(char *buffer, int size, void *user)
{
    struct source *s = user;
    if (s->rest == s->end || s->r < 0 || size < 1)
        return NULL;

    const char *newline = memchr(s->rest, '\n', (size_t)(s->end - s->rest));
    size_t n = (size_t)((newline ? newline : s->end) - s->rest);
    size_t fits = n < (size_t)size - 1 ? n : (size_t)size - 1;
    memcpy(buffer, s->rest, fits);
    buffer[fits] = '\0';

    s->cut = fits < n;
    s->rest = newline ? newline + 1 : s->end;
    s->line++;
    if (buffer[0] == '[')
        s->named = false;
    s->continues = s->named && (buffer[0] == ' ' || buffer[0] == '\t');
    return buffer;
}

static bool called_nova_conf(const char *file)
{
    const char *slash = strrchr(file, '/');
    return streq(slash ? slash + 1 : file, "nova.conf");
}

int config_reading_add(struct config_reading *reading, const char *file, const char *text, size_t size,
                       struct error *e)
{
    if (memchr(text, '\0', size))
        return error_set(e, -EINVAL, "%s: is not a text file: it has a zero byte", file);

    struct error mine = ERROR_NONE;
    struct source s = {.reading = reading, .e = &mine, .file = file, .nova = called_nova_conf(file)};
    s.rest = text;
    s.end = text + size;
    int line = ini_parse_stream(next_line, &s, handle, &s);
    if (line < 0)
        return error_memory(e);
    if (line == 0)
        return 0;
    if (s.r < 0 && (unsigned)line == s.line) /* libinih tells of the first line only */
        return error_set(e, s.r, "%s:%u: %s", file, s.line, mine.text);
    return error_set(e, -EINVAL, "%s:%d: is neither [group] nor name = value", file, line);
}

/* The texts of options.def are of the right form: test_config.c reads each of them back. */
void config_reading_begin(struct config_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        set_value(&reading->config, &options[i], options[i].fallback, NULL);
}
