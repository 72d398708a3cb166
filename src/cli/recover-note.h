/* SPDX-License-Identifier: Apache-2.0 */
/* The time and result of the last recover: one line in /run/mayfly/last-recover, for mayfly metrics only. A
 * host that has just booted has none. */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct recover_note {
    uint64_t at_sec; /* since 1970 */
    unsigned status; /* exit status */
    unsigned n_remaining;
};

/* Opens the file of the note, before root is given up. Returns -1 if this caller may not write the note. */
int recover_note_open(void);

/* Writes the note, and closes `fd`. */
void recover_note_write(int fd, const struct recover_note *note);

/* Reads the note. -ENOENT: there is no note. -EINVAL: it cannot be read. */
int recover_note_read(struct recover_note *ret) _must_check_;
