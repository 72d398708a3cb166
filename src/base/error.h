/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, as a number for programs and one sentence for a person.
 *
 *     return error_set(e, -ENOENT, "volume group %s: cannot create a volume: there is no such group; "
 *                                  "see vgs, or set images_volume_group", vg);
 *
 * A sentence names the object, the action, the reason and the way out. It is set once, where all of that is
 * known. The first sentence stays, even if something fails later while things are undone. Functions return 0
 * or a negative errno; exit_code() maps it to the exit status documented in mayfly(1).
 */
#pragma once

#include "base/macro.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* Linux has no errno for these two. Mayfly uses the numbers below for nothing else. */
#define EUNSAFE       EBADE   /* refused: it might destroy what is not ours */
#define ENEEDSRECOVER EUCLEAN /* something was left half done; `mayfly recover` finishes it */

enum exit_code {
#define EXIT_CODE(name, value, meaning) EXIT_##name = value,
#include "base/exit-codes.def"
#undef EXIT_CODE
};

/* Where the parts of a sentence begin and end, for programs. The format of the sentence has the form
 *
 *     OBJECT: cannot ACTION: REASON; WAY OUT
 *
 * The object ends at the first ": " of the format. The action follows, up to the next ": ", if it begins with
 * "cannot", "is not", "refused" or "left alone". The way out begins behind the last "; ". The rest is the
 * reason. Only the format is searched, not the arguments, so a name with a colon in it misleads nobody.
 * Numbers of bytes; 0: there is no such part. */
struct error_parts {
    uint16_t object_end;
    uint16_t action_end;
    uint16_t way_out; /* where it begins */
};

struct error {
    int errnum; /* negative errno; 0: nothing went wrong */
    struct error_parts parts;
    char text[600]; /* one sentence, no newline */
};

#define ERROR_NONE ((struct error){0})

/* Notes the first error in `e` (may be NULL) and returns `errnum`, so that it can end a function.
 * `errnum` may be given as -ENOENT or ENOENT. */
int error_set(struct error *e, int errnum, const char *format, ...) _printf_(3, 4);

/* As error_set(), with the whole sentence of another error and its parts. */
int error_pass(struct error *e, int errnum, const struct error *why);

/* As error_set(), with an error that came from another process. Its parts are checked; `text` is
 * terminated. */
int error_receive(struct error *e, int errnum, const char *text, const struct error_parts *parts);

/* Passes on the first error of an array of structs that each have a member `error`; 0 if there is none. */
#define error_first(e, array, n) error_first_at(e, (n) ? &(array)->error : NULL, sizeof *(array), n)
int error_first_at(struct error *e, const struct error *first, size_t stride_bytes, size_t n);

/* Puts words before the sentence that `e` holds, as in "instance ci-1: " + text. They become its object. */
void error_prefix(struct error *e, const char *format, ...) _printf_(2, 3);

/* Adds words behind the sentence. What follows the last "; " of the format becomes its way out. */
void error_append(struct error *e, const char *format, ...) _printf_(2, 3);

enum error_part { ERROR_OBJECT, ERROR_ACTION, ERROR_REASON, ERROR_WAY_OUT };

/* Returns this part of the sentence, not terminated; NULL if it has none. */
const char *error_part(const struct error *e, enum error_part part, size_t *ret_size);

/* Sets the one sentence for running out of memory. Returns -ENOMEM. */
int error_memory(struct error *e);

/* Returns the exit status for a negative errno (or 0). */
enum exit_code exit_code(int errnum);

/* Return the meaning of an exit status, a phrase, as in the manual; and its name, a word, for programs. */
const char *exit_code_meaning(enum exit_code code);
const char *exit_code_name(enum exit_code code);
