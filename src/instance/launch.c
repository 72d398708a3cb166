/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly launch: looks, designs, makes the list of steps, runs it. All instances or nothing.
 *
 *     locks | keys, volumes, open, image, formats: per chunk | domains | close | others ready
 *     FIRST DISKS READY, the commit point | start
 *
 * Before the commit point recover undoes an instance; after it the instance stays.
 *
 * The keys of a chunk of instances are made at once: a manager behind a network does that over several
 * connections. A secret is in memory until the last disk that needs it is open. So all disks of the chunk are
 * opened before an image is written to any, which may take hours. A chunk is small, so that its secrets are
 * few, fit into lockable memory, and are made within one deadline of the manager. A secret that a batch
 * shares stays in memory until the last chunk is open.
 */
#include "instance/launch.h"

static int add_locks(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    if (l->request->shared_key)
        r = steps_add(s, launch_lock_batch, NULL, l, e, "lock batch %s", l->batch);
    for (size_t i = 0; r == 0 && i < l->new.n_recipients; i++)
        r = steps_add(s, launch_lock_instance, NULL, &l->domains[i], e, "lock instance %s (%s)",
                      l->new.recipients[i].name, l->new.recipients[i].uuid);
    return r;
}

/* Adds the steps that define the domains. If a domain cannot be undefined, its volumes stay: recover finds
 * the domain by them. */
static int add_domains(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->new.n_recipients; i++)
        r = steps_add_anchor(s, launch_define, launch_define_undo, &l->domains[i], e, "define domain %s",
                             l->new.recipients[i].name);
    for (size_t i = 0; r == 0 && l->autostart && i < l->new.n_recipients; i++)
        r = steps_add(s, launch_autostart, NULL, &l->domains[i], e, "give domain %s autostart",
                      l->new.recipients[i].name);
    if (r == 0)
        r = steps_add(s, launch_settle, NULL, l, e, "sync libvirt's definitions");
    return r < 0 ? r : new_disks_add_settling(s, &l->new, e);
}

static int add_starts(struct steps *s, struct launch *l, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && !l->request->no_start && i < l->new.n_recipients; i++)
        r = steps_add_at_once(s, launch_start, launch_start_undo, &l->domains[i], e, "start domain %s",
                              l->new.recipients[i].name);
    return r;
}

static int make_plan(struct launch *l, struct steps **ret, struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = add_locks(s, l, e);
    if (r == 0)
        r = new_disks_add_steps(s, &l->new, e);
    if (r == 0)
        r = add_domains(s, l, e);
    if (r == 0)
        r = new_disks_add_commits(s, &l->new, e);
    if (r == 0)
        r = add_starts(s, l, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

static int tell(const struct launch *l, struct launched **ret, struct error *e)
{
    struct launched *launched = calloc(l->new.n_recipients, sizeof *launched);
    if (!launched)
        return error_memory(e);
    for (size_t i = 0; i < l->new.n_recipients; i++) {
        memcpy(launched[i].name, l->new.recipients[i].name, sizeof launched[i].name);
        memcpy(launched[i].uuid, l->new.recipients[i].uuid, sizeof launched[i].uuid);
    }
    *ret = launched;
    return 0;
}

int instance_launch(const struct context *c, const struct launch_request *request, struct launched **ret,
                    struct steps **ret_plan, struct error *e)
{
    struct launch launch = {.new = {.context = c,
                                    .verb = "launch",
                                    .name = request->name,
                                    .wanted = &request->disks,
                                    .wanted_seed = &request->seed,
                                    .closes = request->no_start,
                                    .dry_run = request->dry_run},
                            .request = request};
    _cleanup_(launch_freep) struct launch *l = &launch;
    _cleanup_steps_ struct steps *plan = NULL;
    _cleanup_free_ struct launched *launched = NULL;

    int r = launch_check(l, e);
    if (r == 0)
        r = launch_design(l, e);
    if (r == 0)
        r = launch_write_definitions(l, e);
    if (r == 0)
        r = make_plan(l, &plan, e);
    if (r == 0)
        r = tell(l, &launched, e);
    if (r < 0)
        return r;
    r = new_disks_run(&l->new, plan, e);
    if (r < 0)
        return r;
    if (!request->dry_run)
        launch_let_go(l);
    *ret = TAKE_PTR(launched);
    steps_hand_over(&plan, ret_plan);
    return 0;
}
