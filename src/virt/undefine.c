/* SPDX-License-Identifier: Apache-2.0 */
/* Undefines a domain with all that libvirt keeps of it, above all a managed save. A file that another domain
 * has stays. See virt.h. */
#include "virt/connection.h"
#include "virt/domain-xml.h"

/* Each new launch removes the trials of others once. */
#define TRIES 100

/* True if another domain names this NVRAM file, or if that cannot be told. */
static bool another_has(struct virt *v, const char *uuid, const char *path)
{
    _cleanup_(virt_views_end) struct virt_views all = {.n = 0};
    struct error why = ERROR_NONE;
    return connection_view_all(v, &all, &why) < 0 || all.why.errnum ||
           virt_views_nvram_user(&all, path, uuid);
}

/* Undefines the domain. A driver or an older daemon refuses flags that it does not know. */
static int undefine(struct virt *v, virDomainPtr domain, const char *uuid, unsigned nvram, struct error *e)
{
    static const unsigned always = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;
    static const unsigned more[] = {VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_TPM,
                                    VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA, 0};
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        if (vir.DomainUndefineFlags(domain, always | more[i] | nvram) == 0 || no_such_domain())
            return 0;
        if (vir.GetLastErrorCode() != VIR_ERR_INVALID_ARG)
            break;
    }
    return libvirt_failed(v, uuid, "undefine", e);
}

/* Returns the flag that keeps the file. Without a file it is left out: a driver may not know it. */
static unsigned keep_if(const char *nvram)
{
    return nvram ? (unsigned)VIR_DOMAIN_UNDEFINE_KEEP_NVRAM : 0;
}

int connection_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e)
{
    _cleanup_domain_ virDomainPtr domain = NULL;
    _cleanup_domain_view_ struct domain_view view = {.found = false};
    int r = domain_lookup(v, uuid, &domain, e);
    if (r == 0)
        r = connection_view_of(v, domain, DOMAIN_DEFINITION, &view, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    bool goes = view.nvram_own && !another_has(v, uuid, view.nvram);
    r = undefine(v, domain, uuid, goes ? (unsigned)VIR_DOMAIN_UNDEFINE_NVRAM : keep_if(view.nvram), e);
    if (r == 0 && !goes)
        *ret_kept = TAKE_PTR(view.nvram);
    return r;
}

/* ------------------------------------------------------------------- trials */

/* Undefines a trial. *ret_nvram, which the caller frees: its NVRAM file, which does not exist yet; NULL:
 * none. */
static int drop_trial(struct virt *v, virDomainPtr domain, char **ret_nvram, struct error *e)
{
    _cleanup_domain_view_ struct domain_view view = {.found = false};
    int r = connection_view_of(v, domain, DOMAIN_DEFINITION, &view, e);
    if (r == 0)
        r = undefine(v, domain, vir.DomainGetName(domain), keep_if(view.nvram), e);
    if (r == 0)
        *ret_nvram = TAKE_PTR(view.nvram);
    return r;
}

/* True if the domain is a trial. The name is checked first, which costs no question to libvirt. */
static bool is_trial(virDomainPtr domain)
{
    if (!str_starts(vir.DomainGetName(domain), TRIAL_NAME) || vir.DomainIsActive(domain) != 0)
        return false;
    _cleanup_free_ char *mark =
        vir.DomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, TRIAL_XML_NAMESPACE, 0);
    return mark;
}

int connection_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e)
{
    virDomainPtr *all = NULL;
    int r = 0, n = vir.ConnectListAllDomains(libvirt_of(v), &all, 0);
    *ret_n = 0;
    if (n < 0)
        return libvirt_failed(v, "*", "list", e);
    for (int i = 0; i < n; i++) {
        if (r == 0 && is_trial(all[i])) {
            _cleanup_free_ char *nvram = NULL;
            r = dry_run ? 0 : drop_trial(v, all[i], &nvram, e);
            r = r == -ENOENT ? 0 : r; /* its own launch removed it */
            ++*ret_n;
        }
        vir.DomainFree(all[i]);
    }
    free(all);
    return r;
}

/* Defines a trial and drops it. -ENOENT: another launch has removed the trial, as one that was cut off. */
static int try_once(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram,
                    struct error *e)
{
    _cleanup_domain_ virDomainPtr domain =
        vir.DomainDefineXMLFlags(libvirt_of(v), trial_xml, VIR_DOMAIN_DEFINE_VALIDATE);
    return domain ? drop_trial(v, domain, ret_nvram, e)
                  : definition_refused(v, name, "; see --domain-xml", e);
}

int connection_try(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram, struct error *e)
{
    size_t n = 0;
    int r = connection_remove_trials(v, false, &n, e);
    if (r < 0)
        return r;
    for (int i = 0; i < TRIES; i++) {
        r = try_once(v, trial_xml, name, ret_nvram, e);
        if (r != -ENOENT)
            return r;
    }
    return error_set(e, -EBUSY,
                     "domain %s: cannot try its definition: other launches removed it %d times; "
                     "try again",
                     name, TRIES);
}
