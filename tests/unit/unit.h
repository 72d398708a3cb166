/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers it wants, and what several tests need. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The error's text is shown when the call did not return what it should. */
#define assert_error(call, wanted, err)                                                                      \
    do {                                                                                                     \
        int got_ = (call);                                                                                   \
        if (got_ != (wanted))                                                                                \
            fail_msg("%s: returned %d, not %d: %s", #call, got_, (wanted), (err).text);                      \
    } while (0)
#define assert_ok(call, err) assert_error(call, 0, err)

/* The same for calls that are given an error of their own, &e; a refusal says something, with these words in
 * it. */
#define OK(call)                                                                                             \
    do {                                                                                                     \
        struct error e = ERROR_NONE;                                                                         \
        assert_ok(call, e);                                                                                  \
    } while (0)
#define REFUSED_WITH(wanted, words, call)                                                                    \
    do {                                                                                                     \
        struct error e = ERROR_NONE;                                                                         \
        assert_error(call, wanted, e);                                                                       \
        if (!e.text[0] || !strstr(e.text, words))                                                            \
            fail_msg("not \"%s\", but: %s", words, e.text);                                                  \
    } while (0)
