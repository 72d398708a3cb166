/* SPDX-License-Identifier: Apache-2.0 */
/* See options.h. getopt_long() does the parsing; this file makes its tables and its error sentences. */
#include "cli/options.h"

#include "base/str.h"

#include <getopt.h>
#include <stdio.h>

#define OPTIONS_MAX 64
#define LONG_BASE   256 /* getopt's values of options without a letter start here */

struct parser {
    struct option longs[OPTIONS_MAX + 1];
    const struct cli_option *rows[OPTIONS_MAX];
    void *targets[OPTIONS_MAX];
    char shorts[2 * OPTIONS_MAX + 4];
    size_t n;
};

static void add_row(struct parser *p, const struct cli_option *row, void *target)
{
    p->longs[p->n] = (struct option){
        .name = row->name,
        .has_arg = row->argument ? required_argument : no_argument,
        .val = LONG_BASE + (int)p->n,
    };
    p->rows[p->n] = row;
    p->targets[p->n] = target;
    p->n++;
    if (row->letter) {
        size_t used = strlen(p->shorts);
        p->shorts[used++] = row->letter;
        if (row->argument)
            p->shorts[used] = ':';
    }
}

static void build(struct parser *p, const struct cli_group *groups, size_t n_groups, bool stop_at_operand)
{
    /* '+': stop at the first operand; ':': distinguish a missing argument from an unknown option */
    strcpy(p->shorts, stop_at_operand ? "+:" : ":");
    for (size_t g = 0; g < n_groups; g++)
        for (const struct cli_option *row = groups[g].options; row->name && p->n < OPTIONS_MAX; row++)
            add_row(p, row, groups[g].target);
}

static size_t find_row(const struct parser *p, int value)
{
    if (value >= LONG_BASE)
        return (size_t)(value - LONG_BASE);
    size_t i = 0;
    while (i < p->n && p->rows[i]->letter != value)
        i++;
    return i;
}

static int refuse(int kind, char **argv, struct error *e)
{
    const char *word = argv[optind - 1];
    if (kind == ':')
        return error_set(e, -EINVAL, "option %s: needs an argument; see mayfly --help", word);
    if (optopt && optopt < LONG_BASE)
        return error_set(e, -EINVAL, "option -%c: unknown; see mayfly --help", optopt);
    return error_set(e, -EINVAL, "option %s: unknown or ambiguous; see mayfly --help", word);
}

int cli_parse(int argc, char **argv, const struct cli_group *groups, size_t n_groups, bool stop_at_operand,
              int *ret_n, struct error *e)
{
    struct parser p = {0};
    build(&p, groups, n_groups, stop_at_operand);

    opterr = 0;
    optind = 0; /* GNU: start afresh, also for a second table */
    for (;;) {
        int value = getopt_long(argc, argv, p.shorts, p.longs, NULL);
        if (value < 0)
            break;
        if (value == '?' || value == ':')
            return refuse(value, argv, e);
        size_t i = find_row(&p, value);
        int r = p.rows[i]->set(p.targets[i], optarg, e);
        if (r < 0) {
            error_prefix(e, "option --%s: ", p.rows[i]->name);
            return r;
        }
    }
    for (int i = optind; i < argc; i++)
        argv[1 + i - optind] = argv[i];
    *ret_n = argc - optind;
    return 0;
}

int cli_parse_timeout(const char *value, unsigned *ret_sec, struct error *e)
{
    uint64_t seconds = 0;
    if (str_to_u64(value, &seconds) < 0 || seconds > 86400)
        return error_set(e, -EINVAL, "'%s' is not a number of seconds from 0 to 86400", value);
    *ret_sec = (unsigned)seconds;
    return 0;
}

int cli_parse_size(const char *value, uint64_t *ret_bytes, struct error *e)
{
    uint64_t bytes = 0;
    int r = str_to_bytes(value, &bytes);
    if (r < 0 || bytes == 0)
        return error_set(e, -EINVAL,
                         "'%s' is not a size; use for example 512M, 20G or 1.5 TiB (powers of 1024)", value);
    *ret_bytes = bytes;
    return 0;
}

void cli_print_options(const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? "," : " ", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        printf("  %-34s %s\n", left, o->help);
    }
}
