/* SPDX-License-Identifier: Apache-2.0 */
/* What `mayfly adopt` refuses, and what it says; that nothing gets lost is the matrix's. */
#include "instances.h"
#include "keys/derive.h"
#include "storage/xts.h"

#include <stdio.h>

#define NOVAS "0a0a0a0a-0000-4000-8000-000000000000"

static struct secret *novas_secret(void)
{
    struct secret *s = NULL;
    assert_int_equal(secret_new(64, &s, NULL), 0);
    for (size_t i = 0; i < 64; i++)
        secret_bytes(s)[i] = (uint8_t)i;
    return s;
}

/* A volume with this behind "<uuid>_disk"; `blank`: no key shows anything on it. */
static void add_volume(struct bench *b, const char *suffix, bool blank)
{
    struct host *h = &b->w->host;
    struct volume made = {.cipher = XTS_CIPHER, .key_bits = 512, .sector_bytes = 512, .kdf = KDF_NOVA_SHA256};
    _cleanup_secret_ struct secret *s = novas_secret(), *key = NULL;
    assert_int_equal(derive_volume_key(&made, s, &key, NULL), 0);
    struct world_volume *w = &h->volumes[h->n_volumes++];
    w->nova = w->stranger = true;
    w->v.size_bytes = GIB;
    strcpy(w->v.vg, "vg0");
    snprintf(w->v.lv, sizeof w->v.lv, NOVAS "_disk%s", suffix);
    if (!blank)
        memcpy(w->sealing, secret_peek(key), sizeof w->sealing);
}

static int adopt(struct bench *b, bool force, bool *ret_changed, struct error *e)
{
    _cleanup_secret_ struct secret *s = novas_secret();
    const struct adopt_request q = {.uuid = NOVAS, .secret = s, .kdf = KDF_NOVA_SHA256, .force = force};
    fake_again(&b->f);
    return instance_adopt(&b->f.context, &q, ret_changed, NULL, e);
}

static void a_key_that_no_tag_can_name_is_refused(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    char key[KEY_REF_MAX + 1] = "barbican:";
    memset(key + 9, 'a', sizeof key - 10);
    const struct adopt_request q = {.uuid = NOVAS, .key = key, .kdf = KDF_NOVA_SHA256};
    add_volume(b, "", false);
    fake_again(&b->f);
    assert_error(instance_adopt(&b->f.context, &q, &changed, NULL, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "its name is too long for a tag"));
    assert_false(changed);
}

static int no_manager(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                      struct error *e)
{
    (void)c, (void)who, (void)name, (void)ret;
    return error_set(e, -EACCES, "key manager: is not for you");
}

static void nothing_is_adopted_without_a_place_for_its_key(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    _cleanup_secret_ struct secret *s = novas_secret();
    const struct adopt_request q = {.uuid = NOVAS, .secret = s, .kdf = KDF_NOVA_SHA256, .dry_run = true};
    add_volume(b, "", false);
    fake_again(&b->f);
    b->f.context.open_keymgr = no_manager;
    assert_error(instance_adopt(&b->f.context, &q, &changed, NULL, &e), -EACCES, e);
    assert_non_null(strstr(e.text, "is not for you"));
}

static void it_becomes_an_instance(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    add_volume(b, ".swap", false);
    add_volume(b, ".local", true);
    add_volume(b, ".eph0", false);
    add_volume(b, "", false);
    assert_ok(adopt(b, false, &changed, &e), e);
    assert_true(changed);
    assert_int_equal(b->warnings, 1);
    assert_non_null(strstr(b->warning, "_disk.local: shows neither"));
    assert_ok(adopt(b, false, &changed, &e), e);
    assert_false(changed);

    _cleanup_model_ struct model *m = NULL;
    assert_ok(model_load(&b->f.context, &m, &e), e);
    assert_int_equal(m->n_instances, 1);
    assert_string_equal(m->instances[0].name, NOVAS); /* no domain names it */
    static const char *const roles[] = {"root", "local", "eph0", "swap"};
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
        const struct volume *v = m->instances[0].volumes[i];
        assert_string_equal(v->role, roles[i]);
        assert_int_equal(v->state, VOLUME_READY);
        assert_int_equal(v->sector_bytes, 512);
        assert_string_equal(v->key, m->instances[0].volumes[0]->key);
    }
    assert_int_equal(b->w->host.n_keys, 1);
    assert_string_equal(b->w->host.keys[0].info.owner, NOVAS);
    assert_string_equal(b->w->violation, "");
}

