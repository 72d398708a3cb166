/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/config: which files are read, in which order, and whether they can be trusted. */
#pragma once

#include "config/parse.h"

#define FILES_ABSENT 1 /* the file or folder does not exist */

/* Reads FOLDER/mayfly.conf, then FOLDER/mayfly.conf.d/. May return FILES_ABSENT. */
int files_add_folder(struct config_reading *reading, const char *folder, enum config_trust trust,
                     struct error *e) _must_check_;

/* Reads the one file that the caller named. -ENOENT: it does not exist. */
int files_add_named(struct config_reading *reading, const char *path, enum config_trust trust,
                    struct error *e) _must_check_;
