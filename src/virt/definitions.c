/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, reads, replaces and syncs definitions. */
#include "virt/connection.h"

#include "base/str.h"
#include "virt/domain-xml.h"

static int name_is_taken(const char *name, struct error *e)
{
    return error_set(e, -EEXIST,
                     "domain %s: cannot define: libvirt has a domain of that name; "
                     "take another name, or see virsh dominfo %s",
                     name, name);
}

/* Checks that name and uuid are free: libvirt would replace a definition that has both, and has no flag
 * against that. If they belong to two domains, libvirt itself refuses. */
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
                         "domain %s: cannot define: libvirt has a domain with its uuid %s, named %s", name,
                         uuid, vir.DomainGetName(by_uuid));
    return r == -ENOENT ? 0 : r;
}

/* True if the refusal concerns the XML, rather than the host. */
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

int definition_refused(struct virt *v, const char *name, const char *way_out, struct error *e)
{
    if (!is_about_xml())
        return libvirt_failed(v, name, "define", e);
    _cleanup_free_ char *message = strdup(vir.GetLastErrorMessage());
    for (char *c = message; c && (c = strchr(c, '\n'));) /* the schema's message has a line for each level */
        *c = ';';
    return error_set(e, -EINVAL, "domain %s: cannot define: libvirt refuses its XML: %s%s", name,
                     message ? message : "it does not say why", way_out);
}

/* Makes the error for a refused definition. Another program may have taken the name since check_free().
 * libvirt's code for that refusal means many things, so the domains are looked up. */
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

int connection_define(struct virt *v, const char *xml, struct error *e)
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

int connection_set_autostart(struct virt *v, const char *uuid, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    return vir.DomainSetAutostart(domain, 1) == 0 ? 0 : domain_failed(v, domain, "give it autostart", e);
}

int connection_definition(struct virt *v, const char *uuid, char **ret, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    int r = domain_require(v, uuid, &domain, e);
    if (r < 0)
        return r;
    *ret = vir.DomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    return *ret ? 0 : domain_failed(v, domain, "get its definition", e);
}

/* Replaces a definition without validation: libvirt must take back what it has given, whatever its schema
 * says. */
int connection_redefine(struct virt *v, const char *xml, struct error *e)
{
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    _cleanup_domain_ virDomainPtr before = NULL, domain = NULL;
    int r = domain_xml_identity(xml, &name, &uuid, e);
    if (r == 0)
        r = domain_require(v, uuid, &before, e);
    if (r < 0)
        return r;
    domain = vir.DomainDefineXMLFlags(libvirt_of(v), xml, 0);
    return domain ? definitions_make_durable(v, e) : not_defined(v, name, uuid, "", e);
}
