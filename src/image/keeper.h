/* SPDX-License-Identifier: Apache-2.0 */
/* A process that makes a file where root may write. Root forks it before it becomes another user, the writer.
 * The file belongs to the writer until it is named, then to root. The process ends when we end, in whatever
 * way, and a file without a name is gone then.
 *
 *     image_keeper_start(writer, &keeper, e);      as root
 *     ... root is given up ...
 *     image_file_new_by(keeper, "/root/vm.qcow2", &file, e);
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

struct image_keeper;

/* Starts the process. `writer`: the user that the caller is going to be. */
int image_keeper_start(uid_t writer, struct image_keeper **ret, struct error *e) _must_check_;
struct image_keeper *image_keeper_end(struct image_keeper *k);
DEFINE_CLEANUP(struct image_keeper *, image_keeper_end)
#define _cleanup_image_keeper_ _cleanup_(image_keeper_endp)

/* Has the process do a task; for file.c alone. `path` and `ret_fd` are for KEEPER_NEW, else NULL. */
enum keeper_task { KEEPER_NEW, KEEPER_LINK, KEEPER_UNLINK };
int image_keeper_ask(struct image_keeper *k, enum keeper_task task, const char *path, int *ret_fd,
                     struct error *e) _must_check_;
