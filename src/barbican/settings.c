/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a caller, one by one, from any source; and which of two sources wins. */
#include "barbican/openstack.h"

#include "base/str.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

enum kind { PLAIN, AUTH, SCOPE, VARIABLE };

static const struct setting {
    const char *name;
    size_t offset;
    enum kind kind;
} settings[] = {
#define SETTING(name, kind) {#name, offsetof(struct openstack, name), kind},
#include "barbican/settings.def"
#undef SETTING
};

static const struct setting secrets[] = {
    {"password", offsetof(struct openstack, password), AUTH},
    {"token", offsetof(struct openstack, token), SCOPE},
    {"application_credential_secret", offsetof(struct openstack, application_credential_secret), AUTH},
};

/* Other names for the same setting. */
static const struct {
    const char *name, *meaning;
} aliases[] = {
    {"user_name", "username"},
    {"auth_token", "token"},
    {"ca_file", "cacert"},
    {"auth_plugin", "auth_type"},
};

/* Settings that Mayfly cannot obey. They are refused, since without them something else would happen than the
 * caller means. */
static const struct {
    const char *name, *reason;
} refused[] = {
    {"insecure", NULL},
    {"cert", "asks for a client certificate, which Mayfly cannot send; use a password, an application "
             "credential or a "
             "token"},
    {"key", "names the key of a client certificate, which Mayfly cannot send; use a password, an application "
            "credential "
            "or a token"},
    {"profile",
     "names a profile, and Mayfly knows no profiles of vendors; write auth_url and the rest into the cloud "
     "itself"},
    {"cloud",
     "names a profile, and Mayfly knows no profiles of vendors; write auth_url and the rest into the cloud "
     "itself"},
    {"trust_id",
     "asks for a token of a trust, which Mayfly cannot get; use an application credential, or a token "
     "(openstack token issue)"},
    {"system_scope", "asks for a token of the system, which has no secrets in Barbican; name a project"},
    {"passcode", "is a second factor, which Mayfly cannot give; use an application credential, or a token "
                 "(openstack token issue)"},
    {"service_provider",
     "asks for a token of another cloud (Keystone to Keystone), which Mayfly cannot get; give a "
     "token (openstack token issue)"},
    {"remote_project_id",
     "asks for a project of another cloud (Keystone to Keystone), which Mayfly cannot get; give a "
     "token"},
    {"remote_project_name",
     "asks for a project of another cloud (Keystone to Keystone), which Mayfly cannot get; give a "
     "token"},
    {"identity_provider",
     "asks for a federated login, which Mayfly cannot do; give a token (openstack token issue)"},
    {"protocol", "asks for a federated login, which Mayfly cannot do; give a token (openstack token issue)"},
};

const char *openstack_setting(size_t i)
{
    const size_t ends[] = {ARRAY_SIZE(settings), ARRAY_SIZE(secrets), ARRAY_SIZE(aliases),
                           ARRAY_SIZE(refused)};
    if (i < ends[0])
        return settings[i].name;
    if ((i -= ends[0]) < ends[1])
        return secrets[i].name;
    if ((i -= ends[1]) < ends[2])
        return aliases[i].name;
    i -= ends[2];
    return i < ends[3] ? refused[i].name : NULL;
}

static bool is_word(const char *const words[4], const char *value, size_t size)
{
    for (size_t i = 0; i < 4; i++)
        if (strlen(words[i]) == size && strncasecmp(words[i], value, size) == 0)
            return true;
    return false;
}

static bool is_true(const char *value, size_t size)
{
    return is_word((const char *const[]){"true", "yes", "on", "1"}, value, size);
}

static bool is_false(const char *value, size_t size)
{
    return is_word((const char *const[]){"false", "no", "off", "0"}, value, size);
}

