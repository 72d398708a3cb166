/* SPDX-License-Identifier: Apache-2.0 */
/* Every option that mayfly.conf(5) names: what it is where nobody says it, that it is read into its own
 * field, and what is refused. Written out, since options.def cannot tell that it is wrong. */
#include "base/str.h"
#include "config/cipher.h"
#include "config/config.h"
#include "unit.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TRUTH, NUMBER, SIZE, TEXT, LIST };

#define AT(field) offsetof(struct config, field)

static const struct row {
    const char *group, *name;
    enum kind kind;
    size_t field;
    const char *fallback;   /* as it would stand in the file */
    const char *taken[3];   /* other values, at the limits where there are some */
    const char *refused[3]; /* what is not taken */
} rows[] = {
    {"ephemeral_storage_encryption", "enabled", TRUTH, AT(encryption_enabled), "false", {"true"}, {"2", ""}},
    {"ephemeral_storage_encryption",
     "cipher",
     TEXT,
     AT(cipher),
     "aes-xts-plain64",
     {"serpent-xts-plain64"},
     {"aes-xts-plain"}},
    {"ephemeral_storage_encryption", "key_size", NUMBER, AT(key_size_bits), "512", {"256"}, {"128", "1024"}},
    {"ephemeral_storage_encryption", "sector_size", TEXT, AT(sector_size), "auto", {"512", "4096"}, {"8192"}},
    {"ephemeral_storage_encryption", "workqueues", TEXT, AT(workqueues), "auto", {"on", "off"}, {"true"}},
    {"ephemeral_storage_encryption",
     "high_priority",
     TEXT,
     AT(high_priority),
     "auto",
     {"on", "off"},
     {"true"}},
    {"ephemeral_storage_encryption", "same_cpu", TEXT, AT(same_cpu), "auto", {"on", "off"}, {"true"}},
    {"ephemeral_storage_encryption", "discard", TRUTH, AT(discard), "false", {"true"}, {"auto"}},
    {"libvirt", "images_volume_group", LIST, AT(volume_groups), "", {"vg0", "vg0,vg1"}, {"-vg"}},
    {"libvirt", "volume_clear", TEXT, AT(volume_clear), "zero", {"none"}, {"shred"}},
    {"libvirt", "engine", TEXT, AT(engine), "dm-crypt", {"user"}, {"qemu"}},
    {"libvirt", "disk_io", TEXT, AT(disk_io), "native", {"io_uring"}, {"threads"}},
    {"pool", "path", TEXT, AT(pool_path), "", {"/disks"}, {"disks"}},
    {"libvirt", "connection_uri", TEXT, AT(connection_uri), "qemu:///system", {"test:///default"}, {NULL}},
    {"launch", "network", TEXT, AT(launch_network), "none", {"default", "bridge=br0"}, {NULL}},
    {"launch", "ssh_key", LIST, AT(launch_ssh_keys), "", {"/a.pub,/b.pub"}, {NULL}},
    {"launch", "firmware", TEXT, AT(launch_firmware), "bios", {"uefi"}, {"efi"}},
    {"launch", "memory", SIZE, AT(launch_memory_bytes), "0", {"1048576"}, {"1 X"}},
    {"launch", "vcpus", NUMBER, AT(launch_vcpus), "0", {"1", "1024"}, {"1025"}},
    {"launch", "autostart", TRUTH, AT(launch_autostart), "false", {"true"}, {"-"}},
    {"key_manager", "backend", TEXT, AT(key_backend), "local", {"ephemeral", "barbican"}, {"vault"}},
    {"key_manager", "host_access", TEXT, AT(host_access), "none", {"read"}, {"write"}},
    {"local", "directory", TEXT, AT(local_directory), "", {"/keys"}, {"keys"}},
    {"local", "sealing_key_file", TEXT, AT(local_sealing_key_file), "", {"/k"}, {"k"}},
    {"barbican", "barbican_endpoint", TEXT, AT(barbican_endpoint), "", {"https://b"}, {NULL}},
    {"barbican",
     "barbican_endpoint_type",
     TEXT,
     AT(barbican_endpoint_type),
     "public",
     {"internal", "admin"},
     {"any"}},
    {"barbican", "barbican_region_name", TEXT, AT(barbican_region_name), "", {"One"}, {NULL}},
    {"barbican", "verify_ssl_path", TEXT, AT(barbican_ca_file), "", {"/ca.pem"}, {NULL}},
    {"barbican", "allow_http", TRUTH, AT(barbican_allow_http), "false", {"true"}, {"loopback"}},
    {"barbican", "create", TEXT, AT(barbican_create), "store", {"order"}, {"make"}},
    {"barbican", "number_of_retries", NUMBER, AT(barbican_order_polls), "60", {"0", "100000"}, {"100001"}},
    {"barbican", "retry_delay", NUMBER, AT(barbican_order_delay_sec), "1", {"0", "3600"}, {"3601"}},
    {"barbican", "connect_timeout", NUMBER, AT(barbican_connect_sec), "15", {"1", "3600"}, {"0", "3601"}},
    {"barbican", "request_timeout", NUMBER, AT(barbican_request_sec), "20", {"1", "3600"}, {"0", "3601"}},
    {"barbican", "deadline", NUMBER, AT(barbican_deadline_sec), "60", {"1", "86400"}, {"0", "86401"}},
    {"barbican_service_user", "auth_url", TEXT, AT(host_auth_url), "", {"https://k"}, {NULL}},
    {"barbican_service_user",
     "auth_type",
     TEXT,
     AT(host_auth_type),
     "password",
     {"v3password", "v3applicationcredential"},
     {"token"}},
    {"barbican_service_user",
     "application_credential_id",
     TEXT,
     AT(host_application_credential_id),
     "",
     {"1"},
     {NULL}},
    {"barbican_service_user",
     "application_credential_name",
     TEXT,
     AT(host_application_credential_name),
     "",
     {"a"},
     {NULL}},
    {"barbican_service_user", "username", TEXT, AT(host_username), "", {"u"}, {NULL}},
    {"barbican_service_user", "user_id", TEXT, AT(host_user_id), "", {"i"}, {NULL}},
    {"barbican_service_user", "user_domain_name", TEXT, AT(host_user_domain_name), "Default", {"d"}, {NULL}},
    {"barbican_service_user", "project_name", TEXT, AT(host_project_name), "service", {"p"}, {NULL}},
    {"barbican_service_user",
     "project_domain_name",
     TEXT,
     AT(host_project_domain_name),
     "Default",
     {"q"},
     {NULL}},
    {"barbican_service_user",
     "password_file",
     TEXT,
     AT(host_password_file),
     "/etc/mayfly/barbican.password",
     {"/p"},
     {NULL}},
};

