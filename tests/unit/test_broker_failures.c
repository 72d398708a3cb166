/* SPDX-License-Identifier: Apache-2.0 */
/* Each operation of the broker, by the real client and server over the storage in memory, while each call of
 * the system, of LVM and of device-mapper fails once, one after the other. The client must be told; what is
 * undone leaves all as it was, a mark or a removal each volume as it was or as it should be; and the same
 * once more goes well. */
#include "broker-threads.h"
#include "fail-once.h"
#include "fake-storage.h"
#include "storage/check.h"
#include "storage/xts.h"
#include "unit.h"

#include "base/fd.h"

#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>

#define MIB (UINT64_C(1) << 20)

/* ------------------------------------------------------------ failing calls */

WRAP(void *, calloc, NO_MEMORY, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NO_MEMORY, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, NO_MEMORY, (void *old, size_t n, size_t size), (old, n, size))
WRAP(int, mlock, IO_ERROR, (const void *map, size_t size), (map, size))
WRAP(ssize_t, pread64, IO_ERROR, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(ssize_t, __pread64_chk, IO_ERROR, (int fd, void *data, size_t size, off_t at, size_t room),
     (fd, data, size, at, room)) /* with _FORTIFY_SOURCE */

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    bool storage = strcmp(name, "fake-volume") == 0; /* what the double is made of */
    return !storage && fails("memfd_create") ? IO_ERROR : __real_memfd_create(name, flags);
}

/* ----------------------------------------------------------------- the host */

static struct broker *b;
static char instance[UUID_TEXT];
static struct secret *key;
static struct volume v, w,
    anew; /* the first disk, another of the instance, and what the first is made anew as */

static struct volume a_volume(const char *role, enum volume_state state)
{
    struct volume new = {.vg = "vg0",
                         .size_bytes = 8 * MIB,
                         .name = "ci-1",
                         .state = state,
                         .cipher = "aes-xts-plain64",
                         .key_bits = 512,
                         .sector_bytes = 4096,
                         .key = "local:ci-1",
                         .kdf = KDF_HKDF_SHA512};
    struct error e = ERROR_NONE;
    snprintf(new.instance, sizeof new.instance, "%s", instance);
    snprintf(new.role, sizeof new.role, "%s", role);
    uuid_make(new.disk);
    volume_set_lv_name(&new);
    assert_ok(volume_check_value(&new, key, new.check, &e), e);
    return new;
}

static struct volume a_plain_volume(const char *role)
{
    struct volume new = a_volume(role, VOLUME_BUILDING);
    strcpy(new.cipher, "none");
    new.key_bits = new.sector_bytes = 0;
    new.key[0] = new.kdf[0] = new.check[0] = '\0';
    return new;
}

static struct volume a_novas(void)
{
    struct volume new = a_volume("root", VOLUME_ADOPTING);
    struct error e = ERROR_NONE;
    strcpy(new.kdf, KDF_NOVA_SHA256);
    new.sector_bytes = 512;
    assert_ok(volume_check_value(&new, key, new.check, &e), e);
    return new;
}

static void there_are_two(enum volume_state state)
{
    v.state = w.state = state;
    fake_storage_add(&v);
    fake_storage_add(&w);
}

static int open_shut(const struct volume *of, struct error *e)
{
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    int r = broker_open(b, of, volume_encrypted(of) ? key : NULL, MAP_FOR_DOMAIN, SETTLE_NOW, &disk, e);
    assert_true((disk.fd >= 0) == (r == 0));
    return r;
}

/* What can be seen of the storage, in one line a volume and a map. */
static char *picture(void)
{
    char *text = strdup("");
    for (size_t i = 0; i < fake_storage.n_volumes; i++) {
        const struct fake_volume *f = &fake_storage.volumes[i];
        char *more = str_format("%s%s %s %s %s %llu\n", text, f->v.lv, f->stranger ? "stranger" : f->v.disk,
                                f->suspended ? "suspended" : "", volume_state_name(f->v.state),
                                (unsigned long long)f->v.size_bytes);
        free(text);
        text = more;
    }
    for (size_t i = 0; i < fake_storage.n_maps; i++) {
        const struct map *m = &fake_storage.maps[i];
        char *more = str_format("%s%s %s %u %llu\n", text, m->name, m->uuid, m->flags,
                                (unsigned long long)m->size_bytes);
        free(text);
        text = more;
    }
    return text;
}

