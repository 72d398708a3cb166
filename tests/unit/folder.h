/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test, below $TMPDIR; gone with all that is in it at the end. */
#pragma once

#include "base/macro.h"
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* cmocka's setup: *state becomes the path. */
static inline int folder_make(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/mayfly-test-XXXXXX", tmp ? tmp : "/tmp");
    *state = mkdtemp(path) ? strdup(path) : NULL;
    return *state ? 0 : -1;
}

static inline int folder_remove(void **state)
{
    nftw(*state, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

/* "<folder>/<name>", in one of a few buffers that take turns. */
static inline const char *folder_path(void **state, const char *name)
{
    static char paths[8][512];
    static unsigned turn;
    char *path = paths[turn++ % ARRAY_SIZE(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", (const char *)*state, name);
    return path;
}

static inline void folder_write(void **state, const char *name, const char *text)
{
    int fd = open(folder_path(state, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}
