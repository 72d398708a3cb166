/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt as Mayfly uses it. connection.c is the real one; tests have a double behind the same table. */
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
    char name[DOMAIN_NAME_MAX]; /* empty: the name is longer, so the domain is not ours */
    enum domain_state state;
    bool active;     /* QEMU runs, so the disks are in use: all states but shut off */
    bool persistent; /* it has a definition; false: libvirt forgets it when it ends */
    bool saved;      /* it has a managed save: its next start resumes that memory */
    bool ours;       /* has our metadata: Mayfly defined it; false if that was not asked */
    bool rescued;    /* its definition has a rescue disk (virt/rescue-xml.h); false if that was not asked */
};

/* The two places where a domain has disks. */
enum domain_side {
    DOMAIN_DEFINITION = 1, /* used for the next start */
    DOMAIN_GUEST = 2,      /* the running guest */
};

struct domain_disk;

/* Where libvirt keeps the state of a guest's TPM. */
enum domain_tpm {
    TPM_NONE,
    TPM_PLAIN,    /* in files of the host */
    TPM_ENCRYPTED /* in files of the host, encrypted with a secret that libvirt has */
};

/* What libvirt does with one guest by itself. The guest's RAM holds in plaintext what its disks hold
 * encrypted. */
struct domain_details {
    bool save_refused; /* QEMU refuses virsh save, managedsave, dump, and snapshots with memory */
    bool core_dumped;  /* a core dump of QEMU contains the RAM */
    bool saved;        /* a managed save keeps it in a file */
    enum domain_tpm tpm;
    bool autostart; /* libvirt starts it with the host */
};

#define DOMAIN_DEFINITIONS "/etc/libvirt/qemu"
#define DOMAIN_AUTOSTART   DOMAIN_DEFINITIONS "/autostart"

/* One domain, as it is defined and as it runs. */
struct domain_sides {
    char uuid[UUID_TEXT];
    char name[DOMAIN_NAME_MAX];
    struct domain_view definition;
    struct domain_view guest; /* found is false if no guest runs */
};

struct virt_views {
    struct domain_sides *domain; /* sorted by uuid */
    size_t n;
    struct error why; /* of the first domain that could not be read, and has no side; errnum 0: none */
};

#define DOMAIN_ADDRESSES_MAX 16
#define DOMAIN_ADDRESS_MAX   46 /* as text, also of IPv6 */
struct domain_addresses {
    size_t n;
    char address[DOMAIN_ADDRESSES_MAX][DOMAIN_ADDRESS_MAX];
};

enum virt_offer { VIRT_KVM, VIRT_UEFI };

struct virt;
struct virt_ops {
    bool threads; /* several threads may call at the same time */

    /* Lists all domains. Without `metadata` this is a few questions, whatever their number, and `ours` and
     * `rescued` are not asked; with it, two more for each. The caller frees *ret. */
    int (*list)(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n, struct error *e);

    /* Finds a domain. -ENOENT: there is none. */
    int (*find_name)(struct virt *v, const char *name, struct domain *ret, struct error *e);
    int (*find_uuid)(struct virt *v, const char *uuid, struct domain *ret, struct error *e);

    /* Tells what libvirt does with the guest by itself. -ENOENT: there is no such domain. */
    int (*details)(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e);

    /* Defines a domain. A power cut may undo this, as it may undo undefine(), until settle(). -EEXIST: the
     * name or uuid is taken. -EINVAL: libvirt refuses the XML. Only try() has libvirt validate the schema,
     * which takes longer than all the rest. */
    int (*define)(struct virt *v, const char *xml, struct error *e);

    /* Asks libvirt to judge `trial_xml` (domain_xml(), of a trial), for the instance `name`. Leaves nothing,
     * unless it is cut off: then the next trial or recover removes it. *ret_nvram, which the caller frees, is
     * for struct domain_spec. -EINVAL as define(). */
    int (*try)(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram, struct error *e);

    /* Removes trials that were cut off; *ret_n: how many; `dry_run`: only counts them. */
    int (*remove_trials)(struct virt *v, bool dry_run, size_t *ret_n, struct error *e);

    /* Undefines a domain; 0 if there is none. *ret_kept (the caller frees it): its file of UEFI variables, if
     * that stays because libvirt did not make it for this domain, or another domain has it; NULL: none
     * stays. */
    int (*undefine)(struct virt *v, const char *uuid, char **ret_kept, struct error *e);

    /* Lets libvirt start the domain with the host. A power cut may undo this until settle(). */
    int (*set_autostart)(struct virt *v, const char *uuid, struct error *e);

    /* Makes all definitions, and removals of definitions, durable. */
    int (*settle)(struct virt *v, struct error *e);

