/* SPDX-License-Identifier: Apache-2.0 */
/* What recover leaves alone, and says: others at work, doubt, what cannot be reached. What it puts in order
 * is the matter of the matrix (tests/fake/matrix.c). */
#include "host-tree.h"
#include "instances.h"

#include "storage/active.h"
#include "virt/domain-xml.h"

#include <stdio.h>

struct result {
    struct recovered *done;
    size_t n;
    int r;
    struct error e;
};

static struct result recover(struct bench *b, bool dry_run)
{
    struct result x = {0};
    fake_again(&b->f);
    x.r = instance_recover(&b->f.context, dry_run ? RECOVER_DRY_RUN : 0, &x.done, &x.n, &x.e);
    return x;
}

/* Is the only line about this? */
static struct result about(struct result x, enum recover_fault fault)
{
    if (x.n != 1 || x.done[0].fault != fault)
        fail_msg("%zu lines, about fault %d", x.n, x.n ? (int)x.done[0].fault : -1);
    return x;
}

/* One line, of this kind, with these words. */
static void expect(struct result x, int r, enum recover_kind kind, const char *words)
{
    if (x.n != 1 || x.r != r || x.done[0].kind != kind || !strstr(x.done[0].text, words))
        fail_msg("%zu lines, %d (%s): kind %d: %s: %s", x.n, x.r, x.e.text, x.n ? (int)x.done[0].kind : -1,
                 x.n ? x.done[0].object : "", x.n ? x.done[0].text : "");
    free(x.done);
}

static void expect_nothing(struct result x)
{
    if (x.n || x.r)
        fail_msg("%zu lines, %d: %s", x.n, x.r, x.n ? x.done[0].text : x.e.text);
    free(x.done);
}

/* As a launch leaves it that was cut off before it counted. */
static void cut_off_launch(struct bench *b)
{
    bench_make(b, "t", false);
    world_reboot(&b->w->host);
    b->w->host.volumes[0].v.state = VOLUME_BUILDING;
}

static void damage(struct bench *b, const char *lv)
{
    struct damaged_volume *d = &b->w->host.damaged[b->w->host.n_damaged++];
    memcpy(d->vg, "vg0", 4);
    memcpy(d->lv, lv, strlen(lv) + 1);
}

static void lose_volumes(struct bench *b)
{
    bench_make(b, "t", true);
    b->w->host.n_volumes = b->w->host.n_domains = 0;
}

static void test_in_order(void **state)
{
    struct bench *b = *state;
    bench_make(b, "runs", false);
    bench_make(b, "stopped", true);
    expect_nothing(recover(b, false));
}

static void test_dry_run(void **state)
{
    struct bench *b = *state;
    static struct host before;
    cut_off_launch(b);
    before = b->w->host;
    expect(recover(b, true), 0, RECOVER_REMOVED, "to be done");
    assert_memory_equal(&before, &b->w->host, sizeof before);
    expect(recover(b, false), 0, RECOVER_REMOVED, "cut off");
    assert_int_equal(b->w->host.n_volumes + b->w->host.n_keys + b->w->host.n_domains, 0);
}

static void test_busy(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    cut_off_launch(b);
    fake_again(&b->f); /* the launch is over; another is at work: */
    struct broker *other = fake_broker_new(b->w);
    assert_ok(broker_lock(other, b->w->host.volumes[0].v.instance, &e), e);
    expect(recover(b, false), 0, RECOVER_BUSY, "another mayfly");
    assert_int_equal(b->w->host.n_volumes, 2);
    broker_disconnect(other);
}

/* Beside what another works on the rest is put in order, and nothing is tried without its lock. */
static void test_busy_beside_others(void **state)
{
    struct bench *b = *state;
    bench_make(b, "a", false);
    bench_make(b, "b", false);
    world_reboot(&b->w->host);
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        b->w->host.volumes[i].v.state = VOLUME_BUILDING;
    fake_again(&b->f);
    struct broker *other = fake_broker_new(b->w);
    OK(broker_lock(other, b->w->host.volumes[0].v.instance, &e));
    struct result x = recover(b, false);
    assert_ok(x.r, x.e);
    assert_int_equal(x.n, 2);
    assert_int_equal(x.done[0].kind, RECOVER_BUSY);
    assert_int_equal(x.done[1].kind, RECOVER_REMOVED);
    free(x.done);
    assert_int_equal(b->w->host.n_volumes, 2);
    broker_disconnect(other);
    expect(recover(b, false), 0, RECOVER_REMOVED, "cut off");
}

/* Its lvm may be at work. */
static void test_suspended_volume_of_another(void **state)
{
    struct bench *b = *state;
    bench_make(b, "a", false);
    bench_make(b, "b", false);
    fake_again(&b->f);
    struct world_volume *a = &b->w->host.volumes[0], *other = &b->w->host.volumes[b->w->host.n_volumes - 1];
    assert_string_not_equal(a->v.instance, other->v.instance);
    a->suspended = other->suspended = true;
    struct broker *at_work = fake_broker_new(b->w);
    OK(broker_lock(at_work, a->v.instance, &e));
    struct result x = recover(b, false);
    assert_ok(x.r, x.e);
    free(x.done);
    assert_true(a->suspended);
    assert_false(other->suspended);
    broker_disconnect(at_work);
    expect(recover(b, false), 0, RECOVER_RESUMED, "left it suspended: resumed");
    assert_false(a->suspended);
}

/* A key is made before any volume: without the lock it would look like one that is left over. */
static void test_key_of_a_launch_at_work(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    lose_volumes(b);
    fake_again(&b->f);
    struct broker *other = fake_broker_new(b->w);
    assert_ok(broker_lock(other, b->w->host.keys[0].info.owner, &e), e);
    expect(recover(b, false), 0, RECOVER_BUSY, "another mayfly");
    assert_int_equal(b->w->host.n_keys, 1);
    broker_disconnect(other);
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
    assert_int_equal(b->w->host.n_keys, 0);
}

