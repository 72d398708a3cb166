/* SPDX-License-Identifier: Apache-2.0 */
/* Who may read a key: Barbican's access control list, which a PUT replaces as a whole.
 * docs.openstack.org/barbican/latest/api/reference/acls.html */
#include "barbican/barbican-internal.h"

#include "barbican/body.h"
#include "barbican/replies.h"
#include "base/str.h"

#include <stdio.h>

#define USERS_MAX 64

struct acl {
    char users[USERS_MAX][KEY_USER_MAX];
    size_t n;
    bool project;
};

static int acl_call(struct barbican *b, const char *id, struct call *c, struct error *e)
{
    char object[BARBICAN_OBJECT_MAX];
    barbican_object(id, object);
    snprintf(c->path, sizeof c->path, "/secrets/%.40s/acl", id);
    int r = barbican_call(b, c, 1, e);
    if (r < 0) {
        error_prefix(e, "%s: cannot be granted: ", object);
        return r;
    }
    r = call_check(b, c, 200, 200, object, "granted", e);
    if (r == 0 && !reply_is_object(c->reply.text, c->reply.size))
        return error_set(e, -EHOSTUNREACH,
                         "%s: cannot be granted: the answer is not Barbican's; check its endpoint", object);
    return r;
}

static int acl_get(struct barbican *b, const char *id, struct acl *ret, struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "GET"};
    int r = acl_call(b, id, &c, e);
    if (r < 0)
        return r;
    r = reply_acl(c.reply.text, c.reply.size, ret->users, USERS_MAX, &ret->n, &ret->project);
    if (r == -E2BIG)
        return error_set(e, -E2BIG, "key barbican:%s: cannot be granted: more than %d users may read it", id,
                         USERS_MAX);
    if (r < 0)
        return error_set(
            e, -EHOSTUNREACH,
            "key barbican:%s: cannot be granted: the answer is not Barbican's; check its endpoint", id);
    return 0;
}

static int acl_put(struct barbican *b, const char *id, const struct acl *acl, struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "PUT"};
    struct body body = {0};
    body_put(&body, "{\"read\":{\"users\":[");
    for (size_t i = 0; i < acl->n; i++) {
        body_put(&body, i ? "," : "");
        body_string(&body, acl->users[i]);
    }
    body_put(&body, acl->project ? "],\"project-access\":true}}" : "],\"project-access\":false}}");
    int r = body_take(&body, &c.body, e);
    body_end(&body);
    return r < 0 ? r : acl_call(b, id, &c, e);
}

static size_t find_user(const struct acl *acl, const char *user)
{
    size_t i = 0;
    while (i < acl->n && !streq(acl->users[i], user))
        i++;
    return i;
}

int barbican_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                   struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    struct acl acl = {.n = 0};
    http_begin(b->http);
    int r = barbican_check_id(id, e);
    if (r < 0)
        return r;
    if (!user)
        user = b->host_user_id;
    if (!*user || !str_made_of(user, "-_") || strlen(user) >= KEY_USER_MAX)
        return error_set(
            e, -EINVAL,
            "key barbican:%s: cannot be granted: %s; openstack user show -f value -c id NAME tells the id",
            id, *user ? "this is not the id of a user" : "user_id of [barbican_service_user] is not set");
    r = acl_get(b, id, &acl, e);
    if (r < 0)
        return r;
    size_t at = find_user(&acl, user);
    if ((at < acl.n) == allowed) {
        *ret_changed = false;
        return 0;
    }
    if (!allowed)
        memcpy(acl.users[at], acl.users[--acl.n], KEY_USER_MAX);
    else if (acl.n == USERS_MAX || str_copy(acl.users[acl.n++], KEY_USER_MAX, user) < 0)
        return error_set(e, -E2BIG, "key barbican:%s: cannot be granted: %d users may read it already", id,
                         USERS_MAX);
    r = acl_put(b, id, &acl, e);
    if (r == 0)
        *ret_changed = true;
    return r;
}
