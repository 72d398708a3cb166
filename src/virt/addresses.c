/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a guest, as far as libvirt knows them. See virt.h. The guest's agent may say anything: only
 * addresses are taken from it. */
#include "virt/connection.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* True if the address can be reached from elsewhere: it is neither loopback nor link-local. */
static bool is_reachable(const char *text)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, text, &four) == 1)
        return (ntohl(four.s_addr) >> 24) != 127 && (ntohl(four.s_addr) >> 16) != 0xa9fe;
    return inet_pton(AF_INET6, text, &six) == 1 && !IN6_IS_ADDR_LOOPBACK(&six) &&
           !IN6_IS_ADDR_LINKLOCAL(&six);
}

static void add(struct domain_addresses *all, const char *text)
{
    for (size_t i = 0; i < all->n; i++)
        if (streq(all->address[i], text))
            return;
    if (text && all->n < DOMAIN_ADDRESSES_MAX && is_reachable(text))
        snprintf(all->address[all->n++], DOMAIN_ADDRESS_MAX, "%s", text);
}

/* Adds all addresses that the source knows. It is not an error if it knows none. */
static void add_all(virDomainPtr domain, unsigned source, struct domain_addresses *all)
{
    virDomainInterfacePtr *interfaces = NULL;
    int n = vir.DomainInterfaceAddresses(domain, &interfaces, source, 0);
    for (int i = 0; i < n; i++) {
        for (unsigned a = 0; a < interfaces[i]->naddrs; a++)
            add(all, interfaces[i]->addrs[a].addr);
        vir.DomainInterfaceFree(interfaces[i]);
    }
    free(interfaces);
}

int connection_addresses(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                         struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    struct domain_addresses all = {.n = 0};
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0 && r != -ENOENT)
        return r;
    if (domain)
        add_all(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, &all);
    if (domain && all.n == 0 && ask_guest)
        add_all(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, &all);
    if (domain && all.n == 0)
        add_all(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, &all);
    *ret = all;
    return 0;
}
