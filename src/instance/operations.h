/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs: one file each (launch.c, start.c, ...). Each is idempotent, sets *ret_changed if anything
 * changed, reports the first error, and leaves nothing that recover could not finish or take back. */
#pragma once

#include "instance/keys-going.h"
#include "instance/model.h"
#include "instance/steps.h"
#include "instance/wanted-disks.h"
#include "instance/wanted-seed.h"
#include "virt/hook-domain.h"

#define LAUNCH_COUNT_MAX 1000

struct launch_request {
    const char
        *name; /* of the instance; if numbered or count > 1: name-1, name-2, ..., after existing ones */
    uint32_t count;
    bool numbered;
    bool shared_key;
    struct wanted_disks disks; /* of each instance */
    struct wanted_seed seed;   /* none: no seed disk */
    const char *engine;        /* "dm-crypt", "user"; NULL: what the configuration says */
    const char *template_xml;  /* NULL: built in, and the configuration has the defaults of these: */
    uint64_t memory_bytes;     /* 0: not given */
    uint32_t vcpus;            /* 0: not given */
    const char *firmware;      /* "bios", "uefi"; NULL: not given */
    const char *network;       /* as network_parse() takes it; NULL: not given */
    bool autostart;            /* the configuration may set it for all */
    bool no_start;
    bool dry_run; /* fill in ret_plan, change nothing */
};

struct launched {
    char name[DOMAIN_NAME_MAX];
    char uuid[UUID_TEXT];
};

/* Makes all `count` instances, or none: a failure undoes the whole launch. *ret has request->count entries,
 * which the caller frees. ret_plan (may be NULL, the caller frees it by steps_free) gets the list of steps.
 */
int instance_launch(const struct context *c, const struct launch_request *request, struct launched **ret,
                    struct steps **ret_plan, struct error *e) _must_check_;

struct add_disks_request {
    const char *name; /* of the domain, or its uuid; with `uuid`: of the instance, NULL: it has the uuid */
    const char *uuid; /* of a domain that others will define; NULL: the domain is there */
    struct wanted_disks disks;
    const char *key; /* MANAGER:PLACE/ID of an existing key; NULL: a key is made */
    bool keep_key;   /* `key` belongs to the caller, and is never destroyed */
    bool dry_run;    /* fill in ret_plan, change nothing */
};

/* Makes disks for a domain that others have defined and that does not run. *ret has one entry. With
 * request->uuid no definition is changed: the program that defines the domain adds the disks. Unchanged: it
 * has exactly these disks. -EEXIST: it has others. -EBUSY: it runs. -EUNSAFE: the key belongs to another. */
int instance_add_disks(const struct context *c, const struct add_disks_request *request,
                       struct launched **ret, bool *ret_changed, struct steps **ret_plan,
                       struct error *e) _must_check_;

/* One disk: ephemeral, or a seed disk. */
struct add_disk_request {
    const char *name; /* of the instance */
    struct wanted_ephemeral ephemeral;
    const struct secret *seed_image; /* contents of a seed disk; NULL: it is an ephemeral disk */
    bool dry_run;                    /* fill in ret_plan, change nothing */
};

/* Makes one more ephemeral disk for an instance, whether it runs or not. The disk lies in the group of the
 * first disk. *ret is the new disk. Or makes a seed disk with request->seed_image, for a domain that others
 * define; they add it to the definition. -EEXIST: it has a seed disk. */
int instance_add_disk(const struct context *c, const struct add_disk_request *request, struct volume *ret,
                      struct steps **ret_plan, struct error *e) _must_check_;

struct remove_disk_request {
    const char *name;
    const char *role;     /* eph0, ... */
    unsigned timeout_sec; /* for the guest to let go of it */
    bool dry_run;
};

/* Destroys an ephemeral disk other than the first disk. -EBUSY: the guest does not let go of it, or something
 * on the host holds it; then nothing has changed. */