static void test_key_in_doubt(void **state)
{
    struct bench *b = *state;
    struct group group = b->w->host.group;
    lose_volumes(b);
    damage(b, "something");
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "damaged tags");
    b->w->host.n_damaged = 0;
    b->w->host.group.complete = false;
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "physical volume");
    b->w->host.group = (struct group){0};
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "cannot be found");
    assert_int_equal(b->w->host.n_keys, 1);
    b->w->host.group = group;
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), 0, RECOVER_KEY, "destroyed");
}

/* Its tags may have been deleted by a slip: then nothing but the key is needed to have it back. */
static void test_key_of_a_volume_without_tags(void **state)
{
    struct bench *b = *state;
    struct untagged_volume *u = &b->w->host.untagged[0];
    lose_volumes(b);
    *u = (struct untagged_volume){.vg = "vg0"};
    memcpy(u->instance, b->w->host.keys[0].info.owner, sizeof u->instance);
    b->w->host.n_untagged = 1;
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "may have lost");
    uuid_make(u->instance); /* it may have lost its name too */
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "may have lost");
    assert_int_equal(b->w->host.n_keys, 1);
    strcpy(u->vg, "vg1");
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
}

static void test_damaged_volume_keeps_its_instance(void **state)
{
    struct bench *b = *state;
    char lv[LV_NAME_MAX];
    cut_off_launch(b);
    snprintf(lv, sizeof lv, "%.36s_disk.eph0", b->w->host.volumes[0].v.instance);
    damage(b, lv);
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "damaged");
    assert_int_equal(b->w->host.n_volumes, 2);
    assert_int_equal(b->w->host.n_keys, 1);
}

static void test_key_manager_unreachable(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", false);
    b->w->keys_unreachable = true;
    assert_error(instance_delete(&b->f.context, "t", &changed, &e), -EHOSTUNREACH, e);
    assert_non_null(strstr(e.text, "mayfly recover"));
    assert_int_equal(b->w->host.n_domains + b->w->host.n_maps, 0);
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_DOOMED);
    assert_int_equal(b->w->host.volumes[1].v.state, VOLUME_DOOMED);

    struct result x = recover(b, false); /* of the keys, and of the instance */
    assert_int_equal(x.r, -EHOSTUNREACH);
    assert_int_equal(exit_code(x.r), 6);
    assert_non_null(strstr(x.e.text, "try again"));
    assert_int_equal(x.n, 2);
    free(x.done);
    b->w->virt_gone = true; /* then it is more than that */
    x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    assert_int_equal(x.n, 3);
    free(x.done);
    b->w->virt_gone = false;
    b->w->keys_unreachable = false;
    expect(recover(b, false), 0, RECOVER_DELETED, "finished");
    assert_int_equal(b->w->host.n_volumes + b->w->host.n_keys, 0);
}

static void test_libvirt_unreachable(void **state)
{
    struct bench *b = *state;
    cut_off_launch(b);
    b->w->virt_gone = true;
    struct result x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    assert_int_equal(x.n, 2);
    assert_string_equal(x.done[0].object, "libvirt");
    assert_non_null(strstr(x.done[1].text, "once libvirt"));
    free(x.done);
    assert_int_equal(b->w->host.n_volumes, 2);
    b->w->virt_gone = false;
    expect(recover(b, false), 0, RECOVER_REMOVED, "cut off");
}

static void test_maps_stay_while_libvirt_is_away(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    b->w->virt_gone = true;
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "cannot be reached");
    assert_int_equal(b->w->host.n_maps, 2);
}

static void test_foreign_domain(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    b->w->host.domains[0].d.ours = false;
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "Mayfly's mark");
    assert_true(b->w->host.domains[0].d.active);
    b->w->host.domains[0].d.active = false;
    expect(recover(b, false), 0, RECOVER_DELETED, "finished");
    assert_int_equal(b->w->host.n_domains, 1); /* not ours to undefine */
    assert_int_equal(b->w->host.domains[0].defined.n, 0);
}

static void test_single_disk(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->host.volumes[1].v.state = VOLUME_BUILDING;
    expect(recover(b, false), 0, RECOVER_REMOVED, "this disk");
    assert_int_equal(b->w->host.n_volumes, 1);
    assert_string_equal(b->w->host.volumes[0].v.role, "root");
    assert_int_equal(b->w->host.n_keys, 1); /* root's as well */
    assert_int_equal(b->w->host.n_domains, 1);
}

static void test_ready_without_key(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = GIB, .no_start = true};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
    b->w->host.n_keys = 0;
    expect(about(recover(b, false), FAULT_VOLUME_WITHOUT_KEY), -ENEEDSRECOVER, RECOVER_REMAINS,
           "does not exist in its key manager");
    assert_int_equal(b->w->host.n_volumes, 1);
}

static void test_ephemeral_key_after_reboot(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;
    strcpy(b->f.config.key_backend, "ephemeral");
    assert_ok(bench_launch(b, &q, &e), e);
    expect_nothing(recover(b, false));
    world_reboot(&b->w->host);
    expect(about(recover(b, false), FAULT_VOLUME_WITHOUT_KEY), -ENEEDSRECOVER, RECOVER_REMAINS,
           "was lost when its map was closed");
    assert_int_equal(b->w->host.n_volumes, 1);
}

/* Keys made before the configuration named another manager. */
static void test_former_manager(void **state)
{
    struct bench *b = *state;
    bench_make(b, "gone", true);
    b->w->host.n_volumes = b->w->host.n_domains = 0;
    bench_make(b, "t", true);
    strcpy(b->f.config.key_backend, "ephemeral");
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
    assert_int_equal(b->w->host.n_keys, 1);
}

static void test_orphan_map(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    b->w->host.domains[0].d.active = false;
    b->w->host.n_maps = 1;
    b->w->host.n_volumes = b->w->host.n_keys = 0;
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "may need it");
    b->w->host.n_domains = 0;
    expect(recover(b, false), 0, RECOVER_CLOSED, "closed");
    assert_int_equal(b->w->host.n_maps, 0);
}

