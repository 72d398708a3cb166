/* SPDX-License-Identifier: Apache-2.0 */
/* The records of an instance in a pool: its file `tags` with a line for each disk, and the files of the
 * disks.
 *
 *     a disk is made       its line (building), then the whole file
 *     a disk is removed    its file, then its line; with the last line the folder
 *
 * Each step is durable before the next. So a power cut leaves at most a line without a file, of a disk that
 * is building or doomed, which is removed as any other. A file without a line is not a disk of Mayfly.
 */
#pragma once

#include "storage/tags.h"
#include "storage/volume.h"

#define FILE_NAME_MAX LV_NAME_MAX

struct record {
    struct volume v;          /* valid if nothing is wrong */
    char text[TAGS_TEXT_MAX]; /* the line */
    bool has_file;
    struct error wrong; /* what is wrong with the line or the file; errnum 0: nothing */
};

struct records {
    char instance[UUID_TEXT];
    struct record *r;
    size_t n;
    char (*strays)[FILE_NAME_MAX]; /* files that could be disks, but have no line */
    size_t n_strays;
};
void records_free(struct records *r);
#define _cleanup_records_ _cleanup_(records_free)

/* Reads the records of an instance; without a folder it has none. `group` is the name of the pool. */
int records_read(int pool_fd, const char *group, const char *instance, struct records *ret,
                 struct error *e) _must_check_;

/* Finds the record of a disk if nothing is wrong with it; NULL: there is no such record. */
struct record *records_find(const struct records *r, const char *lv);

/* Adds an empty record at the end; NULL: out of memory. */
struct record *records_add(struct records *r);
void records_drop(struct records *r, struct record *one);

/* Replaces the records of the instance, durably. Makes its folder if that is missing, and removes the folder
 * with the last record. */
int records_write(int pool_fd, const struct records *r, struct error *e) _must_check_;

/* True if the instance has a folder without tags or disks. A power cut leaves that, before the first of them
 * are made and after the last are removed. */
bool records_none(int pool_fd, const char *instance);

/* Returns the name of the file of a disk, in the folder of its instance. */
const char *record_file(const struct volume *v);

/* Opens the folder of an instance; -ENOENT: it has none. */
int records_folder(int pool_fd, const char *instance, int *ret_fd) _must_check_;
