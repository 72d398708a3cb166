/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/config: one option of options.def. */
#pragma once

#include "config/config.h"

/* The options by number: config_option_FIELD. */
enum config_option {
#define OPTION(group, name, kind, field, fallback, allowed, text) config_option_##field,
#include "config/options.def"
#undef OPTION
    CONFIG_OPTIONS
};

enum option_kind { KIND_BOOL, KIND_UINT, KIND_SIZE, KIND_WORD, KIND_TEXT, KIND_LIST };

struct option {
    const char *group, *name;
    enum option_kind kind;
    size_t offset; /* place of the field in struct config */
    const char *fallback, *allowed;
};

bool option_group_known(const char *group);

/* Finds an option by its name; NULL: there is no such option. */
const struct option *option_find(const char *group, const char *name);

enum config_option option_number(const struct option *o);

/* True if the name differs from an option of the group by at most two letters. */
bool option_misspelt(const char *group, const char *name);

/* Sets the field of the option from its text. -EINVAL: the text has the wrong form. */
int option_set(struct config *c, const struct option *o, const char *value, struct error *e);

/* Sets all fields to their defaults. */
void option_set_defaults(struct config *c);
