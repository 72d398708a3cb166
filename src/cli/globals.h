/* SPDX-License-Identifier: Apache-2.0 */
/* The options of every verb, which may stand before or after its name. */
#pragma once

#include "cli/options.h"

struct json_object;

struct globals {
    const char *verb;        /* its name; with its command: "key list" */
    const char *config_path; /* NULL: the installed configuration */
    bool json;
    struct json_object *document; /* what the verb prints for programs: see json.h; NULL: nothing yet */
    bool listing;                 /* a document is being printed, item by item */
    int progress_fd;              /* -1: none */
    const char *cloud;            /* name in clouds.yaml; NULL: the one in OS_CLOUD */
    int token_fd;                 /* -1: none */
    bool help;
    bool version;
};

/* Reads the number of a descriptor that is open. */
int cli_parse_fd(const char *value, int *ret, struct error *e) _must_check_;

extern const struct cli_option global_options[];
