/* SPDX-License-Identifier: Apache-2.0 */
/* See fake-manager.h. Keys are of the letter k, ids are the owners, and there are two on the list. */
#include "fake-manager.h"

#include "base/str.h"
#include "keyagent/managers.h"

#define OWNER  "6f1e8a8e-0000-4000-8000-000000000000"
#define LISTED 2

static struct fake_manager fake;

struct fake_manager *fake_manager(void)
{
    return &fake;
}

static void check_text(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
}

static int refuse(struct error *e)
{
    return error_set(e, -EACCES, "key: refused");
}

static int answer(struct error *e)
{
    fake.asked++;
    return fake.refuses || fake.refuses_keys ? refuse(e) : 0;
}

static int make_key(size_t size, struct secret **ret, struct error *e)
{
    int r = secret_new(size, ret, e);
    if (r == 0)
        memset(secret_bytes(*ret), 'k', size);
    return r;
}

static int fake_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                            struct error *e)
{
    (void)km;
    int r = answer(e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        check_text(want[i].owner, sizeof want[i].owner);
        check_text(want[i].vg, sizeof want[i].vg);
        memcpy(ret[i].id, want[i].owner, sizeof want[i].owner);
        r = make_key(want[i].bits / 8, &ret[i].secret, e);
    }
    return r;
}

static int fake_one(struct keymgr *km, const char *id, struct error *e)
{
    (void)km;
    check_text(id, KEY_ID_MAX);
    memcpy(fake.last_id, id, strlen(id) + 1);
    return answer(e);
}

static void fake_each(struct keymgr *km, struct key_asked k[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!fake_one(km, k[i].id, &k[i].error);
}

static void fake_fetch_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    fake_each(km, k, n);
    for (size_t i = 0; i < n; i++)
        if (!k[i].error.errnum)
            (void)!make_key(KEY_BITS_MAX / 8, &k[i].secret, &k[i].error);
}

static int fake_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    (void)km, (void)make;
    int r = answer(e);
    if (r == 0)
        memcpy(ret, FAKE_PLACE, sizeof FAKE_PLACE);
    return r;
}

static int fake_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    (void)km;
    int r = answer(e);
    if (r < 0)
        return r;
    ret->keys = calloc(LISTED, sizeof *ret->keys);
    if (!ret->keys)
        return error_memory(e);
    for (size_t i = 0; i < LISTED; i++)
        ret->keys[i] = (struct key_info){.id = OWNER, .owner = OWNER, .vg = "vg0", .bits = 512};
    ret->n = LISTED;
    if (fake.incomplete)
        error_set(&ret->incomplete, -EKEYREJECTED, "one is damaged");
    return 0;
}

static int fake_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                      struct error *e)
{
    check_text(user ? user : "", KEY_USER_MAX);
    memcpy(fake.last_user, user ? user : "", strlen(user ? user : "") + 1);
    *ret_changed = allowed;
    return fake_one(km, id, e);
}

static int fake_open(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                     struct keymgr **ret, struct error *e)
{
    (void)self;
    if (!config_is_whole(c))
        abort();
    check_text(who->cloud, sizeof who->cloud);
    memcpy(fake.cloud, who->cloud, sizeof fake.cloud);
    fake.environment_size = who->environment ? secret_size(who->environment) : 0;
    fake.token_size = who->token ? secret_size(who->token) : 0;
    fake.clouds = who->clouds_fd >= 0;
    fake.secure = who->secure_fd >= 0;
    fake.host_secret = who->host_secret_fd >= 0;
    fake.opened++;
    fake.asked++;
    int r = fake.refuses ? refuse(e) : 0;
    if (r == 0 && !(*ret = calloc(1, sizeof **ret)))
        r = error_memory(e);
    if (r == 0)
        (*ret)->durable = (*ret)->lists_all = true;
    fake.open += r == 0;
    return r;
}

static void fake_close(struct keymgr *km)
{
    fake.open--;
    free(km);
}

const struct keymgr_ops *network_manager(const char *name)
{
    static const struct keymgr_ops ops = {.name = "fake",
                                          .open = fake_open,
                                          .place = fake_place,
                                          .create_many = fake_create_many,
                                          .fetch_many = fake_fetch_many,
                                          .may_destroy_many = fake_each,
                                          .destroy_many = fake_each,
                                          .list = fake_list,
                                          .grant = fake_grant,
                                          .close = fake_close};
    check_text(name, KEY_ID_MAX);
    return streq(name, "fake") ? &ops : NULL;
}
