/* SPDX-License-Identifier: Apache-2.0 */
/* Logs in, once for a run. */
#include "barbican/keystone.h"

#include "barbican/body.h"
#include "barbican/message.h"
#include "barbican/replies.h"
#include "base/str.h"

#include <stdio.h>
#include <time.h>

struct keystone {
    const struct openstack *who;
    struct http *http;
    struct secret *token; /* NULL: not logged in, or the caller's own is used */
    char *catalog;        /* the body that contains it; NULL: not asked for */
    size_t catalog_size;
    bool renewed; /* the token was renewed, and has not worked since */
    struct keystone_facts facts;
};

int keystone_open(const struct openstack *who, struct http *h, struct keystone **ret, struct error *e)
{
    struct keystone *k = calloc(1, sizeof *k);
    if (!k)
        return error_memory(e);
    k->who = who;
    k->http = h;
    *ret = k;
    return 0;
}

struct keystone *keystone_close(struct keystone *k)
{
    if (k) {
        secret_free(k->token);
        free(k->catalog);
        free(k);
    }
    return NULL;
}

const struct keystone_facts *keystone_facts(const struct keystone *k)
{
    return &k->facts;
}

/* --- the request --- */

static void put_member(struct body *b, const char *name, const char *value)
{
    body_string(b, name);
    body_put(b, ":");
    body_string(b, value);
}

/* Adds {"id": ...}, or {"name": ..., "domain": ...}. */
static void put_named(struct body *b, const char *what, const char *id, const char *name,
                      const char *domain_id, const char *domain_name)
{
    body_string(b, what);
    body_put(b, ":{");
    if (*id) {
        put_member(b, "id", id);
        return;
    }
    put_member(b, "name", name);
    body_put(b, ",\"domain\":{");
    put_member(b, *domain_id ? "id" : "name", *domain_id ? domain_id : domain_name);
    body_put(b, "}");
}

static void put_secret(struct body *b, const char *name, const struct secret *s)
{
    body_string(b, name);
    body_put(b, ":");
    body_string_n(b, secret_peek(s), secret_size(s));
}

static void put_scope(struct body *b, const struct openstack *o)
{
    body_put(b, ",\"scope\":{");
    put_named(b, "project", o->project_id, o->project_name, o->project_domain_id, o->project_domain_name);
    body_put(b, "}}");
}

static void put_password(struct body *b, const struct openstack *o)
{
    body_put(b, "\"methods\":[\"password\"],\"password\":{");
    put_named(b, "user", o->user_id, o->username, o->user_domain_id, o->user_domain_name);
    body_put(b, ",");
    put_secret(b, "password", o->secret);
    body_put(b, "}}}");
    put_scope(b, o);
}

static void put_token(struct body *b, const struct openstack *o)
{
    body_put(b, "\"methods\":[\"token\"],\"token\":{");
    put_secret(b, "id", o->secret);
    body_put(b, "}}");
    put_scope(b, o);
}

/* Adds an application credential. It includes its project, so Keystone refuses any scope beside it. */
static void put_application_credential(struct body *b, const struct openstack *o)
{
    body_put(b, "\"methods\":[\"application_credential\"],\"application_credential\":{");
    if (o->application_credential_id[0])
        put_member(b, "id", o->application_credential_id);
    else {
        put_member(b, "name", o->application_credential_name);
        body_put(b, ",");
        put_named(b, "user", o->user_id, o->username, o->user_domain_id, o->user_domain_name);
        body_put(b, "}");
    }
    body_put(b, ",");
    put_secret(b, "secret", o->secret);
    body_put(b, "}}");
}

static int login_body(const struct openstack *o, struct secret **ret, struct error *e)
{
    struct body b = {0};
    body_put(&b, "{\"auth\":{\"identity\":{");
    if (o->auth == OPENSTACK_PASSWORD)
        put_password(&b, o);
    else if (o->auth == OPENSTACK_TOKEN)
        put_token(&b, o);
    else
        put_application_credential(&b, o);
    body_put(&b, "}}");
    int r = body_take(&b, ret, e);
    body_end(&b);
    return r;
}

