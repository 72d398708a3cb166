/* SPDX-License-Identifier: Apache-2.0 */
/* What people do behind Mayfly's back, and what is found of it. */
#include "instances.h"

#include "instance/drift.h"

#include <stdio.h>

static struct world_domain *domain_of(struct bench *b)
{
    return &b->w->host.domains[0];
}

/* Looks for all kinds, and wants these. */
static void assert_found(struct bench *b, unsigned kinds, const char *says)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_drift_ struct drift d = {.n = 0};
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;
    unsigned found = 0;
    bool said = !says;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    assert_ok(model_find(m, b->w->host.volumes[0].v.instance, &i, &e), e);
    assert_ok(drift_look(&b->f.context, m, i, DRIFT_ALL, NULL, &d, &e), e);
    for (size_t n = 0; n < d.n; n++) {
        found |= 1U << d.found[n].kind;
        assert_true(d.found[n].errnum < 0);
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
    d->ram.saved = true;
    b->w->host.n_maps = 0;
    assert_found(b, DRIFT(SAVED), "managedsave-remove");
    b->w->host.n_domains = 0;
    assert_found(b, DRIFT(UNDEFINED), "mayfly delete");
    virt_disconnect(b->f.context.virt);
    b->f.context.virt = NULL;
    assert_found(b, DRIFT(UNKNOWN), "libvirtd");
}

static void test_held(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    bench_make(b, "a", true);
    assert_ok(instance_open(&b->f.context, "a", &changed, &e), e);
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

static void test_check(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    struct error e = ERROR_NONE;
    struct drift_need need = {.cannot = "cannot be tried", .refused = DRIFT(SAVED), .told = DRIFT(MISSING)};
    bench_make(b, "a", true);
    domain_of(b)->ram.saved = true;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(test_in_order), bench_test(test_domain), bench_test(test_held),
        bench_test(test_disks),    bench_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
