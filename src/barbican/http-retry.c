/* SPDX-License-Identifier: Apache-2.0 */
/* Sends requests, one or many at once, and decides which are repeated, when, and for how long. */
#include "barbican/http-internal.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>
#include <sys/random.h>

#define PAUSE_MSEC     250 /* before the second attempt; doubled each time */
#define PAUSE_MAX_MSEC 8000
#define LOOK_MSEC      1000 /* longest time between two looks at the clock */

enum job_state { JOB_WAITS, JOB_RUNS, JOB_ENDED };

struct job {
    enum job_state state;
    struct exchange x;
    unsigned attempts;
    uint64_t not_before_msec;
    enum http_outcome outcome; /* of all attempts so far */
    char server[HTTP_SERVER_MAX];
    struct error error;
};

struct jobs {
    struct http *http;
    const struct http_request *requests;
    struct http_reply *replies;
    int *results;
    struct job *all;
    size_t n, running, ended;
};

static void jobs_end(struct jobs *js)
{
    for (size_t i = 0; js->all && i < js->n; i++)
        exchange_end(js->http, &js->all[i].x);
    free(js->all);
}

static void job_end(struct jobs *js, struct job *job, int r)
{
    size_t i = (size_t)(job - js->all);
    if (r == 0)
        js->replies[i] = TAKE(job->x.reply, (struct http_reply){0});
    js->replies[i].outcome = job->outcome;
    js->results[i] = r;
    exchange_end(js->http, &job->x);
    job->state = JOB_ENDED;
    js->ended++;
}

/* Returns a random time between half of it and all of it, so that hosts which failed together do not come
 * back together. */
static uint64_t with_jitter(uint64_t msec)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_msec();
    return msec / 2 + random % (msec / 2 + 1);
}

static uint64_t pause_msec(const struct job *job)
{
    uint64_t pause = PAUSE_MSEC;
    for (unsigned i = 1; i < job->attempts && pause < PAUSE_MAX_MSEC; i++)
        pause *= 2;
    pause = with_jitter(pause < PAUSE_MAX_MSEC ? pause : PAUSE_MAX_MSEC);
    uint64_t asked = job->x.retry_after_sec > 0 ? (uint64_t)job->x.retry_after_sec * 1000 : 0;
    return asked > pause ? asked : pause;
}

/* Whether the next attempt may succeed. */
static bool may_pass(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status == 429 || status == 500 || (status >= 502 && status <= 504);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return true;
    default:
        return false;
    }
}

/* Returns the outcome of one attempt. A proxy that stopped waiting (408, 503, 504) may have passed the
 * request on. */
static enum http_outcome outcome_of(const struct exchange *x, CURLcode code)
{
    if (code != CURLE_OK)
        return x->sent ? HTTP_PERHAPS : HTTP_NOT_SENT;
    if (x->reply.status / 100 == 2)
        return HTTP_DONE;
    return x->reply.status >= 500 || x->reply.status == 408 ? HTTP_PERHAPS : HTTP_REFUSED;
}

/* Lets the job wait for another attempt after this one, or ends it. */
static void job_attempted(struct jobs *js, struct job *job, CURLcode code)
{
    struct http *h = js->http;
    struct exchange *x = &job->x;
    js->running--;
    code = exchange_finish(h, x, code);
    enum http_outcome outcome = outcome_of(x, code);
    job->outcome = outcome > job->outcome ? outcome : job->outcome;

    uint64_t pause = pause_msec(job);
    bool repeatable = !x->request->not_idempotent || job->outcome < HTTP_PERHAPS;
    if (may_pass(code, x->reply.status) && repeatable && job->attempts <= h->settings.retries &&
        pause < http_left_msec(h)) {
        exchange_end(h, x);
        job->not_before_msec = clock_msec() + pause;
        job->state = JOB_WAITS;
        return;
    }
    job_end(js, job,
            code == CURLE_OK ? 0 : http_explain(h, job->server, x, code, job->attempts, &job->error));
}

