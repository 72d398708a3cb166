/* SPDX-License-Identifier: Apache-2.0 */
/* See keymgr-suite.h. */
#include "keymgr-suite.h"

#include "base/str.h"

#include <stdio.h>

#define MANY 5

/* A key that must be made; the caller owns it. */
struct secret *a_key(struct keymgr *km, const struct key_info *info, char id[KEY_ID_MAX])
{
    struct error e = ERROR_NONE;
    struct secret *key = NULL;
    assert_ok(keymgr_create(km, info, id, &key, &e), e);
    assert_int_equal(secret_size(key), info->bits / 8);
    return key;
}

/* The same, where its bytes do not matter. */
void make_key(struct keymgr *km, char id[KEY_ID_MAX])
{
    secret_free(a_key(km, &want, id));
}

void assert_fetch(struct keymgr *km, const char *id, int wanted)
{
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL;
    assert_error(keymgr_fetch(km, id, &key, &e), wanted, e);
    assert_true(wanted == 0 ? key != NULL : key == NULL);
    assert_true(wanted == 0 || strlen(e.text) > 20);
}

void assert_key_is(struct keymgr *km, const char *id, const struct secret *wanted)
{
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *key = NULL;
    assert_ok(keymgr_fetch(km, id, &key, &e), e);
    assert_true(secret_equal(key, wanted));
}

size_t count_listed(struct keymgr *km)
{
    struct error e = ERROR_NONE;
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_ok(keymgr_list(km, &l, &e), e);
    assert_ok(l.incomplete.errnum, l.incomplete);
    return l.n;
}

/* `own` is the id of no key of the manager's. That is so for good only in the place that has answered; what
 * another place has, or one that is not named, is not known. */
static void assert_absent(struct keymgr *km, const char *own)
{
    char id[KEY_ID_MAX], elsewhere[KEY_ID_MAX];
    struct error e = ERROR_NONE;
    assert_ok(keymgr_new_id(km, false, own, id, &e), e);
    assert_string_not_equal(id, own);
    snprintf(elsewhere, sizeof elsewhere, "another.place/%s", own);
    assert_fetch(km, id, -ENOKEY);
    assert_fetch(km, elsewhere, -EHOSTUNREACH);
    assert_fetch(km, own, -EHOSTUNREACH);
    assert_ok(keymgr_may_destroy(km, id, &e), e);
    assert_int_equal(keymgr_may_destroy(km, elsewhere, NULL), -EHOSTUNREACH);
    assert_int_equal(keymgr_may_destroy(km, own, NULL), -EHOSTUNREACH);
    assert_ok(keymgr_destroy(km, id, &e), e);
    assert_int_equal(keymgr_destroy(km, elsewhere, NULL), -EHOSTUNREACH);
    assert_int_equal(keymgr_destroy(km, own, NULL), -EHOSTUNREACH);
}

static const char *own_id(const char *id)
{
    const char *slash = strchr(id, '/');
    return slash ? slash + 1 : id;
}

/* ---- the suite ---- */

/* A reference without its place, as it was before, and one of another place: the first is as good for a key
 * that is there; by the second nothing is destroyed. */
void suite_reads_old_references(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX], elsewhere[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    assert_non_null(strchr(id, '/'));
    snprintf(elsewhere, sizeof elsewhere, "another.place/%.60s", own_id(id));
    assert_key_is(km, own_id(id), key);
    assert_ok(keymgr_may_destroy(km, own_id(id), &e), e);
    assert_int_equal(keymgr_may_destroy(km, elsewhere, NULL), -EHOSTUNREACH);
    assert_int_equal(keymgr_destroy(km, elsewhere, NULL), -EHOSTUNREACH);
    assert_key_is(km, id, key);
    assert_ok(keymgr_destroy(km, own_id(id), &e), e);
    assert_fetch(km, id, -ENOKEY);
}

void suite_keeps_keys(void **state)
{
    struct error e = ERROR_NONE;
    char a[KEY_ID_MAX], b[KEY_ID_MAX];
    struct key_info small = want;
    small.bits = 256;
    small.scope = KEY_SCOPE_BATCH;
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_int_equal(count_listed(km), 0);
    _cleanup_secret_ struct secret *key_a = a_key(km, &want, a), *key_b = a_key(km, &small, b);
    assert_string_not_equal(a, b);
    assert_memory_not_equal(secret_peek(key_a), secret_peek(key_b), 32);
    assert_key_is(km, a, key_a);
    assert_key_is(km, b, key_b);

    /* a later process finds the same */
    _cleanup_keymgr_ struct keymgr *later = suite_open(state);
    assert_key_is(later, a, key_a);
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_ok(keymgr_list(later, &l, &e), e);
    assert_int_equal(l.n, 2);
    const struct key_info *of_b = &l.keys[streq(l.keys[0].id, b) ? 0 : 1];
    assert_string_equal(of_b->id, b);
    assert_string_equal(of_b->owner, OWNER);
    assert_string_equal(of_b->vg, "vg0");
    assert_int_equal(of_b->bits, 256);
    assert_int_equal(of_b->scope, KEY_SCOPE_BATCH);
    assert_true(of_b->created_sec > 1700000000);
}

void suite_destroys_keys(void **state)
{
    struct error e = ERROR_NONE;
    char a[KEY_ID_MAX], b[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, a);
    _cleanup_secret_ struct secret *key_b = a_key(km, &want, b);
    assert_absent(km, NO_KEY);
    assert_ok(keymgr_destroy(km, a, &e), e);
    assert_fetch(km, a, -ENOKEY);
    assert_ok(keymgr_destroy(km, a, &e), e);
    assert_key_is(km, b, key_b);
    assert_int_equal(count_listed(km), 1);
    assert_ok(keymgr_destroy(km, b, &e), e);
    assert_int_equal(count_listed(km), 0);
    assert_fetch(km, b, -ENOKEY);
}

