/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Barbican's replies. -EBADMSG: the reply is not of the expected form; callers set the sentence. */
#pragma once

#include "keys/keymgr.h"

/* Reads the uuid at the end of {"secret_ref": "https://.../v1/secrets/UUID"} (`member` names it); -ENOENT:
 * not there. */
int reply_ref(const char *text, size_t size, const char *member, char ret_id[UUID_TEXT]) _must_check_;

enum order_state { ORDER_PENDING, ORDER_ACTIVE, ORDER_ERROR };
/* Reads an order: ret_id at ORDER_ACTIVE, ret_reason at ORDER_ERROR. */
int reply_order(const char *text, size_t size, enum order_state *ret, char ret_id[UUID_TEXT],
                char *ret_reason, size_t reason_size) _must_check_;

/* Stands for '+' in the name of a group, which Barbican's filter by names takes for a blank, however it is
 * escaped. */
#define SECRET_NAME_PLUS ':'

/* Whether it is the name of a key of this host: mayfly/HOST/VG/SCOPE/OWNER. Then VG, scope and owner go into
 * `ret`. HOST is NAME-ID. The same ID with another NAME is a copy of this host, or its former name: ret->host
 * gets that NAME. A HOST without '-' is compared as a whole. */
bool secret_name_parse(const char *name, const char *host, struct key_info *ret);

#define REPLY_PAGE 100 /* secrets on a page, at most: Barbican's own limit */

/* Reads a page of a list, and appends the keys of this host to *keys, which grows as needed. `ret_page` is
 * the number of secrets on the page, `ret_total` that of the whole list (0: not said). */
int reply_list(const char *text, size_t size, const char *host, struct key_info **keys, size_t *n_keys,
               size_t *ret_page, size_t *ret_total) _must_check_;

/* Reads the uuids of a list with the exact name. Returns how many were put into `ids`, or -EBADMSG. */
int reply_named(const char *text, size_t size, const char *name, char ids[][UUID_TEXT],
                size_t max) _must_check_;

/* Reads who may read the secret, from {"read": {"users": [...], "project-access": true}}. -E2BIG: more than
 * `max`. */
int reply_acl(const char *text, size_t size, char users[][KEY_USER_MAX], size_t max, size_t *ret_n,
              bool *ret_project) _must_check_;

/* Whether it is a JSON object. A proxy or a wrong server may answer 200 with something else. */
bool reply_is_object(const char *text, size_t size);

/* Whether Barbican refuses a secret beyond the project's quota. */
bool reply_says_quota(const char *text, size_t size);

/* Whether the body says {"code": 404}, as Barbican does. A proxy that knows no such path answers in another
 * form. */
bool reply_says_404(const char *text, size_t size);
