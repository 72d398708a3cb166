/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, in OpenStack's terms: made from the caller's context, in the order of the rows
 *
 *     --os-cloud, OS_CLOUD a cloud of clouds.yaml (and secure.yaml)
 *     OS_AUTH_URL, ...     the variables that the openstack command reads
 *     (none of these)      the host itself: [barbican_service_user] and its password
 *
 * and --token-fd puts its token in the place of the credentials of the first two.
 *
 * Variables: docs.openstack.org/python-openstackclient/latest/cli/man/openstack.html; clouds.yaml:
 * docs.openstack.org/openstacksdk/latest/user/config/configuration.html. Bad or missing values give one
 * sentence that names the variable or the file (-EINVAL), and never a secret. No credentials at all: -EACCES,
 * and the sentence says what could be given.
 */
#pragma once

#include "config/config.h"
#include "keys/context.h"

#define OPENSTACK_TEXT_MAX 256
#define OPENSTACK_YAML_MAX ((size_t)1 << 20) /* bytes of clouds.yaml */

enum openstack_auth { OPENSTACK_PASSWORD, OPENSTACK_APPLICATION_CREDENTIAL, OPENSTACK_TOKEN };

struct openstack {
    char source[192]; /* for messages: "cloud lab of clouds.yaml", "OS_* variables", "[barbican_service_user]"
                       */
    bool is_host;     /* the host's own service user */
#define SETTING(name) char name[OPENSTACK_TEXT_MAX]; /* "": not said; auth_url ends with /v3 */
#include "barbican/settings.def"
#undef SETTING
    struct secret *password, *token, *application_credential_secret; /* as they were said */

    enum openstack_auth auth;
    struct secret *secret; /* the one of the three that `auth` needs */
};

/* Takes what it needs out of `who`, whose secrets and files are used up by it. *ret is to be freed with
 * openstack_end(), also after an error. */
int openstack_from_context(const struct config *c, struct key_context *who, struct openstack *ret,
                           struct error *e) _must_check_;
void openstack_end(struct openstack *o);

/* Its parts, for the fuzzer and the tests. Each lays what is said over *ret. `where` is the place, for
 * messages. */
int openstack_set(struct openstack *o, const char *name, const char *value, size_t size, const char *where,
                  struct error *e) _must_check_;
int openstack_parse_environment(const struct secret *environment, struct openstack *ret,
                                struct error *e) _must_check_;
/* -ENOENT: the file has no such cloud. */
int openstack_parse_clouds(const char *text, size_t size, const char *file, const char *cloud,
                           struct openstack *ret, struct error *e) _must_check_;
/* Decides which credentials are meant, and sees that nothing is missing. */
int openstack_check(struct openstack *o, struct error *e) _must_check_;
