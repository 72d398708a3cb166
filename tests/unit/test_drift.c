/* SPDX-License-Identifier: Apache-2.0 */
/* What people do behind Mayfly's back, and what is found of it. */
#include "instances.h"

#include "instance/drift.h"

#include <stdio.h>

static struct world_domain *domain_of(struct bench *b)
{
    return &b->w->host.domains[0];
}

static char found_role[16]; /* of the examined instance's disk that the last finding is about, or "" */

/* Looks for all kinds, and wants these. */
static void assert_found(struct bench *b, unsigned kinds, const char *says)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_survey_ struct survey survey = {.n_uses = 0};
    _cleanup_drift_ struct drift d = {.n = 0};
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;
    unsigned found = 0;
    bool said = !says;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    assert_ok(model_find(m, b->w->host.volumes[0].v.instance, &i, &e), e);
    survey_make(&b->f.context, &survey);
    assert_ok(survey.why.errnum, survey.why);
    assert_ok(drift_look(&b->f.context, m, &survey, i, DRIFT_ALL, &d, &e), e);
    for (size_t n = 0; n < d.n; n++) {
        found |= 1U << d.found[n].kind;
        snprintf(found_role, sizeof found_role, "%s", d.found[n].disk ? d.found[n].disk->role : "");
        said |= says && strstr(d.found[n].text, says);
    }
    if (found != kinds || !said)
        fail_msg("found %x instead of %x: %s", found, kinds, d.n ? d.found[0].text : "nothing");
}

static void test_in_order(void **state)
{
    struct bench *b = *state;
    bench_make(b, "a", false);
    assert_found(b, 0, NULL);
    bench_make(b, "b", true);
    assert_found(b, 0, NULL);
}

static void test_domain(void **state)
{
    struct bench *b = *state;
    bench_make(b, "a", false);
    struct world_domain *d = domain_of(b);
    d->transient = true;
    assert_found(b, DRIFT(TRANSIENT), "virsh define");
    d->transient = false;
    d->d.state = DOMAIN_PAUSED;
    assert_found(b, DRIFT(HALTED), "virsh resume");
    d->d.state = DOMAIN_CRASHED;
    assert_found(b, DRIFT(HALTED), "crashed");
    d->d.state = DOMAIN_PMSUSPENDED;
    assert_found(b, DRIFT(HALTED), "dompmwakeup");
    d->d.state = DOMAIN_IN_SHUTDOWN;
    assert_found(b, DRIFT(ENDING), "in shutdown");
    d->d.state = DOMAIN_NO_STATE;
    strcpy(d->d.name, "other");
    assert_found(b, DRIFT(RENAMED), "other");
    strcpy(d->d.name, "a");
    d->d.ours = false;
    assert_found(b, 0, NULL); /* as of one that others have defined */
    d->d.ours = true;
    world_end_guest(d);
    d->details.saved = true;
    b->w->host.n_maps = 0;
    assert_found(b, DRIFT(SAVED), "managedsave-remove");
    b->w->host.n_domains = 0;
    assert_found(b, DRIFT(UNDEFINED), "mayfly delete");
    virt_disconnect(b->f.context.virt);
    b->f.context.virt = NULL;
    assert_found(b, DRIFT(UNKNOWN), "libvirtd");
    b->w->host.n_maps = 2;
    b->w->host.maps[0].held = true; /* by its guest, for all that is known */
    assert_found(b, DRIFT(UNKNOWN), "libvirtd");
}

static void test_held(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, &e), e);
    assert_found(b, 0, NULL);
    b->w->host.maps[1].held = true;
    assert_found(b, DRIFT(HELD), "swap");
}

static void test_disks(void **state)
{
    struct bench *b = *state;
    bench_make(b, "a", false);
    struct world_domain *d = domain_of(b);
    strcpy(d->running.disk[0].overlay, "/srv/o");
    assert_found(b, DRIFT(OVERLAY), "/srv/o");
    d->defined.disk[0] = d->running.disk[0];
    assert_found(b, DRIFT(OVERLAY), "blockcommit");
    d->defined.disk[0].overlay[0] = d->running.disk[0].overlay[0] = '\0';
    strcpy(d->running.disk[1].mirror, "/srv/copy");
    assert_found(b, DRIFT(BLOCK_COPY), "/srv/copy");
    d->running.disk[1].mirror[0] = '\0';
    d->running.n = 1;
    assert_found(b, DRIFT(NOT_IN_GUEST), "next start");
    d->defined.n = 1;
    assert_found(b, DRIFT(MISSING), "attach-disk");
    snprintf(d->defined.disk[0].path, DEVICE_PATH_MAX, "/dev/vg0/%s", b->w->host.volumes[0].v.lv);
    d->running.disk[0] = d->defined.disk[0];
    assert_found(b, DRIFT(BARE) | DRIFT(MISSING), "encrypted");
}

