/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a server sends, through the whole of an exchange with libcurl: there is a reply within
 * its limits, or one sentence. The first byte tells what is asked. */
#include "barbican/http.h"
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECRET_MAX 65

#define ANSWER_MAX 65536

/* What is sent on every connection. An exchange that ended at its deadline may leave the server behind. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t answer[ANSWER_MAX];
static size_t answer_size;

static int listener = -1;
static char url[64];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_answer(const uint8_t *bytes, size_t size)
{
    pthread_mutex_lock(&lock);
    answer_size = size < ANSWER_MAX ? size : ANSWER_MAX;
    memcpy(answer, bytes, answer_size);
    pthread_mutex_unlock(&lock);
}

static void send_answer(int fd)
{
    pthread_mutex_lock(&lock); /* a socket takes that much at once */
    (void)!send(fd, answer, answer_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    pthread_mutex_unlock(&lock);
}

/* Answers whatever it is asked, and closes. */
static void *serve(void *unused)
{
    char request[8192];
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (recv(fd, request, sizeof request, 0) > 0)
            send_answer(fd);
        shutdown(fd, SHUT_WR);
        while (recv(fd, request, sizeof request, 0) > 0) { /* until the other end has read all */
        }
        fd_close(fd);
    }
    return unused;
}

static struct http *start(void)
{
    static const struct http_settings settings = {.connect_sec = 2, .request_sec = 2, .total_sec = 2};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof any;
    struct http *h = NULL;
    pthread_t thread;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 4) < 0 ||
        getsockname(listener, (struct sockaddr *)&any, &size) < 0 ||
        pthread_create(&thread, NULL, serve, NULL) != 0 || http_open(&settings, &h, NULL) < 0)
        abort();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", ntohs(any.sin_port));
    return h;
}

static void check_reply(const struct http_reply *r, bool secret)
{
    if (r->status < 200 || r->status > 599 || !r->text || r->size > HTTP_TEXT_MAX || r->text[r->size] != '\0')
        abort();
    if (r->secret && (!secret || r->status / 100 != 2 || secret_size(r->secret) > SECRET_MAX))
        abort();
    if (r->date_sec < 0 || r->outcome == HTTP_NOT_SENT || (r->outcome == HTTP_DONE) != (r->status / 100 == 2))
        abort();
    for (const char *c = r->location; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http *h;
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    struct http_reply reply;
    struct error e = ERROR_NONE;
    if (size == 0)
        return 0;
    h = h ? h : start();
    set_answer(data + 1, size - 1);
    struct http_request q = {
        .method = methods[data[0] % ARRAY_SIZE(methods)], .url = url, .not_idempotent = data[0] & 4};
    q.secret_max = data[0] & 8 ? SECRET_MAX : 0;
    http_begin(h);
    int r = http_do(h, &q, &reply, &e);
    if (r == 0)
        check_reply(&reply, q.secret_max > 0);
    else if (r != -EHOSTUNREACH || !str_starts(e.text, "http://127.0.0.1:"))
        abort();
    for (const char *c = e.text; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
    http_reply_end(&reply);
    return 0;
}
