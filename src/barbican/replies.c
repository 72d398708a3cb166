/* SPDX-License-Identifier: Apache-2.0 */
/* See replies.h. */
#include "barbican/replies.h"

#include "barbican/json.h"
#include "barbican/message.h"
#include "base/str.h"

#include <stdio.h>
#include <time.h>

static bool ref_id(const char *ref, char ret_id[UUID_TEXT])
{
    const char *slash = strrchr(ref, '/');
    if (!slash || !uuid_valid(slash + 1))
        return false;
    memcpy(ret_id, slash + 1, UUID_TEXT);
    return true;
}

static bool member_id(json_object *object, const char *name, char ret_id[UUID_TEXT])
{
    char ref[1024];
    return reply_text(object, name, ref, sizeof ref) && ref_id(ref, ret_id);
}

int reply_ref(const char *text, size_t size, const char *member, char ret_id[UUID_TEXT])
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    if (!document)
        return -EBADMSG;
    return member_id(document, member, ret_id) ? 0 : -ENOENT;
}

int reply_order(const char *text, size_t size, enum order_state *ret, char ret_id[UUID_TEXT],
                char *ret_reason, size_t reason_size)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    char status[32];
    if (!reply_text(document, "status", status, sizeof status))
        return -EBADMSG;
    if (streq(status, "ACTIVE")) {
        *ret = ORDER_ACTIVE;
        return member_id(document, "secret_ref", ret_id) ? 0 : -EBADMSG;
    }
    *ret = streq(status, "ERROR") ? ORDER_ERROR : ORDER_PENDING;
    if (!reply_text(document, "error_reason", ret_reason, reason_size))
        snprintf(ret_reason, reason_size, "no reason is given");
    str_tame(ret_reason);
    return 0;
}

/* Takes the part up to the next slash. */
static bool next_part(const char **at, char *ret, size_t size)
{
    size_t n = strcspn(*at, "/");
    if (n == 0 || n >= size)
        return false;
    memcpy(ret, *at, n);
    ret[n] = '\0';
    *at += n + ((*at)[n] == '/');
    return true;
}

static bool take_group(const char **at, char ret[VG_NAME_MAX])
{
    if (!next_part(at, ret, VG_NAME_MAX))
        return false;
    for (char *c = ret; *c; c++)
        *c = *c == SECRET_NAME_PLUS ? '+' : *c;
    return volume_group_valid(ret);
}

/* Whether `part` (NAME-ID) has this host's id. `ret_other` gets the name if it is another than this host's,
 * else "". */
static bool is_host(const char *part, const char *host, char ret_other[KEY_HOST_MAX])
{
    const char *its = strrchr(part, '-'), *own = strrchr(host, '-');
    ret_other[0] = '\0';
    if (streq(part, host))
        return true;
    if (!its || !own || !own[1] || !streq(its, own))
        return false;
    int n = snprintf(ret_other, KEY_HOST_MAX, "%.*s", (int)(its - part), part);
    return n > 0 && n < KEY_HOST_MAX && str_made_of(ret_other, "-_.");
}

bool secret_name_parse(const char *name, const char *host, struct key_info *ret)
{
    char part[128], scope[16];
    if (!str_starts(name, "mayfly/"))
        return false;
    const char *at = name + strlen("mayfly/");
    if (!next_part(&at, part, sizeof part) || !is_host(part, host, ret->host) || !take_group(&at, ret->vg) ||
        !next_part(&at, scope, sizeof scope) || !uuid_valid(at))
        return false;
    if (key_scope_parse(scope, &ret->scope) < 0)
        return false;
    memcpy(ret->owner, at, UUID_TEXT);
    return true;
}