static struct world_domain *add_running(struct bench *b, const char *name, const char *uuid, const char *path)
{
    struct world_domain *d = world_add_domain(b->w, name, uuid);
    d->d.active = true;
    d->running.n = 1;
    snprintf(d->running.disk[0].path, DEVICE_PATH_MAX, "%s", path);
    return d;
}

/* As by virsh attach-disk --live, of which libvirt asks nobody. */
static void test_another_domain_has_a_disk(void **state)
{
    struct bench *b = *state;
    char path[DEVICE_PATH_MAX];
    bench_make(b, "a", false);
    volume_device_path(&b->w->host.volumes[0].v, path);
    struct world_domain *other =
        add_running(b, "other", "77777777-7777-4777-8777-777777777777", WORLD_FOREIGN_DISK);
    assert_found(b, 0, NULL);
    snprintf(other->running.disk[0].path, DEVICE_PATH_MAX, "%s", path);
    assert_found(b, DRIFT(SHARED), "the running domain other has its disk root");
    assert_string_equal(found_role, "root");
    assert_found(b, DRIFT(SHARED), "virsh detach-disk other vda --live");
    snprintf(other->running.disk[0].path, DEVICE_PATH_MAX, "/dev/mapper/%.36s_disk.eph9-dmcrypt",
             b->w->host.volumes[0].v.instance);
    assert_found(b, 0, NULL); /* it has none of that name */
    snprintf(other->running.disk[0].path, DEVICE_PATH_MAX, "/dev/%s/%s", b->w->host.volumes[0].v.vg,
             b->w->host.volumes[0].v.lv);
    assert_found(b, DRIFT(SHARED), "plaintext");
    snprintf(other->running.disk[0].path, DEVICE_PATH_MAX, WORLD_FOREIGN_DISK);
    snprintf(other->running.disk[0].mirror, sizeof other->running.disk[0].mirror, "/dev/mapper/short");
    assert_found(b, 0, NULL);
    other->d.active = false; /* the hook is asked before it starts */
    snprintf(other->defined.disk[0].path, DEVICE_PATH_MAX, "%s", path);
    other->defined.n = 1;
    assert_found(b, 0, NULL);
}

static void test_the_guest_has_anothers_disk(void **state)
{
    struct bench *b = *state;
    char path[DEVICE_PATH_MAX];
    bench_make(b, "a", false);
    bench_make(b, "b", false);
    size_t of_b = 0;
    while (streq(b->w->host.volumes[of_b].v.instance, b->w->host.volumes[0].v.instance))
        of_b++;
    volume_device_path(&b->w->host.volumes[of_b].v, path);
    struct world_disks *guest = &domain_of(b)->running;
    snprintf(guest->disk[guest->n++].path, DEVICE_PATH_MAX, "%s", path);
    assert_found(b, DRIFT(SHARED), "its running guest has disk root of instance b");
    assert_string_equal(found_role, ""); /* b's, not its own */
    b->w->host.n_domains--;              /* b is not looked at there, nor is it known by name */
    assert_found(b, DRIFT(SHARED), "of instance b");
}

static void test_nvram(void **state)
{
    struct bench *b = *state;
    bench_make(b, "a", false);
    struct world_domain *d = domain_of(b), *other = NULL;
    snprintf(d->nvram, sizeof d->nvram, "/var/lib/libvirt/qemu/nvram/%.20s", d->d.uuid);
    assert_found(b, DRIFT(NVRAM), "was not made for it");
    d->d.ours = false; /* whose file it is, its owner knows */
    assert_found(b, 0, NULL);
    other = add_running(b, "other", "77777777-7777-4777-8777-777777777777", WORLD_FOREIGN_DISK);
    memcpy(other->nvram, d->nvram, sizeof other->nvram);
    assert_found(b, DRIFT(NVRAM), "domain other has, too");
}

