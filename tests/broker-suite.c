/* SPDX-License-Identifier: Apache-2.0 */
/* See broker-suite.h. */
#include "broker-suite.h"
#include "unit/sample-key.h"

#include "base/fd.h"
#include "storage/check.h"

#include <stdio.h>

#define MIB (UINT64_C(1) << 20)

struct broker_suite suite;

#define REFUSED(wanted, call) REFUSED_WITH(wanted, "", call)

static void end_connection(struct broker **b)
{
    if (!*b)
        return;
    *b = broker_disconnect(*b);
    if (suite.ended)
        suite.ended();
}
#define _cleanup_connection_ _cleanup_(end_connection)

/* ------------------------------------------------------------------ volumes */

static uint64_t whole_extents(uint64_t bytes)
{
    return (bytes + suite.extent_bytes - 1) / suite.extent_bytes * suite.extent_bytes;
}

static struct volume plain(struct broker *b, const char *instance, const char *role)
{
    struct volume v = {.size_bytes = 5000000, .name = "ci-1", .cipher = "none"};
    snprintf(v.vg, sizeof v.vg, "%s", suite.vg);
    snprintf(v.instance, sizeof v.instance, "%s", instance);
    snprintf(v.role, sizeof v.role, "%s", role);
    broker_disk_uuid(b, v.disk);
    volume_set_lv_name(&v);
    return v;
}

static struct volume encrypted(struct broker *b, const char *instance, const char *role,
                               const struct secret *key)
{
    struct volume v = plain(b, instance, role);
    strcpy(v.cipher, "aes-xts-plain64");
    strcpy(v.key, "local:ci-1");
    strcpy(v.kdf, KDF_HKDF_SHA512);
    v.key_bits = 512;
    v.sector_bytes = 4096;
    OK(volume_check_value(&v, key, v.check, &e));
    return v;
}

static int mark(struct broker *b, const struct volume *v, enum volume_state state, struct error *e)
{
    return broker_mark(b, &v, 1, state, e);
}

static int remove_one(struct broker *b, const struct volume *v, struct error *e)
{
    return broker_remove(b, &v, 1, e);
}

/* Opens it and lets go of the device. */
static int open_shut(struct broker *b, const struct volume *v, const struct secret *key, enum map_use use,
                     struct error *e)
{
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    int r = broker_open(b, v, key, use, SETTLE_NOW, &disk, e);
    assert_true(r == 0 ? disk.fd >= 0 : disk.fd == -1);
    return r;
}

static void doom_and_remove(struct broker *b, const struct volume *v)
{
    OK(broker_close(b, v, SETTLE_NOW, &e));
    OK(mark(b, v, VOLUME_DOOMED, &e));
    OK(remove_one(b, v, &e));
}

/* What LIST tells of it; false: nothing. */
static bool look(struct broker *b, const struct volume *v, struct volume *ret, struct map *ret_map)
{
    _cleanup_inventory_ struct inventory *all = NULL;
    OK(broker_list(b, &all, &e));
    for (size_t i = 0; i < all->n_volumes; i++)
        if (streq(all->volumes[i].lv, v->lv) && streq(all->volumes[i].vg, v->vg)) {
            const struct map *m = inventory_map_of(all, &all->volumes[i]);
            *ret = all->volumes[i];
            *ret_map = m ? *m : (struct map){.name = ""};
            return true;
        }
    return false;
}

static void assert_state(struct broker *b, const struct volume *v, enum volume_state state)
{
    struct volume found;
    struct map map;
    assert_true(look(b, v, &found, &map));
    assert_string_equal(volume_state_name(found.state), volume_state_name(state));
    assert_int_equal(found.size_bytes, v->size_bytes);
    assert_string_equal(found.disk, v->disk);
    assert_string_equal(found.check, v->check);
    assert_string_equal(found.key, v->key);
    assert_string_equal(found.name, v->name);
}

static void assert_gone(struct broker *b, const struct volume *v)
{
    struct volume found;
    struct map map;
    assert_false(look(b, v, &found, &map));
}

/* Its map: none; or as one opens it for that. */
enum wanted_map { NO_MAP, OF_DOMAIN, OF_START, TO_STAY };
static void assert_map(struct broker *b, const struct volume *v, enum wanted_map wanted)
{
    struct volume found;
    struct map map;
    char name[MAP_NAME_MAX];
    assert_true(look(b, v, &found, &map));
    if (wanted == NO_MAP) {
        assert_string_equal(map.name, "");
        return;
    }
    volume_map_name(v, name);
    assert_string_equal(map.name, name);
    assert_true(map_uuid_is_of(map.uuid, v->disk));
    assert_int_equal(map_uuid_use(map.uuid), wanted == TO_STAY    ? MAP_TO_STAY
                                             : wanted == OF_START ? MAP_FOR_START
                                                                  : MAP_FOR_DOMAIN);
    assert_int_equal(map.size_bytes, v->size_bytes);
}