/* ----------------------------------------------------------- the operations */

static void nothing(void)
{
}

static void one_building(void)
{
    struct error e = ERROR_NONE;
    assert_ok(broker_create(b, &v, &e), e);
}

static void one_ready(void)
{
    v.state = VOLUME_READY;
    fake_storage_add(&v);
}

static void one_open(void)
{
    struct error e = ERROR_NONE;
    one_ready();
    assert_ok(open_shut(&v, &e), e);
}

static void one_building_and_open(void)
{
    struct error e = ERROR_NONE;
    one_building();
    assert_ok(open_shut(&v, &e), e);
}

static void one_plain(void)
{
    v = a_plain_volume("root");
    one_building();
}

static void one_plain_and_open(void)
{
    v = a_plain_volume("root");
    one_building_and_open();
}

static void one_scratch(void)
{
    v = a_volume(ROLE_BENCH, VOLUME_BUILDING);
    one_building();
}

static void two_building(void)
{
    there_are_two(VOLUME_BUILDING);
}

static void two_ready(void)
{
    there_are_two(VOLUME_READY);
}

static void two_doomed(void)
{
    there_are_two(VOLUME_DOOMED);
}

static void one_suspended(void)
{
    one_ready();
    fake_storage.volumes[0].suspended = true;
}

static void one_stranger(void)
{
    v = a_novas();
    fake_storage_add_stranger(&v);
}

static void one_adopting(void)
{
    v = a_novas();
    fake_storage_add(&v);
}

static int list(struct error *e)
{
    _cleanup_inventory_ struct inventory *i = NULL;
    int r = broker_list(b, &i, e);
    assert_true(r < 0 ? i == NULL : i->n_volumes == 2 && i->n_groups == 1);
    return r;
}

static int maps(struct error *e)
{
    _cleanup_free_ struct map *all = NULL;
    size_t n = 0;
    int r = broker_maps(b, &all, &n, e);
    assert_true(n == (r == 0));
    return r;
}

static int suspended(struct error *e)
{
    _cleanup_free_ struct suspended *all = NULL;
    size_t n = 0;
    int r = broker_suspended(b, &all, &n, e);
    assert_true(n == (r == 0));
    return r;
}

static int resume(struct error *e)
{
    struct suspended named = {.vg = "vg0"};
    memcpy(named.lv, v.lv, sizeof named.lv);
    return broker_resume(b, &named, e);
}

static int lock(struct error *e)
{
    char another[UUID_TEXT];
    uuid_make(another);
    return broker_lock(b, another, e);
}

static int create(struct error *e)
{
    struct volume new = v;
    return broker_create(b, &new, e);
}

/* By a uuid that the client has chosen LVM is asked. */
static int snapshot(struct error *e)
{
    return broker_snapshot(b, &v, key, w.disk, 8 * MIB, e);
}

static int open_it(struct error *e)
{
    return open_shut(&v, e);
}

static int format(struct error *e)
{
    return broker_format(b, &v, "ext4", "root", e);
}

static int tune(struct error *e)
{
    bool changed = true;
    fake_storage.maps[0].flags ^= 1;
    int r = broker_tune(b, &v, key, &changed, e);
    if (r < 0)
        fake_storage.maps[0].flags ^= 1;
    return r;
}

static int bench(struct error *e)
{
    _cleanup_close_ int fd = -1;
    return broker_bench(b, &v, key, BENCH_TABLE_CRYPTSETUP, &fd, e);
}

static int remake(struct error *e)
{
    return broker_remake(b, &anew, e);
}

static int resize(struct error *e)
{
    return broker_resize(b, &v, 16 * MIB, e);
}

static int close_it(struct error *e)
{
    return broker_close(b, &v, SETTLE_NOW, e);
}

static int mark(enum volume_state state, struct error *e)
{
    const struct volume *both[] = {&v, &w};
    return broker_mark(b, both, 2, state, e);
}

static int mark_ready(struct error *e)
{
    return mark(VOLUME_READY, e);
}

static int mark_doomed(struct error *e)
{
    return mark(VOLUME_DOOMED, e);
}

static int remove_both(struct error *e)
{
    const struct volume *both[] = {&v, &w};
    return broker_remove(b, both, 2, e);
}