/* Nothing of it is changed. */
static void refused(struct bench *b, int wanted, const char *sentence)
{
    static struct host before;
    struct error e = ERROR_NONE;
    bool changed = false;
    before = b->w->host;
    assert_error(adopt(b, false, &changed, &e), wanted, e);
    if (!strstr(e.text, sentence))
        fail_msg("said: %s", e.text);
    assert_memory_equal(&before, &b->w->host, sizeof before);
}

static void a_first_disk_that_shows_nothing(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    add_volume(b, "", true);
    add_volume(b, ".swap", false);
    refused(b, -EKEYREJECTED, "check the key, --kdf and --key-size");
    assert_ok(adopt(b, true, &changed, &e), e);
    assert_non_null(strstr(b->warning, "shows neither"));
}

static void what_stands_in_the_way(void **state)
{
    struct bench *b = *state;
    struct host *h = &b->w->host;
    refused(b, -ENOENT, "has a volume " NOVAS "_disk");
    add_volume(b, "", false);
    add_volume(b, ".rescue", false);
    refused(b, -EUNSAFE, "unrescue the instance");
    h->n_volumes--;
    memset(&h->volumes[h->n_volumes], 0, sizeof h->volumes[0]);
    struct world_domain *d = &h->domains[h->n_domains++];
    strcpy(d->d.name, "instance-0000000a");
    strcpy(d->d.uuid, NOVAS);
    d->d.active = true;
    refused(b, -EBUSY, "while its domain instance-0000000a runs");
    d->d.active = false;
    struct world_map *map = &h->maps[h->n_maps++];
    strcpy(map->lv, NOVAS "_disk");
    refused(b, -EBUSY, "in use");
}

static void another_instances_key(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    char key[KEY_REF_MAX];
    bench_make(b, "other", true);
    add_volume(b, "", false);
    snprintf(key, sizeof key, "local:%s", b->w->host.keys[0].info.id);
    struct adopt_request q = {.uuid = NOVAS, .key = key, .kdf = KDF_NOVA_SHA256};
    fake_again(&b->f);
    assert_error(instance_adopt(&b->f.context, &q, &changed, NULL, &e), -EUNSAFE, e);
    assert_non_null(strstr(e.text, "belongs to instance other"));

    e = ERROR_NONE;
    q.key = "ephemeral:x";
    assert_error(instance_adopt(&b->f.context, &q, &changed, NULL, &e), -EINVAL, e);
    e = ERROR_NONE;
    q.key = "local:" NOVAS;
    assert_error(instance_adopt(&b->f.context, &q, &changed, NULL, &e), -EHOSTUNREACH, e);
    e = ERROR_NONE;
    q.uuid = "instance-0000000a";
    assert_error(instance_adopt(&b->f.context, &q, &changed, NULL, &e), -EINVAL, e);
    assert_string_equal(b->w->violation, "");
}

/* As a power cut leaves it in its midst. */
static void half_adopted(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bool changed = false;
    add_volume(b, "", false);
    assert_ok(adopt(b, false, &changed, &e), e);
    b->w->host.volumes[0].v.state = VOLUME_ADOPTING;
    refused(b, -ENEEDSRECOVER, "run mayfly recover");
    e = ERROR_NONE;
    assert_error(instance_delete(&b->f.context, NOVAS, &changed, &e), -ENEEDSRECOVER, e);
    e = ERROR_NONE;
    assert_error(instance_open(&b->f.context, NOVAS, MAP_TO_STAY, &changed, &e), -ENEEDSRECOVER, e);

    _cleanup_free_ struct recovered *done = NULL;
    size_t n = 0;
    fake_again(&b->f);
    assert_ok(instance_recover(&b->f.context, 0, &done, &n, &e), e);
    assert_int_equal(n, 2);
    assert_int_equal(done[0].kind, RECOVER_KEY);
    assert_int_equal(done[1].kind, RECOVER_RELEASED);
    assert_true(b->w->host.volumes[0].stranger);
    assert_int_equal(b->w->host.n_keys, 0);
    assert_string_equal(b->w->violation, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bench_test(a_key_that_no_tag_can_name_is_refused),
        bench_test(nothing_is_adopted_without_a_place_for_its_key),
        bench_test(it_becomes_an_instance),
        bench_test(a_first_disk_that_shows_nothing),
        bench_test(what_stands_in_the_way),
        bench_test(another_instances_key),
        bench_test(half_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
