/* SPDX-License-Identifier: Apache-2.0 */
/* Keystone's replies: the token's body, and the catalog in it.
 * docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization */
#include "barbican/json.h"
#include "barbican/keystone.h"

#include "base/str.h"

#include <stdio.h>
#include <time.h>

static int error_form(struct error *e)
{
    return error_set(e, -EHOSTUNREACH,
                     "what it answers is no token of Keystone's; check that auth_url is that of Keystone v3");
}

/* "2026-11-22T21:05:48.000000Z", or without fraction and Z; always UTC. */
static int64_t parse_time(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    return rest ? (int64_t)timegm(&tm) : 0;
}

bool keystone_wants_more(const char *text, size_t size)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    return reply_member(document, "required_auth_methods", json_type_array);
}

static void put_roles(json_object *token, char *ret, size_t size)
{
    json_object *roles = reply_member(token, "roles", json_type_array);
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; roles && i < json_object_array_length(roles); i++) {
        char name[64];
        if (!reply_text(json_object_array_get_idx(roles, i), "name", name, sizeof name))
            continue;
        int n = snprintf(ret + used, size - used, "%s%s", used ? ", " : "", name);
        if (n < 0 || (size_t)n >= size - used)
            break;
        used += (size_t)n;
    }
}

int keystone_parse_token(const char *text, size_t size, struct keystone_facts *ret, struct error *e)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *token = reply_member(document, "token", json_type_object);
    json_object *user = reply_member(token, "user", json_type_object);
    json_object *project = reply_member(token, "project", json_type_object);
    char expires[64];
    if (!reply_text(user, "id", ret->user_id, sizeof ret->user_id))
        return error_form(e);
    reply_text(user, "name", ret->user_name, sizeof ret->user_name);
    reply_text(project, "id", ret->project_id, sizeof ret->project_id);
    reply_text(project, "name", ret->project_name, sizeof ret->project_name);
    put_roles(token, ret->roles, sizeof ret->roles);
    ret->expires_sec = reply_text(token, "expires_at", expires, sizeof expires) ? parse_time(expires) : 0;
    return 0;
}

/* What is looked for in a catalog, and what was seen of key managers there. */
struct search {
    const char *region, *interface;
    char seen[300];
    size_t seen_used;
};

static bool take_endpoint(struct search *s, json_object *endpoint, char ret[HTTP_URL_MAX])
{
    char region[OPENSTACK_TEXT_MAX], interface[32];
    if (!reply_text(endpoint, "region_id", region, sizeof region))
        reply_text(endpoint, "region", region, sizeof region);
    if (!reply_text(endpoint, "interface", interface, sizeof interface))
        return false;
    int n = snprintf(s->seen + s->seen_used, sizeof s->seen - s->seen_used, "%s%.40s/%s",
                     s->seen_used ? ", " : "", region, interface);
    if (n > 0 && (size_t)n < sizeof s->seen - s->seen_used)
        s->seen_used += (size_t)n;
    else
        s->seen[s->seen_used] = '\0';
    if ((*s->region && !streq(s->region, region)) || !streq(s->interface, interface) ||
        !reply_text(endpoint, "url", ret, HTTP_URL_MAX) || !*ret)
        return false;
    for (size_t end = strlen(ret); end > 0 && ret[end - 1] == '/'; end--)
        ret[end - 1] = '\0';
    return true;
}

static bool search_catalog(struct search *s, json_object *catalog, char ret[HTTP_URL_MAX])
{
    for (size_t i = 0; i < json_object_array_length(catalog); i++) {
        json_object *service = json_object_array_get_idx(catalog, i);
        json_object *endpoints = reply_member(service, "endpoints", json_type_array);
        char type[64];
        if (!reply_text(service, "type", type, sizeof type) || !streq(type, "key-manager"))
            continue;
        for (size_t n = 0; endpoints && n < json_object_array_length(endpoints); n++)
            if (take_endpoint(s, json_object_array_get_idx(endpoints, n), ret))
                return true;
    }
    return false;
}

/* The catalog of a token's body, or the one that GET /v3/auth/catalog answers. */
int keystone_parse_endpoint(const char *text, size_t size, const char *region, const char *interface,
                            char ret[HTTP_URL_MAX], struct error *e)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *token = reply_member(document, "token", json_type_object);
    json_object *catalog = reply_member(token ? token : document, "catalog", json_type_array);
    struct search s = {.region = region, .interface = *interface ? interface : "public"};
    if (!document)
        return error_form(e);
    if (!catalog)
        return error_set(
            e, -EHOSTUNREACH,
            "the catalog is empty: the token has no project; give a project, or a token with one");
    if (search_catalog(&s, catalog, ret))
        return 0;
    if (s.seen_used)
        return error_set(
            e, -EHOSTUNREACH,
            "the catalog has no key-manager for region %s and interface %s, but %s; set "
            "barbican_region_name and barbican_endpoint_type in [barbican], or OS_REGION_NAME and "
            "OS_INTERFACE",
            *region ? region : "(any)", s.interface, s.seen);
    return error_set(
        e, -EHOSTUNREACH,
        "the catalog has no service of type key-manager; set barbican_endpoint in [barbican] if there is "
        "a Barbican");
}
