/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that a process serves, by the real client and the real server over the storage in memory; a process
 * in memory, too, which has the volume open and locked as mayfly-disks has it. */
#include "broker-threads.h"
#include "fake-storage.h"
#include "sample-key.h"
#include "unit.h"

#include "base/fd.h"
#include "storage/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define I "11111111-1111-4111-8111-111111111111"
#define D "22222222-2222-4222-8222-222222222222"

/* --------------------------------------------------------------- the process */

static struct served {
    struct map map;
    int fd; /* -1: nothing is served */
} served = {.fd = -1};
static size_t n_cleaned;

static int serve(const struct engine *g, const struct volume *v, int fd, const struct secret *volume_key,
                 enum map_use use, struct error *e)
{
    (void)g;
    assert_non_null(volume_key);
    assert_int_equal(served.fd, -1);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return error_set(e, -EBUSY, "disk %s: locked", v->lv);
    served = (struct served){.fd = dup(fd), .map = {.size_bytes = v->size_bytes, .served = 1}};
    fake_storage.volumes[0].held = true;
    volume_map_name(v, served.map.name);
    map_uuid_make(v->disk, use, served.map.uuid);
    return 0;
}

static int list(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e)
{
    (void)g, (void)e;
    *ret = calloc(1, sizeof **ret);
    **ret = served.map;
    *ret_n = served.fd >= 0;
    return 0;
}

static int end(const struct engine *g, const struct volume *v, enum map_use up_to, bool *ret_closed,
               struct error *e)
{
    (void)g, (void)v, (void)e;
    n_cleaned += served.fd < 0;
    *ret_closed = served.fd >= 0 && map_uuid_use(served.map.uuid) <= up_to;
    if (*ret_closed) {
        served.fd = fd_close(served.fd);
        fake_storage.volumes[0].held = false;
    }
    return 0;
}

static int grow(const struct engine *g, const struct volume *v, struct error *e)
{
    (void)g, (void)e;
    served.map.size_bytes = v->size_bytes;
    return 0;
}

static const struct engine_ops ops = {serve, list, end, grow};
static const struct engine engine = {.ops = &ops, .sockets = {"/run/nowhere", true}};

/* ----------------------------------------------------------------- a volume */

static struct volume new_volume(const struct secret *key)
{
    struct volume v = {.vg = "vg0",
                       .instance = I,
                       .disk = D,
                       .name = "ci-1",
                       .role = "root",
                       .size_bytes = 4 << 20,
                       .cipher = "aes-xts-plain64",
                       .key = "local:ci-1",
                       .kdf = KDF_HKDF_SHA512,
                       .key_bits = 512,
                       .sector_bytes = 4096,
                       .engine = ENGINE_USER,
                       .fs = "swap"};
    volume_set_lv_name(&v);
    OK(volume_check_value(&v, key, v.check, &e));
    return v;
}

/* A connection with a locked instance. */
static struct broker *begin(void)
{
    struct broker *b = broker_threads_connect();
    b->engine = &engine;
    OK(broker_lock(b, I, &e));
    return b;
}

static int leave(void **state)
{
    (void)state;
    served.fd = fd_close(served.fd);
    n_cleaned = 0;
    fake_storage_clear();
    return 0;
}

static bool is_served(struct broker *b)
{
    _cleanup_free_ struct map *maps = NULL;
    size_t n = 0;
    OK(broker_maps(b, &maps, &n, &e));
    assert_true(n <= 1);
    return n && maps[0].served;
}

static void read_volume(void *buffer, size_t bytes)
{
    assert_int_equal(pread(fake_storage.volumes[0].fd, buffer, bytes, 0), bytes);
}

/* --------------------------------------------------------------------- tests */

