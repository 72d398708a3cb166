/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks a key manager, by the caller's environment, files and descriptors. The context is collected at the
 * start, before root is given up. Files are opened then, and only the manager reads them. If the context
 * names nobody, a manager may use the host's own credentials. */
#pragma once

#include "config/config.h"
#include "secret/secret.h"

#include <limits.h>

#define KEY_CLOUD_MAX       128
#define KEY_ENVIRONMENT_MAX 65536 /* bytes, of all the variables together */

/* A file of certificates that the caller's context names, opened before root was given up. The manager finds
 * it by `path`. */
#define KEY_CA_MAX      8
#define KEY_CA_PATH_MAX 256
struct key_ca {
    char path[KEY_CA_PATH_MAX]; /* as it was written */
    int fd;                     /* -1: none */
};

struct key_context {
    struct secret *environment;   /* "OS_USERNAME=alice\0OS_PASSWORD=...\0"; NULL: no such variable is set */
    struct secret *token;         /* as --token-fd gave it, without its newline; or NULL */
    char cloud[KEY_CLOUD_MAX];    /* --os-cloud, or OS_CLOUD; "": none */
    int clouds_fd;                /* clouds.yaml, not yet read; -1: none was found, or none is asked for */
    int secure_fd;                /* secure.yaml; or -1 */
    struct key_ca ca[KEY_CA_MAX]; /* the files of certificates that could be opened; not yet read */
    int host_secret_fd; /* the file with the password of the host's service user, or the secret of its
                           application credential; or -1 */
    char agent_program[PATH_MAX]; /* mayfly-keyagent */
    bool (*stopped)(void);        /* has the user asked to stop waiting for an answer? NULL: never */
};

#define KEY_CONTEXT_NONE                                                                                     \
    (struct key_context)                                                                                     \
    {                                                                                                        \
        .clouds_fd = -1, .secure_fd = -1, .host_secret_fd = -1, .ca = {                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
            {.fd = -1},                                                                                      \
        }                                                                                                    \
    }

/* Takes the variables OS_* out of the environment of this process, where those that hold secrets are
 * overwritten; reads `token_fd` (-1: none) to its end; opens the files: clouds.yaml and secure.yaml where
 * openstacksdk looks for them if a cloud is named (`cloud` NULL: OS_CLOUD), the files of certificates that
 * these, OS_CACERT and [barbican] verify_ssl_path name, and the host's password:
 * $CREDENTIALS_DIRECTORY/mayfly.barbican, else [barbican_service_user] password_file where this process may
 * read it (a file that others than root can read or write: -EPERM). `ret` is to be freed by key_context_end()
 * also after an error. */
int key_context_take(const struct config *c, const char *cloud, int token_fd, struct key_context *ret,
                     struct error *e) _must_check_;
void key_context_end(struct key_context *who);

/* Whether the context names a caller, by a token, a cloud or variables. Else the host itself asks, with its
 * own password. */
bool key_context_names_caller(const struct key_context *who);
