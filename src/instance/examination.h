/* SPDX-License-Identifier: Apache-2.0 */
/* The findings of one run of doctor; private to doctor*.c. */
#pragma once

#include "instance/model.h"
#include "instance/operations.h"
#include "storage/active.h"

struct examination {
    const struct context *context;
    const struct lacks *lacks;
    const struct doctor_paths *paths;
    struct active_list active; /* listed before LVM is asked */
    struct model *model;       /* each part is asked for once; inventory NULL: the broker failed */
    struct error no_domains;   /* why libvirt gave no domains; errnum 0: it did */
    char owner[UUID_TEXT];     /* owner of the trial keys: a uuid that no instance has */
    bool locked;               /* the owner is locked, so that recover leaves the trial keys alone */

    struct finding *findings;
    size_t n;
    bool out_of_memory;
};

/* Each adds a finding. `why` is a sentence; "": the errno says all. */
void examination_ok(struct examination *x, const char *what, const char *format, ...) _printf_(3, 4);
void examination_warn(struct examination *x, const char *what, const char *format, ...) _printf_(3, 4);
void examination_fail(struct examination *x, const char *what, int errnum, const char *why);

/* Reads a small file of the host, below paths->root. NULL: it cannot be read. The caller frees it. */
char *examination_read(const struct examination *x, const char *path);