    /* Returns the XML for the next start, with all that libvirt keeps of the domain, passwords too. The
     * caller frees *ret. -ENOENT. */
    int (*definition)(struct virt *v, const char *uuid, char **ret, struct error *e);

    /* Replaces the definition that has the uuid of `xml`; durable when it returns. -ENOENT: there is none. A
     * running guest is not changed. */
    int (*redefine)(struct virt *v, const char *xml, struct error *e);

    int (*start)(struct virt *v, const char *uuid, struct error *e);    /* 0 also if it runs already */
    int (*shutdown)(struct virt *v, const char *uuid, struct error *e); /* asks the guest; does not wait */
    int (*reboot)(struct virt *v, const char *uuid, struct error *e);   /* asks it, too; -EBUSY: not active */
    int (*destroy)(struct virt *v, const char *uuid, struct error *e);  /* at once; 0 if not active */

    /* Adds a disk after the others, on each of the `sides` or on none; durable in the definition. Fails for
     * the guest if it does not run. */
    int (*attach_disk)(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                       struct error *e);

    /* Removes the disk on this device; 0 if there is no such disk or domain. Durable in the definition. The
     * guest is asked, and not waited for: see has_disk(). */
    int (*detach_disk)(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                       struct error *e);

    /* Finds out whether there is a disk on this device. False if there is no domain, or no running guest. */
    int (*has_disk)(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                    bool *ret, struct error *e);

    /* Tells a running guest the new size of its disk on this device; 0 if it does not run. */
    int (*resize_disk)(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                       struct error *e);

    /* Reads the XML of that side; view->found is false for a guest that does not run. The caller ends *ret by
     * domain_view_end(), also after an error. -ENOENT: no such domain. */
    int (*view)(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                struct error *e);

    /* Reads both sides of all domains: one question, and one for each side. The caller ends *ret by
     * virt_views_end(). */
    int (*view_all)(struct virt *v, struct virt_views *ret, struct error *e);

    /* Removes the managed save; 0 if there is none, or no such domain. */
    int (*drop_save)(struct virt *v, const char *uuid, struct error *e);

    /* Addresses of the guest: from the DHCP leases of libvirt's networks, else from the guest's agent if that
     * may be asked, else from the host's ARP table. May find none. */
    int (*addresses)(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                     struct error *e);

    /* Checks that there is a network of this name. -ENOENT. -EINVAL: it is not active, but must be. */
    int (*check_network)(struct virt *v, const char *name, bool active, struct error *e);

    /* True if new domains can be of type kvm, or have UEFI. False if that cannot be told: such a domain would
     * not start. */
    bool (*offers)(struct virt *v, enum virt_offer what);

    /* Connects anew, after a call that failed with -ECONNREFUSED. */
    int (*reconnect)(struct virt *v, struct error *e);
    void (*disconnect)(struct virt *v);
};

struct virt {
    const struct virt_ops *ops;

    /* Syncs DOMAIN_DEFINITIONS if this process may not open it (0700 on Fedora, SUSE); NULL: nobody can. */
    int (*sync)(void *data, struct error *e);
    void *sync_data;
};

/* Whose domains have the disks: the host's domains use its devices; a user's own domains use sockets of that
 * user. */
enum virt_owner { VIRT_HOST, VIRT_USER };

/* Checks that the domains of this libvirt can have the disks. -EINVAL: they are on another host, or another
 * owner's. */
int virt_check_uri(const char *uri, enum virt_owner owner, struct error *e) _must_check_;

/* Connects. -ECONNREFUSED: libvirt cannot be reached (exit status 10). -EACCES. -EINVAL as
 * virt_check_uri(). */
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

/* Asked every second by the calling thread, until the domain of that index has been started. True: it never
 * will be, and is ended. */
struct virt_watch {
    bool (*is_hopeless)(void *context, size_t i);
    void *context;
};

/* Start or end several domains at once; `watch` may be NULL. Fill in why[n]; errnum 0: it went well. libvirtd
 * takes five requests of a connection at a time, and its log warns of more. */
#define VIRT_AT_ONCE 4
void virt_start_many(struct virt *v, const char *const uuids[], size_t n, const struct virt_watch *watch,
                     struct error why[]);
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

/* Returns another domain that names this file of UEFI variables, in its definition or running; NULL: none. */
const struct domain_sides *virt_views_nvram_user(const struct virt_views *v, const char *path,
                                                 const char *but_uuid);
int virt_drop_save(struct virt *v, const char *uuid, struct error *e) _must_check_;
int virt_addresses(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                   struct error *e) _must_check_;

/* Checks the network, which may be a bridge: see virt/network.h. */
int virt_check_network(struct virt *v, const struct network *n, bool active, struct error *e) _must_check_;
bool virt_offers(struct virt *v, enum virt_offer what);
