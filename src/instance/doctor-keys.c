/* SPDX-License-Identifier: Apache-2.0 */
/* Examines the key managers: what each reports about itself, then a key that is made, fetched, compared and
 * destroyed. The owner of that key is locked, so recover leaves the key alone; if doctor is cut off here,
 * recover destroys it. */
#include "instance/doctor.h"
#include "instance/key-list.h"

#include <stdio.h>

/* Checks that the fetched key is the one that was made. */
static int compare(struct keymgr *km, const char *id, const struct secret *made, struct error *e)
{
    _cleanup_secret_ struct secret *fetched = NULL;
    int r = keymgr_fetch(km, id, &fetched, e);
    if (r == 0 && !secret_equal(made, fetched))
        r = error_set(e, -EKEYREJECTED, "key %s:%s: the fetched key is not the one that was made",
                      km->ops->name, id);
    return r;
}

/* Destroys the key, and checks that it can no longer be fetched. */
static int destroy_trial(struct keymgr *km, const char *id, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = keymgr_destroy(km, id, &why);
    if (r == 0)
        r = keymgr_check_gone(km, id, &why);
    if (r == 0)
        return 0;
    return error_set(
        e, r, "key %s:%s: was made as a trial, and cannot be destroyed: %.300s; run mayfly key destroy %s:%s",
        km->ops->name, id, why.text, km->ops->name, id);
}

static int try_key(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX], struct error *e)
{
    _cleanup_secret_ struct secret *made = NULL;
    struct error left = ERROR_NONE;
    int r = keymgr_create(km, want, ret_id, &made, e);
    if (r < 0)
        return r;
    r = compare(km, ret_id, made, e);
    int gone = destroy_trial(km, ret_id, &left);
    if (r == 0 && gone < 0)
        return error_pass(e, gone, &left);
    if (r < 0 && gone < 0)
        error_append(e, ", and %s", left.text);
    return r;
}

/* ---------------------------------------------------------------- one manager */

#define WHAT_MAX sizeof((struct finding *)0)->what

static void name_part(char what[WHAT_MAX], const char *manager, const char *part)
{
    snprintf(what, WHAT_MAX, "key manager %.40s: %.40s", manager, part);
}

static void examine_key(struct examination *x, struct keymgr *km)
{
    const struct config *c = x->context->config;
    struct key_info want = {.scope = KEY_SCOPE_INSTANCE, .bits = KEY_SECRET_BITS};
    struct error why = ERROR_NONE;
    char what[WHAT_MAX], id[KEY_ID_MAX] = "";
    name_part(what, km->ops->name, "a key");
    if (!x->locked || c->volume_groups.n == 0) {
        examination_warn(x, what,
                         "no trial key was made: without the broker's lock and a volume group, recover "
                         "could take it for an unused key");
        return;
    }
    memcpy(want.owner, x->owner, sizeof want.owner);
    snprintf(want.vg, sizeof want.vg, "%.63s", c->volume_groups.item[0]);
    int r = try_key(km, &want, id, &why);
    if (r < 0)
        examination_fail(x, what, r, why.text);
    else
        examination_ok(x, what, "%s:%s was made, fetched, compared and destroyed, and is gone", km->ops->name,
                       id);
}

/* Adds the manager's report about itself. False: a part of it failed. */
static bool examine_itself(struct examination *x, struct keymgr *km)
{
    struct key_finding findings[KEY_FINDINGS_MAX];
    struct error why = ERROR_NONE;
    char what[WHAT_MAX];
    size_t n = 0;
    bool good = true;
    int r = keymgr_diagnose(km, findings, &n, &why);
    if (r < 0) {
        name_part(what, km->ops->name, "diagnosis");
        examination_fail(x, what, r, why.text);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        name_part(what, km->ops->name, findings[i].what);
        good = good && findings[i].result == 0;
        if (findings[i].result == 0 && findings[i].doubtful)
            examination_warn(x, what, "%s", findings[i].text);
        else if (findings[i].result == 0)
            examination_ok(x, what, "%s", findings[i].text);
        else
            examination_fail(x, what, findings[i].result, findings[i].text);
    }
    return good;
}

static bool examine_list(struct examination *x, struct keymgr *km)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    struct error why = ERROR_NONE;
    char what[WHAT_MAX];
    name_part(what, km->ops->name, "keys");
    int r = keymgr_list(km, &l, &why);
    if (r == 0 && (r = l.incomplete.errnum) < 0)
        why = l.incomplete;
    if (r < 0)
        examination_fail(x, what, r, why.text);
    else
        examination_ok(x, what, "%zu of this host are listed", l.n);
    return r == 0;
}

static void examine_manager(struct examination *x, const struct key_source *s)
{
    char what[WHAT_MAX];
    snprintf(what, sizeof what, "key manager %.40s", s->name);
    if (x->lacks->who.errnum && s->km && s->km->durable && !s->km->lists_all) {
        examination_warn(x, what, "was not asked: the given credentials cannot be used");
        return;
    }
    if (!s->km)
        examination_fail(x, what, s->error.errnum, s->error.text);
    else if (!s->km->durable)
        examination_ok(x, what, "keys exist only in the kernel, and end when their disks are closed");
    else if (examine_itself(x, s->km) && examine_list(x, s->km))
        examine_key(x, s->km);
}

void examine_key_managers(struct examination *x)
{
    static const struct inventory unknown;
    _cleanup_key_list_ struct key_list *l = NULL;
    if (key_list_managers(x->context, x->model->inventory ? x->model->inventory : &unknown, &l, NULL) < 0) {
        x->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < l->n_managers; i++)
        examine_manager(x, &l->managers[i]);
}
