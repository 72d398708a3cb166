/* SPDX-License-Identifier: Apache-2.0 */
/* A verb: its options, and what it does with its operands. */
#pragma once

#include "cli/globals.h"

struct verb {
    const char *name;
    const char *operands; /* for the usage line */
    const char *summary;
    int (*run)(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e);
};

/* Reads the options of a verb, from all groups in `own` (up to one without options), and the global ones.
 * *ret_n operands are then in argv[1...], at least `min` and at most `max`. With --help it prints the verb's
 * help and returns 1: there is nothing to do. */
int verb_parse_groups(const struct verb *self, struct globals *g, const struct cli_group own[], int argc,
                      char **argv, int min, int max, int *ret_n, struct error *e) _must_check_;

/* Does the same for a verb whose options are one table, or NULL. */
int verb_parse(const struct verb *self, struct globals *g, const struct cli_option *options, void *target,
               int argc, char **argv, int min, int max, int *ret_n, struct error *e) _must_check_;

#define VERB(function, name, operands, summary)                                                              \
    int verb_##function(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e);
#include "cli/verbs.def"
#undef VERB
