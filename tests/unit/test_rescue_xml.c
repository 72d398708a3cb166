/* SPDX-License-Identifier: Apache-2.0 */
/* A definition with a rescue disk in it, to the letter, and without it again: what it was before. */
#include "base/str.h"
#include "unit.h"
#include "virt/rescue-xml.h"

#include <stdio.h>
#include <stdlib.h>

#define UUID   "6f1e8a8e-0000-4000-8000-00000000000a"
#define LV     "/dev/mapper/" UUID "_disk"
#define RESCUE LV ".rescue-dmcrypt"
#define MARK   "    <mayfly:instance xmlns:mayfly=\"urn:mayfly:domain:1\" version=\"1\"/>\n"
#define BEGIN                                                                                                \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<domain type=\"kvm\">\n  <name>ci-1</name>\n  <uuid>" UUID  \
    "</uuid>\n"
#define METADATA(x) "  <metadata>\n" x "  </metadata>\n"
#define OS(x)       "  <os>\n    <type>hvm</type>\n" x "  </os>\n  <devices>\n"
#define END         "  </devices>\n</domain>\n"
#define PLACE(t, bus)                                                                                        \
    "      <target dev=\"" t "\" bus=\"virtio\"/>\n",                                                        \
        "      <address type=\"pci\" bus=\"" bus "\" slot=\"0x00\"/>\n"
#define DISK_(source, target, more, address)                                                                 \
    "    <disk type=\"block\" device=\"disk\">\n      <source dev=\"" source "\"/>\n" target more address    \
    "    </disk>\n"
#define DISK(source, more, place)             DISK__(source, more, place)
#define DISK__(source, more, target, address) DISK_(source, target, more, address)
#define BOOT(n)                               "      <boot order=\"" n "\"/>\n"
#define PORT(n)                               "    <controller type=\"pci\" index=\"" n "\" model=\"pcie-root-port\"/>\n"
#define NIC(n)                                "    <interface type=\"network\">\n      <boot order=\"" n "\"/>\n    </interface>\n"
#define NOTED(n)                              "      <mayfly:controller type=\"pci\" index=\"" n "\"/>\n"
#define NEW_PLACE(t)                          "      <target dev=\"" t "\" bus=\"virtio\"/>\n", ""
#define RECORD_(x)                            "    <mayfly:rescue xmlns:mayfly=\"urn:mayfly:rescue:1\">\n" x "    </mayfly:rescue>\n"
#define RESCUE_DISK(t, more, address)                                                                        \
    "    <disk type=\"block\" device=\"disk\">\n"                                                            \
    "      <driver name=\"qemu\" type=\"raw\" cache=\"none\" io=\"native\"/>\n      <source dev=\"" RESCUE   \
    "\"/>\n      <target dev=\"" t "\" bus=\"virtio\"/>\n      <serial>r</serial>\n" more address            \
    "    </disk>\n"
#define ADDRESS(bus) "      <address type=\"pci\" bus=\"" bus "\" slot=\"0x00\"/>\n"

static const struct domain_disk rescue = {.device_path = RESCUE, .serial = "r", .sector_bytes = 512};

/* As Mayfly makes them: root boots, three disks, one port that is free. */
static const char ours[] = BEGIN METADATA(MARK) OS("") DISK(LV "-dmcrypt", BOOT("1"), PLACE("vda", "0x02"))
    DISK(LV ".eph0-dmcrypt", "", PLACE("vdb", "0x03")) DISK(LV ".swap-dmcrypt", "", PLACE("vdc", "0x04"))
        PORT("1") NIC("2") PORT("2") END;

static char *add(const char *xml)
{
    struct error e = ERROR_NONE;
    char *with = NULL;
    assert_ok(rescue_xml_add(xml, &rescue, &with, &e), e);
    return with;
}

static char *taken_out(const char *xml)
{
    struct error e = ERROR_NONE;
    char *without = NULL;
    assert_ok(rescue_xml_remove(xml, &without, &e), e);
    return without;
}

