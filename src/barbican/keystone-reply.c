/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Keystone's replies: the token's body. catalog.c reads the catalog in it.
 * docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization */
#include "barbican/json.h"
#include "barbican/keystone.h"

#include "base/str.h"

#include <stdio.h>
#include <time.h>

int keystone_error_form(struct error *e)
{
    return error_set(e, -EHOSTUNREACH,
                     "its answer is not a Keystone token; check that auth_url is that of Keystone v3");
}

/* Reads "2026-11-22T21:05:48.000000Z", or without fraction and Z; always UTC. */
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
        return keystone_error_form(e);
    reply_text(user, "name", ret->user_name, sizeof ret->user_name);
    reply_text(project, "id", ret->project_id, sizeof ret->project_id);
    reply_text(project, "name", ret->project_name, sizeof ret->project_name);
    put_roles(token, ret->roles, sizeof ret->roles);
    ret->expires_sec = reply_text(token, "expires_at", expires, sizeof expires) ? parse_time(expires) : 0;
    return 0;
}