/* --- the answer --- */

/* Sets the error for refused credentials. Keystone never says which of user, password, project and role is
 * wrong, so the sentence names all. */
static int error_refused(const struct keystone *k, const struct http_reply *reply, struct error *e)
{
    const struct openstack *o = k->who;
    long status = reply ? reply->status : 401;
    if (reply && keystone_wants_more(reply->text, reply->size))
        return error_set(e, -EACCES,
                         "Keystone (%s): wants more than a password from user %.64s (multi-factor "
                         "authentication), which Mayfly "
                         "cannot give; use an application credential, or a token (openstack token issue)",
                         o->auth_url, o->user_id[0] ? o->user_id : o->username);
    if (o->auth == OPENSTACK_TOKEN)
        return error_set(
            e, -EACCES,
            "Keystone (%s): refuses the token of %s: it has expired or was revoked; get a fresh one "
            "(openstack token issue)",
            o->auth_url, o->source);
    if (o->auth == OPENSTACK_APPLICATION_CREDENTIAL)
        return error_set(
            e, -EACCES,
            "Keystone (%s): refuses the application credential %.64s of %s (%ld): it has expired or was "
            "deleted, or its secret is wrong",
            o->auth_url,
            o->application_credential_id[0] ? o->application_credential_id : o->application_credential_name,
            o->source, status);
    return error_set(
        e, -EACCES,
        "Keystone (%s): refuses user %.64s for project %.64s, from %s (%ld): the user, the password, the "
        "project or a domain is wrong, or the user has no role there",
        o->auth_url, o->user_id[0] ? o->user_id : o->username,
        o->project_id[0] ? o->project_id : o->project_name, o->source, status);
}

/* Whether the credentials are wrong. Keystone answers 401, but 404 for a deleted application credential. */
static bool says_refused(const struct keystone *k, const struct http_reply *reply)
{
    return reply->status == 401 || reply->status == 403 ||
           (reply->status == 404 && k->who->auth == OPENSTACK_APPLICATION_CREDENTIAL &&
            reply_says_404(reply->text, reply->size));
}

static int check_status(const struct keystone *k, const struct http_reply *reply, long wanted,
                        struct error *e)
{
    char message[MESSAGE_MAX];
    if (reply->status == wanted)
        return 0;
    if (says_refused(k, reply))
        return error_refused(k, reply, e);
    reply_message(reply->text, reply->size, message, sizeof message);
    if (reply->location[0])
        return error_set(
            e, -EHOSTUNREACH,
            "Keystone (%s): answers with a redirect to %s, which is not followed; correct auth_url",
            k->who->auth_url, reply->location);
    return error_set(e, -EHOSTUNREACH,
                     "Keystone (%s): answers %ld%s%s; check that auth_url is that of Keystone v3",
                     k->who->auth_url, reply->status, *message ? ": " : "", message);
}

static int ask(struct keystone *k, const struct http_request *q, long wanted, struct http_reply *reply,
               struct error *e)
{
    int r = http_do(k->http, q, reply, e);
    if (r == -EHOSTUNREACH)
        error_prefix(e, "Keystone cannot be reached: ");
    if (r == 0)
        r = check_status(k, reply, wanted, e);
    return r;
}

static void note_clock(struct keystone *k, const struct http_reply *reply)
{
    k->facts.server_sec = reply->date_sec;
    k->facts.answered_sec = (int64_t)time(NULL);
}

static void keep_catalog(struct keystone *k, struct http_reply *reply)
{
    free(k->catalog);
    k->catalog_size = reply->size;
    k->catalog = TAKE_PTR(reply->text);
}

