/* SPDX-License-Identifier: Apache-2.0 */
/* Exports over the world in memory: what is refused, what a finished one leaves, and that on doubt
 * nothing is destroyed. What errors and crashes leave is for the matrix. */
#include "instance/key-list.h"
#include "instances.h"

#include <fcntl.h>
#include <unistd.h>

static struct exported done;

static int export_disk(struct bench *b, const struct export_request *q, struct error *e)
{
    done = (struct exported){0};
    return instance_export(&b->f.context, q, &done, NULL, e);
}

/* Nothing is changed then. */
static void refused(struct bench *b, const struct export_request *q, int wanted, const char *words)
{
    static struct host before;
    struct error e = ERROR_NONE;
    before = b->w->host;
    assert_error(export_disk(b, q, &e), wanted, e);
    if (!strstr(e.text, words))
        fail_msg("no \"%s\" in: %s", words, e.text);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static const struct export_request of_root = {.name = "t", .path = "/file"};

static void what_cannot_be_is_refused(void **state)
{
    struct bench *b = *state;
    refused(b, &of_root, -ENOENT, "there is no instance");
    bench_make(b, "t", false);
    refused(b, &(struct export_request){.name = "t", .path = "/file", .role = "eph7"}, -ENOENT,
            "no disk eph7");
    uint64_t free_bytes = b->w->host.group.free_bytes;
    b->w->host.group.free_bytes = 4 << 20;
    refused(b, &of_root, -ENOSPC, "use a smaller --room");
    b->w->host.group.free_bytes = free_bytes;
    b->w->host.volumes[0].v.state = VOLUME_DOOMED;
    refused(b, &of_root, -ENEEDSRECOVER, "mayfly recover");
}

static void plain_and_ephemeral_disks_are_refused(void **state)
{
    struct bench *b = *state;
    b->f.config.encryption_enabled = false;
    bench_make(b, "t", false);
    refused(b, &of_root, -EINVAL, "not encrypted");
    b->f.config.encryption_enabled = true;
    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "e", false);
    refused(b, &(struct export_request){.name = "e", .path = "/file"}, -EINVAL, "ephemeral");
}

static void a_dry_run_changes_nothing(void **state)
{
    struct bench *b = *state;
    static struct host before;
    _cleanup_steps_ struct steps *plan = NULL;
    struct error e = ERROR_NONE;
    const struct export_request q = {.name = "t", .path = "/file", .dry_run = true};
    bench_make(b, "t", false);
    before = b->w->host;
    assert_ok(instance_export(&b->f.context, &q, &done, &plan, &e), e);
    assert_true(steps_count(plan) > 8);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

/* No file, no key, nothing left; who reads has what the disk had. */
static void a_descriptor_gets_it_without_a_file(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    char text[8] = "";
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct export_request q = {.name = "t", .path = "a pipe", .output_fd = ends[1], .plaintext = true};
    bench_make(b, "t", false);
    assert_ok(export_disk(b, &q, &e), e);
    assert_string_equal(done.key, "");
    assert_int_equal(read(ends[0], text, sizeof text), 4);
    assert_int_equal(b->w->files_begun, 0);
    assert_int_equal(b->w->host.n_files, 0);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.n_volumes, 2);
    assert_int_equal(b->w->host.n_maps, 2); /* those of the guest */
    close(ends[0]);
    close(ends[1]);
}

static void its_key_is_of_the_file_alone(void **state)
{
    struct bench *b = *state;
    _cleanup_inventory_ struct inventory *i = NULL;
    _cleanup_key_list_ struct key_list *l = NULL;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", false);
    assert_ok(export_disk(b, &of_root, &e), e);
    assert_int_equal(b->w->host.n_files, 1);
    assert_string_equal(done.role, "root");
    assert_int_equal(done.size_bytes, GIB);

    assert_ok(broker_list(b->f.context.broker, &i, &e), e);
    assert_ok(key_list_load(&b->f.context, i, &l, &e), e);
    assert_int_equal(key_list_find(l, done.key)->state, KEY_IMAGE);
    assert_int_equal(i->n_volumes, 2);

    assert_ok(instance_delete(&b->f.context, "t", &changed, &e), e);
    assert_int_equal(b->w->host.n_keys, 1);
    fake_again(&b->f); /* another process: whoever has made it, has its lock */
    assert_ok(key_destroy(&b->f.context, done.key, &e), e);
    assert_int_equal(b->w->host.n_keys, 0);
}

