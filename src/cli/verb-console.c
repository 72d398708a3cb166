/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly console: the serial console of a guest. mayfly becomes virsh once it has given up root and knows the
 * domain. */
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/model.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct console_options {
    bool force;
};

CLI_FLAG(set_force, struct console_options, force)
static const struct cli_option console_options[] = {
    {"force", 'f', NULL, "end another user's connection to the console", set_force},
    {0},
};

/* Finds the uuid of an instance that runs. */
static int find_running(const struct session *s, const char *name, char uuid[UUID_TEXT], struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    int r = model_load(&s->context, &m, e);
    if (r == 0)
        r = model_find(m, name, &i, e);
    if (r < 0)
        return r;
    if (i->state != INSTANCE_RUNNING)
        return error_set(e, -EINVAL,
                         "instance %s: cannot show its console: it does not run; see mayfly start", i->name);
    memcpy(uuid, i->uuid, UUID_TEXT);
    return 0;
}

/* Becomes virsh. Restores SIGPIPE first, since an ignored signal would stay ignored over exec. */
static int become_virsh(const char *uri, const char *uuid, bool force, struct error *e)
{
    signal(SIGPIPE, SIG_DFL);
    execlp("virsh", "virsh", "-c", uri, "console", uuid, force ? "--force" : NULL, NULL);
    return error_set(e, errno, "virsh: cannot be run: %m; install it (Debian's package is libvirt-clients)");
}

int verb_console(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct console_options o = {.force = false};
    char uuid[UUID_TEXT], uri[CONFIG_TEXT_MAX];
    int n = 0;
    int r = verb_parse(self, g, console_options, &o, argc, argv, 1, 1, &n, e);
    if (r == 0 && g->json)
        r = error_set(e, -EINVAL, "console: is for people, and prints no JSON; leave out --json");
    if (r == 0 && !isatty(STDIN_FILENO))
        r = error_set(e, -EINVAL,
                      "console: standard input is not a terminal; programs can use virDomainOpenConsole");
    if (r != 0)
        return r;
    {
        _cleanup_session_ struct session *s = NULL;
        r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
        if (r == 0)
            r = find_running(s, argv[1], uuid, e);
        if (r < 0)
            return r;
        memcpy(uri, s->config.connection_uri, sizeof uri);
    }
    return become_virsh(uri, uuid, o.force, e);
}
