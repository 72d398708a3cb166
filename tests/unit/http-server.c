/* SPDX-License-Identifier: Apache-2.0 */
#include "http-server.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct part {
    struct server *server;
    pthread_t thread;
    int fd;
    SSL *ssl;
};

struct server {
    struct server_options o;
    int fd;
    pthread_t thread;
    SSL_CTX *tls;
    char url[64], ca[64];
    pthread_mutex_t lock; /* of what follows */
    struct part parts[SERVER_PARTS];
    int connections, open, at_a_time, requests;
    bool stopping;
    char last[SERVER_HEAD];
};

#define must(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "http-server.c:%d: %s\n", __LINE__, #condition);                                 \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static void make_certificate(struct server *s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    must(key && x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), s->o.expired ? -3600 : 3600);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                              s->o.certificate_for ? s->o.certificate_for : "IP:127.0.0.1");
    must(san);
    X509_add_ext(x, san, -1);
    must(X509_sign(x, key, EVP_sha256()));

    strcpy(s->ca, "/tmp/mayfly-http-XXXXXX");
    FILE *f = fdopen(mkstemp(s->ca), "w");
    must(f && PEM_write_X509(f, x) && fclose(f) == 0);
    s->tls = SSL_CTX_new(TLS_server_method());
    must(s->tls && SSL_CTX_use_certificate(s->tls, x) == 1 && SSL_CTX_use_PrivateKey(s->tls, key) == 1);
    X509_EXTENSION_free(san);
    X509_free(x);
    EVP_PKEY_free(key);
}

static ssize_t part_read(struct part *p, char *to, size_t size)
{
    return p->ssl ? SSL_read(p->ssl, to, (int)size) : recv(p->fd, to, size, 0);
}

static bool part_write(struct part *p, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = p->ssl ? SSL_write(p->ssl, text, (int)size) : send(p->fd, text, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return true;
}

static bool part_say(struct part *p, const char *text)
{
    return part_write(p, text, strlen(text));
}

/* Head and body of one request, into `text`. */
static bool read_request(struct part *p, char text[SERVER_HEAD])
{
    size_t came = 0, whole = 0;
    while (came < SERVER_HEAD - 1) {
        ssize_t n = part_read(p, text + came, whole ? whole - came : 1);
        if (n <= 0)
            return false;
        came += (size_t)n;
        text[came] = '\0';
        if (!whole && came >= 4 && strcmp(text + came - 4, "\r\n\r\n") == 0) {
            const char *length = strcasestr(text, "\r\nContent-Length:");
            whole = came + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (whole && came == whole)
            return true;
    }
    return false;
}

static void hang(struct part *p)
{
    char c;
    while (part_read(p, &c, 1) > 0)
        ;
}

/* For ever, until the other side has enough. */
static void repeat(struct part *p, const char *head, const char *text)
{
    bool going = part_say(p, head);
    while (going)
        going = part_say(p, text);
}

static bool say_status(struct part *p, int status, const char *headers, const char *body)
{
    char text[40000];
    snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body),
             headers, body);
    return part_say(p, text);
}

/* What an answer of many bytes is made of. */
static const char *filler(void)
{
    static char text[18001];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    memset(text, 'x', sizeof text - 1);
    pthread_mutex_unlock(&lock);
    return text;
}

static bool answer_broken(struct part *p, const char *path)
{
    const char *head = "HTTP/1.1 200 OK\r\n";
    if (strcmp(path, "/hang") == 0)
        hang(p);
    else if (strcmp(path, "/hang-body") == 0) {
        if (part_say(p, head) && part_say(p, "Content-Length: 10\r\n\r\nabc"))
            hang(p);
    } else if (strcmp(path, "/truncated") == 0) {
        part_say(p, head);
        part_say(p, "Content-Length: 10\r\n\r\nabc");
    } else if (strcmp(path, "/headers-cut") == 0) {
        part_say(p, head);
    } else if (strcmp(path, "/chunks-cut") == 0) {
        part_say(p, head);
        part_say(p, "Transfer-Encoding: chunked\r\n\r\n5\r\nabc");
    } else if (strcmp(path, "/garbage") == 0)
        part_say(p, "SSH-2.0-OpenSSH_9.2\r\n");
    else if (strcmp(path, "/interim") == 0)
        repeat(p, "", "HTTP/1.1 100 Continue\r\n\r\n");
    else if (strcmp(path, "/headers") == 0)
        repeat(p, head, "X-More: of it\r\n");
    else if (strcmp(path, "/first-line") == 0)
        repeat(p, "HTTP/1.1 200 ", filler());
    else if (strcmp(path, "/header") == 0) {
        part_say(p, head);
        repeat(p, "X-More: ", filler());
    } else if (strcmp(path, "/endless") == 0) {
        part_say(p, head);
        repeat(p, "\r\n", filler());
    } else if (strcmp(path, "/huge") == 0) {
        part_say(p, head);
        repeat(p, "Content-Length: 99999999999\r\n\r\n", filler());
    }
    return false; /* /drop, too */
}

