/* SPDX-License-Identifier: Apache-2.0 */
/* The manager as such: opening, fetching, destroying. Making keys is create.c, finding them list.c. */
#include "barbican/barbican-internal.h"

#include "barbican/replies.h"
#include "base/clock.h"
#include "base/str.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

static void barbican_close(struct keymgr *km)
{
    struct barbican *b = (struct barbican *)km;
    keystone_close(b->keystone);
    http_close(b->http);
    openstack_end(&b->who);
    free(b);
}

#define MACHINE_ID_DIGITS 32

/* "": there is none, as in a container or on the first boot. */
static void machine_id(char ret[MACHINE_ID_DIGITS + 1])
{
    FILE *f = fopen("/etc/machine-id", "re");
    size_t n = f ? fread(ret, 1, MACHINE_ID_DIGITS, f) : 0;
    ret[n] = '\0';
    if (f)
        fclose(f);
    if (strspn(ret, "0123456789abcdef") != MACHINE_ID_DIGITS)
        ret[0] = '\0';
}

/* NAME-ID: the name is for people, the id says which host it is, whatever it is called. The machine's id is
 * confidential (machine-id(5)), so it goes in hashed. A host without one has but its name, with '_' for '-'.
 */
static void host_name(char ret[BARBICAN_HOST_MAX])
{
    char name[64] = "", id[MACHINE_ID_DIGITS + 1], text[64], hex[17];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (gethostname(name, sizeof name - 1) < 0 || !name[0])
        snprintf(name, sizeof name, "localhost");
    machine_id(id);
    for (char *c = name; *c; c++)
        if (!str_made_of((char[]){*c, '\0'}, "."))
            *c = id[0] ? '-' : '_';
    if (!id[0]) {
        snprintf(ret, BARBICAN_HOST_MAX, "%s", name);
        return;
    }
    snprintf(text, sizeof text, "mayfly secret names %s", id);
    SHA256((const unsigned char *)text, strlen(text), hash);
    str_hex(hash, 8, hex);
    snprintf(ret, BARBICAN_HOST_MAX, "%s-%s", name, hex);
}

static void take_options(struct barbican *b, const struct config *c)
{
    memcpy(b->configured_endpoint, c->barbican_endpoint, sizeof b->configured_endpoint);
    memcpy(b->region, c->barbican_region_name, sizeof b->region);
    snprintf(b->interface, sizeof b->interface, "%.15s", c->barbican_endpoint_type);
    b->host_reads = streq(c->host_access, "read");
    b->orders = streq(c->barbican_create, "order");
    b->order_polls = c->barbican_order_polls;
    b->order_delay_sec = c->barbican_order_delay_sec;
    host_name(b->host);
}

static int open_parts(struct barbican *b, const struct config *c, struct key_context *who, struct error *e)
{
    if (str_copy(b->host_user_id, sizeof b->host_user_id, c->host_user_id) < 0 ||
        !str_made_of(b->host_user_id, "-_"))
        return error_set(e, -EINVAL, "[barbican_service_user] user_id: is no id of Keystone's");
    int r = openstack_from_context(c, who, &b->who, e);
    if (r < 0)
        return r;
    const struct http_settings settings = {
        .ca_file = b->who.cacert,
        .ca = b->who.ca,
        .ca_size = b->who.ca_size,
        .connect_sec = c->barbican_connect_sec,
        .request_sec = c->barbican_request_sec,
        .total_sec = c->barbican_deadline_sec,
        .retries = 4,
        .allow_plain = c->barbican_allow_http,
    };
    r = http_open(&settings, &b->http, e);
    return r < 0 ? r : keystone_open(&b->who, b->http, &b->keystone, e);
}

static int barbican_open(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                         struct keymgr **ret, struct error *e)
{
    (void)self;
    struct barbican *b = calloc(1, sizeof *b);
    if (!b)
        return error_memory(e);
    take_options(b, c);
    int r = open_parts(b, c, who, e);
    if (r < 0) {
        error_prefix(e, "key manager barbican: ");
        barbican_close(&b->base);
        return r;
    }
    b->base.durable = true;
    *ret = &b->base;
    return 0;
}

static int barbican_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    (void)make;
    http_begin(b->http);
    int r = barbican_find_place(b, e);
    if (r == 0)
        memcpy(ret, b->place, sizeof b->place);
    else
        error_prefix(e, "key manager barbican: ");
    return r;
}

/* The one call `c`, and what it means for the key. */
static int key_call(struct barbican *b, struct call *c, const char *id, long ok, long ok_too,
                    const char *action, struct error *e)
{
    char object[BARBICAN_OBJECT_MAX];
    barbican_object(id, object);
    int r = barbican_call(b, c, 1, e);
    if (r < 0) {
        error_prefix(e, "%s: cannot be %s: ", object, action);
        return r;
    }
    return call_check(b, c, ok, ok_too, object, action, e);
}

