/* SPDX-License-Identifier: Apache-2.0 */
/* See fake-dm.h. */
#include "fake-dm.h"

#include "storage/facts.h"

#include <dirent.h>
#include <errno.h>
#include <keyutils.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

struct fake_dm fake_dm;
#define S (&fake_dm)

struct dm_task {
    int type;
    char name[DM_NAME_LEN], uuid[DM_UUID_LEN];
    dev_t device; /* 0: by name or uuid */
    struct fake_dm_table table;
    bool read_only;
    bool seen_by_udevd; /* it waits for this one */
    bool probes;
    int error;
    struct fake_dm_device found; /* as it was when the task ran; without a name: nothing */
    void *answer;                /* names, deps or versions */
};

static dm_log_with_errno_fn say;

/* ---- devices ---- */

void fake_dm_clear(void)
{
    memset(S, 0, sizeof *S);
}

struct fake_dm_device *fake_dm_find(const char *name)
{
    for (size_t i = 0; i < S->n_devices; i++)
        if (streq(S->devices[i].name, name))
            return &S->devices[i];
    return NULL;
}

static struct fake_dm_device *find_uuid(const char *uuid)
{
    for (size_t i = 0; i < S->n_devices; i++)
        if (uuid[0] && streq(S->devices[i].uuid, uuid))
            return &S->devices[i];
    return NULL;
}

static struct fake_dm_device *find_device(dev_t device)
{
    for (size_t i = 0; i < S->n_devices; i++)
        if (S->devices[i].device == device)
            return &S->devices[i];
    return NULL;
}

static struct fake_dm_device *find_wanted(const struct dm_task *t)
{
    return t->device ? find_device(t->device) : t->name[0] ? fake_dm_find(t->name) : find_uuid(t->uuid);
}

static struct fake_dm_device *add(const char *name, const char *uuid)
{
    struct fake_dm_device *d = &S->devices[S->n_devices++];
    memset(d, 0, sizeof *d);
    snprintf(d->name, sizeof d->name, "%s", name);
    snprintf(d->uuid, sizeof d->uuid, "%s", uuid);
    d->device = makedev(FAKE_DM_MAJOR, ++S->n_made);
    return d;
}

struct fake_dm_device *fake_dm_add(const char *name, const char *uuid, uint64_t sectors, const char *type,
                                   dev_t below)
{
    struct fake_dm_device *d = add(name, uuid);
    d->live = (struct fake_dm_table){.there = true, .sectors = sectors, .below = {below}};
    snprintf(d->live.type, sizeof d->live.type, "%s", type);
    d->node = true;
    return d;
}

static void forget(struct fake_dm_device *d)
{
    *d = S->devices[--S->n_devices];
}

static int open_count(const struct fake_dm_device *d)
{
    int n = d->held_msec && S->now_msec >= d->held_msec ? 0 : d->held;
    for (size_t i = 0; i < S->n_devices; i++)
        for (int k = 0; k < 2; k++)
            n += S->devices[i].live.there && S->devices[i].live.below[k] == d->device;
    return n;
}

/* ---- the key ring ---- */

key_serial_t add_key(const char *type, const char *description, const void *payload, size_t size,
                     key_serial_t ring)
{
    struct fake_key *k = &S->keys[S->n_keys];
    if (S->ring_full || S->n_keys == ARRAY_SIZE(S->keys) || size > sizeof k->payload ||
        ring != KEY_SPEC_THREAD_KEYRING)
        return errno = EDQUOT, -1;
    if (S->fails && S->fails("add_key"))
        return errno = ENOMEM, -1;
    snprintf(k->type, sizeof k->type, "%s", type);
    snprintf(k->description, sizeof k->description, "%s", description);
    memcpy(k->payload, payload, size);
    k->size = size;
    k->linked = true;
    return (key_serial_t)++S->n_keys;
}

long keyctl_revoke(key_serial_t key)
{
    S->keys[key - 1].revoked = true;
    return 0;
}

long keyctl_unlink(key_serial_t key, key_serial_t ring)
{
    S->keys[key - 1].linked &= ring != KEY_SPEC_THREAD_KEYRING;
    return 0;
}

size_t fake_dm_keys_left(void)
{
    size_t n = 0;
    for (size_t i = 0; i < S->n_keys; i++)
        n += S->keys[i].linked || !S->keys[i].revoked;
    return n;
}

/* ---- tables ---- */

