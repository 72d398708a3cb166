/* SPDX-License-Identifier: Apache-2.0 */
/* A key manager for mayfly-keyagent to serve, in the place of keyagent/managers.c. It is called "fake", looks
 * that what reaches it has its ends, and keeps what it was told. */
#pragma once

#include "keys/keymgr.h"

#define FAKE_PLACE "place.1"

struct fake_manager {
    bool refuses;          /* everything: -EACCES */
    bool refuses_keys;     /* everything but to be opened */
    bool incomplete;       /* its list is */
    unsigned opened, open; /* how often it was; how many are */
    unsigned asked;        /* operations */
    char last_id[KEY_ID_MAX], last_user[KEY_USER_MAX];

    /* of the context that it was opened with */
    char cloud[KEY_CLOUD_MAX];
    size_t environment_size, token_size; /* 0: there was none */
    bool clouds, secure, host_secret;
};
struct fake_manager *fake_manager(void);
