/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt itself behind the table of struct virt_ops.
 *
 *     operation -> virt.c -> this file -> libvirt -> libvirtd or virtqemud -> QEMU
 *
 * It never changes a domain that was not named by uuid, and prints nothing: libvirt's own message goes into
 * our sentence. A daemon that hangs is found out by libvirt's keepalive (keepalive.c), which begins only once
 * a connection is open; until then it is waited for, until the second signal.
 */
#include "virt/connection.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "virt/domain-details.h"
#include "virt/keepalive.h"
#include "virt/rescue-xml.h"

#include <fcntl.h>
#include <unistd.h>

/* ------------------------------------------------------------------- errors */

/* libvirt would print each of them by itself. */
static void print_nothing(void *data, virErrorPtr why)
{
    (void)data, (void)why;
}

static int errnum_of(const virError *why)
{
    switch (why ? why->code : VIR_ERR_INTERNAL_ERROR) {
    case VIR_ERR_NO_DOMAIN:
        return -ENOENT;
    case VIR_ERR_NO_MEMORY:
        return -ENOMEM;
    case VIR_ERR_DOM_EXIST:
        return -EEXIST;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return -EACCES;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_RESOURCE_BUSY:
        return -EBUSY;
    case VIR_ERR_OPERATION_TIMEOUT:
        return -ETIMEDOUT;
    default:
        return -EIO;
    }
}

/* Without the words "internal error: ", which blame libvirt for whatever has no code of its own. */
static const char *message_of(const virError *why)
{
    if (!why || !why->message)
        return "it does not say why";
    static const char blame[] = "internal error: ";
    return str_starts(why->message, blame) ? why->message + strlen(blame) : why->message;
}

/* Takes `why`, which may be NULL. */
static int sentence(struct virt *v, virErrorPtr why, const char *kind, const char *object, const char *action,
                    struct error *e)
{
    int r = errnum_of(why);
    const char *message = message_of(why);
    if (vir.ConnectIsAlive(libvirt_of(v)) == 0)
        r = error_set(e, -ECONNREFUSED,
                      "%s %s: cannot %s: the connection to libvirt broke: %s; see systemctl status "
                      "libvirtd virtqemud",
                      kind, object, action, message);
    else
        r = error_set(e, r, "%s %s: cannot %s: libvirt says: %s", kind, object, action, message);
    vir.FreeError(why);
    return r;
}

int libvirt_failed(struct virt *v, const char *object, const char *action, struct error *e)
{
    return sentence(v, vir.SaveLastError(), "domain", object, action, e);
}

int libvirt_call_failed(struct virt *v, const char *kind, const char *object, const char *action,
                        struct error *e)
{
    return sentence(v, vir.SaveLastError(), kind, object, action, e);
}

int domain_failed(struct virt *v, virDomainPtr domain, const char *action, struct error *e)
{
    virErrorPtr why = vir.SaveLastError();
    return sentence(v, why, "domain", vir.DomainGetName(domain), action, e);
}

bool no_such_domain(void)
{
    const virError *why = vir.GetLastError();
    return why && why->code == VIR_ERR_NO_DOMAIN;
}

/* ------------------------------------------------------------------ finding */

int domain_lookup(struct virt *v, const char *uuid, virDomainPtr *ret, struct error *e)
{
    *ret = vir.DomainLookupByUUIDString(libvirt_of(v), uuid);
    if (*ret)
        return 0;
    return no_such_domain() ? -ENOENT : libvirt_failed(v, uuid, "find", e);
}

int no_domain(const char *object, struct error *e)
{
    return error_set(e, -ENOENT, "domain %s: libvirt knows no such domain; see virsh list --all", object);
}

static int details(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    _cleanup_free_ char *xml = vir.DomainGetXMLDesc(domain, 0);
    if (!xml)
        return domain_failed(v, domain, "get its XML", e);
    r = domain_details_read(xml, ret, e);
    int saved = r == 0 ? vir.DomainHasManagedSaveImage(domain, 0) : 0;
    if (saved < 0 && vir.GetLastErrorCode() != VIR_ERR_NO_SUPPORT)
        return domain_failed(v, domain, "tell whether it is saved", e);
    int autostart = 0; /* of a transient domain there is none */
    int persistent = r == 0 ? vir.DomainIsPersistent(domain) : 0;
    if (persistent < 0 || (persistent && vir.DomainGetAutostart(domain, &autostart) < 0))
        return domain_failed(v, domain, "tell whether it has autostart", e);
    ret->saved = saved > 0;
    ret->autostart = autostart;
    return r;
}

