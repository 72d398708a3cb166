/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that is kept from files can open all the same: files and folders of the host are noted
 * before, and tried from inside. */
#pragma once

#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REACH_MAX 2000

struct reach {
    size_t n;
    char path[REACH_MAX][160];
};

/* Notes the files and folders of some folders of the system; no links, which lead to what has a name of its
 * own. */
static inline void reach_note(struct reach *r)
{
    static const char *const folders[] = {"/", "/etc", "/var", "/var/lib", "/run", "/tmp"};
    r->n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        DIR *dir = opendir(folders[i]);
        for (const struct dirent *entry; r->n < REACH_MAX && dir && (entry = readdir(dir));) {
            char *path = r->path[r->n];
            struct stat st;
            int size = snprintf(path, sizeof r->path[0], "%s/%s", streq(folders[i], "/") ? "" : folders[i],
                                entry->d_name);
            if (!streq(entry->d_name, ".") && !streq(entry->d_name, "..") && size < (int)sizeof r->path[0] &&
                lstat(path, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
                r->n++;
        }
        if (dir)
            closedir(dir);
    }
}

/* The first one that can be opened and is not one of `allowed`, nor below it; NULL: none. */
static inline const char *reach_try(const struct reach *r, const char *const allowed[], size_t n_allowed)
{
    for (size_t i = 0; i < r->n; i++) {
        bool may = false;
        for (size_t n = 0; !may && n < n_allowed; n++) {
            size_t size = strlen(allowed[n]);
            may =
                strncmp(r->path[i], allowed[n], size) == 0 && (!r->path[i][size] || r->path[i][size] == '/');
        }
        int fd = may ? -1 : open(r->path[i], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            close(fd);
            return r->path[i];
        }
    }
    return NULL;
}
