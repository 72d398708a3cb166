/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to libvirt, over libvirt's own test driver: the real API, with domains in memory. With
 * MAYFLY_TEST_URI=qemu:///system (tests/lab/virt-domains.sh) the same over QEMU, from the built-in template.
 */
#include "base/str.h"
#include "unit.h"
#include "virt/connection.h"
#include "virt/rescue-xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST_TEMPLATE                                                                                        \
    "<domain type='test'><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"

static const char *lab_uri;
static struct virt *virt;
static struct domain_disk disk;
static char uuid[UUID_TEXT];

/* Another program that acts right before a definition of Mayfly's, or right after it. Linked with
 * --wrap=virDomainDefineXMLFlags. */
static const char *intruder_xml;
static int intruder_undefines;
virDomainPtr __real_virDomainDefineXMLFlags(virConnectPtr c, const char *xml, unsigned flags);
virDomainPtr __wrap_virDomainDefineXMLFlags(virConnectPtr c, const char *xml, unsigned flags);
virDomainPtr __wrap_virDomainDefineXMLFlags(virConnectPtr c, const char *xml, unsigned flags)
{
    const char *first = TAKE_PTR(intruder_xml);
    if (first)
        virDomainFree(__real_virDomainDefineXMLFlags(c, first, 0));
    virDomainPtr domain = __real_virDomainDefineXMLFlags(c, xml, flags);
    if (domain && intruder_undefines > 0 && intruder_undefines--)
        assert_int_equal(virDomainUndefine(domain), 0);
    return domain;
}

/* No file of it stays. */
static int undefine(struct error *e)
{
    _cleanup_free_ char *kept = NULL;
    int r = virt_undefine(virt, uuid, &kept, e);
    assert_null(kept);
    return r;
}

static int connect(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    if (virt_connect(lab_uri ? lab_uri : "test:///default", &virt, &e) < 0) {
        print_error("%s\n", e.text);
        return -1;
    }
    uuid_make(uuid);
    return 0;
}

/* Whatever became of the test, its domain goes. */
static int disconnect(void **state)
{
    (void)state;
    int r = virt_destroy(virt, uuid, NULL);
    if (r == 0)
        r = undefine(NULL);
    virt = virt_disconnect(virt);
    return r;
}

static int define(const char *name, const char *with_uuid, struct error *e)
{
    const struct domain_spec spec = {
        .name = name,
        .uuid = with_uuid,
        .memory_bytes = 64 << 20,
        .kvm = virt_offers(virt, VIRT_KVM),
        .disks = &disk,
        .n_disks = disk.device_path ? 1 : 0,
    };
    _cleanup_free_ char *xml = NULL;
    int r = domain_xml(&spec, lab_uri ? NULL : TEST_TEMPLATE, &xml, e);
    return r < 0 ? r : virt_define(virt, xml, e);
}

static void assert_domain(bool active)
{
    struct error e = ERROR_NONE;
    struct domain by_uuid = {0}, by_name = {0};
    assert_ok(virt_find_uuid(virt, uuid, &by_uuid, &e), e);
    assert_ok(virt_find_name(virt, "mayfly-test", &by_name, &e), e);
    assert_string_equal(by_uuid.name, "mayfly-test");
    assert_string_equal(by_uuid.uuid, uuid);
    assert_string_equal(by_name.uuid, uuid);
    assert_int_equal(by_uuid.active, active);
    assert_int_equal(by_name.active, active);
    assert_true(by_uuid.ours && by_uuid.persistent && !by_uuid.saved);
    assert_string_equal(domain_state_name(by_uuid.state), active ? "running" : "shut off");
}

