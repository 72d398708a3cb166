/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for the images of a test, and QEMU's own tools to make them. */
#pragma once

#include "base/process.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Group setup and teardown: the current folder is a fresh one, which others may enter. */
static inline int folder_make(void **state)
{
    char *folder = strdup("/tmp/image-test-XXXXXX");
    *state = folder;
    return !folder || !mkdtemp(folder) || chmod(folder, 0755) < 0 || chdir(folder) < 0;
}

static inline int folder_remove(void **state)
{
    const char *argv[] = {"rm", "-rf", *state, NULL};
    int r = process_run(argv, 60, NULL, NULL);
    free(*state);
    return r;
}

/* Runs a line of shell, which must succeed. */
static inline void run(const char *line)
{
    const char *argv[] = {"sh", "-ec", line, NULL};
    struct error e = ERROR_NONE;
    if (process_run(argv, 120, NULL, &e) < 0)
        fail_msg("%s: %s", line, e.text);
}

/* How many children this process has, zombies included. */
static inline int count_children(void)
{
    char path[64], text[256] = "";
    int count = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    for (char *c = text; *c; c++)
        count += *c == ' ';
    return count;
}

static inline int count_descriptors(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}