int barbican_fetch_as(struct barbican *b, const char *id, const char *action, struct secret **ret,
                      struct error *e)
{
    _cleanup_(call_end) struct call c = {
        .method = "GET", .accept = "application/octet-stream", .secret_max = KEY_BITS_MAX / 8 + 1};
    snprintf(c.path, sizeof c.path, "/secrets/%.40s/payload", id);
    int r = key_call(b, &c, id, 200, 200, action, e);
    if (r < 0)
        return r;
    size_t size = c.reply.secret ? secret_size(c.reply.secret) : 0;
    if (!streq(c.reply.type, "application/octet-stream"))
        return error_set(
            e, -EHOSTUNREACH,
            "key barbican:%s: cannot be %s: the answer is not from Barbican, but of type %.60s; check "
            "its endpoint",
            id, action, c.reply.type[0] ? c.reply.type : "(none)");
    if (size < KEY_BITS_MIN / 8 || size > KEY_BITS_MAX / 8)
        return error_set(
            e, -EKEYREJECTED,
            "key barbican:%s: cannot be used: it has %zu bytes, and keys have %d to %d; was it made by "
            "something else?",
            id, size, KEY_BITS_MIN / 8, KEY_BITS_MAX / 8);
    *ret = TAKE_PTR(c.reply.secret);
    return 0;
}

static int barbican_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    http_begin(b->http);
    int r = barbican_check_id(id, e);
    return r < 0 ? r : barbican_fetch_as(b, id, "fetched", ret, e);
}

/* PUT adds a payload to a secret that has none. Barbican looks first whether the caller may change the
 * secret, and then finds that nothing was sent: 415, or 400, means yes. The rule is that of secret:put. By
 * default it lets the same people through as secret:delete, except for a secret that is private to another
 * user; a site may make them differ, and there is no question that is answered by secret:delete and harms
 * nothing. */
static int barbican_may_destroy(struct keymgr *km, const char *id, struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    _cleanup_(call_end) struct call c = {.method = "PUT"};
    http_begin(b->http);
    int r = barbican_check_id(id, e);
    if (r < 0)
        return r;
    snprintf(c.path, sizeof c.path, "/secrets/%.40s", id);
    struct error why = ERROR_NONE;
    r = key_call(b, &c, id, 400, 409, "destroyed by this caller", &why);
    if (r == -EIO) /* 415, say */
        return 0;
    return r < 0 ? error_set(e, r, "%s", why.text) : 0;
}

/* Several looks: the first may be answered by a node of Barbican's database that lags behind. */
static int see_gone(struct barbican *b, const char *id, struct error *e)
{
    static const unsigned pauses_msec[] = {0, 200, 1000, 3000};
    for (size_t i = 0; i < ARRAY_SIZE(pauses_msec); i++) {
        _cleanup_(call_end) struct call c = {.method = "GET"};
        struct error why = ERROR_NONE;
        clock_sleep_msec(pauses_msec[i]);
        snprintf(c.path, sizeof c.path, "/secrets/%.40s", id);
        int r = key_call(b, &c, id, 200, 200, "seen to be gone", &why);
        if (r == -ENOKEY)
            return 0;
        if (r < 0)
            return error_set(e, r, "%s", why.text);
    }
    return error_set(e, -EIO, "key barbican:%s: is still there after Barbican destroyed it; look at its log",
                     id);
}

int barbican_destroy_now(struct barbican *b, const char *id, struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "DELETE"};
    struct error why = ERROR_NONE;
    snprintf(c.path, sizeof c.path, "/secrets/%.40s", id);
    int r = key_call(b, &c, id, 204, 204, "destroyed", &why);
    if (r == 0)
        return see_gone(b, id, e);
    return error_set(e, r, "%s", why.text);
}

static int barbican_destroy(struct keymgr *km, const char *id, struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    http_begin(b->http);
    int r = barbican_check_id(id, e);
    return r < 0 ? r : barbican_destroy_now(b, id, e);
}

static void barbican_asker(const struct keymgr *km, struct key_asker *ret)
{
    const struct keystone_facts *facts = keystone_facts(((const struct barbican *)km)->keystone);
    (void)!str_copy(ret->user, sizeof ret->user, facts->user_id);
    (void)!str_copy(ret->project, sizeof ret->project, facts->project_id);
}

const struct keymgr_ops barbican_manager = {
    .name = "barbican",
    .open = barbican_open,
    .place = barbican_place,
    .create_many = barbican_create_many,
    .fetch = barbican_fetch,
    .may_destroy = barbican_may_destroy,
    .destroy = barbican_destroy,
    .list = barbican_list,
    .grant = barbican_grant,
    .diagnose = barbican_diagnose,
    .asker = barbican_asker,
    .close = barbican_close,
};