static int refuse(const char *name, const char *value, size_t size, const char *where, struct error *e)
{
    if ((streq(name, "insecure") && is_true(value, size)) || (streq(name, "verify") && is_false(value, size)))
        return error_set(
            e, -EINVAL,
            "%s: asks for TLS without a check of certificates, which Mayfly never does; name the "
            "certificate of your CA by OS_CACERT, cacert, or [barbican] verify_ssl_path",
            where);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (size > 0 && refused[i].reason && streq(name, refused[i].name))
            return error_set(e, -EINVAL, "%s: %s", where, refused[i].reason);
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
    int r = refuse(name, value, size, where, e);
    if (r < 0)
        return r;
    if (streq(name, "verify") && is_true(value, size)) /* any other value names a file */
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (streq(name, secrets[i].name))
            return set_secret((struct secret **)((char *)o + secrets[i].offset), value, size, e);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (streq(name, settings[i].name))
            return set_text((char *)o + settings[i].offset, value, size, where, e);
    return 0;
}

int openstack_parse_environment(const struct secret *environment, struct openstack *variables,
                                struct error *e)
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
            /* OS_CLOUD has chosen the cloud already; OS_PROFILE is a key for osprofiler */
            bool other = streq(name, "cloud") || streq(name, "profile");
            int r =
                other ? 0
                      : openstack_set(variables, name, equals + 1, (size_t)(stop - equals - 1), variable, e);
            if (r < 0)
                return r;
        }
        at = stop + 1;
    }
    return 0;
}

/* --- precedence --- */