/* Launches instances that share a key: t, or t-1 and t-2. */
static void launch_batch(struct bench *b, unsigned count, bool no_start)
{
    const struct launch_request q = {
        .name = "t", .count = count, .shared_key = true, .disks.root_bytes = GIB, .no_start = no_start};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
}

static void cannot_delete(struct bench *b, const char *name, const char *words)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    assert_error(instance_delete(&b->f.context, name, &changed, &e), -EUNSAFE, e);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static void test_batch_key_goes_with_its_last_user(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    launch_batch(b, 2, false);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_ok(instance_delete(&b->f.context, "t-2", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 1);

    /* in doubt nothing is begun, or finished */
    damage(b, "something");
    cannot_delete(b, "t-1", "damaged tags");
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "damaged tags");
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.n_volumes, 1);
    b->w->host.n_damaged = 0;
    expect(recover(b, false), 0, RECOVER_DELETED, "finished");
    assert_int_equal(b->w->host.n_keys, 0);
}

/* The other of two has a domain and no volumes: they are out of sight, and need the key. */
static void test_batch_key_of_a_domain_without_volumes(void **state)
{
    struct bench *b = *state;
    launch_batch(b, 2, false);
    const char *domain = strstr(b->w->host.volumes[0].v.name, "t-1") ? "t-1" : "t-2";
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 1);
    cannot_delete(b, domain, "none of its volumes");
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    b->w->host.n_maps = 0;
    expect(recover(b, false), -ENEEDSRECOVER, RECOVER_REMAINS, "none of its volumes");
    assert_int_equal(b->w->host.n_keys, 1);
}

/* What the kernel tells of an active disk of this instance in a group that is not configured. */
static void show_elsewhere(void **tree, const char *uuid)
{
    char name[100] = "spare-";
    for (size_t n = strlen(name); *uuid; uuid++) {
        name[n++] = *uuid;
        if (*uuid == '-')
            name[n++] = '-';
        name[n] = '\0';
    }
    strcat(name, "_disk\n");
    host_tree_write(tree, "sys/class/block/dm-0/dm/name", name);
    host_tree_write(tree, "sys/class/block/dm-0/dm/uuid", "LVM-x\n");
}

/* The volume of the other of two went to a group that is not configured, and its domain was undefined. */
static void test_batch_key_of_a_volume_elsewhere(void **state)
{
    struct bench *b = *state;
    void *tree = NULL;
    assert_int_equal(folder_make(&tree), 0);
    launch_batch(b, 2, false);
    char left[UUID_TEXT];
    memcpy(left, b->w->host.volumes[0].v.instance, sizeof left);
    show_elsewhere(&tree, b->w->host.volumes[1].v.instance);
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 1);
    size_t other = streq(b->w->host.domains[0].d.uuid, left) ? 1 : 0;
    world_drop(b->w->host.domains, &b->w->host.n_domains, sizeof b->w->host.domains[0], other);
    b->w->root = tree;
    fake_again(&b->f);

    cannot_delete(b, left, "volume spare/");
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
    b->w->host.n_volumes = b->w->host.n_domains = b->w->host.n_maps = 0;
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "of a group that is not configured");
    assert_int_equal(b->w->host.n_keys, 1);
    b->w->root = NULL;
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
    folder_remove(&tree);
}

/* Of a key that is one instance's alone only its own volumes count. */
static void test_key_of_a_volume_elsewhere(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    char ref[KEY_REF_MAX];
    void *tree = NULL;
    assert_int_equal(folder_make(&tree), 0);
    lose_volumes(b);
    show_elsewhere(&tree, b->w->host.keys[0].info.owner);
    b->w->root = tree;
    fake_again(&b->f);
    snprintf(ref, sizeof ref, "local:local/%s", b->w->host.keys[0].info.id);
    assert_error(key_destroy(&b->f.context, ref, &e), -EUNSAFE, e); /* nor by hand */
    assert_non_null(strstr(e.text, "of a group that is not configured"));
    assert_int_equal(b->w->host.n_keys, 1);
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "of a group that is not configured");
    show_elsewhere(&tree, "6f1e8a8e-0000-4000-8000-000000000000");
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
    folder_remove(&tree);
}

static unsigned looks; /* at the active volumes */
int __real_active_load(const char *root, struct active_list *ret, struct error *e);
int __wrap_active_load(const char *root, struct active_list *ret, struct error *e);
int __wrap_active_load(const char *root, struct active_list *ret, struct error *e)
{
    looks++;
    return __real_active_load(root, ret, e);
}

/* Once for the list of keys, once before they are destroyed. */
static void test_active_volumes_are_looked_at_once(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {.name = "t", .count = 3, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
    b->w->host.n_volumes = b->w->host.n_domains = b->w->host.n_maps = 0;
    looks = 0;
    struct result x = recover(b, false);
    assert_ok(x.r, x.e);
    free(x.done);
    assert_int_equal(b->w->host.n_keys, 0);
    assert_int_equal(looks, 2);
}

/* Its volumes are gone, with their group, and its domain is not: recover keeps the key. */
static void test_key_of_a_domain_without_volumes(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->host.n_volumes = 0;
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "none of its volumes");
    b->w->virt_gone = true;
    struct result x = recover(b, false); /* libvirt, and the key */
    assert_int_equal(x.n, 2);
    free(x.done);
    b->w->virt_gone = false;
    assert_int_equal(b->w->host.n_keys, 1);
    b->w->host.n_domains = 0;
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
}

#define STRANGER "99999999-9999-4999-8999-999999999999"

static struct {
    const struct virt_ops *real;
    int r;            /* what libvirt answers about the stranger; 0: what is so */
    unsigned n_views; /* how often it was asked */
} stranger;

static int view_stranger(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                         struct error *e)
{
    if (!streq(uuid, STRANGER))
        return stranger.real->view(v, uuid, side, ret, e);
    stranger.n_views++;
    *ret = (struct domain_view){.found = false};
    return stranger.r ? error_set(e, stranger.r, "libvirt: cannot be asked")
                      : stranger.real->view(v, uuid, side, ret, e);
}

