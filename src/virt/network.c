/* SPDX-License-Identifier: Apache-2.0 */
/* See network.h, and check_network() of virt.h. */
#include "virt/network.h"

#include "base/str.h"
#include "virt/connection.h"

#include <stdio.h>
#include <unistd.h>

#define BRIDGE "bridge="

int network_parse(const char *text, struct network *ret, struct error *e)
{
    struct network n = {.kind = NETWORK_NAMED, .name = text};
    if (streq(text, "none"))
        n.kind = NETWORK_NONE;
    if (str_starts(text, BRIDGE))
        n = (struct network){.kind = NETWORK_BRIDGE, .name = text + strlen(BRIDGE)};
    for (const char *c = n.name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == '/')
            return error_set(e, -EINVAL, "network: a name has no control characters and no '/'");
    if (!*n.name || strlen(n.name) > 255)
        return error_set(e, -EINVAL, "network: '%.40s' is not NAME, bridge=BRIDGE or none", text);
    *ret = n;
    return 0;
}

int network_check_bridge(const char *name, struct error *e)
{
    char path[300];
    snprintf(path, sizeof path, "/sys/class/net/%s", name);
    if (streq(name, ".") || streq(name, "..") || access(path, F_OK) < 0)
        return error_set(e, -ENOENT, "bridge %s: there is no such interface on this host; see ip link", name);
    snprintf(path, sizeof path, "/sys/class/net/%s/bridge", name);
    if (access(path, F_OK) < 0)
        return error_set(e, -EINVAL,
                         "bridge %s: this interface is not a bridge; see ip link show type bridge", name);
    return 0;
}

static void network_freep(virNetworkPtr *network)
{
    if (*network)
        vir.NetworkFree(*network);
}

int connection_check_network(struct virt *v, const char *name, bool active, struct error *e)
{
    _cleanup_(network_freep) virNetworkPtr network = vir.NetworkLookupByName(libvirt_of(v), name);
    if (!network && vir.GetLastErrorCode() == VIR_ERR_NO_NETWORK)
        return error_set(e, -ENOENT, "network %s: libvirt knows no such network; see virsh net-list --all",
                         name);
    int is_active = network ? vir.NetworkIsActive(network) : -1;
    if (is_active < 0)
        return libvirt_call_failed(v, "network", name, "find", e);
    if (!is_active && active)
        return error_set(e, -EINVAL,
                         "network %s: is not active, so no domain starts on it; run virsh net-start %s, and "
                         "virsh net-autostart %s",
                         name, name, name);
    return 0;
}
