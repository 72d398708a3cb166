/* SPDX-License-Identifier: Apache-2.0 */
/* The world of every operation on instances. All of it stands behind interfaces, so that a test can run any
 * operation over doubles. Nothing of it is global. */
#pragma once

#include "bench/bench.h"
#include "broker/client.h"
#include "config/config.h"
#include "image/image.h"
#include "instance/managers.h"
#include "keys/keymgr.h"
#include "virt/virt.h"

/* Tells a person or a program how far a long operation is. May be NULL in a context. */
struct reporter {
    void (*step)(void *context, const char *what);                              /* a step begins */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* of images written */
    void (*count)(void *context, unsigned done, unsigned total);                /* of measurements */
    void (*warning)(void *context, const char *text);
    void *data;
};

struct context {
    const struct config *config;
    struct broker *broker;
    struct virt *virt;

    /* Opens key managers by name: keymgr_open, or the double's. Operations use context_keymgr(), which opens
     * each once. */
    int (*open_keymgr)(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                       struct error *e);
    struct key_context *who;       /* asks them */
    struct key_managers *managers; /* that are open; the owner of the context ends them */

    /* Writes the image to disks: image_import, or the double's. */
    int (*import)(struct image *i, const struct image_target *targets, size_t n,
                  const struct image_progress *progress, struct error *e);

    /* And the other way: image_export, or the double's. */
    int (*export)(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                  const struct image_progress *progress, struct error *e);

    /* Byte for byte, to a descriptor of the caller's: image_stream, or the double's. */
    int (*stream)(const struct opened *disk, int output_fd, const char *name,
                  const struct image_progress *progress, struct error *e);

    /* A seed, to the begin of a disk and back: seed_write and seed_read, or the doubles'. */
    int (*write_seed)(const struct opened *disk, const struct secret *seed, struct error *e);
    int (*read_seed)(const struct opened *disk, struct secret **ret, struct error *e);

    /* What fio can measure here, and a measurement: bench_look and bench_measure, or the double's. */
    int (*bench_look)(char ret_why_not[BENCH_WHY_MAX], struct error *e);
    int (*bench_measure)(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e);

    /* In whose "sys" the kernel's /sys is found: "", but for tests. */
    const char *root;

    const struct reporter *reporter;

    /* How long to wait for an instance that another mayfly works on. Most hold it for a moment, but recover
     * holds all. */
    unsigned lock_wait_msec;

    /* How long a holder without a name may take to let go of a device, such as udev, which looks at new ones.
     */
    unsigned holder_wait_msec;

    bool (*stopped)(void); /* has the user asked to stop (SIGINT, SIGTERM)? NULL: nobody can */

    /* While this is on, between a point of no return and the end of an operation, `stopped` says no. May be
     * NULL. */
    void (*hold_stop)(bool on);
};

/* Has the user asked to stop? To be called between steps and in every wait: now and then it also tells the
 * broker that we are at work. */
bool context_stopped(const struct context *c);

/* Why a part of the context is missing; errnum 0: it is there. Only mayfly doctor goes on without. */
struct lacks {
    struct error config; /* the rest is not tried then, and the configuration is the default one */
    struct error who;    /* the credentials that the caller named */
    struct error broker; /* context.broker is NULL */
    struct error virt;   /* context.virt is NULL */
};

void report_step(const struct context *c, const char *format, ...) _printf_(2, 3);
void report_warning(const struct context *c, const char *format, ...) _printf_(2, 3);

/* Marks a point of no return: the list of steps is run to its end, even if the user asks to stop. steps_run()
 * ends that. */
void context_hold_stop(const struct context *c);
void context_heed_stop(const struct context *c);

/* The name by which people know the instance of the volume now: libvirt's, if it can be asked and knows one,
 * for its domain may have been renamed since the tags were made; for sentences alone. Returns `field`. */
const char *context_name(const struct context *c, const struct volume *v, char field[DOMAIN_NAME_MAX]);

/* For an operation that needs libvirt. -ECONNREFUSED: the context has none. */
int context_check_virt(const struct context *c, struct error *e) _must_check_;

/* Writes the image to these devices, tells the reporter how far it is, and heeds context_stopped().
 * `done_bytes` of the `total_bytes` of the operation are written already. Without a device the image is only
 * read, and compared with its checksum. */
int context_import(const struct context *c, struct image *image, const struct image_target *targets, size_t n,
                   uint64_t done_bytes, uint64_t total_bytes, struct error *e) _must_check_;