static void what_is_written_is_ciphertext_below(void **state)
{
    (void)state;
    static const char words[4096] = "what the guest alone may read";
    _cleanup_secret_ struct secret *key = key_of(1);
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    struct broker *b = begin();
    struct volume v = new_volume(key);
    char below[4096], again[4096];
    OK(broker_create(b, &v, &e));
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &e));
    assert_true(is_served(b));
    assert_int_equal(fake_storage.n_maps, 0);
    assert_int_equal(opened_pwrite(&disk, words, sizeof words, 0), 0);
    read_volume(below, sizeof below);
    assert_memory_not_equal(below, words, 32);
    assert_int_equal(opened_pread(&disk, again, sizeof again, 0), 0);
    assert_memory_equal(again, words, sizeof words);

    OK(broker_format(b, &v, "swap", "", &e));
    read_volume(below, sizeof below);
    assert_null(memmem(below, sizeof below, "SWAPSPACE2", 10));
    assert_int_equal(opened_pread(&disk, again, sizeof again, 0), 0);
    assert_non_null(memmem(again, sizeof again, "SWAPSPACE2", 10));
    REFUSED_WITH(-EUNSAFE, "while it is building",
                 broker_format(b, &v, "swap", "", &e)); /* the key is gone */

    opened_close(&disk);
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    assert_false(is_served(b));
    const struct volume *gone = &v;
    OK(broker_remove(b, &gone, 1, &e));
    assert_int_equal(n_cleaned, 1); /* what a process may have left */
    broker_disconnect(b);
    broker_threads_wait();
}

static void a_ready_disk_is_served_to_guests_and_mapped_for_people(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct broker *b = begin();
    struct volume v = new_volume(key);
    struct opened disk = OPENED_NONE;
    bool closed = false;
    v.state = VOLUME_READY;
    fake_storage_add(&v);
    REFUSED_WITH(-EKEYREJECTED, "", broker_open(b, &v, wrong, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &e));
    assert_false(is_served(b));

    OK(broker_open(b, &v, key, MAP_FOR_START, SETTLE_NOW, &disk, &e));
    opened_close(&disk);
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &e)); /* as it is */
    opened_close(&disk);
    assert_true(is_served(b));
    REFUSED_WITH(-EBUSY, "", broker_open(b, &v, key, MAP_TO_STAY, SETTLE_NOW, &disk, &e));
    fake_storage.volumes[0].v.size_bytes += 4 << 20;
    assert_int_equal(ftruncate(fake_storage.volumes[0].fd, 8 << 20), 0);
    OK(broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &e));
    opened_close(&disk);
    assert_int_equal(served.map.size_bytes, 8 << 20);

    OK(broker_close_up_to(b, &v, MAP_FOR_DOMAIN, SETTLE_NOW, &closed, &e));
    assert_false(closed); /* it was opened for a start */
    OK(broker_close_up_to(b, &v, MAP_FOR_START, SETTLE_NOW, &closed, &e));
    assert_true(closed);
    OK(broker_open(b, &v, key, MAP_TO_STAY, SETTLE_NOW, &disk, &e));
    assert_null(disk.cipher);
    opened_close(&disk);
    assert_int_equal(fake_storage.n_maps, 1);
    REFUSED_WITH(-EBUSY, "close it first", broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &e));
    OK(broker_close(b, &v, SETTLE_NOW, &e));
    assert_int_equal(fake_storage.n_maps, 0);
    broker_disconnect(b);
    broker_threads_wait();
}

static void without_an_engine_it_stays_closed(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct broker *b = begin();
    struct volume v = new_volume(key);
    struct opened disk = OPENED_NONE;
    b->engine = NULL;
    v.state = VOLUME_READY;
    fake_storage_add(&v);
    REFUSED_WITH(-EOPNOTSUPP, "nothing here serves",
                 broker_open(b, &v, key, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, &e));
    broker_disconnect(b);
    broker_threads_wait();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_written_is_ciphertext_below, leave),
        cmocka_unit_test_teardown(a_ready_disk_is_served_to_guests_and_mapped_for_people, leave),
        cmocka_unit_test_teardown(without_an_engine_it_stays_closed, leave),
    };
    return cmocka_run_group_tests(tests, broker_threads_begin, broker_threads_end);
}
