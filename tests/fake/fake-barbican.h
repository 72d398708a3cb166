/* SPDX-License-Identifier: Apache-2.0 */
/* Keystone and Barbican in memory, in the place of src/barbican/http*.c: what they keep can be looked at, and
 * each request can go wrong. Link it before the library `barbican`.
 *
 * They answer as the real ones of tests/barbican do, which run the same suite of key managers. */
#pragma once

#include "barbican/http.h"
#include "keys/keymgr.h"

#define FAKE_KEYSTONE "https://keystone.test/v3"
#define FAKE_BARBICAN "https://barbican.test:9311"
#define FAKE_CATALOG                                                                                         \
    "\"catalog\":[{\"type\":\"key-manager\",\"id\":\"5e4f1ce\",\"endpoints\":["                              \
    "{\"region_id\":\"R1\",\"interface\":\"public\",\"url\":\"" FAKE_BARBICAN "\"},"                         \
    "{\"region_id\":\"R1\",\"interface\":\"internal\",\"url\":\"" FAKE_BARBICAN "/\"},"                      \
    "{\"region_id\":\"R2\",\"interface\":\"public\",\"url\":\"" FAKE_BARBICAN "/v1\"}]}]"
#define FAKE_404         "{\"code\":404,\"title\":\"Not Found\",\"description\":\"Secret not found.\"}"
#define FAKE_SECRETS_MAX 64

struct fake_secret {
    bool there;
    char id[UUID_TEXT], name[256], mode[16];
    uint32_t bits;
    uint8_t payload[80];
    size_t size;
    char acl[4096];      /* JSON; "": everybody of the project */
    char consumer[256];  /* JSON; "": none */
    unsigned looks_left; /* it is seen for so many looks after it was destroyed; or an order still pends for
                            as many */
};

enum fake_mishap {
    ANSWERED,  /* `status` and `body`, and nothing is done */
    LOST,      /* it is done, but no answer comes */
    LATE,      /* no answer comes, and it is done only when it was looked for in vain */
    NOT_SENT,  /* nobody is there */
    PRETENDED, /* `status` and `body`, and it is done */
};

struct fake_fault {
    const char *where; /* METHOD URL, from /v3 or /v1 on, as it begins; NULL: none */
    unsigned after;    /* so many such requests go well first */
    unsigned times;    /* and so many fail; 0: all */
    enum fake_mishap how;
    long status;
    const char *body;     /* NULL: none */
    const char *location; /* NULL: none */
};

struct fake_barbican {
    struct fake_secret secrets[FAKE_SECRETS_MAX], orders[FAKE_SECRETS_MAX];
    size_t n_secrets, n_orders;
    struct fake_fault fault;
    unsigned logins;         /* since the start; the token is of the last */
    char login[1024];        /* the body of the last */
    char requests[1 << 15];  /* METHOD URL, each on a line */
    size_t page_max;         /* of a list; 0: as many as are asked for */
    unsigned vanish;         /* so many of the first secrets go when the first page was given */
    unsigned order_looks;    /* an order pends for so many looks */
    unsigned seen_destroyed; /* a secret is seen for so many looks after it was destroyed */
    const char *order_error; /* what an order ends in; NULL: a key */
    const char *type;        /* of a payload; NULL: as it is */
    int64_t ahead_sec;       /* their clock, of ours */
    struct {
        bool due;
        char body[1024];
    } late;
};
extern struct fake_barbican fake_barbican;

void fake_barbican_reset(void);
struct fake_secret *fake_barbican_add(const char *name, uint32_t bits); /* one that others made */
size_t fake_barbican_count(void);                                       /* secrets that are there */
unsigned fake_barbican_asked(const char *where);                        /* how many requests began so */
