/* SPDX-License-Identifier: Apache-2.0 */
/* Explains to a person why there is no whole answer, with the way out. */
#include "barbican/http-internal.h"

#include "base/str.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#define REASON_MAX 500

static const char *explain_refusal(const struct exchange *x)
{
    switch (x->refusal) {
    case REFUSED_HEADERS:
        return "the headers of its answer do not end; check that the address is that of Keystone or Barbican";
    case REFUSED_BODY:
        return "its answer is longer than any that was asked for; check that the address is that of Keystone "
               "or "
               "Barbican";
    case REFUSED_TOKEN:
        return "it gave a token that cannot be one; check that the address is that of Keystone";
    default:
        return "its answer could not be kept";
    }
}

/* Says who has to act: the administrator of this host, or that of the server. */
static void explain_certificate(const struct http *h, const struct exchange *x, char ret[REASON_MAX])
{
    /* the chain is good and the name is wrong, which libcurl tells only in words */
    if (strstr(x->detail, "no alternative certificate subject name matches") ||
        strstr(x->detail, "does not match")) {
        snprintf(ret, REASON_MAX,
                 "its certificate is for another host (%.200s); use the name that the certificate has",
                 x->detail);
        return;
    }
    const char *why = X509_verify_cert_error_string(x->verify_result);
    if (x->verify_result == X509_V_ERR_CERT_HAS_EXPIRED || x->verify_result == X509_V_ERR_CERT_NOT_YET_VALID)
        snprintf(ret, REASON_MAX,
                 "its certificate is not valid now (%s); check the clock of this host, or renew it", why);
    else if (h->ca_file)
        snprintf(
            ret, REASON_MAX,
            "its certificate is not trusted (%s); %.200s, which [barbican] verify_ssl_path, OS_CACERT or "
            "cacert of clouds.yaml names, must have the CA that signed it",
            why, h->ca_file);
    else
        snprintf(
            ret, REASON_MAX,
            "its certificate is not trusted (%s); set [barbican] verify_ssl_path, or OS_CACERT, to a file "
            "with the CA that signed it",
            why);
}

/* Explains a time-out. The time for the request includes the connection, so it may end before the time for
 * the connection does. */
static void explain_timeout(const struct http *h, const struct exchange *x, char ret[REASON_MAX])
{
    bool connecting = !x->connected && h->settings.connect_sec <= h->settings.request_sec;
    if (http_left_msec(h) < 100) /* libcurl's timer may be early by a tick */
        snprintf(ret, REASON_MAX,
                 "no %s within the %u s of deadline in [barbican]; try again, or look at the service",
                 x->connected ? "whole answer" : "connection", h->settings.total_sec);
    else if (connecting && !x->resolved)
        snprintf(
            ret, REASON_MAX,
            "its name was not looked up within the %u s of connect_timeout in [barbican]; check the name "
            "servers of this host (resolvectl, /etc/resolv.conf)",
            h->settings.connect_sec);
    else if (connecting)
        snprintf(
            ret, REASON_MAX,
            "no connection within the %u s of connect_timeout in [barbican]; check the address, the network "
            "and firewalls",
            h->settings.connect_sec);
    else
        snprintf(
            ret, REASON_MAX,
            "no whole answer within the %u s of request_timeout in [barbican]; try again, or look at the "
            "service",
            h->settings.request_sec);
}

/* Returns the reason that libcurl reports by a code alone; NULL: see explain(). */
static const char *fixed_reason(const struct exchange *x, CURLcode code)
{
    static const char broke[] =
        "the connection broke in the middle of the answer; try again, or look at the service";
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "no host of this name is known; check the address, and the name service of this host";
    case CURLE_PARTIAL_FILE:
        return broke;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return x->reply.status
                   ? broke
                   : "the connection broke before an answer came; try again, or look at the service";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return "its answer is not HTTP/1.1; check that the address is that of Keystone or Barbican";
    case CURLE_OUT_OF_MEMORY: /* libcurl says so too if a line of the headers is too long for it */
        return "its answer has a header that is too long; check that the address is that of Keystone or "
               "Barbican";
    case CURLE_WRITE_ERROR:
        return explain_refusal(x);
    default:
        return NULL;
    }
}

static void explain(const struct http *h, const struct exchange *x, CURLcode code, char ret[REASON_MAX])
{
    const char *fixed = fixed_reason(x, code);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        snprintf(ret, REASON_MAX, "cannot connect: %s; check the address, and that the service runs",
                 x->os_errno ? strerror(x->os_errno) : "no address of it answers");
        break;
    case CURLE_OPERATION_TIMEDOUT:
        explain_timeout(h, x, ret);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        explain_certificate(h, x, ret);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(ret, REASON_MAX,
                 "cannot check its certificate: no certificates can be read from %.200s; set [barbican] "
                 "verify_ssl_path, or OS_CACERT, to a PEM file",
                 h->ca_file ? h->ca_file : "the system's file");
        break;
    case CURLE_SSL_CONNECT_ERROR:
        snprintf(ret, REASON_MAX,
                 "no TLS connection (%.200s); check that it is a service with TLS 1.2 or later", x->detail);
        break;
    default:
        snprintf(ret, REASON_MAX, "%s", fixed ? fixed : curl_easy_strerror(code));
    }
}

int http_explain(const struct http *h, const char *server, const struct exchange *x, CURLcode code,
                 unsigned attempts, struct error *e)
{
    if (x->refusal == REFUSED_MEMORY)
        return error_pass(e, x->error.errnum, &x->error);
    if (code == CURLE_OUT_OF_MEMORY && !x->sent)
        return error_memory(e);

    char reason[REASON_MAX];
    explain(h, x, code, reason);
    str_tame(reason);
    int r = error_set(e, -EHOSTUNREACH, "%s: %s", server, reason);
    if (attempts > 1)
        error_append(e, " (%u attempts)", attempts);
    return r;
}
