/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/virt: what the files behind struct virt_ops share of a connection to libvirt. */
#pragma once

#include "virt/libvirt.h"
#include "virt/virt.h"

struct connection {
    struct virt virt; /* first: a struct virt * is one of these */
    virConnectPtr libvirt;
    char *uri;
    enum virt_owner owner;
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

/* libvirt-error.c. A sentence about what libvirt has just refused; of domain_failed() by the domain's name,
 * which libvirt forgets its last error to tell. */
int libvirt_failed(struct virt *v, const char *object, const char *action, struct error *e);
int libvirt_call_failed(struct virt *v, const char *kind, const char *object, const char *action,
                        struct error *e); /* of what is no domain: "network" */
int domain_failed(struct virt *v, virDomainPtr domain, const char *action, struct error *e);

/* Of what libvirt has said, as an errno; -EIO where that says nothing that we know. */
int libvirt_errnum(const virError *why);

/* Did the last call fail because there is no such domain? */
bool no_such_domain(void);

/* Finds a domain. -ENOENT comes without a sentence, for callers to whom that is no error. */
int domain_lookup(struct virt *v, const char *uuid, virDomainPtr *ret, struct error *e) _must_check_;

/* Says that there is no such domain, and returns -ENOENT. */
int no_domain(const char *object, struct error *e);

/* Finds a domain that has to be there: -ENOENT comes with its sentence. */
int domain_require(struct virt *v, const char *uuid, virDomainPtr *ret, struct error *e) _must_check_;

/* definitions.c. libvirt syncs the file of a definition, and renames it into its place, but does not sync the
 * folder (9.0): after a power cut a domain that was defined could be missing, and one that was undefined be
 * back. Callers commit what they do on the strength of our answer, so it is made durable here. */
int definitions_make_durable(struct virt *v, struct error *e) _must_check_;

/* What libvirt has just said to a definition: -EINVAL, with the way out, where that is about the XML. */
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

/* views.c; the first one returns -ENOENT without a sentence where the domain went away. */
int connection_view_of(struct virt *v, virDomainPtr domain, enum domain_side side, struct domain_view *ret,
                       struct error *e) _must_check_;
int connection_view_all(struct virt *v, struct virt_views *ret, struct error *e) _must_check_;
int connection_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                    struct error *e) _must_check_;
