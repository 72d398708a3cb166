/* SPDX-License-Identifier: Apache-2.0 */
/* What domain_xml() makes, to the letter; and that libvirt's own schema takes it. */
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "unit.h"
#include "virt/domain-details.h"
#include "virt/domain-nvram.h"
#include "virt/domain-shared.h"
#include "virt/domain-write.h"
#include "virt/exchange-xml.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UUID "6f1e8a8e-0000-4000-8000-00000000000a"
#define LV   "/dev/mapper/" UUID "_disk"
#define MARK "<mayfly:instance xmlns:mayfly=\"urn:mayfly:domain:1\" version=\"1\"/>"

#define PORT "    <controller type=\"pci\" model=\"pcie-root-port\"/>\n"
#define NINE_PORTS                                                                                           \
    PORT PORT PORT PORT PORT PORT PORT PORT PORT /* of two disks, three others, four to spare */

static const struct domain_disk disks[] = {
    {.device_path = LV "-dmcrypt", .serial = "root", .sector_bytes = 4096, .discard = true},
    {.device_path = LV ".eph0-dmcrypt", .serial = "eph0", .sector_bytes = 512},
};

static const struct domain_spec plain = {.name = "ci-1", .uuid = UUID, .disks = disks, .n_disks = 2};

/* The caller frees. */
static char *make(const struct domain_spec *spec, const char *template_xml)
{
    struct error e = ERROR_NONE;
    char *xml = NULL;
    assert_ok(domain_xml(spec, template_xml, &xml, &e), e);
    assert_non_null(xml);
    return xml;
}

static void refused(const char *template_xml, const char *sentence)
{
    struct error e = ERROR_NONE;
    char *xml = NULL;
    assert_error(domain_xml(&plain, template_xml, &xml, &e), -EINVAL, e);
    assert_null(xml);
    assert_string_equal(e.text, sentence);
}

static void the_schema_takes(const char *xml)
{
    char path[] = "/tmp/mayfly-domain.XXXXXX";
    _cleanup_close_ int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, xml, strlen(xml)), 0);
    struct error e = ERROR_NONE;
    const char *argv[] = {"virt-xml-validate", path, "domain", NULL};
    int r = process_run(argv, 60, NULL, &e);
    unlink(path);
    if (r != -ENOENT) /* the program may be missing; the lab has libvirt validate in any case */
        assert_ok(r, e);
}

static void the_built_in_template(void **state)
{
    (void)state;
    struct domain_spec spec = plain;
    spec.memory_bytes = UINT64_C(4) << 30;
    spec.vcpus = 3;
    spec.kvm = true;
    _cleanup_free_ char *xml = make(&spec, NULL);
    static const char wanted[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<domain type=\"kvm\">\n"
        "  <name>ci-1</name>\n"
        "  <uuid>" UUID "</uuid>\n"
        "  <metadata>\n"
        "    " MARK "\n"
        "  </metadata>\n"
        "  <iothreads>1</iothreads>\n"
        "  <memory unit=\"KiB\" dumpCore=\"off\">4194304</memory>\n"
        "  <vcpu>3</vcpu>\n"
        "  <os>\n"
        "    <type arch=\"x86_64\" machine=\"q35\">hvm</type>\n"
        "  </os>\n"
        "  <features>\n"
        "    <acpi/>\n"
        "    <apic/>\n"
        "  </features>\n"
        "  <cpu mode=\"maximum\"/>\n"
        "  <clock offset=\"utc\"/>\n"
        "  <on_poweroff>destroy</on_poweroff>\n"
        "  <on_reboot>restart</on_reboot>\n"
        "  <on_crash>destroy</on_crash>\n"
        "  <devices>\n"
        "    <controller type=\"pci\" index=\"0\" model=\"pcie-root\"/>\n"
        "    <serial type=\"pty\">\n"
        "      <target port=\"0\"/>\n"
        "    </serial>\n"
        "    <console type=\"pty\">\n"
        "      <target type=\"serial\" port=\"0\"/>\n"
        "    </console>\n"
        "    <memballoon model=\"virtio\"/>\n"
        "    <rng model=\"virtio\">\n"
        "      <backend model=\"random\">/dev/urandom</backend>\n"
        "    </rng>\n"
        "    <disk type=\"block\" device=\"disk\">\n"
        "      <driver name=\"qemu\" type=\"raw\" cache=\"none\" io=\"native\" discard=\"unmap\" "
        "iothread=\"1\"/>\n"
        "      <source dev=\"" LV "-dmcrypt\"/>\n"
        "      <target dev=\"vda\" bus=\"virtio\"/>\n"
        "      <blockio logical_block_size=\"512\" physical_block_size=\"4096\"/>\n"
        "      <serial>root</serial>\n"
        "      <boot order=\"1\"/>\n"
        "    </disk>\n"
        "    <disk type=\"block\" device=\"disk\">\n"
        "      <driver name=\"qemu\" type=\"raw\" cache=\"none\" io=\"native\" iothread=\"1\"/>\n"
        "      <source dev=\"" LV ".eph0-dmcrypt\"/>\n"
        "      <target dev=\"vdb\" bus=\"virtio\"/>\n"
        "      <serial>eph0</serial>\n"
        "    </disk>\n"
        "    <serial type=\"null\">\n"
        "      <target type=\"usb-serial\"/>\n"
        "    </serial>\n" NINE_PORTS "  </devices>\n"
        "</domain>\n";
    assert_string_equal(xml, wanted);
    the_schema_takes(xml);
}

static void uefi_is_libvirts_to_choose(void **state)
{
    (void)state;
    struct domain_spec spec = plain;
    spec.firmware = FIRMWARE_UEFI;
    spec.nvram = "/var/lib/libvirt/qemu/nvram/trial_VARS.fd";
    _cleanup_free_ char *xml = make(&spec, NULL);
    assert_non_null(strstr(xml, "<os firmware=\"efi\">"));
    assert_non_null(strstr(xml, "<nvram>/var/lib/libvirt/qemu/nvram/" UUID "_VARS.fd</nvram>"));
    the_schema_takes(xml);

    static const char *const own[] = {"<domain><os><loader>/x</loader></os></domain>",
                                      "<domain><os firmware='efi'/></domain>"};
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        struct error e = ERROR_NONE;
        char *none = NULL;
        spec.firmware = i == 0 ? FIRMWARE_UEFI : FIRMWARE_BIOS;
        assert_error(domain_xml(&spec, own[i], &none, &e), -EINVAL, e);
        assert_non_null(strstr(e.text, "leave out --firmware"));
    }
    spec.firmware = FIRMWARE_UEFI;
    _cleanup_free_ char *same = make(&spec, own[1]);
    assert_non_null(strstr(same, "<os firmware=\"efi\""));
    _cleanup_free_ char *without_os = make(&spec, "<domain/>");
    assert_non_null(strstr(without_os, "<os firmware=\"efi\">"));
    spec.firmware = FIRMWARE_BIOS;
    _cleanup_free_ char *bios = make(&spec, NULL);
    assert_null(strstr(bios, "firmware="));
}

