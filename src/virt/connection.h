/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/virt: the connection to libvirt, for the files behind struct virt_ops. */
#pragma once

#include "virt/libvirt.h"
#include "virt/virt.h"

struct connection {
    struct virt virt; /* first: a struct virt * is one of these */
    virConnectPtr libvirt;
    char *uri;
    enum virt_owner owner;
    char *nvram_folder; /* where this libvirt keeps the variables of UEFI; with a slash at its end */
};

static inline void domain_freep(virDomainPtr *domain)
{
    if (*domain)
        vir.DomainFree(*domain);
}
#define _cleanup_domain_ _cleanup_(domain_freep)

static inline virConnectPtr libvirt_of(struct virt *v)
{
    return ((struct connection *)v)->libvirt;
}

/* Make a sentence of libvirt's last error; in libvirt-error.c. domain_failed() asks libvirt for the domain's
 * name, which clears that error. */
int libvirt_failed(struct virt *v, const char *object, const char *action, struct error *e);
int libvirt_call_failed(struct virt *v, const char *kind, const char *object, const char *action,
                        struct error *e); /* an object that is not a domain: "network" */
int domain_failed(struct virt *v, virDomainPtr domain, const char *action, struct error *e);

/* Returns the errno for libvirt's error; -EIO: no other fits. */
int libvirt_errnum(const virError *why);

/* True if the last call failed because there is no such domain. */
bool no_such_domain(void);

/* Finds a domain. -ENOENT comes without a sentence, for callers to whom that is not an error. */
int domain_lookup(struct virt *v, const char *uuid, virDomainPtr *ret, struct error *e) _must_check_;

/* Says that there is no such domain, and returns -ENOENT. */
int no_domain(const char *object, struct error *e);

/* Finds a domain that has to be there: -ENOENT comes with its sentence. */
int domain_require(struct virt *v, const char *uuid, virDomainPtr *ret, struct error *e) _must_check_;

/* Syncs the folder of definitions; in definitions.c. libvirt (9.0) syncs the file of a definition, but not
 * the folder: after a power cut a new domain could be missing, and an undefined one be back. Callers rely on
 * our answer when they commit. */
int definitions_make_durable(struct virt *v, struct error *e) _must_check_;

/* Returns the folder where this user's daemon keeps definitions; the caller frees it. -ENOENT: no home. */
int definitions_of_user(char **ret, struct error *e) _must_check_;

/* Makes the error for a definition that libvirt refused: -EINVAL, with the way out, if it concerns the
 * XML. */
int definition_refused(struct virt *v, const char *name, const char *way_out, struct error *e);

int connection_define(struct virt *v, const char *xml, struct error *e) _must_check_;
int connection_set_autostart(struct virt *v, const char *uuid, struct error *e) _must_check_;
int connection_definition(struct virt *v, const char *uuid, char **ret, struct error *e) _must_check_;
int connection_redefine(struct virt *v, const char *xml, struct error *e) _must_check_;

/* find.c */
int connection_list(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n,
                    struct error *e) _must_check_;
int connection_find_name(struct virt *v, const char *name, struct domain *ret, struct error *e) _must_check_;
int connection_find_uuid(struct virt *v, const char *uuid, struct domain *ret, struct error *e) _must_check_;

/* guests.c */
int connection_start(struct virt *v, const char *uuid, struct error *e) _must_check_;
int connection_shut_down(struct virt *v, const char *uuid, struct error *e) _must_check_;
int connection_reboot(struct virt *v, const char *uuid, struct error *e) _must_check_;
int connection_destroy(struct virt *v, const char *uuid, struct error *e) _must_check_;
int connection_resize_disk(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                           struct error *e) _must_check_;
int connection_drop_save(struct virt *v, const char *uuid, struct error *e) _must_check_;

/* undefine.c */
int connection_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e) _must_check_;

int connection_try(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram,
                   struct error *e) _must_check_;
int connection_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e) _must_check_;

/* addresses.c */
int connection_addresses(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                         struct error *e) _must_check_;

/* network.c */
int connection_check_network(struct virt *v, const char *name, bool active, struct error *e) _must_check_;

/* devices.c */
int connection_attach_disk(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                           struct error *e) _must_check_;
int connection_detach_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                           struct error *e) _must_check_;
int connection_has_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                        bool *ret, struct error *e) _must_check_;

/* views.c. connection_view_of() returns -ENOENT without a sentence if the domain is gone. */
int connection_view_of(struct virt *v, virDomainPtr domain, enum domain_side side, struct domain_view *ret,
                       struct error *e) _must_check_;
int connection_view_all(struct virt *v, struct virt_views *ret, struct error *e) _must_check_;
int connection_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                    struct error *e) _must_check_;
