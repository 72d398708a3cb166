/* SPDX-License-Identifier: Apache-2.0 */
/* The exit status of a run: one of the documented list, or 128 plus the number of a signal. */
#pragma once

#include "base/error.h"

/* For 0 or a negative errno. */
int exit_status(int result);

struct json_object;

/* One word for it, lower case: "busy", "key-gone"; of a signal "signal". */
#define EXIT_NAME_MAX 24
const char *exit_status_name(int status, char field[EXIT_NAME_MAX]);

/* The error as programs get it; NULL: out of memory. */
struct json_object *exit_status_json(const struct error *e);