/* What others do while the file is written: the guest ends and libvirt's hook closes its disks, it starts
 * again, recover looks, somebody wants to delete the instance, or to export it too. */
static int others_act(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                      const struct image_progress *progress, struct error *e)
{
    struct world *w = fake_world();
    struct fake f;
    _cleanup_free_ struct recovered *found = NULL;
    struct exported second;
    struct error why = ERROR_NONE;
    size_t n = 0;
    bool changed = false;

    w->host.domains[0].d.active = false;
    fake_begin(&f, w);
    assert_ok(instance_hook_release(&f.context, w->host.domains[0].d.uuid, &why), why);
    assert_int_equal(w->host.n_maps, 1); /* that of the snapshot */
    assert_ok(instance_start(&f.context, "t", &changed, &why), why);
    assert_ok(instance_stop(&f.context, "t", 0, true, &changed, &why), why);
    assert_ok(instance_recover(&f.context, 0, &found, &n, &why), why);
    assert_int_equal(n, 1);
    assert_int_equal(found[0].kind, RECOVER_BUSY);
    assert_error(instance_delete(&f.context, "t", &changed, &why), -EBUSY, why);
    assert_non_null(strstr(why.text, "it is being exported"));
    why = ERROR_NONE;
    assert_error(instance_export(&f.context, &of_root, &second, NULL, &why), -EBUSY, why);
    assert_non_null(strstr(why.text, "it is being exported"));
    fake_end(&f);
    fake_use(w);
    return fake_export(disk, file_fd, name, key, progress, e);
}

static void the_instance_is_free_while_the_file_is_written(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bench_make(b, "t", false);
    b->f.context.export = others_act;
    assert_ok(export_disk(b, &of_root, &e), e);
    assert_int_equal(b->w->host.n_maps, 0);
    assert_int_equal(b->w->host.n_files, 1);
    assert_int_equal(b->w->host.volumes[0].v.state, VOLUME_READY);
}

static int crash(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                 const struct image_progress *progress, struct error *e)
{
    (void)disk, (void)file_fd, (void)name, (void)key, (void)progress;
    fake_world()->crashed = true;
    return error_set(e, -ECONNRESET, "crash");
}

/* The disk's own tags are gone, so that its snapshot is all that is seen of the instance: neither the
 * snapshot nor the domain nor a key is touched. */
static void one_without_its_disk_is_left_alone(void **state)
{
    struct bench *b = *state;
    static struct host before;
    struct recovered *list = NULL;
    struct error e = ERROR_NONE;
    size_t n = 0;
    bench_make(b, "t", false);
    b->f.context.export = crash;
    assert_true(export_disk(b, &of_root, &e) < 0);
    world_revive(b->w);
    refused(b, &of_root, -ENEEDSRECOVER, "was cut off");

    fake_again(&b->f);
    strcpy(b->w->host.damaged[0].vg, "vg0");
    strcpy(b->w->host.damaged[0].lv, b->w->host.volumes[0].v.lv);
    b->w->host.n_damaged = 1;
    b->w->host.volumes[0] = b->w->host.volumes[2];
    b->w->host.n_volumes = 1;
    b->w->host.n_maps = 0;
    before = b->w->host;
    (void)!instance_recover(&b->f.context, 0, &list, &n, &e);
    free(list);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_is_refused),          TEST(plain_and_ephemeral_disks_are_refused),
        TEST(a_dry_run_changes_nothing),          TEST(a_descriptor_gets_it_without_a_file),
        TEST(its_key_is_of_the_file_alone),       TEST(the_instance_is_free_while_the_file_is_written),
        TEST(one_without_its_disk_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
