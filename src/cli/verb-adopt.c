/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly adopt: turns options, and perhaps a key from standard input, into an adopt_request, and prints the
 * result. */
#include "base/log.h"
#include "cli/key-read.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <stdio.h>
#include <unistd.h>

#define KEY_FROM_STDIN "-"

#define REQUEST(target) ((struct adopt_request *)(target))

static int set_key(void *target, const char *value, struct error *e)
{
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    REQUEST(target)->key = value;
    return streq(value, KEY_FROM_STDIN) ? 0 : key_ref_parse(value, manager, id, e);
}

static int set_kdf(void *target, const char *value, struct error *e)
{
    if (!streq(value, KDF_NOVA_RIPEMD160) && !streq(value, KDF_NOVA_SHA256))
        return error_set(e, -EINVAL,
                         "'%s' is not a key derivation of Nova: use " KDF_NOVA_RIPEMD160
                         " for disks made with a cryptsetup before 2.7.0, " KDF_NOVA_SHA256 " since",
                         value);
    REQUEST(target)->kdf = value;
    return 0;
}

static int set_key_size(void *target, const char *value, struct error *e)
{
    uint64_t bits = 0;
    if (str_to_u64(value, &bits) < 0 || (bits != 256 && bits != 512))
        return error_set(e, -EINVAL, "'%s' is not 256 or 512 bits", value);
    REQUEST(target)->key_bits = (uint32_t)bits;
    return 0;
}

CLI_FLAG(set_force, struct adopt_request, force)
CLI_FLAG(set_dry_run, struct adopt_request, dry_run)
static const struct cli_option adopt_options[] = {
    {"key", 0, "MANAGER:PLACE/ID", "the secret that Nova made; -: its hex on standard input", set_key},
    {"kdf", 0, "KDF", KDF_NOVA_RIPEMD160 " or " KDF_NOVA_SHA256, set_kdf},
    {"key-size", 0, "BITS", "of the disks' keys, as in Nova's configuration; default: as in Mayfly's",
     set_key_size},
    {"force", 'f', NULL, "adopt even if the first disk shows nothing", set_force},
    {"dry-run", 0, NULL, "look, try the key, and print what would be done", set_dry_run},
    {0},
};

static int print_adopted(struct globals *g, const struct context *c, const char *uuid, bool changed,
                         struct error *e)
{
    if (!g->json) {
        if (!log_is_quiet())
            printf("%s: %s\n", uuid, changed ? "adopted" : "was adopted already");
        return 0;
    }
    struct json_object *document = json_changed(g, changed);
    bool whole = json_put_text(document, "uuid", uuid) && outcome_put_instance(document, c, uuid, NULL);
    return json_give(g, document, whole, e);
}

int verb_adopt(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct adopt_request q = {.uuid = NULL};
    int n = 0;
    int r = verb_parse(self, g, adopt_options, &q, argc, argv, 1, 1, &n, e);
    if (r != 0)
        return r;
    q.uuid = argv[1];
    if (!q.key || !q.kdf)
        return error_set(e, -EINVAL, "adopt: needs --key and --kdf; see mayfly adopt --help");

    _cleanup_session_ struct session *s = NULL;
    _cleanup_secret_ struct secret *secret = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0 && streq(q.key, KEY_FROM_STDIN)) {
        r = key_read_hex(STDIN_FILENO, &secret, e);
        q.key = NULL;
        q.secret = secret;
    }
    if (r == 0)
        r = instance_adopt(&s->context, &q, &changed, &plan, e);
    if (r < 0)
        return r;
    progress_end(&s->progress);
    if (q.dry_run && plan)
        return print_plan(g, plan, e);
    return print_adopted(g, &s->context, q.uuid, changed, e);
}
