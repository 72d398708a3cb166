/* SPDX-License-Identifier: Apache-2.0 */
/* What launch refuses before it makes anything, and what it makes; start, stop, open, close where the matrix
 * does not look at their words and numbers. */
#include "base/clock.h"
#include "instances.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Refused with `wanted` and these words, and nothing has changed. */
static void refused(struct bench *b, struct launch_request q, int wanted, const char *words)
{
    static struct host before;
    struct error e = ERROR_NONE;
    if (!q.name)
        q.name = "t";
    if (!q.count)
        q.count = 1;
    before = b->w->host;
    assert_error(bench_launch(b, &q, &e), wanted, e);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" lacks \"%s\"", e.text, words);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static void test_ephemeral_refused(void **state)
{
    static const struct {
        struct wanted_ephemeral disk;
        const char *words;
    } cases[] = {{{.size_bytes = GIB, .fs = "zfs"}, "file system zfs; use one of ext4, xfs, vfat"},
                 {{.size_bytes = GIB, .fs = "swap"}, "file system swap"},
                 {{.size_bytes = 0, .fs = "xfs"}, "no size"},
                 {{.size_bytes = 100 << 20, .fs = "xfs"}, "too small for xfs, which needs at least 300 MiB"},
                 {{.size_bytes = 257 * GIB, .fs = "vfat"}, "too large for vfat, which is limited to 256 GiB"},
                 {{.size_bytes = UINT64_MAX, .fs = "ext4"}, "larger than any"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        refused(*state, (struct launch_request){.disks = {.ephemeral = {cases[i].disk}, .n_ephemeral = 1}},
                -EINVAL, cases[i].words);
}

static void test_refused(void **state)
{
    struct bench *b = *state;
    bench_make(b, "taken", true);

    refused(b, (struct launch_request){.name = "a b", .disks.root_bytes = GIB}, -EINVAL, "letters, digits");
    refused(b, (struct launch_request){.name = "", .disks.root_bytes = GIB}, -EINVAL, "letters, digits");
    refused(b, (struct launch_request){.name = "-x", .disks.root_bytes = GIB}, -EINVAL, "letters, digits");
    refused(b, (struct launch_request){.name = "../x", .disks.root_bytes = GIB}, -EINVAL, "letters, digits");
    refused(
        b,
        (struct launch_request){.name = "0123456789012345678901234567890123456789012345678901234567890123",
                                .disks.root_bytes = GIB},
        -EINVAL, "too long");
    refused(b, (struct launch_request){.name = "taken", .disks.root_bytes = GIB}, -EEXIST, "another name");
    refused(b, (struct launch_request){.count = 1001, .disks.root_bytes = GIB}, -EINVAL, "1 to 1000");
    refused(b, (struct launch_request){0}, -EINVAL, "nothing to make");
    refused(b, (struct launch_request){.disks = {.swap_bytes = GIB, .image.path = "/image"}}, -EINVAL,
            "--root");
    refused(b, (struct launch_request){.disks.root_bytes = UINT64_MAX}, -EINVAL, "larger than any");
    refused(b, (struct launch_request){.disks = {.root_bytes = GIB, .volume_group = "other"}}, -EINVAL,
            "images_volume_group");
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .template_xml = "<domain"}, -EINVAL, "XML");
    refused(b, (struct launch_request){.disks = {.root_bytes = GIB, .image.path = "/nowhere"}}, -ENOENT,
            "/nowhere");
    b->w->image_bytes = 5 * GIB;
    refused(b, (struct launch_request){.disks = {.root_bytes = 2 * GIB, .image.path = "/image"}}, -EINVAL,
            "5 GiB");
    refused(b, (struct launch_request){.disks = {.root_bytes = 2 * GIB, .image.path = "/image"}}, -EINVAL,
            "2 GiB");
}

/* Before anything else is looked at; and not where the template has its own. */
static void test_networks(void **state)
{
    struct bench *b = *state;
    struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = GIB, .network = "nowhere"};
    struct error e = ERROR_NONE;
    refused(b, q, -ENOENT, "nowhere");
    q.network = "off";
    refused(b, q, -EINVAL, "not active");
    q.no_start = true;
    assert_ok(bench_launch(b, &q, &e), e);
    q.name = "u";
    q.network = NULL;
    strcpy(b->f.config.launch_network, "elsewhere");
    refused(b, q, -ENOENT, "[launch] in the configuration");
    q.network = "none";
    assert_ok(bench_launch(b, &q, &e), e);
    q.name = "v";
    q.network = NULL;
    q.template_xml = "<domain type='test'><os/></domain>";
    assert_ok(bench_launch(b, &q, &e), e);
}

static char *defined; /* the last definition that libvirt got */
static const struct virt_ops *defining;

