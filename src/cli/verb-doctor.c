/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly doctor: prints what is in order and what is not, a line each. A failure does not stop it. */
#include "build-config.h"
#include "cli/json.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verb.h"

static const char *result_name(enum finding_result result)
{
    switch (result) {
    case FINDING_OK:
        return "ok";
    case FINDING_WARNING:
        return "warning";
    case FINDING_FAILED:
        return "failed";
    }
    return "unknown";
}

static int print_table(const struct finding *found, size_t n, struct error *e)
{
    _cleanup_table_ struct table t = TABLE("Result", "What", "Text");
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = table_row(&t, e, result_name(found[i].result), found[i].what, found[i].text);
    if (r == 0)
        table_print(&t);
    return r;
}

static struct json_object *json_finding(const struct finding *f)
{
    struct json_object *finding = json_object_new_object();
    return json_whole(
        finding, json_put_text(finding, "result", result_name(f->result)) &&
                     json_put_text(finding, "what", f->what) && json_put_text(finding, "text", f->text) &&
                     (!f->errnum || json_put_u64(finding, "exit_status", exit_code(f->errnum))));
}

static int print_json(struct globals *g, const struct finding *found, size_t n, struct error *e)
{
    struct json_object *document = json_document(g), *findings = json_object_new_array();
    bool whole = findings != NULL;
    for (size_t i = 0; whole && i < n; i++)
        whole = json_append(findings, json_finding(&found[i]));
    whole = json_put(document, "findings", findings) && whole;
    return json_give(g, document, whole, e);
}

/* Decides the result: the first failure; warnings do not count. */
static int verdict(const struct finding *found, size_t n, struct error *e)
{
    const struct finding *first = NULL;
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (found[i].result == FINDING_FAILED && failed++ == 0)
            first = &found[i];
    }
    if (!first)
        return 0;
    return error_set(e, first->errnum, "doctor: %zu of %zu checks failed, the first of them: %s", failed, n,
                     first->what);
}

int verb_doctor(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    _cleanup_free_ struct finding *found = NULL;
    _cleanup_free_ char *files = NULL;
    struct lacks lacks;
    size_t n_found = 0;
    int n = 0;
    int r = verb_parse(self, g, NULL, NULL, argc, argv, 0, 0, &n, e);
    if (r != 0)
        return r;
    r = config_files(g->config_path, &files, e);
    if (r == 0)
        r = session_open_despite(g, &s, &lacks, e);
    const struct doctor_paths paths = {.config_files = files, .hook = MAYFLY_LIBVIRT_HOOK, .root = ""};
    if (r == 0)
        r = instance_doctor(&s->context, &lacks, &paths, &found, &n_found, e);
    if (r == 0)
        r = g->json ? print_json(g, found, n_found, e) : print_table(found, n_found, e);
    return r < 0 ? r : verdict(found, n_found, e);
}
