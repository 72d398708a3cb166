/* SPDX-License-Identifier: Apache-2.0 */
/* The operations behind mayfly key: what the list says of each key, and what is never destroyed. */
#include "fail-once.h"
#include "instance/doubt.h"
#include "instance/key-list.h"
#include "instances.h"

#include <stdio.h>

/* ---------------------------------------------------------------------- list */

struct listing {
    struct model *m;
    struct key_list *l;
};

static struct listing list_keys(struct bench *b)
{
    struct listing x = {0};
    struct error e = ERROR_NONE;
    fake_again(&b->f);
    assert_ok(model_load(&b->f.context, &x.m, &e), e);
    assert_ok(key_list_load(&b->f.context, x.m->inventory, &x.l, &e), e);
    return x;
}

static void listing_end(struct listing *x)
{
    key_list_free(x->l);
    model_free(x->m);
}
#define _cleanup_listing_ _cleanup_(listing_end)

/* The state of the only key. */
static enum key_state only_state(struct bench *b)
{
    _cleanup_listing_ struct listing x = list_keys(b);
    assert_int_equal(x.l->n_keys, 1);
    return x.l->keys[0].state;
}

static void lose_volumes(struct bench *b)
{
    b->w->host.n_volumes = b->w->host.n_domains = 0;
}

static void ref_of(const struct bench *b, size_t key, char ref[KEY_REF_MAX])
{
    snprintf(ref, KEY_REF_MAX, "local:local/%.100s", b->w->host.keys[key].info.id);
}

static void test_used(void **state)
{
    struct bench *b = *state;
    char ref[KEY_REF_MAX];
    bench_make(b, "t", true);
    ref_of(b, 0, ref);
    _cleanup_listing_ struct listing x = list_keys(b);
    const struct key_entry *k = key_list_find(x.l, ref);
    assert_non_null(k);
    assert_int_equal(x.l->n_keys, 1);
    assert_int_equal(k->state, KEY_USED);
    assert_int_equal(k->n_volumes, 2);
    assert_int_equal(k->info.bits, KEY_SECRET_BITS);
    assert_int_equal(k->volumes[0]->key_bits, 512);
    assert_string_equal(k->info.owner, b->w->host.volumes[0].v.instance);
    assert_true(key_entry_used_by(k, k->info.owner));
    assert_false(key_entry_used_by(k, "11111111-1111-4111-8111-111111111111"));
    assert_null(key_list_find(x.l, "local:other"));
    assert_int_equal(x.l->n_managers, 1);
    assert_int_equal(x.l->managers[0].error.errnum, 0);
}

static void test_shared(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {.name = "t", .count = 2, .shared_key = true, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
    _cleanup_listing_ struct listing x = list_keys(b);
    assert_int_equal(x.l->n_keys, 1);
    assert_int_equal(x.l->keys[0].info.scope, KEY_SCOPE_BATCH);
    for (size_t i = 0; i < 2; i++)
        assert_true(key_entry_used_by(&x.l->keys[0], x.m->instances[i].uuid));
}

static void test_unused(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    lose_volumes(b);
    assert_int_equal(only_state(b), KEY_UNUSED);
    b->w->host.group.complete = false;
    _cleanup_listing_ struct listing x = list_keys(b);
    assert_non_null(strstr(x.l->keys[0].doubt.text, "physical volume"));
}

/* The way out fits the kind of pool. */
static void test_untagged(void **state)
{
    (void)state;
    static const char *const pools[][2] = {{"vg0", "lvchange --addtag"}, {"dir:0123456789ab", "file tags"}};
    for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
        struct group group = {.complete = true};
        struct untagged_volume untagged = {.lv = "5_disk"};
        struct inventory all = {.groups = &group, .n_groups = 1, .untagged = &untagged, .n_untagged = 1};
        snprintf(group.name, sizeof group.name, "%s", pools[i][0]);
        snprintf(untagged.vg, sizeof untagged.vg, "%s", pools[i][0]);
        REFUSED_WITH(-EUNSAFE, pools[i][1], doubt_of_group(&all, pools[i][0], &e));
    }
}

static void test_missing(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->host.n_keys = 0;
    _cleanup_listing_ struct listing x = list_keys(b);
    assert_int_equal(x.l->n_keys, 1);
    assert_int_equal(x.l->keys[0].state, KEY_MISSING);
    assert_int_equal(x.l->keys[0].n_volumes, 2);
    assert_string_equal(x.l->keys[0].info.owner, b->w->host.volumes[0].v.instance);
    assert_int_equal(x.l->keys[0].info.bits, 0);
}