static void test_check(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;
    struct drift_need need = {.cannot = "cannot be tried", .refused = DRIFT(SAVED), .told = DRIFT(MISSING)};
    bench_make(b, "a", true);
    domain_of(b)->details.saved = true;
    domain_of(b)->defined.n = 1;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    assert_ok(model_find(m, "a", &i, &e), e);
    assert_error(drift_check(&b->f.context, m, i, &need, &e), -EBUSY, e);
    assert_non_null(strstr(e.text, "instance a: cannot be tried: it has a managed save"));
    need.refused = 0;
    e = ERROR_NONE;
    assert_ok(drift_check(&b->f.context, m, i, &need, &e), e);
    assert_int_equal(b->warnings, 1);
    need.disk = i->volumes[0]; /* that one is there */
    assert_ok(drift_check(&b->f.context, m, i, &need, &e), e);
    assert_int_equal(b->warnings, 1);
}

/* -------------------------------------------------------------------- verbs */

static int start(struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_start(&b->f.context, "a", &changed, e);
}

static int reboot_hard(struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_reboot(&b->f.context, "a", true, &changed, e);
}

static int reboot_soft(struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_reboot(&b->f.context, "a", false, &changed, e);
}

static int stop(struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_stop(&b->f.context, "a", 1, false, &changed, e);
}

static int stop_hard(struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_stop(&b->f.context, "a", 1, true, &changed, e);
}

static int rescue(struct bench *b, struct error *e)
{
    static const struct rescue_request q = {.image.path = "/rescue", .timeout_sec = 1};
    bool changed = false;
    return instance_rescue(&b->f.context, "a", &q, &changed, NULL, e);
}

static int rebuild(struct bench *b, struct error *e)
{
    static const struct rebuild_request q = {.image.path = "/image"};
    return instance_rebuild(&b->f.context, "a", &q, NULL, e);
}

static int resize(struct bench *b, struct error *e)
{
    static const struct resize_request q = {.role = "root", .size_bytes = 2 * GIB};
    bool changed = false;
    return instance_resize(&b->f.context, "a", &q, &changed, NULL, e);
}

static int add_disk(struct bench *b, struct error *e)
{
    static const struct add_disk_request q = {.name = "a", .ephemeral = {.size_bytes = GIB, .fs = "xfs"}};
    struct volume made;
    return instance_add_disk(&b->f.context, &q, &made, NULL, e);
}

static int remove_disk(struct bench *b, struct error *e)
{
    static const struct remove_disk_request q = {.name = "a", .role = "eph0"};
    bool changed = false;
    return instance_remove_disk(&b->f.context, &q, &changed, NULL, e);
}

static int export_disk(struct bench *b, struct error *e)
{
    static const struct export_request q = {.name = "a", .path = "/file"};
    struct exported done;
    return instance_export(&b->f.context, &q, &done, NULL, e);
}

static int delete (struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_delete(&b->f.context, "a", &changed, e);
}

static int open_disks(struct bench *b, struct error *e)
{
    bool changed = false;
    return instance_open(&b->f.context, "a", MAP_TO_STAY, &changed, e);
}

typedef int verb_fn(struct bench *b, struct error *e);

/* `a`, of a root disk and eph0. */
static void make_two_disks(struct bench *b, bool no_start)
{
    const struct launch_request q = {.name = "a",
                                     .count = 1,
                                     .disks = {.image.path = "/image",
                                               .root_bytes = GIB,
                                               .ephemeral = {{.size_bytes = GIB, .fs = "ext4"}},
                                               .n_ephemeral = 1},
                                     .no_start = no_start};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
}