/* After fake_again() it is as before. */
static void watch_stranger(struct bench *b, int r)
{
    static struct virt_ops ops;
    fake_again(&b->f);
    stranger.real = b->f.context.virt->ops;
    stranger.r = r;
    stranger.n_views = 0;
    ops = *stranger.real;
    ops.view = view_stranger;
    b->f.context.virt->ops = &ops;
}

/* A domain that nobody can look at may need the key. Nothing is begun that the destroy step could not end. */
static void test_batch_key_while_a_domain_cannot_be_asked(void **state)
{
    static const int answers[] = {-EIO, -ECONNREFUSED, -EHOSTUNREACH, -EAGAIN, -ENOKEY, -ETIMEDOUT};
    struct bench *b = *state;
    static struct host before;
    struct error e = ERROR_NONE;
    bool changed = false;
    launch_batch(b, 1, false);
    world_add_domain(b->w, "stranger", STRANGER);
    before = b->w->host;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        e = ERROR_NONE;
        watch_stranger(b, answers[i]);
        assert_error(instance_delete(&b->f.context, "t", &changed, &e), answers[i], e);
        assert_non_null(strstr(e.text, "cannot be deleted"));
        assert_memory_equal(&before, &b->w->host, sizeof before);
    }
    e = ERROR_NONE;
    watch_stranger(b, 0);
    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
}

/* However many keys there are: once before anything is changed, and once before they are destroyed. */
static void test_domains_are_asked_once_for_all_keys(void **state)
{
    struct bench *b = *state;
    const char *const names[] = {"a", "b", "c"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    for (char name[] = "a"; name[0] <= 'c'; name[0]++) {
        const struct launch_request q = {
            .name = name, .count = 1, .shared_key = true, .disks.root_bytes = GIB, .no_start = true};
        assert_ok(bench_launch(b, &q, &e), e);
    }
    world_add_domain(b->w, "stranger", STRANGER);
    watch_stranger(b, 0);
    assert_ok(instances_delete(&b->f.context, names, ARRAY_SIZE(names), done, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
    assert_int_equal(stranger.n_views, 2);
}

/* As virt-clone makes it: our mark, a uuid of its own, and disks in files or of the instance itself. It says
 * nothing of keys, and is not to be undefined for one. A map or volume of its own uuid does. */
static void test_batch_key_beside_a_clone(void **state)
{
    static const char *const own[] = {"/dev/mapper/" STRANGER "_disk-dmcrypt", "/dev/vg9/" STRANGER "_disk"};
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    launch_batch(b, 1, true);
    struct world_domain *clone = world_add_domain(b->w, "clone", STRANGER);
    clone->defined = b->w->host.domains[0].defined;
    clone->d.ours = true;
    char *path = clone->defined.disk[0].path;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        strcpy(path, own[i]);
        fake_again(&b->f);
        cannot_delete(b, "t", "none of its volumes");
    }
    strcpy(path, "/var/lib/libvirt/images/clone.img");
    fake_again(&b->f);
    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
    assert_int_equal(b->w->host.n_domains, 1);
}

/* Nova's own domain has no mark, and its volumes are seen, in another group. One that is not seen counts. */
static void test_batch_key_beside_a_domain_of_novas(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    launch_batch(b, 1, true);
    struct world_domain *nova = world_add_domain(b->w, "instance-00000001", STRANGER);
    nova->defined = b->w->host.domains[0].defined;
    strcpy(nova->defined.disk[0].path, "/dev/mapper/" STRANGER "_disk-dmcrypt");
    cannot_delete(b, "t", "images_volume_group");
    b->w->host.untagged[b->w->host.n_untagged++] =
        (struct untagged_volume){.vg = "vg1", .lv = STRANGER "_disk", .instance = STRANGER};
    fake_again(&b->f);
    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
}

/* A copy of this host, with its machine id, keeps its keys in the same project. */
static void test_key_of_a_copied_host(void **state)
{
    struct bench *b = *state;
    lose_volumes(b);
    strcpy(b->w->host.keys[0].info.host, "node-2");
    expect(about(recover(b, false), FAULT_KEY_WITHOUT_VOLUME), -ENEEDSRECOVER, RECOVER_REMAINS,
           "host node-2, which has the machine id");
    assert_int_equal(b->w->host.n_keys, 1);
    bench_make(b, "t", true); /* one that was renamed */
    strcpy(b->w->host.keys[1].info.host, "node-2");
    b->w->host.keys[0].info.host[0] = '\0';
    expect(recover(b, false), 0, RECOVER_KEY, "destroyed");
    assert_int_equal(b->w->host.n_keys, 1);
}

/* A start has ten minutes to follow. Then its disks are closed, unless somebody has them; what a person has
 * opened stays, whatever a program said after him. */
static void test_no_start_follows(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    assert_ok(instance_open(&b->f.context, "t", MAP_FOR_START, &changed, &e), e);
    expect_nothing(recover(b, false));
    bench_age_maps(b, START_WITHIN_SEC - 60);
    expect_nothing(recover(b, false));
    assert_int_equal(b->w->host.n_maps, 2);

    bench_age_maps(b, START_WITHIN_SEC + 1);
    b->w->host.maps[0].held = true;
    struct result x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    free(x.done);
    assert_int_equal(b->w->host.n_maps, 1);
    b->w->host.maps[0].held = false;
    expect(recover(b, false), 0, RECOVER_CLOSED, "closed");
    assert_int_equal(b->w->host.n_maps, 0);

    assert_ok(instance_open(&b->f.context, "t", MAP_FOR_START, &changed, &e), e);
    bench_age_maps(b, (uint32_t)-3600); /* of another boot */
    x = recover(b, false);
    assert_int_equal(x.n, 2);
    free(x.done);
    assert_int_equal(b->w->host.n_maps, 0);

    assert_ok(instance_open(&b->f.context, "t", MAP_TO_STAY, &changed, &e), e);
    assert_ok(instance_open(&b->f.context, "t", MAP_FOR_START, &changed, &e), e);
    assert_false(changed);
    bench_age_maps(b, START_WITHIN_SEC + 1);
    expect_nothing(recover(b, false));
    assert_int_equal(b->w->host.n_maps, 2);
}

/* Its guest runs, however long ago that was. */
static void test_the_start_has_followed(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    assert_ok(instance_open(&b->f.context, "t", MAP_FOR_START, &changed, &e), e);
    assert_true(world_start_guest(b->w, &b->w->host.domains[0]));
    bench_age_maps(b, START_WITHIN_SEC + 1);
    expect_nothing(recover(b, false));
    assert_int_equal(b->w->host.n_maps, 2);
}

/* As the timer runs it: a network is asked for nothing, unless something is unfinished. */
static void test_quick(void **state)
{
    struct bench *b = *state;
    struct result x = {0};
    bench_use_barbican(b);
    bench_make(b, "gone", true);
    b->w->host.n_volumes = b->w->host.n_domains = 0;
    bench_make(b, "t", true);
    for (int again = 0; again < 2; again++) {
        fake_again(&b->f);
        b->w->keys_unreachable = again == 0; /* nobody notices */
        x.r = instance_recover(&b->f.context, RECOVER_QUICK, &x.done, &x.n, &x.e);
        expect_nothing(x);
    }
    assert_int_equal(b->w->host.n_keys, 2);
    b->w->host.volumes[1].v.state = VOLUME_BUILDING;
    fake_again(&b->f);
    x.r = instance_recover(&b->f.context, RECOVER_QUICK, &x.done, &x.n, &x.e);
    assert_int_equal(x.r, 0);
    assert_int_equal(x.n, 2); /* the disk, and the key */
    free(x.done);
    assert_int_equal(b->w->host.n_keys, 1);
}

/* Of several names one is refused, before anything of it is changed, and the others go. Who is last to have
 * a key that is in doubt is found among them too. */
static void test_delete_of_several(void **state)
{
    struct bench *b = *state;
    const struct launch_request pair = {.name = "t", .count = 2, .shared_key = true, .disks.root_bytes = GIB};
    const char *const names[] = {"t-2", "alone", "nobody", "t-1", "t-2"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &pair, &e), e);
    bench_make(b, "alone", true);
    damage(b, "11111111-1111-4111-8111-111111111111_disk");
    assert_error(instances_delete(&b->f.context, names, ARRAY_SIZE(names), done, &e), -ENOENT, e);
    assert_true(done[0].changed && done[1].changed);
    assert_false(done[2].changed);
    assert_int_equal(done[2].error.errnum, -ENOENT);
    assert_int_equal(done[3].error.errnum, -EUNSAFE);
    assert_non_null(strstr(done[3].error.text, "instance t-1: cannot be deleted"));
    assert_false(done[4].changed || done[4].error.errnum);
    assert_int_equal(b->w->host.n_volumes, 1);
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.n_domains, 1);
}

