/* SPDX-License-Identifier: Apache-2.0 */
/* Turns libvirt's errors into our sentences, and looks up the domain of a uuid. */
#include "virt/connection.h"

#include "base/str.h"

int libvirt_errnum(const virError *why)
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

/* Returns the message without "internal error: ", libvirt's prefix for every error without a code of its
 * own. */
static const char *message_of(const virError *why)
{
    if (!why || !why->message)
        return "it does not say why";
    static const char blame[] = "internal error: ";
    return str_starts(why->message, blame) ? why->message + strlen(blame) : why->message;
}

/* Frees `why`, which may be NULL. */
static int sentence(struct virt *v, virErrorPtr why, const char *kind, const char *object, const char *action,
                    struct error *e)
{
    int r = libvirt_errnum(why);
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

int domain_require(struct virt *v, const char *uuid, virDomainPtr *ret, struct error *e)
{
    int r = domain_lookup(v, uuid, ret, e);
    return r == -ENOENT ? no_domain(uuid, e) : r;
}
