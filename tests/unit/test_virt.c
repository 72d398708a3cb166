/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to libvirt: the suite of all, and what is special to the real one. It runs over libvirt's
 * own test driver: the real API, with domains in memory. With MAYFLY_TEST_URI=qemu:///system
 * (tests/lab/virt-domains.sh) the same over QEMU, from the built-in template.
 */
#include "base/str.h"
#include "virt-suite.h"
#include "virt/connection.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEST_TEMPLATE                                                                                        \
    "<domain type='test'><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"

static const char *lab_uri;

/* Another program that acts right before a definition of Mayfly's, or right after it. */
static const char *intruder_xml;
static int intruder_undefines;
static virDomainPtr define_beside_intruder(virConnectPtr c, const char *xml, unsigned flags)
{
    const char *first = TAKE_PTR(intruder_xml);
    if (first)
        virDomainFree(virDomainDefineXMLFlags(c, first, 0));
    virDomainPtr domain = virDomainDefineXMLFlags(c, xml, flags);
    if (domain && intruder_undefines > 0 && intruder_undefines--)
        assert_int_equal(virDomainUndefine(domain), 0);
    return domain;
}

/* What libvirt says of a domain that it is starting, or ending. */
static int paused_because;
static int get_paused_state(virDomainPtr domain, int *state, int *reason, unsigned flags)
{
    int r = virDomainGetState(domain, state, reason, flags);
    if (r == 0 && paused_because) {
        *state = VIR_DOMAIN_PAUSED;
        if (reason)
            *reason = paused_because;
    }
    return r;
}

/* How many start at the same time. One that is held does not start until it is destroyed. */
static atomic_int starting, most_starting;
static atomic_bool held;
static int create_and_count(virDomainPtr domain)
{
    int now = ++starting;
    bool was_held = held;
    for (int i = 0; i < 10000 && held; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < 500 && starting < VIRT_AT_ONCE; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (now > most_starting)
        most_starting = now;
    int r = was_held ? -1 : virDomainCreate(domain);
    starting--;
    return r;
}

/* libvirt calls a domain active while it starts. */
static int is_active_or_held(virDomainPtr domain)
{
    return held && starting > 0 ? 1 : virDomainIsActive(domain);
}

static int destroy_or_let_go(virDomainPtr domain)
{
    return atomic_exchange(&held, false) ? 0 : virDomainDestroy(domain);
}

static int connect(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    if (virt_connect(lab_uri ? lab_uri : "test:///default", VIRT_HOST, &suite.virt, &e) < 0) {
        print_error("%s\n", e.text);
        return -1;
    }
    vir.DomainDefineXMLFlags = define_beside_intruder;
    vir.DomainGetState = get_paused_state;
    vir.DomainCreate = create_and_count;
    vir.DomainIsActive = is_active_or_held;
    vir.DomainDestroy = destroy_or_let_go;
    uuid_make(suite.uuid);
    return 0;
}

/* Pools that were looked up and not given back. */
static int pools_held;
static virStoragePoolPtr look_up_and_count(virConnectPtr c, const char *name)
{
    virStoragePoolPtr pool = virStoragePoolLookupByName(c, name);
    pools_held += pool != NULL;
    return pool;
}

static int free_and_count(virStoragePoolPtr pool)
{
    assert_non_null(pool);
    pools_held--;
    return virStoragePoolFree(pool);
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
    virStoragePoolPtr pool = virStoragePoolLookupByName(libvirt_of(suite.virt), "default-pool");
    virStorageVolPtr volume = virStorageVolCreateXML(pool, volume_xml, 0);
    assert_non_null(volume);
    snprintf(xml, sizeof xml,
             "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid><memory>65536</memory>"
             "<os><type>hvm</type></os><devices>"
             "<disk type='volume'><source pool='default-pool' volume='v'/><target dev='vda'/></disk>"
             "<disk type='volume'><source pool='none' volume='v'/><target dev='vdb'/></disk>"
             "</devices></domain>",
             suite.uuid);
    vir.StoragePoolLookupByName = look_up_and_count;
    vir.StoragePoolFree = free_and_count;
    assert_ok(virt_define(suite.virt, xml, &e), e);
    assert_ok(virt_view(suite.virt, suite.uuid, DOMAIN_DEFINITION, &view, &e), e);
    vir.StoragePoolLookupByName = virStoragePoolLookupByName;
    vir.StoragePoolFree = virStoragePoolFree;
    assert_int_equal(pools_held, 0);
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
             suite.uuid);
    assert_ok(virt_addresses(suite.virt, suite.uuid, false, &a, &e), e); /* of no domain */
    assert_int_equal(a.n, 0);
    assert_ok(virt_define(suite.virt, xml, &e), e);
    assert_ok(virt_addresses(suite.virt, suite.uuid, true, &a, &e), e); /* it does not run */
    assert_int_equal(a.n, 0);
    assert_ok(virt_start(suite.virt, suite.uuid, &e), e);
    assert_ok(virt_addresses(suite.virt, suite.uuid, false, &a, &e), e);
    assert_int_equal(a.n, 1);
    assert_memory_equal(a.address[0], "192.168.", 8);
}

