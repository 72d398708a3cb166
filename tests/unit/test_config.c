/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "config/config.h"
#include "unit.h"

#include "folder.h"

#define ENCRYPTION "[ephemeral_storage_encryption]\n"
#define CIPHERS                                                                                              \
    "; use one of aes-xts-plain64, aes-cbc-essiv:sha256, serpent-xts-plain64, twofish-xts-plain64, "         \
    "camellia-xts-plain64"

static int parse(const char *file, const char *text, struct config *ret, struct error *e)
{
    *e = ERROR_NONE;
    return config_parse(file, text, strlen(text), ret, e);
}

static void assert_defaults(const struct config *c)
{
    assert_false(c->encryption_enabled);
    assert_string_equal(c->cipher, "aes-xts-plain64");
    assert_int_equal(c->key_size_bits, 512);
    assert_string_equal(c->sector_size, "auto");
    assert_string_equal(c->workqueues, "auto");
    assert_int_equal(c->volume_groups.n, 0);
    assert_string_equal(c->connection_uri, "qemu:///system");
    assert_string_equal(c->key_backend, "local");
}

static void no_text_gives_the_defaults(void **state)
{
    (void)state;
    struct error e;
    struct config c, d;
    assert_ok(parse("f", "", &c, &e), e);
    assert_defaults(&c);
    config_defaults(&d);
    assert_memory_equal(&c, &d, sizeof c);
}

static void values_are_read(void **state)
{
    (void)state;
    struct error e;
    struct config c;
    assert_ok(parse("f",
                    "# a comment\n" ENCRYPTION "enabled = True ; as Nova writes it\n"
                    "cipher=aes-cbc-essiv:sha256\r\n"
                    "key_size : 256\n\n"
                    "; another\n"
                    "[libvirt]\n"
                    "images_volume_group = vg0, fast-nvme ,,vg_2.x\n"
                    "volume_clear = none\n"
                    "[launch]\nmemory = 2G\nvcpus = 3\nfirmware = uefi\nautostart = yes\n" ENCRYPTION
                    "sector_size = 512\ndiscard = yes",
                    &c, &e),
              e);
    assert_true(c.encryption_enabled);
    assert_true(c.discard);
    assert_string_equal(c.cipher, "aes-cbc-essiv:sha256");
    assert_int_equal(c.key_size_bits, 256);
    assert_string_equal(c.sector_size, "512");
    assert_string_equal(c.volume_clear, "none");
    assert_true(c.launch_memory_bytes == UINT64_C(2) << 30);
    assert_int_equal(c.launch_vcpus, 3);
    assert_string_equal(c.launch_firmware, "uefi");
    assert_true(c.launch_autostart);
    assert_int_equal(c.volume_groups.n, 3);
    assert_string_equal(c.volume_groups.item[0], "vg0");
    assert_string_equal(c.volume_groups.item[1], "fast-nvme");
    assert_string_equal(c.volume_groups.item[2], "vg_2.x");
    assert_true(config_has_volume_group(&c, "fast-nvme"));
    assert_false(config_has_volume_group(&c, "fast"));
    assert_false(config_has_volume_group(&c, ""));
}

/* But of nova.conf's own options, as Nova reads them. */
static void what_is_given_twice_is_refused(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct config c;
    assert_error(parse("f", "[libvirt]\nimages_volume_group=a,b\nimages_volume_group=c\n", &c, &e), -EINVAL,
                 e);
    assert_string_equal(e.text, "f:3: [libvirt] images_volume_group: is given twice; line 2 has it too");
    e = ERROR_NONE;
    assert_error(parse("nova.conf", ENCRYPTION "key_size=512\n\n" ENCRYPTION "key_size=256\n", &c, &e),
                 -EINVAL, e);
    e = ERROR_NONE;
    assert_error(parse("f", "[libvirt]\nimages_volume_group=a,b,a\n", &c, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "\"a\" is given twice"));
    e = ERROR_NONE;
    assert_ok(parse("nova.conf", "[libvirt]\nimages_volume_group=a,b\nimages_volume_group=c\n", &c, &e), e);
    assert_int_equal(c.volume_groups.n, 1);
    assert_string_equal(c.volume_groups.item[0], "c");
}

