/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a host as doctor wants them, below a folder of the test's own. */
#pragma once

#include "folder.h"

static inline void host_tree_write(void **state, const char *path, const char *text)
{
    char folder[512];
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        snprintf(folder, sizeof folder, "%s/%.*s", (const char *)*state, (int)(slash - path), path);
        mkdir(folder, 0755);
    }
    folder_write(state, path, text);
}

static inline int host_tree_make(void **state)
{
    static const char *const programs[] = {"lvm",      "qemu-img",  "qemu-nbd", "mkfs.ext4",
                                           "mkfs.xfs", "mkfs.vfat", "mkswap"};
    char path[64];
    if (folder_make(state) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        snprintf(path, sizeof path, "usr/sbin/%s", programs[i]);
        host_tree_write(state, path, "");
        chmod(folder_path(state, path), 0755);
    }
    host_tree_write(state, "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
    host_tree_write(state, "proc/stat", "cpu 1 2 3\nbtime 1000000000\n");
    host_tree_write(state, "sys/kernel/security/lsm", "lockdown,capability,landlock,yama,apparmor\n");
    host_tree_write(state, "sys/module/apparmor/parameters/enabled", "Y\n");
    host_tree_write(state, "etc/lvm/lvmlocal.conf",
                    "devices {\n    global_filter = [ \"r|^/dev/mapper/.*-dmcrypt$|\" ]\n}\n");
    return 0;
}
