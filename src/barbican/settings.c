/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller says of himself, setting by setting, from whatever source. */
#include "barbican/openstack.h"

#include "base/str.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

static const struct {
    const char *name;
    size_t offset;
} settings[] = {
#define SETTING(name) {#name, offsetof(struct openstack, name)},
#include "barbican/settings.def"
#undef SETTING
};

static const struct {
    const char *name;
    size_t offset;
} secrets[] = {
    {"password", offsetof(struct openstack, password)},
    {"token", offsetof(struct openstack, token)},
    {"application_credential_secret", offsetof(struct openstack, application_credential_secret)},
};

/* Other names for the same. */
static const struct {
    const char *name, *meaning;
} aliases[] = {
    {"tenant_name", "project_name"}, {"tenant_id", "project_id"}, {"endpoint_type", "interface"},
    {"user_name", "username"},       {"auth_token", "token"},     {"default_domain_name", "default_domain"},
    {"ca_file", "cacert"},
};

static bool is_true(const char *value, size_t size)
{
    static const char *const words[] = {"true", "yes", "on", "1"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == size && strncasecmp(words[i], value, size) == 0)
            return true;
    return false;
}

/* What would have to be obeyed, and is not: to pass over it in silence would do what the caller did not mean.
 */
static int refuse(const char *name, const char *value, size_t size, const char *where, struct error *e)
{
    bool on = is_true(value, size);
    if (size == 0)
        return 0;
    if ((streq(name, "insecure") && on) || (streq(name, "verify") && !on))
        return error_set(
            e, -EINVAL,
            "%s: asks for TLS without a check of certificates, which Mayfly never does; name the "
            "certificate of your CA by OS_CACERT, cacert, or [barbican] verify_ssl_path",
            where);
    if (streq(name, "cert") || streq(name, "key"))
        return error_set(e, -EINVAL,
                         "%s: asks for a client certificate, which Mayfly cannot send; use a password, an "
                         "application credential or a token",
                         where);
    if (streq(name, "profile"))
        return error_set(
            e, -EINVAL,
            "%s: names a profile, and Mayfly knows no profiles of vendors; write auth_url and the "
            "rest into the cloud itself",
            where);
    return 0;
}

static int set_text(char *field, const char *value, size_t size, const char *where, struct error *e)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
            return error_set(e, -EINVAL, "%s: has control characters in it", where);
    if (size >= OPENSTACK_TEXT_MAX)
        return error_set(e, -EINVAL, "%s: is longer than %d characters", where, OPENSTACK_TEXT_MAX - 1);
    memcpy(field, value, size);
    field[size] = '\0';
    return 0;
}

static int set_secret(struct secret **field, const char *value, size_t size, struct error *e)
{
    *field = secret_free(*field);
    if (size == 0)
        return 0;
    int r = secret_new(size, field, e);
    if (r == 0)
        memcpy(secret_bytes(*field), value, size);
    return r;
}

int openstack_set(struct openstack *o, const char *name, const char *value, size_t size, const char *where,
                  struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
        if (streq(name, aliases[i].name))
            name = aliases[i].meaning;
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (streq(name, secrets[i].name))
            return set_secret((struct secret **)((char *)o + secrets[i].offset), value, size, e);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (streq(name, settings[i].name))
            return set_text((char *)o + settings[i].offset, value, size, where, e);
    return refuse(name, value, size, where, e);
}

int openstack_parse_environment(const struct secret *environment, struct openstack *ret, struct error *e)
{
    const char *at = (const char *)secret_peek(environment), *end = at + secret_size(environment);
    while (at < end) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        stop = stop ? stop : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        char variable[64] = "", name[64] = "";
        size_t n = equals ? (size_t)(equals - at) : 0;
        if (n > 3 && n < sizeof variable && strncmp(at, "OS_", 3) == 0) {
            memcpy(variable, at, n);
            for (size_t i = 3; i < n; i++)
                name[i - 3] = (char)tolower((unsigned char)variable[i]);
            str_tame(variable);
            int r = openstack_set(ret, name, equals + 1, (size_t)(stop - equals - 1), variable, e);
            if (r < 0)
                return r;
        }
        at = stop + 1;
    }
    return 0;
}

/* --- the whole --- */

static int choose_auth(struct openstack *o, struct error *e)
{
    const char *type = o->auth_type;
    if (str_starts(type, "v3"))
        type += 2;
    if (streq(type, "password"))
        o->auth = OPENSTACK_PASSWORD;
    else if (streq(type, "applicationcredential"))
        o->auth = OPENSTACK_APPLICATION_CREDENTIAL;
    else if (streq(type, "token"))
        o->auth = OPENSTACK_TOKEN;
    else if (*type)
        return error_set(e, -EINVAL,
                         "%s: the authentication type %.40s is none of those that Mayfly knows: password, "
                         "v3applicationcredential, token",
                         o->source, o->auth_type);
    else if (o->application_credential_secret)
        o->auth = OPENSTACK_APPLICATION_CREDENTIAL;
    else
        o->auth = o->token && !o->password ? OPENSTACK_TOKEN : OPENSTACK_PASSWORD;
    return 0;
}

