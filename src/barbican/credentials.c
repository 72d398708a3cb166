/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which credentials are meant, and checks that they are complete. */
#include "barbican/openstack.h"

#include "base/str.h"

#include <stdio.h>

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
        return error_set(
            e, -EINVAL,
            "%s: the authentication type %.40s is unknown; use password, v3applicationcredential or "
            "token",
            o->source, o->auth_type);
    else if (o->password && (o->username[0] || o->user_id[0]))
        o->auth = OPENSTACK_PASSWORD; /* as in the openstack command, whatever else is given */
    else if (o->application_credential_secret)
        o->auth = OPENSTACK_APPLICATION_CREDENTIAL;
    else
        o->auth = o->token && !o->password ? OPENSTACK_TOKEN : OPENSTACK_PASSWORD;
    return 0;
}

static int missing(const struct openstack *o, const char *what, struct error *e)
{
    return error_set(e, -EACCES, "%s: %s is missing from the credentials; see mayfly-credentials(7)",
                     o->source, what);
}

static bool has_project(const struct openstack *o)
{
    return o->project_id[0] || o->project_name[0];
}

/* Takes a domain for that of project and user, beside a project. Alone it would be a scope of its own. */
static int take_domain(struct openstack *o, struct error *e)
{
    if (!o->domain_id[0] && !o->domain_name[0])
        return 0;
    if (!has_project(o))
        return error_set(
            e, -EINVAL,
            "%s: name a domain as the scope (domain_id, domain_name), which has no secrets in Barbican; name "
            "a project",
            o->source);
    openstack_fill(o->user_domain_id, o->domain_id);
    openstack_fill(o->user_domain_name, o->domain_name);
    openstack_fill(o->project_domain_id, o->domain_id);
    openstack_fill(o->project_domain_name, o->domain_name);
    return 0;
}

/* Takes OS_DEFAULT_DOMAIN, an id. The openstack command has "default" for it once version 3 is asked for. */
static void take_default_domain(struct openstack *o)
{
    const char *id = o->default_domain[0] ? o->default_domain : o->identity_api_version[0] ? "default" : "";
    if (!o->user_domain_id[0] && !o->user_domain_name[0])
        snprintf(o->user_domain_id, sizeof o->user_domain_id, "%s", id);
    if (!o->project_domain_id[0] && !o->project_domain_name[0])
        snprintf(o->project_domain_id, sizeof o->project_domain_id, "%s", id);
    openstack_fill(o->user_domain_id, o->default_domain_id);
    openstack_fill(o->user_domain_name, o->default_domain_name);
    openstack_fill(o->project_domain_id, o->default_domain_id);
    openstack_fill(o->project_domain_name, o->default_domain_name);
}

static int check_project(const struct openstack *o, struct error *e)
{
    if (!has_project(o))
        return missing(o, "the project (project_name, project_id)", e);
    if (!o->project_id[0] && !o->project_domain_id[0] && !o->project_domain_name[0])
        return missing(o, "the project's domain (project_domain_name, project_domain_id)", e);
    return 0;
}

static int check_password(struct openstack *o, struct error *e)
{
    take_default_domain(o);
    if (!o->user_id[0] && !o->username[0])
        return missing(o, "the user (username, user_id)", e);
    if (!o->user_id[0] && !o->user_domain_id[0] && !o->user_domain_name[0])
        return missing(o, "the user's domain (user_domain_name, user_domain_id)", e);
    int r = check_project(o, e);
    if (r < 0)
        return r;
    if (!o->password)
        return missing(o, "the password", e);
    o->secret = TAKE_PTR(o->password);
    return 0;
}

/* Checks a token: it is exchanged for one of the project if a project is given, else used as it is. */
static int check_token(struct openstack *o, struct error *e)
{
    if (!o->token)
        return missing(o, "the token", e);
    if (has_project(o))
        take_default_domain(o);
    int r = has_project(o) ? check_project(o, e) : 0;
    if (r == 0)
        o->secret = TAKE_PTR(o->token);
    return r;
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

/* Makes ".../v3" of the URL: "http://host:5000" and ".../v3/" both mean that. */
static int check_auth_url(struct openstack *o, struct error *e)
{
    if (!o->auth_url[0])
        return missing(o, "auth_url", e);
    if (strchr(o->auth_url, '{'))
        return error_set(e, -EINVAL,
                         "%s: auth_url has a {name} to be filled in, which Mayfly does not do; write it out",
                         o->source);
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
    if (str_ends(o->interface, "URL")) /* OS_ENDPOINT_TYPE may end so */
        o->interface[strlen(o->interface) - 3] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (streq(o->interface, known[i]))
            return 0;
    return error_set(e, -EINVAL, "%s: the interface %.40s does not exist; use public, internal or admin",
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
    if (r == 0 && o->auth != OPENSTACK_APPLICATION_CREDENTIAL)
        r = take_domain(o, e);
    if (r < 0)
        return r;
    if (o->auth == OPENSTACK_APPLICATION_CREDENTIAL)
        return check_application_credential(o, e);
    if (o->auth == OPENSTACK_PASSWORD)
        return check_password(o, e);
    return check_token(o, e);
}
