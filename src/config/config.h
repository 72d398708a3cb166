/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: /etc/mayfly/mayfly.conf, then /etc/mayfly/mayfly.conf.d/ (each file that ends with
 * .conf) in the order of their names, or one file that the caller names. options.def lists the options.
 *
 * A file that is called nova.conf may have all of Nova's options; Mayfly picks out its own. In any other
 * file, and in the group [ephemeral_storage_encryption] of every file, an unknown name is an error, and so is
 * a name that is given twice.
 *
 * Both mayfly and mayfly-broker read it. The broker trusts only files that root owns and no one else can
 * write (CONFIG_ROOT_OWNED). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define VG_NAME_MAX     64 /* LVM takes 127 for the names of group and volume together, as a map does */
#define CONFIG_TEXT_MAX 256
#define CONFIG_LIST_MAX 16

struct config_list {
    size_t n;
    char item[CONFIG_LIST_MAX][CONFIG_TEXT_MAX];
};

/* Fields by kind: BOOL bool, UINT uint32_t, SIZE uint64_t, WORD and TEXT char[], LIST struct config_list. */
struct config {
#define FIELD_BOOL(f)                                             bool f
#define FIELD_UINT(f)                                             uint32_t f
#define FIELD_SIZE(f)                                             uint64_t f
#define FIELD_WORD(f)                                             char f[CONFIG_TEXT_MAX]
#define FIELD_TEXT(f)                                             char f[CONFIG_TEXT_MAX]
#define FIELD_LIST(f)                                             struct config_list f
#define OPTION(group, name, kind, field, fallback, allowed, text) FIELD_##kind(field);
#include "config/options.def"
#undef OPTION
#undef FIELD_BOOL
#undef FIELD_UINT
#undef FIELD_SIZE
#undef FIELD_WORD
#undef FIELD_TEXT
#undef FIELD_LIST
};

enum config_trust { CONFIG_ANY_OWNER, CONFIG_ROOT_OWNED };

/* Reads and checks the configuration. `path` NULL: the installed files, which may be missing; a named file
 * must exist. -EINVAL, with file and line: an unknown group or option, a value of the wrong form, a wrong
 * cipher or key size. -EPERM: the file is not trusted (CONFIG_ROOT_OWNED). */
int config_load(const char *path, enum config_trust trust, struct config *ret, struct error *e) _must_check_;

/* Does the same for `folder`/mayfly.conf, then `folder`/mayfly.conf.d/. */
int config_load_folder(const char *folder, enum config_trust trust, struct config *ret,
                       struct error *e) _must_check_;

/* Does the same for the text of one file named `file`. */
int config_parse(const char *file, const char *text, size_t size, struct config *ret,
                 struct error *e) _must_check_;

/* An option to look up in another program's file, such as nova.conf. */
struct config_query {
    const char *group, *name;
    bool given; /* set by the look-up, with `value`; the last of several in the file counts */
    char value[CONFIG_TEXT_MAX]; /* cut at this size */
};

/* Looks up these options in the text of a file. -EINVAL: the file has another form. */
int config_look_up(const char *file, const char *text, size_t size, struct config_query query[], size_t n,
                   struct error *e) _must_check_;

/* Lists the names of the files that config_load() reads, separated by ", ", for people; "": none. The caller
 * frees *ret. */
int config_files(const char *path, char **ret, struct error *e) _must_check_;

/* Fills in the defaults of options.def. */
void config_defaults(struct config *ret);

/* True if a struct from another process is well-formed: strings have their NUL, bools are 0 or 1. */
bool config_is_whole(const struct config *c);

/* True if LVM could have a volume group of this name: at most VG_NAME_MAX - 1 letters, digits and + _ . - */
bool config_vg_name_valid(const char *vg);

/* True if `vg` is among images_volume_group. */
bool config_has_volume_group(const struct config *c, const char *vg);

/* Prints the sample file: every option with its description, commented out with its default; `enabled` is set
 * to true. */
void config_print_sample(FILE *out);

/* Prints the options as a part of mayfly.conf(5), in scdoc(5). */
void config_print_manual(FILE *out);