/* ---- the suite ---- */

/* A connection that has the lock of a new instance. */
static struct broker *connect_and_lock(char ret_instance[UUID_TEXT])
{
    struct broker *b = suite.connect();
    uuid_make(ret_instance);
    OK(broker_lock(b, ret_instance, &e));
    return b;
}

void suite_locks_instances(void **state)
{
    (void)state;
    char instance[UUID_TEXT], another[UUID_TEXT];
    uuid_make(instance);
    uuid_make(another);
    _cleanup_connection_ struct broker *a = suite.connect(), *b = suite.connect();
    OK(broker_lock(a, instance, &e));
    OK(broker_lock(a, instance, &e));
    OK(broker_lock(b, another, &e));
    REFUSED(-EBUSY, broker_lock(b, instance, &e));
    broker_unlock(b, instance); /* which it does not have */
    REFUSED(-EBUSY, broker_lock(b, instance, &e));
    broker_unlock(a, instance);
    broker_unlock(a, instance);
    OK(broker_lock(b, instance, &e));
    REFUSED(-EBUSY, broker_lock(a, instance, &e));
    end_connection(&b);
    OK(broker_lock(a, instance, &e));
    OK(broker_lock(a, another, &e));
    REFUSED(-EINVAL, broker_lock(a, "ci-1", &e));
    broker_alive(a);
}

