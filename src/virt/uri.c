/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether the domains of a libvirt can have the disks. */
#include "virt/virt.h"

static int refuse(const char *uri, const char *reason, enum virt_owner owner, struct error *e)
{
    return error_set(e, -EINVAL, "libvirt %s: cannot be used: %s; set connection_uri to %s", uri, reason,
                     owner == VIRT_USER ? "qemu:///session" : "qemu:///system");
}

int virt_check_uri(const char *uri, enum virt_owner owner, struct error *e)
{
    const char *authority = strstr(uri, "://"), *transport = strchr(uri, '+');
    if (!authority)
        return 0;
    bool remote = transport && transport < authority && !str_starts(transport, "+unix:");
    authority += strlen("://");
    if (remote || (*authority && *authority != '/'))
        return refuse(uri, "its domains are on another host, and their disks on this one", owner, e);
    if (owner == VIRT_HOST && str_starts(authority, "/session"))
        return refuse(uri, "domains of a session cannot open the disks", owner, e);
    if (owner == VIRT_USER && str_starts(authority, "/system"))
        return refuse(uri, "domains of the host cannot reach the disks of a user", owner, e);
    return 0;
}
