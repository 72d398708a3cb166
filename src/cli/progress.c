/* SPDX-License-Identifier: Apache-2.0 */
/* See progress.h. Nothing is drawn with -q, or if standard error is not a terminal. */
#include "cli/progress.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 40

static void wipe(struct progress *p)
{
    if (p->drawn)
        fprintf(stderr, "\r\033[K");
    p->drawn = false;
}

static void on_step(void *data, const char *what)
{
    struct progress *p = data;
    wipe(p);
    log_info("%s", what);
    if (p->fd >= 0)
        dprintf(p->fd, "step %s\n", what);
}

static void draw(struct progress *p, unsigned percent, const char *total)
{
    static const char full[] = "########################################";
    unsigned cells = percent * BAR_WIDTH / 100;
    fprintf(stderr, "\r[%.*s%*s] %3u%% of %s", (int)cells, full, (int)(BAR_WIDTH - cells), "", percent,
            total);
    p->drawn = true;
}

static void on_progress(void *data, uint64_t done_bytes, uint64_t total_bytes)
{
    struct progress *p = data;
    unsigned percent = total_bytes ? (unsigned)((double)done_bytes * 100 / (double)total_bytes) : 100;
    if (p->fd >= 0)
        dprintf(p->fd, "progress %" PRIu64 " %" PRIu64 "\n", done_bytes, total_bytes);
    char size[32];
    if (p->terminal && (!p->drawn || percent != p->percent || total_bytes != p->total_bytes))
        draw(p, percent, str_from_bytes(total_bytes, size, sizeof size));
    p->percent = percent;
    p->total_bytes = total_bytes;
}

static void on_count(void *data, unsigned done, unsigned total)
{
    struct progress *p = data;
    char text[48];
    snprintf(text, sizeof text, "%u measurements", total);
    if (p->terminal)
        draw(p, total ? done * 100 / total : 100, text);
}

static void on_warning(void *data, const char *text)
{
    wipe(data);
    log_warning("%s", text);
}

void progress_init(struct progress *p, int fd)
{
    *p = (struct progress){
        .reporter =
            {.step = on_step, .progress = on_progress, .count = on_count, .warning = on_warning, .data = p},
        .fd = fd,
        .terminal = isatty(STDERR_FILENO) && log_get_level() >= LOG_LEVEL_WARNING,
    };
}

void progress_waiting(struct progress *p, const char *request, unsigned waited_sec)
{
    wipe(p);
    log_warning(
        "still waiting after %u seconds for mayfly-broker to end %s; is a disk slow or stuck? see dmesg. "
        "Ctrl-C stops waiting; LVM then goes on by itself",
        waited_sec, request);
    if (p->fd >= 0)
        dprintf(p->fd, "waiting %u %s\n", waited_sec, request);
}

void progress_end(struct progress *p)
{
    wipe(p);
}
