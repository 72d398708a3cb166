/* SPDX-License-Identifier: Apache-2.0 */
/* See virt-suite.h. */
#include "virt-suite.h"

#include "base/str.h"
#include "virt/rescue-xml.h"

#include <stdio.h>

struct virt_suite suite;

int suite_end(void **state)
{
    (void)state;
    int r = virt_destroy(suite.virt, suite.uuid, NULL);
    if (r == 0)
        r = suite_undefine(NULL);
    suite.virt = virt_disconnect(suite.virt);
    return r;
}

/* No file of it stays. */
int suite_undefine(struct error *e)
{
    _cleanup_free_ char *kept = NULL;
    int r = virt_undefine(suite.virt, suite.uuid, &kept, e);
    assert_null(kept);
    return r;
}

int suite_define(const char *name, const char *with_uuid, struct error *e)
{
    const struct domain_spec spec = {
        .name = name,
        .uuid = with_uuid,
        .memory_bytes = 64 << 20,
        .kvm = virt_offers(suite.virt, VIRT_KVM),
        .disks = &suite.disk,
        .n_disks = suite.disk.device_path ? 1 : 0,
    };
    _cleanup_free_ char *xml = NULL;
    int r = domain_xml(&spec, suite.template, &xml, e);
    return r < 0 ? r : virt_define(suite.virt, xml, e);
}

void assert_domain(bool active)
{
    struct error e = ERROR_NONE;
    struct domain by_uuid = {0}, by_name = {0};
    assert_ok(virt_find_uuid(suite.virt, suite.uuid, &by_uuid, &e), e);
    assert_ok(virt_find_name(suite.virt, "mayfly-test", &by_name, &e), e);
    assert_string_equal(by_uuid.name, "mayfly-test");
    assert_string_equal(by_uuid.uuid, suite.uuid);
    assert_string_equal(by_name.uuid, suite.uuid);
    assert_int_equal(by_uuid.active, active);
    assert_int_equal(by_name.active, active);
    assert_true(by_uuid.ours && by_uuid.persistent && !by_uuid.saved);
    assert_string_equal(domain_state_name(by_uuid.state), active ? "running" : "shut off");
}

/* ---- the suite ---- */

void suite_lives(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_domain(false);
    struct domain_details details;
    assert_ok(virt_details(suite.virt, suite.uuid, &details, &e), e);
    assert_true(details.save_refused && !details.core_dumped && !details.saved && !details.autostart);
    assert_ok(virt_set_autostart(suite.virt, suite.uuid, &e), e);
    assert_ok(virt_settle(suite.virt, &e), e);
    assert_ok(virt_details(suite.virt, suite.uuid, &details, &e), e);
    assert_true(details.autostart);
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(virt_start(suite.virt, suite.uuid, &e), e);
        assert_domain(true);
    }
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(virt_destroy(suite.virt, suite.uuid, &e), e);
        assert_domain(false);
    }
    for (int twice = 0; twice < 2; twice++)
        assert_ok(suite_undefine(&e), e);
    struct domain d;
    assert_error(virt_find_uuid(suite.virt, suite.uuid, &d, &e), -ENOENT, e);
}

void suite_lists_all(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ struct domain *before = NULL, *after = NULL;
    size_t n_before = 0, n_after = 0;
    assert_ok(virt_list(suite.virt, true, &before, &n_before, &e), e);
    for (size_t i = 0; i < n_before; i++)
        assert_false(before[i].ours);

    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_ok(virt_list(suite.virt, true, &after, &n_after, &e), e);
    assert_int_equal(n_after, n_before + 1);
    size_t n_ours = 0;
    for (size_t i = 0; i < n_after; i++)
        if (after[i].ours) {
            assert_string_equal(after[i].uuid, suite.uuid);
            assert_string_equal(after[i].name, "mayfly-test");
            n_ours++;
        }
    assert_int_equal(n_ours, 1);
}

static const struct domain_sides *sides_of(const struct virt_views *views, const char *of)
{
    for (size_t i = 0; i < views->n; i++)
        if (streq(views->domain[i].uuid, of))
            return &views->domain[i];
    return NULL;
}

/* All at once, or one. */
void suite_shows_both_sides(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_(virt_views_end) struct virt_views off = {.n = 0}, on = {.n = 0};
    _cleanup_domain_view_ struct domain_view guest = {.found = false};
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_ok(virt_view_all(suite.virt, &off, &e), e);
    assert_non_null(sides_of(&off, suite.uuid));
    assert_true(sides_of(&off, suite.uuid)->definition.found && !sides_of(&off, suite.uuid)->guest.found);
    assert_string_equal(sides_of(&off, suite.uuid)->name, "mayfly-test");
    assert_int_equal(off.why.errnum, 0);
    assert_ok(virt_view(suite.virt, suite.uuid, DOMAIN_GUEST, &guest, &e), e);
    assert_false(guest.found);

    assert_ok(virt_start(suite.virt, suite.uuid, &e), e);
    assert_ok(virt_view_all(suite.virt, &on, &e), e);
    assert_int_equal(on.n, off.n);
    assert_true(sides_of(&on, suite.uuid)->definition.found && sides_of(&on, suite.uuid)->guest.found);
    assert_ok(virt_view(suite.virt, suite.uuid, DOMAIN_GUEST, &guest, &e), e);
    assert_true(guest.found && guest.ours);
}