void suite_takes_all_sizes_of_cipher_c(void **state)
{
    static const uint32_t sizes[] = {128, 192, 256, 512};
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char id[KEY_ID_MAX], ref[KEY_REF_MAX], manager[KEY_ID_MAX], again[KEY_ID_MAX];
        struct key_info info = want;
        info.bits = sizes[i];
        _cleanup_secret_ struct secret *key = a_key(km, &info, id);
        assert_key_is(km, id, key);

        /* the id goes through a tag */
        struct error e = ERROR_NONE;
        assert_true((size_t)snprintf(ref, sizeof ref, "%s:%s", km->ops->name, id) < sizeof ref);
        assert_ok(key_ref_parse(ref, manager, again, &e), e);
        assert_string_equal(manager, km->ops->name);
        assert_string_equal(again, id);
    }
}

void suite_does_not_believe_ids(void **state)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "../secret",
                                      "/etc/passwd",
                                      "seal.key",
                                      "a b",
                                      "6F1E8A8E-0000-4000-8000-00000000DEAD",
                                      NO_KEY ".doomed",
                                      NO_KEY "/"};
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    _cleanup_secret_ struct secret *none = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_NONE;
        assert_error(keymgr_fetch(km, bad[i], &none, &e), -EINVAL, e);
        e = ERROR_NONE;
        assert_error(keymgr_destroy(km, bad[i], &e), -EINVAL, e);
    }
    assert_key_is(km, id, key);
}

void suite_makes_many_at_once(void **state)
{
    struct error e = ERROR_NONE;
    struct key_info wants[MANY];
    struct key_made made[MANY];
    for (size_t i = 0; i < MANY; i++) {
        wants[i] = want;
        wants[i].bits = i % 2 ? 256 : 512;
        uuid_make(wants[i].owner);
    }
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_ok(keymgr_create_many(km, wants, MANY, made, &e), e);
    assert_int_equal(count_listed(km), MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(secret_size(made[i].secret), wants[i].bits / 8);
        assert_key_is(km, made[i].id, made[i].secret);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(made[i].id, made[k].id);
        secret_free(made[i].secret);
    }
}

/* All or none, where one of them cannot be. */
void suite_makes_none_of_many(void **state)
{
    struct error e = ERROR_NONE;
    struct key_info wants[MANY];
    struct key_made made[MANY];
    for (size_t i = 0; i < MANY; i++)
        wants[i] = want;
    wants[MANY - 1].bits = 513;
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_error(keymgr_create_many(km, wants, MANY, made, &e), -EINVAL, e);
    assert_int_equal(count_listed(km), 0);
}

void suite_says_who_may_destroy(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    assert_ok(keymgr_may_destroy(km, id, &e), e);
    assert_key_is(km, id, key);
    assert_ok(keymgr_destroy(km, id, &e), e);
    assert_ok(keymgr_may_destroy(km, id, &e), e);
}

/* Each key is judged by itself, also where the manager is asked once for all. */
void suite_does_several_at_once(void **state)
{
    struct error e = ERROR_NONE;
    char id[MANY][KEY_ID_MAX], elsewhere[KEY_ID_MAX], absent[KEY_ID_MAX];
    struct key_asked k[] = {{.id = id[0]},  {.id = elsewhere}, {.id = id[1]}, {.id = "a b"},
                            {.id = absent}, {.id = NO_KEY},    {.id = id[2]}};
    static const int fetched[] = {0, 0, 0, -EINVAL, -ENOKEY, -EHOSTUNREACH, 0}; /* what is there is given */
    static const int destroyed[] = {0, -EHOSTUNREACH, 0, -EINVAL, 0, -EHOSTUNREACH, 0};
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    for (size_t i = 0; i < MANY; i++)
        make_key(km, id[i]);
    snprintf(elsewhere, sizeof elsewhere, "another.place/%.60s", own_id(id[3]));
    assert_ok(keymgr_new_id(km, false, NO_KEY, absent, &e), e);

    assert_error(keymgr_fetch_many(km, k, ARRAY_SIZE(k), &e), -EINVAL, e);
    assert_string_equal(e.text, k[3].error.text);
    for (size_t i = 0; i < ARRAY_SIZE(k); i++) {
        assert_error(k[i].error.errnum, fetched[i], k[i].error);
        assert_true(fetched[i] == 0 ? k[i].secret != NULL : k[i].secret == NULL);
        if (k[i].secret)
            assert_key_is(km, k[i].id, k[i].secret);
        secret_free(k[i].secret);
    }
    e = ERROR_NONE;
    assert_error(keymgr_may_destroy_many(km, k, ARRAY_SIZE(k), &e), -EHOSTUNREACH, e);
    for (size_t i = 0; i < ARRAY_SIZE(k); i++)
        assert_error(k[i].error.errnum, destroyed[i], k[i].error);
    assert_int_equal(count_listed(km), MANY);
    e = ERROR_NONE;
    assert_error(keymgr_destroy_many(km, k, ARRAY_SIZE(k), &e), -EHOSTUNREACH, e);
    for (size_t i = 0; i < ARRAY_SIZE(k); i++)
        assert_error(k[i].error.errnum, destroyed[i], k[i].error);
    assert_int_equal(count_listed(km), MANY - 3);
    assert_fetch(km, id[0], -ENOKEY);
    assert_fetch(km, id[3], 0);
    e = ERROR_NONE;
    assert_ok(keymgr_destroy_many(km, k, 0, &e), e);
}
