/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of an instance: set-engine, tags that a person has changed, and keys that an engine cannot keep.
 */
#include "instance/drift.h"
#include "instances.h"

#include <stdio.h>

static struct volume *volume_of(const struct bench *b, size_t n)
{
    return &b->w->host.volumes[n].v;
}

static void tag_all(const struct bench *b, enum volume_engine engine)
{
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        volume_of(b, i)->engine = engine;
}

static void make(struct bench *b, const char *engine)
{
    const struct launch_request q = {
        .name = "t", .count = 1, .disks = {.root_bytes = GIB, .swap_bytes = GIB}, .engine = engine};
    OK(bench_launch(b, &q, &e));
}

static void stop(struct bench *b)
{
    bool changed = false;
    OK(instance_stop(&b->f.context, "t", 0, true, &changed, &e));
}

static size_t n_served(const struct bench *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->w->host.n_maps; i++)
        n += b->w->host.maps[i].map.served != 0;
    return n;
}

static bool defined_with(const struct bench *b, const char *path)
{
    return world_has_disk(&b->w->host.domains[0].defined, path);
}

/* The other engine takes over volumes and definition, there and back; what is cut off is told, and completed.
 */
static void the_definition_follows_the_engine(void **state)
{
    struct bench *b = *state;
    const struct context *c = &b->f.context;
    char map[DEVICE_PATH_MAX], socket[DEVICE_PATH_MAX];
    bool changed = false;

    bench_make(b, "t", false);
    snprintf(map, sizeof map, "/dev/mapper/%s-dmcrypt", volume_of(b, 0)->lv);
    snprintf(socket, sizeof socket, "/run/mayfly/disks/%s", volume_of(b, 0)->lv);
    REFUSED_WITH(-EBUSY, "", instance_set_engine(c, "t", "user", false, &changed, NULL, &e));
    OK(instance_stop(c, "t", 0, true, &changed, &e));
    OK(instance_set_engine(c, "t", "user", false, &changed, NULL, &e));
    assert_true(changed && defined_with(b, socket) && !defined_with(b, map));
    assert_int_equal(volume_of(b, 0)->engine, ENGINE_USER);
    OK(instance_set_engine(c, "t", "user", false, &changed, NULL, &e));
    assert_false(changed);

    volume_of(b, 0)->engine = ENGINE_DM_CRYPT; /* the definition, and the other volume, do not know */
    REFUSED_WITH(-EUNSAFE, "run mayfly set-engine", instance_start(c, "t", &changed, &e));
    OK(instance_set_engine(c, "t", "dm-crypt", false, &changed, NULL, &e));
    assert_true(changed && defined_with(b, map) && !defined_with(b, socket));
    OK(instance_start(c, "t", &changed, &e));
    assert_true(world_has_disk(&b->w->host.domains[0].running, map));
    assert_false(b->w->host.maps[0].map.served);
}

/* As lvchange --addtag leaves it. The guest, and the old data, are left alone. */
static void nothing_is_ended_while_the_definition_differs(void **state)
{
    struct bench *b = *state;
    const struct context *c = &b->f.context;
    const struct rebuild_request rebuild = {.image.path = NULL};
    const struct rescue_request rescue = {.image.path = "/nowhere"};
    char disk[UUID_TEXT];
    bool changed = false;
    make(b, "dm-crypt");
    memcpy(disk, volume_of(b, 0)->disk, sizeof disk);
    tag_all(b, ENGINE_USER);

    REFUSED_WITH(-EUNSAFE, "run mayfly set-engine", instance_reboot(c, "t", true, &changed, &e));
    REFUSED_WITH(-EUNSAFE, "run mayfly set-engine", instance_rebuild(c, "t", &rebuild, NULL, &e));
    REFUSED_WITH(-EUNSAFE, "run mayfly set-engine", instance_rescue(c, "t", &rescue, &changed, NULL, &e));
    assert_true(b->w->host.domains[0].d.active);
    assert_string_equal(volume_of(b, 0)->disk, disk);
}

