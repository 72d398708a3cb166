/* SPDX-License-Identifier: Apache-2.0 */
/* The options of all verbs that make a seed disk. The files are read with the caller's rights, before mayfly
 * gives up root; those that the configuration names are read after that. */
#pragma once

#include "cli/options.h"
#include "config/config.h"
#include "instance/wanted-seed.h"

struct seed_options {
    struct config_list key_paths;
    bool no_keys; /* no keys, whatever the configuration says */
    const char *user_data_path;
    struct wanted_seed seed; /* the result; it points into the next two: */
    char *keys;
    struct secret *user_data;
};

extern const struct cli_option seed_options[];

/* Reads the files that were named. Returns -EINVAL, or the negative errno of a file. */
int seed_options_read(struct seed_options *o, struct error *e) _must_check_;

/* Reads the keys that the configuration names, if the caller named none. */
int seed_options_add_configured(struct seed_options *o, const struct config *c, struct error *e) _must_check_;

/* Reads a whole seed from a file; the disk has its size, rounded up to whole blocks. -EINVAL: not a regular
 * file, empty, or larger than 4 MiB. The caller frees *ret. */
int seed_image_read(const char *path, struct secret **ret, struct error *e) _must_check_;

void seed_options_end(struct seed_options *o);