static void a_disk_alone(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ char *xml = NULL;
    const struct disk_place place = {.target = "vdc"};
    assert_ok(domain_disk_xml(&disks[0], &place, &xml, &e), e);
    assert_string_equal(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                             "<disk type=\"block\" device=\"disk\">\n"
                             "  <driver name=\"qemu\" type=\"raw\" cache=\"none\" io=\"native\" "
                             "discard=\"unmap\"/>\n"
                             "  <source dev=\"" LV "-dmcrypt\"/>\n"
                             "  <target dev=\"vdc\" bus=\"virtio\"/>\n"
                             "  <blockio logical_block_size=\"512\" physical_block_size=\"4096\"/>\n"
                             "  <serial>root</serial>\n"
                             "</disk>\n");
    struct domain_disk bad = disks[0];
    bad.serial = "a\nb";
    _cleanup_free_ char *none = NULL;
    assert_error(domain_disk_xml(&bad, &place, &none, &e), -EINVAL, e);
}

/* Behind a socket, where another process has the guest's memory too; libvirt takes no word of how. */
static void a_disk_on_a_socket(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_free_ char *xml = NULL;
    const struct disk_place place = {.target = "vdc", .iothread = 1};
    struct domain_disk disk = disks[0];
    disk.device_path = "/run/user/1000/mayfly/x";
    disk.vhost_user = disk.read_only = true;
    assert_ok(domain_disk_xml(&disk, &place, &xml, &e), e);
    assert_string_equal(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                             "<disk type=\"vhostuser\" device=\"disk\">\n"
                             "  <driver name=\"qemu\" type=\"raw\"/>\n"
                             "  <source type=\"unix\" path=\"/run/user/1000/mayfly/x\">\n"
                             "    <reconnect enabled=\"yes\" timeout=\"1\"/>\n"
                             "  </source>\n"
                             "  <target dev=\"vdc\" bus=\"virtio\"/>\n"
                             "</disk>\n");

    struct domain_spec spec = {.name = "ci-1", .uuid = UUID, .disks = &disk, .n_disks = 1};
    _cleanup_free_ char *whole = make(&spec, NULL);
    assert_non_null(strstr(whole, "<memoryBacking>"));
    assert_non_null(strstr(whole, "<source type=\"memfd\"/>"));
    assert_non_null(strstr(whole, "<access mode=\"shared\"/>"));
    assert_null(strstr(whole, "iothread"));
    assert_non_null(strstr(whole, "<boot order=\"1\"/>"));
    assert_non_null(strstr(whole, "usb-serial"));

    _cleanup_free_ char *huge =
        make(&spec, "<domain><memoryBacking><hugepages/><source type='file'/><access mode='private'/>"
                    "</memoryBacking></domain>");
    assert_non_null(strstr(huge, "<hugepages/>"));
    assert_non_null(strstr(huge, "<source type=\"file\"/>"));
    assert_non_null(strstr(huge, "<access mode=\"shared\"/>"));

    disk.vhost_user = false;
    _cleanup_free_ char *device = make(&spec, NULL);
    assert_null(strstr(device, "memoryBacking"));

    enum disk_kind kind = DISK_DEVICE;
    char target[TARGET_NAME_MAX];
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    assert_ok(domain_read(whole, &doc, &e), e);
    assert_true(domain_find_disk(xmlDocGetRootElement(doc), "/run/user/1000/mayfly/x", target, &kind));
    assert_string_equal(target, "vda");
    assert_int_equal(kind, DISK_SOCKET);
}

