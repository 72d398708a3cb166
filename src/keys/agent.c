/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in, in mayfly, for the key managers that talk to a network: each operation is a request to
 * mayfly-keyagent, which is started by the first one and ends with the manager. */
#include "keys/agent-internal.h"

#include "base/fd.h"

#include <stdio.h>
#include <unistd.h>

static int agent_open(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                      struct keymgr **ret, struct error *e)
{
    struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return error_memory(e);
    a->name = self->name;
    a->config = *c;
    a->who = who;
    a->link = AGENT_LINK_NONE;
    a->base.durable = true; /* every manager behind a network is durable */
    *ret = &a->base;
    return 0;
}

static void agent_close(struct keymgr *km)
{
    struct agent *a = (struct agent *)km;
    agent_link_end(&a->link);
    free(a);
}

static int agent_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct agent_request q = {.op = AGENT_PLACE, .n = make};
    struct agent_answer answer;
    int r = agent_call((struct agent *)km, &q, -1, &answer, &fd, e);
    if (r < 0)
        return r;
    if (!memchr(answer.place, '\0', sizeof answer.place)) /* keymgr_place() looks at its form */
        return agent_link_refuse(&((struct agent *)km)->link, e);
    memcpy(ret, answer.place, sizeof answer.place);
    return 0;
}

static int agent_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                       struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct agent_request q = {.op = AGENT_GRANT, .allowed = allowed};
    struct agent_answer answer;
    (void)!str_copy(q.id, sizeof q.id, id); /* key_locate() has looked at its length */
    if (str_copy(q.user, sizeof q.user, user ? user : "") < 0)
        return error_set(e, -EINVAL, "user %.64s: is too long for an id", user);
    int r = agent_call((struct agent *)km, &q, -1, &answer, &fd, e);
    if (r == 0)
        *ret_changed = answer.n != 0;
    return r;
}

static bool info_valid(const struct key_info *k)
{
    if (!memchr(k->host, '\0', sizeof k->host) || !str_made_of(k->host, "-_."))
        return false;
    if (k->damaged)
        return agent_id_valid(k->id) && !k->owner[0] && !k->vg[0];
    return agent_id_valid(k->id) && memchr(k->owner, '\0', sizeof k->owner) && uuid_valid(k->owner) &&
           memchr(k->vg, '\0', sizeof k->vg) && volume_group_valid(k->vg) && k->scope <= KEY_SCOPE_IMAGE;
}

static int agent_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_close_ int fd = -1;
    _cleanup_free_ void *records = NULL;
    struct agent_answer answer;
    int r = agent_call(a, &(struct agent_request){.op = AGENT_LIST}, -1, &answer, &fd, e);
    if (r == 0)
        r = agent_read_records(a, fd, answer.n, sizeof(struct key_info), &records, e);
    if (r < 0)
        return r;
    const struct key_info *keys = records;
    for (size_t i = 0; i < answer.n; i++)
        if (!info_valid(&keys[i]))
            return agent_link_refuse(&a->link, e);
    ret->n = answer.n;
    ret->keys = answer.n ? TAKE_PTR(records) : NULL;
    if (answer.incomplete < 0)
        error_receive(&ret->incomplete, answer.incomplete, answer.text, &answer.parts);
    return 0;
}

static int agent_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                          struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_close_ int fd = -1;
    struct agent_answer answer;
    int r = agent_call(a, &(struct agent_request){.op = AGENT_DIAGNOSE}, -1, &answer, &fd, e);
    if (r < 0)
        return r;
    if (answer.n > KEY_FINDINGS_MAX || fd_pread_all(fd, ret, answer.n * sizeof *ret, 0) < 0)
        return agent_link_refuse(&a->link, e);
    for (size_t i = 0; i < answer.n; i++) {
        if (!agent_result_valid(ret[i].result))
            return agent_link_refuse(&a->link, e);
        ret[i].what[sizeof ret[i].what - 1] = ret[i].text[sizeof ret[i].text - 1] = '\0';
        str_tame(ret[i].what);
        str_tame(ret[i].text);
    }
    *ret_n = answer.n;
    return 0;
}

/* Takes only ids that have the form of Keystone's. */
static void agent_asker(const struct keymgr *km, struct key_asker *ret)
{
    const struct key_asker *said = &((const struct agent *)km)->asker;
    if (memchr(said->user, '\0', sizeof said->user) && str_made_of(said->user, "-_"))
        memcpy(ret->user, said->user, sizeof ret->user);
    if (memchr(said->project, '\0', sizeof said->project) && str_made_of(said->project, "-_"))
        memcpy(ret->project, said->project, sizeof ret->project);
}

const struct keymgr_ops keymgr_barbican = {
    .name = "barbican",
    .network = true,
    .open = agent_open,
    .place = agent_place,
    .create_many = agent_create_many,
    .fetch_many = agent_fetch_many,
    .may_destroy_many = agent_may_destroy_many,
    .destroy_many = agent_destroy_many,
    .list = agent_list,
    .grant = agent_grant,
    .diagnose = agent_diagnose,
    .asker = agent_asker,
    .close = agent_close,
};