int instance_remove_disk(const struct context *c, const struct remove_disk_request *q, bool *ret_changed,
                         struct steps **ret_plan, struct error *e) _must_check_;

struct export_request {
    const char *name; /* of the instance */
    const char *role; /* of the disk; NULL: the first disk */
    const char *path; /* of the new file */
    int output_fd;    /* a raw image is written there, and `path` only names it in sentences; 0: none */
    struct image_keeper *keeper; /* makes the file where only the caller may; NULL: this process may */
    uint64_t room_bytes;         /* for what the guest writes meanwhile; 0: a fifth of the disk */
    bool plaintext;              /* the file is not encrypted */
    bool dry_run;
};

struct exported {
    char instance[DOMAIN_NAME_MAX];
    char uuid[UUID_TEXT];
    char role[ROLE_MAX];
    char key[KEY_REF_MAX]; /* MANAGER:PLACE/ID; "": in plaintext */
    uint64_t size_bytes;   /* of the disk */
};

/* Writes the contents of the disk at this moment, whether the instance runs or not, to a new file: a qcow2,
 * encrypted with a key of its own in the disk's key manager. The whole file, or nothing. ret_plan as of
 * instance_launch(). -EEXIST: there is such a file. -ENOSPC; -EIO: also where the room was used up. -EINVAL:
 * a plain disk, or an ephemeral key. With output_fd no file is made, and the output is valid only if the call
 * succeeds. */
int instance_export(const struct context *c, const struct export_request *request, struct exported *ret,
                    struct steps **ret_plan, struct error *e) _must_check_;

/* The outcome for one of several instances. */
struct outcome {
    bool changed;
    struct key_end key; /* of a delete: what became of the key */
    struct error error; /* errnum 0: none */
};

/* start, reboot, open and close work on at most this many instances at once, so that few keys are in memory
 * before disks are opened. A failure does not stop the others. Each fills in ret[n]; returns the first error,
 * or -ECANCELED: instances that are neither changed nor in error were not begun. */
#define TOGETHER_MAX 16

/* Opens the disks with the key fetched now, then starts the domain. */
int instances_start(const struct context *c, const char *const names[], size_t n, struct outcome ret[],
                    struct error *e) _must_check_;
int instance_start(const struct context *c, const char *name, bool *ret_changed,
                   struct error *e) _must_check_;

/* Asks the guest to power off, waits `timeout_sec`, closes the disks. `hard`: forces it off after that time
 * (0: at once). -EBUSY: it still runs after timeout_sec, and not `hard`. The maps of an instance with an
 * ephemeral key stay open. */
int instance_stop(const struct context *c, const char *name, unsigned timeout_sec, bool hard,
                  bool *ret_changed, struct error *e) _must_check_;

enum wait_state { WAIT_RUNNING, WAIT_STOPPED };

/* Waits until the domain runs (and is not paused), or is not active. -EBUSY: clock_msec() has reached
 * `end_msec` (0: no limit). -ENOENT: no such instance, or no domain. -ECANCELED. */
int instance_wait(const struct context *c, const char *name, enum wait_state wanted, uint64_t end_msec,
                  struct error *e) _must_check_;

/* Asks the guest to reboot, and does not wait; -EINVAL: it does not run. `hard`: the domain ends at once, and
 * starts again on disks opened anew with the key fetched now, or kept open if that is ephemeral; an instance
 * that does not run is started. */
int instances_reboot(const struct context *c, const char *const names[], size_t n, bool hard,
                     struct outcome ret[], struct error *e) _must_check_;
int instance_reboot(const struct context *c, const char *name, bool hard, bool *ret_changed,
                    struct error *e) _must_check_;

/* Asks at most MODEL_LOCKS_MAX guests to power off, without waiting. ret_asked[i] is false if that was not
 * possible; instance_stop() then says why. The second function stops one of them; its time counts from when
 * the guest was asked (by clock_msec(); 0: it was not). */
