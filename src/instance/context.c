/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a person or a program how far an operation is, if the context has a reporter; and other helpers of
 * contexts. */
#include "instance/context.h"

#include <stdarg.h>
#include <stdio.h>

#define REPORT_TEXT_MAX 700 /* a sentence of struct error, and some words */

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

void context_hold_stop(const struct context *c)
{
    if (c->hold_stop)
        c->hold_stop(true);
}

void context_heed_stop(const struct context *c)
{
    if (c->hold_stop)
        c->hold_stop(false);
}

const char *context_name(const struct context *c, const struct volume *v, char field[DOMAIN_NAME_MAX])
{
    struct domain d;
    bool known = c->virt && virt_find_uuid(c->virt, v->instance, &d, NULL) == 0 && d.name[0];
    snprintf(field, DOMAIN_NAME_MAX, "%s", known ? d.name : v->name);
    return field;
}

bool context_stopped(const struct context *c)
{
    if (c->broker)
        broker_alive(c->broker);
    return c->stopped && c->stopped();
}

int context_check_virt(const struct context *c, struct error *e)
{
    if (c->virt)
        return 0;
    return error_set(e, -ECONNREFUSED, "libvirt %s: cannot be reached; see systemctl status libvirtd",
                     c->config->connection_uri);
}

struct import {
    const struct context *context;
    uint64_t done_bytes, total_bytes;
};

static void import_update(void *data, uint64_t done_bytes, uint64_t total_bytes)
{
    const struct import *i = data;
    const struct reporter *reporter = i->context->reporter;
    (void)total_bytes; /* that is the total of this step */
    if (reporter && reporter->progress)
        reporter->progress(reporter->data, i->done_bytes + done_bytes, i->total_bytes);
}

static bool import_stopped(void *data)
{
    return context_stopped(((const struct import *)data)->context);
}

int context_import(const struct context *c, struct image *image, const struct image_target *targets, size_t n,
                   uint64_t done_bytes, uint64_t total_bytes, struct error *e)
{
    struct import i = {c, done_bytes, total_bytes};
    struct image_progress progress = {import_update, import_stopped, &i};
    return c->import(image, targets, n, &progress, e);
}