/* ----------------------------------------------------- defining, undefining */

static int name_is_taken(const char *name, struct error *e)
{
    return error_set(e, -EEXIST,
                     "domain %s: cannot define: libvirt has a domain of that name; "
                     "take another name, or see virsh dominfo %s",
                     name, name);
}

/* libvirt would put a definition of the same name and uuid in the place of the one that is there; it has no
 * flag against that. Name and uuid that are taken by two domains it refuses by itself. */
static int check_free(struct virt *v, const char *name, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr by_name = vir.DomainLookupByName(libvirt_of(v), name);
    if (by_name)
        return name_is_taken(name, e);
    if (!no_such_domain())
        return libvirt_failed(v, name, "define", e);

    _cleanup_domain_ virDomainPtr by_uuid = NULL;
    int r = domain_lookup(v, uuid, &by_uuid, e);
    if (r == 0)
        return error_set(e, -EEXIST,
                         "domain %s: cannot define: libvirt has a domain of its uuid %s, named %s", name,
                         uuid, vir.DomainGetName(by_uuid));
    return r == -ENOENT ? 0 : r;
}

/* Does the refusal concern the XML, rather than the host? */
static bool is_about_xml(void)
{
    switch (vir.GetLastErrorCode()) {
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_OS_TYPE:
        return true;
    default:
        return false;
    }
}

/* 1: this user may not look into it. */
static int sync_folder(const char *folder, bool may_lack, struct error *e)
{
    _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && may_lack && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == EACCES)
        return 1;
    if (fd < 0 || fsync(fd) < 0)
        return error_set(e, errno, "%s: cannot be synced, so that the domains in it outlive a power cut: %m",
                         folder);
    return 0;
}

int definitions_make_durable(struct virt *v, struct error *e)
{
    _cleanup_free_ char *uri = vir.ConnectGetURI(libvirt_of(v));
    if (!uri || !streq(uri, "qemu:///system"))
        return 0;
    int r = sync_folder(DOMAIN_DEFINITIONS, false, e);
    if (r == 0)
        r = sync_folder(DOMAIN_AUTOSTART, true, e);
    if (r > 0 && v->sync)
        return v->sync(v->sync_data, e);
    return r > 0 ? error_set(e, -EACCES, "%s: cannot be synced by this user", DOMAIN_DEFINITIONS) : r;
}

int definition_refused(struct virt *v, const char *name, const char *way_out, struct error *e)
{
    if (!is_about_xml())
        return libvirt_failed(v, name, "define", e);
    _cleanup_free_ char *message = strdup(vir.GetLastErrorMessage());
    for (char *c = message; c && (c = strchr(c, '\n'));) /* of the schema there is a line for each level */
        *c = ';';
    return error_set(e, -EINVAL, "domain %s: cannot define: libvirt refuses its XML: %s%s", name,
                     message ? message : "it does not say why", way_out);
}

/* Another may have taken the name since check_free() looked. libvirt refuses that with a code that means
 * many things, so its domains are asked. */
static int not_defined(struct virt *v, const char *name, const char *uuid, const char *way_out,
                       struct error *e)
{
    struct error why = ERROR_NONE;
    int r = definition_refused(v, name, way_out, &why);
    char holder_uuid[VIR_UUID_STRING_BUFLEN];
    _cleanup_domain_ virDomainPtr holder = vir.DomainLookupByName(libvirt_of(v), name);
    if (holder && vir.DomainGetUUIDString(holder, holder_uuid) == 0 && !streq(holder_uuid, uuid))
        return name_is_taken(name, e);
    return error_pass(e, r, &why);
}

static int define(struct virt *v, const char *xml, struct error *e)
{
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    int r = domain_xml_identity(xml, &name, &uuid, e);
    if (r == 0)
        r = check_free(v, name, uuid, e);
    if (r < 0)
        return r;

    _cleanup_domain_ virDomainPtr domain = vir.DomainDefineXMLFlags(libvirt_of(v), xml, 0);
    return domain ? 0 : not_defined(v, name, uuid, "; see --domain-xml", e);
}

