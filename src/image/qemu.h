/* SPDX-License-Identifier: Apache-2.0 */
/* One of QEMU's programs over one image, in a sandbox: qemu-img to check or make it, qemu-nbd to serve it;
 * qemu-storage-daemon to be measured.
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

/* The file of an image. The caller keeps all that it names. */
struct qemu_file {
    int fd;
    enum image_format format;
    bool device;  /* the file is a block device */
    bool writes;  /* the file is ours and new, and is written to */
    bool exports; /* the same, for qemu-storage-daemon with io_uring; a scratch volume */
    bool lent;    /* the file is lent (lend.h), since this user may not open it; it is opened with O_DIRECT */
    const struct secret *key; /* key of a LUKS image, else NULL */
};

/* What the program sees: the descriptor of the image, the key through a pipe, and nothing else. */
struct qemu_view {
    struct qemu_file file;
    struct sandbox *sandbox;
    const char *key_option;           /* an argument before the image; "--" (nothing) if there is no key */
    char options[QEMU_OPTIONS_BYTES]; /* the argument that names the image */
    char preload[PATH_MAX];           /* "LD_PRELOAD=", and the path of inflate.so if that is there */
};
extern const char qemu_file_name[]; /* the image as a file name, for qemu-img create */

int qemu_view_make(const struct qemu_file *f, struct qemu_view *ret, struct error *e) _must_check_;
void qemu_view_release(struct qemu_view *v);

struct qemu {
    pid_t pid;    /* -1: the program has ended, or never began */
    int words;    /* a pipe with its output and its errors; -1: none */
    int listener; /* for lend_answer(); -1: nothing is lent */
    int lent;     /* the lent descriptor, owned by the caller */
};
#define QEMU_NONE ((struct qemu){.pid = -1, .words = -1, .listener = -1, .lent = -1})

/* Makes a listening socket for `program`. Its name is removed at once, so a crash leaves nothing, and only a
 * process that has *ret_name_fd can connect, by "/proc/self/fd/" and its number. */
int qemu_listen(const char *program, int backlog, int *ret_listening, int *ret_name_fd,
                struct error *e) _must_check_;

/* Starts a program. `listening_fd`: a socket to serve, handed over as systemd does; -1: none. The caller
 * keeps it. */
int qemu_start(const struct qemu_view *v, const char *const argv[], int listening_fd, struct qemu *ret,
               struct error *e) _must_check_;

/* Makes a new image in the file of `v`, by qemu-img create. `what` is for sentences. */
int qemu_create(const struct qemu_view *v, const char *format, const char *options, const char *what,
                uint64_t size_bytes, struct error *e) _must_check_;

/* Waits for the end of the program. Returns its wait status; -ETIMEDOUT: it did not end, and was killed. */
int qemu_wait(struct qemu *q, unsigned deadline_msec) _must_check_;

/* Lends the descriptor if the program asks for it now. To be called by a caller that waits for the program
 * otherwise. */
void qemu_lend(const struct qemu *q);

/* Waits without a deadline, and lends. Once `stopped` (may be NULL) says true the program is killed:
 * -ECANCELED. */
int qemu_wait_for(struct qemu *q, bool (*stopped)(void *context), void *context) _must_check_;

/* Kills the program if it lives: what it has not written yet is lost. */
void qemu_end(struct qemu *q);

/* Says how the program has ended: "is not installed; see the package qemu-utils", "was killed by signal 9
 * (Killed)". */
const char *qemu_status_text(int status, char *field, size_t size);

/* Returns what the program said: the first line that begins with ERROR, or the last line; "" if it was
 * silent. Fit for a sentence, without its name and the options that it quotes. The text is within `field`. */
const char *qemu_first_error(struct qemu *q, char *field, size_t size);
const char *qemu_last_words(struct qemu *q, char *field, size_t size);