/* The disk keeps its place; its neighbour is another's. */
static void a_disk_is_exchanged(void **state)
{
    (void)state;
    static const char before[] =
        "<domain><devices><disk type='file'><source file='/a.iso'/><target dev='sda' bus='sata'/></disk>"
        "<disk type='block' device='disk'><driver name='qemu' iothread='1'/><source dev='/dev/mapper/x'/>"
        "<target dev='vdb' bus='virtio'/><serial>s</serial><boot order='2'/>"
        "<address type='pci' slot='0x07'/></disk></devices></domain>";
    const struct domain_disk socket = {.device_path = "/run/mayfly/disks/x", .vhost_user = true},
                             device = {.device_path = "/dev/mapper/x", .serial = "s"},
                             moved = {.device_path = "/dev/mapper/y"};
    const struct exchanged_disk to_socket = {"/dev/mapper/x", socket}, back = {"/run/mayfly/disks/x", device},
                                none = {"/dev/mapper/z", moved};
    _cleanup_free_ char *served = NULL, *same = NULL, *again = NULL;
    OK(exchange_xml(before, &to_socket, 1, &served, &e));
    assert_non_null(strstr(served, "type=\"vhostuser\""));
    assert_non_null(strstr(served, "<target dev=\"vdb\" bus=\"virtio\"/>"));
    assert_non_null(strstr(served, "<boot order=\"2\"/>"));
    assert_non_null(strstr(served, "slot=\"0x07\""));
    assert_non_null(strstr(served, "<access mode=\"shared\"/>"));
    assert_null(strstr(served, "/dev/mapper"));
    OK(exchange_xml(served, &to_socket, 1, &same, &e));
    assert_null(same);
    OK(exchange_xml(served, &back, 1, &again, &e));
    assert_non_null(strstr(again, "<source dev=\"/dev/mapper/x\"/>"));
    assert_non_null(strstr(again, "<serial>s</serial>"));
    assert_non_null(strstr(again, "iothread=\"1\""));
    assert_null(strstr(again, "vhostuser"));
    REFUSED_WITH(-ENOENT, "does not name its disk", exchange_xml(before, &none, 1, &same, &e));
}

static void a_disk_on_another_bus_stays(void **state)
{
    (void)state;
    static const char before[] = "<domain><devices><disk type='block'><source dev='/dev/mapper/x'/>"
                                 "<target dev='sda' bus='sata'/></disk></devices></domain>";
    const struct exchanged_disk d = {"/dev/mapper/x", {.device_path = "/run/s", .vhost_user = true}};
    char *none = NULL;
    REFUSED_WITH(-EINVAL, "not on virtio", exchange_xml(before, &d, 1, &none, &e));
}

/* As libvirt prints them, with disks of others. */
static void disks_are_found(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    char target[TARGET_NAME_MAX];
    assert_ok(
        domain_read("<domain><devices>"
                    "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
                    "<disk type='file'><source file='/x' index='2'/><target dev='vdb'/></disk>"
                    "<disk type='block'><source dev='/dev/mapper/m' index='1'/><target dev='vda'/></disk>"
                    "</devices></domain>",
                    &doc, &e),
        e);
    const xmlNode *root = xmlDocGetRootElement(doc);
    assert_true(domain_find_disk(root, "/dev/mapper/m", target, NULL));
    assert_string_equal(target, "vda");
    assert_false(domain_find_disk(root, "/dev/mapper", target, NULL));
    struct disk_place place;
    domain_free_place(root, NULL, &place);
    assert_string_equal(place.target, "vdc");
    assert_int_equal(place.iothread, 0);
}

#define DISK_OF(id) "<disk><driver name='qemu' iothread='" id "'/><target dev='vda'/></disk>"

/* The I/O thread for a further disk of this domain; `running` may be NULL. */
static uint32_t free_iothread(const char *xml, const char *running)
{
    struct error e = ERROR_NONE;
    struct disk_place place;
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL, other = NULL;
    assert_ok(domain_read(xml, &doc, &e), e);
    if (running)
        assert_ok(domain_read(running, &other, &e), e);
    domain_free_place(xmlDocGetRootElement(doc), other ? xmlDocGetRootElement(other) : NULL, &place);
    return place.iothread;
}

static void the_iothread_with_the_fewest_disks_is_taken(void **state)
{
    (void)state;
    static const char two[] = "<domain><iothreads>2</iothreads><devices>" DISK_OF("1") "</devices></domain>";
    static const char named[] = "<domain><iothreads>9</iothreads><iothreadids><iothread id='4'/>"
                                "<iothread id='7'/></iothreadids></domain>";
    assert_int_equal(free_iothread("<domain/>", NULL), 0);
    assert_int_equal(free_iothread("<domain><iothreads>0</iothreads></domain>", NULL), 0);
    assert_int_equal(free_iothread("<domain><iothreads>-1</iothreads></domain>", NULL), 0);
    assert_int_equal(free_iothread("<domain><iothreads>4294967295</iothreads></domain>", NULL), 1);
    assert_int_equal(free_iothread("<domain><iothreads>1</iothreads><devices>" DISK_OF("1")
                                       DISK_OF("1") "</devices></domain>",
                                   NULL),
                     1);
    assert_int_equal(free_iothread(two, NULL), 2);
    assert_int_equal(free_iothread(named, NULL), 4);

    /* what runs was started before the definition got them, or has others */
    assert_int_equal(free_iothread(two, two), 2);
    assert_int_equal(free_iothread(two, "<domain/>"), 0);
    assert_int_equal(free_iothread(two, "<domain><iothreads>1</iothreads></domain>"), 1);
    assert_int_equal(free_iothread(named, "<domain><iothreadids><iothread id='7'/></iothreadids></domain>"),
                     7);
}

