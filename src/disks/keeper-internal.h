/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind keeper.h share. */
#pragma once

#include "disks/connection.h"
#include "disks/keeper.h"

struct keeper {
    struct disk *disks;
    unsigned n;
    struct secret **keys;               /* one for each disk, or NULL */
    struct secret_handover **handovers; /* handovers of keys that the worker has not taken yet */
    struct tenure *tenure;
    int ready; /* gets a byte when the first worker serves; -1: none */
    int signals;
    bool is_ending;
    unsigned kills; /* of a worker that did not end as it was told to */

    struct connection *connections; /* one for each disk */

    pid_t worker;
    int mark;  /* pipe from the worker; it ends when no transfer is under way any more */
    int notes; /* our end of note_pair(); -1: the worker has closed its own */
    uint64_t started_msec, pause_msec;
    bool has_served; /* some worker has served */
};

/* Signals the worker. If there is none, the next one looks at the disks when it begins. */
void keeper_signal(const struct keeper *k, int signal);

/* keeper-notes.c: accepts a front end of a disk, if one has come. */
void keeper_accept(struct keeper *k, unsigned disk);

/* keeper-notes.c: forgets the front end of a disk. */
void keeper_end_connection(struct keeper *k, unsigned disk);

/* keeper-notes.c: takes one note of the worker. Returns its kind (enum note_kind); 0: there is none. */
uint32_t keeper_take_note(struct keeper *k);
