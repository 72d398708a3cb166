/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, as a number for programs and one sentence for a person.
 *
 *     return error_set(e, -ENOENT, "volume group %s: cannot create a volume: there is no such group; "
 *                                  "see vgs, or set images_volume_group", vg);
 *
 * A sentence names the object, the action, the reason and the way out. It is set once, where all of that is
 * known; the first one stays, whatever fails later while things are being undone.
 * Functions return 0 or a negative errno; exit_code() maps it to the exit status documented in mayfly(1).
 */
#pragma once

#include "base/macro.h"

#include <errno.h>

/* Linux has no errno for these two; the names below are used for nothing else in Mayfly. */
#define EUNSAFE       EBADE   /* refused: it might destroy what is not ours */
#define ENEEDSRECOVER EUCLEAN /* something was left half done; `mayfly recover` finishes it */

enum exit_code {
#define EXIT_CODE(name, value, meaning) EXIT_##name = value,
#include "base/exit-codes.def"
#undef EXIT_CODE
};

struct error {
    int errnum;     /* negative errno; 0: nothing went wrong */
    char text[600]; /* one sentence, no newline */
};

#define ERROR_NONE ((struct error){0})

/* Notes the first error in `e` (may be NULL) and returns `errnum`, so that it can end a function.
 * `errnum` may be given as -ENOENT or ENOENT. */
int error_set(struct error *e, int errnum, const char *format, ...) _printf_(3, 4);

/* Puts words before the sentence that `e` already holds: "instance ci-1: " + text. */
void error_prefix(struct error *e, const char *format, ...) _printf_(2, 3);

/* Adds words behind it. */
void error_append(struct error *e, const char *format, ...) _printf_(2, 3);

/* Running out of memory, said the same way everywhere. Returns -ENOMEM. */
int error_memory(struct error *e);

/* The exit status for a negative errno (or 0). */
enum exit_code exit_code(int errnum);

/* The meaning of an exit status, one phrase, as in the manual. */
const char *exit_code_meaning(enum exit_code code);