/* What cannot be asked is neither missing nor unused, and no reason to say nothing. */
static void test_unreachable(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->keys_unreachable = true;
    _cleanup_listing_ struct listing x = list_keys(b);
    assert_int_equal(x.l->n_keys, 1);
    assert_int_equal(x.l->keys[0].state, KEY_UNSEEN);
    assert_int_equal(x.l->managers[0].error.errnum, -EHOSTUNREACH);
}

static void test_ephemeral(void **state)
{
    struct bench *b = *state;
    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "t", false);
    assert_int_equal(only_state(b), KEY_USED);
    world_reboot(&b->w->host);
    assert_int_equal(only_state(b), KEY_MISSING);
}

/* Keys made before the configuration named another manager, and one that this Mayfly does not have. */
static void test_managers_in_use(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    strcpy(b->f.config.key_backend, "ephemeral");
    strcpy(b->w->host.volumes[1].v.key, "vault:1234");
    _cleanup_listing_ struct listing x = list_keys(b);
    assert_int_equal(x.l->n_managers, 3);
    assert_int_equal(x.l->n_keys, 2);
    assert_int_equal(x.l->keys[0].state, KEY_USED);
    assert_int_equal(x.l->keys[1].state, KEY_UNSEEN);
    assert_string_equal(x.l->managers[2].name, "vault");
    assert_null(x.l->managers[2].km);
    assert_int_equal(x.l->managers[2].error.errnum, -EINVAL);
}

/* ------------------------------------------------------------------- destroy */

#define NO_KEY "6f1e8a8e-0000-4000-8000-00000000dead"

static int destroy(struct bench *b, const char *ref, struct error *e)
{
    *e = ERROR_NONE;
    fake_again(&b->f);
    return key_destroy(&b->f.context, ref, e);
}

