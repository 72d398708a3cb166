/* SPDX-License-Identifier: Apache-2.0 */
/* What rescue and unrescue refuse, and say; and what recover makes of what it cannot understand. What they do
 * is the matter of the matrix (tests/fake/matrix.c). */
#include "instances.h"
#include "virt/rescue-xml.h"

#include <stdio.h>

static const struct rescue_request request = {.image.path = "/rescue", .timeout_sec = 1};

static int rescue(struct bench *b, const struct rescue_request *q, bool *ret_changed, struct error *e)
{
    fake_again(&b->f);
    return instance_rescue(&b->f.context, "t", q, ret_changed, NULL, e);
}

static int unrescue(struct bench *b, bool *ret_changed, struct error *e)
{
    fake_again(&b->f);
    return instance_unrescue(&b->f.context, "t", 1, false, ret_changed, e);
}

/* How often it was looked what libvirt has added to a definition, which goes again with the rescue disk. */
static unsigned noted;
int __real_rescue_xml_note(const char *xml, char **ret, struct error *e);
int __wrap_rescue_xml_note(const char *xml, char **ret, struct error *e);
int __wrap_rescue_xml_note(const char *xml, char **ret, struct error *e)
{
    noted++;
    return __real_rescue_xml_note(xml, ret, e);
}

static void must_rescue(struct bench *b)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    noted = 0;
    assert_ok(rescue(b, &request, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(noted, 1);
}

/* Nothing is changed, and the sentence has these words. */
static void refused(struct bench *b, const struct rescue_request *q, int r, const char *words)
{
    static struct host before;
    struct error e = ERROR_NONE;
    bool changed = false;
    before = b->w->host;
    assert_error(rescue(b, q, &changed, &e), r, e);
    if (!strstr(e.text, words))
        fail_msg("'%s' is not in '%s'", words, e.text);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

/* A process that serves a disk ends some time after its guest: here before the definition is changed. */
static void end_idle_keepers(struct world *w)
{
    for (size_t i = streq(w->person.call, "redefine") ? w->host.n_maps : 0; i-- > 0;) {
        const struct world_volume *v = world_volume(w, w->host.maps[i].lv);
        if (w->host.maps[i].map.served && v->v.state == VOLUME_READY && !world_in_use(&w->host, &v->v))
            world_drop(w->host.maps, &w->host.n_maps, sizeof w->host.maps[0], i);
    }
    w->person.at = w->calls + 1;
}

static void test_keepers_that_have_ended(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    strcpy(b->f.config.engine, "user");
    bench_make(b, "t", false);
    strcpy(b->f.config.engine, "dm-crypt");
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = end_idle_keepers;
    must_rescue(b);
    assert_int_equal(b->w->host.n_maps, 3);
    assert_true(b->w->host.domains[0].d.active);
    assert_ok(unrescue(b, &changed, &e), e);
    assert_int_equal(b->w->host.n_maps, 2);
    assert_true(b->w->host.domains[0].d.active);
}

static void test_refusals(void **state)
{
    struct bench *b = *state;
    struct rescue_request q = request;
    struct error e = ERROR_NONE;
    bool changed = false;
    refused(b, &q, -ENOENT, "no instance of this name");
    bench_make(b, "t", false);
    q.root_bytes = GIB / 2;
    refused(b, &q, -EINVAL, "larger --root");
    q.root_bytes = 2 * b->w->host.group.size_bytes;
    refused(b, &q, -ENOSPC, "free");
    q = request;
    q.image.path = "/nowhere";
    refused(b, &q, -ENOENT, "/nowhere");
    q.image = (struct wanted_image){.path = "/rescue", .key = b->w->host.volumes[0].v.key};
    refused(b, &q, -EKEYREJECTED, "not its key");
    q.image = (struct wanted_image){.path = "/rescue", .sha256 = WORLD_OTHER_SHA256};
    struct volume root = b->w->host.volumes[0].v;
    assert_error(rescue(b, &q, &changed, &e), -EINVAL, e);
    assert_memory_equal(&root, &b->w->host.volumes[0].v, sizeof root);
    assert_int_equal(b->w->host.n_volumes, 2);
    assert_true(b->w->host.domains[0].d.active);
    b->w->host.volumes[1].v.state = VOLUME_BUILDING;
    refused(b, &request, -ENEEDSRECOVER, "recover");
    b->w->host.volumes[1].v.state = VOLUME_READY;
    b->w->host.n_domains = 0;
    refused(b, &request, -ENOENT, "no domain");
}

/* The guest would go on where it was, but its disks would be others meanwhile. */
static void test_saved_ram(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->host.domains[0].details.saved = true;
    refused(b, &request, -EBUSY, "managedsave-remove");
}

static void test_ephemeral_key(void **state)
{
    struct bench *b = *state;
    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "t", false);
    refused(b, &request, -EINVAL, "ephemeral");
}

/* Nothing new is plain where encryption is on. */
static void test_plain(void **state)
{
    struct bench *b = *state;
    b->f.config.encryption_enabled = false;
    bench_make(b, "t", false);
    b->f.config.encryption_enabled = true;
    refused(b, &request, -EUNSAFE, "plain");
    b->f.config.encryption_enabled = false;
    must_rescue(b);
}

static void test_again(void **state)
{
    struct bench *b = *state;
    static struct host before;
    struct error e = ERROR_NONE;
    bool changed = true;
    bench_make(b, "t", false);
    assert_ok(unrescue(b, &changed, &e), e);
    assert_false(changed);
    must_rescue(b);
    before = b->w->host;
    assert_ok(rescue(b, &request, &changed, &e), e);
    assert_false(changed);
    assert_memory_equal(&before, &b->w->host, sizeof before);
    assert_ok(unrescue(b, &changed, &e), e);
    assert_true(changed);
}

static void test_dry_run(void **state)
{
    struct bench *b = *state;
    static struct host before;
    struct rescue_request q = request;
    struct error e = ERROR_NONE;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    bench_make(b, "t", false);
    before = b->w->host;
    q.dry_run = true;
    assert_ok(instance_rescue(&b->f.context, "t", &q, &changed, &plan, &e), e);
    assert_memory_equal(&before, &b->w->host, sizeof before);
    assert_int_equal(steps_count(plan), 10);
}

/* Each disk has a key of its own; all of them come from the one secret. */
static void test_key(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    must_rescue(b);
    const struct volume *root = &b->w->host.volumes[0].v, *disk = &b->w->host.volumes[2].v;
    assert_string_equal(disk->role, "rescue");
    assert_string_equal(disk->key, root->key);
    assert_string_not_equal(disk->check, root->check);
    assert_int_equal(b->w->host.n_keys, 1);
}

/* A guest that does not obey loses its plug, as one that is broken has to. */
static void test_guest_that_hangs(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    b->w->guest_ignores = true;
    must_rescue(b);
    assert_true(b->w->host.domains[0].d.active);
    assert_true(b->w->host.domains[0].d.rescued);
}

static void expect_remains(struct bench *b, const char *words)
{
    struct recovered *done = NULL;
    struct error e = ERROR_NONE;
    static struct host before;
    size_t n = 0;
    before = b->w->host;
    fake_again(&b->f);
    assert_error(instance_recover(&b->f.context, 0, &done, &n, &e), -ENEEDSRECOVER, e);
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found |= done[i].kind == RECOVER_REMAINS && strstr(done[i].text, words);
    if (!found)
        fail_msg("none of %zu lines has '%s', the first: %s", n, words, n ? done[0].text : "");
    assert_int_equal(before.n_volumes, b->w->host.n_volumes);
    assert_memory_equal(&before.domains, &b->w->host.domains, sizeof before.domains);
    free(done);
}

static void test_recover_in_doubt(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    must_rescue(b);
    b->w->host.volumes[2].v.state = VOLUME_DOOMED; /* and it runs: someone started it meanwhile */
    expect_remains(b, "unrescue");
    b->w->virt_gone = true;
    expect_remains(b, "once libvirt can be reached");
    b->w->virt_gone = false;
    b->w->host.domains[0].d.active = false; /* its tags were edited */
    struct volume v = b->w->host.volumes[2].v;
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 2);
    struct damaged_volume *d = &b->w->host.damaged[b->w->host.n_damaged++];
    memcpy(d->vg, v.vg, sizeof d->vg);
    memcpy(d->lv, v.lv, sizeof d->lv);
    expect_remains(b, "damaged tags");
}

