/* SPDX-License-Identifier: Apache-2.0 */
/* See holders.h. Files that cannot be read are left out: this only adds words to an error.
 *
 *     /sys/dev/block/M:N/holders      maps of the device-mapper, RAID
 *     /proc/self/mountinfo            mounts
 *     /proc/swaps                     swap
 *     /sys/block/loopN/loop           loop devices
 */
#include "storage/holders.h"

#include "base/fd.h"
#include "base/str.h"
#include "storage/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static void add(char *text, size_t size, const char *kind, const char *name)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s%.100s", used ? ", " : " by ", kind, name);
}

static void add_maps(dev_t device, char *text, size_t size)
{
    char path[400], name[200];
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/holders", major(device), minor(device));
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/sys/class/block/%s/dm/name", entry->d_name);
        file_line(path, name, sizeof name);
        add(text, size, name[0] ? "map " : "", name[0] ? name : entry->d_name);
    }
}

/* Adds mounts of the device. The lines are: ID PARENT MAJOR:MINOR ROOT MOUNT-POINT ... */
static void add_mounts(dev_t device, char *text, size_t size)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[4096], point[4096];
    unsigned major_number = 0, minor_number = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%*s %*s %u:%u %*s %4095s", &major_number, &minor_number, point) == 3 &&
            makedev(major_number, minor_number) == device)
            add(text, size, "mount ", point);
}

static void add_swap(dev_t device, char *text, size_t size)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/swaps", "re");
    char line[4096];
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, " \t")] = '\0';
        if (device_is_at(line, device))
            add(text, size, "swap", "");
    }
}

static void add_loops(dev_t device, char *text, size_t size)
{
    char path[400], file[4096];
    _cleanup_closedir_ DIR *d = opendir("/sys/block");
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (!str_starts(entry->d_name, "loop"))
            continue;
        snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", entry->d_name);
        file_line(path, file, sizeof file);
        if (device_is_at(file, device))
            add(text, size, "", entry->d_name);
    }
}

void holders_name(dev_t device, char *text, size_t size)
{
    text[0] = '\0';
    add_maps(device, text, size);
    add_mounts(device, text, size);
    add_swap(device, text, size);
    add_loops(device, text, size);
}
