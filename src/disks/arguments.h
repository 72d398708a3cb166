/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of mayfly-disks: descriptors, and how to serve the disks behind them. There are no names of
 * files, since the program opens none.
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
    int ready_fd; /* gets a byte once the disks are served, and is closed; -1: none */
};

/* Reads the arguments. -EINVAL: one is unknown, invalid or missing. */
int arguments_read(int argc, char *argv[], struct arguments *ret, struct error *e) _must_check_;
