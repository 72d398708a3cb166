/* SPDX-License-Identifier: Apache-2.0 */
/* What the hook refuses of the disks of a domain, once it is known where their paths lead: see test_lineage
 * for that. */
#include "instance/guard.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define OURS   "6f1e8a8e-0000-4000-8000-00000000000a"
#define THEIRS "6f1e8a8e-0000-4000-8000-00000000000b"

static struct found_device found = {.path = (char *)"/dev/disk/by-id/x"};
static struct guard guard = {.uuid = OURS, .found = &found, .n = 1};

/* The path leads to a volume of that name. */
static void leads_to(const char *lv)
{
    found.reached = (struct reached){.kind = LINEAGE_VOLUME};
    strcpy(found.reached.vg, "vg0");
    strcpy(found.reached.lv, lv);
}

static struct volume a_volume(const char *instance, const char *lv, bool encrypted)
{
    struct volume v = {.state = VOLUME_READY};
    strcpy(v.instance, instance);
    strcpy(v.vg, "vg0");
    strcpy(v.lv, lv);
    strcpy(v.cipher, encrypted ? "aes-xts-plain64" : "none");
    return v;
}

static void check(const struct volume *v, const struct damaged_volume *damaged, int wanted, const char *words)
{
    struct error e = ERROR_NONE;
    struct inventory i = {.volumes = (struct volume *)v,
                          .n_volumes = v != NULL,
                          .damaged = (struct damaged_volume *)damaged,
                          .n_damaged = damaged != NULL};
    assert_error(guard_check_volumes(&guard, &i, "web", &e), wanted, e);
    if (words && !strstr(e.text, words))
        fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static void a_volume_below_an_encrypted_disk_is_refused(void **state)
{
    (void)state;
    const struct volume own = a_volume(OURS, OURS "_disk", true),
                        other = a_volume(THEIRS, THEIRS "_disk", true);
    leads_to(OURS "_disk");
    check(&own, NULL, -EUNSAFE, "in plaintext");
    check(&other, NULL, 0, NULL); /* it leads elsewhere */
    leads_to(THEIRS "_disk");
    check(&other, NULL, -EUNSAFE, "in plaintext");
    strcpy(found.reached.vg, "vg1");
    check(&other, NULL, 0, NULL);
}

static void a_plain_disk_is_for_its_own_instance_alone(void **state)
{
    (void)state;
    const struct volume own = a_volume(OURS, OURS "_disk", false),
                        other = a_volume(THEIRS, THEIRS "_disk", false);
    leads_to(OURS "_disk");
    check(&own, NULL, 0, NULL);
    leads_to(THEIRS "_disk");
    check(&other, NULL, -EUNSAFE, "is a disk of instance " THEIRS);
}

static void a_volume_whose_tags_are_damaged_is_refused(void **state)
{
    (void)state;
    struct damaged_volume damaged = {.vg = "vg0", .lv = OURS "_disk"};
    leads_to(OURS "_disk");
    check(NULL, &damaged, -EUNSAFE, "damaged");
}

static void a_map_of_another_instance_is_refused(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    leads_to(OURS "_disk");
    assert_ok(guard_check_maps(&guard, "web", &e), e);
    found.reached = (struct reached){.kind = LINEAGE_MAP};
    strcpy(found.reached.instance, THEIRS);
    assert_error(guard_check_maps(&guard, "web", &e), -EUNSAFE, e);
    assert_non_null(strstr(e.text, "is a disk of instance " THEIRS));
}

static bool finds_disk_of_others(const char *path)
{
    struct error e = ERROR_NONE;
    struct guard g;
    char xml[400];
    snprintf(xml, sizeof xml,
             "<domain><uuid>" OURS
             "</uuid><disk type='vhostuser'><source type='unix' path='%s'/></disk></domain>",
             path);
    assert_ok(guard_look(xml, &g, &e), e);
    bool refused = guard_check_maps(&g, "web", NULL) == -EUNSAFE;
    guard_end(&g);
    return refused;
}

/* Also before anybody serves it: QEMU would connect as soon as somebody does. */
static void a_socket_of_another_instance_is_refused(void **state)
{
    (void)state;
    assert_true(finds_disk_of_others("/run/mayfly/disks/" THEIRS "_disk"));
    assert_true(finds_disk_of_others("/run/mayfly/disks/" THEIRS "_disk.eph0"));
    assert_false(finds_disk_of_others("/run/mayfly/disks/" OURS "_disk"));
    assert_false(finds_disk_of_others("/run/vhost/" THEIRS "_disk"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_volume_below_an_encrypted_disk_is_refused),
        cmocka_unit_test(a_plain_disk_is_for_its_own_instance_alone),
        cmocka_unit_test(a_volume_whose_tags_are_damaged_is_refused),
        cmocka_unit_test(a_map_of_another_instance_is_refused),
        cmocka_unit_test(a_socket_of_another_instance_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
