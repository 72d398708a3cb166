/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends guests, and tells them of events. */
#include "virt/connection.h"

/* Forgives an error if somebody else (virsh, the guest itself) has done it meanwhile. */
static int unless_active_is(struct virt *v, virDomainPtr domain, int wanted, const char *action,
                            struct error *e)
{
    struct error why = ERROR_NONE;
    int r = domain_failed(v, domain, action, &why);
    if (vir.DomainIsActive(domain) == wanted)
        return 0;
    return error_pass(e, r, &why);
}

/* True if QEMU ended before libvirt could talk to it, and gave no reason: mostly a second person ended the
 * domain while it started. The words are those of libvirt's qemuMonitorIO(); QEMU's own would follow them. */
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

int connection_start(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    if (vir.DomainIsActive(domain) == 1 || vir.DomainCreate(domain) == 0)
        return 0;
    return not_started(v, domain, e);
}

int connection_shut_down(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    /* No flags: libvirt asks the guest's agent if there is one, else it presses the ACPI button. */
    if (vir.DomainIsActive(domain) == 0 || vir.DomainShutdownFlags(domain, 0) == 0)
        return 0;
    return unless_active_is(v, domain, 0, "shut down", e);
}

int connection_reboot(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    return vir.DomainReboot(domain, 0) == 0 ? 0 : domain_failed(v, domain, "reboot", e);
}

int connection_destroy(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (vir.DomainIsActive(domain) == 0 || vir.DomainDestroy(domain) == 0 || no_such_domain())
        return 0;
    return unless_active_is(v, domain, 0, "stop", e);
}

int connection_resize_disk(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                           struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    if (vir.DomainIsActive(domain) == 0 ||
        vir.DomainBlockResize(domain, device_path, size_bytes, VIR_DOMAIN_BLOCK_RESIZE_BYTES) == 0)
        return 0;
    return unless_active_is(v, domain, 0, "tell its guest the new size", e);
}

int connection_drop_save(struct virt *v, const char *uuid, struct error *e)
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