static void networks_are_looked_for(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    const struct network none = {.kind = NETWORK_NONE}, there = {NETWORK_NAMED, "default"},
                         missing = {NETWORK_NAMED, "nowhere"};
    assert_ok(virt_check_network(suite.virt, &none, true, &e), e);
    assert_error(virt_check_network(suite.virt, &missing, true, &e), -ENOENT, e);
    assert_string_equal(e.text, "network nowhere: libvirt knows no such network; see virsh net-list --all");
    if (lab_uri)
        return;
    e = ERROR_NONE;
    assert_ok(virt_check_network(suite.virt, &there, true, &e), e);
    virNetworkPtr network = virNetworkLookupByName(libvirt_of(suite.virt), "default");
    assert_int_equal(virNetworkDestroy(network), 0);
    assert_ok(virt_check_network(suite.virt, &there, false, &e), e);
    assert_error(virt_check_network(suite.virt, &there, true, &e), -EINVAL, e);
    assert_int_equal(virNetworkCreate(network), 0);
    virNetworkFree(network);
}

static void what_is_taken_is_named(void **state)
{
    (void)state;
    struct domain d;
    struct error e = ERROR_NONE;
    assert_error(virt_find_name(suite.virt, "mayfly-test", &d, &e), -ENOENT, e);
    assert_string_equal(e.text, "domain mayfly-test: libvirt knows no such domain; see virsh list --all");
    e = ERROR_NONE;
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_error(suite_define("mayfly-test", suite.uuid, &e), -EEXIST, e);
    assert_string_equal(e.text, "domain mayfly-test: cannot define: libvirt has a domain of that name; take "
                                "another name, or see virsh dominfo mayfly-test");
    e = ERROR_NONE;
    assert_error(suite_define("mayfly-other", suite.uuid, &e), -EEXIST, e);
    assert_non_null(strstr(e.text, "named mayfly-test"));
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
             suite.uuid);
    intruder_xml = xml;
    assert_error(suite_define("mayfly-test", other, &e), -EEXIST, e);
    assert_non_null(strstr(e.text, "libvirt has a domain of that name"));
    struct domain d;
    e = ERROR_NONE;
    assert_ok(virt_find_name(suite.virt, "mayfly-test", &d, &e), e);
    assert_string_equal(d.uuid, suite.uuid);
    assert_error(virt_find_uuid(suite.virt, other, &d, &e), -ENOENT, e);
}

static void a_trial_that_another_removes_is_made_again(void **state)
{
    (void)state;
    if (lab_uri)
        skip(); /* which tries the template of QEMU's in launches at once */
    const struct domain_spec spec = {
        .name = "mayfly-test", .uuid = suite.uuid, .memory_bytes = 64 << 20, .trial = true};
    _cleanup_free_ char *xml = NULL, *nvram = NULL;
    size_t n = 1;
    struct error e = ERROR_NONE;
    assert_ok(domain_xml(&spec, suite.template, &xml, &e), e);
    intruder_undefines = 2;
    assert_ok(virt_try(suite.virt, xml, "mayfly-test", &nvram, &e), e);
    assert_int_equal(intruder_undefines, 0); /* a trial was read whole at last */
    assert_ok(virt_remove_trials(suite.virt, true, &n, &e), e);
    assert_int_equal(n, 0);

    intruder_undefines = 1000000;
    assert_error(virt_try(suite.virt, xml, "mayfly-test", &nvram, &e), -EBUSY, e);
    intruder_undefines = 0;
}

