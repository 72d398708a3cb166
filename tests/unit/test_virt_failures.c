/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of libvirt, over its test driver, while each of its calls fails once, one after the other:
 * the caller is told with libvirt's words. Where the domain goes away at that moment instead, nothing else is
 * said than that it is not there. What the test driver does not have (disks, saves, sizes) is taken as done.
 */
#include "base/str.h"
#include "fail-once.h"
#include "unit.h"
#include "virt/connection.h"
#include "virt/domain-xml.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *words = "it failed on purpose"; /* of the error that a failing call leaves */
#define DISK "/dev/mapper/one"

/* ------------------------------------------------------------ failing calls */

static int code = VIR_ERR_SYSTEM_ERROR; /* of the error that a failing call leaves */
static virError pretended;              /* since the last call, if it failed */

static bool call_fails(const char *call)
{
    memset(&pretended, 0, sizeof pretended);
    if (!fails(call))
        return false;
    pretended = (virError){.code = code, .message = (char *)words};
    return true;
}

static virErrorPtr get_last_error(void)
{
    return pretended.code ? &pretended : virGetLastError();
}

static int get_last_error_code(void)
{
    return pretended.code ? pretended.code : virGetLastErrorCode();
}

static const char *get_last_error_message(void)
{
    return pretended.code ? words : virGetLastErrorMessage();
}

static virErrorPtr save_last_error(void)
{
    if (!pretended.code)
        return virSaveLastError();
    virErrorPtr copy = calloc(1, sizeof *copy); /* virFreeError() frees it */
    *copy = (virError){.code = pretended.code, .message = strdup(words)};
    return copy;
}