static void a_life(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(define("mayfly-test", uuid, &e), e);
    assert_domain(false);
    struct domain_details details;
    assert_ok(virt_details(virt, uuid, &details, &e), e);
    assert_true(details.save_refused && !details.core_dumped && !details.saved && !details.autostart);
    assert_ok(virt_set_autostart(virt, uuid, &e), e);
    assert_ok(virt_settle(virt, &e), e);
    assert_ok(virt_details(virt, uuid, &details, &e), e);
    assert_true(details.autostart);
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(virt_start(virt, uuid, &e), e);
        assert_domain(true);
    }
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(virt_destroy(virt, uuid, &e), e);
        assert_domain(false);
    }
    for (int twice = 0; twice < 2; twice++)
        assert_ok(undefine(&e), e);
    struct domain d;
    assert_error(virt_find_uuid(virt, uuid, &d, &e), -ENOENT, e);
}

static void all_are_listed(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ struct domain *before = NULL, *after = NULL;
    size_t n_before = 0, n_after = 0;
    assert_ok(virt_list(virt, true, &before, &n_before, &e), e);
    for (size_t i = 0; i < n_before; i++)
        assert_false(before[i].ours);

    assert_ok(define("mayfly-test", uuid, &e), e);
    assert_ok(virt_list(virt, true, &after, &n_after, &e), e);
    assert_int_equal(n_after, n_before + 1);
    size_t n_ours = 0;
    for (size_t i = 0; i < n_after; i++)
        if (after[i].ours) {
            assert_string_equal(after[i].uuid, uuid);
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
static void disks_are_seen_on_both_sides(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_(virt_views_end) struct virt_views off = {.n = 0}, on = {.n = 0};
    _cleanup_domain_view_ struct domain_view guest = {.found = false};
    assert_ok(define("mayfly-test", uuid, &e), e);
    assert_ok(virt_view_all(virt, &off, &e), e);
    assert_non_null(sides_of(&off, uuid));
    assert_true(sides_of(&off, uuid)->definition.found && !sides_of(&off, uuid)->guest.found);
    assert_string_equal(sides_of(&off, uuid)->name, "mayfly-test");
    assert_int_equal(off.why.errnum, 0);
    assert_ok(virt_view(virt, uuid, DOMAIN_GUEST, &guest, &e), e);
    assert_false(guest.found);

    assert_ok(virt_start(virt, uuid, &e), e);
    assert_ok(virt_view_all(virt, &on, &e), e);
    assert_int_equal(on.n, off.n);
    assert_true(sides_of(&on, uuid)->definition.found && sides_of(&on, uuid)->guest.found);
    assert_ok(virt_view(virt, uuid, DOMAIN_GUEST, &guest, &e), e);
    assert_true(guest.found && guest.ours);
}

/* What libvirt calls by a pool has a path. */
static void volumes_of_pools_have_paths(void **state)
{
    (void)state;
    static const char volume_xml[] = "<volume><name>v</name><capacity>1</capacity></volume>";
    struct error e = ERROR_NONE;
    _cleanup_domain_view_ struct domain_view view = {.found = false};
    char xml[700];
    if (lab_uri)
        skip();
    virStoragePoolPtr pool = virStoragePoolLookupByName(libvirt_of(virt), "default-pool");
    virStorageVolPtr volume = virStorageVolCreateXML(pool, volume_xml, 0);
    assert_non_null(volume);
    snprintf(xml, sizeof xml,
             "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid><memory>65536</memory>"
             "<os><type>hvm</type></os><devices>"
             "<disk type='volume'><source pool='default-pool' volume='v'/><target dev='vda'/></disk>"
             "<disk type='volume'><source pool='none' volume='v'/><target dev='vdb'/></disk>"
             "</devices></domain>",
             uuid);
    assert_ok(virt_define(virt, xml, &e), e);
    assert_ok(virt_view(virt, uuid, DOMAIN_DEFINITION, &view, &e), e);
    assert_int_equal(view.n_disks, 2);
    assert_string_equal(view.disks[0].sources[0].path, "/default-pool/v");
    assert_false(view.disks[0].sources[0].volume);
    assert_string_equal(view.disks[1].sources[0].path, "none/v");
    assert_true(view.disks[1].sources[0].volume);
    virStorageVolFree(volume);
    virStoragePoolFree(pool);
}

/* libvirt's test driver makes some up, for whoever is on a network. */
static void addresses_are_asked_for(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct domain_addresses a = {.n = 7};
    char xml[500];
    if (lab_uri)
        skip();
    snprintf(xml, sizeof xml,
             "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid><memory>65536</memory>"
             "<os><type>hvm</type></os><devices><interface type='network'><source network='default'/>"
             "</interface></devices></domain>",
             uuid);
    assert_ok(virt_addresses(virt, uuid, false, &a, &e), e); /* of no domain */
    assert_int_equal(a.n, 0);
    assert_ok(virt_define(virt, xml, &e), e);
    assert_ok(virt_addresses(virt, uuid, true, &a, &e), e); /* it does not run */
    assert_int_equal(a.n, 0);
    assert_ok(virt_start(virt, uuid, &e), e);
    assert_ok(virt_addresses(virt, uuid, false, &a, &e), e);
    assert_int_equal(a.n, 1);
    assert_memory_equal(a.address[0], "192.168.", 8);
}

static void networks_are_looked_for(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    const struct network none = {.kind = NETWORK_NONE}, there = {NETWORK_NAMED, "default"},
                         missing = {NETWORK_NAMED, "nowhere"};
    assert_ok(virt_check_network(virt, &none, true, &e), e);
    assert_error(virt_check_network(virt, &missing, true, &e), -ENOENT, e);
    assert_string_equal(e.text, "network nowhere: libvirt knows no such network; see virsh net-list --all");
    if (lab_uri)
        return;
    e = ERROR_NONE;
    assert_ok(virt_check_network(virt, &there, true, &e), e);
    virNetworkPtr network = virNetworkLookupByName(libvirt_of(virt), "default");
    assert_int_equal(virNetworkDestroy(network), 0);
    assert_ok(virt_check_network(virt, &there, false, &e), e);
    assert_error(virt_check_network(virt, &there, true, &e), -EINVAL, e);
    assert_int_equal(virNetworkCreate(network), 0);
    virNetworkFree(network);
}

static void taken_names_and_uuids_are_told(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(define("mayfly-test", uuid, &e), e);
    assert_error(define("mayfly-test", uuid, &e), -EEXIST, e);
    assert_string_equal(e.text, "domain mayfly-test: cannot define: libvirt has a domain of that name; take "
                                "another name, or see virsh dominfo mayfly-test");

    char other[UUID_TEXT];
    uuid_make(other);
    e = ERROR_NONE;
    assert_error(define("mayfly-test", other, &e), -EEXIST, e);
    e = ERROR_NONE;
    assert_error(define("mayfly-other", uuid, &e), -EEXIST, e);
    assert_non_null(strstr(e.text, "named mayfly-test"));
    assert_domain(false);
}

static void a_name_that_another_takes_meanwhile_is_told(void **state)
{
    (void)state;
    if (lab_uri)
        skip(); /* what libvirt answers is the same code for all its drivers */
    char xml[400], other[UUID_TEXT];
    struct error e = ERROR_NONE;
    uuid_make(other);
    snprintf(xml, sizeof xml,
             "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid><memory>65536</memory>"
             "<os><type>hvm</type></os></domain>",
             uuid);
    intruder_xml = xml;
    assert_error(define("mayfly-test", other, &e), -EEXIST, e);
    assert_non_null(strstr(e.text, "libvirt has a domain of that name"));
    struct domain d;
    e = ERROR_NONE;
    assert_ok(virt_find_name(virt, "mayfly-test", &d, &e), e);
    assert_string_equal(d.uuid, uuid);
    assert_error(virt_find_uuid(virt, other, &d, &e), -ENOENT, e);
}

static void a_trial_that_another_removes_is_made_again(void **state)
{
    (void)state;
    if (lab_uri)
        skip(); /* which tries the template of QEMU's in launches at once */
    const struct domain_spec spec = {
        .name = "mayfly-test", .uuid = uuid, .memory_bytes = 64 << 20, .trial = true};
    _cleanup_free_ char *xml = NULL, *nvram = NULL;
    size_t n = 1;
    struct error e = ERROR_NONE;
    assert_ok(domain_xml(&spec, TEST_TEMPLATE, &xml, &e), e);
    intruder_undefines = 2;
    assert_ok(virt_try(virt, xml, "mayfly-test", &nvram, &e), e);
    assert_int_equal(intruder_undefines, 0); /* a trial was read whole at last */
    assert_ok(virt_remove_trials(virt, true, &n, &e), e);
    assert_int_equal(n, 0);

    intruder_undefines = 1000000;
    assert_error(virt_try(virt, xml, "mayfly-test", &nvram, &e), -EBUSY, e);
    intruder_undefines = 0;
}

static void a_running_guest_is_asked_to_go(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(define("mayfly-test", uuid, &e), e);
    assert_ok(virt_shutdown(virt, uuid, &e), e); /* off as it is */
    assert_ok(virt_start(virt, uuid, &e), e);
    assert_ok(virt_shutdown(virt, uuid, &e), e);
    if (!lab_uri) /* the test driver's guests obey at once; one without a system never does */
        assert_domain(false);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    struct domain d;
    struct error e = ERROR_NONE;
    assert_error(virt_find_name(virt, "mayfly-test", &d, &e), -ENOENT, e);
    assert_string_equal(e.text, "domain mayfly-test: libvirt knows no such domain; see virsh list --all");
    e = ERROR_NONE;
    assert_error(virt_find_uuid(virt, uuid, &d, &e), -ENOENT, e);
    assert_error(virt_start(virt, uuid, &e), -ENOENT, e);
    assert_error(virt_shutdown(virt, uuid, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_ok(virt_destroy(virt, uuid, &e), e);
    assert_ok(undefine(&e), e);
    assert_int_equal(e.errnum, 0);
}

static void bad_definitions_are_refused(void **state)
{
    (void)state;
    char xml[200];
    snprintf(xml, sizeof xml, "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid></domain>", uuid);
    struct error e = ERROR_NONE;
    assert_error(virt_define(virt, xml, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "domain mayfly-test: cannot define: libvirt refuses its XML: "));
    e = ERROR_NONE;
    assert_error(virt_define(virt, "<domain/>", &e), -EINVAL, e);
    assert_string_equal(e.text, "domain XML: it has no <name>");
}

static void a_definition_is_changed(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ char *before = NULL, *with = NULL, *now = NULL, *back = NULL, *after = NULL;
    char path[80];
    const struct domain_disk rescue = {.device_path = path, .serial = "x", .sector_bytes = 512};
    struct domain d;
    snprintf(path, sizeof path, "/dev/mapper/%s_disk.rescue-dmcrypt", uuid);
    assert_error(virt_definition(virt, uuid, &before, &e), -ENOENT, e);
    e = ERROR_NONE;
    struct domain_disk none = disk;
    disk.device_path = "/dev/sdx";
    int r = define("mayfly-test", uuid, &e);
    disk = none;
    assert_ok(r, e);
    assert_ok(virt_definition(virt, uuid, &before, &e), e);
    assert_ok(rescue_xml_add(before, &rescue, &with, &e), e);
    assert_ok(virt_redefine(virt, with, &e), e);
    assert_ok(virt_find_uuid(virt, uuid, &d, &e), e);
    assert_true(d.ours && d.rescued);
    assert_ok(virt_definition(virt, uuid, &now, &e), e);
    assert_non_null(strstr(now, rescue.device_path));

    assert_ok(rescue_xml_remove(now, &back, &e), e);
    assert_ok(virt_redefine(virt, back, &e), e);
    assert_ok(virt_definition(virt, uuid, &after, &e), e);
    assert_string_equal(after, before);
    assert_ok(undefine(&e), e);
    assert_error(virt_redefine(virt, back, &e), -ENOENT, e);
}

static void a_disk_that_is_not_there_is_told(void **state)
{
    (void)state;
    if (!lab_uri)
        skip();
    struct error e = ERROR_NONE;
    struct domain_disk good = disk;
    disk.device_path = "/dev/mapper/none";
    int r = define("mayfly-test", uuid, &e);
    disk = good;
    assert_ok(r, e);
    assert_error(virt_start(virt, uuid, &e), -EIO, e);
    assert_string_equal(e.text, "domain mayfly-test: cannot start: libvirt says: Cannot access storage file "
                                "'/dev/mapper/none': No such file or directory");
    assert_domain(false);
}

/* A call that is made again after the connection broke. */
static void a_new_connection_knows_the_same(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    if (!lab_uri) /* the test driver's domains are each connection's own */
        skip();
    assert_ok(define("mayfly-test", uuid, &e), e);
    assert_ok(virt->ops->reconnect(virt, &e), e);
    assert_domain(false);
}

static void domains_elsewhere_are_refused(void **state)
{
    (void)state;
    static const char *const good[] = {"qemu:///system", "test:///default",
                                       "qemu+unix:///system?socket=/run/x", "qemu:///embed?root=/x"};
    static const char *const bad[] = {
        "qemu+ssh://root@host/system", "qemu+ssh:///system", "qemu+tls://host/system",
        "qemu://host/system",          "qemu:///session",    "qemu+unix:///session"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct error e = ERROR_NONE;
        assert_ok(virt_check_uri(good[i], &e), e);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_NONE;
        assert_error(virt_check_uri(bad[i], &e), -EINVAL, e);
        assert_non_null(strstr(e.text, "set connection_uri to qemu:///system"));
    }
}

static void without_a_daemon_it_says_so(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct virt *none = NULL;
    assert_error(virt_connect("qemu+unix:///system?socket=/nowhere/sock", &none, &e), -ECONNREFUSED, e);
    assert_null(none);
    assert_non_null(
        strstr(e.text, "'/nowhere/sock': No such file or directory; run systemctl start libvirtd"));
    assert_int_equal(exit_code(e.errnum), EXIT_FAILED);
    assert_null(virt_disconnect(NULL));
}

int main(void)
{
    lab_uri = getenv("MAYFLY_TEST_URI");
    disk.device_path = getenv("MAYFLY_TEST_DISK");
    disk.serial = "root";
    disk.sector_bytes = 4096;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life, connect, disconnect),
        cmocka_unit_test_setup_teardown(all_are_listed, connect, disconnect),
        cmocka_unit_test_setup_teardown(disks_are_seen_on_both_sides, connect, disconnect),
        cmocka_unit_test_setup_teardown(volumes_of_pools_have_paths, connect, disconnect),
        cmocka_unit_test_setup_teardown(addresses_are_asked_for, connect, disconnect),
        cmocka_unit_test_setup_teardown(networks_are_looked_for, connect, disconnect),
        cmocka_unit_test_setup_teardown(taken_names_and_uuids_are_told, connect, disconnect),
        cmocka_unit_test_setup_teardown(a_name_that_another_takes_meanwhile_is_told, connect, disconnect),
        cmocka_unit_test_setup_teardown(a_trial_that_another_removes_is_made_again, connect, disconnect),
        cmocka_unit_test_setup_teardown(a_running_guest_is_asked_to_go, connect, disconnect),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told, connect, disconnect),
        cmocka_unit_test_setup_teardown(bad_definitions_are_refused, connect, disconnect),
        cmocka_unit_test_setup_teardown(a_definition_is_changed, connect, disconnect),
        cmocka_unit_test_setup_teardown(a_disk_that_is_not_there_is_told, connect, disconnect),
        cmocka_unit_test_setup_teardown(a_new_connection_knows_the_same, connect, disconnect),
        cmocka_unit_test(domains_elsewhere_are_refused),
        cmocka_unit_test(without_a_daemon_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