/* Makes the name of the variable that sets it. */
static void variable_of(const char *name, char ret[64])
{
    snprintf(ret, 64, "OS_%s", name);
    for (char *c = ret; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static char *text_at(const struct openstack *o, const struct setting *s)
{
    return (char *)o + s->offset;
}

/* Sets the error: a variable cannot replace the project of a cloud; the openstack command ignores it
 * silently. */
static int error_contradicts(const struct setting *s, const char *source, struct error *e)
{
    char variable[64];
    variable_of(s->name, variable);
    return error_set(
        e, -EINVAL,
        "%s: contradicts %s of the %s, which goes before it; unset the variable, or take another cloud",
        variable, s->name, source);
}

static int merge_text(const struct openstack_said *said, bool has_cloud, const struct setting *s,
                      struct openstack *ret, struct error *e)
{
    const char *cloud = text_at(&said->cloud, s), *auth = text_at(&said->auth, s);
    const char *variable = text_at(&said->variables, s), *chosen = NULL;
    if (s->kind == SCOPE) {
        chosen = *auth ? auth : *cloud ? cloud : variable;
        if (*variable && !streq(variable, chosen))
            return error_contradicts(s, ret->source, e);
    } else if (s->kind == VARIABLE && has_cloud) {
        chosen = cloud;
        if (*variable && !streq(variable, chosen)) {
            char name[64];
            variable_of(s->name, name);
            return error_set(
                e, -EINVAL,
                "%s: has no effect beside a cloud of clouds.yaml; write %s into the %s, or unset it", name,
                s->name, ret->source);
        }
    } else
        chosen = *variable ? variable : *cloud ? cloud : auth;
    memcpy(text_at(ret, s), chosen, strlen(chosen) + 1);
    return 0;
}

static int merge_secret(struct openstack_said *said, const struct setting *s, struct openstack *ret,
                        struct error *e)
{
    struct secret **cloud = (struct secret **)text_at(&said->cloud, s);
    struct secret **auth = (struct secret **)text_at(&said->auth, s);
    struct secret **variable = (struct secret **)text_at(&said->variables, s);
    struct secret **file = (s->kind == SCOPE ? *auth != NULL : *cloud == NULL) ? auth : cloud;
    if (s->kind == SCOPE && *file && *variable)
        return error_contradicts(s, ret->source, e);
    struct secret **chosen = *variable ? variable : file, **field = (struct secret **)text_at(ret, s);
    *field = TAKE_PTR(*chosen);
    return 0;
}

/* Refuses a name in a variable beside an id in the file: an id wins over a name, so it would have no
 * effect. */
static int check_names(const struct openstack_said *said, const struct openstack *o, struct error *e)
{
    static const struct {
        size_t id, name;
        struct setting variable;
    } pairs[] = {
#define PAIR(id, name)                                                                                       \
    {                                                                                                        \
        offsetof(struct openstack, id), offsetof(struct openstack, name),                                    \
        {                                                                                                    \
#name, offsetof(struct openstack, name), SCOPE                                                   \
        }                                                                                                    \
    }
        PAIR(project_id, project_name),
        PAIR(user_domain_id, user_domain_name),
        PAIR(project_domain_id, project_domain_name),
#undef PAIR
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const char *variable_id = (const char *)&said->variables + pairs[i].id;
        const char *variable_name = (const char *)&said->variables + pairs[i].name;
        const char *file_name = (const char *)&said->auth + pairs[i].name;
        file_name = *file_name ? file_name : (const char *)&said->cloud + pairs[i].name;
        const char *id = (const char *)o + pairs[i].id;
        if (*variable_name && !*variable_id && !*file_name && *id)
            return error_contradicts(&pairs[i].variable, o->source, e);
    }
    return 0;
}

/* Merges names for the same setting: newer ones win over old ones, and names for this service win over
 * general ones. */
static void merge_synonyms(struct openstack *o)
{
    openstack_fill(o->project_name, o->tenant_name);
    openstack_fill(o->project_id, o->tenant_id);
    openstack_fill(o->endpoint_type, o->interface);
    openstack_fill(o->key_manager_endpoint_type, o->key_manager_interface);
    openstack_fill(o->key_manager_endpoint_type, o->endpoint_type);
    memcpy(o->interface, o->key_manager_endpoint_type, sizeof o->interface);
    openstack_fill(o->key_manager_region_name, o->region_name);
    memcpy(o->region_name, o->key_manager_region_name, sizeof o->region_name);
    openstack_fill(o->cacert, o->verify);
}

/* Refuses a variable for all services that differs from the cloud's setting for this service, which wins. */
static int check_interface_of(const struct openstack_said *said, const struct openstack *o, struct error *e)
{
    static const struct setting interface = {"interface", 0, PLAIN};
    const char *variable = said->variables.interface;
    return *variable && !str_starts(o->interface, variable) ? error_contradicts(&interface, o->source, e) : 0;
}

/* Chooses a region of those in the file: no others exist, and the first one is the cloud's default. */
static int choose_region(const struct openstack_said *said, struct openstack *o, struct error *e)
{
    const char *wanted = said->variables.region_name;
    for (size_t i = 0; i < said->n_regions; i++)
        if (!*wanted || streq(wanted, said->regions[i])) {
            memcpy(o->region_name, said->regions[i], sizeof o->region_name);
            return 0;
        }
    if (said->n_regions > 0)
        return error_set(e, -EINVAL, "OS_REGION_NAME: %s is not a region of the %s, which has %s%s", wanted,
                         o->source, said->regions[0], said->n_regions > 1 ? " and others" : "");
    return 0;
}

int openstack_merge(struct openstack_said *s, bool has_cloud, struct openstack *ret, struct error *e)
{
    int r = 0;
    openstack_fill(s->variables.project_name, s->variables.tenant_name);
    openstack_fill(s->variables.project_id, s->variables.tenant_id);
    s->variables.tenant_name[0] = s->variables.tenant_id[0] = '\0';
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settings); i++)
        r = merge_text(s, has_cloud, &settings[i], ret, e);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(secrets); i++)
        r = merge_secret(s, &secrets[i], ret, e);
    if (r == 0)
        r = check_names(s, ret, e);
    if (r == 0)
        r = choose_region(s, ret, e);
    if (r == 0)
        merge_synonyms(ret);
    return r == 0 && has_cloud ? check_interface_of(s, ret, e) : r;
}

void openstack_end(struct openstack *o)
{
    o->password = secret_free(o->password);
    o->token = secret_free(o->token);
    o->application_credential_secret = secret_free(o->application_credential_secret);
    o->secret = secret_free(o->secret);
    free(o->ca);
    o->ca = NULL;
}

void openstack_said_end(struct openstack_said *s)
{
    openstack_end(&s->cloud);
    openstack_end(&s->auth);
    openstack_end(&s->variables);
}
