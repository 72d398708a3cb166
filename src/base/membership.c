/* SPDX-License-Identifier: Apache-2.0 */
/* See membership.h. */
#include "base/membership.h"

#include "base/str.h"

#include <grp.h>
#include <unistd.h>

enum membership membership(const char *user, const char *name)
{
    const struct group *group = getgrnam(name);
    if (!group)
        return MEMBER_NO;
    if (group_member(group->gr_gid))
        return MEMBER_YES;
    for (char **member = group->gr_mem; *member; member++)
        if (streq(*member, user))
            return MEMBER_LATER;
    return MEMBER_NO;
}