/* CIPHER :BYTES:TYPE:DESCRIPTION 0 MAJOR:MINOR 0 [...], whose key must be there. */
static int load_crypt(struct fake_dm_table *table)
{
    char cipher[64], type[16], description[96];
    size_t size = 0;
    unsigned below_major = 0, below_minor = 0;
    if (S->no_crypt || sscanf(table->params, "%63s :%zu:%15[^:]:%95s 0 %u:%u 0", cipher, &size, type,
                              description, &below_major, &below_minor) != 6)
        return EINVAL;
    table->below[0] = makedev(below_major, below_minor);
    if (!find_device(table->below[0]))
        return ENXIO;
    if (size != 32 && size != 64)
        return EINVAL;
    for (size_t i = 0; i < S->n_keys; i++) {
        const struct fake_key *k = &S->keys[i];
        if (!k->linked || k->revoked || k->size != size || !streq(k->type, type) ||
            !streq(k->description, description))
            continue;
        memcpy(table->key, k->payload, size);
        table->key_bytes = size;
        return 0;
    }
    return ENOKEY;
}

static int load(const struct dm_task *t, struct fake_dm_device *d)
{
    struct fake_dm_table table = t->table;
    int error = streq(table.type, "crypt") ? load_crypt(&table) : 0;
    table.there = true;
    table.read_only = t->read_only;
    if (!error)
        d->next = table;
    return error;
}

static void resume(struct fake_dm_device *d)
{
    if (d->next.there)
        d->live = d->next;
    d->next = (struct fake_dm_table){.there = false};
    d->suspended = false;
}

/* ---- requests ---- */

static const char *const names[] = {
    [DM_DEVICE_CREATE] = "create", [DM_DEVICE_RELOAD] = "reload",
    [DM_DEVICE_REMOVE] = "remove", [DM_DEVICE_RESUME] = "resume",
    [DM_DEVICE_INFO] = "info",     [DM_DEVICE_DEPS] = "deps",
    [DM_DEVICE_TABLE] = "table",   [DM_DEVICE_CLEAR] = "clear",
    [DM_DEVICE_LIST] = "list",     [DM_DEVICE_GET_TARGET_VERSION] = "version",
};

static int create(const struct dm_task *t)
{
    if (fake_dm_find(t->name) || find_uuid(t->uuid))
        return EBUSY;
    struct fake_dm_device *d = add(t->name, t->uuid);
    int error = load(t, d);
    if (error)
        forget(d);
    else
        resume(d);
    return error;
}

static void list_names(struct dm_task *t)
{
    const size_t room = sizeof(struct dm_names) + DM_NAME_LEN + 8;
    char *all = calloc(FAKE_DM_MAX, room);
    struct dm_names *last = NULL;
    size_t at = 0;
    for (size_t i = 0; all && i < S->n_devices; i++) {
        if (S->filters && !str_starts(S->devices[i].uuid, t->uuid))
            continue;
        struct dm_names *one = (void *)(all + at);
        if (last)
            last->next = (uint32_t)((const char *)one - (const char *)last);
        one->dev = S->devices[i].device;
        strcpy(one->name, S->devices[i].name);
        last = one;
        at += (sizeof *one + strlen(one->name) + 8) / 8 * 8;
    }
    t->answer = all;
}

static void tell_deps(struct dm_task *t, const struct fake_dm_device *d)
{
    struct dm_deps *deps = calloc(1, sizeof *deps + 2 * sizeof deps->device[0]);
    for (int k = 0; deps && k < 2; k++)
        if (d->live.below[k])
            deps->device[deps->count++] = d->live.below[k];
    t->answer = deps;
}

static void tell_version(struct dm_task *t)
{
    struct dm_versions *v = calloc(1, sizeof *v + sizeof "crypt");
    if (v)
        memcpy(v->version, (uint32_t[]){1, 24, 0}, sizeof v->version);
    t->answer = v;
}

static int run(struct dm_task *t)
{
    struct fake_dm_device *d = find_wanted(t);
    if (S->fails && S->fails(names[t->type]))
        return EIO;
    if (t->type == DM_DEVICE_CREATE)
        return create(t);
    if (t->type == DM_DEVICE_LIST)
        return list_names(t), 0;
    if (t->type == DM_DEVICE_GET_TARGET_VERSION)
        return S->no_crypt || !streq(t->name, "crypt") ? EINVAL : (tell_version(t), 0);
    if (!d)
        return t->type == DM_DEVICE_INFO ? 0 : ENXIO;
    t->found = *d;
    t->found.held = open_count(d);
    switch (t->type) {
    case DM_DEVICE_RELOAD:
        return load(t, d);
    case DM_DEVICE_RESUME:
        resume(d);
        break;
    case DM_DEVICE_CLEAR:
        d->next = (struct fake_dm_table){.there = false};
        break;
    case DM_DEVICE_REMOVE:
        if (open_count(d))
            return EBUSY;
        forget(d);
        break;
    case DM_DEVICE_DEPS:
        tell_deps(t, d);
        break;
    case DM_DEVICE_INFO:
    case DM_DEVICE_TABLE:
        break;
    default:
        abort();
    }
    return 0;
}