/* Answers the request, the `number`th. Is the connection to go on? */
static bool answer(struct part *p, const char *path, int number)
{
    int status;
    if (sscanf(path, "/status/%d", &status) == 1)
        return say_status(p, status, "Content-Type: TEXT/html; charset=x\r\n", "<h1>words</h1>");
    if (sscanf(path, "/twice/%d", &status) == 1)
        return number <= 2 ? say_status(p, status, "", "") : say_status(p, 200, "", "third");
    if (strcmp(path, "/retry-after") == 0)
        return number == 1 ? say_status(p, 503, "Retry-After: 1\r\n", "") : say_status(p, 200, "", "later");
    if (strcmp(path, "/retry-far") == 0)
        return say_status(p, 503, "Retry-After: 3600\r\n", "");
    if (strcmp(path, "/redirect") == 0)
        return say_status(p, 302, "Location: https://evil.test/path?secret\r\n", "");
    if (strcmp(path, "/token") == 0)
        return say_status(p, 201,
                          "x-subject-token:   gAAAAtoken  \r\nDate: Sun, 22 Nov 2026 21:05:48 GMT\r\n", "{}");
    if (strcmp(path, "/token-bad") == 0)
        return say_status(p, 201, "X-Subject-Token: a b\r\n", "{}");
    if (strcmp(path, "/token-long") == 0) {
        char line[18001];
        snprintf(line, sizeof line, "X-Subject-Token: %.17000s\r\n", filler());
        return say_status(p, 201, line, "{}");
    }
    if (strcmp(path, "/die-after-one") == 0) /* takes the second request, and says nothing */
        return number == 1 && say_status(p, 200, "", "one");
    if (strcmp(path, "/slow") == 0) {
        usleep(100000);
        return say_status(p, 200, "", "slow");
    }
    if (strcmp(path, "/secret") == 0)
        return say_status(p, 200, "Content-Type: application/octet-stream\r\n", "0123456789abcdef");
    if (strcmp(path, "/empty") == 0)
        return part_say(p, "HTTP/1.1 204 No Content\r\n\r\n");
    return answer_broken(p, path);
}

static void serve(struct part *p)
{
    struct server *s = p->server;
    char *text = malloc(SERVER_HEAD);
    must(text);
    for (bool more = true; more && read_request(p, text);) {
        char path[128] = "";
        sscanf(text, "%*s %127s", path);
        pthread_mutex_lock(&s->lock);
        int number = ++s->requests;
        memcpy(s->last, text, SERVER_HEAD);
        pthread_mutex_unlock(&s->lock);
        more = answer(p, path, number);
    }
    free(text);
}

static void *part_main(void *context)
{
    struct part *p = context;
    struct server *s = p->server;
    if (s->o.silent)
        hang(p);
    if (s->tls && !s->o.silent) {
        p->ssl = SSL_new(s->tls);
        must(p->ssl && SSL_set_fd(p->ssl, p->fd));
    }
    if (!s->o.silent && (!p->ssl || SSL_accept(p->ssl) == 1))
        serve(p);
    pthread_mutex_lock(&s->lock);
    SSL_free(p->ssl);
    shutdown(p->fd, SHUT_RDWR); /* server_stop() closes it */
    s->open--;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *server_main(void *context)
{
    struct server *s = context;
    usleep((useconds_t)s->o.listen_msec * 1000);
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping || listen(s->fd, 16) < 0;
    pthread_mutex_unlock(&s->lock);
    while (!stopping) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        pthread_mutex_lock(&s->lock);
        must(s->connections < SERVER_PARTS);
        struct part *p = &s->parts[s->connections++];
        s->open++;
        s->at_a_time = s->open > s->at_a_time ? s->open : s->at_a_time;
        *p = (struct part){.server = s, .fd = fd};
        must(pthread_create(&p->thread, NULL, part_main, p) == 0);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

struct server *server_start(const struct server_options *o)
{
    struct server *s = calloc(1, sizeof *s);
    must(s);
    s->o = *o;
    pthread_mutex_init(&s->lock, NULL);
    signal(SIGPIPE, SIG_IGN);
    filler();
    if (o->tls)
        make_certificate(s);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&a, size) == 0 &&
         getsockname(s->fd, (struct sockaddr *)&a, &size) == 0);
    snprintf(s->url, sizeof s->url, "http%s://127.0.0.1:%d", o->tls ? "s" : "", ntohs(a.sin_port));
    if (!o->listen_msec)
        must(listen(s->fd, 16) == 0);
    must(pthread_create(&s->thread, NULL, server_main, s) == 0);
    return s;
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    shutdown(s->fd, SHUT_RDWR); /* ends accept() */
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    for (int i = 0; i < s->connections; i++) {
        shutdown(s->parts[i].fd, SHUT_RDWR);
        pthread_join(s->parts[i].thread, NULL);
        close(s->parts[i].fd);
    }
    close(s->fd);
    SSL_CTX_free(s->tls);
    if (s->ca[0])
        unlink(s->ca);
    free(s);
}

const char *server_url(const struct server *s)
{
    return s->url;
}

const char *server_ca(const struct server *s)
{
    return s->ca;
}

static int locked(struct server *s, const int *value)
{
    pthread_mutex_lock(&s->lock);
    int v = *value;
    pthread_mutex_unlock(&s->lock);
    return v;
}

int server_connections(struct server *s)
{
    return locked(s, &s->connections);
}

int server_at_a_time(struct server *s)
{
    return locked(s, &s->at_a_time);
}

int server_requests(struct server *s)
{
    return locked(s, &s->requests);
}

void server_last(struct server *s, char text[SERVER_HEAD])
{
    pthread_mutex_lock(&s->lock);
    memcpy(text, s->last, SERVER_HEAD);
    pthread_mutex_unlock(&s->lock);
}