/* The value of an option, as it would stand in the file. */
static const char *value_of(const struct config *c, const struct row *row, char *text, size_t size)
{
    const void *field = (const char *)c + row->field;
    const struct config_list *list = field;
    size_t used = 0;
    text[0] = '\0';
    switch (row->kind) {
    case TRUTH:
        snprintf(text, size, "%s", *(const bool *)field ? "true" : "false");
        break;
    case NUMBER:
        snprintf(text, size, "%" PRIu32, *(const uint32_t *)field);
        break;
    case SIZE:
        snprintf(text, size, "%" PRIu64, *(const uint64_t *)field);
        break;
    case TEXT:
        snprintf(text, size, "%s", (const char *)field);
        break;
    case LIST:
        for (size_t i = 0; i < list->n && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", list->item[i]);
    }
    return text;
}

static void is(const struct config *c, const struct row *row, const char *wanted)
{
    char text[CONFIG_TEXT_MAX * 2];
    if (!streq(value_of(c, row, text, sizeof text), wanted))
        fail_msg("[%s] %s: is \"%s\", not \"%s\"", row->group, row->name, text, wanted);
}

static int set(const struct row *row, const char *value, struct config *ret)
{
    char file[1024];
    int n = snprintf(file, sizeof file, "[%s]\n%s = %s\n", row->group, row->name, value);
    return config_parse("f", file, (size_t)n, ret, NULL);
}

static void each_has_its_default(void **state)
{
    (void)state;
    struct config c;
    config_defaults(&c);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        is(&c, &rows[i], rows[i].fallback);
}

static void each_is_taken_and_changes_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t n = 0; n < ARRAY_SIZE(rows[i].taken) && rows[i].taken[n]; n++) {
            struct config c;
            if (set(&rows[i], rows[i].taken[n], &c) < 0)
                fail_msg("[%s] %s: \"%s\" is refused", rows[i].group, rows[i].name, rows[i].taken[n]);
            for (size_t j = 0; j < ARRAY_SIZE(rows); j++)
                is(&c, &rows[j], j == i ? rows[i].taken[n] : rows[j].fallback);
        }
}

static void what_it_cannot_be_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t n = 0; n < ARRAY_SIZE(rows[i].refused) && rows[i].refused[n]; n++) {
            struct config c;
            if (set(&rows[i], rows[i].refused[n], &c) != -EINVAL)
                fail_msg("[%s] %s: \"%s\" is taken", rows[i].group, rows[i].name, rows[i].refused[n]);
        }
}

/* A new option needs a row above. */
static void none_is_left_out(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0, n = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_sample(out);
    fclose(out);
    size_t comments = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) {
        n += (at[1] == '#' && at[2] != ' ' && at[2] != '\n') || (at[1] >= 'a' && at[1] <= 'z');
        comments += str_starts(at, "\n# ") && strcspn(at + 1, "\n") > 10;
        assert_true(strcspn(at + 1, "\n") <= 100);
    }
    free(text);
    assert_int_equal(n, ARRAY_SIZE(rows));
    assert_true(comments >= ARRAY_SIZE(rows)); /* each says what it is for */
}

/* Each option has its place in the manual, by the name of its group, with what it is by itself; nothing of it
 * is taken for a mark of scdoc's. */
static void the_manual_has_every_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_manual(out);
    cipher_print_manual(out);
    assert_int_equal(fclose(out), 0);
    const char *at = text, *group = "";
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char escaped[100], head[120];
        size_t n = 0;
        if (!streq(group, rows[i].group))
            assert_non_null(at = strstr(at, "\n## [") ? strstr(at, "## [") : NULL);
        group = rows[i].group;
        for (const char *c = rows[i].name; *c; c++) {
            if (*c == '_')
                escaped[n++] = '\\';
            escaped[n++] = *c;
        }
        escaped[n] = '\0';
        snprintf(head, sizeof head, "*%s*\n\t", escaped);
        const char *option = strstr(at, head), *end = option ? strstr(option, "\n\n") : NULL;
        if (!end)
            fail_msg("the manual does not have [%s] %s", rows[i].group, rows[i].name);
        if (rows[i].kind == TRUTH &&
            (!memmem(option, (size_t)(end - option), "Default: ", 9) ||
             !memmem(option, (size_t)(end - option), rows[i].fallback, strlen(rows[i].fallback))))
            fail_msg("the manual does not tell the default of %s", rows[i].name);
    }
    assert_non_null(strstr(text, "|  aes-xts-plain64\n:  256 or 512\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_has_every_option),
        cmocka_unit_test(each_has_its_default),
        cmocka_unit_test(each_is_taken_and_changes_no_other),
        cmocka_unit_test(what_it_cannot_be_is_refused),
        cmocka_unit_test(none_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
