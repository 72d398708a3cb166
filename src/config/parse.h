/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/config: several files are read into one struct config, and each value keeps its place. */
#pragma once

#include "config/option.h"

#define CONFIG_WHERE_MAX 400

struct config_reading {
    struct config config;
    char where[CONFIG_OPTIONS][CONFIG_WHERE_MAX]; /* "file:line" of the value that counts; "": the default */
};

/* Begins with the defaults. */
void config_reading_begin(struct config_reading *reading);

/* Reads the text of one file. -EINVAL: an unknown name, or a value of the wrong form. */
int config_reading_add(struct config_reading *reading, const char *file, const char *text, size_t size,
                       struct error *e) _must_check_;

/* Checks values together: cipher with key size, names of groups, paths. -EINVAL: they do not fit. */
int config_reading_check(const struct config_reading *reading, struct error *e) _must_check_;
