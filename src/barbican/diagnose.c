/* SPDX-License-Identifier: Apache-2.0 */
/* Checks Keystone and Barbican for mayfly doctor, in the order in which they are needed. */
#include "barbican/barbican-internal.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#define SKEW_MAX_SEC 60

struct report {
    struct key_finding *findings;
    size_t n;
};

/* Notes a finding; the text of a failure is that of `why`. Returns `result`. */
static int note(struct report *r, const char *what, int result, const struct error *why)
{
    struct key_finding *f = &r->findings[r->n++];
    *f = (struct key_finding){.result = result};
    snprintf(f->what, sizeof f->what, "%s", what);
    if (result < 0)
        snprintf(f->text, sizeof f->text, "%s", why->text);
    return result;
}

static char *text_of(struct report *r)
{
    return r->findings[r->n - 1].text;
}

static int check_credentials(struct barbican *b, struct report *r)
{
    struct error why = ERROR_NONE;
    const struct secret *token = NULL;
    int result = keystone_token(b->keystone, &token, &why);
    if (note(r, "credentials", result, &why) < 0)
        return result;
    const struct keystone_facts *f = keystone_facts(b->keystone);
    if (f->user_id[0])
        snprintf(text_of(r), sizeof r->findings->text, "%s: user %.100s, project %.100s, roles %.150s",
                 b->who.source, f->user_name, f->project_name, f->roles[0] ? f->roles : "(none)");
    else
        snprintf(text_of(r), sizeof r->findings->text, "%s: a token", b->who.source);
    return 0;
}

static int check_catalog(struct barbican *b, struct report *r)
{
    struct error why = ERROR_NONE;
    int result = note(r, "catalog", barbican_find(b, &why), &why);
    if (result == 0)
        snprintf(text_of(r), sizeof r->findings->text, "Barbican is at %.500s", b->endpoint);
    return result;
}

/* Compares clocks: the servers' clocks judge tokens; this host's clock judges certificates. */
static int check_clock(struct barbican *b, struct report *r)
{
    const struct keystone_facts *f = keystone_facts(b->keystone);
    if (!f->server_sec)
        return 0;
    int64_t skew = f->answered_sec - f->server_sec;
    note(r, "clock", 0, NULL);
    r->findings[r->n - 1].doubtful = llabs(skew) > SKEW_MAX_SEC;
    if (llabs(skew) > SKEW_MAX_SEC)
        snprintf(text_of(r), sizeof r->findings->text,
                 "this host's clock is %lld s %s Keystone's; see timedatectl", llabs(skew),
                 skew > 0 ? "ahead of" : "behind");
    else
        snprintf(text_of(r), sizeof r->findings->text, "within %d s of Keystone's", SKEW_MAX_SEC);
    return 0;
}

static int check_access(struct barbican *b, struct report *r)
{
    struct error why = ERROR_NONE;
    _cleanup_(call_end) struct call c = {.method = "GET", .path = "/secrets?limit=1"};
    int result = barbican_call(b, &c, 1, &why);
    if (result == 0)
        result = call_check(b, &c, 200, 200, "key manager barbican", "asked for its keys", &why);
    if (note(r, "access", result, &why) == 0)
        snprintf(text_of(r), sizeof r->findings->text, "Barbican lists the project's secrets");
    return result;
}

static int check_host(struct barbican *b, struct report *r)
{
    struct error why = ERROR_NONE;
    const char *own = keystone_facts(b->keystone)->user_id;
    int result = 0;
    if (!b->host_reads)
        return 0;
    if (!b->host_user_id[0])
        result = error_set(&why, -EINVAL, "host_access = read needs user_id in [barbican_service_user]");
    else if (b->who.is_host && *own && !streq(own, b->host_user_id))
        result =
            error_set(&why, -EINVAL, "user_id in [barbican_service_user] is %s, but the host's user is %s",
                      b->host_user_id, own);
    if (note(r, "host_access", result, &why) == 0)
        snprintf(text_of(r), sizeof r->findings->text, "keys are made readable for user %s", b->host_user_id);
    return result;
}

int barbican_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                      struct error *e)
{
    static int (*const checks[])(struct barbican *, struct report *) = {
        check_credentials, check_catalog, check_clock, check_access, check_host};
    struct barbican *b = (struct barbican *)km;
    struct report r = {.findings = ret};
    (void)e;
    http_begin(b->http);
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if (checks[i](b, &r) < 0)
            break;
    *ret_n = r.n;
    return 0;
}
