/* SPDX-License-Identifier: Apache-2.0 */
/* Telling whoever waits how far an operation is. A context without a reporter is told nothing. */
#include "instance/context.h"

#include <stdarg.h>
#include <stdio.h>

#define REPORT_TEXT_MAX 700 /* a sentence of struct error, and some words before it */

static __attribute__((format(printf, 3, 0))) void report(void (*tell)(void *, const char *), void *data,
                                                         const char *format, va_list ap)
{
    char text[REPORT_TEXT_MAX];
    if (!tell)
        return;
    vsnprintf(text, sizeof text, format, ap);
    tell(data, text);
}

void report_step(const struct context *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (c->reporter)
        report(c->reporter->step, c->reporter->data, format, ap);
    va_end(ap);
}

void report_warning(const struct context *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (c->reporter)
        report(c->reporter->warning, c->reporter->data, format, ap);
    va_end(ap);
}

int context_check_virt(const struct context *c, struct error *e)
{
    if (c->virt)
        return 0;
    return error_set(e, -ECONNREFUSED, "libvirt %s: cannot be reached; see systemctl status libvirtd",
                     c->config->connection_uri);
}
