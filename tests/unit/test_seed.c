/* SPDX-License-Identifier: Apache-2.0 */
/* What a seed may be made of, and its way to a device and back. That others read it, seed.py shows. */
#include "base/fd.h"
#include "image/fat.h"
#include "image/seed.h"
#include "unit.h"

#include <string.h>
#include <unistd.h>

static void host_names(void **state)
{
    (void)state;
    static const char *const good[] = {"web", "web-1.example.org", "7", "A.b"};
    static const char *const bad[] = {"", "-a", "a-", "a..b", "a.", ".a", "a_b", "a b", "a\"b", "\xc3\xbc"};
    char most[SEED_HOSTNAME_MAX + 1] = "", label[65] = "";
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_ok(seed_check_hostname(good[i], &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        e = ERROR_NONE;
        assert_error(seed_check_hostname(bad[i], &e), -EINVAL, e);
    }
    memset(label, 'a', 63);
    e = ERROR_NONE;
    assert_ok(seed_check_hostname(label, &e), e);
    label[63] = 'a';
    assert_error(seed_check_hostname(label, &e), -EINVAL, e);
    for (size_t i = 0; i < SEED_HOSTNAME_MAX; i++)
        most[i] = i % 2 ? '.' : 'a';
    e = ERROR_NONE;
    assert_error(seed_check_hostname(most, &e), -EINVAL, e);
    most[SEED_HOSTNAME_MAX - 1] = '\0';
    e = ERROR_NONE;
    assert_ok(seed_check_hostname(most, &e), e);
}

static void keys(void **state)
{
    (void)state;
    static const char *const good[] = {"\n# one\n\nssh-ed25519 AAAAC3", "ssh-ed25519 AAAAC3 me@home",
                                       "ssh-rsa AAAAB3\r\n\nfrom=\"*\" ecdsa-sha2-nistp256 AAAAE2 x"};
    static const struct {
        const char *keys, *words;
    } bad[] = {
        {"", "the file has no SSH key"},
        {"\n# none\n \t\r\n", "the file has no SSH key"},
        {"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "not a public key"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "private"},
        {"ssh-ed25519 AAAAC3 me\nhello", "not a public key"},
        {" AAAAC3", "not a public key"},
        {"ssh-ed25519 AAAAC3 me\033[2J", "not a public key"},
    };
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_ok(seed_check_ssh_keys(good[i], &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        e = ERROR_NONE;
        assert_error(seed_check_ssh_keys(bad[i].keys, &e), -EINVAL, e);
        assert_non_null(strstr(e.text, bad[i].words));
    }
}

static struct secret *text(const char *what)
{
    struct secret *s = NULL;
    assert_int_equal(secret_new(strlen(what), &s, NULL), 0);
    memcpy(secret_bytes(s), what, strlen(what));
    return s;
}

static void user_data_that_says_what_it_is(void **state)
{
    (void)state;
    static const char *const known[] = {"#cloud-config\n", "#!/bin/sh\n", "Content-Type: multipart/mixed",
                                        "\x1f\x8b\x08"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        _cleanup_secret_ struct secret *s = text(known[i]);
        assert_null(seed_doubt(s));
    }
    _cleanup_secret_ struct secret *yaml = text("packages: [vim]\n"), *one = text("M");
    assert_non_null(seed_doubt(yaml));
    assert_non_null(seed_doubt(one));
}

static void a_device_gives_it_back(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *user_data = text("#!/bin/sh\n"), *made = NULL, *read = NULL, *none = NULL;
    _cleanup_close_ int fd = fd_memfd_empty("device", 0);
    const struct seed seed = {.instance = "5c0e1c9e-0f53-4b1c-9d1e-3f4f6c1a7a10",
                              .hostname = "web",
                              .ssh_keys = "ssh-ed25519 AAAA \"me\" \\\n",
                              .user_data = user_data};
    assert_ok(seed_make(&seed, &made, &e), e);
    assert_int_equal(secret_size(made), SEED_BYTES);
    assert_int_equal(ftruncate(fd, 4 << 20), 0);
    assert_error(seed_read(&(struct opened){.fd = fd}, &none, &e), -EIO, e); /* it is empty */
    e = ERROR_NONE;
    assert_ok(seed_write(&(struct opened){.fd = fd}, made, &e), e);
    assert_ok(seed_read(&(struct opened){.fd = fd}, &read, &e), e);
    assert_true(secret_equal(made, read));
    static const char meta_data[] = "instance-id: 5c0e1c9e-0f53-4b1c-9d1e-3f4f6c1a7a10\n"
                                    "local-hostname: \"web\"\n"
                                    "public-keys:\n"
                                    "  - \"ssh-ed25519 AAAA \\\"me\\\" \\\\\"\n";
    assert_non_null(memmem(secret_peek(read), SEED_BYTES, meta_data, sizeof meta_data)); /* and a zero */
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_true(seed_read(&(struct opened){.fd = fd}, &none, &e) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_names),
        cmocka_unit_test(keys),
        cmocka_unit_test(user_data_that_says_what_it_is),
        cmocka_unit_test(a_device_gives_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