#define LIBVIRT(result, name, bad, parameters, arguments)                                                    \
    static result failing_##name parameters                                                                  \
    {                                                                                                        \
        return call_fails(#name) ? (bad) : vir##name arguments;                                              \
    }

LIBVIRT(char *, DomainGetXMLDesc, NULL, (virDomainPtr d, unsigned flags), (d, flags))
LIBVIRT(int, DomainIsPersistent, -1, (virDomainPtr d), (d))
LIBVIRT(int, DomainGetAutostart, -1, (virDomainPtr d, int *ret), (d, ret))
LIBVIRT(int, DomainSetAutostart, -1, (virDomainPtr d, int on), (d, on))
LIBVIRT(virDomainPtr, DomainLookupByName, NULL, (virConnectPtr c, const char *name), (c, name))
LIBVIRT(virDomainPtr, DomainLookupByUUIDString, NULL, (virConnectPtr c, const char *uuid), (c, uuid))
LIBVIRT(char *, DomainGetMetadata, NULL, (virDomainPtr d, int type, const char *uri, unsigned flags),
        (d, type, uri, flags))
LIBVIRT(int, DomainGetUUIDString, -1, (virDomainPtr d, char *uuid), (d, uuid))
LIBVIRT(int, DomainGetState, -1, (virDomainPtr d, int *state, int *reason, unsigned flags),
        (d, state, reason, flags))
LIBVIRT(int, ConnectListAllDomains, -1, (virConnectPtr c, virDomainPtr **ret, unsigned flags),
        (c, ret, flags))
LIBVIRT(int, DomainCreate, -1, (virDomainPtr d), (d))
LIBVIRT(int, DomainShutdownFlags, -1, (virDomainPtr d, unsigned flags), (d, flags))
LIBVIRT(int, DomainReboot, -1, (virDomainPtr d, unsigned flags), (d, flags))
LIBVIRT(int, DomainDestroy, -1, (virDomainPtr d), (d))
LIBVIRT(int, DomainUndefineFlags, -1, (virDomainPtr d, unsigned flags), (d, flags))
LIBVIRT(virDomainPtr, DomainDefineXMLFlags, NULL, (virConnectPtr c, const char *xml, unsigned flags),
        (c, xml, flags))
LIBVIRT(virNetworkPtr, NetworkLookupByName, NULL, (virConnectPtr c, const char *name), (c, name))
LIBVIRT(int, NetworkIsActive, -1, (virNetworkPtr n), (n))

/* What the test driver does not have. */
#define NOT_THERE(name, result, parameters, unused)                                                          \
    static int failing_##name parameters                                                                     \
    {                                                                                                        \
        unused;                                                                                              \
        return call_fails(#name) ? -1 : (result);                                                            \
    }

static char device_xml[1000]; /* what was attached or detached last, and on which sides */
static unsigned device_flags;

static int note_device(const char *device, unsigned flags)
{
    device_flags = flags;
    return str_copy(device_xml, sizeof device_xml, device);
}

NOT_THERE(DomainHasManagedSaveImage, 1, (virDomainPtr d, unsigned flags), ((void)d, (void)flags))
NOT_THERE(DomainManagedSaveRemove, 0, (virDomainPtr d, unsigned flags), ((void)d, (void)flags))
static unsigned resized; /* how often a guest was told */
NOT_THERE(DomainBlockResize, (resized++, 0),
          (virDomainPtr d, const char *disk, unsigned long long size, unsigned flags),
          ((void)d, (void)disk, (void)size, (void)flags))
NOT_THERE(DomainAttachDeviceFlags, note_device(device, flags),
          (virDomainPtr d, const char *device, unsigned flags), (void)d)
NOT_THERE(DomainDetachDeviceFlags, note_device(device, flags),
          (virDomainPtr d, const char *device, unsigned flags), (void)d)

/* ----------------------------------------------------------- the operations */

static struct virt *v;
static char uuid[UUID_TEXT], xml[2000];

static int list(struct error *e)
{
    _cleanup_free_ struct domain *all = NULL;
    size_t n = 0;
    return virt_list(v, false, &all, &n, e);
}

static int list_with_metadata(struct error *e)
{
    _cleanup_free_ struct domain *all = NULL;
    size_t n = 0;
    return virt_list(v, true, &all, &n, e);
}

static int find_name(struct error *e)
{
    struct domain d;
    return virt_find_name(v, "mayfly-test", &d, e);
}

static int find_uuid(struct error *e)
{
    struct domain d;
    return virt_find_uuid(v, uuid, &d, e);
}

static int details(struct error *e)
{
    struct domain_details d;
    return virt_details(v, uuid, &d, e);
}

static int define(struct error *e)
{
    return virt_define(v, xml, e);
}

static int redefine(struct error *e)
{
    return virt_redefine(v, xml, e);
}

static int definition(struct error *e)
{
    _cleanup_free_ char *text = NULL;
    return virt_definition(v, uuid, &text, e);
}

static int undefine(struct error *e)
{
    _cleanup_free_ char *kept = NULL;
    return virt_undefine(v, uuid, &kept, e);
}

static int set_autostart(struct error *e)
{
    return virt_set_autostart(v, uuid, e);
}

static int start(struct error *e)
{
    return virt_start(v, uuid, e);
}

static int shut_down(struct error *e)
{
    return virt_shutdown(v, uuid, e);
}

static int reboot(struct error *e)
{
    return virt_reboot(v, uuid, e);
}

static int destroy(struct error *e)
{
    return virt_destroy(v, uuid, e);
}

static int attach(struct error *e)
{
    const struct domain_disk disk = {.device_path = "/dev/mapper/two", .serial = "eph0"};
    return virt_attach_disk(v, uuid, &disk, DOMAIN_DEFINITION | DOMAIN_GUEST, e);
}

static int detach_from_guest(struct error *e)
{
    return virt_detach_disk(v, uuid, DISK, DOMAIN_GUEST, e);
}

static int detach_from_definition(struct error *e)
{
    return virt_detach_disk(v, uuid, DISK, DOMAIN_DEFINITION, e);
}

static int has_disk(struct error *e)
{
    bool has = false;
    int r = virt_has_disk(v, uuid, DISK, DOMAIN_DEFINITION, &has, e);
    assert_true(r < 0 || has || failed);
    return r;
}

static int resize(struct error *e)
{
    resized = 0;
    int r = virt_resize_disk(v, uuid, DISK, 1 << 20, e);
    assert_true(r < 0 || failed || resized == 1);
    return r;
}

static int view(struct error *e)
{
    _cleanup_domain_view_ struct domain_view one = {.found = false};
    return virt_view(v, uuid, DOMAIN_GUEST, &one, e);
}

/* One that cannot be read hides no other. */
static int view_all(struct error *e)
{
    _cleanup_(virt_views_end) struct virt_views all = {.n = 0};
    int r = virt_view_all(v, &all, e);
    return r == 0 && all.why.errnum ? error_pass(e, all.why.errnum, &all.why) : r;
}

static int drop_save(struct error *e)
{
    return virt_drop_save(v, uuid, e);
}

static int check_network(struct error *e)
{
    return virt_check_network(v, &(struct network){NETWORK_NAMED, "default"}, true, e);
}

static int remove_trials(struct error *e)
{
    size_t n = 0;
    return virt_remove_trials(v, false, &n, e);
}

enum before { NOT_DEFINED, DEFINED, STARTED };

static const struct operation {
    const char *name;
    enum before before;
    int (*run)(struct error *e);
    const char *spared[2]; /* calls without which it does as well */
} operations[] = {
    {"list", STARTED, list, {NULL}},
    {"list with metadata", DEFINED, list_with_metadata, {NULL}},
    {"find by name", DEFINED, find_name, {NULL}},
    {"find by uuid", STARTED, find_uuid, {NULL}},
    {"details", DEFINED, details, {NULL}},
    {"define", NOT_DEFINED, define, {NULL}},
    {"redefine", DEFINED, redefine, {NULL}},
    {"definition", DEFINED, definition, {NULL}},
    {"undefine", DEFINED, undefine, {NULL}},
    {"autostart", DEFINED, set_autostart, {NULL}},
    {"start", DEFINED, start, {NULL}},
    {"shut down", STARTED, shut_down, {NULL}},
    {"reboot", STARTED, reboot, {NULL}},
    {"destroy", STARTED, destroy, {NULL}},
    {"attach", STARTED, attach, {NULL}},
    {"detach from the guest", STARTED, detach_from_guest, {NULL}},
    {"detach from the definition", DEFINED, detach_from_definition, {NULL}},
    {"has disk", DEFINED, has_disk, {NULL}},
    {"resize", STARTED, resize, {NULL}},
    {"view", STARTED, view, {NULL}},
    {"view all", STARTED, view_all, {"DomainGetUUIDString"}},
    {"drop save", DEFINED, drop_save, {NULL}},
    {"check network", NOT_DEFINED, check_network, {NULL}},
    {"remove trials", DEFINED, remove_trials, {"DomainGetMetadata"}},
};

/* ---------------------------------------------------------------- the tests */

static void begin(enum before before)
{
    struct error e = ERROR_NONE;
    uuid_make(uuid);
    snprintf(xml, sizeof xml,
             "<domain type='test'><name>mayfly-test</name><uuid>%s</uuid><memory>65536</memory>"
             "<os><type>hvm</type></os><devices><disk type='block'><source dev='" DISK
             "'/><target dev='vda' bus='virtio'/></disk></devices></domain>",
             uuid);
    if (before != NOT_DEFINED) { /* without looking at the schema, which takes its time */
        virDomainPtr domain = virDomainDefineXMLFlags(libvirt_of(v), xml, 0);
        assert_non_null(domain);
        virDomainFree(domain);
    }
    if (before == STARTED)
        assert_ok(virt_start(v, uuid, &e), e);
    calls = 0;
    failed = NULL;
}

static void end(void)
{
    fail_at = 0;
    code = VIR_ERR_SYSTEM_ERROR;
    memset(&pretended, 0, sizeof pretended);
    (void)!virt_destroy(v, uuid, NULL);
    (void)!undefine(NULL);
}

static int end_test(void **state)
{
    (void)state;
    end();
    return 0;
}

static bool is_spared(const struct operation *o)
{
    for (size_t i = 0; i < ARRAY_SIZE(o->spared); i++)
        if (o->spared[i] && strcmp(failed, o->spared[i]) == 0)
            return true;
    return false;
}

static bool with_failure(const struct operation *o, unsigned n)
{
    struct error e = ERROR_NONE;
    begin(o->before);
    int r = run_with_failure(o->name, n, o->run, &e);
    if (failed && r == 0 && !is_spared(o))
        fail_msg("%s: call %u, %s, failed, and nobody is told", o->name, n, failed);
    if (r < 0 && (r != -EIO || !strstr(e.text, words)))
        fail_msg("%s: call %u, %s, failed, and '%s' (%d) is told", o->name, n, failed, e.text, r);
    end();
    return failed != NULL;
}

static void no_failure_is_passed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        FAIL_EACH_CALL(with_failure(&operations[i], n));
}

/* Somebody undefines it between two calls: of one domain that is told, of a list it is missing. */
static void a_domain_may_go_at_any_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        unsigned n = 1;
        do {
            struct error e = ERROR_NONE;
            begin(operations[i].before);
            code = VIR_ERR_NO_DOMAIN;
            fail_at = n++;
            int r = operations[i].run(&e);
            fail_at = 0;
            if (r != 0 && r != -ENOENT)
                fail_msg("%s: %s found no domain, and '%s' (%d) is told", operations[i].name, failed, e.text,
                         r);
            end();
        } while (failed);
    }
}

