/* SPDX-License-Identifier: Apache-2.0 */
/* See lvm-filter.h. */
#include "storage/lvm-filter.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONFIGURATION "/etc/lvm"
#define DEADLINE_SEC  60

/* Whether the line has the whole word: global_filter is another setting, which counts beside filter. */
static bool has_filter(const char *line)
{
    for (const char *at = line; (at = strstr(at, "filter")); at++)
        if (at == line || (!isalnum((unsigned char)at[-1]) && at[-1] != '_'))
            return true;
    return false;
}

static bool file_has_word(const char *path)
{
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    _cleanup_free_ char *line = NULL;
    size_t room = 0;
    bool found = !file;
    while (!found && getline(&line, &room, file) >= 0)
        found = line[strspn(line, " \t")] != '#' && has_filter(line);
    return found || ferror(file);
}

bool lvm_filter_may_be_set(const char *folder)
{
    _cleanup_closedir_ DIR *dir = opendir(folder);
    bool found = !dir && errno != ENOENT;
    for (struct dirent *d; dir && !found && (d = readdir(dir));) {
        _cleanup_free_ char *path = str_format("%s/%s", folder, d->d_name);
        found = !path || (str_ends(d->d_name, ".conf") && file_has_word(path));
    }
    return found;
}

/* Runs a process of its own. Under a profile, as in lvm-shell.c, lvmconfig shows nothing but the profile; and
 * after --mergedconfig LVM 2.03.16 dies of the next --config. */
bool lvm_filter_is_set(void)
{
    static const char *const argv[] = {"lvm", "lvmconfig", "devices/filter", NULL};
    struct error e = ERROR_NONE; /* LVM reports a missing setting as a failure, too */
    return lvm_filter_may_be_set(CONFIGURATION) && process_run(argv, DEADLINE_SEC, NULL, &e) == 0;
}
