/* SPDX-License-Identifier: Apache-2.0 */
/* The packets between mayfly and mayfly-keyagent (a socketpair, AF_UNIX, SOCK_SEQPACKET): fixed structs in
 * the host's own byte order, at most one descriptor a packet. Both ends are of one version, and were built
 * together.
 *
 *     mayfly                                     mayfly-keyagent
 *       | struct agent_hello -->                   |
 *       | struct agent_request GIVE [fd] -->       |  for each part of the caller's context that there is
 *       | struct agent_request ... [fd] -->        |
 *       | <-- struct agent_answer [fd]             |
 *       | <-- struct agent_answer [secrets]        |  after CREATE and FETCH, if there are any
 *       | struct agent_request DONE -->            |  the secrets were received
 *
 * Ids are the managers' own. mayfly alone judges places, and what an absent key proves (keys/place.c).
 * Neither end trusts the other, since mayfly-keyagent parses what comes from a network.
 */
#pragma once

#include "keys/keymgr.h"

#define AGENT_NAME_MAX    24
#define AGENT_KEYS_MAX    4096      /* keys of one request */
#define AGENT_RECORDS_MAX (1 << 18) /* records of one answer: a host may have more keys than one request */

/* Made from this header by the build: another header has another version. */
extern const uint32_t agent_version;

enum agent_op {
    AGENT_GIVE,   /* `n` is an enum agent_gift, `size` that of a secret; no answer */
    AGENT_OPEN,   /* all was given: answers whether the manager opened, and `lists_all` */
    AGENT_CREATE, /* fd: `n` struct key_info; answers n struct agent_id, then the secrets behind each other */
    AGENT_FETCH, /* fd: `n` struct agent_id; answers n struct agent_end, then the secrets that were fetched */
    AGENT_MAY_DESTROY, /* fd: `n` struct agent_id; answers n struct agent_end */
    AGENT_DESTROY,     /* fd: `n` struct agent_id; answers n struct agent_end */
    AGENT_LIST,        /* answers `n` struct key_info, and `incomplete` with its text */
    AGENT_PLACE,       /* n: whether to make a place; answers the place */
    AGENT_GRANT,       /* id, user ("": the host's), allowed; answers `n`: 1 if that was not so before */
    AGENT_DIAGNOSE,    /* answers `n` struct key_finding */
    AGENT_DONE,        /* no answer */
};

enum agent_gift {
    AGENT_ENVIRONMENT,
    AGENT_TOKEN,
    AGENT_CLOUDS,
    AGENT_SECURE,
    AGENT_HOST_SECRET,
    AGENT_CA, /* `path` is its name; up to KEY_CA_MAX of them */
    AGENT_GIFTS
};

struct agent_hello {
    uint32_t version; /* agent_version */
    char manager[AGENT_NAME_MAX];
    char cloud[KEY_CLOUD_MAX];
    struct config config;
};

struct agent_request {
    uint32_t op;
    uint32_t n;
    uint64_t size;
    char id[KEY_ID_MAX];
    char user[KEY_USER_MAX];
    char path[KEY_CA_PATH_MAX];
    uint8_t allowed;
};

struct agent_id {
    char id[KEY_ID_MAX];
};

/* The outcome of one key of several. */
struct agent_end {
    int32_t errnum;           /* 0 or a negative errno */
    uint32_t size;            /* of a secret that was fetched, else 0; bytes */
    struct error_parts parts; /* of text */
    char text[sizeof((struct error *)0)->text];
};

struct agent_answer {
    int32_t errnum; /* 0 or a negative errno */
    uint32_t n;
    uint64_t size;      /* of a secret; bytes */
    int32_t incomplete; /* 0 or a negative errno */
    uint8_t lists_all;
    char place[KEY_PLACE_MAX];
    struct key_asker asker;
    struct error_parts parts;                   /* of text */
    char text[sizeof((struct error *)0)->text]; /* of errnum, or of incomplete */
};

/* Whether it is 0 or a negative errno that the kernel may return. */
static inline bool agent_result_valid(int result)
{
    return result <= 0 && result > -4096;
}