static int take_login(struct keystone *k, struct http_reply *reply, struct error *e)
{
    if (!reply->subject_token)
        return error_set(e, -EHOSTUNREACH,
                         "Keystone (%s): gives no token; check that auth_url is that of Keystone v3",
                         k->who->auth_url);
    int r = keystone_parse_token(reply->text, reply->size, &k->facts, e);
    if (r < 0) {
        error_prefix(e, "Keystone (%s): ", k->who->auth_url);
        return r;
    }
    note_clock(k, reply);
    keep_catalog(k, reply);
    secret_free(k->token);
    k->token = TAKE_PTR(reply->subject_token);
    return 0;
}

static int login(struct keystone *k, struct error *e)
{
    _cleanup_(http_reply_end) struct http_reply reply = {0};
    _cleanup_secret_ struct secret *body = NULL;
    _cleanup_free_ char *url = str_format("%s/auth/tokens", k->who->auth_url);
    if (!url)
        return error_memory(e);
    int r = login_body(k->who, &body, e);
    if (r == 0)
        r = ask(k, &(struct http_request){.method = "POST", .url = url, .body = body}, 201, &reply, e);
    return r < 0 ? r : take_login(k, &reply, e);
}

/* Whether the token that the caller gave is sent as it is: unless the caller names a project for it. */
static bool uses_given_token(const struct keystone *k)
{
    return k->who->auth == OPENSTACK_TOKEN && !k->who->project_id[0] && !k->who->project_name[0];
}

int keystone_token(struct keystone *k, const struct secret **ret, struct error *e)
{
    if (uses_given_token(k)) {
        *ret = k->who->secret;
        return 0;
    }
    int r = k->token ? 0 : login(k, e);
    if (r == 0)
        *ret = k->token;
    return r;
}

int keystone_token_fails(const struct keystone *k, struct error *e)
{
    return error_set(e, -EACCES,
                     "Barbican refuses a token that Keystone (%s) has just given; does Barbican ask the same "
                     "Keystone, and is its clock right?%s",
                     k->who->auth_url,
                     k->who->auth == OPENSTACK_APPLICATION_CREDENTIAL
                         ? " Or do the access rules of the application credential leave out the key manager?"
                         : "");
}

int keystone_renew(struct keystone *k, struct error *e)
{
    if (uses_given_token(k))
        return error_refused(k, NULL, e);
    if (k->renewed)
        return keystone_token_fails(k, e);
    k->renewed = true;
    return login(k, e);
}

void keystone_token_works(struct keystone *k)
{
    k->renewed = false;
}

/* Gets the catalog for a token that the caller brought. GET /v3/auth/tokens would also tell who the caller
 * is; that is one request more, which only doctor makes. */
static int ask_catalog(struct keystone *k, struct error *e)
{
    _cleanup_(http_reply_end) struct http_reply reply = {0};
    _cleanup_free_ char *url = str_format("%s/auth/catalog", k->who->auth_url);
    if (!url)
        return error_memory(e);
    int r =
        ask(k, &(struct http_request){.method = "GET", .url = url, .token = k->who->secret}, 200, &reply, e);
    if (r < 0)
        return r;
    note_clock(k, &reply);
    keep_catalog(k, &reply);
    return 0;
}

/* Makes sure that the catalog is there. */
static int need_catalog(struct keystone *k, struct error *e)
{
    const struct secret *token = NULL;
    int r = keystone_token(k, &token, e);
    return r == 0 && !k->catalog ? ask_catalog(k, e) : r;
}

int keystone_endpoint(struct keystone *k, const char *region, const char *interface,
                      struct keystone_endpoint *ret, struct error *e)
{
    int r = need_catalog(k, e);
    if (r < 0)
        return r;
    r = keystone_parse_endpoint(k->catalog, k->catalog_size, region, interface, ret, e);
    if (r < 0)
        error_prefix(e, "Keystone (%s): ", k->who->auth_url);
    return r;
}

int keystone_endpoint_by_url(struct keystone *k, const char *url, struct keystone_endpoint *ret,
                             struct error *e)
{
    *ret = (struct keystone_endpoint){.url = ""};
    int r = need_catalog(k, e);
    if (r == 0)
        (void)keystone_parse_url(k->catalog, k->catalog_size, url, ret);
    return r;
}