static int note_define(struct virt *v, const char *xml, struct error *e)
{
    free(defined);
    defined = strdup(xml);
    return defining->define(v, xml, e);
}

/* What the person says; else what the configuration says, but not against a template of the operator's own.
 */
static void test_machine(void **state)
{
    static const char template[] =
        "<domain type='test'><memory unit='KiB'>4096</memory><vcpu>5</vcpu><os/></domain>";
    static const struct {
        uint32_t vcpus;
        uint64_t memory_bytes;
        const char *template, *wanted_vcpus, *wanted_memory;
    } cases[] = {
        {0, 0, NULL, "<vcpu>7</vcpu>", "2097152</memory>"},
        {3, GIB, NULL, "<vcpu>3</vcpu>", "1048576</memory>"},
        {0, 0, template, "<vcpu>5</vcpu>", "4096</memory>"},
        {3, GIB, template, "<vcpu>3</vcpu>", "1048576</memory>"},
    };
    struct bench *b = *state;
    defining = b->f.context.virt->ops;
    struct virt_ops noting = *defining;
    noting.define = note_define;
    b->f.context.virt->ops = &noting;
    b->f.config.launch_vcpus = 7;
    b->f.config.launch_memory_bytes = 2 * GIB;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const names[] = {"a", "b", "c", "d"};
        const struct launch_request q = {.name = names[i],
                                         .count = 1,
                                         .disks.root_bytes = GIB,
                                         .vcpus = cases[i].vcpus,
                                         .memory_bytes = cases[i].memory_bytes,
                                         .template_xml = cases[i].template};
        struct error e = ERROR_NONE;
        assert_ok(bench_launch(b, &q, &e), e);
        if (!strstr(defined, cases[i].wanted_vcpus) || !strstr(defined, cases[i].wanted_memory))
            fail_msg("%zu: %s", i, defined);
    }
    b->f.context.virt->ops = defining;
    free(defined);
    defined = NULL;
}

static void test_firmware(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .firmware = "openboot"}, -EINVAL, "openboot");
    b->w->no_uefi = true;
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .firmware = "uefi"}, -ENOENT, "ovmf");
    strcpy(b->f.config.launch_firmware, "uefi");
    refused(b, q, -ENOENT, "ovmf");
    b->w->no_uefi = false;
    assert_ok(bench_launch(b, &q, &e), e);
    refused(b,
            (struct launch_request){.name = "u",
                                    .disks.root_bytes = GIB,
                                    .firmware = "bios",
                                    .template_xml = "<domain><os firmware='efi'/></domain>"},
            -EINVAL, "leave out --firmware");
}

/* It outlives a power cut as the definition does: both are synced at once. */
static void test_autostart(void **state)
{
    struct bench *b = *state;
    struct launch_request q = {.name = "t", .count = 2, .disks.root_bytes = GIB, .autostart = true};
    struct error e = ERROR_NONE;
    bench_make(b, "without", false);
    assert_ok(bench_launch(b, &q, &e), e);
    assert_false(b->w->host.domains[0].details.autostart);
    assert_true(b->w->host.domains[1].details.autostart && b->w->host.domains[2].details.autostart);
    q.name = "u";
    q.autostart = false;
    b->f.config.launch_autostart = true;
    assert_ok(bench_launch(b, &q, &e), e);
    assert_true(b->w->host.domains[3].details.autostart);
}

static void test_refused_by_host(void **state)
{
    struct bench *b = *state;
    struct group *g = &b->w->host.group;

    g->free_bytes = 3 * GIB;
    refused(b, (struct launch_request){.count = 4, .disks.root_bytes = GIB}, -ENOSPC, "4 GiB");
    refused(b, (struct launch_request){.count = 4, .disks.root_bytes = GIB}, -ENOSPC, "3 GiB");
    refused(b, (struct launch_request){.count = 3, .disks.root_bytes = GIB + 1}, -ENOSPC, "vgextend");
    refused(b, (struct launch_request){.count = 1000, .disks.root_bytes = UINT64_C(1) << 60}, -ENOSPC,
            "free");
    g->metadata_free_bytes = g->metadata_size_bytes / 64 + 2 * 1024;
    refused(b, (struct launch_request){.count = 3, .disks.root_bytes = GIB}, -ENOSPC,
            "metadata has room for about 2 ");
    g->metadata_free_bytes = 1000; /* what is left free so that volumes can still be doomed */
    refused(b, (struct launch_request){.count = 1, .disks.root_bytes = GIB}, -ENOSPC,
            "metadata has room for about 0 ");
    g->complete = false;
    refused(b, (struct launch_request){.disks.root_bytes = GIB}, -ENODEV, "pvs");
    g->name[0] = '\0';
    refused(b, (struct launch_request){.disks.root_bytes = GIB}, -ENOENT, "vgs");
    b->f.config.volume_groups.n = 0;
    refused(b, (struct launch_request){.disks.root_bytes = GIB}, -EINVAL, "images_volume_group");
    virt_disconnect(b->f.context.virt);
    b->f.context.virt = NULL;
    refused(b, (struct launch_request){.disks.root_bytes = GIB}, -ECONNREFUSED, "libvirt");
}

