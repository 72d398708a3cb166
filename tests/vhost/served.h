/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that mayfly-disks serves, in a process of its own, for tests: keeper and worker as they are. */
#pragma once

#include "disks/disk.h"

struct served {
    char folder[64]; /* of its socket, and of its file unless another was named */
    struct disk disk;
    struct secret *key; /* the test's own copy */
    int fd;             /* of the file, without O_DIRECT */
    pid_t keeper;
};

struct served_options {
    const char *folder; /* for the file; NULL: the system's temporary one */
    uint64_t size_bytes;
    uint32_t sector_bytes;
    unsigned queues;
    unsigned poll_usec;
    bool plain, read_only, discard;
};

/* cipher_begin() has been called. */
void served_start(struct served *s, const struct served_options *o);

/* A connection to it. */
int served_connect(const struct served *s);

/* The process of the worker. 0: there is none at the moment. */
pid_t served_worker(const struct served *s);

/* Ends it by SIGTERM and returns its wait status. */
int served_stop(struct served *s);

/* What lies in the file, deciphered by OpenSSL. */
void served_read(const struct served *s, uint64_t offset_bytes, uint8_t *plain, size_t bytes);
