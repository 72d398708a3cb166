/* SPDX-License-Identifier: Apache-2.0 */
#include "base/signature.h"

#include "base/macro.h"
#include "base/process.h"
#include "base/str.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint8_t head[SIGNATURE_HEAD_BYTES];

static void noise(void)
{
    for (size_t i = 0; i < sizeof head; i++)
        head[i] = (uint8_t)(random() >> 8);
}

static void noise_shows_nothing(void **state)
{
    (void)state;
    srandom(1);
    for (int i = 0; i < 300; i++) {
        noise();
        assert_false(signature_shows(head, sizeof head));
        memcpy(head + 1080, "\x53\xef", 2); /* two bytes right by chance are not enough */
        memcpy(head + 510, "\x55\xaa", 2);
        head[446] |= 1;
        head[1024 + 27] |= 1;
        assert_false(signature_shows(head, sizeof head));
    }
    memset(head, 0, sizeof head);
    assert_false(signature_shows(head, sizeof head));
    assert_false(signature_shows(head, 0));
    assert_false(signature_shows(head, 512));
}

/* What the programs themselves write into 320 MiB. */
static void shows_after(const char *const argv[])
{
    int fd = memfd_create("disk", MFD_CLOEXEC);
    struct error e = ERROR_NONE;
    assert_int_equal(ftruncate(fd, 320 << 20), 0);
    int r = process_run_prepared(fd, NULL, argv, 60, NULL, &e);
    if (r < 0)
        fail_msg("%s: %s", argv[0], e.text);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    close(fd);
    if (!signature_shows(head, sizeof head))
        fail_msg("%s: not seen", argv[0]);
}
#define SHOWS(...) shows_after((const char *const[]){__VA_ARGS__, "/proc/self/fd/0", NULL})

static void what_guests_have_shows(void **state)
{
    (void)state;
    SHOWS("mkfs.ext4", "-q", "-F");
    SHOWS("mkfs.ext4", "-q", "-F", "-b", "1024", "-O", "none");
    SHOWS("mkfs.ext4", "-q", "-F", "-b", "4096"); /* and its clusters: the field behind */
    SHOWS("mkfs.xfs", "-q", "-f");
    SHOWS("mkfs.vfat", "-F", "16");
    SHOWS("mkfs.vfat", "-F", "32");
    SHOWS("mkswap");
}

static void tables_show(void **state)
{
    (void)state;
    memset(head, 0, sizeof head);
    memcpy(head + 510, "\x55\xaa", 2);
    assert_false(signature_shows(head, sizeof head)); /* an empty one may be anything */
    head[446 + 16] = 0x80;
    head[446 + 16 + 4] = 0x83;
    head[446 + 16 + 13] = 8;
    assert_true(signature_shows(head, sizeof head));
    assert_true(signature_shows(head, 512));
    assert_false(signature_shows(head, 511));
    head[446] = 1;
    assert_false(signature_shows(head, sizeof head));
    memcpy(head + 512, "EFI PART", 8);
    assert_true(signature_shows(head, sizeof head));
    assert_false(signature_shows(head, 519));
    memcpy(head + 512, "LABELONE", 8);
    assert_true(signature_shows(head, sizeof head));
    memset(head, 0, sizeof head);
    memcpy(head + 65600, "_BHRfS_M", 8);
    assert_true(signature_shows(head, sizeof head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_shows_nothing),
        cmocka_unit_test(what_guests_have_shows),
        cmocka_unit_test(tables_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
