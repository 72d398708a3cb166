/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a keeper of mayfly-disks, in a file beside its socket. The mayfly that starts the keeper
 * writes all but `connections`, which the keeper writes. Before it ends by itself, the keeper reads the rest
 * again.
 *
 * The keeper has the file locked (fcntl(2), F_SETLK) for as long as it lives, and the kernel tells which
 * process that is. So a file without a lock is left over, and no number in a file can come to mean another
 * process.
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
    uint64_t until_msec; /* end (clock_msec()) of its wait for a first front end; or STATE_FOREVER */
    uint32_t gone_msec;  /* how long it stays after the last front end */
    uint32_t read_only;
    uint32_t connections; /* number of front ends now */
    uint32_t reserved;
};

/* Writes all but `connections`, or reads all. These functions return 0 or a negative errno. */
int state_write(int fd, const struct state *s);
int state_read(int fd, struct state *ret);

/* Locks the file for the keeper, and sets the number of front ends. -EAGAIN: another keeper has the lock. */
int state_take(int fd);
int state_set_connections(int fd, uint32_t connections);

/* Finds the process that has locked the file; 0: none. */
int state_holder(int fd, pid_t *ret);
