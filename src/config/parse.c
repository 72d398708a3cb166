/* SPDX-License-Identifier: Apache-2.0 */
/* Splits the text of a file into options. The form is that of oslo.config, which reads nova.conf, and of
 * mayfly.conf(5).
 *
 *     [group]
 *     name = value ; a comment
 *         more of the value
 *
 * The next line may continue a value. So an option is set only when another line begins, or the text ends.
 */
#include "config/parse.h"

#include "base/str.h"

#include <stdio.h>

#define ENCRYPTION_GROUP "ephemeral_storage_encryption"

/* A text while it is read, line by line. */
struct source {
    struct config_reading *reading;
    struct error *e;
    const char *file;
    bool nova;                  /* the file is a nova.conf: other options of Nova are skipped */
    struct config_query *query; /* only these options are looked up, without checks; NULL: Mayfly's are set */
    size_t n_query;
    unsigned line; /* number of the current line, from 1 */
    char *group;   /* "": before the first group */

    unsigned given[CONFIG_OPTIONS]; /* line in which the option was set; 0: not yet */

    char *name; /* option whose value may go on in the next line; NULL: none */
    char *value;
    unsigned name_line;
    bool continued; /* the value has more than one line */
};

/* True if the options of this group decide how disks are encrypted. */
static bool is_encryption(const char *group)
{
    return streq(group, ENCRYPTION_GROUP);
}

static int refuse_unknown(const struct source *s)
{
    bool misspelt = is_encryption(s->group) && option_misspelt(s->group, s->name);
    if (s->nova && !misspelt)
        return 0;
    if (!*s->group)
        return error_set(s->e, -EINVAL, "option %s: stands before any [group]; see mayfly.conf(5)", s->name);
    if (!option_group_known(s->group))
        return error_set(s->e, -EINVAL, "group [%s]: there is no such group; see mayfly.conf(5)", s->group);
    return error_set(s->e, -EINVAL, "[%s] %s: there is no such option; see mayfly.conf(5)", s->group,
                     s->name);
}

/* Returns the plain name of a key manager, since older files name Barbican by a Python class. */
static const char *plain_value(const struct option *o, const char *value)
{
    bool backend = streq(o->group, "key_manager") && streq(o->name, "backend");
    return backend && str_ends(value, ".BarbicanKeyManager") ? "barbican" : value;
}

/* True if the option may be given twice. In nova.conf the last value counts, as for Nova. Options of
 * encryption are the exception. */
static bool may_repeat(const struct source *s, const struct option *o)
{
    return s->nova && !is_encryption(o->group);
}

static int set_option(struct source *s, const struct option *o)
{
    enum config_option n = option_number(o);
    int r = 0;
    if (s->continued && o->kind != KIND_LIST)
        r = error_set(s->e, -EINVAL, "a value has one line only; an option begins in the first column");
    else
        r = option_set(&s->reading->config, o, plain_value(o, s->value), s->e);
    if (r == 0 && s->given[n] && !may_repeat(s, o))
        r = error_set(s->e, -EINVAL, "is given twice; line %u has it too", s->given[n]);
    if (r < 0) {
        error_prefix(s->e, "[%s] %s: ", o->group, o->name);
        return r;
    }
    s->given[n] = s->name_line;
    snprintf(s->reading->where[n], CONFIG_WHERE_MAX, "%s:%u", s->file, s->name_line);
    return 0;
}

static int set_own_option(struct source *s)
{
    const struct option *o = option_find(s->group, s->name);
    return o ? set_option(s, o) : refuse_unknown(s);
}

static void answer_query(const struct source *s)
{
    for (size_t i = 0; i < s->n_query; i++) {
        struct config_query *q = &s->query[i];
        if (!streq(q->group, s->group) || !streq(q->name, s->name))
            continue;
        q->given = true;
        snprintf(q->value, sizeof q->value, "%s", s->value);
    }
}

/* Sets the current option, whose value is complete. */
static int end_option(struct source *s)
{
    int r = 0;
    if (!s->name)
        return 0;
    if (s->query)
        answer_query(s);
    else
        r = set_own_option(s);
    if (r < 0)
        s->line = s->name_line;
    free(s->value);
    s->name = s->value = NULL;
    return r;
}

/* Cuts blanks at both ends, and a comment. A comment begins with a ; after a blank. */
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

static int continue_value(struct source *s, char *text)
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

static int begin_group(struct source *s, char *text)
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

static int read_line(struct source *s, char *text)
{
    size_t blanks = strspn(text, " \t\r");
    if (!text[blanks] || text[blanks] == '#' || text[blanks] == ';')
        return 0;
    if (blanks && s->name)
        return continue_value(s, text);
    int r = end_option(s);
    if (r < 0)
        return r;
    return text[blanks] == '[' ? begin_group(s, text + blanks) : begin_option(s, text + blanks);
}

static int read_lines(struct source *s, char *text)
{
    int r = 0;
    if (str_starts(text, "\xef\xbb\xbf")) /* byte order mark */
        text += 3;
    for (char *next; r == 0 && text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        s->line++;
        r = read_line(s, text);
    }
    return r < 0 ? r : end_option(s);
}

static bool called_nova_conf(const char *file)
{
    const char *slash = strrchr(file, '/');
    return streq(slash ? slash + 1 : file, "nova.conf");
}

static int read_text(struct source *s, const char *text, size_t size, struct error *e)
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
    int r = read_lines(s, lines);
    free(s->value);
    return r < 0 ? error_set(e, r, "%s:%u: %s", s->file, s->line, mine.text) : 0;
}

int config_reading_add(struct config_reading *reading, const char *file, const char *text, size_t size,
                       struct error *e)
{
    struct source s = {.reading = reading, .file = file, .nova = called_nova_conf(file)};
    return read_text(&s, text, size, e);
}

int config_look_up(const char *file, const char *text, size_t size, struct config_query query[], size_t n,
                   struct error *e)
{
    struct source s = {.file = file, .query = query, .n_query = n};
    return read_text(&s, text, size, e);
}

void config_reading_begin(struct config_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    option_set_defaults(&reading->config);
}