/* Each kind of libvirt's errors has the exit status that it should. */
static void errors_keep_their_kind(void **state)
{
    static const struct {
        int code, errnum;
    } kinds[] = {{VIR_ERR_NO_MEMORY, -ENOMEM},
                 {VIR_ERR_AUTH_FAILED, -EACCES},
                 {VIR_ERR_AUTH_CANCELLED, -EACCES},
                 {VIR_ERR_AUTH_UNAVAILABLE, -EACCES},
                 {VIR_ERR_ACCESS_DENIED, -EACCES},
                 {VIR_ERR_OPERATION_DENIED, -EACCES},
                 {VIR_ERR_OPERATION_INVALID, -EBUSY},
                 {VIR_ERR_RESOURCE_BUSY, -EBUSY},
                 {VIR_ERR_OPERATION_TIMEOUT, -ETIMEDOUT},
                 {VIR_ERR_INTERNAL_ERROR, -EIO},
                 {VIR_ERR_DOM_EXIST, -EEXIST}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct error e = ERROR_NONE;
        begin(DEFINED);
        code = kinds[i].code;
        fail_at = 2; /* after it was found */
        assert_error(virt_set_autostart(v, uuid, &e), kinds[i].errnum, e);
        end();
    }
}

static void assert_start_says(const char *libvirt, const char *expected)
{
    const char *before = words;
    struct error e = ERROR_NONE;
    begin(DEFINED);
    words = libvirt;
    fail_at = 2; /* after it was found */
    assert_error(virt_start(v, uuid, &e), -EIO, e);
    assert_string_equal(e.text, expected);
    words = before;
    end();
}