static int set_autostart(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    return vir.DomainSetAutostart(domain, 1) == 0 ? 0 : domain_failed(v, domain, "give it autostart", e);
}

static int definition(struct virt *v, const char *uuid, char **ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    *ret = vir.DomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    return *ret ? 0 : domain_failed(v, domain, "get its definition", e);
}

/* Not validated: what comes back from libvirt itself has to be taken, whatever its schema says of it. */
static int redefine(struct virt *v, const char *xml, struct error *e)
{
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    _cleanup_domain_ virDomainPtr before = NULL, domain = NULL;
    int r = domain_xml_identity(xml, &name, &uuid, e);
    if (r == 0)
        r = domain_lookup(v, uuid, &before, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    domain = vir.DomainDefineXMLFlags(libvirt_of(v), xml, 0);
    return domain ? definitions_make_durable(v, e) : not_defined(v, name, uuid, "", e);
}

/* ------------------------------------------------------- starting, stopping */

/* Someone else (virsh, the guest itself) may have done it in the meantime: then all is well. */
static int unless_active_is(struct virt *v, virDomainPtr domain, int wanted, const char *action,
                            struct error *e)
{
    struct error why = ERROR_NONE;
    int r = domain_failed(v, domain, action, &why);
    if (vir.DomainIsActive(domain) == wanted)
        return 0;
    return error_pass(e, r, &why);
}

/* QEMU ended before libvirt could talk to it, and gave no reason: most often a second person ended the domain
 * while it started. libvirt's qemuMonitorIO() has the words; QEMU's own would follow them. */
static bool qemu_was_killed(const virError *why)
{
    static const char words[] = "process exited while connecting to monitor";
    const char *found = why && why->message ? strstr(why->message, words) : NULL;
    return found && (found[sizeof words - 1] == '\0' || strstr(found, "terminating on signal"));
}

static int not_started(struct virt *v, virDomainPtr domain, struct error *e)
{
    bool killed = qemu_was_killed(vir.GetLastError());
    struct error why = ERROR_NONE;
    int r = unless_active_is(v, domain, 1, "start", &why);
    if (r == 0)
        return 0;
    if (r != -EIO || !killed)
        return error_pass(e, r, &why);
    const char *name = vir.DomainGetName(domain);
    return error_set(
        e, r,
        "domain %s: cannot start: QEMU was killed while it started, by virsh destroy, mayfly stop "
        "--force or the kernel; start it again, or see /var/log/libvirt/qemu/%s.log",
        name, name);
}

static int start(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    if (vir.DomainIsActive(domain) == 1 || vir.DomainCreate(domain) == 0)
        return 0;
    return not_started(v, domain, e);
}

static int shut_down(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    /* No flags: libvirt asks the guest's agent if there is one, else it presses the ACPI button. */
    if (vir.DomainIsActive(domain) == 0 || vir.DomainShutdownFlags(domain, 0) == 0)
        return 0;
    return unless_active_is(v, domain, 0, "shut down", e);
}

static int reboot_guest(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    return vir.DomainReboot(domain, 0) == 0 ? 0 : domain_failed(v, domain, "reboot", e);
}

static int destroy(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (vir.DomainIsActive(domain) == 0 || vir.DomainDestroy(domain) == 0 || no_such_domain())
        return 0;
    return unless_active_is(v, domain, 0, "stop", e);
}

static int resize_disk(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                       struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? no_domain(uuid, e) : r;
    if (vir.DomainIsActive(domain) == 0 ||
        vir.DomainBlockResize(domain, device_path, size_bytes, VIR_DOMAIN_BLOCK_RESIZE_BYTES) == 0)
        return 0;
    return unless_active_is(v, domain, 0, "tell its guest the new size", e);
}

/* --------------------------------------------------------------- connection */

static int drop_save(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    int saved = vir.DomainHasManagedSaveImage(domain, 0);
    if (saved > 0)
        saved = vir.DomainManagedSaveRemove(domain, 0);
    if (saved >= 0 || no_such_domain() || vir.GetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        return 0;
    return domain_failed(v, domain, "remove its managed save", e);
}

/* Of UEFI the machine of the built-in template is meant. In the description of what domains may have, efi is
 * a kind of firmware and nothing else. */
static bool offers(struct virt *v, enum virt_offer what)
{
    bool kvm = what == VIRT_KVM;
    _cleanup_free_ char *capabilities = vir.ConnectGetDomainCapabilities(
        libvirt_of(v), NULL, NULL, kvm ? NULL : "q35", kvm ? "kvm" : NULL, 0);
    return capabilities && (kvm || strstr(capabilities, "<value>efi</value>"));
}

static void disconnect(struct virt *v)
{
    struct connection *c = (struct connection *)v;
    vir.ConnectClose(c->libvirt);
    free(c->uri);
    free(c);
}

static int cannot_connect(const char *uri, struct error *e)
{
    const virError *why = vir.GetLastError();
    const char *message = vir.GetLastErrorMessage();
    int r = errnum_of(why);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r == -EACCES || (why && why->code == VIR_ERR_SYSTEM_ERROR && why->int1 == EACCES))
        return error_set(e, -EACCES, "libvirt %s: cannot connect: %s; is the user in the group libvirt?", uri,
                         message);
    return error_set(e, -ECONNREFUSED,
                     "libvirt %s: cannot connect: %s; run systemctl start libvirtd (or virtqemud), or set "
                     "connection_uri",
                     uri, message);
}

/* Domains elsewhere, or of an ordinary user, cannot have this host's devices. */
int virt_check_uri(const char *uri, struct error *e)
{
    const char *authority = strstr(uri, "://"), *transport = strchr(uri, '+');
    if (!authority)
        return 0;
    bool remote = transport && transport < authority && !str_starts(transport, "+unix:");
    authority += strlen("://");
    if (remote || (*authority && *authority != '/'))
        return error_set(
            e, -EINVAL,
            "libvirt %s: cannot be used: its domains are on another host, and their disks on this one; set "
            "connection_uri to qemu:///system",
            uri);
    if (str_starts(authority, "/session"))
        return error_set(e, -EINVAL,
                         "libvirt %s: cannot be used: domains of a session may not open the disks; set "
                         "connection_uri to qemu:///system",
                         uri);
    return 0;
}

static int open_libvirt(const char *uri, virConnectPtr *ret, struct error *e)
{
    int r = virt_check_uri(uri, e);
    if (r < 0)
        return r;
    virConnectPtr libvirt = vir.ConnectOpen(uri);
    if (!libvirt)
        return cannot_connect(uri, e);
    _cleanup_free_ char *found = vir.ConnectGetURI(libvirt); /* what an alias stands for */
    r = found ? virt_check_uri(found, e) : 0;
    if (r < 0) {
        vir.ConnectClose(libvirt);
        return r;
    }
    keepalive_watch(libvirt);
    *ret = libvirt;
    return 0;
}

#define RECONNECT_MSEC 10000 /* a daemon that is restarted is away for a moment */
#define RECONNECT_POLL 200

static int reconnect(struct virt *v, struct error *e)
{
    struct connection *c = (struct connection *)v;
    uint64_t end = clock_msec() + RECONNECT_MSEC;
    for (;;) {
        struct error why = ERROR_NONE;
        virConnectPtr again = NULL;
        int r = open_libvirt(c->uri, &again, &why);
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
    .define = define,
    .try = connection_try,
    .remove_trials = connection_remove_trials,
    .undefine = connection_undefine,
    .set_autostart = set_autostart,
    .settle = definitions_make_durable,
    .definition = definition,
    .redefine = redefine,
    .start = start,
    .shutdown = shut_down,
    .reboot = reboot_guest,
    .destroy = destroy,
    .attach_disk = connection_attach_disk,
    .detach_disk = connection_detach_disk,
    .has_disk = connection_has_disk,
    .resize_disk = resize_disk,
    .view = connection_view,
    .view_all = connection_view_all,
    .drop_save = drop_save,
    .addresses = connection_addresses,
    .check_network = connection_check_network,
    .offers = offers,
    .reconnect = reconnect,
    .disconnect = disconnect,
};

int virt_connect(const char *uri, struct virt **ret, struct error *e)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c || !(c->uri = strdup(uri))) {
        free(c);
        return error_memory(e);
    }
    int r = libvirt_load(e);
    if (r == 0) {
        vir.SetErrorFunc(NULL, print_nothing);
        keepalive_begin();
        r = open_libvirt(uri, &c->libvirt, e);
    }
    if (r < 0) {
        free(c->uri);
        free(c);
        return r;
    }
    c->virt.ops = &ops;
    *ret = &c->virt;
    return 0;
}