/* Their keys are asked about together, and one that is not the caller's keeps its own instance alone. */
static void test_delete_of_several_with_key_of_others(void **state)
{
    struct bench *b = *state;
    const char *const names[] = {"a", "b", "c"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    bench_use_barbican(b);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        bench_make(b, names[i], true);
    strcpy(b->w->host.keys[1].project, PROJECT_THEIRS);
    assert_error(instances_delete(&b->f.context, names, ARRAY_SIZE(names), done, &e), -EACCES, e);
    assert_non_null(strstr(e.text, "instance b: cannot be deleted: key barbican:"));
    assert_true(done[0].changed && done[2].changed);
    assert_false(done[1].changed);
    assert_int_equal(done[0].key.fate, KEY_FATE_GONE);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.n_volumes, 2);
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
}

/* A volume that says of no instance that it is its own may be anybody's. */
static void test_delete_beside_a_stray_volume(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    damage(b, "something");
    cannot_delete(b, "t", "something");
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
    strcpy(b->w->host.damaged[0].tagged, "11111111-1111-4111-8111-111111111111");
    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
}

/* Who asks in the wrong place neither destroys nor changes anything, and recover has nothing against it. */
static void test_keys_of_another_place(void **state)
{
    struct bench *b = *state;
    static struct host before;
    bench_make(b, "t", true);
    before = b->w->host;
    for (int place = PLACE_OTHER; place <= PLACE_FOREIGN; place++) {
        int wanted = place == PLACE_FOREIGN ? -EACCES : -EHOSTUNREACH;
        struct error e = ERROR_NONE;
        bool changed = false;
        b->w->place = place;
        fake_again(&b->f);
        assert_error(instance_delete(&b->f.context, "t", &changed, &e), wanted, e);
        assert_memory_equal(&before, &b->w->host, sizeof before);
        expect_nothing(recover(b, false));
        assert_memory_equal(&before, &b->w->host, sizeof before);
    }
    b->w->place = PLACE_OWN;
    expect_nothing(recover(b, false));
}

static struct outcome delete_one(struct bench *b, const char *name, bool forget)
{
    struct outcome d;
    struct error e = ERROR_NONE;
    fake_again(&b->f);
    if (forget)
        assert_ok(instances_delete_forget_keys(&b->f.context, &name, 1, &d, &e), e);
    else
        assert_ok(instances_delete(&b->f.context, &name, 1, &d, &e), e);
    assert_true(d.changed);
    return d;
}

/* What is said of the key is what became of it. */
static void test_end_of_the_key(void **state)
{
    struct bench *b = *state;
    const struct launch_request three = {
        .name = "t", .count = 3, .shared_key = true, .disks = {.root_bytes = GIB, .swap_bytes = GIB}};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &three, &e), e);
    struct outcome d = delete_one(b, "t-2", false);
    assert_int_equal(d.key.fate, KEY_FATE_STAYS);
    assert_int_equal(d.key.n_others, 2);
    d = delete_one(b, "t-1", false);
    assert_int_equal(d.key.n_others, 1);
    d = delete_one(b, "t-3", false);
    assert_int_equal(d.key.fate, KEY_FATE_GONE);
    assert_int_equal(b->w->host.n_keys, 0);
    bench_make(b, "alone", true);
    d = delete_one(b, "alone", false);
    assert_int_equal(d.key.fate, KEY_FATE_GONE);
    b->f.config.encryption_enabled = false;
    bench_make(b, "plain", true);
    d = delete_one(b, "plain", false);
    assert_int_equal(d.key.fate, KEY_FATE_NONE);
}

