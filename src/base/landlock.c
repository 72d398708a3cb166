/* SPDX-License-Identifier: Apache-2.0 */
/* See landlock.h. glibc has no functions for these system calls. */
#include "base/landlock.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE)

int landlock_new(void)
{
    const struct landlock_ruleset_attr all = {.handled_access_fs = LANDLOCK_ALL};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (fd >= 0)
        return fd;
    return errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

/* Leaves out the rights of folders for a file: the kernel would refuse them. */
int landlock_allow_fd(int ruleset, int fd, uint64_t rights)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = S_ISDIR(st.st_mode) ? rights : rights & OF_FILES, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int landlock_allow(int ruleset, const char *path, uint64_t rights)
{
    _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? 0 : landlock_allow_fd(ruleset, fd, rights);
}

int landlock_enter(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* Takes -EPERM for the word of somebody else's filter, since the kernel lets every process confine itself. */
int landlock_failed(const char *program, int r, struct error *e)
{
    if (r == -EPERM)
        return error_set(e, r,
                         "%s: its access to files cannot be restricted: Landlock is forbidden here, perhaps "
                         "by the seccomp "
                         "profile of a container; allow landlock_create_ruleset, landlock_add_rule and "
                         "landlock_restrict_self there",
                         program);
    return error_set(e, r, "%s: its access to files cannot be restricted by Landlock: %s", program,
                     strerrordesc_np(-r));
}