static const char *state_because(int reason)
{
    struct error e = ERROR_NONE;
    struct domain d = {0};
    paused_because = reason;
    assert_ok(virt_find_uuid(suite.virt, suite.uuid, &d, &e), e);
    paused_because = 0;
    assert_true(d.active);
    return domain_state_name(d.state);
}

/* Nobody is told to resume a domain that is being started. */
static void a_domain_that_starts_or_ends_is_not_paused(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_ok(virt_start(suite.virt, suite.uuid, &e), e);
    assert_string_equal(state_because(VIR_DOMAIN_PAUSED_USER), "paused");
    assert_string_equal(state_because(VIR_DOMAIN_PAUSED_STARTING_UP), "running");
    assert_string_equal(state_because(VIR_DOMAIN_PAUSED_SHUTTING_DOWN), "in shutdown");
}

/* What an undefinition was told of the NVRAM file. libvirt's test driver keeps none. */
static unsigned undefined_with;
static int undefine_and_note(virDomainPtr domain, unsigned flags)
{
    undefined_with = flags & (VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
    return virDomainUndefineFlags(domain, flags & ~undefined_with);
}

static void define_with_nvram(const char *name, const char *uuid, const char *nvram)
{
    _cleanup_free_ char *xml = str_format(
        "<domain type='test'><name>%s</name><uuid>%s</uuid><memory>65536</memory><os><type>hvm</type>"
        "<loader type='pflash' readonly='yes'>/code.fd</loader><nvram>%s</nvram></os></domain>",
        name, uuid, nvram);
    virDomainPtr domain = virDomainDefineXMLFlags(libvirt_of(suite.virt), xml, 0);
    assert_non_null(domain);
    virDomainFree(domain);
}

/* The file of another domain's variables never goes, whatever it is called. */
static void nvram_goes_with_the_last_that_has_it(void **state)
{
    (void)state;
    if (lab_uri)
        skip(); /* tests/lab/people-domains.sh */
    _cleanup_free_ char *own = str_format("/var/lib/libvirt/qemu/nvram/%s_VARS.fd", suite.uuid), *kept = NULL;
    char clone[UUID_TEXT];
    struct error e = ERROR_NONE;
    uuid_make(clone);
    vir.DomainUndefineFlags = undefine_and_note;
    define_with_nvram("mayfly-test", suite.uuid, own);
    define_with_nvram("mayfly-clone", clone, own);
    assert_ok(virt_undefine(suite.virt, suite.uuid, &kept, &e), e);
    assert_int_equal(undefined_with, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
    assert_string_equal(kept, own);
    kept = (free(kept), NULL);
    assert_ok(virt_undefine(suite.virt, clone, &kept, &e), e); /* it is not its own */
    assert_int_equal(undefined_with, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
    assert_string_equal(kept, own);
    kept = (free(kept), NULL);

    define_with_nvram("mayfly-test", suite.uuid, own);
    assert_ok(virt_undefine(suite.virt, suite.uuid, &kept, &e), e);
    assert_int_equal(undefined_with, VIR_DOMAIN_UNDEFINE_NVRAM);
    assert_null(kept);
    define_with_nvram("mayfly-test", suite.uuid, "/srv/golden_VARS.fd");
    assert_ok(virt_undefine(suite.virt, suite.uuid, &kept, &e), e);
    assert_int_equal(undefined_with, VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
    vir.DomainUndefineFlags = virDomainUndefineFlags;
}

/* A user's libvirt has a folder of its own for these files. */
static void nvram_of_a_user_is_below_the_users_settings(void **state)
{
    (void)state;
    if (lab_uri)
        skip();
    static const char *const settings[] = {"/srv/settings", NULL};
    vir.DomainUndefineFlags = undefine_and_note;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        _cleanup_virt_ struct virt *of_user = NULL;
        struct error e = ERROR_NONE;
        if (settings[i])
            setenv("XDG_CONFIG_HOME", settings[i], 1);
        else
            unsetenv("XDG_CONFIG_HOME");
        setenv("HOME", "/srv/home", 1);
        assert_ok(virt_connect("test:///default", VIRT_USER, &of_user, &e), e);
        _cleanup_free_ char *own = str_format("%s/libvirt/qemu/nvram/%s_VARS.fd",
                                              settings[i] ? settings[i] : "/srv/home/.config", suite.uuid);
        for (size_t n = 0; n < 2; n++) {
            _cleanup_free_ char *kept = NULL;
            define_with_nvram("mayfly-test", suite.uuid, own);
            assert_ok(virt_undefine(n ? of_user : suite.virt, suite.uuid, &kept, &e), e);
            assert_int_equal(undefined_with, n ? VIR_DOMAIN_UNDEFINE_NVRAM : VIR_DOMAIN_UNDEFINE_KEEP_NVRAM);
        }
    }
    vir.DomainUndefineFlags = virDomainUndefineFlags;
}

static void bad_definitions_are_refused(void **state)
{
    (void)state;
    char xml[200];
    snprintf(xml, sizeof xml, "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid></domain>",
             suite.uuid);
    struct error e = ERROR_NONE;
    assert_error(virt_define(suite.virt, xml, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "domain mayfly-test: cannot define: libvirt refuses its XML: "));
    e = ERROR_NONE;
    assert_error(virt_define(suite.virt, "<domain/>", &e), -EINVAL, e);
    assert_string_equal(e.text, "domain XML: it has no <name>");
}

static void a_disk_that_is_not_there_is_told(void **state)
{
    (void)state;
    if (!lab_uri)
        skip();
    struct error e = ERROR_NONE;
    struct domain_disk good = suite.disk;
    suite.disk.device_path = "/dev/mapper/none";
    int r = suite_define("mayfly-test", suite.uuid, &e);
    suite.disk = good;
    assert_ok(r, e);
    assert_error(virt_start(suite.virt, suite.uuid, &e), -EIO, e);
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
    assert_ok(suite_define("mayfly-test", suite.uuid, &e), e);
    assert_ok(suite.virt->ops->reconnect(suite.virt, &e), e);
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
        assert_ok(virt_check_uri(good[i], VIRT_HOST, &e), e);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_NONE;
        assert_error(virt_check_uri(bad[i], VIRT_HOST, &e), -EINVAL, e);
        assert_non_null(strstr(e.text, "set connection_uri to qemu:///system"));
    }
    OK(virt_check_uri("qemu:///session", VIRT_USER, &e)); /* whose disks are sockets */
    OK(virt_check_uri("qemu+unix:///session", VIRT_USER, &e));
    OK(virt_check_uri("test:///default", VIRT_USER, &e));
    REFUSED_WITH(-EINVAL, "qemu:///session", virt_check_uri("qemu:///system", VIRT_USER, &e));
    REFUSED_WITH(-EINVAL, "another host", virt_check_uri("qemu+ssh://host/session", VIRT_USER, &e));
}

/* One of which is not there. */
static void several_start_at_once(void **state)
{
    static char uuids[VIRT_AT_ONCE + 1][UUID_TEXT];
    const char *of[VIRT_AT_ONCE];
    struct error e = ERROR_NONE, why[VIRT_AT_ONCE];
    char xml[400];
    (void)state;
    if (lab_uri)
        skip();
    for (size_t i = 0; i < VIRT_AT_ONCE; i++) {
        uuid_make(uuids[i]);
        of[i] = uuids[i];
        snprintf(xml, sizeof xml,
                 "<domain type='test'><name>several-%zu</name><uuid>%s</uuid><memory>65536</memory>"
                 "<os><type>hvm</type></os></domain>",
                 i, uuids[i]);
        assert_ok(virt_define(suite.virt, xml, &e), e);
    }
    virt_start_many(suite.virt, of, VIRT_AT_ONCE, NULL, why);
    assert_int_equal(most_starting, VIRT_AT_ONCE);
    for (size_t i = 0; i < VIRT_AT_ONCE; i++) {
        struct domain d;
        assert_int_equal(why[i].errnum, 0);
        assert_ok(virt_find_uuid(suite.virt, of[i], &d, &e), e);
        assert_true(d.active);
    }
    uuid_make(uuids[VIRT_AT_ONCE]);
    of[2] = uuids[VIRT_AT_ONCE];
    virt_start_many(suite.virt, of, VIRT_AT_ONCE, NULL, why);
    assert_int_equal(why[2].errnum, -ENOENT);
    virt_destroy_many(suite.virt, of, VIRT_AT_ONCE, why);
    for (size_t i = 0; i < VIRT_AT_ONCE; i++) {
        assert_int_equal(why[i].errnum, 0);
        assert_ok(virt_destroy(suite.virt, uuids[i], &e), e);
        assert_ok(virt_undefine(suite.virt, uuids[i], &(char *){NULL}, &e), e);
    }
}

static bool is_hopeless_at_last(void *looks, size_t i)
{
    assert_int_equal(i, 0);
    return ++*(unsigned *)looks == 2;
}

/* The caller is asked meanwhile, and its thread is free for that. */
static void a_start_without_hope_is_ended(void **state)
{
    static const char xml[] = "<domain type='test'><name>held</name><uuid>%s</uuid><memory>65536</memory>"
                              "<os><type>hvm</type></os></domain>";
    char uuid[UUID_TEXT], text[300];
    const char *of[] = {uuid};
    struct error e = ERROR_NONE, why;
    unsigned looks = 0;
    const struct virt_watch watch = {.is_hopeless = is_hopeless_at_last, .context = &looks};
    (void)state;
    if (lab_uri)
        skip();
    uuid_make(uuid);
    snprintf(text, sizeof text, xml, uuid);
    assert_ok(virt_define(suite.virt, text, &e), e);
    held = true;
    virt_start_many(suite.virt, of, 1, &watch, &why);
    assert_int_equal(looks, 2);
    assert_false(held); /* it was destroyed */
    virt_start_many(suite.virt, of, 1, &watch, &why);
    assert_int_equal(looks, 2); /* one that starts at once is not looked at */
    assert_ok(virt_destroy(suite.virt, uuid, &e), e);
    assert_ok(virt_undefine(suite.virt, uuid, &(char *){NULL}, &e), e);
}

static void without_a_daemon_it_says_so(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct virt *none = NULL;
    assert_error(virt_connect("qemu+unix:///system?socket=/nowhere/sock", VIRT_HOST, &none, &e),
                 -ECONNREFUSED, e);
    assert_null(none);
    assert_non_null(
        strstr(e.text, "'/nowhere/sock': No such file or directory; run systemctl start libvirtd"));
    assert_int_equal(exit_code(e.errnum), EXIT_FAILED);
    assert_null(virt_disconnect(NULL));
}

int main(void)
{
    lab_uri = getenv("MAYFLY_TEST_URI");
    suite.template = lab_uri ? NULL : TEST_TEMPLATE;
    suite.disk = (struct domain_disk){
        .device_path = getenv("MAYFLY_TEST_DISK"), .serial = "root", .sector_bytes = 4096};
    suite.attaches = lab_uri;
    suite.obeys = !lab_uri; /* a guest without a system never does */
    const struct CMUnitTest tests[] = {
        VIRT_SUITE(connect, suite_end),
        cmocka_unit_test_setup_teardown(what_is_taken_is_named, connect, suite_end),
        cmocka_unit_test_setup_teardown(volumes_of_pools_have_paths, connect, suite_end),
        cmocka_unit_test_setup_teardown(addresses_are_asked_for, connect, suite_end),
        cmocka_unit_test_setup_teardown(networks_are_looked_for, connect, suite_end),
        cmocka_unit_test_setup_teardown(a_name_that_another_takes_meanwhile_is_told, connect, suite_end),
        cmocka_unit_test_setup_teardown(a_trial_that_another_removes_is_made_again, connect, suite_end),
        cmocka_unit_test_setup_teardown(nvram_goes_with_the_last_that_has_it, connect, suite_end),
        cmocka_unit_test_setup_teardown(nvram_of_a_user_is_below_the_users_settings, connect, suite_end),
        cmocka_unit_test_setup_teardown(bad_definitions_are_refused, connect, suite_end),
        cmocka_unit_test_setup_teardown(a_disk_that_is_not_there_is_told, connect, suite_end),
        cmocka_unit_test_setup_teardown(a_new_connection_knows_the_same, connect, suite_end),
        cmocka_unit_test_setup_teardown(several_start_at_once, connect, suite_end),
        cmocka_unit_test_setup_teardown(a_start_without_hope_is_ended, connect, suite_end),
        cmocka_unit_test_setup_teardown(a_domain_that_starts_or_ends_is_not_paused, connect, suite_end),
        cmocka_unit_test(domains_elsewhere_are_refused),
        cmocka_unit_test(without_a_daemon_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