static int remove_plain(struct error *e)
{
    const struct volume *one = &v;
    return broker_remove(b, &one, 1, e);
}

static int strangers(struct error *e)
{
    _cleanup_free_ struct volume *all = NULL;
    size_t n = 0;
    int r = broker_strangers(b, "vg0", instance, &all, &n, e);
    assert_true(n == (r == 0));
    return r;
}

static int try(struct error *e)
{
    bool shows = true;
    int r = broker_try(b, &v, key, &shows, e);
    assert_true(shows == (r < 0)); /* nothing does */
    return r;
}

static int adopt(struct error *e)
{
    return broker_adopt(b, &v, e);
}

static int release(struct error *e)
{
    return broker_release(b, &v, e);
}

struct operation {
    const char *name;
    void (*prepare)(void);
    int (*run)(struct error *e);
    bool stays; /* what was done before the failure: recover, or the same once more, goes on from there */
};

static const struct operation operations[] = {
    {"list", two_ready, list, false},
    {"maps", one_open, maps, false},
    {"suspended", one_suspended, suspended, false},
    {"resume", one_suspended, resume, true},
    {"lock", nothing, lock, false},
    {"create", nothing, create, false},
    {"snapshot", one_ready, snapshot, true},
    {"open", one_ready, open_it, false},
    {"open once more", one_open, open_it, false},
    {"open plain", one_plain, open_it, false},
    {"format", one_building_and_open, format, false},
    {"format plain", one_plain_and_open, format, false},
    {"tune", one_open, tune, false},
    {"bench", one_scratch, bench, true},
    {"remake", one_ready, remake, true},
    {"resize", one_open, resize, true},
    {"close", one_open, close_it, false},
    {"mark ready", two_building, mark_ready, false},
    {"mark doomed", two_ready, mark_doomed, false},
    {"remove", two_doomed, remove_both, false},
    {"remove plain", one_plain, remove_plain, false},
    {"strangers", one_stranger, strangers, false},
    {"try", one_stranger, try, false},
    {"adopt", one_stranger, adopt, false},
    {"release", one_adopting, release, false},
};

/* ----------------------------------------------------------------- the test */

static void begin(const struct operation *o)
{
    struct error e = ERROR_NONE;
    fake_storage_clear();
    uuid_make(instance);
    v = a_volume("root", VOLUME_BUILDING);
    w = a_volume("eph0", VOLUME_BUILDING);
    anew = a_volume("root", VOLUME_REBUILDING);
    b = broker_threads_connect();
    assert_ok(broker_lock(b, instance, &e), e);
    o->prepare();
    calls = 0;
    failed = NULL;
}

static void end(void)
{
    b = broker_disconnect(b);
    broker_threads_wait();
}

/* The operation with its n-th call failing. False: it makes fewer calls. */
static bool with_failure(const struct operation *o, unsigned n)
{
    struct error e = ERROR_NONE;
    begin(o);
    _cleanup_free_ char *before = picture();
    fake_storage.fails = fails;
    fail_at = n;
    int r = o->run(&e);
    fail_at = 0;
    fake_storage.fails = NULL;
    _cleanup_free_ char *after = picture();
    if (!failed)
        assert_ok(r, e);
    else if (r < 0)
        assert_true(e.errnum == r && e.text[0]);
    else if (strcmp(failed, "mlock") != 0) /* of memory that is locked anyway */
        fail_msg("%s: call %u, %s, failed, and nobody is told", o->name, n, failed);
    if (r < 0 && !o->stays && strcmp(before, after) != 0)
        fail_msg("%s: with call %u, %s, failing (%s) it left\n%swhere there was\n%s", o->name, n, failed,
                 e.text, after, before);
    if (r < 0 && !o->stays) {
        e = ERROR_NONE;
        assert_ok(o->run(&e), e);
    }
    end();
    return failed != NULL;
}

static void no_failure_is_passed_over(void **state)
{
    (void)state;
    key = NULL;
    struct error e = ERROR_NONE;
    assert_ok(secret_random(64, &key, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        FAIL_EACH_CALL(with_failure(&operations[i], n));
    key = secret_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_failure_is_passed_over)};
    return cmocka_run_group_tests(tests, broker_threads_begin, broker_threads_end);
}