void instances_ask_to_stop(const struct context *c, const char *const names[], size_t n, bool ret_asked[]);
int instance_stop_asked(const struct context *c, const char *name, uint64_t asked_msec, unsigned timeout_sec,
                        bool hard, bool *ret_changed, struct error *e) _must_check_;

/* Forces several off side by side, without asking their guests. */
int instances_stop_hard(const struct context *c, const char *const names[], size_t n, struct outcome ret[],
                        struct error *e) _must_check_;

struct resize_request {
    const char *role; /* of the disk */
    uint64_t size_bytes;
    bool more;    /* grows by this size, not to it */
    bool dry_run; /* fill in ret_plan, change nothing */
};

/* Grows the disk to that size, rounded up to what LVM can make: the volume, and its map if it is open, with
 * the key fetched now. Tells a running guest. *ret_changed: volume or map were smaller. -ENOENT: no such
 * disk. -EUNSAFE: it is larger. -EINVAL: its key is ephemeral. -ENOSPC. */
int instance_resize(const struct context *c, const char *name, const struct resize_request *q,
                    bool *ret_changed, struct steps **ret_plan, struct error *e) _must_check_;

/* Gives an instance that does not run another engine ("dm-crypt", "user"): its tags and its definition.
 * Unchanged: it has that engine. -EBUSY: it runs, or is open. -EINVAL: the engine cannot open its disks, or
 * others have defined the domain. */
int instance_set_engine(const struct context *c, const char *name, const char *engine, bool dry_run,
                        bool *ret_changed, struct steps **ret_plan, struct error *e) _must_check_;

/* Gives the open maps of an instance the flags that would be chosen now, with the key fetched now; their
 * users go on. Unchanged: the flags are the same, or no map is open. ret_plan as of instance_launch().
 * -EINVAL: its key is ephemeral. */
int instance_tune(const struct context *c, const char *name, bool dry_run, bool *ret_changed,
                  struct steps **ret_plan, struct error *e) _must_check_;

struct rebuild_request {
    struct wanted_image image; /* of the root disk; none: the disk is empty */
    bool dry_run;              /* fill in ret_plan, change nothing */
    struct key_end *ret_key;   /* gets what became of the old key; may be NULL */
    struct wanted_seed seed;   /* none: an existing seed disk keeps its contents */
};

/* Makes new disks of the same roles, sizes and file systems, with a new key, for the same domain, which ends
 * at once, and is started again if it ran. From the first new disk on there is no way back: an error leaves
 * the instance in state rebuilding, until it is rebuilt again. */
int instance_rebuild(const struct context *c, const char *name, const struct rebuild_request *q,
                     struct steps **ret_plan, struct error *e) _must_check_;

/* Tags doomed -> domain stopped and undefined -> maps closed -> key destroyed, seen gone -> volumes removed:
 * each step for all instances at once. An instance that cannot be deleted does not stop the others. Fills in
 * ret[n]; returns the first error, or -ECANCELED: instances that are neither changed nor in error were not
 * begun. */
int instances_delete(const struct context *c, const char *const names[], size_t n, struct outcome ret[],
                     struct error *e) _must_check_;
int instance_delete(const struct context *c, const char *name, bool *ret_changed,
                    struct error *e) _must_check_;

/* Deletes instances, even if a key cannot be destroyed: that is reported, and the key exists as long as its
 * manager does. For managers that are gone for good. */
int instances_delete_forget_keys(const struct context *c, const char *const names[], size_t n,
                                 struct outcome ret[], struct error *e) _must_check_;

/* Deletes instances, even if the caller may not destroy a key: without a volume the key counts as unused, and
 * its owner's next recover destroys it. */
int instances_delete_leave_keys(const struct context *c, const char *const names[], size_t n,
                                struct outcome ret[], struct error *e) _must_check_;