int dm_task_run(struct dm_task *t)
{
    t->error = run(t);
    if (t->error && say)
        say(3, __FILE__, __LINE__, t->error, "%s of %s fails: %s", names[t->type], t->name,
            strerror(t->error));
    struct fake_dm_device *d = fake_dm_find(t->name);
    if (!t->error && d && t->type == DM_DEVICE_CREATE && t->seen_by_udevd && !S->udevd_stuck)
        d->probed = t->probes;
    return !t->error;
}

/* ---- udevd ---- */

static void make_nodes(void)
{
    for (size_t i = 0; i < S->n_devices; i++)
        S->devices[i].node = true;
}

int dm_task_set_cookie(struct dm_task *t, uint32_t *cookie, uint16_t flags)
{
    const uint16_t quiet = DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
                           DM_UDEV_DISABLE_OTHER_RULES_FLAG;
    if (S->fails && S->fails("cookie"))
        return 0;
    if (!*cookie)
        *cookie = 4711 + S->cookies++;
    t->seen_by_udevd = true;
    t->probes = (flags & quiet) != quiet;
    return 1;
}

/* It is done when it is asked for the third time. */
int dm_udev_wait_immediate(uint32_t cookie, int *ready)
{
    static unsigned asked;
    (void)cookie;
    *ready = S->completed || (!S->udevd_stuck && ++asked % 3 == 0);
    if (*ready)
        S->cookies--;
    if (*ready && !S->completed)
        make_nodes();
    S->completed = false;
    return 1;
}

int dm_udev_complete(uint32_t cookie)
{
    (void)cookie;
    S->completed = true;
    return 1;
}

void dm_task_update_nodes(void)
{
    if (!S->udevd)
        make_nodes();
}

void dm_udev_set_sync_support(int sync_with_udev)
{
    (void)sync_with_udev;
}

/* ---- tasks ---- */

int dm_driver_version(char *version, size_t size)
{
    return !S->absent && snprintf(version, size, "4.47.0") > 0;
}

void dm_log_with_errno_init(dm_log_with_errno_fn fn)
{
    say = fn;
}

int dm_set_name_mangling_mode(dm_string_mangling_t mode)
{
    return mode == DM_STRING_MANGLING_NONE;
}

struct dm_task *dm_task_create(int type)
{
    if (S->absent || (S->fails && S->fails("task")))
        return NULL;
    struct dm_task *t = calloc(1, sizeof *t);
    if (t)
        t->type = type;
    return t;
}

void dm_task_destroy(struct dm_task *t)
{
    free(t->answer);
    free(t);
}

int dm_task_set_name(struct dm_task *t, const char *name)
{
    return str_copy(t->name, sizeof t->name, name) == 0;
}

int dm_task_set_uuid(struct dm_task *t, const char *uuid)
{
    return str_copy(t->uuid, sizeof t->uuid, uuid) == 0;
}

int dm_task_set_major(struct dm_task *t, int number)
{
    t->device = makedev((unsigned)number, minor(t->device));
    return !(S->fails && S->fails("number"));
}

int dm_task_set_minor(struct dm_task *t, int number)
{
    t->device = makedev(major(t->device), (unsigned)number);
    return 1;
}

int dm_task_set_ro(struct dm_task *t)
{
    t->read_only = true;
    return !(S->fails && S->fails("read-only"));
}

int dm_task_add_target(struct dm_task *t, uint64_t start, uint64_t size, const char *type, const char *params)
{
    if (start || (S->fails && S->fails("target")))
        return 0;
    t->table.sectors = size;
    return str_copy(t->table.type, sizeof t->table.type, type) == 0 &&
           str_copy(t->table.params, sizeof t->table.params, params) == 0;
}

int dm_task_get_errno(struct dm_task *t)
{
    return t->error;
}