/* All that works on an instance, before it is locked and after the lock was given back. */
void suite_wants_the_lock(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    struct volume *strangers = NULL;
    size_t n = 0;
    bool told = false;
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(b, instance, "root", key);
    struct suspended named = {.vg = ""};
    memcpy(named.vg, v.vg, sizeof named.vg);
    memcpy(named.lv, v.lv, sizeof named.lv);
    for (int twice = 0; twice < 2; twice++) {
        REFUSED(-EPERM, broker_create(b, &v, &e));
        REFUSED(-EPERM, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
        REFUSED(-EPERM, open_shut(b, &v, NULL, MAP_FOR_DOMAIN, &e));
        REFUSED(-EPERM, broker_tune(b, &v, key, &told, &e));
        REFUSED(-EPERM, broker_remake(b, &v, &e));
        REFUSED(-EPERM, broker_resize(b, &v, 16 * MIB, &e));
        REFUSED(-EPERM, broker_resume(b, &named, &e));
        REFUSED(-EPERM, broker_format(b, &v, "ext4", "", &e));
        REFUSED(-EPERM, broker_close(b, &v, SETTLE_NOW, &e));
        REFUSED(-EPERM, mark(b, &v, VOLUME_DOOMED, &e));
        REFUSED(-EPERM, remove_one(b, &v, &e));
        REFUSED(-EPERM, broker_snapshot(b, &v, key, v.disk, 8 * MIB, &e));
        REFUSED(-EPERM, broker_bench(b, &v, key, BENCH_TABLE_NONE, &(int){-1}, &e));
        REFUSED(-EPERM, broker_strangers(b, v.vg, instance, &strangers, &n, &e));
        REFUSED(-EPERM, broker_try(b, &v, key, &told, &e));
        REFUSED(-EPERM, broker_adopt(b, &v, &e));
        REFUSED(-EPERM, broker_release(b, &v, &e));
        OK(broker_lock(b, instance, &e));
        broker_unlock(b, instance);
    }
    assert_gone(b, &v);
}

void suite_looks(void **state)
{
    (void)state;
    char instance[UUID_TEXT], disk[40][UUID_TEXT];
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect();
    _cleanup_inventory_ struct inventory *all = NULL;
    _cleanup_free_ struct map *maps = NULL;
    _cleanup_free_ struct suspended *suspended = NULL;
    size_t n = 1;
    OK(broker_list(b, &all, &e));
    const struct group *g = inventory_group(all, suite.vg);
    assert_non_null(g);
    assert_true(g->complete && !g->shared);
    assert_true(g->extent_bytes == suite.extent_bytes && g->free_bytes >= 400 * MIB &&
                g->size_bytes >= g->free_bytes);
    assert_true(g->metadata_free_bytes > 0 && g->metadata_size_bytes > g->metadata_free_bytes);
    assert_null(inventory_group(all, suite.other_vg));
    assert_true(suite.files || all->crypt_version >= CRYPT_VERSION(1, 14));
    assert_int_equal(all->n_volumes + all->n_damaged + all->n_untagged + all->n_maps, 0);
    OK(broker_maps(b, &maps, &n, &e));
    assert_int_equal(n, 0);
    n = 1;
    OK(broker_suspended(b, &suspended, &n, &e));
    assert_int_equal(n, 0);
    for (size_t i = 0; i < ARRAY_SIZE(disk); i++) {
        broker_disk_uuid(b, disk[i]);
        assert_true(uuid_valid(disk[i]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(disk[i], disk[k]);
    }
}

void suite_makes_volumes(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(b, instance, "root", key), w, x;
    w = x = suite.files ? encrypted(b, instance, "eph0", key) : plain(b, instance, "eph0");
    OK(broker_lock(b, instance, &e));
    OK(broker_create(b, &v, &e));
    assert_int_equal(v.size_bytes, whole_extents(5000000));
    assert_state(b, &v, VOLUME_BUILDING);
    assert_map(b, &v, NO_MAP);
    REFUSED(-EEXIST, broker_create(b, &v, &e));

    snprintf(x.disk, sizeof x.disk, "%s", v.disk); /* a disk that there is */
    REFUSED(-EEXIST, broker_create(b, &x, &e));
    x = w;
    snprintf(x.vg, sizeof x.vg, "%s", suite.other_vg);
    REFUSED(-EPERM, broker_create(b, &x, &e));
    x = w;
    x.state = VOLUME_READY;
    REFUSED(-EINVAL, broker_create(b, &x, &e));
    x = w;
    x.size_bytes = 0;
    REFUSED(-EINVAL, broker_create(b, &x, &e));
    x = v;
    broker_disk_uuid(b, x.disk);
    strcpy(x.role, ROLE_SNAPSHOT);
    volume_set_lv_name(&x);
    REFUSED(-EINVAL, broker_create(b, &x, &e));
    x = w;
    x.size_bytes = UINT64_C(1) << 44;
    REFUSED(-ENOSPC, broker_create(b, &x, &e));
    assert_gone(b, &w);

    OK(broker_create(b, &w, &e));
    assert_state(b, &w, VOLUME_BUILDING);
    OK(remove_one(b, &v, &e));
    assert_gone(b, &v);
    assert_state(b, &w, VOLUME_BUILDING);
    OK(remove_one(b, &w, &e));
}

void suite_opens_with_the_key(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    bool closed = true;
    struct opened held = OPENED_NONE;
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct volume v = encrypted(b, instance, "root", key), absent = encrypted(b, instance, "eph0", key);
    OK(broker_create(b, &v, &e));
    REFUSED(-EKEYREJECTED, open_shut(b, &v, wrong, MAP_FOR_DOMAIN, &e));
    REFUSED(-EKEYREJECTED, open_shut(b, &v, NULL, MAP_FOR_DOMAIN, &e));
    REFUSED(-ENOENT, open_shut(b, &absent, key, MAP_FOR_DOMAIN, &e));
    assert_map(b, &v, NO_MAP);

    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    assert_map(b, &v, OF_DOMAIN);
    OK(open_shut(b, &v, key, MAP_TO_STAY, &e)); /* the one that there is */
    assert_map(b, &v, OF_DOMAIN);
    REFUSED(-EBUSY, open_shut(b, &v, key, MAP_READ_ONLY, &e));
    REFUSED(-EKEYREJECTED, open_shut(b, &v, wrong, MAP_FOR_DOMAIN, &e));
    OK(broker_close_up_to(b, &v, MAP_FOR_START, SETTLE_NOW, &closed, &e));
    assert_true(closed);
    assert_map(b, &v, NO_MAP);
    closed = false;
    OK(broker_close_up_to(b, &v, MAP_FOR_START, SETTLE_NOW, &closed, &e));
    assert_false(closed);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    OK(broker_close(b, &absent, SETTLE_NOW, &e));

    OK(mark(b, &v, VOLUME_READY, &e));
    OK(open_shut(b, &v, key, MAP_TO_STAY, &e));
    OK(broker_close_up_to(b, &v, MAP_FOR_START, SETTLE_NOW, &closed, &e));
    assert_false(closed);
    assert_map(b, &v, TO_STAY);
    OK(broker_close(b, &v, SETTLE_NOW, &e));

    OK(open_shut(b, &v, key, MAP_FOR_START, &e));
    OK(broker_close_up_to(b, &v, MAP_FOR_DOMAIN, SETTLE_NOW, &closed, &e));
    assert_false(closed);
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e)); /* the one that there is */
    assert_map(b, &v, OF_START);
    OK(broker_close_up_to(b, &v, MAP_FOR_START, SETTLE_NOW, &closed, &e));
    assert_true(closed);
    assert_map(b, &v, NO_MAP);

    OK(broker_open(b, &v, key, MAP_READ_ONLY, SETTLE_NOW, &held, &e));
    REFUSED(-EBUSY, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EBUSY, broker_close(b, &v, SETTLE_NOW, &e));
    opened_close(&held);
    doom_and_remove(b, &v);
}

void suite_opens_plain_ones_to_their_maker(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = plain(b, instance, "root");
    if (suite.files) {
        REFUSED(-EINVAL, broker_create(b, &v, &e));
        return;
    }
    OK(broker_create(b, &v, &e));
    REFUSED(-EINVAL, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    OK(open_shut(b, &v, NULL, MAP_FOR_DOMAIN, &e));
    assert_map(b, &v, NO_MAP);
    OK(mark(b, &v, VOLUME_READY, &e));
    REFUSED(-EUNSAFE, open_shut(b, &v, NULL, MAP_FOR_DOMAIN, &e));
    OK(mark(b, &v, VOLUME_DOOMED, &e));
    OK(remove_one(b, &v, &e));

    v = plain(b, instance, "root");
    OK(broker_create(b, &v, &e));
    end_connection(&b);
    b = suite.connect();
    OK(broker_lock(b, instance, &e));
    REFUSED(-EUNSAFE, open_shut(b, &v, NULL, MAP_FOR_DOMAIN, &e));
    OK(remove_one(b, &v, &e));
}

static void assert_node(const struct volume *v, bool wanted)
{
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    if (suite.has_node)
        assert_int_equal(suite.has_node(name), wanted);
}

/* Who settles later waits for udevd once, for all that it has opened and closed. */
void suite_settles_several_at_once(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    bool closed = false;
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect(), *other = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v[] = {encrypted(b, instance, "root", key), encrypted(b, instance, "eph0", key)};
    OK(broker_settle(b, NULL, &e));
    OK(broker_lock(b, instance, &e));
    for (int i = 0; i < 2; i++) {
        _cleanup_opened_ struct opened disk = OPENED_NONE;
        OK(broker_create(b, &v[i], &e));
        OK(broker_open(b, &v[i], key, MAP_FOR_DOMAIN, SETTLE_LATER, &disk, &e));
        assert_true(disk.fd >= 0);
        assert_map(b, &v[i], OF_DOMAIN);
    }
    OK(broker_settle(other, NULL, &e)); /* which has nothing to wait for */
    OK(broker_settle(b, NULL, &e));
    OK(broker_settle(b, NULL, &e));
    for (int i = 0; i < 2; i++) {
        assert_node(&v[i], true);
        OK(i ? broker_close(b, &v[i], SETTLE_LATER, &e)
             : broker_close_up_to(b, &v[i], MAP_FOR_START, SETTLE_LATER, &closed, &e));
        assert_map(b, &v[i], NO_MAP);
    }
    assert_true(closed);
    OK(broker_settle(b, NULL, &e));
    for (int i = 0; i < 2; i++)
        assert_node(&v[i], false);

    struct opened disk = OPENED_NONE; /* what is closed before is waited for no more */
    OK(broker_open(b, &v[0], key, MAP_FOR_DOMAIN, SETTLE_LATER, &disk, &e));
    opened_close(&disk);
    OK(broker_close(b, &v[0], SETTLE_NOW, &e));
    OK(broker_settle(b, NULL, &e));
    for (int i = 0; i < 2; i++)
        OK(remove_one(b, &v[i], &e));
}

void suite_syncs_domains(void **state)
{
    (void)state;
    _cleanup_connection_ struct broker *b = suite.connect();
    struct error e = ERROR_NONE;
    int wanted = suite.sync_domains ? suite.sync_domains() : 0;
    assert_error(broker_sync_domains(b, &e), wanted, e);
    assert_true(wanted == 0 || e.text[0]);
}

void suite_formats_what_is_being_made(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(b, instance, "root", key), w = v;
    REFUSED(-ENOENT, broker_format(b, &v, "ext4", "root", &e));
    OK(broker_create(b, &v, &e));
    REFUSED(-EUNSAFE, broker_format(b, &v, "ext4", "root", &e)); /* not opened */
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EINVAL, broker_format(b, &v, "btrfs", "root", &e));
    REFUSED(-EINVAL, broker_format(b, &v, "ext4", "a b", &e));
    OK(broker_format(b, &v, "ext4", "root", &e));
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    REFUSED(-EUNSAFE, broker_format(b, &v, "ext4", "root", &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    OK(mark(b, &v, VOLUME_READY, &e));
    REFUSED(-EUNSAFE, broker_format(b, &v, "ext4", "root", &e));
    doom_and_remove(b, &v);

    broker_disk_uuid(b, w.disk);
    OK(volume_check_value(&w, key, w.check, &e));
    OK(broker_create(b, &w, &e));
    end_connection(&b);
    b = suite.connect();
    OK(broker_lock(b, instance, &e));
    OK(open_shut(b, &w, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EUNSAFE, broker_format(b, &w, "ext4", "root", &e)); /* another's */
    doom_and_remove(b, &w);
}

void suite_marks_and_nothing_comes_back(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(b, instance, "root", key);
    REFUSED(-ENOENT, mark(b, &v, VOLUME_READY, &e));
    REFUSED(-ENOENT, mark(b, &v, VOLUME_DOOMED, &e));
    OK(broker_create(b, &v, &e));
    REFUSED(-EINVAL, mark(b, &v, VOLUME_BUILDING, &e));
    REFUSED(-EINVAL, mark(b, &v, VOLUME_REBUILDING, &e));
    OK(mark(b, &v, VOLUME_READY, &e));
    OK(mark(b, &v, VOLUME_READY, &e));
    assert_state(b, &v, VOLUME_READY);
    REFUSED(-EINVAL, mark(b, &v, VOLUME_BUILDING, &e));
    REFUSED(-EUNSAFE, remove_one(b, &v, &e));
    assert_state(b, &v, VOLUME_READY);
    OK(mark(b, &v, VOLUME_DOOMED, &e));
    OK(mark(b, &v, VOLUME_DOOMED, &e));
    REFUSED(-EUNSAFE, mark(b, &v, VOLUME_READY, &e));
    REFUSED(-EUNSAFE, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    assert_state(b, &v, VOLUME_DOOMED);
    OK(remove_one(b, &v, &e));
    assert_gone(b, &v);
}

void suite_removes_what_is_doomed(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(b, instance, "root", key);
    OK(remove_one(b, &v, &e)); /* there is none */
    OK(broker_create(b, &v, &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EBUSY, remove_one(b, &v, &e));
    assert_map(b, &v, OF_DOMAIN);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    OK(mark(b, &v, VOLUME_READY, &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    OK(mark(b, &v, VOLUME_DOOMED, &e)); /* its own map does no harm */
    REFUSED(-EBUSY, remove_one(b, &v, &e));
    assert_state(b, &v, VOLUME_DOOMED);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    OK(remove_one(b, &v, &e));
    OK(remove_one(b, &v, &e));
    assert_gone(b, &v);
    REFUSED(-ENOENT, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
}

/* One that may not be is reason to leave all as they are. */
void suite_treats_several_as_one(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v[3] = {encrypted(b, instance, "root", key), encrypted(b, instance, "eph0", key),
                          encrypted(b, instance, "eph1", key)};
    const struct volume *all[3] = {&v[0], &v[1], &v[2]};
    OK(broker_lock(b, instance, &e));
    OK(broker_create(b, &v[0], &e));
    OK(broker_create(b, &v[1], &e));
    REFUSED(-ENOENT, broker_mark(b, all, 3, VOLUME_READY, &e));
    assert_state(b, &v[0], VOLUME_BUILDING);
    OK(broker_create(b, &v[2], &e));
    OK(broker_mark(b, all, 3, VOLUME_READY, &e));
    for (size_t i = 0; i < 3; i++)
        assert_state(b, &v[i], VOLUME_READY);
    OK(mark(b, &v[1], VOLUME_DOOMED, &e));
    REFUSED(-EUNSAFE, broker_mark(b, all, 3, VOLUME_READY, &e));
    REFUSED(-EUNSAFE, broker_remove(b, all, 3, &e));
    assert_state(b, &v[1], VOLUME_DOOMED);
    OK(broker_mark(b, all, 3, VOLUME_DOOMED, &e));
    OK(remove_one(b, &v[2], &e));
    OK(broker_remove(b, all, 3, &e)); /* one is gone already */
    for (size_t i = 0; i < 3; i++)
        assert_gone(b, &v[i]);
    OK(broker_remove(b, all, 0, &e));
    OK(broker_mark(b, all, 0, VOLUME_DOOMED, &e));
}

void suite_grows_what_is_ready(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(b, instance, "root", key);
    REFUSED(-ENOENT, broker_resize(b, &v, 16 * MIB, &e));
    OK(broker_create(b, &v, &e));
    REFUSED(-EUNSAFE, broker_resize(b, &v, 16 * MIB, &e)); /* building */
    OK(mark(b, &v, VOLUME_READY, &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EUNSAFE, broker_resize(b, &v, 4 * MIB, &e));
    REFUSED(-EINVAL, broker_resize(b, &v, 9 * MIB + 512, &e)); /* sectors of 4096 bytes */
    REFUSED(-ENOSPC, broker_resize(b, &v, UINT64_C(1) << 44, &e));
    OK(broker_resize(b, &v, v.size_bytes, &e));
    assert_state(b, &v, VOLUME_READY);
    OK(broker_resize(b, &v, 9 * MIB, &e));
    assert_map(b, &v, OF_DOMAIN); /* as it was */
    v.size_bytes = whole_extents(9 * MIB);
    assert_state(b, &v, VOLUME_READY);
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    assert_map(b, &v, OF_DOMAIN);
    doom_and_remove(b, &v);
}

void suite_makes_anew(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1), *next = key_of(3);
    struct volume v = encrypted(b, instance, "root", key), w = encrypted(b, instance, "root", next), x;
    w.state = VOLUME_REBUILDING;
    OK(broker_lock(b, instance, &e));
    REFUSED(-ENOENT, broker_remake(b, &w, &e));
    OK(broker_create(b, &v, &e));
    w.size_bytes = v.size_bytes;
    REFUSED(-EUNSAFE, broker_remake(b, &w, &e)); /* building */
    OK(mark(b, &v, VOLUME_READY, &e));
    x = w;
    x.state = VOLUME_READY;
    REFUSED(-EINVAL, broker_remake(b, &x, &e));
    x = v;
    x.state = VOLUME_REBUILDING; /* the same disk */
    REFUSED(-EINVAL, broker_remake(b, &x, &e));
    x = plain(b, instance, "root");
    x.state = VOLUME_REBUILDING;
    REFUSED(-EUNSAFE, broker_remake(b, &x, &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EBUSY, broker_remake(b, &w, &e));
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    assert_state(b, &v, VOLUME_READY);

    OK(broker_remake(b, &w, &e));
    assert_state(b, &w, VOLUME_REBUILDING);
    REFUSED(-EKEYREJECTED, open_shut(b, &w, key, MAP_FOR_DOMAIN, &e));
    OK(open_shut(b, &w, next, MAP_FOR_DOMAIN, &e));
    OK(broker_format(b, &w, "ext4", "root", &e)); /* as by who has made it */
    OK(broker_close(b, &w, SETTLE_NOW, &e));
    REFUSED(-EUNSAFE, remove_one(b, &w, &e));
    OK(mark(b, &w, VOLUME_READY, &e));
    assert_state(b, &w, VOLUME_READY);
    doom_and_remove(b, &w);
}

void suite_tunes_what_is_open(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    bool changed = true;
    _cleanup_connection_ struct broker *b = connect_and_lock(instance);
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct volume v = encrypted(b, instance, "root", key);
    REFUSED(-ENOENT, broker_tune(b, &v, key, &changed, &e));
    OK(broker_create(b, &v, &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EUNSAFE, broker_tune(b, &v, key, &changed, &e)); /* building */
    OK(mark(b, &v, VOLUME_READY, &e));
    REFUSED(-EKEYREJECTED, broker_tune(b, &v, wrong, &changed, &e));
    OK(broker_tune(b, &v, key, &changed, &e));
    assert_false(changed); /* it was chosen a moment ago */
    assert_map(b, &v, OF_DOMAIN);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    REFUSED(-ENOENT, broker_tune(b, &v, key, &changed, &e));
    assert_map(b, &v, NO_MAP);
    doom_and_remove(b, &v);
}

static struct volume snapshot_of(const struct volume *v, const char *disk, uint64_t room_bytes,
                                 const struct secret *key)
{
    struct volume s = *v;
    snprintf(s.disk, sizeof s.disk, "%s", disk);
    strcpy(s.role, ROLE_SNAPSHOT);
    s.size_bytes = room_bytes;
    volume_set_lv_name(&s);
    OK(volume_check_value(&s, key, s.check, &e));
    return s;
}

void suite_makes_snapshots(void **state)
{
    (void)state;
    char instance[UUID_TEXT], disk[UUID_TEXT];
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect(), *other = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct volume v = encrypted(b, instance, "root", key);
    broker_disk_uuid(b, disk);
    OK(broker_lock(b, instance, &e));
    OK(broker_lock(b, disk, &e));
    REFUSED(-ENOENT, broker_snapshot(b, &v, key, disk, 8 * MIB, &e));
    OK(broker_create(b, &v, &e));
    REFUSED(-EUNSAFE, broker_snapshot(b, &v, key, disk, 8 * MIB, &e)); /* building */
    OK(mark(b, &v, VOLUME_READY, &e));
    REFUSED(-EKEYREJECTED, broker_snapshot(b, &v, wrong, disk, 8 * MIB, &e));
    REFUSED(-EINVAL, broker_snapshot(b, &v, key, "ci-1", 8 * MIB, &e));
    REFUSED(-EEXIST, broker_snapshot(b, &v, key, v.disk, 8 * MIB, &e)); /* a disk that there is */
    OK(broker_snapshot(b, &v, key, disk, 8 * MIB, &e));
    struct volume s = snapshot_of(&v, disk, 8 * MIB, key);
    struct volume found;
    struct map map;
    assert_true(look(b, &s, &found, &map));
    assert_in_range(found.size_bytes, suite.extent_bytes, 8 * MIB); /* LVM gives no more than can change */
    s.size_bytes = found.size_bytes;
    assert_state(b, &s, VOLUME_BUILDING);

    broker_unlock(b, instance); /* its own lock is enough for who made it */
    OK(open_shut(b, &s, key, MAP_FOR_DOMAIN, &e));
    assert_true(look(b, &s, &found, &map));
    assert_true(map.read_only); /* whatever it is opened for */
    REFUSED(-EKEYREJECTED, open_shut(b, &s, wrong, MAP_FOR_DOMAIN, &e));
    REFUSED(-EPERM, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    OK(broker_lock(other, instance, &e));
    REFUSED(-EBUSY, mark(other, &s, VOLUME_DOOMED, &e)); /* it is being read */
    REFUSED(-EBUSY, remove_one(other, &s, &e));
    OK(mark(other, &v, VOLUME_DOOMED, &e));
    REFUSED(-EBUSY, remove_one(other, &v, &e)); /* it has a snapshot */
    REFUSED(-EUNSAFE, mark(b, &s, VOLUME_READY, &e));
    OK(broker_close(b, &s, SETTLE_NOW, &e));
    OK(mark(b, &s, VOLUME_DOOMED, &e));
    OK(remove_one(b, &s, &e));
    REFUSED(-EPERM, open_shut(b, &s, key, MAP_FOR_DOMAIN, &e));
    assert_gone(b, &s);
    OK(remove_one(other, &v, &e));
}

void suite_lends_scratch_volumes(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    int fd = -1;
    _cleanup_connection_ struct broker *b = connect_and_lock(instance), *other = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct volume v = encrypted(b, instance, ROLE_BENCH, key), disk = encrypted(b, instance, "root", key);
    OK(broker_create(b, &v, &e));
    OK(broker_create(b, &disk, &e));
    REFUSED(-EUNSAFE, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e)); /* no disk */
    REFUSED(-EUNSAFE, mark(b, &v, VOLUME_READY, &e));
    if (suite.files) {
        REFUSED(-EINVAL, broker_bench(b, &v, key, BENCH_TABLE_NONE, &fd, &e));
        OK(remove_one(b, &v, &e));
        OK(remove_one(b, &disk, &e));
        return;
    }
    REFUSED(-EUNSAFE, broker_bench(b, &disk, key, BENCH_TABLE_NONE, &fd, &e));
    REFUSED(-EKEYREJECTED, broker_bench(b, &v, wrong, BENCH_TABLE_NONE, &fd, &e));
    REFUSED(-EINVAL, broker_bench(b, &v, key, BENCH_TABLES, &fd, &e));
    OK(broker_bench(b, &v, key, BENCH_TABLE_NONE, &fd, &e));
    assert_map(b, &v, NO_MAP);
    fd = fd_close(fd);
    for (enum bench_table table = BENCH_TABLE_OURS; table < BENCH_TABLES; table++) {
        OK(broker_bench(b, &v, key, table, &fd, &e));
        assert_map(b, &v, OF_DOMAIN);
        fd = fd_close(fd);
        REFUSED(-EBUSY, broker_bench(b, &v, key, table, &fd, &e)); /* one at a time */
        OK(broker_close(b, &v, SETTLE_NOW, &e));
    }
    broker_unlock(b, instance);
    OK(broker_lock(other, instance, &e));
    REFUSED(-EUNSAFE, broker_bench(other, &v, key, BENCH_TABLE_NONE, &fd, &e)); /* another's */
    OK(remove_one(other, &v, &e));
    OK(remove_one(other, &disk, &e));
}

static struct volume novas(struct broker *b, const char *instance, const char *role, const struct secret *key)
{
    struct volume v = encrypted(b, instance, role, key);
    strcpy(v.kdf, KDF_NOVA_SHA256);
    v.sector_bytes = 512;
    v.scope = KEY_SCOPE_CALLER;
    v.state = VOLUME_ADOPTING;
    v.size_bytes = 8 * MIB;
    OK(volume_check_value(&v, key, v.check, &e));
    return v;
}

static size_t count_strangers(struct broker *b, const char *instance)
{
    _cleanup_free_ struct volume *found = NULL;
    size_t n = 0;
    OK(broker_strangers(b, suite.vg, instance, &found, &n, &e));
    for (size_t i = 0; i < n; i++)
        assert_true(str_starts(found[i].lv, instance) && found[i].size_bytes == 8 * MIB &&
                    !found[i].check[0]);
    return n;
}

static size_t count_untagged(struct broker *b, const char *instance)
{
    _cleanup_inventory_ struct inventory *all = NULL;
    size_t n = 0;
    OK(broker_list(b, &all, &e));
    for (size_t i = 0; i < all->n_untagged; i++)
        n += streq(all->untagged[i].instance, instance);
    return n;
}

void suite_adopts_strangers(void **state)
{
    (void)state;
    char instance[UUID_TEXT];
    bool shows = true;
    uuid_make(instance);
    _cleanup_connection_ struct broker *b = suite.connect();
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct volume v = novas(b, instance, "root", key), w = novas(b, instance, "eph0", key),
                  beside = encrypted(b, instance, "eph1", key), x;
    if (suite.files) {
        struct volume *none = NULL;
        size_t n = 0;
        OK(broker_lock(b, instance, &e));
        REFUSED(-EINVAL, broker_strangers(b, suite.vg, instance, &none, &n, &e));
        REFUSED(-EINVAL, broker_try(b, &v, key, &shows, &e));
        REFUSED(-EINVAL, broker_adopt(b, &v, &e));
        REFUSED(-EINVAL, broker_release(b, &v, &e));
        return;
    }
    suite.add_stranger(v.lv, v.size_bytes);
    suite.add_stranger(w.lv, w.size_bytes);
    OK(broker_lock(b, instance, &e));
    assert_int_equal(count_strangers(b, instance), 2);
    assert_int_equal(count_untagged(b, instance), 2);
    assert_gone(b, &v);
    OK(broker_try(b, &v, key, &shows, &e));
    assert_false(shows); /* zeros do not decrypt to anything */
    REFUSED(-EKEYREJECTED, broker_try(b, &v, wrong, &shows, &e));
    x = v;
    strcpy(x.kdf, KDF_HKDF_SHA512);
    REFUSED(-EINVAL, broker_adopt(b, &x, &e));
    x = v;
    x.state = VOLUME_READY;
    REFUSED(-EINVAL, broker_adopt(b, &x, &e));
    x = novas(b, instance, "swap", key);
    REFUSED(-ENOENT, broker_adopt(b, &x, &e));
    REFUSED(-ENOENT, broker_release(b, &x, &e));

    OK(broker_adopt(b, &v, &e));
    assert_state(b, &v, VOLUME_ADOPTING);
    assert_int_equal(count_strangers(b, instance), 1);
    assert_int_equal(count_untagged(b, instance), 1);
    REFUSED(-EEXIST, broker_adopt(b, &v, &e));
    REFUSED(-EEXIST, broker_try(b, &v, key, &shows, &e));
    REFUSED(-EUNSAFE, mark(b, &v, VOLUME_READY, &e)); /* beside one without tags */
    REFUSED(-EUNSAFE, mark(b, &v, VOLUME_DOOMED, &e));
    REFUSED(-EUNSAFE, remove_one(b, &v, &e));
    REFUSED(-EUNSAFE, remove_one(b, &beside, &e));
    OK(broker_release(b, &v, &e));
    OK(broker_release(b, &v, &e));
    assert_int_equal(count_strangers(b, instance), 2);

    broker_disk_uuid(b, v.disk); /* each is taken once */
    OK(volume_check_value(&v, key, v.check, &e));
    OK(broker_adopt(b, &v, &e));
    OK(broker_adopt(b, &w, &e));
    REFUSED(-EUNSAFE, open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    REFUSED(-EUNSAFE, remove_one(b, &v, &e));
    REFUSED(-EUNSAFE, mark(b, &v, VOLUME_DOOMED, &e));
    assert_state(b, &v, VOLUME_ADOPTING);
    const struct volume *both[] = {&v, &w};
    OK(broker_mark(b, both, 2, VOLUME_READY, &e));
    REFUSED(-EUNSAFE, broker_release(b, &v, &e));
    OK(open_shut(b, &v, key, MAP_FOR_DOMAIN, &e));
    assert_map(b, &v, OF_DOMAIN);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    OK(broker_mark(b, both, 2, VOLUME_DOOMED, &e));
    OK(broker_remove(b, both, 2, &e));
}
