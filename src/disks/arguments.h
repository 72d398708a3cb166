/* SPDX-License-Identifier: Apache-2.0 */
/* What mayfly-disks is started with: descriptors, and how the disks behind them are to be served. No name of
 * a file: the program opens none.
 *
 *     mayfly-disks [-v] [--poll-usec=N] [--state=FD] [--opener=FD] [--ready=FD]
 *                  --disk=id=ID,file=FD,listen=FD[,key=FD,key-bits=N]
 *                  [,sector-size=N][,queues=N][,read-only][,discard] ...
 */
#pragma once

#include "disks/disk.h"
#include "disks/tenure.h"

struct arguments {
    struct disk disk[DISKS_MAX];
    unsigned n;
    bool verbose;
    struct tenure tenure;
    int ready_fd; /* a byte goes there when the disks are served, and it is closed; -1: nobody waits for that
                   */
};

/* -EINVAL: an argument that is not understood, or is missing. */
int arguments_read(int argc, char *argv[], struct arguments *ret, struct error *e) _must_check_;
