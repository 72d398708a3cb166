/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly wait: waits until instances run, or are stopped. */
#include "base/clock.h"
#include "cli/each.h"
#include "instance/operations.h"

struct wait_options {
    const char *state;
    enum wait_state wanted;
    unsigned timeout_sec;
    bool has_end;
    uint64_t end_msec; /* time limit as clock_msec(); 0: none */
};

CLI_TEXT(set_state, struct wait_options, state)
static int set_timeout(void *target, const char *value, struct error *e)
{
    struct wait_options *o = target;
    o->has_end = true;
    return cli_parse_timeout(value, &o->timeout_sec, e);
}

static const struct cli_option wait_options[] = {
    {"state", 0, "STATE", "what to wait for: running or stopped", set_state},
    {"timeout", 0, "SECONDS", "give up after this time; default: never", set_timeout},
    {0},
};

static int operate_wait(const struct context *c, const void *options, const char *name, bool *ret_changed,
                        struct error *e)
{
    const struct wait_options *o = options;
    *ret_changed = false;
    return instance_wait(c, name, o->wanted, o->end_msec, e);
}

static int read_state(const struct verb *self, struct wait_options *o, struct error *e)
{
    bool running = o->state && streq(o->state, "running");
    if (!running && (!o->state || !streq(o->state, "stopped")))
        return error_set(e, -EINVAL, "%s: needs --state running or --state stopped", self->name);
    o->wanted = running ? WAIT_RUNNING : WAIT_STOPPED;
    return 0;
}

int verb_wait(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each running = {.unchanged = "is running", .operate = operate_wait};
    static const struct each stopped = {.unchanged = "is stopped", .operate = operate_wait};
    struct wait_options o = {.state = NULL};
    int n = 0;
    int r = verb_parse(self, g, wait_options, &o, argc, argv, 1, argc, &n, e);
    if (r == 0)
        r = read_state(self, &o, e);
    if (r != 0)
        return r;
    if (o.has_end)
        o.end_msec = clock_msec() + (uint64_t)o.timeout_sec * 1000;
    return each_run(o.wanted == WAIT_RUNNING ? &running : &stopped, self, g, &o, true, argv + 1, n, e);
}