/* And one further disk has a name that is free on both sides. */
static void a_place_is_free_in_what_runs_too(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct disk_place place;
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL, other = NULL;
    assert_ok(domain_read("<domain><devices><disk><target dev='vdb'/></disk></devices></domain>", &doc, &e),
              e);
    assert_ok(domain_read("<domain><devices><disk><target dev='vdd'/></disk></devices></domain>", &other, &e),
              e);
    domain_free_place(xmlDocGetRootElement(doc), xmlDocGetRootElement(other), &place);
    assert_string_equal(place.target, "vde");
    domain_free_place(xmlDocGetRootElement(other), xmlDocGetRootElement(doc), &place);
    assert_string_equal(place.target, "vde");
}

static void a_template_says_how_many_iothreads(void **state)
{
    (void)state;
    _cleanup_free_ char *two = make(&plain, "<domain><iothreads>2</iothreads></domain>");
    assert_non_null(strstr(two, "discard=\"unmap\" iothread=\"1\"/>"));
    assert_non_null(strstr(two, "io=\"native\" iothread=\"2\"/>"));
    _cleanup_free_ char *named =
        make(&plain, "<domain><iothreadids><iothread id='5'/></iothreadids></domain>");
    assert_non_null(strstr(named, "io=\"native\" iothread=\"5\"/>"));
    assert_null(strstr(named, "<iothreads>"));
    _cleanup_free_ char *none = make(&plain, "<domain><iothreads>0</iothreads></domain>");
    assert_null(strstr(none, "iothread="));
}

static void io_uring_is_used_where_it_is_asked_for(void **state)
{
    (void)state;
    const struct domain_disk disk = {.device_path = LV, .sector_bytes = 512, .io_uring = true};
    const struct domain_spec spec = {.name = "n", .uuid = UUID, .disks = &disk, .n_disks = 1};
    _cleanup_free_ char *xml = make(&spec, NULL);
    assert_non_null(strstr(xml, "cache=\"none\" io=\"io_uring\" iothread=\"1\"/>"));
    the_schema_takes(xml);
}

static void an_interface_is_added_where_it_is_asked_for(void **state)
{
    (void)state;
    struct domain_spec spec = plain;
    _cleanup_free_ char *none = make(&spec, NULL);
    assert_null(strstr(none, "<interface"));

    spec.network = (struct network){.kind = NETWORK_NAMED, .name = "a<b"};
    _cleanup_free_ char *named = make(&spec, NULL);
    assert_non_null(strstr(named, "    <interface type=\"network\">\n"
                                  "      <source network=\"a&lt;b\"/>\n"
                                  "      <model type=\"virtio\"/>\n"
                                  "      <rom enabled=\"no\"/>\n"
                                  "    </interface>\n"));
    the_schema_takes(named);

    /* beside that of a template */
    spec.network = (struct network){.kind = NETWORK_BRIDGE, .name = "br0"};
    _cleanup_free_ char *bridged =
        make(&spec, "<domain><devices><interface type='user'/></devices></domain>");
    assert_non_null(strstr(bridged, "<interface type=\"user\"/>"));
    assert_non_null(strstr(bridged, "<source bridge=\"br0\"/>"));
}

static void networks_are_read(void **state)
{
    (void)state;
    struct network n;
    struct error e = ERROR_NONE;
    assert_ok(network_parse("none", &n, &e), e);
    assert_int_equal(n.kind, NETWORK_NONE);
    assert_ok(network_parse("default", &n, &e), e);
    assert_int_equal(n.kind, NETWORK_NAMED);
    assert_string_equal(n.name, "default");
    assert_ok(network_parse("bridge=br0", &n, &e), e);
    assert_int_equal(n.kind, NETWORK_BRIDGE);
    assert_string_equal(n.name, "br0");
    static const char *const bad[] = {"", "bridge=", "a\nb", "bridge=../br0"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        e = ERROR_NONE;
        assert_error(network_parse(bad[i], &n, &e), -EINVAL, e);
    }
    e = ERROR_NONE;
    assert_error(network_check_bridge("nobridge0", &e), -ENOENT, e);
    assert_string_equal(e.text, "bridge nobridge0: there is no such interface on this host; see ip link");
    e = ERROR_NONE;
    if (access("/sys/class/net/lo", F_OK) == 0)
        assert_error(network_check_bridge("lo", &e), -EINVAL, e);
}

static void without_kvm_the_type_is_qemu(void **state)
{
    (void)state;
    _cleanup_free_ char *xml = make(&plain, NULL);
    assert_non_null(strstr(xml, "<domain type=\"qemu\">"));
    assert_non_null(strstr(xml, "<memory unit=\"MiB\" dumpCore=\"off\">1024</memory>"));
    assert_non_null(strstr(xml, "<vcpu>1</vcpu>"));
    the_schema_takes(xml);
}

