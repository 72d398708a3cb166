/* SPDX-License-Identifier: Apache-2.0 */
/* Prints options.def as the sample file, and as a part of mayfly.conf(5). */
#include "base/str.h"
#include "config/config.h"

#define SAMPLE_WIDTH 78

static const struct option {
    const char *group, *name, *fallback, *allowed, *text;
} options[] = {
#define OPTION(group, name, kind, field, fallback, allowed, text) {#group, #name, fallback, allowed, text},
#include "config/options.def"
#undef OPTION
};

static bool begins_group(size_t i)
{
    return i == 0 || !streq(options[i].group, options[i - 1].group);
}

/* Prints the text as a comment, wrapped at SAMPLE_WIDTH. */
static void print_comment(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + n > SAMPLE_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%.*s", column ? " " : "# ", (int)n, text);
        text += n + strspn(text + n, " ");
    }
    fputc('\n', out);
}

/* True if `allowed` is the MIN-MAX of a number. */
static bool is_range(const char *allowed)
{
    return allowed[strspn(allowed, "0123456789")] == '-';
}

/* Prints "a|b|c" as "a, b, c". */
static void print_allowed(FILE *out, const char *allowed)
{
    for (; *allowed; allowed++)
        if (*allowed == '|')
            fputs(", ", out);
        else
            fputc(*allowed, out);
}

void config_print_sample(FILE *out)
{
    fputs("# The configuration of Mayfly: see mayfly.conf(5). Commented lines show the defaults.\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const struct option *o = &options[i];
        if (begins_group(i))
            fprintf(out, "\n[%s]\n", o->group);
        else
            fputc('\n', out);
        print_comment(out, o->text);
        if (o->allowed) {
            fputs(is_range(o->allowed) ? "# Within: " : "# One of: ", out);
            print_allowed(out, o->allowed);
            fputc('\n', out);
        }
        if (streq(o->name, "enabled"))
            fputs("enabled = true\n", out);
        else
            fprintf(out, "#%s =%s%s\n", o->name, *o->fallback ? " " : "", o->fallback);
    }
}

/* Escapes the characters that scdoc(5) takes for markup. */
static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("*_\\", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

void config_print_manual(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const struct option *o = &options[i];
        if (begins_group(i)) {
            fputs("## [", out);
            print_escaped(out, o->group);
            fputs("]\n\n", out);
        }
        fputc('*', out);
        print_escaped(out, o->name);
        fputs("*\n\t", out);
        print_escaped(out, o->text);
        if (o->allowed) {
            fputs(is_range(o->allowed) ? " Within: " : " One of: ", out);
            print_allowed(out, o->allowed);
            fputc('.', out);
        }
        if (*o->fallback) {
            fputs(" Default: ", out);
            print_escaped(out, o->fallback);
            fputc('.', out);
        }
        fputs("\n\n", out);
    }
}
