/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt itself behind the table of struct virt_ops.
 *
 *     operation -> virt.c -> this file -> libvirt -> libvirtd or virtqemud -> QEMU
 *
 * Only domains that are named by uuid are changed. Nothing is printed: libvirt's message becomes part of our
 * sentence. libvirt's keepalive (keepalive.c) notices a daemon that hangs, once the connection is open.
 * Before that only the user's second signal ends the wait.
 */
#include "virt/connection.h"

#include "base/clock.h"
#include "base/str.h"
#include "virt/domain-details.h"
#include "virt/domain-nvram.h"
#include "virt/keepalive.h"

#include <unistd.h>

/* Drops an error, which libvirt would print itself. */
static void print_nothing(void *data, virErrorPtr why)
{
    (void)data, (void)why;
}

static int details(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *xml = vir.DomainGetXMLDesc(domain, 0);
    if (!xml)
        return domain_failed(v, domain, "get its XML", e);
    r = domain_details_read(xml, ret, e);
    int saved = r == 0 ? vir.DomainHasManagedSaveImage(domain, 0) : 0;
    if (saved < 0 && vir.GetLastErrorCode() != VIR_ERR_NO_SUPPORT)
        return domain_failed(v, domain, "tell whether it is saved", e);
    int autostart = 0; /* a transient domain has none */
    int persistent = r == 0 ? vir.DomainIsPersistent(domain) : 0;
    if (persistent < 0 || (persistent && vir.DomainGetAutostart(domain, &autostart) < 0))
        return domain_failed(v, domain, "tell whether it has autostart", e);
    ret->saved = saved > 0;
    ret->autostart = autostart;
    return r;
}

/* True if new domains can have it. For UEFI the machine of the built-in template is asked about. In libvirt's
 * description of domains, efi means a kind of firmware and nothing else. */
static bool offers(struct virt *v, enum virt_offer what)
{
    bool kvm = what == VIRT_KVM;
    _cleanup_free_ char *capabilities = vir.ConnectGetDomainCapabilities(
        libvirt_of(v), NULL, NULL, kvm ? NULL : "q35", kvm ? "kvm" : NULL, 0);
    return capabilities && (kvm || strstr(capabilities, "<value>efi</value>"));
}

static void connection_free(struct connection *c)
{
    free(c->nvram_folder);
    free(c->uri);
    free(c);
}

static void disconnect(struct virt *v)
{
    struct connection *c = (struct connection *)v;
    vir.ConnectClose(c->libvirt);
    connection_free(c);
}

static int cannot_connect(const char *uri, enum virt_owner owner, struct error *e)
{
    const virError *why = vir.GetLastError();
    const char *message = vir.GetLastErrorMessage();
    int r = libvirt_errnum(why);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r == -EACCES || (why && why->code == VIR_ERR_SYSTEM_ERROR && why->int1 == EACCES))
        return error_set(e, -EACCES, "libvirt %s: cannot connect: %s; is the user in the group libvirt?", uri,
                         message);
    if (owner == VIRT_USER)
        return error_set(e, -ECONNREFUSED,
                         "libvirt %s: cannot connect: %s; libvirt starts a user's daemon by itself if the "
                         "packages with libvirtd (or virtqemud) and the QEMU driver are installed",
                         uri, message);
    return error_set(e, -ECONNREFUSED,
                     "libvirt %s: cannot connect: %s; run systemctl start libvirtd (or virtqemud), or set "
                     "connection_uri",
                     uri, message);
}

static int open_libvirt(const char *uri, enum virt_owner owner, virConnectPtr *ret, struct error *e)
{
    int r = virt_check_uri(uri, owner, e);
    if (r < 0)
        return r;
    virConnectPtr libvirt = vir.ConnectOpen(uri);
    if (!libvirt)
        return cannot_connect(uri, owner, e);
    _cleanup_free_ char *found = vir.ConnectGetURI(libvirt); /* the URI behind an alias */
    r = found ? virt_check_uri(found, owner, e) : 0;
    if (r < 0) {
        vir.ConnectClose(libvirt);
        return r;
    }
    keepalive_watch(libvirt);
    *ret = libvirt;
    return 0;
}

#define RECONNECT_MSEC 10000 /* a daemon is away for a moment while it is restarted */
#define RECONNECT_POLL 200

static int reconnect(struct virt *v, struct error *e)
{
    struct connection *c = (struct connection *)v;
    uint64_t end = clock_msec() + RECONNECT_MSEC;
    for (;;) {
        struct error why = ERROR_NONE;
        virConnectPtr again = NULL;
        int r = open_libvirt(c->uri, c->owner, &again, &why);
        if (r == 0) {
            vir.ConnectClose(c->libvirt);
            c->libvirt = again;
            return 0;
        }
        if (r != -ECONNREFUSED || clock_msec() >= end)
            return error_pass(e, r, &why);
        nanosleep(&(struct timespec){.tv_nsec = RECONNECT_POLL * 1000000L}, NULL);
    }
}

static const struct virt_ops ops = {
    .threads = true,
    .list = connection_list,
    .find_name = connection_find_name,
    .find_uuid = connection_find_uuid,
    .details = details,
    .define = connection_define,
    .try = connection_try,
    .remove_trials = connection_remove_trials,
    .undefine = connection_undefine,
    .set_autostart = connection_set_autostart,
    .settle = definitions_make_durable,
    .definition = connection_definition,
    .redefine = connection_redefine,
    .start = connection_start,
    .shutdown = connection_shut_down,
    .reboot = connection_reboot,
    .destroy = connection_destroy,
    .attach_disk = connection_attach_disk,
    .detach_disk = connection_detach_disk,
    .has_disk = connection_has_disk,
    .resize_disk = connection_resize_disk,
    .view = connection_view,
    .view_all = connection_view_all,
    .drop_save = connection_drop_save,
    .addresses = connection_addresses,
    .check_network = connection_check_network,
    .offers = offers,
    .reconnect = reconnect,
    .disconnect = disconnect,
};

static int find_nvram_folder(enum virt_owner owner, char **ret, struct error *e)
{
    _cleanup_free_ char *of_user = NULL;
    int r = owner == VIRT_USER ? definitions_of_user(&of_user, e) : 0;
    if (r < 0)
        return r;
    *ret = of_user ? str_format("%s/nvram/", of_user) : strdup(NVRAM_OF_HOST);
    return *ret ? 0 : error_memory(e);
}

int virt_connect(const char *uri, enum virt_owner owner, struct virt **ret, struct error *e)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c || !(c->uri = strdup(uri))) {
        free(c);
        return error_memory(e);
    }
    int r = find_nvram_folder(owner, &c->nvram_folder, e);
    if (r == 0)
        r = libvirt_load(e);
    if (r == 0) {
        vir.SetErrorFunc(NULL, print_nothing);
        keepalive_begin();
        c->owner = owner;
        r = open_libvirt(uri, owner, &c->libvirt, e);
    }
    if (r < 0) {
        connection_free(c);
        return r;
    }
    c->virt.ops = &ops;
    *ret = &c->virt;
    return 0;
}
