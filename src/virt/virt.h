/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt as Mayfly needs it. The real one is connection.c; the tests have a double behind the same table. */
#pragma once

#include "base/error.h"
#include "base/str.h"
#include "virt/domain-view.h"
#include "virt/network.h"

#include <stdbool.h>
#include <stdint.h>

#define DOMAIN_NAME_MAX 256 /* libvirt names a file after it */

/* libvirt's own (virDomainState), with its numbers. */
enum domain_state {
    DOMAIN_NO_STATE,
    DOMAIN_RUNNING,
    DOMAIN_IDLE,
    DOMAIN_PAUSED,
    DOMAIN_IN_SHUTDOWN,
    DOMAIN_SHUT_OFF,
    DOMAIN_CRASHED,
    DOMAIN_PMSUSPENDED
};

const char *domain_state_name(enum domain_state state); /* as virsh prints it: "running", "shut off", ... */

struct domain {
    char uuid[UUID_TEXT];
    char name[DOMAIN_NAME_MAX]; /* empty: longer than that, so none of ours */
    enum domain_state state;
    bool active;     /* QEMU is there, so the disks are in use: all states but shut off */
    bool persistent; /* it has a definition; false: libvirt forgets it when it ends */
    bool saved;      /* it has a managed save: its next start resumes that memory */
    bool ours;       /* has our metadata: Mayfly defined it; false where that was not asked */
    bool rescued; /* its definition has a rescue disk (virt/rescue-xml.h); false where that was not asked */
};

/* Where a domain has its disks. */
enum domain_side {
    DOMAIN_DEFINITION = 1, /* what it is started from */
    DOMAIN_GUEST = 2,      /* what runs now */
};

struct domain_disk;

/* Where libvirt keeps the state of a guest's TPM. */
enum domain_tpm {
    TPM_NONE,
    TPM_PLAIN,    /* in files of the host */
    TPM_ENCRYPTED /* the same, with a secret of libvirt's */
};

/* What libvirt does with one guest by itself. Its RAM holds in plaintext what its disks hold encrypted. */
struct domain_details {
    bool save_refused; /* by QEMU, of virsh save, managedsave, dump and snapshots with memory */
    bool core_dumped;  /* a core dump of QEMU has the RAM */
    bool saved;        /* libvirt keeps it in a file, from a managed save */
    enum domain_tpm tpm;
    bool autostart; /* it is started with the host */
};

#define DOMAIN_DEFINITIONS "/etc/libvirt/qemu"
#define DOMAIN_AUTOSTART   DOMAIN_DEFINITIONS "/autostart"

/* One domain, as it is defined and as it runs. */
struct domain_sides {
    char uuid[UUID_TEXT];
    char name[DOMAIN_NAME_MAX];
    struct domain_view definition;
    struct domain_view guest; /* found is false: it does not run */
};

struct virt_views {
    struct domain_sides *domain; /* sorted by uuid */
    size_t n;
    struct error why; /* of the first that could not be read: it has no side; errnum 0: all were read */
};

#define DOMAIN_ADDRESSES_MAX 16
#define DOMAIN_ADDRESS_MAX   46 /* of IPv6, in text */
struct domain_addresses {
    size_t n;
    char address[DOMAIN_ADDRESSES_MAX][DOMAIN_ADDRESS_MAX];
};

enum virt_offer { VIRT_KVM, VIRT_UEFI };

struct virt;
struct virt_ops {
    bool threads; /* may several make calls at the same time? */

    /* All domains. Without `metadata` it is a few questions, whatever their number, and nobody knows whether
     * they are `ours` or `rescued`; with it, two more for each. The caller frees *ret. */
    int (*list)(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n, struct error *e);

    /* -ENOENT: there is none. */
    int (*find_name)(struct virt *v, const char *name, struct domain *ret, struct error *e);
    int (*find_uuid)(struct virt *v, const char *uuid, struct domain *ret, struct error *e);

    /* -ENOENT: there is none. */
    int (*details)(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e);