static void an_operators_template_keeps_its_own(void **state)
{
    (void)state;
    struct domain_spec spec = plain;
    spec.memory_bytes = 1000001; /* no whole KiB: rounded up */
    spec.vcpus = 2;
    spec.kvm = true;
    static const char template_xml[] =
        "<domain type='test' id='7'><!-- gone -->\n"
        "  <uuid>6f1e8a8e-ffff-4000-8000-00000000000a</uuid><name>theirs</name>\n"
        "  <metadata><a:note xmlns:a='urn:a'>kept</a:note></metadata>\n"
        "  <memory unit='GiB'>8</memory><currentMemory unit='GiB'>4</currentMemory>\n"
        "  <vcpu current='1' placement='static'>4</vcpu><vcpus><vcpu id='0' enabled='yes'/></vcpus>\n"
        "  <os><type>hvm</type><boot dev='hd'/></os>\n"
        "  <devices>\n"
        "    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>\n"
        "    <disk type='file' device='disk'><source file='/a'/><target dev='vdc' bus='virtio'/></disk>\n"
        "  </devices>\n"
        "</domain>\n";
    _cleanup_free_ char *xml = make(&spec, template_xml);
    static const char wanted[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<domain type=\"test\">\n"
        "  <name>ci-1</name>\n"
        "  <uuid>" UUID "</uuid>\n"
        "  <iothreads>1</iothreads>\n"
        "  <metadata>\n"
        "    <a:note xmlns:a=\"urn:a\">kept</a:note>\n"
        "    " MARK "\n"
        "  </metadata>\n"
        "  <memory unit=\"KiB\" dumpCore=\"off\">977</memory>\n"
        "  <vcpu placement=\"static\">2</vcpu>\n"
        "  <os>\n"
        "    <type>hvm</type>\n"
        "    <boot dev=\"hd\"/>\n"
        "  </os>\n"
        "  <devices>\n"
        "    <disk type=\"file\" device=\"cdrom\">\n"
        "      <target dev=\"sda\" bus=\"sata\"/>\n"
        "    </disk>\n"
        "    <disk type=\"file\" device=\"disk\">\n"
        "      <source file=\"/a\"/>\n"
        "      <target dev=\"vdc\" bus=\"virtio\"/>\n"
        "    </disk>\n"
        "    <disk type=\"block\" device=\"disk\">\n"
        "      <driver name=\"qemu\" type=\"raw\" cache=\"none\" io=\"native\" discard=\"unmap\" "
        "iothread=\"1\"/>\n"
        "      <source dev=\"" LV "-dmcrypt\"/>\n"
        "      <target dev=\"vdd\" bus=\"virtio\"/>\n"
        "      <blockio logical_block_size=\"512\" physical_block_size=\"4096\"/>\n"
        "      <serial>root</serial>\n"
        "    </disk>\n"
        "    <disk type=\"block\" device=\"disk\">\n"
        "      <driver name=\"qemu\" type=\"raw\" cache=\"none\" io=\"native\" iothread=\"1\"/>\n"
        "      <source dev=\"" LV ".eph0-dmcrypt\"/>\n"
        "      <target dev=\"vde\" bus=\"virtio\"/>\n"
        "      <serial>eph0</serial>\n"
        "    </disk>\n"
        "    <serial type=\"null\">\n"
        "      <target type=\"usb-serial\"/>\n"
        "    </serial>\n"
        "  </devices>\n"
        "</domain>\n";
    assert_string_equal(xml, wanted);
}

static void what_identifies_one_machine_is_taken_out(void **state)
{
    (void)state;
    struct domain_spec spec = plain;
    static const char golden[] =
        "<domain type='test'><genid>6f1e8a8e-ffff-4000-8000-00000000000a</genid>"
        "<hwuuid>6f1e8a8e-ffff-4000-8000-00000000000b</hwuuid>"
        "<sysinfo type='smbios'><system><entry name='uuid'>6f1e8a8e-ffff-4000-8000-00000000000c</entry>"
        "<entry name='family'>kept</entry></system></sysinfo>"
        "<os><type>hvm</type><loader readonly='yes' type='pflash'>/CODE.fd</loader>%s</os></domain>";
    static const struct {
        const char *nvram, *left;
    } cases[] = {
        {"<nvram>/var/lib/libvirt/qemu/nvram/golden_VARS.fd</nvram>",
         "type=\"pflash\">/CODE.fd</loader>\n  </os>"},
        {"<nvram template='/VARS.fd'>/golden_VARS.fd</nvram>", "<nvram template=\"/VARS.fd\"/>"},
        {"<nvram type='file' template='/VARS.fd'><source file='/golden_VARS.fd'/></nvram>",
         "<nvram template=\"/VARS.fd\"/>"},
        {"<nvram type='network'><source protocol='iscsi' name='golden'><host name='h'/></source></nvram>",
         "type=\"pflash\">/CODE.fd</loader>\n  </os>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char template[1000];
        snprintf(template, sizeof template, golden, cases[i].nvram);
        _cleanup_free_ char *xml = make(&spec, template);
        assert_null(strstr(xml, "golden"));
        assert_null(strstr(xml, "ffff"));
        assert_non_null(strstr(xml, "<genid/>"));
        assert_non_null(strstr(xml, ">kept</entry>"));
        assert_non_null(strstr(xml, cases[i].left));
    }
}

static void what_instances_would_share_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *devices, *shared; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"<disk device='cdrom'><source file='/a'/><target dev='sda'/></disk>", ""},
        {"<disk device='floppy'><target dev='fda'/></disk>", ""},
        {"<disk><source file='/a'/><target dev='vda'/><readonly/></disk>", ""},
        {"<disk><source file='/a'/><target dev='vda'/><shareable/></disk>", ""},
        {"<disk><source file='/a'/><target dev='vda'/></disk>", NULL},
        {"<disk type='block' device='lun'><source dev='/a'/><target dev='sda'/></disk>", NULL},
        {"<disk device='floppy'><source file='/a'/><target dev='fda'/></disk>", NULL},
        {"<interface type='network'><source network='default'/><target dev='vnet3'/></interface>", ""},
        {"<interface type='network'><mac address='52:54:00:12:34:56'/></interface>",
         "the MAC address 52:54:00:12:34:56"},
        {"<interface type='bridge'><target dev='tap-golden'/></interface>", "the network device tap-golden"},
        {"<graphics type='vnc' port='-1' autoport='yes'/>", ""},
        {"<graphics type='vnc' port='5900' autoport='yes'/>", ""},
        {"<graphics type='vnc' port='5901' autoport='no'/>", "graphics' port 5901"},
        {"<graphics type='spice'><listen type='socket' socket='/run/golden'/></graphics>",
         "graphics' socket /run/golden"},
        {"<serial type='tcp'><source mode='bind' host='::' service='4555'/></serial>", "the port 4555"},
        {"<serial type='tcp'><source mode='connect' host='log' service='4555'/></serial>", ""},
        {"<channel type='unix'><source mode='bind' path='/run/golden'/></channel>", "the socket /run/golden"},
        {"<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>", ""},
        {"<serial type='pty'><log file='/log/golden'/></serial>", "the file /log/golden"},
        {"<vsock><cid auto='no' address='9'/></vsock>", "the vsock address 9"},
        {"<vsock><cid auto='yes' address='9'/></vsock>", ""},
        {"<hostdev mode='subsystem' type='pci'/>", "a device of the host: pci"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char template[1000], shared[DOMAIN_SHARED_MAX] = "";
        struct error e = ERROR_NONE;
        snprintf(template, sizeof template, "<domain><devices>%s</devices></domain>", cases[i].devices);
        int r = domain_shared(template, shared, &e);
        if (!cases[i].shared) {
            assert_error(r, -EUNSAFE, e);
            continue;
        }
        assert_ok(r, e);
        assert_string_equal(shared, cases[i].shared);
    }
    char shared[DOMAIN_SHARED_MAX] = "";
    struct error e = ERROR_NONE;
    assert_ok(domain_shared("<domain><seclabel type='static'><label>a:b:c:s0</label></seclabel></domain>",
                            shared, &e),
              e);
    assert_string_equal(shared, "the security label a:b:c:s0");
}

