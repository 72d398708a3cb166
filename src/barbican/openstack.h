/* SPDX-License-Identifier: Apache-2.0 */
/* The caller in OpenStack's terms. They come from the first of these that the caller's context has:
 *
 *     --os-cloud, OS_CLOUD a cloud of clouds.yaml (and secure.yaml), with the variables laid over it
 *     OS_AUTH_URL, ...     the variables that the openstack command reads
 *     (none of these)      the host itself: [barbican_service_user], by a password or application credential
 *
 * and --token-fd puts its token in the place of the credentials of the first two.
 *
 * Mayfly reads the same as openstacksdk and the openstack command, by their rules. A setting that they would
 * take and Mayfly cannot obey is refused by its name. Variables:
 * docs.openstack.org/python-openstackclient/latest/cli/man/openstack.html; clouds.yaml:
 * docs.openstack.org/openstacksdk/latest/user/config/configuration.html. Bad or missing values give one
 * sentence that names the variable or the file (-EINVAL), and never a secret. No credentials at all: -EACCES,
 * and the sentence says what could be given.
 */
#pragma once

#include "config/config.h"
#include "keys/context.h"

#include <string.h>

#define OPENSTACK_TEXT_MAX 256
#define OPENSTACK_YAML_MAX ((size_t)1 << 20) /* bytes of clouds.yaml */

#define OPENSTACK_CA_MAX ((size_t)4 << 20) /* bytes of a file of certificates */

enum openstack_auth { OPENSTACK_PASSWORD, OPENSTACK_APPLICATION_CREDENTIAL, OPENSTACK_TOKEN };

struct openstack {
    char source[192]; /* for messages: "cloud lab of clouds.yaml", "OS_* variables", "[barbican_service_user]"
                       */
    bool is_host;     /* the host's own service user */
#define SETTING(name, kind) char name[OPENSTACK_TEXT_MAX]; /* "": not given; auth_url ends with /v3 */
#include "barbican/settings.def"
#undef SETTING
    struct secret *password, *token, *application_credential_secret; /* as given */

    enum openstack_auth auth;
    struct secret *secret; /* the one of the three that `auth` needs */
    char *ca;              /* the contents of the file `cacert`; NULL: not read yet, or none is given */
    size_t ca_size;
};

/* Moves secrets and files out of `who`. The caller ends *ret by openstack_end(), also after an error. */
int openstack_from_context(const struct config *c, struct key_context *who, struct openstack *ret,
                           struct error *e) _must_check_;
void openstack_end(struct openstack *o);

/* Decides which credentials are meant, and checks that they are complete. */
int openstack_check(struct openstack *o, struct error *e) _must_check_;

/* --- its parts, for the fuzzer and the tests --- */

/* The settings by their source: a cloud has settings of its own, and credentials below `auth`. */
#define OPENSTACK_REGIONS_MAX 64
struct openstack_said {
    struct openstack cloud, auth, variables; /* only settings and secrets */
    size_t n_regions;                        /* regions that the file knows */
    char regions[OPENSTACK_REGIONS_MAX][OPENSTACK_TEXT_MAX];
};
void openstack_said_end(struct openstack_said *s);

/* Sets the setting `name`. `where` is its source, for messages. */
int openstack_set(struct openstack *o, const char *name, const char *value, size_t size, const char *where,
                  struct error *e) _must_check_;
int openstack_parse_environment(const struct secret *environment, struct openstack *variables,
                                struct error *e) _must_check_;

/* Reads the cloud's settings in `text` into *s, over those that are there. `region` "": the cloud's first.
 * -ENOENT: the file has no such cloud. */
int openstack_parse_clouds(const char *text, size_t size, const char *file, const char *cloud,
                           const char *region, struct openstack_said *s, struct error *e) _must_check_;

/* Merges the three sources, and moves their secrets. `has_cloud`: a cloud was named. */
int openstack_merge(struct openstack_said *s, bool has_cloud, struct openstack *ret,
                    struct error *e) _must_check_;

/* Fills in a missing setting from one that stands for it. */
static inline void openstack_fill(char field[OPENSTACK_TEXT_MAX], const char other[OPENSTACK_TEXT_MAX])
{
    if (!*field)
        memcpy(field, other, OPENSTACK_TEXT_MAX);
}

/* Returns the i-th name that openstack_set() knows, with those that it refuses; NULL if there are no more. */
const char *openstack_setting(size_t i);