    /* A power cut may undo it until settle() was called, as it may undefine. -EEXIST: the name or uuid is
     * taken. -EINVAL: libvirt refuses the XML. libvirt's schema, which takes it longer to read than all the
     * rest, is for try() alone. */
    int (*define)(struct virt *v, const char *xml, struct error *e);

    /* libvirt's verdict on the definition `trial_xml` (domain_xml(), of a trial) of the instance `name`,
     * without a trace but where it is cut off: an earlier trial is removed by the next one, or by recover.
     * *ret_nvram, which the caller frees, is for struct domain_spec. -EINVAL as define. */
    int (*try)(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram, struct error *e);

    /* Removes what trials have left that were cut off; *ret_n: how many; `dry_run`: how many there are. */
    int (*remove_trials)(struct virt *v, bool dry_run, size_t *ret_n, struct error *e);

    /* 0 if there is none. *ret_kept (the caller frees it) is the file of its UEFI's variables where that
     * stays, since libvirt did not make it for this domain, or another has it too; NULL: none stays. */
    int (*undefine)(struct virt *v, const char *uuid, char **ret_kept, struct error *e);

    /* From now on it is started with the host. A power cut may undo it until settle() was called. */
    int (*set_autostart)(struct virt *v, const char *uuid, struct error *e);

    /* Makes all definitions durable, and that others are gone. */
    int (*settle)(struct virt *v, struct error *e);

    /* The XML that it starts from the next time, with all that libvirt keeps of it, passwords too. The caller
     * frees *ret. -ENOENT. */
    int (*definition)(struct virt *v, const char *uuid, char **ret, struct error *e);

    /* Puts `xml` in the place of the definition with its uuid; durable when it returns. -ENOENT: there is
     * none. An active domain runs on as it is. */
    int (*redefine)(struct virt *v, const char *xml, struct error *e);

    int (*start)(struct virt *v, const char *uuid, struct error *e);    /* 0 if it is active */
    int (*shutdown)(struct virt *v, const char *uuid, struct error *e); /* asks the guest, does not wait */
    int (*reboot)(struct virt *v, const char *uuid, struct error *e);   /* as shutdown; -EBUSY: not active */
    int (*destroy)(struct virt *v, const char *uuid, struct error *e);  /* at once; 0 if not active */

    /* Gives the domain a disk, behind those that it has, on each of the `sides` or on none; durable in the
     * definition. A guest that does not run is an error. */
    int (*attach_disk)(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                       struct error *e);

    /* Takes away the disk on this device; 0 if it is not there, or no such domain. Durable in the definition;
     * the guest is asked, and not waited for: see has_disk. */
    int (*detach_disk)(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                       struct error *e);

    /* Is there such a disk? Not where there is no domain, and none in a guest that does not run. */
    int (*has_disk)(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                    bool *ret, struct error *e);

    /* Tells a running guest that its disk on this device has so many bytes now; 0 if it does not run. */
    int (*resize_disk)(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                       struct error *e);

    /* Its disks, and what else is told of it there, on that side; view->found is false for a guest that does
     * not run. The caller ends *ret by domain_view_end(), also after an error. -ENOENT: there is none. */
    int (*view)(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                struct error *e);

    /* The same of all domains: one question, and one more for each side. The caller ends *ret by
     * virt_views_end(). */
    int (*view_all)(struct virt *v, struct virt_views *ret, struct error *e);

    /* Removes the managed save, with the memory that it holds; 0 if there is none, or no such domain. */
    int (*drop_save)(struct virt *v, const char *uuid, struct error *e);

    /* Addresses of the guest that libvirt knows from the DHCP leases of its networks, else from the guest's
     * agent if that may be asked, else from the host's ARP table; none where it cannot tell. */
    int (*addresses)(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                     struct error *e);

    /* Is there a network of this name? -ENOENT. -EINVAL: it is not active, and is to be. */
    int (*check_network)(struct virt *v, const char *name, bool active, struct error *e);

