/* SPDX-License-Identifier: Apache-2.0 */
/* Adds findings to one list, in the order in which they are made. */
#include "instance/examination.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SMALL_FILE_MAX (1 << 20)

static struct finding *add(struct examination *x, enum finding_result result, const char *what)
{
    struct finding *bigger = reallocarray(x->findings, x->n + 1, sizeof *bigger);
    if (!bigger) {
        x->out_of_memory = true;
        return NULL;
    }
    x->findings = bigger;
    struct finding *f = &x->findings[x->n++];
    *f = (struct finding){.result = result};
    snprintf(f->what, sizeof f->what, "%s", what);
    return f;
}

static __attribute__((format(printf, 4, 0))) void note(struct examination *x, enum finding_result result,
                                                       const char *what, const char *format, va_list ap)
{
    struct finding *f = add(x, result, what);
    if (f)
        vsnprintf(f->text, sizeof f->text, format, ap);
}

void examination_ok(struct examination *x, const char *what, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    note(x, FINDING_OK, what, format, ap);
    va_end(ap);
}

void examination_warn(struct examination *x, const char *what, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    note(x, FINDING_WARNING, what, format, ap);
    va_end(ap);
}

void examination_fail(struct examination *x, const char *what, int errnum, const char *why)
{
    struct finding *f = add(x, FINDING_FAILED, what);
    if (!f)
        return;
    f->errnum = errnum;
    snprintf(f->text, sizeof f->text, "%s", *why ? why : strerror(-errnum));
}

char *examination_read(const struct examination *x, const char *path)
{
    char *text = NULL;
    _cleanup_free_ char *whole = str_format("%s%s", x->paths->root, path);
    _cleanup_close_ int fd = whole ? open(whole, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0 || fd_read_text(fd, SMALL_FILE_MAX, &text, NULL) < 0)
        return NULL;
    return text;
}
