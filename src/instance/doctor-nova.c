/* SPDX-License-Identifier: Apache-2.0 */
/* Doctor's look at OpenStack Nova on a compute host: whether Mayfly makes the disks of its servers
 * (mayfly-nova(7)), and whether Mayfly is set up for that. Role and rights of the host's service user in
 * Barbican are looked at with the key managers.
 */
#include "instance/doctor.h"

#include "base/user.h"
#include "build-config.h"

#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define WHAT   "Nova"
#define USER   "nova"
#define DRIVER "mayfly.MayflyDriver"

/* The files that Debian's nova-compute reads; the later one counts. */
static const char *const files[] = {"/etc/nova/nova.conf", "/etc/nova/nova-compute.conf"};

enum {
    COMPUTE_DRIVER,
    IMAGES_TYPE,
    IMAGES_VOLUME_GROUP,
    ENABLED,
    FORCE_RAW_IMAGES,
    CONFIG_DRIVE_FORMAT,
    INJECT_PARTITION,
    SNAPSHOT_IMAGE_FORMAT,
    AUTH_ENDPOINT,
    N_SETTINGS
};

static void begin_settings(struct config_query ret[N_SETTINGS])
{
    static const struct config_query settings[N_SETTINGS] = {
        [COMPUTE_DRIVER] = {.group = "DEFAULT", .name = "compute_driver"},
        [IMAGES_TYPE] = {.group = "libvirt", .name = "images_type"},
        [IMAGES_VOLUME_GROUP] = {.group = "libvirt", .name = "images_volume_group"},
        [ENABLED] = {.group = "ephemeral_storage_encryption", .name = "enabled"},
        [FORCE_RAW_IMAGES] = {.group = "DEFAULT", .name = "force_raw_images"},
        [CONFIG_DRIVE_FORMAT] = {.group = "DEFAULT", .name = "config_drive_format"},
        [INJECT_PARTITION] = {.group = "libvirt", .name = "inject_partition"},
        [SNAPSHOT_IMAGE_FORMAT] = {.group = "libvirt", .name = "snapshot_image_format"},
        [AUTH_ENDPOINT] = {.group = "barbican", .name = "auth_endpoint"},
    };
    memcpy(ret, settings, sizeof settings);
}

/* True if one of the files exists, and this user may not read it. */
static bool is_closed(const struct examination *x)
{
    bool closed = false;
    for (size_t i = 0; !closed && i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = str_format("%s%s", x->paths->root, files[i]);
        closed = path && access(path, R_OK) < 0 && errno == EACCES;
    }
    return closed;
}

/* Returns how many files were read. A broken file is a finding, and -EINVAL. */
static int read_settings(struct examination *x, struct config_query settings[N_SETTINGS])
{
    int n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct error why = ERROR_NONE;
        _cleanup_free_ char *text = examination_read(x, files[i]);
        int r = text ? config_look_up(files[i], text, strlen(text), settings, N_SETTINGS, &why) : 0;
        if (r < 0) {
            examination_fail(x, WHAT, r, why.text);
            return r;
        }
        n += text != NULL;
    }
    return n;
}

static bool is_true(const char *value)
{
    return strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 || strcasecmp(value, "on") == 0 ||
           streq(value, "1");
}

static void warn_not_started(struct examination *x, const struct config_query *w, const char *is,
                             const char *wanted)
{
    examination_warn(
        x, WHAT,
        "%s is %.63s, so nova-compute does not start with Mayfly's driver: set %s = %s in [%s] of %s",
        w->name, is, w->name, wanted, w->group, files[1]);
}

/* Examines options whose default is right, and which must not have another value. */
static void examine_defaults(struct examination *x, const struct config_query settings[N_SETTINGS])
{
    static const struct {
        int setting;
        const char *wanted;
    } defaults[] = {
        {CONFIG_DRIVE_FORMAT, "iso9660"}, {INJECT_PARTITION, "-2"}, {SNAPSHOT_IMAGE_FORMAT, "raw"}};
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        const struct config_query *w = &settings[defaults[i].setting];
        if (w->given && !streq(w->value, defaults[i].wanted))
            warn_not_started(x, w, w->value, defaults[i].wanted);
    }
    const struct config_query *raw = &settings[FORCE_RAW_IMAGES], *enabled = &settings[ENABLED];
    if (raw->given && !is_true(raw->value))
        warn_not_started(x, raw, raw->value, "true");
    if (is_true(enabled->value))
        warn_not_started(x, enabled, enabled->value, "false");
}

/* Examines settings without which the driver refuses to start. */
static void examine_settings(struct examination *x, const struct config_query settings[N_SETTINGS])
{
    const struct config_query *type = &settings[IMAGES_TYPE];
    const char *group = settings[IMAGES_VOLUME_GROUP].value;
    if (!streq(type->value, "lvm"))
        warn_not_started(x, type, *type->value ? type->value : "not set", "lvm");
    if (!config_has_volume_group(x->context->config, group))
        examination_warn(x, WHAT,
                         "images_volume_group is %.63s, which Mayfly does not use: name the same group in "
                         "[libvirt] of mayfly.conf and of %s",
                         *group ? group : "not set", files[1]);
    if (!*settings[AUTH_ENDPOINT].value)
        examination_warn(x, WHAT,
                         "auth_endpoint in [barbican] is not set, so nova-compute does not start with "
                         "Mayfly's driver: set it to the URL of Keystone in %s",
                         files[1]);
    examine_defaults(x, settings);
}

/* Examines what Mayfly needs to serve Nova. */
static void examine_service(struct examination *x)
{
    const struct config *c = x->context->config;
    if (!user_is_in_group(USER, MAYFLY_USER))
        examination_fail(x, WHAT, -EACCES,
                         "user " USER " may not use Mayfly: run adduser " USER " " MAYFLY_USER
                         " as root, then systemctl restart nova-compute");
    if (!c->encryption_enabled)
        examination_fail(x, WHAT, -EINVAL,
                         "gets no disks, since Mayfly's encryption is off: set enabled = true in "
                         "[ephemeral_storage_encryption] of mayfly.conf");
    if (!streq(c->key_backend, "barbican"))
        examination_warn(x, WHAT,
                         "keys of servers are not kept in Barbican, in the name of the user who made the "
                         "server: set backend = barbican in [key_manager] of mayfly.conf");
    else if (!streq(c->host_access, "read"))
        examination_warn(x, WHAT,
                         "after a reboot of this host servers wait until their owners start them; if they "
                         "shall start by themselves, set host_access = read in [key_manager] of mayfly.conf");
}

void examine_nova(struct examination *x)
{
    struct config_query settings[N_SETTINGS];
    size_t before = x->n;
    if (!user_exists(USER))
        return;
    begin_settings(settings);
    if (is_closed(x)) {
        examination_ok(x, WHAT,
                       "its settings are not examined, since only " USER " can read them: run sudo -u " USER
                       " mayfly doctor");
        return;
    }
    if (read_settings(x, settings) <= 0)
        return;
    if (!streq(settings[COMPUTE_DRIVER].value, DRIVER)) {
        examination_warn(
            x, WHAT,
            "Mayfly does not make the disks of its servers: install nova-compute-mayfly, and set "
            "compute_driver = " DRIVER " in [DEFAULT] of %s; see mayfly-nova(7)",
            files[1]);
        return;
    }
    examine_settings(x, settings);
    examine_service(x);
    if (x->n == before)
        examination_ok(x, WHAT, "Mayfly makes the disks of its servers");
}
