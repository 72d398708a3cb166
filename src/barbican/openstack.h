/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, in OpenStack's terms: made from the caller's context, in the order of the rows
 *
 *     --token-fd           that token; where the cloud is, from the next rows
 *     --os-cloud, OS_CLOUD a cloud of clouds.yaml (and secure.yaml)
 *     OS_AUTH_URL, ...     the variables that the openstack command reads
 *     (none of these)      the host itself: [barbican_service_user] and its password
 *
 * Variables: docs.openstack.org/python-openstackclient/latest/cli/man/openstack.html; clouds.yaml:
 * docs.openstack.org/openstacksdk/latest/user/config/configuration.html. Bad or missing values give one
 * sentence that names the variable or the file and line; OS_INSECURE, `verify: false` and identity API v2 are
 * refused
 * (-EINVAL). No credentials at all: -EACCES, and the sentence says what could be given.
 */
#pragma once

#include "config/config.h"
#include "keys/context.h"

#define OPENSTACK_NAME_MAX 256

enum openstack_auth { OPENSTACK_PASSWORD, OPENSTACK_APPLICATION_CREDENTIAL, OPENSTACK_TOKEN };

/* A name and the name or id of its domain, or an id alone; "" is unset. */
struct openstack_name {
    char id[OPENSTACK_NAME_MAX];
    char name[OPENSTACK_NAME_MAX];
    char domain_id[OPENSTACK_NAME_MAX];
    char domain_name[OPENSTACK_NAME_MAX];
};

struct openstack {
    char source[192]; /* for messages: "cloud lab of clouds.yaml", "OS_* variables", "[barbican_service_user]"
                       */
    bool is_host;     /* the host's own service user */
    enum openstack_auth auth;
    char auth_url[OPENSTACK_NAME_MAX]; /* ends with /v3, no slash behind */
    struct openstack_name user;        /* also owner of an application credential that is given by name */
    struct openstack_name project;
    struct openstack_name credential; /* application credential: id or name */
    struct secret *secret;            /* password, secret of the application credential, or token */
    char region[OPENSTACK_NAME_MAX];
    char interface[16];                /* public, internal, admin; "": not said */
    char ca_file[PATH_MAX];            /* "": not said */
    char endpoint[OPENSTACK_NAME_MAX]; /* of Barbican, where it overrides the catalog */
};

/* Takes what it needs out of `who`, whose secrets and files may be used up by it. *ret is to be freed with
 * openstack_end(), also after an error. */
int openstack_from_context(const struct config *c, struct key_context *who, struct openstack *ret,
                           struct error *e) _must_check_;
void openstack_end(struct openstack *o);

/* The same, parser by parser. `environment` as in struct key_context. */
int openstack_parse_environment(const struct secret *environment, struct openstack *ret,
                                struct error *e) _must_check_;
/* `fd`: clouds.yaml or secure.yaml, `file` its name for messages; what it has for `cloud` is laid over *ret.
 * -ENOENT: no such cloud in it. */
int openstack_parse_clouds(int fd, const char *file, const char *cloud, struct openstack *ret,
                           struct error *e) _must_check_;
/* For the fuzzer and the tests: the same for text. */
int openstack_parse_clouds_text(const struct secret *text, const char *file, const char *cloud,
                                struct openstack *ret, struct error *e) _must_check_;