/* By name, for a manager that is gone for good: before anything was begun, and after a delete was cut off. */
static void test_forget_key(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    bench_make(b, "u", true);
    bench_make(b, "v", true);
    b->w->place = PLACE_OTHER;
    struct outcome d = delete_one(b, "t", true);
    assert_int_equal(d.key.fate, KEY_FATE_FORGOTTEN);
    assert_int_equal(b->w->host.n_volumes, 4);
    assert_int_equal(b->w->host.n_keys, 3);

    b->w->place = PLACE_OWN;
    b->w->keys_unreachable = true;
    fake_again(&b->f);
    assert_error(instance_delete(&b->f.context, "u", &changed, &e), -EHOSTUNREACH, e);
    d = delete_one(b, "u", true);
    assert_int_equal(d.key.fate, KEY_FATE_FORGOTTEN);
    assert_int_equal(b->w->host.n_volumes, 2);
    assert_int_equal(b->w->host.n_keys, 3);

    b->w->keys_unreachable = false; /* it was not gone */
    d = delete_one(b, "v", true);
    assert_int_equal(d.key.fate, KEY_FATE_GONE);
    assert_int_equal(b->w->host.n_keys, 2);
}

static int delete_leaving(struct bench *b, const char *name, struct outcome *d, struct error *e)
{
    fake_again(&b->f);
    return instances_delete_leave_keys(&b->f.context, &name, 1, d, e);
}

/* Who may not destroy the key removes the disks; who may destroys the key, there and then or by recover. What
 * is no matter of rights keeps it, and the disks. */
static void test_leave_key(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct outcome d;
    bool changed = false;
    bench_use_barbican(b);
    bench_make(b, "t", true);
    bench_make(b, "u", true);
    bench_make(b, "v", true);
    fake_ask_as(&b->f, PROJECT_THEIRS);
    fake_again(&b->f);
    assert_error(instance_delete(&b->f.context, "t", &changed, &e), -EACCES, e);
    assert_int_equal(b->w->host.n_volumes, 6);

    e = ERROR_NONE;
    b->w->place = PLACE_OTHER; /* who knows whose it is there? */
    fake_again(&b->f);
    assert_error(delete_leaving(b, "v", &d, &e), -EHOSTUNREACH, e);
    assert_int_equal(b->w->host.n_domains, 3);
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        assert_int_equal(b->w->host.volumes[i].v.state, VOLUME_READY);
    b->w->place = PLACE_OWN;
    fake_again(&b->f);

    e = ERROR_NONE;
    b->w->keys_unreachable = true;
    assert_error(delete_leaving(b, "v", &d, &e), -EHOSTUNREACH, e);
    assert_int_equal(b->w->host.n_volumes, 6);
    b->w->keys_unreachable = false;

    e = ERROR_NONE;
    assert_ok(delete_leaving(b, "t", &d, &e), e);
    assert_int_equal(d.key.fate, KEY_FATE_LEFT);
    assert_int_equal(b->w->host.n_volumes, 4);
    assert_int_equal(b->w->host.n_domains, 1); /* v has none any more */
    assert_int_equal(b->w->host.n_keys, 3);

    fake_ask_as(&b->f, PROJECT_OURS);
    assert_ok(delete_leaving(b, "u", &d, &e), e);
    assert_int_equal(d.key.fate, KEY_FATE_GONE);
    assert_int_equal(b->w->host.n_keys, 2);
    struct result x = recover(b, false);
    assert_int_equal(x.r, 0);
    free(x.done);
    assert_int_equal(b->w->host.n_volumes, 0); /* v's, which say doomed */
    assert_int_equal(b->w->host.n_keys, 0);
}

/* The same with a reference from before places. */
static void test_old_reference_of_another_place(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        snprintf(b->w->host.volumes[i].v.key, KEY_REF_MAX, "local:%.100s", b->w->host.keys[0].info.id);
    expect_nothing(recover(b, false));
    b->w->place = PLACE_OTHER;
    fake_again(&b->f);
    assert_error(instance_delete(&b->f.context, "t", &changed, &e), -EHOSTUNREACH, e);
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
    expect_nothing(recover(b, false));
    b->w->place = PLACE_OWN;
    e = ERROR_NONE;
    fake_again(&b->f);
    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys + b->w->host.n_volumes, 0);
}

/* A tag that was changed names a key that is none: then the one that nobody names may be the right one. */
static void test_key_of_a_volume_with_a_changed_tag(void **state)
{
    static const char *const refs[] = {"local:local/11111111-1111-4111-8111-111111111111",
                                       "local:other/11111111-1111-4111-8111-111111111111",
                                       "local:11111111-1111-4111-8111-111111111111",
                                       "vault:11111111-1111-4111-8111-111111111111", NULL};
    struct bench *b = *state;
    bench_make(b, "t", true);
    bench_make(b, "other", true);
    for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
        for (size_t v = 0; v < b->w->host.n_volumes; v++)
            if (streq(b->w->host.volumes[v].v.name, "t"))
                snprintf(b->w->host.volumes[v].v.key, KEY_REF_MAX, "%s%.100s",
                         refs[i] ? refs[i] : "local:local/", refs[i] ? "" : b->w->host.keys[1].info.id);
        struct result x = recover(b, false);
        assert_int_equal(b->w->host.n_keys, 2);
        assert_int_not_equal(x.r, 0);
        free(x.done);
    }
}

/* One that cannot be read stops nothing but what might concern it. */
static void test_damaged_key(void **state)
{
    struct bench *b = *state;
    lose_volumes(b);
    bench_make(b, "other", true);
    b->w->key_damaged = true;
    struct result x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    assert_int_equal(b->w->host.n_keys, 2);
    free(x.done);
}

