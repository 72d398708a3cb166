/* SPDX-License-Identifier: Apache-2.0 */
/* Is a user in a group? By the database, and by the process: a login has the groups that its user had when it
 * began. */
#pragma once

enum membership {
    MEMBER_NO,
    MEMBER_LATER, /* by the database alone: with the next login */
    MEMBER_YES,
};

/* Of the user `user`, who runs this process. MEMBER_NO where there is no such group, too. */
enum membership membership(const char *user, const char *group);