static void every_error_has_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } bad[] = {
        {"\n[ephemeral_storge]\nenabled=1\n",
         "f:3: group [ephemeral_storge]: there is no such group; see mayfly.conf(5)"},
        {ENCRYPTION "\nenable = true\n",
         "f:3: [ephemeral_storage_encryption] enable: there is no such option; see mayfly.conf(5)"},
        {"[local]\nenabled = true\n", "f:2: [local] enabled: there is no such option; see mayfly.conf(5)"},
        {"enabled = true\n", "f:1: option enabled: stands before any [group]; see mayfly.conf(5)"},
        {ENCRYPTION "enabled = maybe\n",
         "f:2: [ephemeral_storage_encryption] enabled: \"maybe\" is neither true nor false"},
        {ENCRYPTION "enabled =\n",
         "f:2: [ephemeral_storage_encryption] enabled: \"\" is neither true nor false"},
        {ENCRYPTION "# c\nkey_size = 0x200\n",
         "f:3: [ephemeral_storage_encryption] key_size: \"0x200\" is not a number"},
        {ENCRYPTION "key_size = 4294967808\n",
         "f:2: [ephemeral_storage_encryption] key_size: \"4294967808\" is not a number"},
        {ENCRYPTION "key_size = -1\n",
         "f:2: [ephemeral_storage_encryption] key_size: \"-1\" is not a number"},
        {ENCRYPTION "workqueues = aut\n",
         "f:2: [ephemeral_storage_encryption] workqueues: \"aut\" is not one of auto|on|off"},
        {ENCRYPTION "workqueues = \n",
         "f:2: [ephemeral_storage_encryption] workqueues: \"\" is not one of auto|on|off"},
        {"[libvirt]\nvolume_clear = shred\n",
         "f:2: [libvirt] volume_clear: \"shred\" is not one of zero|none"},
        {"[key_manager]\nbackend = l|e\n",
         "f:2: [key_manager] backend: \"l|e\" is not one of local|ephemeral|barbican"},
        {ENCRYPTION "\nwhat\nenabled = maybe\n", "f:3: is neither [group] nor name = value"},
        {ENCRYPTION "[local\n", "f:2: is neither [group] nor name = value"},
        {ENCRYPTION "cipher = aes-xts-plain64\n  key_size = 256\n",
         "f:2: [ephemeral_storage_encryption] cipher: a value has one line only; an option begins in the "
         "first "
         "column"},
        {"[libvirt]\nimages_volume_group = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\n",
         "f:2: [libvirt] images_volume_group: has more than 16 items"},

        {"\n" ENCRYPTION "cipher = rot13\n\n", "f:3: cipher rot13: is not offered" CIPHERS},
        {ENCRYPTION "cipher = rot13\nkey_size = 256\n", "f:2: cipher rot13: is not offered" CIPHERS},
        {ENCRYPTION "cipher = aes-cbc-essiv:sha256\nkey_size = 512\n",
         "f:3: key size 512: aes-cbc-essiv:sha256 takes 128, 192 or 256 bits"},
        {ENCRYPTION "cipher = aes-cbc-essiv:sha256\n",
         "f:2: key size 512: aes-cbc-essiv:sha256 takes 128, 192 or 256 bits"},
        {ENCRYPTION "key_size = 192\n", "f:2: key size 192: aes-xts-plain64 takes 256 or 512 bits, since XTS "
                                        "splits them into two keys (here of 96 bits each)"},
        {ENCRYPTION "sector_size = 1024\n",
         "f:2: [ephemeral_storage_encryption] sector_size: \"1024\" is not one of auto|512|4096"},
        {"[libvirt]\nimages_volume_group = vg0, a/b\n",
         "f:2: [libvirt] images_volume_group: \"a/b\" cannot be the name of a volume group; see vgs"},
        {"[libvirt]\nimages_volume_group = ..\n",
         "f:2: [libvirt] images_volume_group: \"..\" cannot be the name of a volume group; see vgs"},
        {"[local]\ndirectory = keys\n", "f:2: [local] directory: \"keys\" does not begin with /"},
        {"[local]\nsealing_key_file = a.key\n",
         "f:2: [local] sealing_key_file: \"a.key\" does not begin with /"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e;
        struct config c = {.key_size_bits = 77};
        assert_error(parse("f", bad[i].text, &c, &e), -EINVAL, e);
        assert_string_equal(e.text, bad[i].sentence);
        assert_int_equal(c.key_size_bits, 77);
    }
}