#define NVRAM "/var/lib/libvirt/qemu/nvram/"

static void an_nvram_file_is_its_domains_own_by_the_uuid(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool own;
    } cases[] = {
        {NVRAM UUID "_VARS.fd", true}, {NVRAM UUID "_VARS.qcow2", true},
        {NVRAM "now_VARS.fd", false},  {"/srv/" UUID "_VARS.fd", false},
        {NVRAM UUID, false},           {NVRAM UUID UUID "_VARS.fd", false},
        {NVRAM "_VARS.fd", false},     {NVRAM "../" UUID "_VARS.fd", false},
    };
    static const char xml[] = "<domain><name>now</name><uuid>" UUID "</uuid></domain>";
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
    struct error e = ERROR_NONE;
    assert_ok(domain_read(xml, &doc, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(domain_nvram_is_own(xmlDocGetRootElement(doc), NVRAM, cases[i].path), cases[i].own);
    _cleanup_free_ char *path = domain_nvram_of(NVRAM "trial_VARS.fd", UUID);
    assert_string_equal(path, NVRAM UUID "_VARS.fd");
}

/* As the definition names it, or as libvirt 9.0 will choose when it starts the domain. */
static void an_nvram_file_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *os, *path;
    } cases[] = {
        {"<os/>", NULL},
        {"<os><loader type='pflash' readonly='yes'>/c</loader><nvram template='/v'>/n</nvram></os>", "/n"},
        {"<os><nvram type='file'><source file='/n'/></nvram></os>", "/n"},
        {"<os firmware='efi'/>", NVRAM "now_VARS.fd"},
        {"<os firmware='efi'><nvram template='/v'/></os>", NVRAM "now_VARS.fd"},
        {"<os firmware='efi'><nvram>/n</nvram></os>", "/n"},
        {"<os firmware='efi'><loader stateless='yes'/></os>", NULL},
        {"<os firmware='efi'><nvram type='network'><source protocol='iscsi'/></nvram></os>", NULL},
        {"<os firmware='bios'/>", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char xml[300];
        _cleanup_(xmlFreeDocp) xmlDocPtr doc = NULL;
        _cleanup_free_ char *path = NULL;
        struct error e = ERROR_NONE;
        snprintf(xml, sizeof xml, "<domain><name>now</name>%s</domain>", cases[i].os);
        assert_ok(domain_read(xml, &doc, &e), e);
        assert_ok(domain_nvram(xmlDocGetRootElement(doc), NVRAM, &path, &e), e);
        if (!cases[i].path)
            assert_null(path);
        else
            assert_string_equal(path, cases[i].path);
    }
}

