/* SPDX-License-Identifier: Apache-2.0 */
/* See user.h. */
#include "base/user.h"

#include "base/str.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *user_name(uid_t uid, char field[USER_NAME_MAX])
{
    const struct passwd *user = getpwuid(uid);
    if (!user || str_copy(field, USER_NAME_MAX, user->pw_name) < 0)
        snprintf(field, USER_NAME_MAX, "%u", uid);
    return field;
}

enum membership membership(const char *user, const char *name)
{
    const struct group *group = getgrnam(name);
    if (!group)
        return MEMBER_NO;
    if (group->gr_gid == getegid() || group_member(group->gr_gid))
        return MEMBER_YES;
    for (char **member = group->gr_mem; *member; member++)
        if (streq(*member, user))
            return MEMBER_LATER;
    return MEMBER_NO;
}

bool user_exists(const char *user)
{
    return getpwnam(user) != NULL;
}

int user_check_folder(int fd, const char *object, const char *path, const char *way_out, struct error *e)
{
    struct stat st;
    char owner[USER_NAME_MAX], self[USER_NAME_MAX];
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "%s %s: cannot be examined: %m; %s", object, path, way_out);
    if (st.st_uid != geteuid())
        return error_set(e, -EACCES, "%s %s: is not used: it belongs to user %s, and this is user %s; %s",
                         object, path, user_name(st.st_uid, owner), user_name(geteuid(), self), way_out);
    if (st.st_mode & 0077)
        return error_set(e, -EACCES, "%s %s: is not used: others may look into it; chmod 700 it", object,
                         path);
    return 0;
}

bool user_is_in_group(const char *user, const char *name)
{
    const struct passwd *who = getpwnam(user);
    gid_t primary = who ? who->pw_gid : (gid_t)-1;
    const struct group *group = who ? getgrnam(name) : NULL;
    bool is = group && group->gr_gid == primary;
    for (char **member = group ? group->gr_mem : NULL; member && *member && !is; member++)
        is = streq(*member, user);
    return is;
}

void user_runtime_folder(char path[RUNTIME_FOLDER_MAX])
{
    const char *folder = secure_getenv("XDG_RUNTIME_DIR");
    if (!folder || *folder != '/' || str_copy(path, RUNTIME_FOLDER_MAX, folder) < 0)
        snprintf(path, RUNTIME_FOLDER_MAX, "/run/user/%u", geteuid());
}

/* Returns the folder of the variable `name`, or else `below` the home folder. */
static int find_folder(const char *name, const char *below, char **ret)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *named = secure_getenv(name), *home = secure_getenv("HOME");
    if (!home || *home != '/')
        home = user ? user->pw_dir : NULL;
    if (named && *named == '/')
        *ret = strdup(named);
    else if (home)
        *ret = str_format("%s/%s", home, below);
    else
        return -ENOENT;
    return *ret ? 0 : -ENOMEM;
}

int user_data_folder(char **ret)
{
    return find_folder("XDG_DATA_HOME", ".local/share", ret);
}

int user_config_folder(char **ret)
{
    return find_folder("XDG_CONFIG_HOME", ".config", ret);
}