static void long_lines_are_not_cut_in_two(void **state)
{
    (void)state;
    struct error e;
    struct config c;
    char text[2000];
    /* a comment whose 200th byte could begin an option, then a value of 300 bytes */
    int n =
        snprintf(text, sizeof text, "%s#%0*d\n#%0198dkey_size = 1\nkey_size = 256\n", ENCRYPTION, 400, 0, 0);
    assert_ok(parse("f", text, &c, &e), e);
    assert_int_equal(c.key_size_bits, 256);
    snprintf(text + n, sizeof text - (size_t)n, "[local]\ndirectory = /%0*d\n", 300, 0);
    assert_error(parse("f", text, &c, &e), -EINVAL, e);
    assert_string_equal(e.text, "f:6: [local] directory: is longer than 255 characters");
    snprintf(text + n, sizeof text - (size_t)n, "[local]\ndirectory = /%0*d ; %0*d\n", 250, 0, 300, 0);
    assert_ok(parse("f", text, &c, &e), e);
}

static void names_of_volume_groups(void **state)
{
    (void)state;
    assert_true(config_vg_name_valid("a"));
    assert_true(config_vg_name_valid("_.+-"));
    assert_true(config_vg_name_valid("a23456789012345678901234567890123456789012345678901234567890123"));
    assert_false(config_vg_name_valid("a234567890123456789012345678901234567890123456789012345678901234"));
    static const char *const bad[] = {"", "-a", ".", "..", "a b", "a/b", "a,b", "a:b", "v\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(config_vg_name_valid(bad[i]));
}

static void nova_conf_is_read(void **state)
{
    (void)state;
    static const char text[] = "[DEFAULT]\ndebug = True\nmultiline = a,\n   b,\n   c\n"
                               "[libvirt]\nimages_type = lvm\nimages_volume_group = nova\nvirt_type = kvm\n"
                               "[api_database]\nconnection = mysql+pymysql://u:p@h/nova\n" ENCRYPTION
                               "enabled = True\ncipher = aes-xts-plain64\nkey_size = 256\n";
    struct error e;
    struct config c;
    assert_ok(parse("/etc/nova/nova.conf", text, &c, &e), e);
    assert_true(c.encryption_enabled);
    assert_int_equal(c.key_size_bits, 256);
    assert_string_equal(c.volume_groups.item[0], "nova");
    assert_ok(parse("nova.conf", text, &c, &e), e);
    assert_error(parse("/etc/nova/not-nova.conf", text, &c, &e), -EINVAL, e);
    assert_error(parse("/etc/nova.conf/x.conf", text, &c, &e), -EINVAL, e);
}

/* As people have it: newer releases, lines of any length, values of several lines, names of classes. */
static void nova_conf_of_others_is_read(void **state)
{
    (void)state;
    struct error e;
    struct config c;
    char text[4000];
    snprintf(text, sizeof text,
             "\xef\xbb\xbf[DEFAULT]\r\ntransport_url = rabbit://%0*d\n"
             "[ephemeral_storage_encryption] ; ours\nenabled = True\ndefault_format = luks\n"
             "something_of_next_year = 7\ncipher: aes-xts-plain64\nkey_size = 256\n"
             "[pci]\npassthrough_whitelist = {\"a\": 1,\n  \"b\": [2]\n  }\n alias = x\n"
             "[libvirt]\nimages_volume_group = vg0,\n    vg1,\n\n# not this\n    vg2\ncpu_model = %0*d\n"
             "[key_manager]\nbackend = castellan.key_manager.barbican_key_manager.BarbicanKeyManager\n",
             900, 0, 600, 0);
    assert_ok(parse("/etc/nova/nova.conf", text, &c, &e), e);
    assert_true(c.encryption_enabled);
    assert_int_equal(c.key_size_bits, 256);
    assert_int_equal(c.volume_groups.n, 3);
    assert_string_equal(c.volume_groups.item[2], "vg2");
    assert_string_equal(c.key_backend, "barbican");
    static const char *const slips[] = {"enable", "enabeld", "ciphr", "keysize", "key_sizes", "Cipher"};
    for (size_t i = 0; i < ARRAY_SIZE(slips); i++) {
        snprintf(text, sizeof text, ENCRYPTION "%s = 1\n", slips[i]);
        assert_error(parse("nova.conf", text, &c, &e), -EINVAL, e);
        assert_non_null(strstr(e.text, "there is no such option"));
    }
}

static void nova_conf_is_no_excuse_where_it_matters(void **state)
{
    (void)state;
    struct error e;
    struct config c;
    assert_error(parse("nova.conf", ENCRYPTION "chipher = aes-xts-plain64\n", &c, &e), -EINVAL, e);
    assert_string_equal(e.text,
                        "nova.conf:2: [ephemeral_storage_encryption] chipher: there is no such option; see "
                        "mayfly.conf(5)");
    assert_error(parse("nova.conf", ENCRYPTION "cipher = aes-ecb\n", &c, &e), -EINVAL, e);
}

static void zero_bytes_are_refused(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct config c;
    static const char text[] = "[local]\n\0directory = x\n";
    assert_error(config_parse("f", text, sizeof text - 1, &c, &e), -EINVAL, e);
    assert_string_equal(e.text, "f: is not a text file: it has a zero byte");
}

static void the_sample_is_the_defaults_but_enabled(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_sample(out);
    fclose(out);

    struct error e = ERROR_NONE;
    struct config c, d;
    assert_ok(config_parse("sample", text, size, &c, &e), e);
    assert_true(c.encryption_enabled);
    c.encryption_enabled = false;
    config_defaults(&d);
    assert_memory_equal(&c, &d, sizeof c);

    /* and with all that is commented out put in force */
    for (char *p = text; (p = strstr(p, "\n#")); p++)
        if (p[2] != ' ')
            memmove(p + 1, p + 2, strlen(p + 2) + 1);
    e = ERROR_NONE;
    assert_ok(config_parse("sample", text, strlen(text), &c, &e), e);
    c.encryption_enabled = false;
    assert_memory_equal(&c, &d, sizeof c);
    assert_non_null(strstr(text, "\nkey_size = 512\n"));
    free(text);
}

static void drop_ins_come_after_in_their_order(void **state)
{
    struct error e = ERROR_NONE;
    struct config c;
    assert_ok(config_load_folder(folder_path(state, "none"), CONFIG_ANY_OWNER, &c, &e), e);
    assert_defaults(&c);

    assert_int_equal(mkdir(folder_path(state, "mayfly.conf.d"), 0755), 0);
    folder_write(state, "mayfly.conf.d/20.conf", ENCRYPTION "key_size = 256\n");
    folder_write(state, "mayfly.conf.d/10.conf", ENCRYPTION "key_size = 1\nenabled = true\n");
    folder_write(state, "mayfly.conf.d/30.conf.bak", "nonsense");
    folder_write(state, "mayfly.conf.d/.40.conf", "nonsense");
    assert_ok(config_load_folder(*state, CONFIG_ANY_OWNER, &c, &e), e);
    assert_int_equal(c.key_size_bits, 256);
    assert_true(c.encryption_enabled);

    folder_write(state, "mayfly.conf", "[libvirt]\nimages_volume_group = vg0\n" ENCRYPTION "cipher = x\n");
    folder_write(state, "mayfly.conf.d/15.conf", ENCRYPTION "cipher = serpent-xts-plain64\n");
    assert_ok(config_load_folder(*state, CONFIG_ANY_OWNER, &c, &e), e);
    assert_string_equal(c.cipher, "serpent-xts-plain64");
    assert_string_equal(c.volume_groups.item[0], "vg0");
}

static void the_file_that_is_to_blame_is_named(void **state)
{
    struct error e = ERROR_NONE;
    struct config c;
    char wanted[600];
    assert_int_equal(mkdir(folder_path(state, "mayfly.conf.d"), 0755), 0);
    folder_write(state, "mayfly.conf", ENCRYPTION "cipher = aes-cbc-essiv:sha256\n");
    folder_write(state, "mayfly.conf.d/a.conf", "\n" ENCRYPTION "key_size = 512\n");
    assert_error(config_load_folder(*state, CONFIG_ANY_OWNER, &c, &e), -EINVAL, e);
    snprintf(wanted, sizeof wanted, "%s:3: key size 512: aes-cbc-essiv:sha256 takes 128, 192 or 256 bits",
             folder_path(state, "mayfly.conf.d/a.conf"));
    assert_string_equal(e.text, wanted);
}

static void a_named_file_must_be_there(void **state)
{
    struct error e = ERROR_NONE;
    struct config c;
    char wanted[600];
    assert_error(config_load(folder_path(state, "x.conf"), CONFIG_ANY_OWNER, &c, &e), -ENOENT, e);
    snprintf(wanted, sizeof wanted, "%s: cannot be read: there is no such file",
             folder_path(state, "x.conf"));
    assert_string_equal(e.text, wanted);
    e = ERROR_NONE;
    assert_error(config_load(folder_path(state, "none/x.conf"), CONFIG_ROOT_OWNED, &c, &e), -ENOENT, e);

    folder_write(state, "x.conf", ENCRYPTION "enabled = yes\n");
    assert_int_equal(symlink("x.conf", folder_path(state, "link.conf")), 0);
    e = ERROR_NONE;
    assert_ok(config_load(folder_path(state, "link.conf"), CONFIG_ANY_OWNER, &c, &e), e);
    assert_true(c.encryption_enabled);
    e = ERROR_NONE;
    assert_error(config_load(*state, CONFIG_ANY_OWNER, &c, &e), -EISDIR, e);
}

/* `how` is done to the file or its folder; then root's program must not believe it. */
static void assert_not_trusted(void **state, const char *file, const char *why)
{
    struct error e = ERROR_NONE;
    struct config c;
    assert_error(config_load(folder_path(state, file), CONFIG_ROOT_OWNED, &c, &e), -EPERM, e);
    if (!strstr(e.text, why))
        fail_msg("\"%s\" is not in: %s", why, e.text);
}

static void roots_program_believes_roots_files_alone(void **state)
{
    if (geteuid() != 0)
        skip(); /* chown */
    struct error e = ERROR_NONE;
    struct config c;
    folder_write(state, "x.conf", ENCRYPTION "enabled = yes\n");
    const char *path = folder_path(state, "x.conf");
    assert_ok(config_load(path, CONFIG_ROOT_OWNED, &c, &e), e);

    static const mode_t written_by_others[] = {0664, 0646};
    for (size_t i = 0; i < ARRAY_SIZE(written_by_others); i++) {
        assert_int_equal(chmod(path, written_by_others[i]), 0);
        assert_not_trusted(state, "x.conf", "x.conf: is not trusted: others than root can write to it");
    }
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chown(path, 65534, 0), 0);
    assert_not_trusted(state, "x.conf", "x.conf: is not trusted: it belongs to user 65534; chown it to root");
    assert_int_equal(chown(path, 0, 0), 0);

    assert_int_equal(symlink("x.conf", folder_path(state, "link.conf")), 0);
    assert_not_trusted(state, "link.conf", "it is a symbolic link");
    assert_int_equal(chmod(*state, 0777), 0);
    assert_not_trusted(state, "x.conf", "/: is not trusted: others than root can write to it");
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(chown(*state, 65534, 0), 0);
    assert_not_trusted(state, "x.conf", "/: is not trusted: it belongs to user 65534");
    assert_int_equal(config_load_folder(*state, CONFIG_ROOT_OWNED, &c, NULL), -EPERM);
    assert_int_equal(chown(*state, 0, 0), 0);
    assert_ok(config_load(path, CONFIG_ROOT_OWNED, &c, &e), e);
}