static void it_takes_the_place_of_the_first(void **state)
{
    (void)state;
    static const char wanted[] = BEGIN METADATA(MARK RECORD_(NOTED("1") NOTED("2"))) OS("")
        RESCUE_DISK("vda", BOOT("1"), ADDRESS("0x02")) DISK(LV "-dmcrypt", BOOT("2"), PLACE("vdb", "0x03"))
            DISK(LV ".eph0-dmcrypt", "", PLACE("vdc", "0x04")) DISK(LV ".swap-dmcrypt", "", NEW_PLACE("vdd"))
                PORT("1") NIC("3") PORT("2") END;
    _cleanup_free_ char *with = add(ours);
    assert_string_equal(with, wanted);
}

static void taken_out_nothing_is_left(void **state)
{
    (void)state;
    static const char *const all[] = {
        ours,
        /* without a mark, without boot orders, one disk that has no address yet */
        BEGIN OS("    <boot dev=\"hd\"/>\n") DISK("/dev/sdx", "", NEW_PLACE("vda")) END,
        /* a template's disk before ours, drives of another kind, devices without places */
        BEGIN METADATA(MARK) OS("") "    <disk type=\"file\" device=\"cdrom\">\n"
                                    "      <target dev=\"sda\" bus=\"sata\"/>\n"
                                    "    </disk>\n" DISK("/dev/sdx", "", PLACE("vda", "0x01"))
                                        DISK(LV "-dmcrypt", BOOT("7"), PLACE("vdc", "0x09")) PORT("1") END,
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        _cleanup_free_ char *with = add(all[i]), *again = taken_out(with);
        assert_string_not_equal(with, all[i]);
        assert_string_equal(again, all[i]);
        assert_null(taken_out(again));
    }
}

/* The rescue disk is served by the thread that its own are served by. */
static void it_has_the_iothread_of_the_domain(void **state)
{
    (void)state;
    static const char before[] = BEGIN METADATA(MARK) "  <iothreads>1</iothreads>\n" OS("")
        DISK(LV "-dmcrypt", BOOT("1"), PLACE("vda", "0x02")) END;
    _cleanup_free_ char *with = add(before), *again = taken_out(with);
    assert_non_null(strstr(with, "io=\"native\" iothread=\"1\"/>\n      <source dev=\"" RESCUE));
    assert_string_equal(again, before);
}

/* By the name of its socket. */
static void one_that_is_a_file_is_found_too(void **state)
{
    (void)state;
    static const char before[] = BEGIN METADATA(MARK)
        OS("") "    <disk type=\"vhostuser\" device=\"disk\">\n"
               "      <source type=\"unix\" path=\"/run/user/1000/mayfly/" UUID "_disk\"/>\n"
               "      <target dev=\"vda\" bus=\"virtio\"/>\n" BOOT("1") ADDRESS("0x02") "    </disk>\n" END;
    static const struct domain_disk socket = {.device_path = "/run/user/1000/mayfly/" UUID "_disk.rescue",
                                              .vhost_user = true};
    _cleanup_free_ char *with = NULL, *again = NULL;
    OK(rescue_xml_add(before, &socket, &with, &e));
    REFUSED_WITH(-EEXIST, "has a rescue disk already", rescue_xml_add(with, &socket, &again, &e));
    again = taken_out(with);
    assert_non_null(again);
    assert_null(strstr(again, ".rescue"));
    assert_non_null(strstr(again, "<boot order=\"1\"/>"));
}

/* The same with the rescue disk, as libvirt keeps it: the last disk has got an address, and a port for it. */
static const char libvirts[] = BEGIN METADATA(MARK RECORD_(NOTED("1") NOTED("2"))) OS("")
    RESCUE_DISK("vda", BOOT("1"), ADDRESS("0x02")) DISK(LV "-dmcrypt", BOOT("2"), PLACE("vdb", "0x03"))
        DISK(LV ".eph0-dmcrypt", "", PLACE("vdc", "0x04")) DISK(LV ".swap-dmcrypt", "", PLACE("vdd", "0x0a"))
            PORT("1") NIC("3") PORT("2") PORT("3") END;

static void what_libvirt_adds_goes_too(void **state)
{
    (void)state;
    _cleanup_free_ char *again = taken_out(libvirts);
    assert_string_equal(again, ours);
}

