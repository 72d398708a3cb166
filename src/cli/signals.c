/* SPDX-License-Identifier: Apache-2.0 */
/* See signals.h. The handler itself prints: while the main thread waits for libvirt or a key manager, nothing
 * else could. */
#include "cli/signals.h"

#include "base/macro.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};

static volatile sig_atomic_t caught, held;
static bool quiet, terminal;

#define SECOND " A second signal ends mayfly at once; then run mayfly recover.\n"
static const char undoing[] = "mayfly: stopping: what was begun is undone." SECOND;
static const char finishing[] = "mayfly: this can no longer be undone and is finished first." SECOND;

static void say(const char *text)
{
    if (terminal) /* erases the line of a progress bar */
        (void)!write(STDERR_FILENO, "\r\033[K", strlen("\r\033[K"));
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* Handles a signal; asynchronous-signal-safe. The next signal of any kind has its default action: it ends the
 * process. */
static void handle(int number)
{
    int errnum = errno;
    const struct sigaction end = {.sa_handler = SIG_DFL};
    caught = number;
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        sigaction(stops[i], &end, NULL);
    if (!quiet)
        say(held ? finishing : undoing);
    errno = errnum;
}

void signals_install(bool be_quiet)
{
    /* SA_RESTART: the call in progress is completed, and the next step asks signals_stopped() */
    struct sigaction stop = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    quiet = be_quiet;
    terminal = isatty(STDERR_FILENO);
    sigfillset(&stop.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
        bool nohup =
            stops[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!nohup)
            sigaction(stops[i], &stop, NULL);
    }
    sigaction(SIGPIPE, &ignore, NULL);
}

bool signals_stopped(void)
{
    return caught != 0 && !held;
}

void signals_hold(bool on)
{
    held = on;
}

int signals_caught(void)
{
    return caught;
}