/* A file that somebody has left under the name is nobody's start. */
static void an_instance_has_nvram_by_its_uuid(void **state)
{
    (void)state;
    static const char *const systems[] = {
        "<os firmware='efi'><type>hvm</type></os>",
        "<os><type>hvm</type><loader type='pflash' readonly='yes'>/c</loader>"
        "<nvram template='/v'>" NVRAM "ci-1_VARS.fd</nvram></os>"};
    for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
        char template[400];
        struct domain_spec spec = plain;
        spec.nvram = NVRAM "trial_VARS.fd";
        snprintf(template, sizeof template,
                 "<domain type='kvm'><name>x</name><memory>65536</memory>%s<devices/></domain>", systems[i]);
        _cleanup_free_ char *xml = make(&spec, template);
        assert_non_null(strstr(xml, ">" NVRAM UUID "_VARS.fd</nvram>"));
        assert_null(strstr(xml, "ci-1_VARS"));
        the_schema_takes(xml);
    }
}

static void a_trial_is_no_instance(void **state)
{
    (void)state;
    struct domain_spec spec = plain;
    spec.trial = true;
    _cleanup_free_ char *xml = make(&spec, NULL);
    assert_non_null(strstr(xml, "<name>" TRIAL_NAME UUID "</name>"));
    assert_null(strstr(xml, DOMAIN_XML_NAMESPACE));
    the_schema_takes(xml);
}

static void a_device_of_the_template_may_boot_first(void **state)
{
    (void)state;
    _cleanup_free_ char *xml = make(
        &plain, "<domain><devices><interface type='user'><boot order='1'/></interface></devices></domain>");
    const char *first = strstr(xml, "<boot order");
    assert_non_null(first);
    assert_null(strstr(first + 1, "<boot order"));
    assert_true(first < strstr(xml, "<disk"));
}

static void the_least_template_is_filled_in(void **state)
{
    (void)state;
    struct domain_spec spec = {.name = "n", .uuid = UUID, .memory_bytes = 1024, .vcpus = 1};
    _cleanup_free_ char *xml = make(&spec, "<domain/>");
    assert_non_null(strstr(xml, "<memory unit=\"KiB\" dumpCore=\"off\">1</memory>"));
    assert_non_null(strstr(xml, "<vcpu>1</vcpu>"));
    assert_non_null(strstr(xml, "<devices>\n    <serial type=\"null\">"));
    assert_non_null(strstr(xml, "xmlns:mayfly=\"urn:mayfly:domain:1\" version=\"1\"/>"));
}

static void targets_go_on_behind_vdz(void **state)
{
    (void)state;
    _cleanup_free_ char *z = make(
        &plain, "<domain><devices><disk><target dev='vdz'/></disk><disk><target/></disk></devices></domain>");
    assert_non_null(strstr(z, "<target dev=\"vdaa\""));
    assert_non_null(strstr(z, "<target dev=\"vdab\""));
    _cleanup_free_ char *zz =
        make(&plain, "<domain><devices><disk><target dev='vdzz'/></disk><disk/></devices></domain>");
    assert_non_null(strstr(zz, "<target dev=\"vdaaa\""));
}

static void text_is_escaped(void **state)
{
    (void)state;
    const struct domain_disk odd = {.device_path = "/dev/a\"&'<b", .serial = "<&>", .sector_bytes = 512};
    struct domain_spec spec = {.name = "</name>&lt;\xc3\xa4", .uuid = UUID, .disks = &odd, .n_disks = 1};
    _cleanup_free_ char *xml = make(&spec, NULL);
    assert_non_null(strstr(xml, "<name>&lt;/name&gt;&amp;lt;\xc3\xa4</name>"));
    assert_non_null(strstr(xml, "<source dev=\"/dev/a&quot;&amp;'&lt;b\"/>"));
    assert_non_null(strstr(xml, "<serial>&lt;&amp;&gt;</serial>"));

    struct error e = ERROR_NONE;
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    assert_ok(domain_xml_identity(xml, &name, &uuid, &e), e);
    assert_string_equal(name, spec.name);
    assert_string_equal(uuid, UUID);
}

static void odd_specs_are_refused(void **state)
{
    (void)state;
    const struct domain_disk control = {.device_path = "/dev/a\n"};
    const struct domain_spec bad[] = {
        {.name = "", .uuid = UUID},
        {.name = "a\x01", .uuid = UUID},
        {.name = "\xff", .uuid = UUID},
        {.name = "a", .uuid = "a"},
        {.name = "a", .uuid = UUID, .disks = &control, .n_disks = 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_NONE;
        char *xml = NULL;
        assert_error(domain_xml(&bad[i], NULL, &xml, &e), -EINVAL, e);
    }
}

static void what_is_no_domain_is_refused(void **state)
{
    (void)state;
    refused("", "domain XML, line 1: not well-formed: Document is empty; check it with xmllint");
    refused("<domain>\n<name/>",
            "domain XML, line 2: not well-formed: Premature end of data in tag domain line 1; "
            "check it with xmllint");
    refused("<domain><name>\xe4</name></domain>",
            "domain XML: it is not UTF-8; convert it, for example by iconv -t UTF-8");
    refused("<network/>", "domain XML: the outermost element is not <domain>; see virsh dumpxml");
    refused("<a:domain xmlns:a='urn:a'/>",
            "domain XML: the outermost element is not <domain>; see virsh dumpxml");
}

static void dtds_and_entities_are_refused(void **state)
{
    (void)state;
    static const char sentence[] = "domain XML: it has a DOCTYPE; remove that, libvirt needs none";
    refused("<!DOCTYPE domain><domain/>", sentence);
    refused("<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>", sentence);
    refused("<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>",
            sentence);
    refused("<domain><name>&a;</name></domain>",
            "domain XML, line 1: not well-formed: Entity 'a' not defined; check it with xmllint");
}

static void too_much_is_refused(void **state)
{
    (void)state;
    size_t size = DOMAIN_XML_MAX_BYTES + 100;
    _cleanup_free_ char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text, "<domain>", 8);
    memcpy(text + size - 10, "</domain>", 10);
    refused(text, "domain XML: it is larger than 1048576 bytes; no definition is");
}

