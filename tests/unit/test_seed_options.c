/* SPDX-License-Identifier: Apache-2.0 */
/* The files that seed disks are made of: which are read, what becomes of them, and which are refused. */
#include "folder.h"
#include "unit.h"

#include "base/fd.h"
#include "cli/seed-options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADA "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAda ada@host"
#define BOB "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBob bob@host"

static char folder[] = "/tmp/test-seed-options.XXXXXX";

static int begin(void **state)
{
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int end(void **state)
{
    (void)state;
    return chdir("/") < 0 ? -1 : nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void have(const char *name, const char *text, off_t size)
{
    _cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (size)
        assert_int_equal(ftruncate(fd, size), 0);
}

/* As the command line says it. */
static int set(struct seed_options *o, const char *option, const char *value, struct error *e)
{
    for (const struct cli_option *known = seed_options; known->name; known++)
        if (streq(known->name, option))
            return known->set(o, value, e);
    fail_msg("no option %s", option);
    return -1;
}

static void several_keys_are_lines_of_one_text(void **state)
{
    (void)state;
    struct seed_options o = {.no_keys = false};
    have("ada.pub", ADA, 0); /* without an end of the line */
    have("bob.pub", BOB "\n", 0);
    OK(set(&o, "ssh-key", "ada.pub", &e));
    OK(set(&o, "ssh-key", "bob.pub", &e));
    OK(seed_options_read(&o, &e));
    assert_string_equal(o.seed.ssh_keys, ADA "\n" BOB "\n\n");
    assert_true(seed_wanted(&o.seed));
    seed_options_end(&o);
}

static void configured_keys_are_for_who_says_none(void **state)
{
    (void)state;
    static struct config c;
    struct seed_options o = {.no_keys = false};
    config_defaults(&c);
    c.launch_ssh_keys.n = 1;
    strcpy(c.launch_ssh_keys.item[0], "bob.pub");
    OK(seed_options_read(&o, &e));
    assert_false(seed_wanted(&o.seed));
    OK(seed_options_add_configured(&o, &c, &e));
    assert_string_equal(o.seed.ssh_keys, BOB "\n\n");
    seed_options_end(&o);

    o = (struct seed_options){.no_keys = false};
    OK(set(&o, "ssh-key", "ada.pub", &e));
    OK(seed_options_read(&o, &e));
    OK(seed_options_add_configured(&o, &c, &e));
    assert_string_equal(o.seed.ssh_keys, ADA "\n");
    seed_options_end(&o);

    o = (struct seed_options){.no_keys = false};
    OK(set(&o, "ssh-key", "none", &e));
    OK(seed_options_read(&o, &e));
    OK(seed_options_add_configured(&o, &c, &e));
    assert_null(o.seed.ssh_keys);
    seed_options_end(&o);

    o = (struct seed_options){.no_keys = false};
    strcpy(c.launch_ssh_keys.item[0], "nobody.pub");
    REFUSED_WITH(-ENOENT,
                 "nobody.pub: cannot be opened: No such file or directory; [launch] ssh_key in the "
                 "configuration names it",
                 seed_options_add_configured(&o, &c, &e));
}

static void none_and_a_key_exclude_each_other(void **state)
{
    (void)state;
    struct seed_options o = {.no_keys = false};
    OK(set(&o, "ssh-key", "ada.pub", &e));
    OK(set(&o, "ssh-key", "none", &e));
    REFUSED_WITH(-EINVAL, "exclude each other", seed_options_read(&o, &e));
    assert_null(o.seed.ssh_keys);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *words;
        int wanted;
    } cases[] = {
        {"private", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "private: SSH keys: one of them is private",
         -EINVAL},
        {"words", "hello\n", "words: SSH keys: a line is not a public key", -EINVAL},
        {"absent", NULL, "SSH key absent: cannot be opened", -ENOENT},
        {".", NULL, "SSH key .: cannot be read", -EISDIR},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct seed_options o = {.no_keys = false};
        if (cases[i].text)
            have(cases[i].name, cases[i].text, 0);
        OK(set(&o, "ssh-key", cases[i].name, &e));
        REFUSED_WITH(cases[i].wanted, cases[i].words, seed_options_read(&o, &e));
        seed_options_end(&o);
    }
    have("large", ADA "\n", 70 << 10);
    struct seed_options o = {.no_keys = false};
    OK(set(&o, "ssh-key", "large", &e));
    REFUSED_WITH(-EFBIG, "SSH key large: cannot be read", seed_options_read(&o, &e));
    seed_options_end(&o);

    o = (struct seed_options){.no_keys = false};
    REFUSED_WITH(-EINVAL, "is empty, or too long", set(&o, "ssh-key", "", &e));
    for (int i = 0; i < CONFIG_LIST_MAX; i++)
        OK(set(&o, "ssh-key", "ada.pub", &e));
    REFUSED_WITH(-EINVAL, "at most", set(&o, "ssh-key", "ada.pub", &e));
}

static int read_user_data(const char *path, struct seed_options *o, struct error *e)
{
    int r = set(o, "user-data", path, e);
    return r < 0 ? r : seed_options_read(o, e);
}

static void user_data_is_taken_whole(void **state)
{
    (void)state;
    struct seed_options o = {.no_keys = false};
    have("user", "#cloud-config\n", 0);
    OK(read_user_data("user", &o, &e));
    assert_int_equal(secret_size(o.seed.user_data), strlen("#cloud-config\n"));
    assert_memory_equal(secret_peek(o.seed.user_data), "#cloud-config\n", strlen("#cloud-config\n"));
    seed_options_end(&o);

    o = (struct seed_options){.no_keys = false};
    have("user", "#", SEED_USER_DATA_MAX);
    OK(read_user_data("user", &o, &e));
    assert_int_equal(secret_size(o.seed.user_data), SEED_USER_DATA_MAX);
    seed_options_end(&o);

    o = (struct seed_options){.no_keys = false};
    have("user", "#", SEED_USER_DATA_MAX + 1);
    REFUSED_WITH(-EINVAL, "user data user: is larger than 256 KiB", read_user_data("user", &o, &e));
    have("user", "", 0);
    REFUSED_WITH(-EINVAL, "user data user: is empty", read_user_data("user", &o, &e));
    REFUSED_WITH(-ENOENT, "user data absent: cannot be opened", read_user_data("absent", &o, &e));
    REFUSED_WITH(-EISDIR, "user data .: cannot be read", read_user_data(".", &o, &e));
    assert_null(o.seed.user_data);
}

static void a_seed_image_is_a_file_of_some_size(void **state)
{
    (void)state;
    struct secret *image = NULL;
    have("image", "config-2", 4097);
    OK(seed_image_read("image", &image, &e));
    assert_int_equal(secret_size(image), 8192); /* whole blocks */
    assert_memory_equal(secret_peek(image), "config-2\0", 9);
    assert_int_equal(secret_peek(image)[8191], 0);
    image = secret_free(image);
    have("image", "config-2", 4 << 20);
    OK(seed_image_read("image", &image, &e));
    assert_int_equal(secret_size(image), 4 << 20);
    image = secret_free(image);

    have("image", "config-2", (4 << 20) + 1);
    REFUSED_WITH(-EINVAL, "seed image image: is larger than 4 MiB", seed_image_read("image", &image, &e));
    have("image", "", 0);
    REFUSED_WITH(-EINVAL, "seed image image: is empty", seed_image_read("image", &image, &e));
    REFUSED_WITH(-EINVAL, "seed image .: is not a regular file", seed_image_read(".", &image, &e));
    REFUSED_WITH(-ENOENT, "seed image absent: cannot be opened", seed_image_read("absent", &image, &e));
    assert_null(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_keys_are_lines_of_one_text),
        cmocka_unit_test(configured_keys_are_for_who_says_none),
        cmocka_unit_test(none_and_a_key_exclude_each_other),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(user_data_is_taken_whole),
        cmocka_unit_test(a_seed_image_is_a_file_of_some_size),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
