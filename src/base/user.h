/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups as people know them. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

#define USER_NAME_MAX 64

/* Writes the user's name, or the number if it has none. Returns `field`. */
const char *user_name(uid_t uid, char field[USER_NAME_MAX]);

/* Whether a user is in a group. The database and the process may differ: a login keeps the groups that its
 * user had when it began. */
enum membership {
    MEMBER_NO,
    MEMBER_LATER, /* only in the database: the next login will have the group */
    MEMBER_YES,
};

bool user_exists(const char *user);

/* Refuses a folder that another user owns or may enter: -EACCES. The sentence begins with `object` and
 * `path`, and ends with `way_out`. */
int user_check_folder(int fd, const char *object, const char *path, const char *way_out,
                      struct error *e) _must_check_;

/* Whether `user` is in `group`, by the database alone. */
bool user_is_in_group(const char *user, const char *group);

/* Returns the membership of `user`, who runs this process; MEMBER_NO also if there is no such group. */
enum membership membership(const char *user, const char *group);

/* Finds the folder where programs of the user who runs this one keep sockets: XDG_RUNTIME_DIR, else where a
 * login would have it. The folder may not exist. */
#define RUNTIME_FOLDER_MAX 108 /* a socket below has room for no longer one */
void user_runtime_folder(char path[RUNTIME_FOLDER_MAX]);

/* Finds the folder where programs of that user keep lasting data: XDG_DATA_HOME, or else .local/share in his
 * home folder. The caller frees *ret. -ENOENT: he has no home folder; -ENOMEM. */
int user_data_folder(char **ret);

/* Finds the folder of that user's settings: XDG_CONFIG_HOME, or else .config in his home folder; as
 * user_data_folder(). */
int user_config_folder(char **ret);
