/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which part of the caller's context says who asks. */
#include "barbican/openstack.h"

#include "base/fd.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_SECRET_MAX 4096

/* Reads a secret without the newline that mostly ends a password file. */
static int read_secret(int fd, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *room = NULL;
    int r = secret_new(HOST_SECRET_MAX, &room, e);
    if (r < 0)
        return r;
    size_t n = 0;
    for (;;) {
        ssize_t got = pread(fd, secret_bytes(room) + n, HOST_SECRET_MAX - n, (off_t)n);
        if (got < 0)
            return error_set(e, errno,
                             "[barbican_service_user]: its password, or secret, cannot be read: %m");
        if (got == 0)
            break;
        n += (size_t)got;
        if (n == HOST_SECRET_MAX)
            return error_set(
                e, -EINVAL,
                "[barbican_service_user]: the file with the password, or secret, is too long for one");
    }
    while (n > 0 && (secret_bytes(room)[n - 1] == '\n' || secret_bytes(room)[n - 1] == '\r'))
        n--;
    if (n == 0)
        return error_set(e, -EINVAL,
                         "[barbican_service_user]: the file with the password, or secret, is empty");
    r = secret_new(n, ret, e);
    if (r == 0)
        memcpy(secret_bytes(*ret), secret_peek(room), n);
    return r;
}

static int copy(char field[OPENSTACK_TEXT_MAX], const char *text, struct error *e)
{
    if (str_copy(field, OPENSTACK_TEXT_MAX, text) < 0)
        return error_set(e, -EINVAL, "[barbican_service_user]: a value is too long");
    return 0;
}

/* Refuses an application credential that is named and would not be used. */
static int check_host_type(const struct config *c, struct error *e)
{
    const char *unused = c->host_application_credential_id[0]     ? "application_credential_id"
                         : c->host_application_credential_name[0] ? "application_credential_name"
                                                                  : NULL;
    if (!unused || streq(c->host_auth_type, "v3applicationcredential"))
        return 0;
    return error_set(e, -EINVAL,
                     "[barbican_service_user] %s: has no effect with auth_type = %s; set auth_type = "
                     "v3applicationcredential, or remove it",
                     unused, c->host_auth_type);
}

static int from_host(const struct config *c, struct key_context *who, struct openstack *o, struct error *e)
{
    const struct {
        char *field;
        const char *text;
    } fields[] = {
        {o->auth_url, c->host_auth_url},
        {o->username, c->host_username},
        {o->user_id, c->host_user_id},
        {o->user_domain_name, c->host_user_domain_name},
        {o->project_name, c->host_project_name},
        {o->project_domain_name, c->host_project_domain_name},
        {o->auth_type, c->host_auth_type},
        {o->application_credential_id, c->host_application_credential_id},
        {o->application_credential_name, c->host_application_credential_name},
    };
    if (!c->host_auth_url[0] || who->host_secret_fd < 0)
        return error_set(
            e, -EACCES,
            "key manager barbican: there are no credentials%s; give OS_AUTH_URL and the rest (an openrc "
            "file), "
            "or --os-cloud, or give the host its own by [barbican_service_user] in the configuration",
            c->host_auth_url[0] ? ", and the host's password or secret cannot be read here" : "");
    o->is_host = true;
    memcpy(o->source, "[barbican_service_user]", sizeof "[barbican_service_user]");
    int r = check_host_type(c, e);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
        r = copy(fields[i].field, fields[i].text, e);
    struct secret **secret =
        streq(o->auth_type, "v3applicationcredential") ? &o->application_credential_secret : &o->password;
    return r < 0 ? r : read_secret(who->host_secret_fd, secret, e);
}

static int read_clouds(int fd, const char *file, const char *cloud, struct openstack_said *s, struct error *e)
{
    char *text = NULL;
    size_t size = 0;
    int r = fd_read_text(fd, OPENSTACK_YAML_MAX, &text, &size);
    if (r < 0)
        return error_set(e, r, "%s: cannot be read: %s", file, strerror(-r));
    r = openstack_parse_clouds(text, size, file, cloud, s->variables.region_name, s, e);
    explicit_bzero(text, size);
    free(text);
    return r;
}