/* Their program decides how the guest gets its disks; tags follow it. */
static void tags_follow_a_definition_of_others(void **state)
{
    struct bench *b = *state;
    const struct context *c = &b->f.context;
    bool changed = false;
    make(b, "dm-crypt");
    stop(b);
    b->w->host.domains[0].d.ours = false;
    REFUSED_WITH(-EINVAL, "others have defined",
                 instance_set_engine(c, "t", "user", false, &changed, NULL, &e));
    tag_all(b, ENGINE_USER);
    REFUSED_WITH(-EUNSAFE, " dm-crypt", instance_start(c, "t", &changed, &e));
    OK(instance_set_engine(c, "t", "dm-crypt", false, &changed, NULL, &e));
    assert_int_equal(volume_of(b, 0)->engine, ENGINE_DM_CRYPT);
    OK(instance_start(c, "t", &changed, &e));
}

/* A set-engine that was cut off between two tags, and recover. */
static void a_disk_of_either_engine_is_opened_again(void **state)
{
    struct bench *b = *state;
    const struct context *c = &b->f.context;
    struct recovered *done = NULL;
    bool changed = false;
    size_t n = 0;
    make(b, "user");
    stop(b);
    volume_of(b, 0)->engine = ENGINE_DM_CRYPT;
    OK(instance_recover(c, 0, &done, &n, &e));
    assert_int_equal(n, 1);
    free(done);
    OK(instance_start(c, "t", &changed, &e));
    assert_int_equal(b->w->host.n_maps, 2);
    assert_int_equal(n_served(b), 1);

    struct host *h = &b->w->host; /* the process that serves is killed */
    h->maps[h->maps[0].map.served ? 0 : 1] = h->maps[1];
    h->n_maps = 1;
    assert_int_equal(n_served(b), 0);
    OK(instance_start(c, "t", &changed, &e));
    assert_true(changed);
    assert_int_equal(n_served(b), 1);
}

static void a_running_guest_without_its_process_is_told(void **state)
{
    struct bench *b = *state;
    const struct context *c = &b->f.context;
    _cleanup_model_ struct model *m = NULL;
    _cleanup_drift_ struct drift d = {.n = 0};
    const struct instance *i = NULL;
    make(b, "user");
    for (int served = 1; served >= 0; served--) {
        b->w->host.n_maps = served ? 2 : 1;
        OK(model_load_whole(c, &m, &e));
        OK(model_find(m, "t", &i, &e));
        OK(drift_look(c, m, NULL, i, DRIFT(NOT_SERVED), &d, &e));
        assert_int_equal(d.n, served ? 0 : 1);
        m = model_free(m);
    }
    assert_non_null(strstr(d.found[0].text, "run mayfly start"));
}

/* Whether the guest runs, engine, and whether the rebuild is refused. */
static void a_key_that_ends_with_the_disks_is_refused(void **state)
{
    static const struct {
        const char *engine, *words;
        bool stopped;
    } cases[] = {{"user", "ends with the guest", false},
                 {"user", "ends with the guest", true},
                 {"dm-crypt", "start it first", true},
                 {"dm-crypt", NULL, false}};
    struct bench *b = *state;
    const struct rebuild_request q = {.image.path = NULL};
    bool changed = false;
    for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
        strcpy(b->f.config.key_backend, "local");
        make(b, cases[n].engine);
        if (cases[n].stopped)
            stop(b);
        strcpy(b->f.config.key_backend, "ephemeral");
        if (cases[n].words)
            REFUSED_WITH(-EINVAL, cases[n].words, instance_rebuild(&b->f.context, "t", &q, NULL, &e));
        else
            OK(instance_rebuild(&b->f.context, "t", &q, NULL, &e));
        OK(instance_delete(&b->f.context, "t", &changed, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(the_definition_follows_the_engine),
        bench_test(nothing_is_ended_while_the_definition_differs),
        bench_test(tags_follow_a_definition_of_others),
        bench_test(a_disk_of_either_engine_is_opened_again),
        bench_test(a_running_guest_without_its_process_is_told),
        bench_test(a_key_that_ends_with_the_disks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
