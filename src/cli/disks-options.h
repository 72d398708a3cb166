/* SPDX-License-Identifier: Apache-2.0 */
/* The options of all verbs that make disks. */
#pragma once

#include "cli/options.h"
#include "instance/wanted-disks.h"

/* Those of a set of disks; their target is a struct wanted_disks. */
extern const struct cli_option disks_options[];

extern const char disks_help_ephemeral[]; /* the words of --help for --ephemeral */

/* Reads SIZE[,fs=TYPE][,name=NAME]. */
int cli_parse_ephemeral(const char *value, struct wanted_ephemeral *ret, struct error *e) _must_check_;