/* A guest that a second person ended while it started is no fault of libvirt; one that QEMU refuses is told
 * in QEMU's words. */
static void a_failed_start_says_why(void **state)
{
    (void)state;
    static const char *const killed =
        "domain mayfly-test: cannot start: QEMU was killed while it started, by virsh destroy, mayfly stop "
        "--force or the kernel; start it again, or see /var/log/libvirt/qemu/mayfly-test.log";
    assert_start_says("internal error: process exited while connecting to monitor", killed);
    assert_start_says(
        "internal error: process exited while connecting to monitor: 2026-11-29T23:11:36.005002Z "
        "qemu-system-x86_64: terminating on signal 15 from pid 572",
        killed);
    assert_start_says("internal error: process exited while connecting to monitor: qemu: no such CPU",
                      "domain mayfly-test: cannot start: libvirt says: process exited while connecting to "
                      "monitor: qemu: no such CPU");
    assert_start_says("Cannot access storage file", "domain mayfly-test: cannot start: libvirt says: Cannot "
                                                    "access storage file");
}

/* The new disk goes to a free place, on both sides; what is there already is not put there twice. */
static void disks_are_attached_and_detached(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    begin(STARTED);
    assert_ok(attach(&e), e);
    assert_non_null(strstr(device_xml, "/dev/mapper/two"));
    assert_non_null(strstr(device_xml, "vdb"));
    assert_int_equal(device_flags, VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_AFFECT_LIVE);
    device_xml[0] = '\0';
    const struct domain_disk there = {.device_path = DISK, .serial = "root"};
    assert_ok(virt_attach_disk(v, uuid, &there, DOMAIN_DEFINITION | DOMAIN_GUEST, &e), e);
    assert_string_equal(device_xml, "");
    assert_ok(virt_detach_disk(v, uuid, "/dev/mapper/none", DOMAIN_GUEST, &e), e);
    assert_string_equal(device_xml, "");
    assert_ok(detach_from_guest(&e), e);
    assert_non_null(strstr(device_xml, "vda"));
    assert_int_equal(device_flags, VIR_DOMAIN_AFFECT_LIVE);
    assert_ok(virt_destroy(v, uuid, &e), e);
    device_xml[0] = '\0';
    assert_ok(detach_from_guest(&e), e); /* no guest runs */
    assert_string_equal(device_xml, "");
    assert_ok(detach_from_definition(&e), e);
    assert_int_equal(device_flags, VIR_DOMAIN_AFFECT_CONFIG);
    end();
}

