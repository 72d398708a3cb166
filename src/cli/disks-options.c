/* SPDX-License-Identifier: Apache-2.0 */
/* See disks-options.h. */
#include "cli/disks-options.h"

#include "base/str.h"

#include <stdlib.h>

/* Parses SIZE[,fs=TYPE][,name=NAME]; `fs` NULL: the disk has no choice of file system. */
static int parse_disk(const char *value, uint64_t *ret_bytes, char alias[ALIAS_MAX], char fs[FS_MAX],
                      struct error *e)
{
    _cleanup_free_ char *size = strdup(value);
    char *rest = size, *word = NULL;
    if (!size)
        return error_memory(e);
    (void)strsep(&rest, ",");
    while ((word = strsep(&rest, ","))) {
        int r = -EINVAL;
        if (str_starts(word, "name=") && word[strlen("name=")])
            r = str_copy(alias, ALIAS_MAX, word + strlen("name="));
        else if (fs && str_starts(word, "fs="))
            r = str_copy(fs, FS_MAX, word + strlen("fs="));
        if (r < 0)
            return error_set(e, -EINVAL, "'%s' is not SIZE%s[,name=NAME]", value, fs ? "[,fs=TYPE]" : "");
    }
    return cli_parse_size(size, ret_bytes, e);
}

int cli_parse_ephemeral(const char *value, struct wanted_ephemeral *ret, struct error *e)
{
    *ret = (struct wanted_ephemeral){.size_bytes = 0};
    memcpy(ret->fs, file_system_default, sizeof ret->fs);
    int r = parse_disk(value, &ret->size_bytes, ret->alias, ret->fs, e);
    const struct file_system *fs = file_system_find(ret->fs);
    if (r == 0 && (!fs || fs->is_swap))
        r = error_set(e, -EINVAL, "'%s' is not a file system for it; use one of %s", ret->fs,
                      file_system_choice);
    return r;
}

static int set_root(void *target, const char *value, struct error *e)
{
    struct wanted_disks *w = target;
    return parse_disk(value, &w->root_bytes, w->root_alias, NULL, e);
}

static int set_ephemeral(void *target, const char *value, struct error *e)
{
    struct wanted_disks *w = target;
    if (w->n_ephemeral == WANTED_EPHEMERALS_MAX)
        return error_set(e, -EINVAL, "at most %d ephemeral disks", WANTED_EPHEMERALS_MAX);
    int r = cli_parse_ephemeral(value, &w->ephemeral[w->n_ephemeral], e);
    w->n_ephemeral += r == 0;
    return r;
}

static int set_swap(void *target, const char *value, struct error *e)
{
    struct wanted_disks *w = target;
    return parse_disk(value, &w->swap_bytes, w->swap_alias, NULL, e);
}

const char disks_help_ephemeral[] = "another disk: "
#define DEFAULT_FILE_SYSTEM(name, ...) #name " (default)"
#define FILE_SYSTEM(name, ...)         ", " #name
#define SWAP_AREA(name, ...)
#include "storage/file-systems.def"
    ;

CLI_TEXT(set_volume_group, struct wanted_disks, volume_group)
const struct cli_option disks_options[] = {
    {"root", 0, "SIZE[,name=NAME]", "the root disk", set_root},
    {"ephemeral", 0, "SIZE[,fs=TYPE][,name=NAME]", disks_help_ephemeral, set_ephemeral},
    {"swap", 0, "SIZE[,name=NAME]", "a swap disk", set_swap},
    {"volume-group", 0, "VG", "make the disks in this volume group", set_volume_group},
    {0},
};