    /* Can new domains be of type kvm here, or have UEFI? In doubt, no: such a domain would not start. */
    bool (*offers)(struct virt *v, enum virt_offer what);

    /* After a call that failed with -ECONNREFUSED: connects anew. */
    int (*reconnect)(struct virt *v, struct error *e);
    void (*disconnect)(struct virt *v);
};

struct virt {
    const struct virt_ops *ops;

    /* Syncs DOMAIN_DEFINITIONS where this process may not look into it (0700 on Fedora, SUSE); NULL: nobody
     * can. */
    int (*sync)(void *data, struct error *e);
    void *sync_data;
};

/* Whose domains have the disks: the host's have its devices, a user's own what is served on sockets of his.
 */
enum virt_owner { VIRT_HOST, VIRT_USER };

/* -EINVAL: its domains are on another host, or another owner's, and cannot have the disks. */
int virt_check_uri(const char *uri, enum virt_owner owner, struct error *e) _must_check_;

/* -ECONNREFUSED: libvirt is not there (exit 10). -EACCES. -EINVAL as virt_check_uri(). */
int virt_connect(const char *uri, enum virt_owner owner, struct virt **ret, struct error *e) _must_check_;
struct virt *virt_disconnect(struct virt *v);
DEFINE_CLEANUP(struct virt *, virt_disconnect)
#define _cleanup_virt_ _cleanup_(virt_disconnectp)

int virt_list(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n,
              struct error *e) _must_check_;
int virt_find_name(struct virt *v, const char *name, struct domain *ret, struct error *e) _must_check_;
int virt_find_uuid(struct virt *v, const char *uuid, struct domain *ret, struct error *e) _must_check_;
int virt_details(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e) _must_check_;
int virt_define(struct virt *v, const char *xml, struct error *e) _must_check_;
int virt_try(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram,
             struct error *e) _must_check_;
int virt_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e) _must_check_;
int virt_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e) _must_check_;
int virt_set_autostart(struct virt *v, const char *uuid, struct error *e) _must_check_;
int virt_settle(struct virt *v, struct error *e) _must_check_;
int virt_definition(struct virt *v, const char *uuid, char **ret, struct error *e) _must_check_;
int virt_redefine(struct virt *v, const char *xml, struct error *e) _must_check_;
int virt_start(struct virt *v, const char *uuid, struct error *e) _must_check_;
int virt_shutdown(struct virt *v, const char *uuid, struct error *e) _must_check_;

/* The same for several at once; fills in why[n], errnum 0: it went well. libvirtd takes five requests of a
 * connection at a time, and its log warns of as many. */
#define VIRT_AT_ONCE 4
void virt_start_many(struct virt *v, const char *const uuids[], size_t n, struct error why[]);
void virt_destroy_many(struct virt *v, const char *const uuids[], size_t n, struct error why[]);

int virt_reboot(struct virt *v, const char *uuid, struct error *e) _must_check_;
int virt_destroy(struct virt *v, const char *uuid, struct error *e) _must_check_;
int virt_attach_disk(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                     struct error *e) _must_check_;
int virt_detach_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                     struct error *e) _must_check_;
int virt_has_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side, bool *ret,
                  struct error *e) _must_check_;
int virt_resize_disk(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                     struct error *e) _must_check_;
int virt_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
              struct error *e) _must_check_;
int virt_view_all(struct virt *v, struct virt_views *ret, struct error *e) _must_check_;
void virt_views_end(struct virt_views *v);

/* Another domain that names this file for its UEFI variables, running or in its definition; NULL: none. */
const struct domain_sides *virt_views_nvram_user(const struct virt_views *v, const char *path,
                                                 const char *but_uuid);
int virt_drop_save(struct virt *v, const char *uuid, struct error *e) _must_check_;
int virt_addresses(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                   struct error *e) _must_check_;

/* Also of a bridge: see virt/network.h. */
int virt_check_network(struct virt *v, const struct network *n, bool active, struct error *e) _must_check_;
bool virt_offers(struct virt *v, enum virt_offer what);
