/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the disks of an instance. A disk with a key is used through its map only. */
#pragma once

#include "instance/model.h"
#include "virt/domain-xml.h"

/* Opens the map of `v` with the key that is derived from `secret`, which is wiped at once. *ret (may be NULL)
 * gets the disk. */
int disk_open(const struct context *c, const struct volume *v, const struct secret *secret, enum map_use use,
              enum settle settle, struct opened *ret, struct error *e) _must_check_;

/* Gives an open map other flags, with the key as for disk_open(). */
int disk_tune(const struct context *c, const struct volume *v, const struct secret *secret, bool *ret_changed,
              struct error *e) _must_check_;

/* Closes the map; 0 if the disk is closed, or plain. */
int disk_close(const struct context *c, const struct volume *v, enum settle settle,
               struct error *e) _must_check_;

/* Returns the disk as domain_xml() takes it; the result points into `path`. */
struct domain_disk disk_of_domain(const struct context *c, const struct volume *v,
                                  char path[DEVICE_PATH_MAX]);

/* Asks the guest of its instance to let go of the disk, and waits; 0 at once if no guest has it. -EBUSY: the
 * guest still has it. */
int disk_detach_from_guest(const struct context *c, const struct volume *v, unsigned timeout_sec,
                           struct error *e) _must_check_;

/* Detaches the disk from the guest as disk_detach_from_guest() does, then removes it from the definition of
 * the domain, which need not be Mayfly's. */
int disk_detach_from_domain(const struct context *c, const struct volume *v, struct error *e) _must_check_;

#define DISKS_MAX 128 /* of one instance: root, swap and eph0 to eph99 are 102 */

/* The disks of one instance, as a step's object. */
struct disks {
    const struct instance *instance;
    enum map_use use;        /* the use for which they are opened */
    bool missing[DISKS_MAX]; /* had no suitable map when disks_look() looked; index of the volume */
    size_t n_missing;
    bool durable[DISKS_MAX]; /* the key can be fetched again; true for a plain disk */
    bool open[DISKS_MAX];    /* has a map, whatever it is for */
    bool touched[DISKS_MAX]; /* disks_open() has worked on it; an open disk that it cannot replace stays as it
                                is */
    size_t n_open;
};

/* Fills in the struct. An open map counts as missing if it can be opened anew, and is not open in the way
 * that `use` needs: read-only or not, to stay or not. */
int disks_look(const struct context *c, const struct model *m, const struct instance *i, enum map_use use,
               struct disks *ret, struct error *e) _must_check_;

/* Fetches the keys and opens the missing maps; a step for several at once. Its undo closes these maps. */
void disks_open(const struct context *c, void *const disks[], size_t n, struct error why[]);
int disks_open_undo(const struct context *c, void *disks, struct error *e);

/* Close all disks, and all disks except those whose data would be lost with their key. Two steps. */
int disks_close(const struct context *c, void *disks, struct error *e);
int disks_close_durable(const struct context *c, void *disks, struct error *e);

/* Closes disks as disks_close_durable() does, except maps that were opened for more than `up_to`. Not a
 * step. */
int disks_close_idle(const struct context *c, const struct disks *d, enum map_use up_to,
                     struct error *e) _must_check_;

/* True if a disk is open that may be closed. */
bool disks_can_close(const struct disks *d);

/* True if disks_close() would lose data. */
bool disks_lose_data(const struct disks *d);
