/* SPDX-License-Identifier: Apache-2.0 */
/* See own.h. */
#include "cli/own.h"

#include "base/str.h"
#include "base/user.h"

#include <stdio.h>
#include <unistd.h>

#define HOST_URI    "qemu:///system" /* default in options.def */
#define SESSION_URI "qemu:///session"
#define POOL        "mayfly/disks" /* in the data folder, beside mayfly/keys */

static int choose_folder(struct config *c, struct error *e)
{
    _cleanup_free_ char *data = NULL;
    int r = user_data_folder(&data);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r == 0 && snprintf(c->pool_path, sizeof c->pool_path, "%s/" POOL, data) >= (int)sizeof c->pool_path)
        r = -ENAMETOOLONG;
    if (r < 0) {
        c->pool_path[0] = '\0';
        return error_set(e, r, "disks: there is no folder for them: %s; set [pool] path", strerror(-r));
    }
    c->encryption_enabled = true;
    return 0;
}

int own_complete(struct config *c, const char *broker_socket, struct error *e)
{
    if (geteuid() == 0)
        return *c->pool_path ? error_set(e, -EINVAL,
                                         "[pool] path: is not for root, only for users who keep disks of "
                                         "their own; run mayfly as that user, or remove the option")
                             : 0;
    bool alone = !*c->pool_path && c->volume_groups.n == 0 && access(broker_socket, W_OK) < 0;
    int r = alone ? choose_folder(c, e) : 0;
    if (r == 0 && *c->pool_path && streq(c->connection_uri, HOST_URI))
        snprintf(c->connection_uri, sizeof c->connection_uri, SESSION_URI);
    return r;
}

bool own_has_pool(const struct config *c)
{
    return *c->pool_path;
}
