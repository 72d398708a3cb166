/* SPDX-License-Identifier: Apache-2.0 */
/* What a keeper of mayfly-disks is there for, in a file beside its socket. Whoever starts it writes all but
 * `connections`, which is the keeper's own; the keeper reads the rest again whenever it thinks of ending.
 *
 * The file alone says nothing: the keeper has it locked (fcntl(2), F_SETLK) for as long as it lives, and the
 * kernel tells which process that is. So a file that was left is known as such, and no number in it can come
 * to mean another process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_MAGIC    "mayfly-disks 1\n"
#define STATE_FOREVER  UINT64_MAX
#define STATE_MAP_TEXT 64

struct state {
    char magic[16];
    char map[STATE_MAP_TEXT]; /* the uuid of the disk's map: storage/map.h */
    uint64_t size_bytes;
    uint64_t until_msec; /* clock_msec(): it waits so long for a first front end; STATE_FOREVER: it never ends
                            by itself */
    uint32_t gone_msec;  /* it ends when no front end has been there for so long */
    uint32_t read_only;
    uint32_t connections; /* of front ends, now */
    uint32_t reserved;
};

/* All but `connections`. 0 or a negative errno. */
int state_write(int fd, const struct state *s);
int state_read(int fd, struct state *ret);

/* The keeper's. -EAGAIN: another keeper has it. */
int state_take(int fd);
int state_set_connections(int fd, uint32_t connections);

/* The process that has taken it; 0: none has. */
int state_holder(int fd, pid_t *ret);