/* Reads the cloud from either of the two files, or from both. */
static int read_cloud(const struct key_context *who, struct openstack_said *s, struct error *e)
{
    const int fds[] = {who->clouds_fd, who->secure_fd};
    static const char *const files[] = {"clouds.yaml", "secure.yaml"};
    struct error absent = ERROR_NONE;
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct error why = ERROR_NONE;
        int r = fds[i] >= 0 ? read_clouds(fds[i], files[i], who->cloud, s, &why) : -ENOENT;
        if (r < 0 && r != -ENOENT)
            return error_pass(e, r, &why);
        if (r < 0 && fds[i] >= 0)
            error_pass(&absent, r, &why);
        found = found || r == 0;
    }
    if (found)
        return 0;
    if (absent.errnum < 0)
        return error_pass(e, -ENOENT, &absent);
    return error_set(e, -ENOENT,
                     "cloud %s: there is no clouds.yaml, neither here, nor in ~/.config/openstack or "
                     "/etc/openstack, nor does OS_CLIENT_CONFIG_FILE name one",
                     who->cloud);
}

/* Whether the settings name a user. A region, a project or a CA alone may be left over from another
 * openrc. */
static bool says_who(const struct openstack *o)
{
    return o->auth_url[0] || o->username[0] || o->user_id[0] || o->token || o->application_credential_secret;
}

static int from_caller(struct key_context *who, struct openstack *o, struct error *e)
{
    struct openstack_said *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    if (who->cloud[0])
        snprintf(o->source, sizeof o->source, "cloud %s of clouds.yaml", who->cloud);
    else
        snprintf(o->source, sizeof o->source, "OS_* variables");
    int r = who->environment ? openstack_parse_environment(who->environment, &s->variables, e) : 0;
    if (r == 0 && who->cloud[0])
        r = read_cloud(who, s, e);
    if (r == 0)
        r = openstack_merge(s, who->cloud[0], o, e);
    openstack_said_end(s);
    free(s);
    return r;
}

/* Uses the token, which has a project of its own, in place of the caller's other credentials and their
 * project. */
static int use_token(const struct config *c, struct key_context *who, struct openstack *o, struct error *e)
{
    secret_free(o->token);
    o->token = TAKE_PTR(who->token);
    o->project_id[0] = o->project_name[0] = o->domain_id[0] = o->domain_name[0] = '\0';
    memcpy(o->auth_type, "token", sizeof "token");
    snprintf(o->source, sizeof o->source, "--token-fd");
    return o->auth_url[0] ? 0 : copy(o->auth_url, c->host_auth_url, e);
}

/* Takes the file of certificates that was opened under this name before root was given up. */
static int take_ca(const struct config *c, const struct key_context *who, struct openstack *o,
                   struct error *e)
{
    if (!o->cacert[0] && str_copy(o->cacert, sizeof o->cacert, c->barbican_ca_file) < 0)
        return error_set(e, -EINVAL, "[barbican] verify_ssl_path: is too long");
    for (size_t i = 0; i < KEY_CA_MAX; i++)
        if (who->ca[i].fd >= 0 && streq(who->ca[i].path, o->cacert)) {
            int r = fd_read_text(who->ca[i].fd, OPENSTACK_CA_MAX, &o->ca, &o->ca_size);
            return r < 0 ? error_set(e, r, "%s: cannot be read: %s", o->cacert, strerror(-r)) : 0;
        }
    return 0;
}

int openstack_from_context(const struct config *c, struct key_context *who, struct openstack *ret,
                           struct error *e)
{
    *ret = (struct openstack){.is_host = false};
    int r = from_caller(who, ret, e);
    if (r == 0 && !says_who(ret) && !who->token && !who->cloud[0]) {
        openstack_end(ret);
        *ret = (struct openstack){.is_host = false};
        r = from_host(c, who, ret, e);
    }
    if (r == 0 && who->token)
        r = use_token(c, who, ret, e);
    if (r == 0)
        r = openstack_check(ret, e);
    return r < 0 ? r : take_ca(c, who, ret, e);
}
