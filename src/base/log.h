/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for the operator, on standard error. Never a secret: `struct secret` has no way to be printed. */
#pragma once

#include "base/macro.h"

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets the level of the whole process. Default: warnings and errors. `-q` lowers it, `-v` raises it. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* True with -q: print errors only, and results only if the verb is there to print them. */
bool log_is_quiet(void);

/* Sets the name that begins each line: "mayfly: ...". Called once, by main(). */
void log_set_program(const char *program);

/* Tells that standard error is a file: lines then begin with the time (UTC), and are left out once it has so
 * many bytes. */
void log_set_file(size_t max_bytes);

void log_line(enum log_level level, const char *format, ...) _printf_(2, 3);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