static void test_refused_by_keys(void **state)
{
    struct bench *b = *state;
    strcpy(b->f.config.key_backend, "ephemeral");
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .no_start = true}, -EINVAL, "--no-start");
    strcpy(b->f.config.key_backend, "local");
    b->w->keys_unreachable = true;
    refused(b, (struct launch_request){.disks.root_bytes = GIB}, -EHOSTUNREACH, "cannot be reached");
    assert_non_null(strstr(b->warning, "mayfly recover"));
    b->f.config.encryption_enabled = false;
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .shared_key = true}, -EINVAL,
            "encryption is off");
}

static const struct volume *first_volume(const struct bench *b)
{
    return &b->w->host.volumes[0].v;
}

static bool runs_with(const struct bench *b, const char *path)
{
    return b->w->host.domains[0].d.active && world_has_disk(&b->w->host.domains[0].running, path);
}

/* The guest gets sockets; a person gets a map, which a start takes back. */
static void test_engine(void **state)
{
    struct bench *b = *state;
    struct launch_request q = {
        .name = "t", .count = 1, .disks = {.root_bytes = GIB, .swap_bytes = GIB}, .engine = "user"};
    const struct host *h = &b->w->host;
    struct error e = ERROR_NONE;
    char socket[DEVICE_PATH_MAX];
    bool changed = false;

    assert_ok(bench_launch(b, &q, &e), e);
    snprintf(socket, sizeof socket, "/run/mayfly/disks/%s", first_volume(b)->lv);
    assert_int_equal(first_volume(b)->engine, ENGINE_USER);
    assert_int_equal(h->volumes[1].v.engine, ENGINE_USER);
    assert_true(h->maps[0].map.served && h->maps[1].map.served);
    assert_true(runs_with(b, socket));

    assert_ok(instance_stop(&b->f.context, "t", 0, true, &changed, &e), e);
    assert_int_equal(h->n_maps, 0);
    assert_ok(instance_open(&b->f.context, "t", MAP_TO_STAY, &changed, &e), e);
    assert_int_equal(h->n_maps, 2);
    assert_false(h->maps[0].map.served);
    assert_ok(instance_start(&b->f.context, "t", &changed, &e), e);
    assert_true(h->maps[0].map.served && h->maps[1].map.served);
    assert_true(runs_with(b, socket));
    assert_ok(instance_tune(&b->f.context, "t", false, &changed, NULL, &e), e);
    assert_false(changed);
}

static void test_engine_refused(void **state)
{
    struct bench *b = *state;
    const struct launch_request user = {.disks.root_bytes = GIB, .engine = "user"};
    struct error e = ERROR_NONE;
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .engine = "qemu"}, -EINVAL, "neither");
    strcpy(b->f.config.cipher, "serpent-xts-plain64");
    refused(b, user, -EINVAL, "--engine dm-crypt");
    strcpy(b->f.config.cipher, "aes-xts-plain64");
    strcpy(b->f.config.key_backend, "ephemeral");
    refused(b, user, -EINVAL, "another backend");
    b->f.config.encryption_enabled = false;
    refused(b, user, -EINVAL, "encryption is off");
    strcpy(b->f.config.engine, "user"); /* is for what is encrypted */
    bench_make(b, "t", true);
    assert_int_equal(first_volume(b)->engine, ENGINE_DM_CRYPT);
    b->f.config.encryption_enabled = true;
    strcpy(b->f.config.key_backend, "local");
    const struct launch_request dm_crypt = {
        .name = "d", .count = 1, .disks.root_bytes = GIB, .engine = "dm-crypt"};
    assert_ok(bench_launch(b, &dm_crypt, &e), e);
    assert_int_equal(b->w->host.volumes[2].v.engine, ENGINE_DM_CRYPT);
}

