/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager Barbican while each place that asks for memory gets none once, one after the other: whoever
 * asked is told, what was begun leaves no key, and the same once more goes well. */
#include "fail-once.h"
#include "fake-barbican.h"
#include "fake-http.h"
#include "unit.h"

#include "barbican/barbican.h"
#include "base/str.h"

#include <stdio.h>
#include <time.h>

#define OWNER "6f1e8a8e-0000-4000-8000-000000000000"
#define KEYS  2

WRAP_ALLOCATIONS
WRAP(void *, reallocarray, NO_MEMORY, (void *old, size_t n, size_t size), (old, n, size))

/* The servers have memory. */
int __real_fake_http_exchange(const struct http_request *q, struct http_reply *ret, struct error *e);
int __wrap_fake_http_exchange(const struct http_request *q, struct http_reply *ret, struct error *e);
int __wrap_fake_http_exchange(const struct http_request *q, struct http_reply *ret, struct error *e)
{
    unsigned was = fail_at;
    fail_at = 0;
    int r = __real_fake_http_exchange(q, ret, e);
    fail_at = was;
    return r;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time, (void)left;
    return 0;
}

static struct config config;
static struct keymgr *km;
static char id[KEY_ID_MAX]; /* of a key that is there */

static int open_manager(struct error *e)
{
    static const char words[] = "OS_AUTH_URL=" FAKE_KEYSTONE "\0OS_USERNAME=alice\0OS_PASSWORD=hush\0"
                                "OS_PROJECT_NAME=lab\0OS_DEFAULT_DOMAIN=Default\0OS_REGION_NAME=R1";
    struct key_context who = KEY_CONTEXT_NONE;
    int r = secret_new(sizeof words, &who.environment, e);
    if (r < 0)
        return r;
    memcpy(secret_bytes(who.environment), words, sizeof words);
    r = barbican_manager.open(&barbican_manager, &config, &who, &km, e);
    key_context_end(&who);
    if (r == 0)
        km->ops = &barbican_manager;
    return r;
}

static int create(struct error *e)
{
    struct key_info want[KEYS];
    struct key_made made[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        want[i] = (struct key_info){.owner = OWNER, .vg = "vg0", .bits = 512};
    int r = keymgr_create_many(km, want, KEYS, made, e);
    for (size_t i = 0; i < KEYS; i++) {
        assert_true((made[i].secret != NULL) == (r == 0));
        secret_free(made[i].secret);
    }
    return r;
}

static int fetch(struct error *e)
{
    struct secret *key = NULL;
    int r = keymgr_fetch(km, id, &key, e);
    assert_true((key != NULL) == (r == 0));
    secret_free(key);
    return r;
}

static int list(struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(km, &l, e);
    assert_true(r < 0 || l.n == 1 || l.incomplete.errnum);
    return r == 0 && l.incomplete.errnum ? error_pass(e, l.incomplete.errnum, &l.incomplete) : r;
}

static int may_destroy(struct error *e)
{
    return keymgr_may_destroy(km, id, e);
}

static int destroy(struct error *e)
{
    return keymgr_destroy(km, id, e);
}

static int grant(struct error *e)
{
    bool changed = false;
    return keymgr_grant(km, id, NULL, true, &changed, e);
}

static int diagnose(struct error *e)
{
    struct key_finding found[KEY_FINDINGS_MAX];
    size_t n = 0;
    int r = keymgr_diagnose(km, found, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = found[i].result < 0 ? error_set(e, found[i].result, "%s", found[i].text) : 0;
    return r;
}

static const struct operation {
    const char *name;
    int (*run)(struct error *e);
    bool orders, opened; /* the manager is open before */
    int more;            /* keys that there are afterwards */
} operations[] = {
    {"open", open_manager, false, false, 0},
    {"create", create, false, true, KEYS},
    {"create by orders", create, true, true, KEYS},
    {"fetch", fetch, false, true, 0},
    {"list", list, false, true, 0},
    {"may destroy", may_destroy, false, true, 0},
    {"destroy", destroy, false, true, -1},
    {"grant", grant, false, true, 0},
    {"diagnose", diagnose, false, true, 0},
};

static void begin(const struct operation *o)
{
    struct error e = ERROR_NONE;
    struct secret *key = NULL;
    const struct key_info want = {.owner = OWNER, .vg = "vg0", .bits = 512};
    fake_barbican_reset();
    config_defaults(&config);
    strcpy(config.host_access, "read");
    strcpy(config.host_user_id, "c0ffee");
    strcpy(config.barbican_create, o->orders ? "order" : "store");
    config.barbican_order_polls = 2;
    config.barbican_order_delay_sec = 0;
    assert_ok(open_manager(&e), e);
    assert_ok(keymgr_create(km, &want, id, &key, &e), e);
    secret_free(key);
    km = keymgr_close(km); /* a login is part of each operation */
    if (o->opened)
        assert_ok(open_manager(&e), e);
}

static bool with_failure(const struct operation *o, unsigned n)
{
    struct error e = ERROR_NONE;
    begin(o);
    int r = run_with_failure(o->name, n, o->run, &e);
    int more = (int)fake_barbican_count() - 1;
    if (r == 0 ? more != o->more : more != 0 && more != o->more)
        fail_msg("%s: with call %u, %s, without memory (%s) there are %d keys more", o->name, n, failed,
                 e.text, more);
    if (r < 0 && o->run == create && more != 0)
        fail_msg("%s: with call %u, %s, without memory (%s) keys are left", o->name, n, failed, e.text);
    km = keymgr_close(km);
    return failed != NULL;
}

static void no_lack_of_memory_is_passed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        FAIL_EACH_CALL(with_failure(&operations[i], n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_lack_of_memory_is_passed_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