/* Opens the disks of an instance that does not run. A disk that is open for another use is opened anew:
 * -EBUSY if a process holds it.
 *
 *     MAP_TO_STAY    for use on the host, until close, or until the instance is stopped
 *     MAP_READ_ONLY  the same, and nobody can write to them; -EINVAL: a plain disk, or an ephemeral key
 *     MAP_FOR_START  for a guest that another program starts, until that guest has ended; or until recover if
 *                    none is started within START_WITHIN_SEC. Disks that a person has opened stay so
 */
int instances_open(const struct context *c, const char *const names[], size_t n, enum map_use use,
                   struct outcome ret[], struct error *e) _must_check_;
int instance_open(const struct context *c, const char *name, enum map_use use, bool *ret_changed,
                  struct error *e) _must_check_;

/* Closes the disks. -EBUSY: the instance runs, or a process holds a disk. -EUNSAFE: its key is ephemeral, so
 * closing would lose its data, and not `lose_data`. */
int instances_close(const struct context *c, const char *const names[], size_t n, bool lose_data,
                    struct outcome ret[], struct error *e) _must_check_;
int instance_close(const struct context *c, const char *name, bool lose_data, bool *ret_changed,
                   struct error *e) _must_check_;

struct adopt_request {
    const char *uuid;
    const char *key;             /* MANAGER:PLACE/ID of the secret that Nova made; NULL: `secret` */
    const struct secret *secret; /* the secret itself, to be kept by the manager `local` */
    const char *kdf;             /* KDF_NOVA_... */
    uint32_t key_bits;           /* of the volume keys; 0: as configured */
    bool force;                  /* even if nothing shows on the first disk */
    bool dry_run;
};

/* Takes over the disks of an instance that Nova made, with aes-xts-plain64. For root only. -EKEYREJECTED:
 * nothing shows under the key, and nothing is changed. -EBUSY: its domain runs, or a disk is open. ret_plan
 * (may be NULL) gets the list of steps; NULL if there is nothing to do. */
int instance_adopt(const struct context *c, const struct adopt_request *request, bool *ret_changed,
                   struct steps **ret_plan, struct error *e) _must_check_;

/* Opens the closed disks of the domain, with the key fetched now, before QEMU starts: for libvirt's hook.
 * libvirt waits for this and the next function, so they never ask libvirt. 0 also for a domain that is not
 * ours. -EUNSAFE: a disk of the domain is the bare volume below an encrypted one. */
int instance_hook_prepare(const struct context *c, const struct hook_domain *d, struct error *e) _must_check_;

/* Closes the disks after QEMU has ended, or did not start, unless the key is ephemeral, a person has opened
 * them to stay, or another mayfly works on the instance, which then closes them. */
int instance_hook_release(const struct context *c, const char *uuid, struct error *e) _must_check_;

struct rescue_request {
    struct wanted_image image;
    uint64_t root_bytes;  /* of the rescue disk; 0: the image's size */
    unsigned timeout_sec; /* for a running guest to power off, before it is forced off */
    bool disk_only; /* domain and guest are left alone: the program that defines the domain changes them */
    bool dry_run;   /* fill in ret_plan, change nothing */
};

/* Starts the instance, stopped first if it runs, from a disk with the rescue image; its own disks follow. A
 * failure leaves it as it was. Unchanged: it is in rescue already. ret_plan as of instance_launch(). -EINVAL:
 * its key is ephemeral; or no disk in that place would boot. */
int instance_rescue(const struct context *c, const char *name, const struct rescue_request *request,
                    bool *ret_changed, struct steps **ret_plan, struct error *e) _must_check_;

/* Stops the domain, restores its definition, removes the rescue disk, and starts the domain if it ran. With
 * `disk_only` only the disk is removed; -EBUSY: it is in use. Unchanged: the instance is not in rescue. After
 * the mark of the rescue disk there is no way back. */
int instance_unrescue(const struct context *c, const char *name, unsigned timeout_sec, bool disk_only,
                      bool *ret_changed, struct error *e) _must_check_;