/* The rescue disk never leads: neither domain nor key go with it, though no other disk is to be seen. */
static void test_alone(void **state)
{
    struct bench *b = *state;
    struct recovered *done = NULL;
    struct error e = ERROR_NONE;
    bool changed = false;
    size_t n = 0;
    bench_make(b, "t", true);
    must_rescue(b);
    b->w->host.domains[0].d.active = false;
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 0);
    world_drop(b->w->host.volumes, &b->w->host.n_volumes, sizeof b->w->host.volumes[0], 0);
    assert_error(unrescue(b, &changed, &e), -EUNSAFE, e);
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    fake_again(&b->f);
    (void)!instance_recover(&b->f.context, 0, &done, &n, &e);
    free(done);
    assert_int_equal(b->w->host.n_volumes, 0);
    assert_int_equal(b->w->host.n_domains, 1);
    assert_false(b->w->host.domains[0].d.rescued);
    assert_int_equal(b->w->host.n_keys, 1);
}

/* What would change the disks or the definition that unrescue puts back. */
static void test_refused_meanwhile(void **state)
{
    struct bench *b = *state;
    struct error add_disk = ERROR_NONE, remove_disk = ERROR_NONE, rebuild = ERROR_NONE;
    static const struct add_disk_request another = {.name = "t",
                                                    .ephemeral = {.size_bytes = GIB, .fs = "ext4"}};
    const struct remove_disk_request eph0 = {.name = "t", .role = "eph0"};
    const struct rebuild_request anew = {.dry_run = false};
    struct volume v;
    bool changed = false;
    bench_make(b, "t", true);
    must_rescue(b);
    fake_again(&b->f);
    assert_error(instance_add_disk(&b->f.context, &another, &v, NULL, &add_disk), -EBUSY, add_disk);
    fake_again(&b->f);
    assert_error(instance_remove_disk(&b->f.context, &eph0, &changed, NULL, &remove_disk), -EBUSY,
                 remove_disk);
    fake_again(&b->f);
    assert_error(instance_rebuild(&b->f.context, "t", &anew, NULL, &rebuild), -EBUSY, rebuild);
    assert_non_null(strstr(rebuild.text, "mayfly unrescue t"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_refusals),
        bench_test(test_keepers_that_have_ended),
        bench_test(test_saved_ram),
        bench_test(test_ephemeral_key),
        bench_test(test_plain),
        bench_test(test_again),
        bench_test(test_dry_run),
        bench_test(test_key),
        bench_test(test_guest_that_hangs),
        bench_test(test_alone),
        bench_test(test_recover_in_doubt),
        bench_test(test_refused_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