/* Once libvirt has it, what came with it is noted; what a person adds later is not. */
static void a_controller_that_a_person_adds_stays(void **state)
{
    (void)state;
    static const char theirs[] = "    <controller type=\"scsi\" index=\"0\" model=\"virtio-scsi\"/>\n" END;
    struct error e = ERROR_NONE;
    _cleanup_free_ char *noted = NULL, *later = NULL, *again = NULL, *none = NULL;
    assert_ok(rescue_xml_note(libvirts, &noted, &e), e);
    assert_non_null(strstr(noted, "lists=\"added\""));
    assert_int_equal(asprintf(&later, "%.*s%s", (int)(strlen(noted) - strlen(END)), noted, theirs) > 0, 1);
    again = taken_out(later);
    assert_non_null(strstr(again, "virtio-scsi"));
    assert_non_null(strstr(again, PORT("2")));
    assert_null(strstr(again, PORT("3")));
    free(again);
    again = taken_out(noted);
    assert_string_equal(again, ours);
    assert_ok(rescue_xml_note(ours, &none, &e), e);
    assert_null(none);
}

static void what_a_person_changed_stays(void **state)
{
    (void)state;
    _cleanup_free_ char *with = add(ours);
    char *name = strstr(with, "ci-1");
    memcpy(name, "XX-1", 4);
    _cleanup_free_ char *again = taken_out(with);
    assert_non_null(strstr(again, "<name>XX-1</name>"));
    memcpy(strstr(again, "XX-1"), "ci-1", 4);
    assert_string_equal(again, ours);
}

/* Without the record the disk is still known, by its name. */
static void a_disk_without_a_record_is_found(void **state)
{
    (void)state;
    static const char bare[] = BEGIN OS("    <boot dev=\"hd\"/>\n") RESCUE_DISK("vda", "", ADDRESS("0x01"))
        DISK("/dev/vg0/x", "", PLACE("vdb", "0x02")) PORT("1") END;
    static const char wanted[] =
        BEGIN OS("    <boot dev=\"hd\"/>\n") DISK("/dev/vg0/x", "", PLACE("vda", "0x01")) PORT("1") END;
    _cleanup_free_ char *again = taken_out(bare);
    assert_string_equal(again, wanted);
}

static void refused(const char *xml, int r, const char *words)
{
    struct error e = ERROR_NONE;
    char *with = NULL;
    assert_error(rescue_xml_add(xml, &rescue, &with, &e), r, e);
    assert_null(with);
    if (!strstr(e.text, words))
        fail_msg("'%s' is not in '%s'", words, e.text);
}

static void what_would_not_boot_is_refused(void **state)
{
    (void)state;
    _cleanup_free_ char *with = add(ours);
    refused(with, -EEXIST, "has a rescue disk already");
    refused(BEGIN OS("") END, -EINVAL, "no virtio disk");
    refused(BEGIN "</domain>", -EINVAL, "no virtio disk");
    refused(BEGIN OS("<kernel>/k</kernel>") DISK("/dev/x", "", NEW_PLACE("vda")) END, -EINVAL,
            "<os><kernel>");
    refused(BEGIN OS("<boot dev=\"network\"/>") DISK("/dev/x", "", NEW_PLACE("vda")) END, -EINVAL,
            "<os><boot>");
    refused(BEGIN OS("") "<disk><target dev=\"sda\" bus=\"sata\"/></disk>" DISK("/dev/x", "",
                                                                                NEW_PLACE("vda")) END,
            -EINVAL, "first virtio disk");
    refused("<domain", -EINVAL, "not well-formed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_the_place_of_the_first),
        cmocka_unit_test(taken_out_nothing_is_left),
        cmocka_unit_test(it_has_the_iothread_of_the_domain),
        cmocka_unit_test(what_libvirt_adds_goes_too),
        cmocka_unit_test(one_that_is_a_file_is_found_too),
        cmocka_unit_test(a_controller_that_a_person_adds_stays),
        cmocka_unit_test(what_a_person_changed_stays),
        cmocka_unit_test(a_disk_without_a_record_is_found),
        cmocka_unit_test(what_would_not_boot_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