enum finding_result { FINDING_OK, FINDING_WARNING, FINDING_FAILED };

/* One thing that doctor examined. */
struct finding {
    enum finding_result result;
    int errnum;     /* of a failure: negative; else 0 */
    char what[100]; /* "volume group vg0", "key manager barbican: clock" */
    char text[600]; /* the result; for a failure, what is wrong and the way out */
};

/* Paths that doctor examines or names. */
struct doctor_paths {
    const char *config_files; /* the files that were read; "": none */
    const char *hook;         /* where libvirt's hook is installed */
    const char *root;         /* the folder of the host's files: "", except in tests */
};

/* Checks everything that other operations need, also after a failure, and tries a key of its own on each key
 * manager in use. `lacks`: missing parts of the context. *ret lists the findings (the caller frees it). Fails
 * only if memory ran out. */
int instance_doctor(const struct context *c, const struct lacks *lacks, const struct doctor_paths *paths,
                    struct finding **ret, size_t *ret_n, struct error *e) _must_check_;

/* Destroys the key MANAGER:PLACE/ID, which no volume names. -EUNSAFE: a volume names it, or a volume that is
 * not seen may; the sentence has the way out. -ENOENT: no such key. */
int key_destroy(const struct context *c, const char *ref, struct error *e) _must_check_;

/* Lets `user` of the key manager (NULL: the host's own) fetch the key MANAGER:PLACE/ID, or that of the
 * instance; or revokes that. */
int key_grant(const struct context *c, const char *name_or_ref, const char *user, bool allowed,
              bool *ret_changed, struct error *e) _must_check_;

enum recover_kind {
    RECOVER_REMOVED,  /* removed a half-built instance or disk */
    RECOVER_DELETED,  /* finished a delete */
    RECOVER_RELEASED, /* gave back a disk that was not wholly adopted */
    RECOVER_ADOPTED,  /* finished an adoption */
    RECOVER_RESUMED,  /* resumed a volume that a killed lvm had left suspended */
    RECOVER_CLOSED,   /* closed a map without a running instance */
    RECOVER_KEY,      /* destroyed a key without volumes */
    RECOVER_KEPT,     /* kept a key that an image file may need, and reported it */
    RECOVER_BUSY,     /* left alone what another mayfly works on */
    RECOVER_REMAINS   /* could not put it in order; `text` has the reason */
};

/* What was wrong, if it is one of these two faults. */
enum recover_fault { FAULT_OTHER, FAULT_KEY_WITHOUT_VOLUME, FAULT_VOLUME_WITHOUT_KEY };

struct recovered {
    enum recover_kind kind;
    enum recover_fault fault;
    char uuid[UUID_TEXT];              /* of the instance, or of the key's owner; "": of none */
    char object[DOMAIN_NAME_MAX + 64]; /* "instance ci-1 (uuid)", "map ...", "key local:..." */
    char text[600];                    /* what was done, or why not */
};

/* Puts in order what an interruption left: see the invariants in HACKING.md. Removes only volumes whose tags
 * say that they were never finished or are doomed. Destroys a key only if its volume group is seen as a whole
 * and no volume names it. *ret lists what was done and what remains (the caller frees it), also with these
 * errors: -ENEEDSRECOVER: something remains. If all of it remains for one reason: -EHOSTUNREACH (a key
 * manager cannot be reached) or -EACCES (this caller may not destroy the keys). -ECANCELED: the user stopped
 * it, and the rest was not begun. *ret is not set after any other error. If no volume group is configured
 * nothing is looked at; -EINVAL then if maps of ours are open. */
enum recover_how {
    RECOVER_DRY_RUN = 1, /* lists only */
    RECOVER_QUICK = 2,   /* lists no keys of managers behind a network, as long as all volumes are ready */
};
int instance_recover(const struct context *c, unsigned how, struct recovered **ret, size_t *ret_n,
                     struct error *e) _must_check_;
