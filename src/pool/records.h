/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool's folder says of one instance: a line of its file `tags` for each disk, and the disks' files.
 *
 *     made      line (building), then the file, whole at once
 *     removed   the file, then its line; with the last one the folder
 *
 * Each step is on the disk before the next. So a power cut leaves at most a line without a file, of a disk
 * that is building or doomed, which is removed like any other. A file without a line is none of ours.
 */
#pragma once

#include "storage/tags.h"
#include "storage/volume.h"

#define FILE_NAME_MAX LV_NAME_MAX

struct record {
    struct volume v;          /* where nothing is wrong with it */
    char text[TAGS_TEXT_MAX]; /* the line */
    bool has_file;
    struct error wrong; /* errnum 0: nothing */
};

struct records {
    char instance[UUID_TEXT];
    struct record *r;
    size_t n;
    char (*strays)[FILE_NAME_MAX]; /* files that could be disks, and have no line */
    size_t n_strays;
};
void records_free(struct records *r);
#define _cleanup_records_ _cleanup_(records_free)

/* Reads those of the instance; none where there is no folder of it. `group` is the pool's name. */
int records_read(int pool_fd, const char *group, const char *instance, struct records *ret,
                 struct error *e) _must_check_;

/* NULL: there is none. */
struct record *records_find(const struct records *r, const char *lv);

/* Room for one more, at the end; NULL: out of memory. */
struct record *records_add(struct records *r);
void records_drop(struct records *r, struct record *one);

/* Puts these in place of what is in the instance's folder, which is made where it is missing, or removed
 * where there are none. On the disk when this returns. */
int records_write(int pool_fd, const struct records *r, struct error *e) _must_check_;

/* The name of a disk's file in the folder of its instance. */
const char *record_file(const struct volume *v);

/* The folder of an instance; -ENOENT. */
int records_folder(int pool_fd, const char *instance, int *ret_fd) _must_check_;
