/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: opening, closing, the deadline. Which URLs may be asked is http-url.c, one exchange
 * http-transfer.c and http-answer.c, retries http-retry.c, the sentences http-explain.c. */
#include "barbican/http-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CA_FILE_MAX (4U << 20) /* the whole list of a distribution has a quarter of a MiB */

/* Reads the file of CAs now, since files are hidden from mayfly-keyagent before it talks to a network. */
static void read_ca_file(struct http *h)
{
    char *text = NULL;
    size_t size = 0;
    _cleanup_close_ int fd = open(h->ca_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fd_read_text(fd, CA_FILE_MAX, &text, &size) < 0)
        return;
    h->ca = (struct curl_blob){.data = text, .len = size, .flags = CURL_BLOB_NOCOPY};
}

static struct http *free_http(struct http *h)
{
    if (h->multi)
        curl_multi_cleanup(h->multi);
    free(h->ca.data);
    free(h->ca_file);
    free(h);
    curl_global_cleanup();
    return NULL;
}

/* Takes the CAs. A file that cannot be read becomes the error of the first request that needs it. */
static int take_ca(struct http *h, const struct http_settings *s)
{
    if (!s->ca_file || !s->ca_file[0])
        return 0;
    h->ca_file = strdup(s->ca_file);
    if (!h->ca_file)
        return -ENOMEM;
    if (!s->ca) {
        read_ca_file(h);
        return 0;
    }
    h->ca = (struct curl_blob){.data = malloc(s->ca_size + 1), .len = s->ca_size, .flags = CURL_BLOB_NOCOPY};
    if (!h->ca.data)
        return -ENOMEM;
    memcpy(h->ca.data, s->ca, s->ca_size);
    return 0;
}

int http_open(const struct http_settings *s, struct http **ret, struct error *e)
{
    /* If a server closes while we write, write() must fail instead of ending the process. libcurl itself
     * leaves signals alone, since it resolves names in a thread. */
    signal(SIGPIPE, SIG_IGN);
    unsetenv("SSLKEYLOGFILE"); /* libcurl would write the keys of its TLS sessions there */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_memory(e);

    struct http *h = calloc(1, sizeof *h);
    if (!h) {
        curl_global_cleanup();
        return error_memory(e);
    }
    h->settings = *s;
    h->settings.ca_file = h->settings.ca = NULL;
    h->multi = curl_multi_init();
    if (take_ca(h, s) < 0 || !h->multi ||
        curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTP_CONNECTIONS_MAX) != CURLM_OK ||
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CONNECTIONS_MAX) != CURLM_OK ||
        curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK) {
        free_http(h);
        return error_memory(e);
    }
    http_begin(h);
    *ret = h;
    return 0;
}

struct http *http_close(struct http *h)
{
    return h ? free_http(h) : NULL;
}

void http_begin(struct http *h)
{
    h->deadline_msec = clock_msec() + (uint64_t)h->settings.total_sec * 1000;
}

uint64_t http_left_msec(const struct http *h)
{
    uint64_t now = clock_msec();
    return now < h->deadline_msec ? h->deadline_msec - now : 0;
}

void http_reply_end(struct http_reply *r)
{
    if (r->text)
        explicit_bzero(r->text, r->size);
    free(r->text);
    secret_free(r->secret);
    secret_free(r->subject_token);
    *r = (struct http_reply){0};
}
