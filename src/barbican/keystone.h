/* SPDX-License-Identifier: Apache-2.0 */
/* Keystone v3 (docs.openstack.org/api-ref/identity/v3): one token for a run, and where Barbican is.
 *
 * Errors: -EACCES the credentials are refused (401, or 403), with the way out; -EHOSTUNREACH as in http.h,
 * and if the reply is not Keystone's.
 */
#pragma once

#include "barbican/http.h"
#include "barbican/openstack.h"

struct keystone;

/* Sends no request yet. `who` and `h` are kept, and must outlive it. */
int keystone_open(const struct openstack *who, struct http *h, struct keystone **ret,
                  struct error *e) _must_check_;
struct keystone *keystone_close(struct keystone *k);
DEFINE_CLEANUP(struct keystone *, keystone_close)
#define _cleanup_keystone_ _cleanup_(keystone_closep)

/* Returns the token to send; logs in first if needed. A token that the caller gave is used as it is. */
int keystone_token(struct keystone *k, const struct secret **ret, struct error *e) _must_check_;

/* Logs in again after Barbican has answered 401: in a long run tokens expire. -EACCES: the last renewed token
 * has never worked, or the caller's own token is expired or revoked. */
int keystone_renew(struct keystone *k, struct error *e) _must_check_;

/* Notes that Barbican has accepted the token. */
void keystone_token_works(struct keystone *k);

/* Sets the error for a fresh token that Barbican has refused: -EACCES. */
int keystone_token_fails(const struct keystone *k, struct error *e);

/* A service of type key-manager in the catalog. All its interfaces have the same id. It may be in several
 * regions, with a Barbican in each. */
struct keystone_endpoint {
    char url[HTTP_URL_MAX]; /* without a trailing slash */
    char region[OPENSTACK_TEXT_MAX];
    char service_id[65];
};

/* Finds Barbican's endpoint in the catalog; logs in first, or asks for the catalog of a given token. `region`
 * "": the only one; `interface` "": public. -EINVAL: there are several. -EHOSTUNREACH: none is there. Both
 * sentences list the endpoints. */
int keystone_endpoint(struct keystone *k, const char *region, const char *interface,
                      struct keystone_endpoint *ret, struct error *e) _must_check_;

/* Finds the endpoint with this address, of any interface. Returns 0 also if the catalog has none: then
 * ret->service_id is "". */
int keystone_endpoint_by_url(struct keystone *k, const char *url, struct keystone_endpoint *ret,
                             struct error *e) _must_check_;

/* Facts from the login; "" and 0 before it. */
struct keystone_facts {
    char user_id[65], user_name[OPENSTACK_TEXT_MAX];
    char project_id[65], project_name[OPENSTACK_TEXT_MAX];
    char roles[256];      /* separated by ", " */
    int64_t expires_sec;  /* since 1970 */
    int64_t server_sec;   /* Keystone's clock (Date) when it answered */
    int64_t answered_sec; /* ours at the same moment */
};
const struct keystone_facts *keystone_facts(const struct keystone *k);

/* Whether it is a 401 to a right password that is not enough: {"required_auth_methods": ...}. */
bool keystone_wants_more(const char *text, size_t size);

/* Sets the error for a reply that is not Keystone's. */
int keystone_error_form(struct error *e);

/* The parsers of its replies, for keystone.c, the fuzzer and the tests. */
int keystone_parse_token(const char *text, size_t size, struct keystone_facts *ret,
                         struct error *e) _must_check_;
int keystone_parse_endpoint(const char *text, size_t size, const char *region, const char *interface,
                            struct keystone_endpoint *ret, struct error *e) _must_check_;
bool keystone_parse_url(const char *text, size_t size, const char *url, struct keystone_endpoint *ret);