/* Checks the request itself before anything is sent. */
static int job_check(const struct jobs *js, const struct http_request *q, struct job *job)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        known = known || streq(q->method, methods[i]);
    int r = http_server(js->http, q->url, job->server, &job->error);
    if (r < 0)
        return r;
    if (!known)
        return error_set(&job->error, -EINVAL, "%s: not asked: no method %s", job->server, q->method);
    if (q->token && !exchange_takes_token(q->token))
        return error_set(
            &job->error, -EINVAL,
            "%s: not asked: the token is empty, longer than %d bytes or has characters that no token "
            "has; check OS_TOKEN or what --token-fd gives",
            job->server, HTTP_TOKEN_MAX);
    return 0;
}

/* Starts the requests that may start now. Returns after how many milliseconds to look again. */
static int jobs_start(struct jobs *js)
{
    uint64_t now = clock_msec(), next = now + LOOK_MSEC;
    for (size_t i = 0; i < js->n && js->running < HTTP_CONNECTIONS_MAX; i++) {
        struct job *job = &js->all[i];
        if (job->state != JOB_WAITS)
            continue;
        if (http_left_msec(js->http) == 0) {
            job_end(js, job,
                    http_explain(js->http, job->server, &job->x, CURLE_OPERATION_TIMEDOUT, job->attempts,
                                 &job->error));
            continue;
        }
        if (job->not_before_msec > now) {
            next = job->not_before_msec < next ? job->not_before_msec : next;
            continue;
        }
        int r = exchange_start(js->http, &js->requests[i], &job->x, &job->error);
        if (r < 0) {
            job_end(js, job, r);
            continue;
        }
        job->attempts++;
        job->state = JOB_RUNS;
        js->running++;
    }
    return (int)(next - now);
}

/* Handles attempts that ended. Returns whether there were any. */
static bool jobs_reap(struct jobs *js)
{
    CURLMsg *message;
    int left;
    bool any = false;
    while ((message = curl_multi_info_read(js->http->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        any = true;
        CURLcode code = message->data.result; /* read now, since the message is freed with the handle */
        for (size_t i = 0; i < js->n; i++)
            if (js->all[i].state == JOB_RUNS && js->all[i].x.easy == message->easy_handle) {
                job_attempted(js, &js->all[i], code);
                break;
            }
    }
    return any;
}

static int jobs_run(struct jobs *js, struct error *e)
{
    while (js->ended < js->n) {
        size_t ended = js->ended;
        int wait_msec = jobs_start(js), running;
        CURLMcode code = curl_multi_perform(js->http->multi, &running);
        if (code == CURLM_OK && !jobs_reap(js) && js->ended == ended)
            code = curl_multi_poll(js->http->multi, NULL, 0, wait_msec, NULL);
        if (code != CURLM_OK)
            return error_set(e, code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO, "libcurl: cannot go on: %s",
                             curl_multi_strerror(code));
    }
    return 0;
}

int http_do_many(struct http *h, const struct http_request q[], size_t n, struct http_reply ret[],
                 int result[], struct error *e)
{
    _cleanup_(jobs_end) struct jobs js = {
        .http = h, .requests = q, .replies = ret, .results = result, .n = n};
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct http_reply){0};
    js.all = calloc(n ? n : 1, sizeof *js.all);
    if (!js.all)
        return error_memory(e);
    for (size_t i = 0; i < n; i++) {
        result[i] = -ECANCELED;
        int r = job_check(&js, &q[i], &js.all[i]);
        if (r < 0)
            job_end(&js, &js.all[i], r);
    }

    struct error why = ERROR_NONE;
    int r = jobs_run(&js, &why);
    for (size_t i = 0; i < n && r < 0; i++)
        if (js.all[i].state != JOB_ENDED) {
            if (js.all[i].state == JOB_RUNS)
                js.all[i].outcome = HTTP_PERHAPS;
            job_end(&js, &js.all[i], r);
        }
    if (r < 0)
        return error_pass(e, r, &why);
    for (size_t i = 0; i < n && r == 0; i++)
        if (result[i] < 0)
            r = error_pass(e, result[i], &js.all[i].error);
    return r;
}

int http_do(struct http *h, const struct http_request *q, struct http_reply *ret, struct error *e)
{
    int result;
    return http_do_many(h, q, 1, ret, &result, e);
}
