/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that are files: what is written through a cipher of ours is read by OpenSSL as dm-crypt would have
 * it, and the other way round; by itself, by imports, exports and seeds. */
#include "base/fd.h"
#include "base/str.h"
#include "crypt/opened.h"
#include "folder.h"
#include "image/image.h"
#include "image/seed.h"
#include "openssl-xts.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define KIB   ((size_t)1024)
#define MIB   (1024 * KIB)
#define NOISE 0xa5

static struct secret *keys[2];
static uint8_t *memory, *wanted; /* of DISK_BYTES */
#define DISK_BYTES (24 * MIB)

static struct opened make_disk(const struct secret *key, uint32_t sector_bytes)
{
    struct opened o = {.fd = open(".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)};
    assert_true(o.fd >= 0);
    memset(memory, NOISE, DISK_BYTES);
    assert_int_equal(fd_pwrite_all(o.fd, memory, DISK_BYTES, 0), 0);
    if (key)
        OK(cipher_new(key, sector_bytes, &o.cipher, &e));
    return o;
}

/* What dm-crypt would show of the first `bytes`, and what really is behind them. */
static void assert_holds(const struct opened *o, const struct secret *key, uint32_t sector_bytes,
                         const uint8_t *data, size_t bytes)
{
    size_t whole = (bytes + 4095) / 4096 * 4096;
    assert_int_equal(fd_pread_all(o->fd, memory, DISK_BYTES, 0), 0);
    if (key) {
        assert_memory_not_equal(memory, data, 4096);
        openssl_xts(0, key, sector_bytes, 0, memory, whole);
    }
    assert_memory_equal(memory, data, bytes);
    for (size_t at = whole; at < DISK_BYTES; at++)
        assert_int_equal(memory[at], NOISE);
}

static void bytes_are_those_of_dm_crypt(void **state)
{
    (void)state;
    static const uint32_t sectors[] = {512, 4096};
    assert_int_equal(getrandom(wanted, MIB, 0), MIB);
    for (size_t i = 0; i < 2; i++) {
        _cleanup_opened_ struct opened o = make_disk(keys[i], sectors[i]);
        _cleanup_free_ uint8_t *got = malloc(MIB);
        uint64_t size = 0;
        assert_int_equal(opened_size(&o, &size), 0);
        assert_int_equal(size, DISK_BYTES);
        assert_int_equal(opened_pwrite(&o, wanted, MIB, 0), 0);
        assert_int_equal(opened_sync(&o), 0);
        assert_holds(&o, keys[i], sectors[i], wanted, MIB);
        assert_int_equal(opened_pread(&o, got, MIB - 8192, 8192), 0);
        assert_memory_equal(got, wanted + 8192, MIB - 8192);
        assert_int_equal(opened_pwrite(&o, wanted, 256, 0), -EINVAL); /* no whole sectors */
        assert_int_equal(opened_pread(&o, got, 4096, 256), -EINVAL);
        assert_int_equal(opened_pread(&o, got, 8192, DISK_BYTES - 4096), -EIO);
        assert_holds(&o, keys[i], sectors[i], wanted, MIB);
    }
}

static void without_a_cipher_they_are_as_they_are(void **state)
{
    (void)state;
    _cleanup_opened_ struct opened o = make_disk(NULL, 0);
    uint8_t got[3];
    assert_int_equal(opened_pwrite(&o, "abc", 3, 7), 0);
    assert_int_equal(opened_pread(&o, got, 3, 7), 0);
    assert_memory_equal(got, "abc", 3);
    opened_close(&o);
    assert_int_equal(o.fd, -1);
    assert_int_equal(opened_sync(&o), -EBADF);
}

/* Data, a hole of several blocks, data, and an end within a sector of 4096 bytes. */
static size_t make_image(const char *path)
{
    size_t bytes = 20 * MIB + 3 * 512;
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(getrandom(memory, 2 * MIB, 0), 2 * MIB);
    assert_int_equal(fd_pwrite_all(fd, memory, 2 * MIB, 0), 0);
    assert_int_equal(fd_pwrite_all(fd, memory, MIB + 1536, 19 * MIB), 0);
    assert_int_equal(fd_pread_all(fd, wanted, bytes, 0), 0);
    return bytes;
}

static void import(const char *path, const struct image_target *targets, size_t n)
{
    _cleanup_image_ struct image *i = NULL;
    OK(image_open(&(struct image_source){.path = path}, &i, &e));
    OK(image_import(i, targets, n, NULL, &e));
}

/* Beside one that the kernel encrypts for, whose end is not touched. */
static void images_are_imported(void **state)
{
    (void)state;
    _cleanup_opened_ struct opened a = make_disk(keys[0], 4096), b = make_disk(NULL, 0),
                                   c = make_disk(keys[1], 512);
    const struct image_target targets[] = {{&a, "a"}, {&b, "b"}, {&c, "c"}};
    size_t bytes = make_image("image.raw");
    import("image.raw", targets, 3);
    assert_holds(&a, keys[0], 4096, wanted, bytes);
    assert_holds(&b, NULL, 0, wanted, bytes);
    assert_int_equal(memory[bytes], NOISE);
    assert_holds(&c, keys[1], 512, wanted, bytes);

    assert_int_equal(system("qemu-img convert -q -f raw -O qcow2 image.raw image.qcow2"), 0);
    _cleanup_opened_ struct opened d = make_disk(keys[1], 4096);
    import("image.qcow2", &(struct image_target){&d, "d"}, 1);
    assert_holds(&d, keys[1], 4096, wanted, bytes);
}

static void disks_are_exported(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_opened_ struct opened o = make_disk(keys[0], 4096);
    _cleanup_close_ int out = open("out.raw", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(getrandom(wanted, DISK_BYTES, 0), DISK_BYTES);
    assert_int_equal(opened_pwrite(&o, wanted, DISK_BYTES, 0), 0);
    assert_ok(image_stream(&o, out, "out.raw", NULL, &e), e);
    assert_int_equal(fd_pread_all(out, memory, DISK_BYTES, 0), 0);
    assert_memory_equal(memory, wanted, DISK_BYTES);

    _cleanup_close_ int file = open("out.qcow2", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_ok(image_export(&o, file, "out.qcow2", NULL, NULL, &e), e);
    assert_int_equal(system("qemu-img compare -q out.raw out.qcow2"), 0);
}

static void seeds_are_kept(void **state)
{
    (void)state;
    const struct seed s = {
        .instance = "5f5a9c3e-0c1c-4ef4-9b9b-2b1b5f6a7c01", .hostname = "t", .ssh_keys = ""};
    _cleanup_secret_ struct secret *made = NULL, *read = NULL, *none = NULL;
    _cleanup_opened_ struct opened o = make_disk(keys[0], 4096);
    struct error e = ERROR_NONE;
    assert_ok(seed_make(&s, &made, &e), e);
    assert_error(seed_read(&o, &none, &e), -EIO, e); /* noise */
    e = ERROR_NONE;
    assert_ok(seed_write(&o, made, &e), e);
    assert_holds(&o, keys[0], 4096, secret_peek(made), secret_size(made));
    assert_ok(seed_read(&o, &read, &e), e);
    assert_true(secret_equal(read, made));
}

static int begin(void **state)
{
    memory = malloc(DISK_BYTES);
    wanted = malloc(DISK_BYTES);
    return !memory || !wanted || folder_make(state) < 0 || chdir(*state) < 0 || cipher_begin(NULL) < 0 ||
           secret_random(64, &keys[0], NULL) < 0 || secret_random(32, &keys[1], NULL) < 0;
}

static int end(void **state)
{
    for (size_t i = 0; i < 2; i++)
        keys[i] = secret_free(keys[i]);
    free(memory);
    free(wanted);
    return folder_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_dm_crypt),
        cmocka_unit_test(without_a_cipher_they_are_as_they_are),
        cmocka_unit_test(images_are_imported),
        cmocka_unit_test(disks_are_exported),
        cmocka_unit_test(seeds_are_kept),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