static void test_volumes(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {
        .name = "t",
        .count = 1,
        .disks = {.image.path = "/image",
                  .root_bytes = GIB + 1,
                  .ephemeral = {{.size_bytes = GIB, .fs = "ext4"}, {.size_bytes = GIB, .fs = "xfs"}},
                  .n_ephemeral = 2,
                  .swap_bytes = GIB}};
    const struct world_volume *v = b->w->host.volumes;
    struct error e = ERROR_NONE;

    assert_ok(bench_launch(b, &q, &e), e);
    assert_int_equal(b->w->host.n_volumes, 4);
    assert_true(v[0].v.size_bytes == GIB + (4 << 20)); /* whole extents */
    assert_true(v[0].has_image && !v[0].fs[0]);
    assert_string_equal(v[1].fs, "ext4");
    assert_string_equal(v[1].label, "ephemeral0");
    assert_string_equal(v[2].label, "ephemeral1");
    assert_string_equal(v[3].fs, "swap");
    assert_string_equal(v[3].v.role, "swap");
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(v[i].v.cipher, "aes-xts-plain64");
        assert_int_equal(v[i].v.sector_bytes, 4096);
        assert_int_equal(v[i].v.key_bits, 512);
        assert_string_equal(v[i].v.key, v[0].v.key);
        assert_int_equal(v[i].v.scope, KEY_SCOPE_INSTANCE);
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(v[i].v.check, v[other].v.check); /* so their keys differ */
    }
    assert_string_equal(b->w->host.keys[0].info.owner, v[0].v.instance);
    assert_string_equal(b->warning, "");
}

static void test_small_extents(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = (1 << 20) + 1024};
    b->w->host.group.extent_bytes = 1024;
    assert_ok(bench_launch(b, &q, &e), e);
    assert_int_equal(b->w->host.volumes[0].v.sector_bytes, 512);
}

static void test_plain(void **state)
{
    struct bench *b = *state;
    b->f.config.encryption_enabled = false;
    bench_make(b, "t", false);
    assert_non_null(strstr(b->warning, "not encrypted"));
    assert_int_equal(b->w->host.n_keys + b->w->host.n_maps, 0);
    assert_string_equal(b->w->host.volumes[0].v.cipher, "none");
    assert_string_equal(b->w->host.volumes[0].v.key, "");
}

static void test_dry_run(void **state)
{
    struct bench *b = *state;
    static struct host before;
    const struct launch_request q = {
        .name = "t", .count = 2, .disks = {.root_bytes = GIB, .image.path = "/image"}, .dry_run = true};
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    struct error e = ERROR_NONE;

    before = b->w->host;
    assert_ok(instance_launch(&b->f.context, &q, &launched, &plan, &e), e);
    assert_memory_equal(&before, &b->w->host, sizeof before);
    assert_string_equal(launched[1].name, "t-2");
    /* 2 locks, keys, 2 x (volume, open), the image, 2 domains, their sync, udevd, ready, 2 starts */
    assert_int_equal(steps_count(plan), 15);
    assert_int_equal(strncmp(steps_what(plan, 0), "lock instance t-1", 17), 0);
    assert_string_equal(steps_what(plan, 2), "create 2 keys of 256 bits in local");
    assert_string_equal(steps_what(plan, 14), "start domain t-2");
}