/* Nobody writes to the pipe: who waits for that waits for ever. */
static void pipes_and_devices_are_refused(void **state)
{
    struct config c;
    const char *const trusted[] = {"/dev/null", "/dev/zero"};
    for (enum config_trust trust = CONFIG_ANY_OWNER; trust <= CONFIG_ROOT_OWNED; trust++) {
        struct error e = ERROR_NONE;
        alarm(30);
        (void)!mkfifo(folder_path(state, "mayfly.conf"), 0644);
        assert_error(config_load(folder_path(state, "mayfly.conf"), trust, &c, &e), -EINVAL, e);
        e = ERROR_NONE;
        assert_error(config_load_folder(*state, trust, &c, &e), -EINVAL, e);
        assert_non_null(strstr(e.text, "not a regular file"));
        for (size_t i = 0; i < ARRAY_SIZE(trusted); i++)
            assert_int_equal(config_load(trusted[i], trust, &c, NULL), -EINVAL);
        alarm(0);
    }
}

static void folders_above_are_looked_at(void **state)
{
    if (geteuid() != 0)
        skip(); /* chown */
    struct error e = ERROR_NONE;
    struct config c;
    assert_int_equal(mkdir(folder_path(state, "a"), 0755), 0);
    assert_int_equal(mkdir(folder_path(state, "a/b"), 0755), 0);
    folder_write(state, "a/b/x.conf", ENCRYPTION "enabled = yes\n");
    const char *path = folder_path(state, "a/b/x.conf");
    assert_ok(config_load(path, CONFIG_ROOT_OWNED, &c, &e), e);
    assert_int_equal(chmod(*state, 0777), 0);
    assert_not_trusted(state, "a/b/x.conf", "is not trusted: others than root can write to it");
    assert_int_equal(chmod(*state, 01777), 0); /* nobody else can rename a/ there */
    assert_ok(config_load(path, CONFIG_ROOT_OWNED, &c, &e), e);
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(chown(*state, 65534, 0), 0);
    assert_not_trusted(state, "a/b/x.conf", "it belongs to user 65534");
    assert_ok(config_load(path, CONFIG_ANY_OWNER, &c, &e), e);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_text_gives_the_defaults),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(what_is_given_twice_is_refused),
        cmocka_unit_test(every_error_has_file_and_line),
        cmocka_unit_test(long_lines_are_not_cut_in_two),
        cmocka_unit_test(names_of_volume_groups),
        cmocka_unit_test(nova_conf_is_read),
        cmocka_unit_test(nova_conf_of_others_is_read),
        cmocka_unit_test(nova_conf_is_no_excuse_where_it_matters),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(the_sample_is_the_defaults_but_enabled),
        IN_FOLDER(drop_ins_come_after_in_their_order),
        IN_FOLDER(the_file_that_is_to_blame_is_named),
        IN_FOLDER(a_named_file_must_be_there),
        IN_FOLDER(roots_program_believes_roots_files_alone),
        IN_FOLDER(pipes_and_devices_are_refused),
        IN_FOLDER(folders_above_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
