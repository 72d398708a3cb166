/* SPDX-License-Identifier: Apache-2.0 */
/* For a logical volume sysfs shows the limits of the disks below: the kernel has stacked them. See
 * facts.h. */
#include "storage/facts.h"

#include "base/fd.h"
#include "base/str.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void device_attribute(dev_t device, const char *name, char *line, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s", major(device), minor(device), name);
    file_line(path, line, size);
}

bool device_is_at(const char *path, dev_t device)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* Looks at "flags" of an x86, "Features" of an ARM; the first processor counts. */
bool cpuinfo_has_aes(FILE *f)
{
    char *line = NULL;
    size_t room = 0;
    bool flags = false, found = false;
    while (!flags && getline(&line, &room, f) >= 0) {
        flags = str_starts(line, "flags") || str_starts(line, "Features");
        char *rest = line;
        for (char *word; flags && !found && (word = strsep(&rest, " \t\n"));)
            found = streq(word, "aes");
    }
    free(line);
    return found;
}

bool processor_has_aes(void)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
    return f && cpuinfo_has_aes(f);
}

void facts_of_device(dev_t device, uint32_t crypt_version, struct facts *ret)
{
    char line[24];
    uint64_t bytes = 0;
    *ret = (struct facts){.crypt_version = crypt_version};
    device_attribute(device, "queue/rotational", line, sizeof line);
    ret->rotational = !streq(line, "0");
    device_attribute(device, "queue/physical_block_size", line, sizeof line);
    if (str_to_u64(line, &bytes) == 0)
        ret->physical_block_bytes = (uint32_t)bytes;
}

void facts_of_volume(const struct volume *v, uint32_t crypt_version, struct facts *ret)
{
    struct stat st;
    char path[DEVICE_PATH_MAX];
    snprintf(path, sizeof path, "/dev/%s/%s", v->vg, v->lv);
    facts_of_device(stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? st.st_rdev : 0, crypt_version, ret);
}

void facts_of_group(const char *vg, uint32_t crypt_version, struct facts *ret)
{
    char path[DEVICE_PATH_MAX];
    snprintf(path, sizeof path, "/dev/%s", vg);
    _cleanup_closedir_ DIR *folder = opendir(path);
    bool any = false;
    *ret = (struct facts){.rotational = true, .crypt_version = crypt_version};
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat st;
        struct facts one;
        if (fstatat(dirfd(folder), entry->d_name, &st, 0) < 0 || !S_ISBLK(st.st_mode))
            continue;
        facts_of_device(st.st_rdev, crypt_version, &one);
        if (!any || one.physical_block_bytes < ret->physical_block_bytes)
            ret->physical_block_bytes = one.physical_block_bytes;
        any = true;
    }
}
