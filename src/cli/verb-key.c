/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly key COMMAND: the keys of instances, seen from their managers. A command is a verb with two words. */
#include "cli/each.h"
#include "cli/key-print.h"
#include "instance/operations.h"

#include <stdio.h>

struct key_options {
    bool yes;
    const char *user; /* NULL: the host's own */
    bool revoke;
};

static int set_user(void *target, const char *value, struct error *e)
{
    if (!*value)
        return error_set(e, -EINVAL, "a user's id cannot be empty");
    ((struct key_options *)target)->user = value;
    return 0;
}

CLI_FLAG(set_yes, struct key_options, yes)
CLI_FLAG(set_revoke, struct key_options, revoke)
static const struct cli_option destroy_options[] = {
    {"yes", 'y', NULL, "do not ask", set_yes},
    {0},
};
static const struct cli_option grant_options[] = {
    {"user", 0, "ID", "let this user of the key manager fetch it, instead of the host's own user", set_user},
    {"revoke", 0, NULL, "revoke that right", set_revoke},
    {0},
};

/* ----------------------------------------------------------------- list, show */

/* True if the key was asked for. NULL: all are. */
static bool is_meant(const struct key_entry *k, const char *ref, const struct instance *i)
{
    return i ? key_entry_used_by(k, i->uuid) : !ref || streq(k->ref, ref);
}

/* Reports the managers that did not answer, after the answers of the others; the first failure becomes the
 * error. `ref`: only the manager of this key; NULL: all. */
static int say_unasked(const struct context *c, const struct key_list *l, const char *ref, struct error *e)
{
    for (size_t i = 0; i < l->n_managers; i++) {
        const struct key_source *s = &l->managers[i];
        bool meant = !ref || (str_starts(ref, s->name) && ref[strlen(s->name)] == ':');
        if (!meant || !s->error.errnum)
            continue;
        if (e->errnum)
            report_warning(c, "%s", s->error.text);
        else
            error_pass(e, s->error.errnum, &s->error);
    }
    return e->errnum;
}