/* Refused with a sentence about `says`, and everything is as it was. */
static void assert_refused(struct bench *b, verb_fn *verb, int errnum, const char *says)
{
    static struct host before;
    struct error e = ERROR_NONE;
    before = b->w->host;
    fake_again(&b->f);
    assert_error(verb(b, &e), errnum, e);
    if (!strstr(e.text, says))
        fail_msg("not about %s: %s", says, e.text);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static void test_held_disks_stop(void **state)
{
    static verb_fn *const verbs[] = {start, rescue, rebuild, delete, reboot_hard, remove_disk};
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    make_two_disks(b, true);
    fake_again(&b->f);
    assert_ok(open_disks(b, &e), e);
    for (size_t i = 0; i < b->w->host.n_maps; i++)
        b->w->host.maps[i].held = true;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        assert_refused(b, verbs[i], -EBUSY, "in use on this host");
}

static void test_managed_save_stops(void **state)
{
    static verb_fn *const verbs[] = {rescue, rebuild, open_disks, add_disk, remove_disk, resize};
    struct bench *b = *state;
    make_two_disks(b, true);
    domain_of(b)->details.saved = true;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        assert_refused(b, verbs[i], -EBUSY, "managed save");
}

static void test_create_refuses_managed_save(void **state)
{
    static const struct add_disks_request q = {.name = "theirs", .disks.root_bytes = GIB};
    struct bench *b = *state;
    _cleanup_free_ struct launched *launched = NULL;
    bool changed = false;
    struct error e = ERROR_NONE;
    world_add_domain(b->w, "theirs", "77777777-7777-4777-8777-777777777777")->details.saved = true;
    assert_error(instance_add_disks(&b->f.context, &q, &launched, &changed, NULL, &e), -EBUSY, e);
    assert_non_null(strstr(e.text, "domain theirs: cannot be given disks: it has a managed save"));
    assert_int_equal(b->w->host.n_volumes, 0);
}

static void test_other_writes_stop(void **state)
{
    static verb_fn *const verbs[] = {export_disk, resize, rebuild};
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    make_two_disks(b, false);
    struct world_domain *d = domain_of(b);
    strcpy(d->running.disk[0].overlay, "/srv/o");
    d->defined.disk[0] = d->running.disk[0];
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        assert_refused(b, verbs[i], -EUNSAFE, "/srv/o");
    d->defined.disk[0].overlay[0] = d->running.disk[0].overlay[0] = '\0';
    strcpy(d->running.disk[0].mirror, "/srv/copy");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        assert_refused(b, verbs[i], -EUNSAFE, "/srv/copy");
    fake_again(&b->f);
    assert_ok(delete (b, &e), e); /* which tells of the file that stays */
    assert_non_null(strstr(b->warning, "/srv/copy"));
}

static void test_transient(void **state)
{
    static verb_fn *const verbs[] = {rescue, rebuild, reboot_hard, add_disk, remove_disk};
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    make_two_disks(b, false);
    domain_of(b)->transient = true;
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        assert_refused(b, verbs[i], -EUNSAFE, "transient");
    fake_again(&b->f);
    assert_ok(stop(b, &e), e);
    assert_int_equal(b->w->host.n_domains, 0);
    assert_int_equal(b->w->host.n_maps, 0);
}

static void test_halted(void **state)
{
    static verb_fn *const verbs[] = {start, stop, reboot_soft, add_disk, remove_disk};
    static const enum domain_state states[] = {DOMAIN_PAUSED, DOMAIN_CRASHED, DOMAIN_PMSUSPENDED};
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    make_two_disks(b, false);
    for (size_t s = 0; s < ARRAY_SIZE(states); s++)
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
            domain_of(b)->d.state = states[s];
            assert_refused(b, verbs[i], -EBUSY, domain_state_name(states[s]));
        }
    fake_again(&b->f);
    assert_ok(stop_hard(b, &e), e);
    assert_false(domain_of(b)->d.active);
    assert_int_equal(b->w->host.n_maps, 0);
}

/* It is not in the guest, which somebody took it out of: the rest grows. */
static void test_resize_of_what_the_guest_lacks(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    make_two_disks(b, false);
    struct world_domain *d = domain_of(b);
    world_drop(d->running.disk, &d->running.n, sizeof d->running.disk[0], 0);
    fake_again(&b->f);
    assert_ok(resize(b, &e), e);
    assert_non_null(strstr(b->warning, "does not have its disk root"));
}

/* Nor does what was saved of its memory stay. */
static void test_delete_of_a_domain_of_others(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    make_two_disks(b, true);
    domain_of(b)->d.ours = false;
    domain_of(b)->details.saved = true;
    fake_again(&b->f);
    assert_ok(delete (b, &e), e);
    assert_int_equal(b->w->host.n_domains, 1);
    assert_false(domain_of(b)->details.saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_in_order),
        bench_test(test_domain),
        bench_test(test_held),
        bench_test(test_disks),
        bench_test(test_another_domain_has_a_disk),
        bench_test(test_the_guest_has_anothers_disk),
        bench_test(test_nvram),
        bench_test(test_check),
        bench_test(test_held_disks_stop),
        bench_test(test_managed_save_stops),
        bench_test(test_create_refuses_managed_save),
        bench_test(test_other_writes_stop),
        bench_test(test_transient),
        bench_test(test_halted),
        bench_test(test_resize_of_what_the_guest_lacks),
        bench_test(test_delete_of_a_domain_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
