/* SPDX-License-Identifier: Apache-2.0 */
/* The context of every operation on instances. All of it stands behind interfaces, so that tests can run any
 * operation over doubles. None of it is global. */
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
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* bytes of images */
    void (*count)(void *context, unsigned done, unsigned total);                /* measurements */
    void (*warning)(void *context, const char *text);
    void *data;
};

struct context {
    const struct config *config;
    struct broker *broker;
    struct virt *virt;

    /* Opens key managers by name: keymgr_open, or the double's. Operations use context_keymgr(), which opens
     * each manager once. */
    int (*open_keymgr)(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                       struct error *e);
    struct key_context *who;       /* on whose behalf managers are asked */
    struct key_managers *managers; /* open managers; the owner of the context closes them */

    /* Writes the image to disks: image_import, or the double's. */
    int (*import)(struct image *i, const struct image_target *targets, size_t n,
                  const struct image_progress *progress, struct error *e);

    /* Writes a disk to an image: image_export, or the double's. */
    int (*export)(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                  const struct image_progress *progress, struct error *e);

    /* Writes a disk byte for byte to the caller's descriptor: image_stream, or the double's. */
    int (*stream)(const struct opened *disk, int output_fd, const char *name,
                  const struct image_progress *progress, struct error *e);

    /* Write a seed to the start of a disk, and read it back: seed_write and seed_read, or the doubles'. */
    int (*write_seed)(const struct opened *disk, const struct secret *seed, struct error *e);
    int (*read_seed)(const struct opened *disk, struct secret **ret, struct error *e);

    /* Look what can be measured on this host, and measure: bench_look and bench_measure, or the doubles'. */
    int (*bench_look)(char ret_why_not[BENCH_PAIRS][BENCH_WHY_MAX], struct error *e);
    int (*bench_measure)(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e);

    /* The folder whose "sys" is the kernel's /sys: "", except in tests. */
    const char *root;

    const struct reporter *reporter;

    /* How long to wait for an instance that another mayfly has locked. Most verbs hold a lock for a moment.
     */
    unsigned lock_wait_msec;

    /* How long a holder without a name, such as udev, may take to let go of a device. */
    unsigned holder_wait_msec;

    bool (*stopped)(void); /* true if the user has asked to stop (SIGINT, SIGTERM); NULL: nobody can */

    /* Makes `stopped` say no while this is on: from a point of no return to the end of an operation. May be
     * NULL. */
    void (*hold_stop)(bool on);
};

/* True if the user has asked to stop. Called between steps and in every wait. Now and then it also tells the
 * broker that we are at work. */
bool context_stopped(const struct context *c);

/* Why a part of the context is missing; errnum 0: it is there. Only mayfly doctor works without some part. */
struct lacks {
    struct error config; /* after it the other parts are not tried, and the configuration has its defaults */
    struct error who;    /* the caller's credentials */
    struct error broker; /* context.broker is NULL */
    struct error virt;   /* context.virt is NULL */
};

void report_step(const struct context *c, const char *format, ...) _printf_(2, 3);
void report_warning(const struct context *c, const char *format, ...) _printf_(2, 3);

/* Marks a point of no return: the list of steps is run to its end, even if the user asks to stop. steps_run()
 * ends this state. */
void context_hold_stop(const struct context *c);
void context_heed_stop(const struct context *c);

/* Writes the current name of the volume's instance to `field`, and returns it; for sentences only. The name
 * is libvirt's, if it can be asked and knows the domain: a domain may have been renamed. */
const char *context_name(const struct context *c, const struct volume *v, char field[DOMAIN_NAME_MAX]);

/* Checks that the context has libvirt. -ECONNREFUSED: it has not. */
int context_check_virt(const struct context *c, struct error *e) _must_check_;

/* Writes the image to the targets, tells the reporter how far it is, and heeds context_stopped().
 * `done_bytes` of the operation's `total_bytes` are written already. Without a target the image is only read,
 * and compared with its checksum. */
int context_import(const struct context *c, struct image *image, const struct image_target *targets, size_t n,
                   uint64_t done_bytes, uint64_t total_bytes, struct error *e) _must_check_;
