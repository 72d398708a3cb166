/* SPDX-License-Identifier: Apache-2.0 */
/* The words of one verb: its options, its operands, its help. */
#include "cli/verb.h"

#include "base/str.h"

#include <stdio.h>

#define GROUPS_MAX 4 /* groups of options that are a verb's own */

static void print_verb_usage(const struct verb *v, const struct cli_group own[])
{
    printf("mayfly %s: %s\n\nUsage: mayfly %s [OPTION]...%s%s\n\n", v->name, v->summary, v->name,
           *v->operands ? " " : "", v->operands);
    if (own->options)
        printf("Options of %s:\n", v->name);
    for (const struct cli_group *group = own; group->options; group++)
        cli_print_options(group->options);
    printf("%sOptions:\n", own->options ? "\n" : "");
    cli_print_options(global_options);
}

int verb_parse_groups(const struct verb *self, struct globals *g, const struct cli_group own[], int argc,
                      char **argv, int min, int max, int *ret_n, struct error *e)
{
    struct cli_group groups[GROUPS_MAX + 1];
    size_t n_groups = 0;
    for (; n_groups < GROUPS_MAX && own[n_groups].options; n_groups++)
        groups[n_groups] = own[n_groups];
    groups[n_groups++] = (struct cli_group){global_options, g};
    int n = 0;
    int r = cli_parse(argc, argv, groups, n_groups, false, &n, e);
    if (r < 0)
        return r;
    if (g->help) {
        print_verb_usage(self, own);
        return 1;
    }
    if (n < min)
        return error_set(e, -EINVAL, "%s: missing argument; usage: mayfly %s %s", self->name, self->name,
                         self->operands);
    if (n > max)
        return error_set(e, -EINVAL, "%s: unexpected argument '%s'; see mayfly %s --help", self->name,
                         argv[max + 1], self->name);
    *ret_n = n;
    return 0;
}

int verb_parse(const struct verb *self, struct globals *g, const struct cli_option *options, void *target,
               int argc, char **argv, int min, int max, int *ret_n, struct error *e)
{
    const struct cli_group own[] = {{options, target}, {0}};
    return verb_parse_groups(self, g, own, argc, argv, min, max, ret_n, e);
}