int dm_task_get_info(struct dm_task *t, struct dm_info *ret)
{
    const struct fake_dm_device *made = t->type == DM_DEVICE_CREATE ? fake_dm_find(t->name) : NULL;
    const struct fake_dm_device *d = made ? made : &t->found;
    *ret = (struct dm_info){
        .exists = d->name[0] != '\0',
        .suspended = d->suspended,
        .live_table = d->live.there,
        .inactive_table = d->next.there,
        .open_count = d->held,
        .major = major(d->device),
        .minor = minor(d->device),
        .read_only = d->live.read_only,
    };
    return !(S->fails && S->fails("information"));
}

const char *dm_task_get_name(const struct dm_task *t)
{
    return t->found.name;
}

const char *dm_task_get_uuid(const struct dm_task *t)
{
    return t->found.uuid;
}

struct dm_names *dm_task_get_names(struct dm_task *t)
{
    return t->answer;
}

struct dm_deps *dm_task_get_deps(struct dm_task *t)
{
    return t->answer;
}

struct dm_versions *dm_task_get_versions(struct dm_task *t)
{
    return t->answer;
}

void *dm_get_next_target(struct dm_task *t, void *next, uint64_t *start, uint64_t *length, char **type,
                         char **params)
{
    struct fake_dm_table *table = &t->found.live;
    *start = next ? table->sectors : 0;
    *length = !table->there ? 0 : next ? table->more_sectors : table->sectors;
    *type = table->there ? table->type : NULL;
    *params = table->there ? table->params : NULL;
    return !next && table->more_sectors ? table : NULL;
}

/* ---- the rest of the host ---- */

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    if (!streq(path, "/run/udev/control"))
        return __real_access(path, mode);
    return S->udevd ? 0 : (errno = ENOENT, -1);
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
    (void)rest;
    S->now_msec += (unsigned)(time->tv_sec * 1000 + time->tv_nsec / 1000000);
    return 0;
}

bool __wrap_device_is_at(const char *path, dev_t device);
bool __wrap_device_is_at(const char *path, dev_t device)
{
    const struct fake_dm_device *d = find_device(device);
    if (!d || !d->node || !str_starts(path, "/dev/mapper/") || !streq(path + strlen("/dev/mapper/"), d->name))
        return false;
    return !S->node_elsewhere || S->node_elsewhere == device;
}

void __wrap_device_attribute(dev_t device, const char *name, char *line, size_t size);
void __wrap_device_attribute(dev_t device, const char *name, char *line, size_t size)
{
    const struct fake_dm_device *d = find_device(device);
    const char *value = !d                            ? ""
                        : streq(name, "dm/name")      ? d->name
                        : streq(name, "dm/uuid")      ? d->uuid
                        : streq(name, "dm/suspended") ? (d->suspended ? "1" : "0")
                                                      : "";
    snprintf(line, size, "%s", value);
}

/* ---- sysfs: who is above a device ---- */

static struct {
    dev_t below;
    size_t next;
    struct dirent entry;
} holders;
#define HOLDERS ((DIR *)(void *)&holders)

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    unsigned major_number = 0, minor_number = 0;
    if (sscanf(path, "/sys/dev/block/%u:%u/holders", &major_number, &minor_number) != 2)
        return __real_opendir(path);
    holders.below = makedev(major_number, minor_number);
    holders.next = 0;
    return HOLDERS;
}

struct dirent *__real_readdir64(DIR *d);
struct dirent *__wrap_readdir64(DIR *d);
struct dirent *__wrap_readdir64(DIR *d)
{
    if (d != HOLDERS)
        return __real_readdir64(d);
    while (holders.next < S->n_devices) {
        const struct fake_dm_device *above = &S->devices[holders.next++];
        snprintf(holders.entry.d_name, sizeof holders.entry.d_name, "dm-%u", minor(above->device));
        if (above->live.there && above->live.below[0] == holders.below)
            return &holders.entry;
    }
    return NULL;
}

int __real_closedir(DIR *d);
int __wrap_closedir(DIR *d);
int __wrap_closedir(DIR *d)
{
    return d == HOLDERS ? 0 : __real_closedir(d);
}

void __real_file_line(const char *path, char *line, size_t size);
void __wrap_file_line(const char *path, char *line, size_t size);
void __wrap_file_line(const char *path, char *line, size_t size)
{
    unsigned number = 0;
    if (sscanf(path, "/sys/class/block/dm-%u/", &number) == 1)
        __wrap_device_attribute(makedev(FAKE_DM_MAJOR, number), strstr(path, "dm/"), line, size);
    else
        __real_file_line(path, line, size);
}
