/* SPDX-License-Identifier: Apache-2.0 */
/* See privileges.h. */
#include "cli/privileges.h"

#include "build-config.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void privileges_harden(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
}

static int find_user(const struct passwd **ret, struct error *e)
{
    errno = 0;
    *ret = getpwnam(MAYFLY_USER);
    if (*ret)
        return 0;
    return error_set(e, -ENOENT,
                     "user %s: mayfly cannot give up root: there is no such user; run systemd-sysusers, or "
                     "useradd --system %s",
                     MAYFLY_USER, MAYFLY_USER);
}

int privileges_user(uid_t *ret, struct error *e)
{
    const struct passwd *user = NULL;
    int r = find_user(&user, e);
    if (r == 0)
        *ret = user->pw_uid;
    return r;
}

int privileges_drop(struct error *e)
{
    const struct passwd *user = NULL;
    int r = find_user(&user, e);
    if (r < 0)
        return r;
    if (initgroups(user->pw_name, user->pw_gid) < 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return error_set(e, errno, "user %s: mayfly cannot give up root: %m", MAYFLY_USER);
    if (user->pw_uid == 0 || setuid(0) == 0)
        return error_set(e, -EPERM, "user %s: is root, or could become root again; make it an ordinary user",
                         MAYFLY_USER);
    /* libvirt and getpwuid() read these */
    setenv("HOME", user->pw_dir, 1);
    setenv("USER", user->pw_name, 1);
    setenv("LOGNAME", user->pw_name, 1);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("TMPDIR");        /* may be root's own folder, such as libpam-tmpdir makes */
    prctl(PR_SET_DUMPABLE, 0); /* changing the user made the process dumpable again */
    return 0;
}
