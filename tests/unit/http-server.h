/* SPDX-License-Identifier: Apache-2.0 */
/* A server of HTTP/1.1 on 127.0.0.1, with or without TLS, that fails as it is told by the path of the URL,
 * and counts. A thread for each connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SERVER_PARTS 64
#define SERVER_HEAD  32768

struct server_options {
    bool tls;
    const char *certificate_for; /* "IP:127.0.0.1" where NULL */
    bool expired;
    bool silent;     /* accepts connections, says nothing, not even of TLS */
    int listen_msec; /* refuses connections for so long */
};

struct server;
struct server *server_start(const struct server_options *o);
void server_stop(struct server *s);

/* "http://127.0.0.1:PORT" or with https; and the file with its certificate. */
const char *server_url(const struct server *s);
const char *server_ca(const struct server *s);

int server_connections(struct server *s); /* that were made */
int server_at_a_time(struct server *s);   /* the most that were open at once */
int server_requests(struct server *s);    /* that came whole */
/* The last request, head and body, NUL-terminated. */
void server_last(struct server *s, char text[SERVER_HEAD]);