/* Its owner is not told by it, so each domain without volumes may be the one. */
static void test_damaged_key_beside_a_domain_without_volumes(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->host.n_volumes = 0;
    b->w->key_damaged = true;
    struct result x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    assert_int_equal(b->w->host.n_keys, 1);
    free(x.done);
}

/* Whose key is damaged is told of it. It is known all the same which key its volume has: that is no doubt
 * about another, which nobody names. */
static void test_damaged_key_of_a_volume(void **state)
{
    struct bench *b = *state;
    const struct launch_request one = {.name = "t", .count = 1, .disks.root_bytes = GIB, .no_start = true};
    OK(bench_launch(b, &one, &e));
    bench_make(b, "gone", true);
    while (b->w->host.n_volumes > 1) {
        size_t i = streq(b->w->host.volumes[0].v.name, "gone") ? 0 : b->w->host.n_volumes - 1;
        world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], i);
    }
    world_drop(b->w->host.domains, &b->w->host.n_domains, sizeof b->w->host.domains[0], 1);
    b->w->key_damaged = true;
    struct result x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    assert_int_equal(x.n, 3);
    assert_non_null(strstr(x.done[0].text, "not all of its keys can be read"));
    assert_non_null(strstr(x.done[1].text, "is damaged; restore it from a backup"));
    assert_int_equal(x.done[1].fault, FAULT_VOLUME_WITHOUT_KEY);
    assert_int_equal(x.done[2].kind, RECOVER_KEY);
    free(x.done);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_string_equal(b->w->host.keys[0].info.owner, b->w->host.volumes[0].v.instance);
}

