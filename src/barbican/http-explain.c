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
        return "its answer has no end of headers; check that the address is that of Keystone or Barbican";
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

/* The sentence says whether the administrator of this host or of the server has to act. */
static void explain_certificate(const struct http *h, const struct exchange *x, char ret[REASON_MAX])
{
    /* the chain is good, and it is the name that is not: libcurl tells it in words alone */
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

/* The time for a request runs from its beginning, so it may end before that for the connection. */
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

static void explain(const struct http *h, const struct exchange *x, CURLcode code, char ret[REASON_MAX])
{
    const char *text = NULL;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        text = "no host of this name is known; check the address, and the name service of this host";
        break;
    case CURLE_COULDNT_CONNECT:
        snprintf(ret, REASON_MAX, "cannot connect: %s; check the address, and that the service runs",
                 x->os_errno ? strerror(x->os_errno) : "no address of it answers");
        return;
    case CURLE_OPERATION_TIMEDOUT:
        explain_timeout(h, x, ret);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
        explain_certificate(h, x, ret);
        return;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(ret, REASON_MAX,
                 "cannot check its certificate: no certificates can be read from %.200s; set [barbican] "
                 "verify_ssl_path, or OS_CACERT, to a PEM file",
                 h->ca_file ? h->ca_file : "the system's file");
        return;
    case CURLE_SSL_CONNECT_ERROR:
        snprintf(ret, REASON_MAX,
                 "no TLS connection (%.200s); check that it is a service with TLS 1.2 or later", x->detail);
        return;
    case CURLE_PARTIAL_FILE:
        text = "the connection broke in the middle of the answer; try again, or look at the service";
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        text = x->reply.status
                   ? "the connection broke in the middle of the answer; try again, or look at the service"
                   : "the connection broke before an answer came; try again, or look at the service";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        text = "what it answers is not HTTP/1.1; check that the address is that of Keystone or Barbican";
        break;
    case CURLE_OUT_OF_MEMORY: /* how libcurl says that a line of the headers is longer than it takes */
        text = "its answer has a header that is too long; check that the address is that of Keystone or "
               "Barbican";
        break;
    case CURLE_WRITE_ERROR:
        text = explain_refusal(x);
        break;
    default:
        text = curl_easy_strerror(code);
        break;
    }
    snprintf(ret, REASON_MAX, "%s", text);
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
