/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the things that a context may hold says who asks. */
#include "barbican/openstack.h"

#include "base/fd.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_SECRET_MAX 4096

/* A password file ends with a newline, mostly. */
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
                             "[barbican_service_user]: the password of the host cannot be read: %m");
        if (got == 0)
            break;
        n += (size_t)got;
        if (n == HOST_SECRET_MAX)
            return error_set(e, -EINVAL,
                             "[barbican_service_user]: the file with the password is too long for one");
    }
    while (n > 0 && (secret_bytes(room)[n - 1] == '\n' || secret_bytes(room)[n - 1] == '\r'))
        n--;
    if (n == 0)
        return error_set(e, -EINVAL, "[barbican_service_user]: the file with the password is empty");
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

static int from_host(const struct config *c, struct key_context *who, struct openstack *o, struct error *e)
{
    const struct {
        char *field;
        const char *text;
    } fields[] = {
        {o->auth_url, c->host_auth_url},         {o->username, c->host_username},
        {o->user_id, c->host_user_id},           {o->user_domain_name, c->host_user_domain_name},
        {o->project_name, c->host_project_name}, {o->project_domain_name, c->host_project_domain_name},
    };
    if (!c->host_auth_url[0] || who->host_secret_fd < 0)
        return error_set(
            e, -EACCES,
            "no credentials: give OS_AUTH_URL and the rest (an openrc file), or --os-cloud; or give the "
            "host its own: [barbican_service_user] in the configuration%s",
            c->host_auth_url[0] ? ", whose password cannot be read here" : "");
    o->is_host = true;
    memcpy(o->source, "[barbican_service_user]", sizeof "[barbican_service_user]");
    memcpy(o->auth_type, "password", sizeof "password");
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
        r = copy(fields[i].field, fields[i].text, e);
    return r < 0 ? r : read_secret(who->host_secret_fd, &o->password, e);
}

static int read_clouds(int fd, const char *file, const char *cloud, struct openstack *o, struct error *e)
{
    char *text = NULL;
    size_t size = 0;
    int r = fd_read_text(fd, OPENSTACK_YAML_MAX, &text, &size);
    if (r < 0)
        return error_set(e, r, "%s: cannot be read: %s", file, strerror(-r));
    r = openstack_parse_clouds(text, size, file, cloud, o, e);
    explicit_bzero(text, size);
    free(text);
    return r;
}

static int from_cloud(struct key_context *who, struct openstack *o, struct error *e)
{
    snprintf(o->source, sizeof o->source, "cloud %s of clouds.yaml", who->cloud);
    if (who->clouds_fd < 0)
        return error_set(e, -ENOENT,
                         "cloud %s: there is no clouds.yaml, neither here, nor in ~/.config/openstack or "
                         "/etc/openstack, nor does OS_CLIENT_CONFIG_FILE name one",
                         who->cloud);
    int r = read_clouds(who->clouds_fd, "clouds.yaml", who->cloud, o, e);
    if (r < 0 || who->secure_fd < 0)
        return r;
    struct error why = ERROR_NONE;
    r = read_clouds(who->secure_fd, "secure.yaml", who->cloud, o, &why);
    return r < 0 && r != -ENOENT ? error_set(e, r, "%s", why.text) : 0;
}

/* OS_CLOUD, and what an openrc of another kind has left, is no answer to who asks. */
static bool says_who(const struct openstack *o)
{
    return o->auth_url[0] || o->username[0] || o->user_id[0] || o->token || o->application_credential_secret;
}

int openstack_from_context(const struct config *c, struct key_context *who, struct openstack *ret,
                           struct error *e)
{
    int r = 0;
    *ret = (struct openstack){.is_host = false};
    if (who->cloud[0])
        r = from_cloud(who, ret, e);
    else if (who->environment) {
        snprintf(ret->source, sizeof ret->source, "OS_* variables");
        r = openstack_parse_environment(who->environment, ret, e);
    }
    if (r == 0 && !says_who(ret) && !who->token && !who->cloud[0])
        r = from_host(c, who, ret, e);
    if (r < 0)
        return r;
    if (who->token) {
        ret->token = secret_free(ret->token);
        ret->token = TAKE_PTR(who->token);
        memcpy(ret->auth_type, "token", sizeof "token");
        snprintf(ret->source, sizeof ret->source, "--token-fd");
        if (!ret->auth_url[0])
            r = copy(ret->auth_url, c->host_auth_url, e);
    }
    if (r == 0)
        r = openstack_check(ret, e);
    return r;
}
