/* SPDX-License-Identifier: Apache-2.0 */
/* openstack-probe: prints whom the environment and the files that it leads to name, in the form of
 * openstacksdk.json, or `refused: SENTENCE`. The secrets of tests are none. */
#include "barbican/openstack.h"
#include "base/str.h"

#include <stdio.h>

static void print_named(const char *what, const char *id, const char *name, const char *domain_id,
                        const char *domain)
{
    if (*id)
        printf("%s=id %s\n", what, id);
    else if (*name)
        printf("%s=name %s of %s %s\n", what, name, *domain_id ? "id" : "name",
               *domain_id ? domain_id : domain);
}

static void print(const struct openstack *o)
{
    static const char *const kinds[] = {"password", "application_credential", "token"};
    printf("auth=%s\nauth_url=%s\n", kinds[o->auth], o->auth_url);
    if (o->auth == OPENSTACK_APPLICATION_CREDENTIAL)
        printf("user=id %s\n", o->application_credential_id);
    else {
        print_named("user", o->user_id, o->username, o->user_domain_id, o->user_domain_name);
        print_named("project", o->project_id, o->project_name, o->project_domain_id, o->project_domain_name);
    }
    printf("secret=%.*s\n", (int)secret_size(o->secret), (const char *)secret_peek(o->secret));
    printf("region=%s\ninterface=%s\ncacert=%s\nca=%.*s\n", o->region_name, o->interface, o->cacert,
           (int)strcspn(o->ca ? o->ca : "", "\n"), o->ca ? o->ca : "");
    printf("override=%s\n", o->key_manager_endpoint_override);
}

int main(void)
{
    static struct config c;
    struct key_context who;
    struct openstack o = {.is_host = false};
    struct error e = ERROR_NONE;
    config_defaults(&c);
    int r = key_context_take(&c, NULL, -1, &who, &e);
    if (r == 0)
        r = openstack_from_context(&c, &who, &o, &e);
    if (r == 0)
        print(&o);
    else
        printf("refused: %s\n", e.text);
    openstack_end(&o);
    key_context_end(&who);
    return 0;
}
