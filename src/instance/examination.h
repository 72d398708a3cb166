/* SPDX-License-Identifier: Apache-2.0 */
/* What one run of doctor has found so far; private to doctor*.c. */
#pragma once

#include "instance/model.h"
#include "instance/operations.h"
#include "storage/active.h"

struct examination {
    const struct context *context;
    const struct lacks *lacks;
    const struct doctor_paths *paths;
    struct active_list active; /* looked at before LVM is asked */
    struct model *model;       /* each part is asked for once; inventory NULL: the broker could not say */
    struct error no_domains;   /* why libvirt could not say; errnum 0: it did */
    char owner[UUID_TEXT];     /* of the keys that are tried: nobody's */
    bool locked;               /* the broker holds its lock, so that recover leaves them alone */

    struct finding *findings;
    size_t n;
    bool out_of_memory;
};

/* Each adds a finding. `why` is a sentence, or "" where there is but the errno. */
void examination_ok(struct examination *x, const char *what, const char *format, ...) _printf_(3, 4);
void examination_warn(struct examination *x, const char *what, const char *format, ...) _printf_(3, 4);
void examination_fail(struct examination *x, const char *what, int errnum, const char *why);

/* A small file of the host, below paths->root. NULL: it cannot be read. The caller frees it. */
char *examination_read(const struct examination *x, const char *path);
