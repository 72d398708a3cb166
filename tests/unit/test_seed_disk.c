/* SPDX-License-Identifier: Apache-2.0 */
/* The seed disk of an instance: who gets one, what is on it, and what a rebuild makes of it. */
#include "instance/disks.h"
#include "instances.h"

#include <stdio.h>

#define KEY "ssh-ed25519 AAAAC3 me@home"

static const struct world_volume *seed_of(const struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->w->host.n_volumes; i++)
        if (streq(b->w->host.volumes[i].v.name, name) && streq(b->w->host.volumes[i].v.role, "seed"))
            return &b->w->host.volumes[i];
    return NULL;
}

static void says(const struct bench *b, const char *name, const char *words)
{
    const struct world_volume *v = seed_of(b, name);
    assert_non_null(v);
    if (!strstr(v->seed, words))
        fail_msg("\"%s\" lacks \"%s\"", v->seed, words);
}

static void make(struct bench *b, const char *name, struct wanted_seed seed)
{
    const struct launch_request q = {
        .name = name, .count = 1, .disks = {.root_bytes = GIB, .swap_bytes = GIB}, .seed = seed};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
}

static void it_is_the_last_disk_and_read_only(void **state)
{
    struct bench *b = *state;
    char line[100];
    bench_make(b, "without", false);
    assert_null(seed_of(b, "without"));
    make(b, "t_1", (struct wanted_seed){.ssh_keys = KEY});
    const struct world_volume *v = seed_of(b, "t_1");
    assert_int_equal(v->v.state, VOLUME_READY);
    assert_true(volume_encrypted(&v->v));
    assert_true(v->v.size_bytes == 4 << 20); /* one extent */
    assert_ptr_equal(v, &b->w->host.volumes[b->w->host.n_volumes - 1]);
    snprintf(line, sizeof line, "instance-id: %s\nlocal-hostname: \"t-1\"\n", v->v.instance);
    says(b, "t_1", line);
    says(b, "t_1", KEY);

    char path[DEVICE_PATH_MAX];
    assert_true(disk_of_domain(&b->f.context, &v->v, path).read_only);
    assert_false(disk_of_domain(&b->f.context, &b->w->host.volumes[0].v, path).read_only);
}

static void each_of_several_has_a_name(void **state)
{
    struct bench *b = *state;
    struct launch_request q = {
        .name = "ci", .count = 2, .disks.root_bytes = GIB, .seed = {.hostname = "node"}, .no_start = true};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
    says(b, "ci-1", "\"node-1\"");
    says(b, "ci-2", "\"node-2\"");
    q.name = "own";
    q.seed = (struct wanted_seed){.ssh_keys = KEY};
    assert_ok(bench_launch(b, &q, &e), e);
    says(b, "own-2", "\"own-2\"");
}

static void refused(struct bench *b, struct launch_request q, const char *words)
{
    static struct host before;
    struct error e = ERROR_NONE;
    before = b->w->host;
    q.name = q.name ? q.name : "t";
    q.count = 1;
    assert_error(bench_launch(b, &q, &e), -EINVAL, e);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" lacks \"%s\"", e.text, words);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static void what_cannot_be_in_one_is_refused(void **state)
{
    struct bench *b = *state;
    refused(b, (struct launch_request){.seed = {.hostname = "web"}}, "nothing to make");
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .seed = {.hostname = "a b"}},
            "host name a b");
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .seed = {.ssh_keys = "hello"}},
            "not a public key");
    refused(b, (struct launch_request){.name = "a..b", .disks.root_bytes = GIB, .seed = {.ssh_keys = KEY}},
            "use --hostname");

    refused(b, (struct launch_request){.disks.root_bytes = GIB, .seed = {.ssh_keys = ""}},
            "the file has no SSH key");

    static const struct {
        const char *text, *words;
    } bad[] = {
        {" \t\r\n\n", "user data: is empty"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n", "user data: is a private key"},
        {"\n-----BEGIN RSA PRIVATE KEY-----", "user data: is a private key"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_secret_ struct secret *data = NULL;
        assert_int_equal(secret_new(strlen(bad[i].text), &data, NULL), 0);
        memcpy(secret_bytes(data), bad[i].text, strlen(bad[i].text));
        refused(b, (struct launch_request){.disks.root_bytes = GIB, .seed = {.user_data = data}},
                bad[i].words);
    }

    _cleanup_secret_ struct secret *yaml = NULL;
    assert_int_equal(secret_new(8, &yaml, NULL), 0);
    make(b, "t", (struct wanted_seed){.user_data = yaml});
    assert_non_null(strstr(b->warning, "#cloud-config"));
}

static int rebuild(struct bench *b, const char *hostname, struct error *e)
{
    const struct rebuild_request q = {.seed = {.hostname = hostname}};
    *e = ERROR_NONE;
    return instance_rebuild(&b->f.context, "t", &q, NULL, e);
}

static void a_rebuild_keeps_it_or_makes_another(void **state)
{
    struct bench *b = *state;
    struct error e;
    char disk[UUID_TEXT];
    make(b, "t", (struct wanted_seed){.hostname = "web", .ssh_keys = KEY});
    memcpy(disk, seed_of(b, "t")->v.disk, sizeof disk);
    size_t maps = b->w->host.n_maps;
    assert_ok(rebuild(b, NULL, &e), e);
    says(b, "t", "\"web\"");
    says(b, "t", KEY);
    assert_string_not_equal(disk, seed_of(b, "t")->v.disk);
    assert_int_equal(b->w->host.n_maps, maps);

    assert_ok(rebuild(b, "other", &e), e);
    says(b, "t", "\"other\"");
    assert_null(strstr(seed_of(b, "t")->seed, KEY));

    /* stopped: it is closed again */
    bool changed = false;
    assert_ok(instance_stop(&b->f.context, "t", 5, true, &changed, &e), e);
    assert_ok(rebuild(b, NULL, &e), e);
    says(b, "t", "\"other\"");
    assert_int_equal(b->w->host.n_maps, 0);
}

static void a_rebuild_asks_where_it_cannot_keep_it(void **state)
{
    struct bench *b = *state;
    struct error e;
    bench_make(b, "t", false);
    assert_error(rebuild(b, "web", &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "it has no seed disk"));

    bool changed = false;
    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    strcpy(b->f.config.key_backend, "ephemeral");
    make(b, "t", (struct wanted_seed){.ssh_keys = KEY});
    assert_error(rebuild(b, NULL, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "its key is ephemeral; use --hostname"));
    assert_true(b->w->host.domains[0].d.active);
    assert_ok(rebuild(b, "web", &e), e);
    says(b, "t", "\"web\"");

    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    b->f.config.encryption_enabled = false;
    make(b, "t", (struct wanted_seed){.ssh_keys = KEY});
    says(b, "t", KEY);
    assert_error(rebuild(b, NULL, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "it is plain"));
    assert_ok(rebuild(b, "web", &e), e);
    says(b, "t", "\"web\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(it_is_the_last_disk_and_read_only),      bench_test(each_of_several_has_a_name),
        bench_test(what_cannot_be_in_one_is_refused),       bench_test(a_rebuild_keeps_it_or_makes_another),
        bench_test(a_rebuild_asks_where_it_cannot_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
