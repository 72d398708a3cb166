/* SPDX-License-Identifier: Apache-2.0 */
/* The first error, kept whole, and its way to an exit status. See error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, int errnum, const char *format, ...)
{
    if (errnum > 0)
        errnum = -errnum;
    if (e && !e->errnum) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(e->text, sizeof e->text, format, ap);
        va_end(ap);
        e->errnum = errnum;
    }
    return errnum;
}

void error_prefix(struct error *e, const char *format, ...)
{
    if (!e || !e->errnum)
        return;

    char prefix[sizeof e->text], rest[sizeof e->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(prefix, sizeof prefix, format, ap);
    va_end(ap);
    memcpy(rest, e->text, sizeof rest);
    snprintf(e->text, sizeof e->text, "%.200s%.399s", prefix, rest);
}

void error_append(struct error *e, const char *format, ...)
{
    if (!e || !e->errnum)
        return;

    size_t used = strlen(e->text);
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->text + used, sizeof e->text - used, format, ap);
    va_end(ap);
}

int error_memory(struct error *e)
{
    return error_set(e, -ENOMEM, "out of memory");
}

enum exit_code exit_code(int errnum)
{
    switch (errnum < 0 ? -errnum : errnum) {
    case 0:
        return EXIT_OK;
    case EINVAL:
        return EXIT_USAGE;
    case EACCES:
    case EPERM:
    case EKEYREJECTED:
        return EXIT_DENIED;
    case ENOMEM:
        return EXIT_MEMORY;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return EXIT_MISSING;
    case EEXIST:
    case EBUSY:
        return EXIT_BUSY;
    case EHOSTUNREACH:
        return EXIT_UNREACHABLE;
    case ENOKEY:
        return EXIT_KEY_GONE;
    case EUNSAFE:
        return EXIT_UNSAFE;
    case ENEEDSRECOVER:
        return EXIT_NEEDS_RECOVER;
    default:
        return EXIT_FAILED;
    }
}

const char *exit_code_meaning(enum exit_code code)
{
    switch (code) {
#define EXIT_CODE(name, value, meaning)                                                                      \
    case EXIT_##name:                                                                                        \
        return meaning;
#include "base/exit-codes.def"
#undef EXIT_CODE
    }
    return "unknown";
}
