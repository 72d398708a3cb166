/* SPDX-License-Identifier: Apache-2.0 */
/* Text to values: lines are split here, names and values judged by options.def. The form is that of
 * oslo.config, which reads nova.conf, and of mayfly.conf(5).
 *
 *     [group]
 *     name = value ; a comment
 *         more of the value
 */
#include "config/parse.h"

#include "base/str.h"

#include <stdio.h>
#include <strings.h>

enum option_kind { KIND_BOOL, KIND_UINT, KIND_SIZE, KIND_WORD, KIND_TEXT, KIND_LIST };

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

/* One text on its way, line by line. */
struct source {
    struct config_reading *reading;
    struct error *e;
    const char *file;
    bool nova;                  /* a nova.conf: names that are not ours are passed over */
    struct config_wish *wishes; /* what is looked for, and nothing else judged; NULL: our own options */
    size_t n_wishes;
    unsigned line; /* number of the line in hand, from 1 */
    char *group;   /* "": none yet */

    unsigned given[ARRAY_SIZE(options)]; /* the line in which the option was; 0: none yet */

    char *name; /* the option that is not taken yet, since more of its value may come; NULL: none */
    char *value;
    unsigned name_line;
    bool continued; /* its value has more than one line */
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

static int set_size(uint64_t *field, const char *value, struct error *e)
{
    uint64_t bytes = 0;
    if (*value && str_to_bytes(value, &bytes) < 0)
        return error_set(e, -EINVAL, "\"%s\" is not a size; say 512M or 4G", value);
    *field = bytes;
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

/* How many letters have to be changed, added or left out to make one of the other? At most `LIMIT` is told.
 */
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

/* A slip of the pen in this group would change how disks are encrypted. What is far from all of ours is one
 * of Nova's own that we do not know. */
static const char *meant_name(const char *group, const char *name)
{
    if (!streq(group, "ephemeral_storage_encryption"))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (streq(options[i].group, group) && distance(name, options[i].name) <= 2)
            return options[i].name;
    return NULL;
}

static int unknown_name(const struct source *s)
{
    if (s->nova && !meant_name(s->group, s->name))
        return 0;
    if (!*s->group)
        return error_set(s->e, -EINVAL, "option %s: stands before any [group]; see mayfly.conf(5)", s->name);
    if (!group_known(s->group))
        return error_set(s->e, -EINVAL, "group [%s]: there is no such group; see mayfly.conf(5)", s->group);
    return error_set(s->e, -EINVAL, "[%s] %s: there is no such option; see mayfly.conf(5)", s->group,
                     s->name);
}

/* A Python class, by which older files name Barbican. */
static const char *plain_value(const struct option *o, const char *value)
{
    bool backend = streq(o->group, "key_manager") && streq(o->name, "backend");
    return backend && str_ends(value, ".BarbicanKeyManager") ? "barbican" : value;
}

/* In nova.conf the last word counts, as for Nova, but where it says how disks are encrypted. */
static bool counts_once(const struct source *s, const char *group)
{
    return !s->nova || streq(group, "ephemeral_storage_encryption");
}

static int take_value(struct source *s, const struct option *o)
{
    int r = 0;
    if (s->continued && o->kind != KIND_LIST)
        r = error_set(s->e, -EINVAL, "a value has one line only; an option begins in the first column");
    else
        r = set_value(&s->reading->config, o, plain_value(o, s->value), s->e);
    if (r == 0 && s->given[o - options] && counts_once(s, o->group))
        r = error_set(s->e, -EINVAL, "is given twice; line %u has it too", s->given[o - options]);
    if (r < 0) {
        error_prefix(s->e, "[%s] %s: ", o->group, o->name);
        return r;
    }
    s->given[o - options] = s->name_line;
    snprintf(s->reading->where[o - options], CONFIG_WHERE_MAX, "%s:%u", s->file, s->name_line);
    return 0;
}

static int take_wish(const struct source *s)
{
    for (size_t i = 0; i < s->n_wishes; i++) {
        struct config_wish *w = &s->wishes[i];
        if (!streq(w->group, s->group) || !streq(w->name, s->name))
            continue;
        w->given = true;
        snprintf(w->value, sizeof w->value, "%s", s->value);
    }
    return 0;
}

static int take_own(struct source *s)
{
    const struct option *o = find(s->group, s->name);
    return o ? take_value(s, o) : unknown_name(s);
}

/* The option before is whole: another line has begun, or the text is at its end. */
static int take_option(struct source *s)
{
    if (!s->name)
        return 0;
    int r = s->wishes ? take_wish(s) : take_own(s);
    if (r < 0)
        s->line = s->name_line;
    free(s->value);
    s->name = s->value = NULL;
    return r;
}

/* Without the blanks around it, and without a comment: that begins with a ; behind a blank. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t n = 0;
    while (text[n] && !(text[n] == ';' && (n == 0 || text[n - 1] == ' ' || text[n - 1] == '\t')))
        n++;
    while (n && strchr(" \t\r", text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

static int take_more(struct source *s, char *text)
{
    char *longer = str_format("%s,%s", s->value, trimmed(text));
    if (!longer)
        return error_memory(s->e);
    free(s->value);
    s->value = longer;
    s->continued = true;
    return 0;
}

static int refuse_line(const struct source *s)
{
    return error_set(s->e, -EINVAL, "is neither [group] nor name = value");
}

static int take_group(struct source *s, char *text)
{
    char *end = strchr(text, ']');
    if (!end || !strchr("#;", *trimmed(end + 1)))
        return refuse_line(s);
    *end = '\0';
    s->group = text + 1;
    return 0;
}

static int begin_option(struct source *s, char *text)
{
    size_t n = strcspn(text, "=:");
    if (!text[n] || n == 0)
        return refuse_line(s);
    text[n] = '\0';
    s->name = trimmed(text);
    s->value = strdup(trimmed(text + n + 1));
    s->name_line = s->line;
    s->continued = false;
    return s->value ? 0 : error_memory(s->e);
}

static int take_line(struct source *s, char *text)
{
    size_t blanks = strspn(text, " \t\r");
    if (!text[blanks] || text[blanks] == '#' || text[blanks] == ';')
        return 0;
    if (blanks && s->name)
        return take_more(s, text);
    int r = take_option(s);
    if (r < 0)
        return r;
    return text[blanks] == '[' ? take_group(s, text + blanks) : begin_option(s, text + blanks);
}

static int take_lines(struct source *s, char *text)
{
    int r = 0;
    if (str_starts(text, "\xef\xbb\xbf")) /* a byte order mark */
        text += 3;
    for (char *next; r == 0 && text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        s->line++;
        r = take_line(s, text);
    }
    return r < 0 ? r : take_option(s);
}

static bool called_nova_conf(const char *file)
{
    const char *slash = strrchr(file, '/');
    return streq(slash ? slash + 1 : file, "nova.conf");
}

static int take_text(struct source *s, const char *text, size_t size, struct error *e)
{
    if (memchr(text, '\0', size))
        return error_set(e, -EINVAL, "%s: is not a text file: it has a zero byte", s->file);

    struct error mine = ERROR_NONE;
    _cleanup_free_ char *lines = malloc(size + 1);
    if (!lines)
        return error_memory(e);
    memcpy(lines, text, size);
    lines[size] = '\0';
    s->e = &mine;
    s->group = (char *)"";
    int r = take_lines(s, lines);
    free(s->value);
    return r < 0 ? error_set(e, r, "%s:%u: %s", s->file, s->line, mine.text) : 0;
}

int config_reading_add(struct config_reading *reading, const char *file, const char *text, size_t size,
                       struct error *e)
{
    struct source s = {.reading = reading, .file = file, .nova = called_nova_conf(file)};
    return take_text(&s, text, size, e);
}

int config_look(const char *file, const char *text, size_t size, struct config_wish wishes[], size_t n,
                struct error *e)
{
    struct source s = {.file = file, .wishes = wishes, .n_wishes = n};
    return take_text(&s, text, size, e);
}

/* The texts of options.def are of the right form: test_config.c reads each of them back. */
void config_reading_begin(struct config_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        set_value(&reading->config, &options[i], options[i].fallback, NULL);
}
