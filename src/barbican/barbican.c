/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the manager, and makes the name that this host has in the names of its keys. Keys are made in
 * create.c, fetched and destroyed in keys.c, found in list.c. */
#include "barbican/barbican-internal.h"

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

/* Reads the machine's id; "" if there is none, as in a container or on the first boot. */
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

/* Makes NAME-ID: the name is for people; the id identifies the host whatever its name. The id is a hash,
 * since the machine's id is confidential (machine-id(5)). A host without a machine's id has only its name,
 * with '_' for '-'. */
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
        return error_set(e, -EINVAL, "[barbican_service_user] user_id: is not a Keystone ID");
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
    .fetch_many = barbican_fetch_many,
    .may_destroy_many = barbican_may_destroy_many,
    .destroy_many = barbican_destroy_many,
    .list = barbican_list,
    .grant = barbican_grant,
    .diagnose = barbican_diagnose,
    .asker = barbican_asker,
    .close = barbican_close,
};