/* What a launch has left that was cut off while libvirt judged its definition. */
static void test_definition_that_was_tried(void **state)
{
    struct bench *b = *state;
    static struct host before;
    bench_make(b, "t", false);
    before = b->w->host;
    world_add_domain(b->w, TRIAL_NAME "1", "99999999-9999-4999-8999-999999999999");
    expect(recover(b, true), 0, RECOVER_REMOVED, "to be done");
    assert_int_equal(b->w->host.n_domains, 2);
    expect(recover(b, false), 0, RECOVER_REMOVED, "while libvirt judged its definition");
    world_settle(&b->w->host);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

/* Of a manager that this version does not have nobody knows whether its keys are kept. */
static void test_open_disk_of_an_unknown_manager(void **state)
{
    struct bench *b = *state;
    bool changed = false;
    bench_make(b, "t", true);
    OK(instance_open(&b->f.context, "t", MAP_TO_STAY, &changed, &e));
    for (size_t i = 0; i < b->w->host.n_maps; i++) /* as a guest that has ended leaves it */
        b->w->host.maps[i].map.uuid[strlen(MAP_UUID_PREFIX) + UUID_TEXT - 1] = '\0';
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        strcpy(b->w->host.volumes[i].v.key, "vault:1234");
    struct result x = recover(b, false);
    assert_int_equal(x.r, -ENEEDSRECOVER);
    free(x.done);
    assert_int_equal(b->w->host.n_maps, 2);
}

static void test_delete_without_libvirt(void **state)
{
    struct bench *b = *state;
    static struct host before;
    bool changed = false;
    bench_make(b, "t", true);
    before = b->w->host;
    b->w->virt_gone = true;
    fake_again(&b->f);
    REFUSED_WITH(-ECONNREFUSED, "libvirt", instance_delete(&b->f.context, "t", &changed, &e));
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

/* The file of its UEFI variables is another's, or people's: it stays, and its name is told. */
static void test_delete_leaves_nvram_of_others(void **state)
{
    struct bench *b = *state;
    bool changed = false;
    bench_make(b, "t", true);
    strcpy(b->w->host.domains[0].nvram, "/srv/vars.fd");
    fake_again(&b->f);
    OK(instance_delete(&b->f.context, "t", &changed, &e));
    assert_non_null(strstr(b->warning, "its NVRAM file /srv/vars.fd stays"));
    assert_int_equal(b->w->host.n_domains + b->w->host.n_keys + b->w->host.n_volumes, 0);
}

/* Each is asked for its own. */
static void test_delete_of_several_with_keys_of_two_managers(void **state)
{
    struct bench *b = *state;
    const char *const names[] = {"a", "b", "c"};
    struct outcome done[ARRAY_SIZE(names)];
    bench_make(b, "a", true);
    bench_use_barbican(b);
    bench_make(b, "b", true);
    strcpy(b->f.config.key_backend, "local");
    bench_make(b, "c", true);
    assert_int_equal(b->w->host.n_keys, 3);
    OK(instances_delete(&b->f.context, names, ARRAY_SIZE(names), done, &e));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(done[i].key.fate, KEY_FATE_GONE);
    assert_int_equal(b->w->host.n_keys + b->w->host.n_volumes, 0);
}

static void test_delete_of_a_domain_of_others(void **state)
{
    struct bench *b = *state;
    char uuid[UUID_TEXT];
    uuid_make(uuid);
    world_add_domain(b->w, "theirs", uuid)->d.active = true;
    cannot_delete(b, "theirs", "has no Mayfly disks, so Mayfly does not delete it");
    assert_int_equal(b->w->host.n_domains, 1);
    assert_true(b->w->host.domains[0].d.active);
}

/* Of a batch only the key's last user is in doubt. */
static void test_batch_key_in_use(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    launch_batch(b, 2, false);
    damage(b, "something");
    assert_ok(instance_delete(&b->f.context, "t-1", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.n_volumes, 1);
}

/* Keys that are not shown to this caller are neither missed nor left over. */
static void test_keys_of_others(void **state)
{
    struct bench *b = *state;
    bench_use_barbican(b);
    bench_make(b, "t", true);
    fake_ask_as(&b->f, PROJECT_THEIRS);
    expect_nothing(recover(b, false));
    fake_ask_as_host(&b->f);
    expect_nothing(recover(b, false));

    b->w->host.n_volumes = b->w->host.n_domains = 0; /* left over, for whoever may see it */
    expect_nothing(recover(b, false));
    fake_ask_as(&b->f, PROJECT_OURS);
    expect(recover(b, true), 0, RECOVER_KEY, "to be done");
}

static void test_doomed_with_key_of_others(void **state)
{
    struct bench *b = *state;
    bench_use_barbican(b);
    bench_make(b, "t", false);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    fake_ask_as(&b->f, PROJECT_THEIRS);
    expect(recover(b, true), -EACCES, RECOVER_REMAINS, "until then it stays");
    assert_int_equal(b->w->host.n_maps, 2);
    for (int again = 0; again < 2; again++) {
        struct result x = recover(b, false);
        assert_non_null(strstr(x.e.text, "credentials"));
        expect(x, -EACCES, RECOVER_REMAINS, "until then it stays");
        assert_int_equal(b->w->host.n_volumes, 2);
        assert_int_equal(b->w->host.n_keys, 1);
        assert_int_equal(b->w->host.n_maps + b->w->host.n_domains, 0);
    }
    fake_ask_as(&b->f, PROJECT_OURS);
    expect(recover(b, false), 0, RECOVER_DELETED, "finished");
    assert_int_equal(b->w->host.n_volumes + b->w->host.n_keys, 0);
}

/* Nobody sees no keys, and that is no fault; who brings credentials wants to know that they are refused. */
static void test_keys_not_to_be_listed(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bench_use_barbican(b);
    bench_make(b, "t", true);
    fake_ask_as_nobody(&b->f);
    expect_nothing(recover(b, false));
    assert_non_null(strstr(b->warning, "no credentials"));

    assert_ok(secret_new(8, &b->f.who.token, &e), e); /* of no project */
    expect(recover(b, false), -EACCES, RECOVER_REMAINS, "were not looked at");
    b->f.who.token = secret_free(b->f.who.token);
}

/* Calls of the broker, of libvirt and of the key manager: none for each instance. */
static void test_looks_do_not_grow(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b", "c", "d"};
    unsigned calls[ARRAY_SIZE(names)];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        bench_make(b, names[i], false);
        b->w->calls = 0;
        expect_nothing(recover(b, false));
        calls[i] = b->w->calls;
        assert_int_equal(calls[i], calls[0]);
        assert_int_equal(b->w->n_locks, 0);
    }
    assert_int_equal(calls[0], 4); /* volumes with maps, domains, suspended volumes, keys */
}

/* Then there was one when they were opened. */
static void test_open_disks_without_a_group(void **state)
{
    struct bench *b = *state;
    static struct host before;
    struct error e = ERROR_NONE;
    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 1;
    bench_make(b, "a", false);
    before = b->w->host;
    b->f.config.volume_groups.n = 0;
    fake_again(&b->f);
    assert_error(instance_recover(&b->f.context, 0, &done, &n, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "images_volume_group"));
    assert_int_equal(n, 0);
    assert_memory_equal(&before, &b->w->host, sizeof before);
    b->w->inject[0].at = b->w->calls + 1;
    b->w->inject[0].kind = INJECT_ERROR_BEFORE;
    e = ERROR_NONE;
    assert_error(instance_recover(&b->f.context, 0, &done, &n, &e), -EIO, e);
    b->w->host.n_maps = 0;
    e = ERROR_NONE;
    assert_ok(instance_recover(&b->f.context, 0, &done, &n, &e), e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_open_disks_without_a_group),
        bench_test(test_in_order),
        bench_test(test_looks_do_not_grow),
        bench_test(test_dry_run),
        bench_test(test_no_start_follows),
        bench_test(test_the_start_has_followed),
        bench_test(test_busy),
        bench_test(test_busy_beside_others),
        bench_test(test_suspended_volume_of_another),
        bench_test(test_key_of_a_launch_at_work),
        bench_test(test_key_in_doubt),
        bench_test(test_key_of_a_volume_without_tags),
        bench_test(test_damaged_volume_keeps_its_instance),
        bench_test(test_key_manager_unreachable),
        bench_test(test_libvirt_unreachable),
        bench_test(test_maps_stay_while_libvirt_is_away),
        bench_test(test_foreign_domain),
        bench_test(test_single_disk),
        bench_test(test_ready_without_key),
        bench_test(test_ephemeral_key_after_reboot),
        bench_test(test_former_manager),
        bench_test(test_orphan_map),
        bench_test(test_batch_key_goes_with_its_last_user),
        bench_test(test_batch_key_in_use),
        bench_test(test_batch_key_of_a_domain_without_volumes),
        bench_test(test_batch_key_of_a_volume_elsewhere),
        bench_test(test_key_of_a_volume_elsewhere),
        bench_test(test_active_volumes_are_looked_at_once),
        bench_test(test_key_of_a_domain_without_volumes),
        bench_test(test_batch_key_while_a_domain_cannot_be_asked),
        bench_test(test_domains_are_asked_once_for_all_keys),
        bench_test(test_batch_key_beside_a_clone),
        bench_test(test_batch_key_beside_a_domain_of_novas),
        bench_test(test_key_of_a_copied_host),
        bench_test(test_quick),
        bench_test(test_delete_of_several),
        bench_test(test_delete_of_several_with_key_of_others),
        bench_test(test_delete_beside_a_stray_volume),
        bench_test(test_keys_of_another_place),
        bench_test(test_end_of_the_key),
        bench_test(test_forget_key),
        bench_test(test_leave_key),
        bench_test(test_old_reference_of_another_place),
        bench_test(test_key_of_a_volume_with_a_changed_tag),
        bench_test(test_damaged_key),
        bench_test(test_damaged_key_of_a_volume),
        bench_test(test_definition_that_was_tried),
        bench_test(test_open_disk_of_an_unknown_manager),
        bench_test(test_delete_without_libvirt),
        bench_test(test_delete_leaves_nvram_of_others),
        bench_test(test_delete_of_several_with_keys_of_two_managers),
        bench_test(test_delete_of_a_domain_of_others),
        bench_test(test_damaged_key_beside_a_domain_without_volumes),
        bench_test(test_keys_of_others),
        bench_test(test_doomed_with_key_of_others),
        bench_test(test_keys_not_to_be_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
