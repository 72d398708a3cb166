/* SPDX-License-Identifier: Apache-2.0 */
/* Options as tables: the parser and --help read the same rows, so help cannot drift from code. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* One row. `set` stores the value (NULL for a flag) in the verb's own struct. */
struct cli_option {
    const char *name;
    char letter;          /* 0: no short form */
    const char *argument; /* "SIZE"; NULL: a flag */
    const char *help;
    int (*set)(void *target, const char *value, struct error *e);
};

/* Defines the `set` of a flag, which makes one bool of the verb's struct true. */
#define CLI_FLAG(setter, type, member)                                                                       \
    static int setter(void *target, const char *value, struct error *e)                                      \
    {                                                                                                        \
        (void)value, (void)e;                                                                                \
        ((type *)target)->member = true;                                                                     \
        return 0;                                                                                            \
    }

/* Defines the `set` of an option whose value is kept as it is, in the caller's argv. */
#define CLI_TEXT(setter, type, member)                                                                       \
    static int setter(void *target, const char *value, struct error *e)                                      \
    {                                                                                                        \
        (void)e;                                                                                             \
        ((type *)target)->member = value;                                                                    \
        return 0;                                                                                            \
    }

/* Reads a number of seconds that an operation waits. */
int cli_parse_timeout(const char *value, unsigned *ret_sec, struct error *e) _must_check_;

/* Reads a size above 0: "20G". */
int cli_parse_size(const char *value, uint64_t *ret_bytes, struct error *e) _must_check_;

/* Options that belong together and go to one target. A table ends with a row without a name. */
struct cli_group {
    const struct cli_option *options;
    void *target;
};

/* Takes the options of all groups out of argv, in any order and mixed with operands. The operands move to the
 * front of argv[1...]; *ret_n is their number. `stop_at_operand`: options after the first operand are left
 * alone. -EINVAL. */
int cli_parse(int argc, char **argv, const struct cli_group *groups, size_t n_groups, bool stop_at_operand,
              int *ret_n, struct error *e) _must_check_;

void cli_print_options(const struct cli_option *options);