static void an_instance_is_no_template(void **state)
{
    (void)state;
    _cleanup_free_ char *xml = make(&plain, NULL);
    refused(xml, "domain XML: it is the definition of an instance, whose disks a second one would share; "
                 "remove its disks and the element mayfly:instance");
}

static void numa_cells_are_not_overruled(void **state)
{
    (void)state;
    static const char template_xml[] =
        "<domain><cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/></numa></cpu></domain>";
    struct domain_spec spec = plain;
    _cleanup_free_ char *xml = make(&spec, template_xml);
    assert_non_null(strstr(xml, "<cell id=\"0\" cpus=\"0\" memory=\"1\" unit=\"GiB\"/>"));
    spec.memory_bytes = 1 << 30;
    struct error e = ERROR_NONE;
    char *none = NULL;
    assert_error(domain_xml(&spec, template_xml, &none, &e), -EINVAL, e);
}

static size_t occurrences(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static void the_state_of_a_tpm_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *tpm;
        enum domain_tpm wanted;
    } rows[] = {
        {"", TPM_NONE},
        {"<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>", TPM_NONE},
        {"<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", TPM_PLAIN},
        {"<tpm><backend type='emulator'><encryption secret='6f1e'/></backend></tpm>", TPM_ENCRYPTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char xml[300];
        struct domain_details details;
        struct error e = ERROR_NONE;
        snprintf(xml, sizeof xml, "<domain><devices>%s</devices></domain>", rows[i].tpm);
        assert_ok(domain_details_read(xml, &details, &e), e);
        assert_int_equal(details.tpm, rows[i].wanted);
    }
}

static void ram_is_guarded(const char *template_xml, bool save_refused, bool core_dumped)
{
    struct error e = ERROR_NONE;
    struct domain_details details;
    _cleanup_free_ char *xml = make(&plain, template_xml);
    assert_ok(domain_details_read(xml, &details, &e), e);
    assert_int_equal(details.save_refused, save_refused);
    assert_int_equal(details.core_dumped, core_dumped);
    assert_true(occurrences(xml, "usb-serial") <= 1); /* one will do */
}

static void ram_is_guarded_unless_the_template_forbids_it(void **state)
{
    (void)state;
    ram_is_guarded(NULL, true, false);
    ram_is_guarded("<domain><memory>1</memory></domain>", true, false);
    ram_is_guarded("<domain><memory dumpCore='on'>1</memory></domain>", true, true);
    ram_is_guarded(
        "<domain><memory>1</memory><devices><controller type='usb' model='none'/></devices></domain>", false,
        false);
    ram_is_guarded("<domain><memory>1</memory><devices><controller type='usb' model='qemu-xhci'/>"
                   "<serial type='null'><target type='usb-serial'/></serial></devices></domain>",
                   true, false);
}

static void an_identity_is_whole(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char *name = NULL, *uuid = NULL;
    assert_error(domain_xml_identity("<domain><name>a</name></domain>", &name, &uuid, &e), -EINVAL, e);
    assert_string_equal(e.text, "domain XML: it has no <uuid>");
    assert_null(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_template),
        cmocka_unit_test(a_disk_alone),
        cmocka_unit_test(a_disk_on_a_socket),
        cmocka_unit_test(a_disk_is_exchanged),
        cmocka_unit_test(a_disk_on_another_bus_stays),
        cmocka_unit_test(disks_are_found),
        cmocka_unit_test(the_iothread_with_the_fewest_disks_is_taken),
        cmocka_unit_test(a_place_is_free_in_what_runs_too),
        cmocka_unit_test(a_template_says_how_many_iothreads),
        cmocka_unit_test(io_uring_is_used_where_it_is_asked_for),
        cmocka_unit_test(uefi_is_libvirts_to_choose),
        cmocka_unit_test(the_state_of_a_tpm_is_told),
        cmocka_unit_test(an_interface_is_added_where_it_is_asked_for),
        cmocka_unit_test(networks_are_read),
        cmocka_unit_test(without_kvm_the_type_is_qemu),
        cmocka_unit_test(an_operators_template_keeps_its_own),
        cmocka_unit_test(what_identifies_one_machine_is_taken_out),
        cmocka_unit_test(what_instances_would_share_is_told),
        cmocka_unit_test(an_nvram_file_is_its_domains_own_by_the_uuid),
        cmocka_unit_test(an_nvram_file_is_found),
        cmocka_unit_test(an_instance_has_nvram_by_its_uuid),
        cmocka_unit_test(a_trial_is_no_instance),
        cmocka_unit_test(a_device_of_the_template_may_boot_first),
        cmocka_unit_test(the_least_template_is_filled_in),
        cmocka_unit_test(targets_go_on_behind_vdz),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(odd_specs_are_refused),
        cmocka_unit_test(what_is_no_domain_is_refused),
        cmocka_unit_test(dtds_and_entities_are_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(an_instance_is_no_template),
        cmocka_unit_test(numa_cells_are_not_overruled),
        cmocka_unit_test(ram_is_guarded_unless_the_template_forbids_it),
        cmocka_unit_test(an_identity_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