static int missing(const struct openstack *o, const char *what, struct error *e)
{
    return error_set(e, -EACCES, "%s: %s is missing from the credentials; see CREDENTIALS in mayfly(1)",
                     o->source, what);
}

static int check_password(struct openstack *o, struct error *e)
{
    if (!o->user_domain_id[0] && !o->user_domain_name[0]) {
        memcpy(o->user_domain_id, o->default_domain_id, sizeof o->user_domain_id);
        memcpy(o->user_domain_name, o->default_domain, sizeof o->user_domain_name);
    }
    if (!o->project_domain_id[0] && !o->project_domain_name[0]) {
        memcpy(o->project_domain_id, o->default_domain_id, sizeof o->project_domain_id);
        memcpy(o->project_domain_name, o->default_domain, sizeof o->project_domain_name);
    }
    if (!o->user_id[0] && !o->username[0])
        return missing(o, "the user (username, user_id)", e);
    if (!o->user_id[0] && !o->user_domain_id[0] && !o->user_domain_name[0])
        return missing(o, "the user's domain (user_domain_name, user_domain_id)", e);
    if (!o->project_id[0] && !o->project_name[0])
        return missing(o, "the project (project_name, project_id)", e);
    if (!o->project_id[0] && !o->project_domain_id[0] && !o->project_domain_name[0])
        return missing(o, "the project's domain (project_domain_name, project_domain_id)", e);
    if (!o->password)
        return missing(o, "the password", e);
    o->secret = TAKE_PTR(o->password);
    return 0;
}

static int check_application_credential(struct openstack *o, struct error *e)
{
    if (!o->application_credential_id[0] && !o->application_credential_name[0])
        return missing(o, "application_credential_id", e);
    if (!o->application_credential_id[0] && !o->user_id[0] &&
        (!o->username[0] || (!o->user_domain_id[0] && !o->user_domain_name[0])))
        return missing(o, "the user that application_credential_name belongs to", e);
    if (!o->application_credential_secret)
        return missing(o, "application_credential_secret", e);
    o->secret = TAKE_PTR(o->application_credential_secret);
    return 0;
}

/* "http://host:5000" and ".../v3/" both mean ".../v3". */
static int check_auth_url(struct openstack *o, struct error *e)
{
    if (!o->auth_url[0])
        return missing(o, "auth_url", e);
    size_t n = strlen(o->auth_url);
    while (n > 0 && o->auth_url[n - 1] == '/')
        o->auth_url[--n] = '\0';
    if (str_ends(o->auth_url, "/v2.0"))
        return error_set(e, -EINVAL, "%s: auth_url is that of version 2 of the identity API; use version 3",
                         o->source);
    if (!str_ends(o->auth_url, "/v3")) {
        if (n + 4 > sizeof o->auth_url)
            return error_set(e, -EINVAL, "%s: auth_url is too long", o->source);
        memcpy(o->auth_url + n, "/v3", 4);
    }
    return 0;
}

static int check_interface(struct openstack *o, struct error *e)
{
    static const char *const known[] = {"public", "internal", "admin"};
    if (!o->interface[0])
        return 0;
    if (str_ends(o->interface, "URL")) /* as in OS_ENDPOINT_TYPE */
        o->interface[strlen(o->interface) - 3] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (streq(o->interface, known[i]))
            return 0;
    return error_set(e, -EINVAL, "%s: the interface is %.40s, but there are public, internal and admin",
                     o->source, o->interface);
}

int openstack_check(struct openstack *o, struct error *e)
{
    if (o->identity_api_version[0] && o->identity_api_version[0] != '3')
        return error_set(e, -EINVAL, "%s: identity_api_version is %.20s, but Mayfly knows version 3 alone",
                         o->source, o->identity_api_version);
    int r = choose_auth(o, e);
    if (r == 0)
        r = check_auth_url(o, e);
    if (r == 0)
        r = check_interface(o, e);
    if (r < 0)
        return r;
    if (o->auth == OPENSTACK_APPLICATION_CREDENTIAL)
        return check_application_credential(o, e);
    if (o->auth == OPENSTACK_PASSWORD)
        return check_password(o, e);
    if (!o->token)
        return missing(o, "the token", e);
    o->secret = TAKE_PTR(o->token);
    return 0;
}

void openstack_end(struct openstack *o)
{
    o->password = secret_free(o->password);
    o->token = secret_free(o->token);
    o->application_credential_secret = secret_free(o->application_credential_secret);
    o->secret = secret_free(o->secret);
}