static int begin_group(void **state)
{
    (void)state;
    if (virt_connect("test:///default", VIRT_HOST, &v, NULL) < 0)
        return -1;
    vir.GetLastError = get_last_error;
    vir.GetLastErrorCode = get_last_error_code;
    vir.GetLastErrorMessage = get_last_error_message;
    vir.SaveLastError = save_last_error;
    vir.DomainGetXMLDesc = failing_DomainGetXMLDesc;
    vir.DomainIsPersistent = failing_DomainIsPersistent;
    vir.DomainGetAutostart = failing_DomainGetAutostart;
    vir.DomainSetAutostart = failing_DomainSetAutostart;
    vir.DomainLookupByName = failing_DomainLookupByName;
    vir.DomainLookupByUUIDString = failing_DomainLookupByUUIDString;
    vir.DomainGetMetadata = failing_DomainGetMetadata;
    vir.DomainGetUUIDString = failing_DomainGetUUIDString;
    vir.DomainGetState = failing_DomainGetState;
    vir.ConnectListAllDomains = failing_ConnectListAllDomains;
    vir.DomainCreate = failing_DomainCreate;
    vir.DomainShutdownFlags = failing_DomainShutdownFlags;
    vir.DomainReboot = failing_DomainReboot;
    vir.DomainDestroy = failing_DomainDestroy;
    vir.DomainUndefineFlags = failing_DomainUndefineFlags;
    vir.DomainDefineXMLFlags = failing_DomainDefineXMLFlags;
    vir.NetworkLookupByName = failing_NetworkLookupByName;
    vir.NetworkIsActive = failing_NetworkIsActive;
    vir.DomainHasManagedSaveImage = failing_DomainHasManagedSaveImage;
    vir.DomainManagedSaveRemove = failing_DomainManagedSaveRemove;
    vir.DomainBlockResize = failing_DomainBlockResize;
    vir.DomainAttachDeviceFlags = failing_DomainAttachDeviceFlags;
    vir.DomainDetachDeviceFlags = failing_DomainDetachDeviceFlags;
    return 0;
}

static int end_group(void **state)
{
    (void)state;
    v = virt_disconnect(v);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(no_failure_is_passed_over, end_test),
        cmocka_unit_test_teardown(a_domain_may_go_at_any_call, end_test),
        cmocka_unit_test_teardown(errors_keep_their_kind, end_test),
        cmocka_unit_test_teardown(a_failed_start_says_why, end_test),
        cmocka_unit_test_teardown(disks_are_attached_and_detached, end_test),
    };
    return cmocka_run_group_tests(tests, begin_group, end_group);
}
