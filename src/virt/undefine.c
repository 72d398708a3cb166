/* SPDX-License-Identifier: Apache-2.0 */
/* Undefining a domain, with all that libvirt keeps of it, above all saved RAM of its guest; but never with a
 * file that another domain has. See virt.h.
 */
#include "virt/connection.h"
#include "virt/domain-nvram.h"
#include "virt/domain-xml.h"

/* The <domain>; *ret NULL: it went away meanwhile. The caller frees it. */
static int read_domain(struct virt *v, virDomainPtr domain, unsigned flags, xmlDocPtr *ret, struct error *e)
{
    _cleanup_free_ char *xml = virDomainGetXMLDesc(domain, flags);
    *ret = NULL;
    if (xml)
        return domain_read(xml, ret, e);
    return no_such_domain() ? 0 : domain_failed(v, domain, "read its definition", e);
}

/* Does the domain, as it runs or as it is defined, name this NVRAM file? */
static int names_nvram(struct virt *v, virDomainPtr domain, const char *path, bool *ret, struct error *e)
{
    static const unsigned sides[] = {VIR_DOMAIN_XML_INACTIVE, 0};
    *ret = false;
    for (size_t i = 0; !*ret && i < ARRAY_SIZE(sides); i++) {
        _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
        _cleanup_free_ char *theirs = NULL;
        int r = read_domain(v, domain, sides[i], &doc, e);
        if (r == 0 && doc)
            r = domain_nvram(xmlDocGetRootElement(doc), &theirs, e);
        if (r < 0)
            return r;
        *ret = theirs && streq(theirs, path);
    }
    return 0;
}

/* Another domain that names it; *ret NULL: none does. */
static int find_other(struct virt *v, const char *uuid, const char *path, char **ret, struct error *e)
{
    virDomainPtr *all = NULL;
    int r = 0, n = virConnectListAllDomains(libvirt_of(v), &all, 0);
    *ret = NULL;
    if (n < 0)
        return libvirt_failed(v, "*", "list", e);
    for (int i = 0; i < n; i++) {
        char theirs[UUID_TEXT] = "";
        bool found = false;
        if (r == 0 && !*ret && virDomainGetUUIDString(all[i], theirs) == 0 && !streq(theirs, uuid))
            r = names_nvram(v, all[i], path, &found, e);
        if (found && !(*ret = strdup(virDomainGetName(all[i]))))
            r = error_memory(e);
        virDomainFree(all[i]);
    }
    free(all);
    return r;
}

/* *ret: its NVRAM file, NULL where it has none; *ret_own: it may go with the domain. What cannot be looked at
 * is in doubt, and stays. */
static int judge_nvram(struct virt *v, virDomainPtr domain, const char *uuid, char **ret, bool *ret_own,
                       struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    _cleanup_free_ char *path = NULL, *other = NULL;
    struct error why = ERROR_NONE;
    int r = read_domain(v, domain, VIR_DOMAIN_XML_INACTIVE, &doc, e);
    if (r == 0 && doc)
        r = domain_nvram(xmlDocGetRootElement(doc), &path, e);
    if (r < 0)
        return r;
    *ret_own = path && domain_nvram_is_own(xmlDocGetRootElement(doc), path) &&
               find_other(v, uuid, path, &other, &why) == 0 && !other;
    *ret = TAKE_PTR(path);
    return 0;
}

/* A driver, or a daemon that is older, does not know the flags of what it has not. */
static int undefine(struct virt *v, virDomainPtr domain, const char *uuid, unsigned nvram, struct error *e)
{
    static const unsigned always = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
    static const unsigned more[] = {VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_TPM,
                                    VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA, 0};
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        if (virDomainUndefineFlags(domain, always | more[i] | nvram) == 0 || no_such_domain())
            return 0;
        if (virGetLastErrorCode() != VIR_ERR_INVALID_ARG)
            break;
    }
    return libvirt_failed(v, uuid, "undefine", e);
}

/* Without a file the flag would be one more that a driver may not know. */
static unsigned keep_if(const char *nvram)
{
    return nvram ? (unsigned)VIR_DOMAIN_UNDEFINE_KEEP_NVRAM : 0;
}

int connection_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    _cleanup_free_ char *path = NULL;
    bool own = false;
    int r = domain_lookup(v, uuid, &domain, e);
    if (r == 0)
        r = judge_nvram(v, domain, uuid, &path, &own, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = undefine(v, domain, uuid, own ? (unsigned)VIR_DOMAIN_UNDEFINE_NVRAM : keep_if(path), e);
    if (r == 0 && path && !own)
        *ret_kept = TAKE_PTR(path);
    return r;
}

/* ----------------------------------------------------------------------- trials */

/* *ret_nvram, which the caller frees: its file, which is not there yet; NULL: it has none. */
static int drop_trial(struct virt *v, virDomainPtr domain, char **ret_nvram, struct error *e)
{
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    _cleanup_free_ char *path = NULL;
    int r = read_domain(v, domain, VIR_DOMAIN_XML_INACTIVE, &doc, e);
    if (r == 0 && doc)
        r = domain_nvram(xmlDocGetRootElement(doc), &path, e);
    if (r == 0)
        r = undefine(v, domain, virDomainGetName(domain), keep_if(path), e);
    if (r == 0)
        *ret_nvram = TAKE_PTR(path);
    return r;
}

/* By its name first, which is no question to libvirt. */
static bool is_trial(virDomainPtr domain)
{
    if (!str_starts(virDomainGetName(domain), TRIAL_NAME) || virDomainIsActive(domain) != 0)
        return false;
    _cleanup_free_ char *mark =
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, TRIAL_XML_NAMESPACE, 0);
    return mark;
}

int connection_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e)
{
    virDomainPtr *all = NULL;
    int r = 0, n = virConnectListAllDomains(libvirt_of(v), &all, 0);
    *ret_n = 0;
    if (n < 0)
        return libvirt_failed(v, "*", "list", e);
    for (int i = 0; i < n; i++) {
        if (r == 0 && is_trial(all[i])) {
            _cleanup_free_ char *nvram = NULL;
            r = dry_run ? 0 : drop_trial(v, all[i], &nvram, e);
            ++*ret_n;
        }
        virDomainFree(all[i]);
    }
    free(all);
    return r;
}

int connection_try(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram, struct error *e)
{
    size_t n = 0;
    int r = connection_remove_trials(v, false, &n, e);
    if (r < 0)
        return r;
    _cleanup_domain_ virDomainPtr domain =
        virDomainDefineXMLFlags(libvirt_of(v), trial_xml, VIR_DOMAIN_DEFINE_VALIDATE);
    return domain ? drop_trial(v, domain, ret_nvram, e)
                  : definition_refused(v, name, "; see --domain-xml", e);
}
