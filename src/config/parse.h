/* SPDX-License-Identifier: Apache-2.0 */
/* Within config/: one text after the other into one struct config, and where each value came from. */
#pragma once

#include "config/config.h"

#define CONFIG_WHERE_MAX 400

/* The options by number: config_option_FIELD. */
enum config_option {
#define OPTION(group, name, kind, field, fallback, allowed, text) config_option_##field,
#include "config/options.def"
#undef OPTION
    CONFIG_OPTIONS
};

struct config_reading {
    struct config config;
    char where[CONFIG_OPTIONS][CONFIG_WHERE_MAX]; /* "file:line" of the value that counts; "": the default */
};

/* Begins with the defaults. */
void config_reading_begin(struct config_reading *reading);

/* Takes in the text of one file: names and forms of the values are judged. -EINVAL. */
int config_reading_add(struct config_reading *reading, const char *file, const char *text, size_t size,
                       struct error *e) _must_check_;

/* Judges the values that need more than their form: cipher with key size, sector size, names. -EINVAL. */
int config_reading_check(const struct config_reading *reading, struct error *e) _must_check_;