static int print_keys(struct globals *g, bool whole, const struct model *m, const struct key_list *l,
                      const struct key_entry *const shown[], size_t n, struct error *e)
{
    int r = 0;
    if (g->json)
        return key_print_json(g, m, l, shown, n, e);
    if (!whole)
        return key_print_table(m, shown, n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = key_print_one(m, shown[i], e);
    return r;
}

/* Prints the keys of `name_or_ref` in detail; NULL: all keys, a line each. */
static int show_keys(struct globals *g, const struct context *c, const char *name_or_ref, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_key_list_ struct key_list *l = NULL;
    const struct instance *instance = NULL;
    int r = model_load(c, &m, e);
    if (r == 0 && name_or_ref && !key_ref_looks(name_or_ref))
        r = model_find(m, name_or_ref, &instance, e);
    if (r == 0)
        r = key_list_load(c, m->inventory, &l, e);
    if (r < 0)
        return r;

    _cleanup_free_ const struct key_entry **shown = calloc(l->n_keys + 1, sizeof *shown);
    size_t n = 0;
    if (!shown)
        return error_memory(e);
    for (size_t i = 0; i < l->n_keys; i++)
        if (is_meant(&l->keys[i], name_or_ref, instance))
            shown[n++] = &l->keys[i];
    if (n == 0 && instance)
        return error_set(e, -EINVAL, "instance %s: has no key: its disks are not encrypted", instance->name);
    if (n == 0 && name_or_ref) {
        r = say_unasked(c, l, name_or_ref, e);
        return r < 0 ? r
                     : error_set(e, -ENOENT,
                                 "key %s: no key manager in use lists it, and no volume names it; see mayfly "
                                 "key list",
                                 name_or_ref);
    }
    r = print_keys(g, name_or_ref, m, l, shown, n, e);
    return r < 0 ? r : say_unasked(c, l, name_or_ref ? shown[0]->ref : NULL, e);
}

static int key_list(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    int n = 0;
    int r = verb_parse(self, g, NULL, NULL, argc, argv, 0, 0, &n, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    return r != 0 ? r : show_keys(g, &s->context, NULL, e);
}

static int key_show(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    int n = 0;
    int r = verb_parse(self, g, NULL, NULL, argc, argv, 1, 1, &n, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    return r != 0 ? r : show_keys(g, &s->context, argv[1], e);
}

/* ----------------------------------------------------------- destroy, grant */

static int operate_destroy(const struct context *c, const void *options, const char *ref, bool *ret_changed,
                           struct error *e)
{
    (void)options;
    *ret_changed = true;
    return key_destroy(c, ref, e);
}

/* Removes repeated names: the second time a key would be gone. Returns how many are left. */
static int drop_repeats(char **refs, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int before = 0;
        while (before < kept && !key_ref_same(refs[before], refs[i]))
            before++;
        if (before == kept)
            refs[kept++] = refs[i];
    }
    return kept;
}

static int operate_grant(const struct context *c, const void *options, const char *name_or_ref,
                         bool *ret_changed, struct error *e)
{
    const struct key_options *o = options;
    return key_grant(c, name_or_ref, o->user, !o->revoke, ret_changed, e);
}

static int key_destroy_each(const struct verb *self, struct globals *g, int argc, char **argv,
                            struct error *e)
{
    static const struct each each = {.done = "destroyed",
                                     .virt = SESSION_VIRT_WANTED,
                                     .names_keys = true,
                                     .what = "Destroy the keys",
                                     .price = "The data that they encrypt is lost for good.",
                                     .operate = operate_destroy};
    struct key_options o = {.yes = false};
    int n = 0;
    int r = verb_parse(self, g, destroy_options, &o, argc, argv, 1, argc, &n, e);
    return r != 0 ? r : each_run(&each, self, g, &o, o.yes, argv + 1, drop_repeats(argv + 1, n), e);
}

static int key_grant_one(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    static const struct each granting = {
        .done = "granted", .unchanged = "was granted", .virt = SESSION_VIRT_WANTED, .operate = operate_grant};
    static const struct each revoking = {.done = "revoked",
                                         .unchanged = "was not granted",
                                         .virt = SESSION_VIRT_WANTED,
                                         .operate = operate_grant};
    struct key_options o = {.yes = false};
    int n = 0;
    int r = verb_parse(self, g, grant_options, &o, argc, argv, 1, 1, &n, e);
    return r != 0 ? r : each_run(o.revoke ? &revoking : &granting, self, g, &o, true, argv + 1, 1, e);
}

/* ----------------------------------------------------------------- commands */

static const struct command {
    struct verb verb; /* its name has the word `key` before it */
    const struct cli_option *options;
} commands[] = {
    {{"key list", "", "list the keys of this host and who needs them", key_list}, NULL},
    {{"key show", "NAME|MANAGER:PLACE/ID", "show one key and its volumes, never the key itself", key_show},
     NULL},
    {{"key destroy", "MANAGER:PLACE/ID...", "destroy keys that no volume names", key_destroy_each},
     destroy_options},
    {{"key grant", "NAME|MANAGER:PLACE/ID", "let the host's own user, or another, fetch a key",
      key_grant_one},
     grant_options},
};

static void print_usage(const struct verb *self)
{
    printf("mayfly key: %s\n\nUsage: mayfly key COMMAND [OPTION]...\n\nCommands:\n", self->summary);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct verb *v = &commands[i].verb;
        printf("  mayfly %-11s %-16s %s\n", v->name, v->operands, v->summary);
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!commands[i].options)
            continue;
        printf("\nOptions of %s:\n", commands[i].verb.name);
        cli_print_options(commands[i].options);
    }
    printf("\nOptions:\n");
    cli_print_options(global_options);
}

static const struct verb *find_command(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (streq(strchr(commands[i].verb.name, ' ') + 1, word))
            return &commands[i].verb;
    return NULL;
}

int verb_key(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    const struct cli_group groups[] = {{global_options, g}};
    int n = 0;
    int r = cli_parse(argc, argv, groups, 1, true, &n, e);
    if (r < 0)
        return r;
    if (n == 0 && !g->help)
        return error_set(e, -EINVAL, "key: which command? See mayfly key --help");
    if (n == 0) {
        print_usage(self);
        return 0;
    }
    const struct verb *command = find_command(argv[1]);
    if (!command)
        return error_set(e, -EINVAL, "key %s: there is no such command; see mayfly key --help", argv[1]);
    g->verb = command->name;
    return command->run(command, g, n, argv + 1, e);
}
