/* SPDX-License-Identifier: Apache-2.0 */
/* One line, one write(2), so that lines of several processes on one terminal do not mix. See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum log_level max_level = LOG_LEVEL_WARNING;
static const char *program_name = "mayfly";
static size_t max_file_bytes; /* 0: standard error is not a file */

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

void log_set_file(size_t max_bytes)
{
    max_file_bytes = max_bytes;
}

static bool is_full(void)
{
    struct stat st;
    return fstat(STDERR_FILENO, &st) == 0 && st.st_size >= (off_t)max_file_bytes;
}

/* Begins a line with the time if standard error is a file. Returns the length. */
static int begin_line(char *line, size_t size)
{
    struct tm broken_down;
    struct timespec now;
    line[0] = '\0';
    if (!max_file_bytes)
        return 0;
    clock_gettime(CLOCK_REALTIME, &now); /* not time(), which the filters of mayfly-disks do not allow */
    return (int)strftime(line, size, "%FT%TZ ", gmtime_r(&now.tv_sec, &broken_down));
}

/* Drops the program's name at the beginning of what it says: the line begins with it. */
static void drop_name(char *said)
{
    size_t n = strlen(program_name);
    if (strncmp(said, program_name, n) == 0 && strncmp(said + n, ": ", 2) == 0)
        memmove(said, said + n + 2, strlen(said + n + 2) + 1);
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const words[] = {"", "warning: ", "", "debug: "};
    if (level > max_level || (max_file_bytes && is_full()))
        return;

    char line[1024];
    int n = begin_line(line, sizeof line);
    n += snprintf(line + n, sizeof line - (size_t)n, "%s: %s", program_name, words[level]);
    va_list ap;
    va_start(ap, format);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, format, ap);
    va_end(ap);
    drop_name(line + n);

    size_t len = strlen(line);
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored; /* nobody is left to be told */
}
