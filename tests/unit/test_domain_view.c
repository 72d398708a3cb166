/* SPDX-License-Identifier: Apache-2.0 */
/* Where the disks of a domain lead, as libvirt writes it: overlays, block jobs, pools. */
#include "unit.h"
#include "virt/domain-nvram.h"
#include "virt/domain-view.h"
#include "virt/domain-xml.h"

#include <string.h>

static void assert_source(const struct disk_view *d, size_t i, enum source_use use, const char *path)
{
    assert_true(i < d->n_sources);
    assert_int_equal(d->sources[i].use, use);
    assert_string_equal(d->sources[i].path, path);
}

static void test_identity(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_domain_view_ struct domain_view v;
    assert_ok(domain_view_read("<domain><name>web</name><uuid>u</uuid><metadata><x:instance "
                               "xmlns:x='" DOMAIN_XML_NAMESPACE "'/></metadata>"
                               "<os><nvram template='/t'>/var/web_VARS.fd</nvram></os>"
                               "<devices><serial type='null'><target type='usb-serial'/></serial>"
                               "<disk device='cdrom'><target dev='sda'/></disk></devices></domain>",
                               NVRAM_OF_HOST, &v, &e),
              e);
    assert_true(v.found && v.ours && v.save_refused);
    assert_string_equal(v.name, "web");
    assert_string_equal(v.nvram, "/var/web_VARS.fd");
    assert_int_equal(v.n_disks, 1);
    assert_string_equal(v.disks[0].target, "sda");
    assert_null(v.disks[0].serial);
    assert_null(disk_view_top(&v.disks[0]));
}

/* As Nova 26 writes it; what stands elsewhere, or is not Nova's, is not taken for it. */
static void test_nova(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_domain_view_ struct domain_view v, none;
    assert_ok(domain_view_read("<domain><name>instance-0000002a</name><metadata>"
                               "<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
                               "<nova:package version='26.2.2'/><nova:name>web &lt;1&gt;</nova:name>"
                               "<nova:owner><nova:user uuid='u'>ada</nova:user>"
                               "<nova:project uuid='30b3'>shop</nova:project></nova:owner></nova:instance>"
                               "</metadata></domain>",
                               NVRAM_OF_HOST, &v, &e),
              e);
    assert_string_equal(v.name, "instance-0000002a");
    assert_string_equal(v.nova.name, "web <1>");
    assert_string_equal(v.nova.project, "shop");
    assert_string_equal(v.nova.project_id, "30b3");
    assert_ok(domain_view_read("<domain><metadata><x:instance xmlns:x='urn:x'><x:name>web</x:name>"
                               "</x:instance><instance><name>web</name></instance>"
                               "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'>"
                               "<name>web</name><n:owner/></n:instance></metadata></domain>",
                               NVRAM_OF_HOST, &none, &e),
              e);
    assert_true(!none.nova.name && !none.nova.project && !none.nova.project_id);
}

static void test_overlay(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_domain_view_ struct domain_view v;
    assert_ok(domain_view_read(
                  "<domain><devices><disk type='file'><source file='/o/2' index='3'/>"
                  "<backingStore type='file'><source file='/o/1'><dataStore type='file'>"
                  "<source file='/o/data'/></dataStore></source>"
                  "<backingStore type='block'><source dev='/dev/mapper/a'/><backingStore/></backingStore>"
                  "</backingStore><target dev='vda'/><serial>s</serial></disk></devices></domain>",
                  NVRAM_OF_HOST, &v, &e),
              e);
    const struct disk_view *d = &v.disks[0];
    assert_int_equal(d->n_sources, 4);
    assert_source(d, 0, SOURCE_TOP, "/o/2");
    assert_source(d, 1, SOURCE_BACKING, "/o/1");
    assert_source(d, 2, SOURCE_DATA, "/o/data");
    assert_source(d, 3, SOURCE_BACKING, "/dev/mapper/a");
    assert_string_equal(disk_view_top(d)->path, "/o/2");
    assert_string_equal(d->serial, "s");
}

static void test_mirror_and_pool(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_domain_view_ struct domain_view v;
    assert_ok(
        domain_view_read("<domain><devices><disk><source dev='/dev/mapper/a'/>"
                         "<mirror type='file' job='copy'><source file='/copy'/></mirror></disk>"
                         "<disk><source dev='/dev/mapper/b'/><mirror file='/old-form'/></disk>"
                         "<disk type='volume'><source pool='vg0' volume='lv'/></disk></devices></domain>",
                         NVRAM_OF_HOST, &v, &e),
        e);
    assert_int_equal(v.n_disks, 3);
    assert_source(&v.disks[0], 1, SOURCE_MIRROR, "/copy");
    assert_source(&v.disks[1], 1, SOURCE_MIRROR, "/old-form");
    assert_source(&v.disks[2], 0, SOURCE_TOP, "vg0/lv");
    assert_true(v.disks[2].sources[0].volume);
}

static void test_no_domain(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_domain_view_ struct domain_view v;
    assert_error(domain_view_read("<network/>", NVRAM_OF_HOST, &v, &e), -EINVAL, e);
    assert_false(v.found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),  cmocka_unit_test(test_nova),
        cmocka_unit_test(test_overlay),   cmocka_unit_test(test_mirror_and_pool),
        cmocka_unit_test(test_no_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