static void assert_refused(struct bench *b, const char *ref, int r, const char *words)
{
    static struct host before;
    struct error e;
    before = b->w->host;
    assert_error(destroy(b, ref, &e), r, e);
    if (!strstr(e.text, words))
        fail_msg("said '%s', not '%s'", e.text, words);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

/* Of an instance nothing is left but its key: `ref`. */
static void leave_a_key(struct bench *b, char ref[KEY_REF_MAX])
{
    bench_make(b, "t", true);
    memcpy(ref, b->w->host.volumes[0].v.key, KEY_REF_MAX);
    b->w->host.n_volumes = b->w->host.n_domains = 0;
}

/* Whatever fails on the way: who is told that the key is gone has no key left, and who is told otherwise has
 * it. */
static void test_destroy_that_fails(void **state)
{
    struct bench *b = *state;
    static struct host before;
    char ref[KEY_REF_MAX];
    leave_a_key(b, ref);
    before = b->w->host;
    for (unsigned n = 1;; n++) {
        struct error e;
        b->w->host = before;
        b->w->hit = NULL;
        b->w->inject[0].kind = INJECT_ERROR_BEFORE;
        b->w->inject[0].at = b->w->calls + n;
        int r = destroy(b, ref, &e);
        b->w->inject[0].kind = INJECT_NOTHING;
        assert_int_equal(b->w->host.n_keys, r == 0 ? 0 : 1);
        if (!b->w->hit)
            break;
        if (r < 0)
            assert_true(e.errnum == r && e.text[0]);
        assert_true(n < 100);
    }
}

/* --wrap: memory that is not there; that of the world is. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return !world_allocates && fails("calloc") ? NO_MEMORY : __real_calloc(n, size);
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return !world_allocates && fails("reallocarray") ? NO_MEMORY : __real_reallocarray(old, n, size);
}

static void test_destroy_without_memory(void **state)
{
    struct bench *b = *state;
    static struct host before;
    char ref[KEY_REF_MAX];
    leave_a_key(b, ref);
    fake_again(&b->f);
    before = b->w->host;
    unsigned n = 0;
    do {
        struct error e = ERROR_NONE;
        b->w->host = before;
        calls = 0;
        failed = NULL;
        fail_at = ++n;
        int r = key_destroy(&b->f.context, ref, &e);
        fail_at = 0;
        assert_int_equal(b->w->host.n_keys, r == 0 ? 0 : 1);
        assert_error(r, failed ? -ENOMEM : 0, e);
        fake_again(&b->f);
    } while (failed);
    assert_true(n > 3);
}

static void test_destroy(void **state)
{
    struct bench *b = *state;
    struct error e;
    char ref[KEY_REF_MAX];
    bench_make(b, "t", true);
    bench_make(b, "other", true);
    ref_of(b, 0, ref);
    assert_refused(b, ref, -EUNSAFE, "mayfly delete t ");
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 0);
    assert_refused(b, ref, -EUNSAFE, "mayfly delete t ");
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 0);
    assert_refused(b, ref, -EUNSAFE, "none of its volumes");
    world_drop(b->w->host.domains, &b->w->host.n_domains, sizeof b->w->host.domains[0], 0);
    assert_ok(destroy(b, ref, &e), e);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_null(world_key(b->w, ref + strlen("local:local/")));
    assert_refused(b, ref, -ENOENT, "has no such key");
}

/* A domain has been there since its volumes were made. So they are elsewhere: their group was split, say. */
static void test_domain_without_volumes(void **state)
{
    struct bench *b = *state;
    const struct launch_request pair = {.name = "p", .count = 2, .shared_key = true, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;
    char ref[KEY_REF_MAX];
    assert_ok(bench_launch(b, &pair, &e), e);
    b->w->host.n_volumes = b->w->host.n_maps = 0;
    ref_of(b, 0, ref);
    assert_refused(b, ref, -EUNSAFE, "domain p-");
    world_drop(b->w->host.domains, &b->w->host.n_domains, sizeof b->w->host.domains[0], 0);
    assert_refused(b, ref, -EUNSAFE, "domain p-");
    b->w->host.domains[0].d.ours = false; /* it still names our maps */
    assert_refused(b, ref, -EUNSAFE, "domain p-");
    b->w->virt_gone = true;
    assert_refused(b, ref, -ECONNREFUSED, "libvirt");
    b->w->virt_gone = false;
    b->w->host.domains[0].defined.n = 0;
    assert_ok(destroy(b, ref, &e), e);
}

static void test_destroy_unfinished(void **state)
{
    struct bench *b = *state;
    char ref[KEY_REF_MAX];
    bench_make(b, "t", true);
    ref_of(b, 0, ref);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    assert_refused(b, ref, -EUNSAFE, "mayfly recover");
}

static void test_destroy_in_doubt(void **state)
{
    struct bench *b = *state;
    struct group group = b->w->host.group;
    struct damaged_volume *d = &b->w->host.damaged[0];
    char ref[KEY_REF_MAX];
    bench_make(b, "t", true);
    lose_volumes(b);
    ref_of(b, 0, ref);
    memcpy(d->vg, "vg0", 4);
    b->w->host.n_damaged = 1;
    assert_refused(b, ref, -EUNSAFE, "damaged tags");
    b->w->host.n_damaged = 0;
    b->w->host.group.complete = false;
    assert_refused(b, ref, -EUNSAFE, "physical volume");
    b->w->host.group = (struct group){0};
    assert_refused(b, ref, -EUNSAFE, "cannot be found");
    b->w->host.group = group;
}

/* A launch makes its key before any volume. */
static void test_destroy_of_a_launch_at_work(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    char ref[KEY_REF_MAX];
    bench_make(b, "t", true);
    lose_volumes(b);
    ref_of(b, 0, ref);
    fake_again(&b->f);
    struct broker *other = fake_broker_new(b->w);
    assert_ok(broker_lock(other, b->w->host.keys[0].info.owner, &e), e);
    assert_refused(b, ref, -EBUSY, "another mayfly");
    broker_disconnect(other);
    assert_ok(destroy(b, ref, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
}

static void test_destroy_what_is_none(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    assert_refused(b, "t", -EINVAL, "MANAGER:PLACE/ID");
    assert_refused(b, "vault:1234", -EINVAL, "vault");
    assert_refused(b, "ephemeral:1234", -EINVAL, "keeps no keys");
    assert_refused(b, "local:1234", -EINVAL, "is not an id of this key manager");
    assert_refused(b, "local:" NO_KEY, -ENOENT, "has no such key"); /* a typing error */
    assert_refused(b, "local:local/" NO_KEY, -ENOENT, "has no such key");
    assert_refused(b, "local:other/" NO_KEY, -EHOSTUNREACH, "nothing is known");
    b->w->keys_unreachable = true;
    assert_refused(b, "local:" NO_KEY, -EHOSTUNREACH, "cannot be reached");
}

/* --------------------------------------------------------------------- grant */

/* A manager that knows users, as few as one a key. */
static struct {
    char id[KEY_ID_MAX], user[KEY_USER_MAX];
    bool allowed;
    unsigned calls;
} granted;

static int note_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                      struct error *e)
{
    (void)km, (void)e;
    *ret_changed = granted.allowed != allowed;
    granted.allowed = allowed;
    granted.calls++;
    snprintf(granted.id, sizeof granted.id, "%s", id);
    snprintf(granted.user, sizeof granted.user, "%s", user ? user : "the host");
    return 0;
}

static int open_granting(const struct config *c, struct key_context *who, const char *name,
                         struct keymgr **ret, struct error *e)
{
    static struct keymgr_ops ops;
    int r = fake_keymgr_open(c, who, name, ret, e);
    if (r < 0)
        return r;
    ops = *(*ret)->ops;
    ops.grant = note_grant;
    (*ret)->ops = &ops;
    return 0;
}

static void test_grant(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    char ref[KEY_REF_MAX];
    bench_make(b, "t", true); /* two disks, one key */
    fake_again(&b->f);
    b->f.context.open_keymgr = open_granting;
    memset(&granted, 0, sizeof granted);
    assert_ok(key_grant(&b->f.context, "t", NULL, true, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(granted.calls, 1);
    assert_string_equal(granted.user, "the host");
    assert_string_equal(granted.id, b->w->host.keys[0].info.id);
    ref_of(b, 0, ref);
    assert_ok(key_grant(&b->f.context, ref, "bob", true, &changed, &e), e);
    assert_false(changed);
    assert_string_equal(granted.user, "bob");
    assert_ok(key_grant(&b->f.context, ref, "bob", false, &changed, &e), e);
    assert_true(changed);
    assert_false(granted.allowed);
}

static void test_grant_refused(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    assert_error(key_grant(&b->f.context, "t", NULL, true, &changed, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "knows no users"));
    e = ERROR_NONE;
    assert_error(key_grant(&b->f.context, "nobody", NULL, true, &changed, &e), -ENOENT, e);
    e = ERROR_NONE;
    b->f.config.encryption_enabled = false;
    bench_make(b, "plain", true);
    assert_error(key_grant(&b->f.context, "plain", NULL, true, &changed, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "not encrypted"));
}

static unsigned fetched, fetched_before_open, settled;

static bool waits_for_udevd(const struct world *w)
{
    bool waits = false;
    for (size_t i = 0; i < w->host.n_maps; i++)
        waits |= w->host.maps[i].unsettled;
    return waits;
}

static void note_fetches(struct world *w)
{
    settled += streq(w->person.call, "settle maps") && waits_for_udevd(w);
    fetched += streq(w->person.call, "key fetch");
    if (streq(w->person.call, "open") && !fetched_before_open)
        fetched_before_open = fetched;
    w->person.at = w->calls + 1;
}

/* Of several instances that are started together, all keys are fetched at once, and none is left in memory.
 */
static void test_fetched_ahead(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b", "c", "nobody", "b"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_use_barbican(b);
    for (size_t i = 0; i < 3; i++)
        bench_make(b, names[i], true);
    strcpy(b->w->host.keys[2].project, PROJECT_THEIRS);
    assert_ok(instance_start(&b->f.context, "a", &changed, &e), e); /* it needs none */
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = note_fetches;
    assert_error(instances_start(&b->f.context, names, ARRAY_SIZE(names), done, &e), -EACCES, e);
    assert_int_equal(fetched_before_open, 2);
    assert_int_equal(fetched, 2);
    assert_int_equal(b->f.context.managers->n_ahead, 0);
    assert_true(!done[0].changed && done[1].changed && !done[2].changed && !done[4].changed);
    assert_int_equal(done[0].error.errnum | done[1].error.errnum | done[4].error.errnum, 0);
    assert_non_null(strstr(done[2].error.text, "instance c: key barbican:"));
    assert_int_equal(done[3].error.errnum, -ENOENT);
}

static void test_opened_together(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        bench_make(b, names[i], true);
    fetched = settled = 0;
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = note_fetches;
    assert_ok(instances_start(&b->f.context, names, ARRAY_SIZE(names), done, &e), e);
    assert_int_equal(fetched, 4);
    assert_int_equal(settled, 1);
}

/* udevd fails for one map. Only the instance that it is of hears of that, though four wait together. */
static void test_one_map_without_its_node(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        bench_make(b, names[i], true);
    memcpy(b->w->without_node, b->w->host.volumes[3].v.lv, sizeof b->w->without_node);
    assert_error(instances_start(&b->f.context, names, ARRAY_SIZE(names), done, &e), -ENXIO, e);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(done[i].changed, i != 1);
        assert_int_equal(done[i].error.errnum, i == 1 ? -ENXIO : 0);
        assert_int_equal(b->w->host.domains[i].d.active, i != 1);
    }
    assert_int_equal(b->w->host.n_maps, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_used),
        bench_test(test_shared),
        bench_test(test_unused),
        bench_test(test_missing),
        bench_test(test_unreachable),
        bench_test(test_ephemeral),
        bench_test(test_managers_in_use),
        bench_test(test_destroy_that_fails),
        bench_test(test_destroy_without_memory),
        bench_test(test_destroy),
        bench_test(test_domain_without_volumes),
        bench_test(test_destroy_unfinished),
        bench_test(test_destroy_in_doubt),
        cmocka_unit_test(test_untagged),
        bench_test(test_destroy_of_a_launch_at_work),
        bench_test(test_destroy_what_is_none),
        bench_test(test_grant),
        bench_test(test_grant_refused),
        bench_test(test_fetched_ahead),
        bench_test(test_opened_together),
        bench_test(test_one_map_without_its_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
