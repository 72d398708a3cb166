/* SPDX-License-Identifier: Apache-2.0 */
/* The first error, kept whole, and its way to an exit status. See error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Returns how long the first bytes of a format become. They end between two conversions. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static uint16_t length_of(const char *format, const char *end, va_list arguments)
{
    char head[sizeof((struct error *)0)->text];
    size_t size = (size_t)(end - format);
    if (size >= sizeof head)
        return sizeof head;
    memcpy(head, format, size);
    head[size] = '\0';

    va_list ap;
    va_copy(ap, arguments);
    int n = vsnprintf(NULL, 0, head, ap);
    va_end(ap);
    return n < 0 || (size_t)n >= sizeof head ? sizeof head : (uint16_t)n;
}
#pragma GCC diagnostic pop

static bool begins_action(const char *text)
{
    static const char *const actions[] = {"cannot ", "is not ", "refused:", "left alone:"};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (strncmp(text, actions[i], strlen(actions[i])) == 0)
            return true;
    return false;
}

static const char *last_of(const char *format, const char *separator)
{
    const char *last = NULL;
    for (const char *at = strstr(format, separator); at; at = strstr(at + 1, separator))
        last = at;
    return last;
}

static struct error_parts parts_of(const char *format, va_list ap)
{
    struct error_parts parts = {0};
    const char *way_out = last_of(format, "; ");
    const char *object = strstr(format, ": ");
    if (way_out)
        parts.way_out = (uint16_t)(length_of(format, way_out, ap) + strlen("; "));
    if (!object || (way_out && object > way_out))
        return parts;
    parts.object_end = length_of(format, object, ap);
    const char *rest = object + strlen(": ");
    const char *action = strstr(rest, ": ");
    if (action && (!way_out || action < way_out) && begins_action(rest))
        parts.action_end = length_of(format, action, ap);
    return parts;
}

/* Forgets parts that lie behind the end of a sentence that was cut. */
static void keep_whole_parts(struct error *e)
{
    size_t length = strnlen(e->text, sizeof e->text);
    struct error_parts *p = &e->parts;
    if (p->object_end + strlen(": ") > length)
        p->object_end = 0;
    if (!p->object_end || p->action_end <= p->object_end + strlen(": ") ||
        p->action_end + strlen(": ") > length)
        p->action_end = 0;
    size_t reason = p->action_end ? p->action_end : p->object_end;
    if (p->way_out >= length || p->way_out < reason + strlen("; "))
        p->way_out = 0;
}

int error_set(struct error *e, int errnum, const char *format, ...)
{
    if (errnum > 0)
        errnum = -errnum;
    if (e && !e->errnum) {
        va_list ap;
        va_start(ap, format);
        e->parts = parts_of(format, ap);
        vsnprintf(e->text, sizeof e->text, format, ap);
        va_end(ap);
        e->errnum = errnum;
        keep_whole_parts(e);
    }
    return errnum;
}

int error_first_at(struct error *e, const struct error *first, size_t stride_bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct error *one = (const void *)((const char *)first + i * stride_bytes);
        if (one->errnum)
            return error_pass(e, one->errnum, one);
    }
    return 0;
}

int error_receive(struct error *e, int errnum, const char *text, const struct error_parts *parts)
{
    if (errnum > 0)
        errnum = -errnum;
    if (e && !e->errnum) {
        snprintf(e->text, sizeof e->text, "%s", text);
        e->parts = *parts;
        e->errnum = errnum;
        keep_whole_parts(e);
    }
    return errnum;
}

int error_pass(struct error *e, int errnum, const struct error *why)
{
    return error_receive(e, errnum, why->text, &why->parts);
}

void error_prefix(struct error *e, const char *format, ...)
{
    if (!e || !e->errnum)
        return;

    char prefix[sizeof e->text], rest[sizeof e->text];
    va_list ap;
    va_start(ap, format);
    struct error_parts parts = parts_of(format, ap);
    vsnprintf(prefix, sizeof prefix, format, ap);
    va_end(ap);
    memcpy(rest, e->text, sizeof rest);
    snprintf(e->text, sizeof e->text, "%.200s%.399s", prefix, rest);
    if (e->parts.way_out)
        parts.way_out = (uint16_t)(e->parts.way_out + strnlen(prefix, 200));
    e->parts = parts;
    keep_whole_parts(e);
}

void error_append(struct error *e, const char *format, ...)
{
    if (!e || !e->errnum)
        return;

    size_t used = strlen(e->text);
    va_list ap;
    va_start(ap, format);
    struct error_parts parts = parts_of(format, ap);
    vsnprintf(e->text + used, sizeof e->text - used, format, ap);
    va_end(ap);
    if (parts.way_out)
        e->parts.way_out = (uint16_t)(used + parts.way_out);
    keep_whole_parts(e);
}

const char *error_part(const struct error *e, enum error_part part, size_t *ret_size)
{
    const struct error_parts *p = &e->parts;
    size_t length = strlen(e->text);
    size_t action = p->object_end ? p->object_end + strlen(": ") : 0;
    size_t reason = p->action_end ? p->action_end + strlen(": ") : action;
    size_t begin = 0, end = 0;
    switch (part) {
    case ERROR_OBJECT:
        end = p->object_end;
        break;
    case ERROR_ACTION:
        begin = action;
        end = p->action_end;
        break;
    case ERROR_REASON:
        begin = reason;
        end = p->way_out ? p->way_out - strlen("; ") : length;
        break;
    case ERROR_WAY_OUT:
        begin = p->way_out;
        end = p->way_out ? length : 0;
    }
    *ret_size = end > begin ? end - begin : 0;
    return *ret_size ? e->text + begin : NULL;
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

const char *exit_code_name(enum exit_code code)
{
    switch (code) {
#define EXIT_CODE(name, value, meaning)                                                                      \
    case EXIT_##name:                                                                                        \
        return #name;
#include "base/exit-codes.def"
#undef EXIT_CODE
    }
    return "FAILED";
}