void suite_refuses_what_is_taken(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_error(suite_define("mayfly-test", suite.uuid, &e), -EEXIST, e);

    char other[UUID_TEXT];
    uuid_make(other);
    e = ERROR_NONE;
    assert_error(suite_define("mayfly-test", other, &e), -EEXIST, e);
    e = ERROR_NONE;
    assert_error(suite_define("mayfly-other", suite.uuid, &e), -EEXIST, e);
    assert_domain(false);
}

void suite_asks_a_guest_to_go(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_ok(virt_shutdown(suite.virt, suite.uuid, &e), e); /* off as it is */
    assert_ok(virt_start(suite.virt, suite.uuid, &e), e);
    assert_ok(virt_shutdown(suite.virt, suite.uuid, &e), e);
    if (suite.obeys)
        assert_domain(false);
}

void suite_tells_what_is_not_there(void **state)
{
    (void)state;
    struct domain d;
    struct error e = ERROR_NONE;
    assert_error(virt_find_name(suite.virt, "mayfly-test", &d, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_error(virt_find_uuid(suite.virt, suite.uuid, &d, &e), -ENOENT, e);
    assert_error(virt_start(suite.virt, suite.uuid, &e), -ENOENT, e);
    assert_error(virt_shutdown(suite.virt, suite.uuid, &e), -ENOENT, e);
    assert_error(virt_reboot(suite.virt, suite.uuid, &e), -ENOENT, e);
    assert_error(virt_set_autostart(suite.virt, suite.uuid, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_ok(virt_destroy(suite.virt, suite.uuid, &e), e);
    assert_ok(suite_undefine(&e), e);
    assert_int_equal(e.errnum, 0);
}

void suite_changes_a_definition(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ char *before = NULL, *with = NULL, *now = NULL, *back = NULL, *after = NULL;
    char path[80];
    const struct domain_disk rescue = {.device_path = path, .serial = "x", .sector_bytes = 512};
    struct domain d;
    snprintf(path, sizeof path, "/dev/mapper/%s_disk.rescue-dmcrypt", suite.uuid);
    assert_error(virt_definition(suite.virt, suite.uuid, &before, &e), -ENOENT, e);
    e = ERROR_NONE;
    struct domain_disk none = suite.disk;
    suite.disk.device_path = "/dev/sdx";
    int r = suite_define("mayfly-test", suite.uuid, &e);
    suite.disk = none;
    assert_ok(r, e);
    assert_ok(virt_definition(suite.virt, suite.uuid, &before, &e), e);
    assert_ok(rescue_xml_add(before, &rescue, &with, &e), e);
    assert_ok(virt_redefine(suite.virt, with, &e), e);
    assert_ok(virt_find_uuid(suite.virt, suite.uuid, &d, &e), e);
    assert_true(d.ours && d.rescued);
    assert_ok(virt_definition(suite.virt, suite.uuid, &now, &e), e);
    assert_non_null(strstr(now, rescue.device_path));

    assert_ok(rescue_xml_remove(now, &back, &e), e);
    assert_ok(virt_redefine(suite.virt, back, &e), e);
    assert_ok(virt_definition(suite.virt, suite.uuid, &after, &e), e);
    assert_string_equal(after, before);
    assert_ok(suite_undefine(&e), e);
    assert_error(virt_redefine(suite.virt, back, &e), -ENOENT, e);
}

void suite_moves_disks(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    if (!suite.attaches)
        skip();
    const struct domain_disk more = {.device_path = "/dev/sdx", .serial = "eph0", .sector_bytes = 512};
    bool there = true;
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_ok(virt_has_disk(suite.virt, suite.uuid, more.device_path, DOMAIN_DEFINITION, &there, &e), e);
    assert_false(there);
    assert_ok(virt_attach_disk(suite.virt, suite.uuid, &more, DOMAIN_DEFINITION, &e), e);
    assert_ok(virt_has_disk(suite.virt, suite.uuid, more.device_path, DOMAIN_DEFINITION, &there, &e), e);
    assert_true(there);
    assert_ok(virt_has_disk(suite.virt, suite.uuid, more.device_path, DOMAIN_GUEST, &there, &e), e);
    assert_false(there);
    for (int twice = 0; twice < 2; twice++)
        assert_ok(virt_detach_disk(suite.virt, suite.uuid, more.device_path, DOMAIN_DEFINITION, &e), e);
    assert_ok(virt_has_disk(suite.virt, suite.uuid, more.device_path, DOMAIN_DEFINITION, &there, &e), e);
    assert_false(there);
}
