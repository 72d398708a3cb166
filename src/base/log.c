/* SPDX-License-Identifier: Apache-2.0 */
/* One line, one write(2), so that lines of several processes on one terminal do not mix. See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level max_level = LOG_LEVEL_WARNING;
static const char *program_name = "mayfly";

void log_set_level(enum log_level level)
{
    max_level = level;
}

enum log_level log_get_level(void)
{
    return max_level;
}

bool log_is_quiet(void)
{
    return max_level < LOG_LEVEL_WARNING;
}

void log_set_program(const char *program)
{
    program_name = program;
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const words[] = {"", "warning: ", "", "debug: "};
    if (level > max_level)
        return;

    char line[1024];
    int n = snprintf(line, sizeof line, "%s: %s", program_name, words[level]);
    va_list ap;
    va_start(ap, format);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, format, ap);
    va_end(ap);

    size_t len = strlen(line);
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored; /* nobody is left to be told */
}
