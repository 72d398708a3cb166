/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the manager. Keys are made in create.c, fetched and destroyed in keys.c, found in list.c. */
#include "barbican/barbican-internal.h"

#include "base/str.h"

#include <stdio.h>

static void barbican_close(struct keymgr *km)
{
    struct barbican *b = (struct barbican *)km;
    keystone_close(b->keystone);
    http_close(b->http);
    openstack_end(&b->who);
    free(b);
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
    barbican_host_name(b->host);
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