static bool take_secret(json_object *secret, const char *host, struct key_info *ret)
{
    char name[512], id[UUID_TEXT], status[32], created[64];
    struct tm tm = {0};
    json_object *bits = reply_member(secret, "bit_length", json_type_int);
    int64_t n = bits ? json_object_get_int64(bits) : 0;
    *ret = (struct key_info){.id = ""};
    if (!reply_text(secret, "name", name, sizeof name) || !secret_name_parse(name, host, ret) ||
        !member_id(secret, "secret_ref", id) || n < KEY_BITS_MIN || n > KEY_BITS_MAX)
        return false;
    if (reply_text(secret, "status", status, sizeof status) && !streq(status, "ACTIVE"))
        return false;
    memcpy(ret->id, id, sizeof id);
    ret->bits = (uint32_t)n;
    if (reply_text(secret, "created", created, sizeof created) && strptime(created, "%Y-%m-%dT%H:%M:%S", &tm))
        ret->created_sec = (uint64_t)timegm(&tm);
    return true;
}

int reply_list(const char *text, size_t size, const char *host, struct key_info **keys, size_t *n_keys,
               size_t *ret_page, size_t *ret_total)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *secrets = reply_member(document, "secrets", json_type_array);
    if (!secrets)
        return -EBADMSG;
    size_t n = json_object_array_length(secrets);
    if (n > REPLY_PAGE)
        return -EBADMSG;
    struct key_info *bigger = reallocarray(*keys, *n_keys + n + 1, sizeof *bigger);
    if (!bigger)
        return -ENOMEM;
    *keys = bigger;
    for (size_t i = 0; i < n; i++)
        if (take_secret(json_object_array_get_idx(secrets, i), host, &bigger[*n_keys]))
            (*n_keys)++;
    json_object *total = reply_member(document, "total", json_type_int);
    int64_t count = total ? json_object_get_int64(total) : 0;
    *ret_page = n;
    *ret_total = count > 0 ? (size_t)count : 0;
    return 0;
}

int reply_named(const char *text, size_t size, const char *name, char ids[][UUID_TEXT], size_t max)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *secrets = reply_member(document, "secrets", json_type_array);
    size_t found = 0;
    if (!secrets)
        return -EBADMSG;
    for (size_t i = 0; i < json_object_array_length(secrets) && found < max; i++) {
        json_object *secret = json_object_array_get_idx(secrets, i);
        char its[512];
        if (reply_text(secret, "name", its, sizeof its) && streq(its, name) &&
            member_id(secret, "secret_ref", ids[found]))
            found++;
    }
    return (int)found;
}

int reply_acl(const char *text, size_t size, char users[][KEY_USER_MAX], size_t max, size_t *ret_n,
              bool *ret_project)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *read = reply_member(document, "read", json_type_object);
    json_object *list = reply_member(read, "users", json_type_array);
    json_object *project = reply_member(read, "project-access", json_type_boolean);
    /* a list that is read in part would be written back without the rest */
    if (!read || (!list && json_object_object_get_ex(read, "users", NULL)) ||
        (!project && json_object_object_get_ex(read, "project-access", NULL)))
        return -EBADMSG;
    *ret_n = 0;
    *ret_project = !project || json_object_get_boolean(project);
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        json_object *user = json_object_array_get_idx(list, i);
        if (!json_object_is_type(user, json_type_string) || *ret_n == max)
            return json_object_is_type(user, json_type_string) ? -E2BIG : -EBADMSG;
        const char *id = json_object_get_string(user);
        if (!*id || !str_made_of(id, "-_") || str_copy(users[*ret_n], KEY_USER_MAX, id) < 0)
            return -EBADMSG;
        (*ret_n)++;
    }
    return 0;
}

bool reply_is_object(const char *text, size_t size)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    return document;
}

bool reply_says_quota(const char *text, size_t size)
{
    char message[MESSAGE_MAX];
    reply_message(text, size, message, sizeof message);
    return strcasestr(message, "quota");
}

bool reply_says_404(const char *text, size_t size)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *error = reply_member(document, "error", json_type_object);
    json_object *code = reply_member(error ? error : document, "code", json_type_int);
    return code && json_object_get_int64(code) == 404;
}
