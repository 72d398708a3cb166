/* SPDX-License-Identifier: Apache-2.0 */
/* A file that a verb writes with the caller's rights, although it has given up root by then: a process that
 * was forked earlier writes it. The file has either its old contents or all of the new ones. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct output_file {
    const char *path; /* not copied */
    FILE *text;       /* the new contents; NULL: not begun */
    pid_t writer;
};

int output_file_begin(const char *path, struct output_file *ret, struct error *e) _must_check_;

/* Ends the file, which stays as it was unless `whole`. Returns when the new file has its name, durably. */
int output_file_end(struct output_file *o, bool whole, struct error *e) _must_check_;
