/* SPDX-License-Identifier: Apache-2.0 */
/* See confirm.h. All output goes to standard error: standard output is for results. */
#include "cli/confirm.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define POLL_MSEC 500

int confirm_possible(const char *verb, struct error *e)
{
    if (isatty(STDIN_FILENO))
        return 0;
    return error_set(e, -EINVAL,
                     "%s: destroys data, and there is no terminal to ask for confirmation, so nothing was "
                     "done; use --yes to skip the question",
                     verb);
}

static void name_disk(const struct volume *v, const char *before)
{
    char size[32];
    fprintf(stderr, "%sdisk %s of %s", before, v->role, str_from_bytes(v->size_bytes, size, sizeof size));
}

static const char *key_note(enum key_scope scope)
{
    return scope == KEY_SCOPE_BATCH ? " (shared)" : scope == KEY_SCOPE_CALLER ? " (kept)" : "";
}

/* Prints "  web (UUID): running; disk root of 20 GiB, disk swap of 2 GiB; key local:host/ID". Each key is
 * named once. */
static void name_instance(const struct instance *i)
{
    fprintf(stderr, "  %s (%s): %s;", i->name, i->uuid, instance_state_name(i));
    for (size_t d = 0; d < i->n_volumes; d++)
        name_disk(i->volumes[d], d ? ", " : " ");
    for (size_t d = 0; d < i->n_volumes; d++)
        if (volume_encrypted(i->volumes[d]) && (d == 0 || !streq(i->volumes[d]->key, i->volumes[d - 1]->key)))
            fprintf(stderr, "; key %s%s", i->volumes[d]->key, key_note(i->volumes[d]->scope));
    fprintf(stderr, "\n");
}

/* Prints the instances. One that does not exist is an error later, when the verb comes to it. */
void confirm_name_instances(const struct model *m, char **names, int n)
{
    for (int i = 0; i < n; i++) {
        const struct instance *one = NULL;
        if (model_find(m, names[i], &one, NULL) == 0)
            name_instance(one);
        else
            fprintf(stderr, "  %s: there is no instance of this name\n", names[i]);
    }
}

void confirm_name_disk(const struct model *m, const char *name, const char *role_or_alias)
{
    const struct instance *i = NULL;
    (void)!model_find(m, name, &i, NULL);
    const struct volume *disk = i ? instance_disk(i, role_or_alias) : NULL;
    if (!disk) {
        fprintf(stderr, "  %s: there is no disk %s\n", name, role_or_alias);
        return;
    }
    fprintf(stderr, "  %s (%s): ", i->name, i->uuid);
    name_disk(disk, "");
    fprintf(stderr, "\n");
}

static bool is_yes(const char *answer)
{
    return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}

/* Asks for confirmation. A person may take time: meanwhile the broker is told that we are at work, and
 * signals are heeded. */
int confirm_ask(const char *verb, const struct context *c, const char *price, struct error *e)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    char answer[16] = "";
    fprintf(stderr, "%s Go on? [y/n]: ", price);
    fflush(stderr);
    while (poll(&fd, 1, POLL_MSEC) <= 0)
        if (context_stopped(c))
            return error_set(e, -ECANCELED, "%s: stopped, and nothing was done", verb);
    ssize_t n = read(STDIN_FILENO, answer, sizeof answer - 1);
    if (n > 0 && is_yes(answer))
        return 0;
    return error_set(e, -EINVAL, "%s: not confirmed, so nothing was done", verb);
}
