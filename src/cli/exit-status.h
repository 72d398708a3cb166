/* SPDX-License-Identifier: Apache-2.0 */
/* The exit status of a run: one of the documented list, or 128 plus the number of a signal. */
#pragma once

#include "base/error.h"

/* Returns the exit status for a result: 0 or a negative errno. */
int exit_status(int result);

struct json_object;

/* Returns one word for a status, in lower case: "busy", "key-gone"; "signal" for all signals. */
#define EXIT_NAME_MAX 24
const char *exit_status_name(int status, char field[EXIT_NAME_MAX]);

/* Makes the object that programs get for an error; NULL: out of memory. */
struct json_object *exit_status_json(const struct error *e);
