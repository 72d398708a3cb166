/* SPDX-License-Identifier: Apache-2.0 */
/* A program of QEMU's over one image, in a sandbox: qemu-img to check or make it, qemu-nbd to serve it.
 *
 *     qemu_view_make(&(struct qemu_file){.fd = fd, .format = IMAGE_QCOW2}, &view, e);
 *     const char *argv[] = {"qemu-img", "check", "-q", view.key_option, view.options, NULL};
 *     qemu_start(&view, argv, -1, &program, e);
 *     status = qemu_wait(&program, 60000);
 */
#pragma once

#include "image/format.h"
#include "image/sandbox.h"
#include "secret/secret.h"

#include <limits.h>
#include <sys/types.h>

#define QEMU_OPTIONS_BYTES 320

/* All of it stays the caller's. */
struct qemu_file {
    int fd;
    enum image_format format;
    bool device;              /* a block device */
    bool writes;              /* it is ours, and new */
    bool lent;                /* its user may not open it: see lend.h; it has to be asked for with O_DIRECT */
    const struct secret *key; /* of a LUKS image, else NULL */
};

/* What such a program gets to see: the descriptor that was judged, the key through a pipe, and nothing else.
 */
struct qemu_view {
    struct qemu_file file;
    struct sandbox *sandbox;
    const char *key_option; /* goes before the name; "--", which says nothing, where there is none */
    char options[QEMU_OPTIONS_BYTES]; /* the name of the image in its argv */
    char preload[PATH_MAX]; /* "LD_PRELOAD=", and the library that inflates faster if there is one */
};
extern const char qemu_file_name[]; /* the same file for qemu-img create */

int qemu_view_make(const struct qemu_file *f, struct qemu_view *ret, struct error *e) _must_check_;
void qemu_view_release(struct qemu_view *v);

struct qemu {
    pid_t pid;    /* -1: it has ended, or never began */
    int words;    /* a pipe with what it says on both outputs; -1: none */
    int listener; /* of what is lent, for lend_answer(); -1: none */
    int lent;     /* the descriptor that is; the caller's */
};
#define QEMU_NONE ((struct qemu){.pid = -1, .words = -1, .listener = -1, .lent = -1})

/* `listening_fd`: a socket to serve, handed over as systemd does it; -1: none. It stays the caller's. */
int qemu_start(const struct qemu_view *v, const char *const argv[], int listening_fd, struct qemu *ret,
               struct error *e) _must_check_;

/* qemu-img create: a new image in the file of `v`, which is ours. `what` is for sentences. */
int qemu_create(const struct qemu_view *v, const char *format, const char *options, const char *what,
                uint64_t size_bytes, struct error *e) _must_check_;

/* Its wait status, or -ETIMEDOUT, after which it is dead. */
int qemu_wait(struct qemu *q, unsigned deadline_msec) _must_check_;

/* Gives it what is lent if it is asking for it just now; to be called wherever one waits for it otherwise. */
void qemu_lend(const struct qemu *q);

/* The same without a deadline; lends too. It is killed once `stopped` (may be NULL) says so: -ECANCELED. */
int qemu_wait_for(struct qemu *q, bool (*stopped)(void *context), void *context) _must_check_;

/* Kills it at once, if it lives: what it has not written yet is lost. */
void qemu_end(struct qemu *q);

/* Once it has ended: "is not installed; see the package qemu-utils", "was killed by signal 9 (Killed)". */
const char *qemu_status_text(int status, char *field, size_t size);

/* From what it said: the first line that it calls an error, or the very last line; empty if it was silent.
 * Fit for a sentence, without its name or the options that it quotes. Returns a place within `field`. */
const char *qemu_first_error(struct qemu *q, char *field, size_t size);
const char *qemu_last_words(struct qemu *q, char *field, size_t size);
