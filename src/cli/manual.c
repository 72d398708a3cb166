/* SPDX-License-Identifier: Apache-2.0 */
/* See manual.h. man is given the file: a page of that name elsewhere may be of another version. */
#include "cli/manual.h"

#include "base/str.h"
#include "build-config.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void manual_show(const char *verb)
{
    static const char *const ends[] = {"", ".gz"}; /* packages compress their pages */
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        snprintf(path, sizeof path, "%s/man1/mayfly%s%s.1%s", MAYFLY_MANDIR, verb ? "-" : "",
                 verb ? verb : "", ends[i]);
        if (access(path, R_OK) == 0)
            execlp("man", "man", path, NULL);
    }
}