/* What would be opened only to be closed again stays closed, and its secret goes all the same. */
static void test_empty_disks_stay_closed(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct launch_request q = {
        .name = "t",
        .count = 2,
        .disks = {.root_bytes = GIB, .ephemeral = {{.size_bytes = GIB, .fs = "ext4"}}, .n_ephemeral = 1},
        .no_start = true,
        .dry_run = true};
    const char *expected[] = {"open ", "open ", "close the disks of t-1", "close the disks of t-2",
                              "wait for udevd"};
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    size_t n = 0;
    assert_ok(instance_launch(&b->f.context, &q, &launched, &plan, &e), e);
    for (size_t i = 0; i < steps_count(plan); i++) {
        const char *what = steps_what(plan, i);
        if (!str_starts(what, "open ") && !str_starts(what, "close ") && !str_starts(what, "wait "))
            continue;
        assert_true(n < ARRAY_SIZE(expected) && str_starts(what, expected[n++]));
    }
    assert_int_equal(n, ARRAY_SIZE(expected));

    const struct launch_request empty = {.name = "e", .count = 1, .disks.root_bytes = GIB, .no_start = true};
    b->w->without = "close";
    assert_ok(bench_launch(b, &empty, &e), e);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* The keys that each step of a launch of `count` makes, and whether all disks under them are opened before a
 * byte is written to any, and before the next keys are made. */
static size_t count_keys(struct bench *b, uint32_t count, bool shared_key, size_t made[])
{
    const struct launch_request q = {.name = "t",
                                     .count = count,
                                     .shared_key = shared_key,
                                     .disks = {.root_bytes = GIB, .image.path = "/image"},
                                     .dry_run = true};
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    struct error e = ERROR_NONE;
    size_t n = 0, closed = 0;
    assert_ok(instance_launch(&b->f.context, &q, &launched, &plan, &e), e);
    for (size_t i = 0; i < steps_count(plan); i++) {
        const char *what = steps_what(plan, i);
        if (sscanf(what, "create %zu keys", &made[n]) == 1 || str_starts(what, "create a key")) {
            assert_int_equal(shared_key ? 0 : closed, 0);
            made[n] = str_starts(what, "create a key") ? 1 : made[n];
            closed = shared_key ? count : made[n];
            n++;
        }
        closed -= str_starts(what, "open ");
        if (str_starts(what, "write image") && !shared_key)
            assert_int_equal(closed, 0);
    }
    assert_int_equal(closed, 0);
    return n;
}

static void test_keys_at_once(void **state)
{
    struct bench *b = *state;
    struct rlimit before, low;
    size_t made[LAUNCH_COUNT_MAX];

    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    if (before.rlim_max < 2 << 20)
        skip();
    low = before;
    low.rlim_cur = 2 << 20;
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    assert_int_equal(count_keys(b, 130, false, made), 3);
    assert_int_equal(made[0], 64);
    assert_int_equal(made[1], 64);
    assert_int_equal(made[2], 2);
    assert_int_equal(count_keys(b, 64, false, made), 1);
    assert_int_equal(count_keys(b, 65, false, made), 2);
    assert_int_equal(count_keys(b, 130, true, made), 1);
    assert_int_equal(made[0], 1);

    /* no more of them than may be locked */
    low.rlim_cur = 16 * (rlim_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    assert_int_equal(count_keys(b, 10, false, made), 3);
    assert_int_equal(made[0], 4);
    low.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    assert_int_equal(count_keys(b, 10, false, made), 10);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

/* More instances than one chunk has, made and undone. */
static void test_several_chunks(void **state)
{
    struct bench *b = *state;
    static struct host before;
    struct launch_request q = {.name = "t", .count = 5, .disks.root_bytes = GIB};
    struct rlimit limit, low;
    struct error e = ERROR_NONE;

    bench_use_barbican(b);
    before = b->w->host;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    low = limit;
    low.rlim_cur = 8 * (rlim_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    b->w->inject[0].at = 35; /* in the third chunk */
    b->w->inject[0].kind = INJECT_ERROR_AFTER;
    assert_error(bench_launch(b, &q, &e), -EHOSTUNREACH, e);
    assert_string_equal(b->w->hit, "key store");
    assert_memory_equal(&before, &b->w->host, sizeof before);

    e = ERROR_NONE;
    q.shared_key = true;
    fake_again(&b->f);
    assert_ok(bench_launch(b, &q, &e), e);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    assert_int_equal(b->w->host.n_keys, 1);
    assert_int_equal(b->w->host.n_maps, 5);
    assert_int_equal(b->w->n_locks, 0); /* nor is the uuid of the batch locked any more */
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(b->w->host.volumes[i].v.key, b->w->host.volumes[0].v.key);
}

/* Some keys are made, one is refused, and of another nobody knows. */
static void test_lost_keys(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {.name = "t", .count = 3, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;

    bench_use_barbican(b);
    b->w->inject[0].at = 11; /* behind the model and the locks */
    b->w->inject[0].kind = INJECT_ERROR_AFTER;
    b->w->inject[1].at = 12;
    b->w->inject[1].kind = INJECT_ERROR_BEFORE;
    assert_error(bench_launch(b, &q, &e), -EHOSTUNREACH, e);
    assert_string_equal(b->w->hit, "key store");
    assert_int_equal(b->w->host.n_keys + b->w->host.n_volumes, 0);
    assert_int_equal(b->warnings, 0);

    /* nor can the manager be asked for them: one warning, whatever their number */
    b->w->keys_unreachable = true;
    e = ERROR_NONE;
    assert_error(bench_launch(b, &q, &e), -EHOSTUNREACH, e);
    assert_int_equal(b->warnings, 1);
    assert_non_null(strstr(b->warning, "mayfly recover"));
}

static void test_keys_of_others(void **state)
{
    struct bench *b = *state;
    static struct host before;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_use_barbican(b);
    bench_make(b, "t", true);
    before = b->w->host;
    fake_again(&b->f);
    fake_ask_as(&b->f, PROJECT_THEIRS);
    assert_error(instance_start(&b->f.context, "t", &changed, &e), -EACCES, e);
    assert_int_equal(exit_code(-EACCES), 2);
    assert_memory_equal(&before, &b->w->host, sizeof before);
    e = ERROR_NONE;
    assert_error(instance_delete(&b->f.context, "t", &changed, &e), -EACCES, e);
    assert_non_null(strstr(e.text, "instance t: cannot be deleted"));
    assert_memory_equal(&before, &b->w->host, sizeof before);

    fake_again(&b->f);
    fake_ask_as_nobody(&b->f);
    refused(b, (struct launch_request){.name = "other", .disks.root_bytes = GIB}, -EACCES, "no credentials");
    fake_again(&b->f);
    fake_ask_as_host(&b->f);
    e = ERROR_NONE;
    assert_ok(instance_start(&b->f.context, "t", &changed, &e), e);
}

static uint64_t done_bytes, total_bytes;
static void on_progress(void *data, uint64_t done, uint64_t total)
{
    (void)data;
    done_bytes = done;
    total_bytes = total;
}

static void test_progress(void **state)
{
    struct bench *b = *state;
    const struct launch_request q = {
        .name = "t", .count = 3, .disks = {.root_bytes = GIB, .image.path = "/image"}};
    struct error e = ERROR_NONE;
    b->reporter.progress = on_progress;
    assert_ok(bench_launch(b, &q, &e), e);
    assert_true(done_bytes == 3 * GIB && total_bytes == 3 * GIB);
}

static bool always(void)
{
    return true;
}

static void test_stopped(void **state)
{
    struct bench *b = *state;
    static struct host before;
    const struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = GIB};
    struct error e = ERROR_NONE;
    before = b->w->host;
    b->f.context.stopped = always;
    assert_error(bench_launch(b, &q, &e), -ECANCELED, e);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static void test_ephemeral_key_is_gone(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    strcpy(b->f.config.key_backend, "ephemeral");
    bench_make(b, "t", false);
    assert_ok(instance_stop(&b->f.context, "t", 0, true, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(b->w->host.n_maps, 2); /* or all would be lost */
    assert_error(instance_close(&b->f.context, "t", false, &changed, &e), -EUNSAFE, e);
    assert_int_equal(b->w->host.n_maps, 2);
    e = ERROR_NONE;
    assert_ok(instance_start(&b->f.context, "t", &changed, &e), e);
    world_reboot(&b->w->host);
    assert_error(instance_start(&b->f.context, "t", &changed, &e), -ENOKEY, e);
    assert_int_equal(exit_code(-ENOKEY), 7);
    assert_false(b->w->host.domains[0].d.active);
}

static void test_idempotent(void **state)
{
    struct bench *b = *state;
    const struct context *c = &b->f.context;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "t", false);
    assert_ok(instance_start(c, "t", &changed, &e), e);
    assert_false(changed);
    assert_error(instance_open(c, "t", MAP_TO_STAY, &changed, &e), -EBUSY, e);
    e = ERROR_NONE;
    assert_error(instance_close(c, "t", false, &changed, &e), -EBUSY, e);
    e = ERROR_NONE;
    assert_ok(instance_stop(c, "t", 5, false, &changed, &e), e);
    assert_true(changed);
    assert_ok(instance_stop(c, "t", 5, false, &changed, &e), e);
    assert_false(changed);
    assert_ok(instance_close(c, "t", false, &changed, &e), e);
    assert_false(changed);
    assert_ok(instance_open(c, "t", MAP_TO_STAY, &changed, &e), e);
    assert_true(changed);
    assert_ok(instance_open(c, "t", MAP_TO_STAY, &changed, &e), e);
    assert_false(changed);
    assert_ok(instance_delete(c, "t", &changed, &e), e);
    assert_true(changed);
    assert_error(instance_delete(c, "t", &changed, &e), -ENOENT, e); /* a typo, for all that it knows */
}

static void test_guest_ignores_stop(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;

    bench_make(b, "t", false);
    b->w->guest_ignores = true;
    assert_error(instance_stop(&b->f.context, "t", 0, false, &changed, &e), -EBUSY, e);
    assert_non_null(strstr(e.text, "--force"));
    assert_true(b->w->host.domains[0].d.active);
    assert_int_equal(b->w->host.n_maps, 2);
    e = ERROR_NONE;
    assert_ok(instance_stop(&b->f.context, "t", 1, true, &changed, &e), e);
    assert_false(b->w->host.domains[0].d.active);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* All guests are asked before the first one is waited for. */
static void test_stop_together(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "nobody", "b", "c"};
    struct error e = ERROR_NONE;
    bool asked[4] = {false, true, false, true}, changed = false;
    bench_make(b, "a", false);
    bench_make(b, "b", false);
    bench_make(b, "c", true);
    instances_ask_to_stop(&b->f.context, names, 4, asked);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(asked[i], i % 2 == 0);
    assert_false(b->w->host.domains[0].d.active);
    assert_false(b->w->host.domains[1].d.active);
    assert_ok(instance_stop_asked(&b->f.context, "a", clock_msec(), 1, false, &changed, &e), e);
    assert_true(changed);

    b->w->guest_ignores = true;
    assert_ok(instance_start(&b->f.context, "b", &changed, &e), e);
    instances_ask_to_stop(&b->f.context, names + 2, 1, asked);
    assert_true(asked[0]);
    uint64_t start_msec = clock_msec(); /* its minute is over: it was asked that long ago */
    assert_error(instance_stop_asked(&b->f.context, "b", start_msec - 61000, 60, false, &changed, &e), -EBUSY,
                 e);
    assert_true(clock_msec() < start_msec + 30000);
    e = ERROR_NONE;
    assert_ok(instance_stop_asked(&b->f.context, "b", start_msec - 61000, 60, true, &changed, &e), e);
    assert_false(b->w->host.domains[1].d.active);
    assert_int_equal(b->w->host.n_maps, 0);
}

static unsigned ended, closed_early;

static void note_ends(struct world *w)
{
    ended += streq(w->person.call, "destroy");
    closed_early += streq(w->person.call, "close") && ended < 3;
    w->person.at = w->calls + 1;
}

/* All plugs are pulled before the first disk is closed, and of each it is told. */
static void test_stop_hard_together(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "nobody", "b", "c", "d", "a"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    for (const char *name = "abcd"; *name; name++)
        bench_make(b, (char[]){*name, '\0'}, *name == 'd');
    b->w->guest_ignores = true;
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = note_ends;
    assert_error(instances_stop_hard(&b->f.context, names, ARRAY_SIZE(names), done, &e), -ENOENT, e);
    assert_int_equal(ended, 3);
    assert_int_equal(closed_early, 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(done[i].error.errnum, i == 1 ? -ENOENT : 0);
        assert_int_equal(done[i].changed, i == 0 || i == 2 || i == 3);
    }
    for (size_t i = 0; i < 4; i++)
        assert_false(b->w->host.domains[i].d.active);
    assert_int_equal(b->w->host.n_maps, 0);
}

static bool stopped_by_now(void)
{
    return ended > 0;
}

/* Whoever wants to stop while plugs are pulled is told of each that was. */
static void test_stop_hard_cut_short(void **state)
{
    struct bench *b = *state;
    static const char *const names[] = {"a", "b"};
    struct outcome done[ARRAY_SIZE(names)];
    struct error e = ERROR_NONE;
    bench_make(b, "a", false);
    bench_make(b, "b", false);
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = note_ends;
    b->f.context.stopped = stopped_by_now;
    ended = 0;
    assert_ok(instances_stop_hard(&b->f.context, names, ARRAY_SIZE(names), done, &e), e);
    assert_int_equal(ended, 2);
    assert_true(done[0].changed && done[1].changed);
    assert_int_equal(b->w->host.n_maps, 0);
}

static unsigned looks;

/* The guest powers itself off while it is waited for. */
static bool ends_meanwhile(void)
{
    if (++looks == 2)
        fake_world()->host.domains[0].d.active = false;
    return looks > 10;
}

static void test_wait(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bench_make(b, "t", false);
    assert_ok(instance_wait(&b->f.context, "t", WAIT_RUNNING, 0, &e), e);
    assert_error(instance_wait(&b->f.context, "t", WAIT_STOPPED, clock_msec(), &e), -EBUSY, e);
    e = ERROR_NONE;
    b->w->host.domains[0].d.state = DOMAIN_PAUSED;
    assert_error(instance_wait(&b->f.context, "t", WAIT_RUNNING, clock_msec(), &e), -EBUSY, e);
    assert_non_null(strstr(e.text, "is paused"));
    e = ERROR_NONE;
    b->f.context.stopped = ends_meanwhile;
    assert_ok(instance_wait(&b->f.context, "t", WAIT_STOPPED, 0, &e), e);
    assert_int_equal(looks, 2);
    assert_error(instance_wait(&b->f.context, "t", WAIT_RUNNING, 0, &e), -ECANCELED, e);
    e = ERROR_NONE;
    b->w->host.n_domains = 0;
    assert_error(instance_wait(&b->f.context, "t", WAIT_STOPPED, 0, &e), -ENOENT, e);
}

static void end_guest_that_runs(struct world *w)
{
    if (w->host.n_domains && w->host.domains[0].d.active)
        world_end_guest(&w->host.domains[0]);
    w->person.at = w->calls + 1;
}

/* The hook leaves its disks to the launch, which has the lock. */
static void test_guest_ends_at_once(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct launch_request q = {.name = "t", .count = 1, .disks.root_bytes = GIB};
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = end_guest_that_runs;
    assert_ok(bench_launch(b, &q, &e), e);
    assert_false(b->w->host.domains[0].d.active);
    assert_int_equal(b->w->host.n_maps, 0);
}

static void test_no_domain(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "t", true);
    b->w->host.n_domains = 0;
    assert_error(instance_start(&b->f.context, "t", &changed, &e), -ENOENT, e);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* --count 1 numbers too: a script with --count $n has one convention. */
static void test_numbered(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    const struct launch_request q = {
        .name = "n", .count = 1, .numbered = true, .disks.root_bytes = GIB, .no_start = true};
    assert_ok(bench_launch(b, &q, &e), e);
    assert_string_equal(b->w->host.domains[0].d.name, "n-1");
}

/* Behind the highest, of domains of others too; what only looks like a number is none. */
static void test_numbers_go_on(void **state)
{
    struct bench *b = *state;
    const struct world_domain *made = &b->w->host.domains[4];
    struct error e = ERROR_NONE;
    struct launch_request q = {.name = "n", .count = 2, .disks.root_bytes = GIB, .no_start = true};
    world_add_domain(b->w, "n-3", "88888888-8888-4888-8888-888888888888");
    world_add_domain(b->w, "n-04", "99999999-9999-4999-8999-999999999999");
    world_add_domain(b->w, "nn-9", "99999999-9999-4999-8999-99999999999a");
    world_add_domain(b->w, "n-9999999", "99999999-9999-4999-8999-99999999999b");
    assert_ok(bench_launch(b, &q, &e), e);
    assert_string_equal(made[0].d.name, "n-4");
    assert_string_equal(made[1].d.name, "n-5");
    b->w->host.n_domains -= 2; /* now only their volumes have the names */
    fake_again(&b->f);
    q.count = 1;
    q.numbered = true;
    assert_ok(bench_launch(b, &q, &e), e);
    assert_string_equal(made[0].d.name, "n-6");
    world_add_domain(b->w, "n-999998", "99999999-9999-4999-8999-99999999999c");
    q.count = 2;
    refused(b, q, -EEXIST, "n-999998");
}

static const struct launch_request two = {.name = "n", .count = 2, .disks.root_bytes = GIB, .no_start = true};
static int second_result;

static void launch_two(struct world *w)
{
    const struct config *before = w->config;
    struct error e = ERROR_NONE;
    struct fake other;
    fake_begin(&other, w);
    _cleanup_free_ struct launched *launched = NULL;
    second_result = instance_launch(&other.context, &two, &launched, NULL, &e);
    fake_end(&other);
    fake_use(w);
    w->config = before;
}

/* Another launch of the same names before call `at`. False: there is no such call. */
static bool launch_two_meanwhile(unsigned at)
{
    struct error e = ERROR_NONE;
    struct bench *b = NULL;
    void *state = NULL;
    bench_setup(&state);
    b = state;
    second_result = 1;
    b->w->person.at = b->w->calls + at;
    b->w->person.act = launch_two;
    assert_ok(bench_launch(b, &two, &e), e);
    bool there = second_result <= 0;
    if (there && second_result < 0 && second_result != -EBUSY)
        fail_msg("call %u: the other launch: %s", at, strerror(-second_result));
    assert_int_equal(b->w->host.n_domains, second_result == 0 ? 4 : 2);
    assert_int_equal(b->w->host.n_volumes, b->w->host.n_domains);
    assert_int_equal(b->w->n_locks, 0);
    assert_string_equal(b->w->violation, "");
    bench_teardown(&state);
    return there;
}

static void test_numbers_of_two_at_once(void **state)
{
    (void)state;
    unsigned at = 1, both = 0;
    for (; launch_two_meanwhile(at); at++)
        both += second_result == 0;
    assert_true(at > 10 && both > at / 2);
}

/* Whose name another has is refused before it has made anything. */
static void test_one_name_of_two_at_once(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    struct fake other;
    char uuid[UUID_TEXT];
    uuid_of_text("n", uuid);
    fake_begin(&other, b->w);
    assert_ok(broker_lock(other.context.broker, uuid, &e), e);
    b->w->config = &b->f.config;
    refused(b, (struct launch_request){.disks.root_bytes = GIB, .name = "n"}, -EBUSY, "instance n: its name");
    fake_end(&other);
    fake_use(b->w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_refused),
        bench_test(test_ephemeral_refused),
        bench_test(test_empty_disks_stay_closed),
        bench_test(test_networks),
        bench_test(test_machine),
        bench_test(test_firmware),
        bench_test(test_autostart),
        bench_test(test_refused_by_host),
        bench_test(test_refused_by_keys),
        bench_test(test_engine),
        bench_test(test_engine_refused),
        bench_test(test_volumes),
        bench_test(test_small_extents),
        bench_test(test_plain),
        bench_test(test_dry_run),
        bench_test(test_progress),
        bench_test(test_stopped),
        bench_test(test_ephemeral_key_is_gone),
        bench_test(test_idempotent),
        bench_test(test_stop_together),
        bench_test(test_stop_hard_together),
        bench_test(test_stop_hard_cut_short),
        bench_test(test_wait),
        bench_test(test_numbered),
        bench_test(test_numbers_go_on),
        cmocka_unit_test(test_numbers_of_two_at_once),
        bench_test(test_one_name_of_two_at_once),
        bench_test(test_guest_ignores_stop),
        bench_test(test_guest_ends_at_once),
        bench_test(test_no_domain),
        bench_test(test_keys_at_once),
        bench_test(test_several_chunks),
        bench_test(test_lost_keys),
        bench_test(test_keys_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
