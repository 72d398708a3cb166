/* SPDX-License-Identifier: Apache-2.0 */
/* A process that makes a file where its user may, for us who may not any more: root forks it before giving up
 * root. The file without a name is the writer's to write to, and root's once it is named. The process ends
 * with us, whatever becomes of us, and what has no name then is gone.
 *
 *     image_keeper_start(writer, &keeper, e);      as root
 *     ... root is given up ...
 *     image_file_new_by(keeper, "/root/vm.qcow2", &file, e);
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

struct image_keeper;

/* `writer`: the user that we become. */
int image_keeper_start(uid_t writer, struct image_keeper **ret, struct error *e) _must_check_;
struct image_keeper *image_keeper_end(struct image_keeper *k);
DEFINE_CLEANUP(struct image_keeper *, image_keeper_end)
#define _cleanup_image_keeper_ _cleanup_(image_keeper_endp)

/* For file.c alone: of the one file that it makes. `path` and `ret_fd`: of a new one; else NULL. */
enum keeper_task { KEEPER_NEW, KEEPER_LINK, KEEPER_UNLINK };
int image_keeper_ask(struct image_keeper *k, enum keeper_task task, const char *path, int *ret_fd,
                     struct error *e) _must_check_;
