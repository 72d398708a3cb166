/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a key manager for what the lines of its standard input say, and answers each with a line:
 *
 *     keymgr-probe MANAGER CONFIG AGENT
 *
 *     create N [BITS [GROUP]]  ok ID:SHA256...
 *     fetch ID                 ok SHA256             (of the key: keys are never shown)
 *     hold ID | release        the same, and keeps the key until then
 *     spill-heap ID | spill-stack ID     the same, and leaves a copy where none may be
 *     may-destroy ID | destroy ID
 *     fetch-many ID...         ok SHA256...
 *     may-destroy-many ID... | destroy-many ID...
 *     grant ID | revoke ID     ok changed, or ok unchanged
 *     list                     ok ID...
 *     place                    ok PLACE
 *     diagnose                 ok WHAT=RESULT...
 *
 * or `error EXIT-STATUS SENTENCE`. The caller's context is that of the environment; CLOUD and TOKEN_FD stand
 * for --os-cloud and --token-fd. */
#include "base/str.h"
#include "keys/keymgr.h"

#include <openssl/sha.h>
#include <stdio.h>

#define KEYS_MAX 64

static struct secret *held;
static uint8_t *volatile spilled; /* volatile: the compiler may not see that nobody reads it */

static void print_hash(const struct secret *key)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char hex[2 * sizeof hash + 1];
    SHA256(secret_peek(key), secret_size(key), hash);
    str_hex(hash, sizeof hash, hex);
    printf("%s", hex);
}

static int create(struct keymgr *km, size_t n, uint32_t bits, const char *vg, struct error *e)
{
    struct key_info want[KEYS_MAX];
    struct key_made made[KEYS_MAX];
    n = n < KEYS_MAX ? n : KEYS_MAX;
    for (size_t i = 0; i < n; i++) {
        want[i] = (struct key_info){.bits = bits};
        (void)!str_copy(want[i].vg, sizeof want[i].vg, vg);
        uuid_make(want[i].owner);
    }
    int r = keymgr_create_many(km, want, n, made, e);
    if (r < 0)
        return r;
    printf("ok");
    for (size_t i = 0; i < n; i++) {
        printf(" %s:", made[i].id);
        print_hash(made[i].secret);
        secret_free(made[i].secret);
    }
    printf("\n");
    return 0;
}

/* Fetches it, and keeps it. */
static int hold(struct keymgr *km, const char *id, struct error *e)
{
    held = secret_free(held);
    int r = keymgr_fetch(km, id, &held, e);
    if (r < 0)
        return r;
    printf("ok ");
    print_hash(held);
    printf("\n");
    return 0;
}

static int fetch(struct keymgr *km, const char *id, struct error *e)
{
    int r = hold(km, id, e);
    held = secret_free(held);
    return r;
}

/* What a search of the memory must find. */
static int spill_heap(struct keymgr *km, const char *id, struct error *e)
{
    int r = hold(km, id, e);
    if (r == 0 && (spilled = malloc(secret_size(held))))
        memcpy(spilled, secret_peek(held), secret_size(held));
    return r;
}

/* Far below what later calls write to. */
static int spill_stack(struct keymgr *km, const char *id, struct error *e)
{
    uint8_t deep[1 << 18];
    int r = hold(km, id, e);
    spilled = deep;
    if (r == 0)
        memcpy(spilled, secret_peek(held), secret_size(held));
    spilled = NULL;
    return r;
}

/* With the ids of the rest of the line. */
static int many(struct keymgr *km, const char *first,
                int (*ask)(struct keymgr *, struct key_asked *, size_t, struct error *), struct error *e)
{
    struct key_asked k[KEYS_MAX];
    size_t n = 0;
    for (const char *id = first; id && n < KEYS_MAX; id = strtok(NULL, " \n"))
        k[n++].id = id;
    int r = ask(km, k, n, e);
    if (r == 0)
        printf("ok");
    for (size_t i = 0; i < n; i++) {
        if (r == 0 && k[i].secret) {
            printf(" ");
            print_hash(k[i].secret);
        }
        secret_free(k[i].secret);
    }
    if (r == 0)
        printf("\n");
    return r;
}

static int list(struct keymgr *km, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(km, &l, e);
    if (r < 0)
        return r;
    printf("ok");
    for (size_t i = 0; i < l.n; i++)
        printf(" %s", l.keys[i].id);
    printf("\n");
    return 0;
}

static int diagnose(struct keymgr *km, struct error *e)
{
    struct key_finding f[KEY_FINDINGS_MAX];
    size_t n = 0;
    int r = keymgr_diagnose(km, f, &n, e);
    if (r < 0)
        return r;
    printf("ok");
    for (size_t i = 0; i < n; i++)
        printf(" %s=%d (%s)", f[i].what, f[i].result, f[i].text);
    printf("\n");
    return 0;
}

static int place(struct keymgr *km, struct error *e)
{
    char name[KEY_PLACE_MAX];
    int r = keymgr_place(km, false, name, e);
    if (r == 0)
        printf("ok %s\n", name);
    return r;
}

static int done(int r)
{
    if (r == 0)
        printf("ok\n");
    return r;
}

static int grant(struct keymgr *km, const char *id, bool allowed, struct error *e)
{
    bool changed = false;
    int r = keymgr_grant(km, id, NULL, allowed, &changed, e);
    if (r == 0)
        printf("ok %s\n", changed ? "changed" : "unchanged");
    return r;
}

static int obey(struct keymgr *km, char *line, struct error *e)
{
    const char *verb = strtok(line, " \n"), *first = strtok(NULL, " \n");
    verb = verb ? verb : "";
    first = first ? first : "";
    if (streq(verb, "fetch-many"))
        return many(km, first, keymgr_fetch_many, e);
    if (streq(verb, "may-destroy-many"))
        return many(km, first, keymgr_may_destroy_many, e);
    if (streq(verb, "destroy-many"))
        return many(km, first, keymgr_destroy_many, e);
    const char *second = strtok(NULL, " \n"), *third = strtok(NULL, " \n");
    if (streq(verb, "create"))
        return create(km, strtoul(first, NULL, 10), second ? (uint32_t)strtoul(second, NULL, 10) : 512,
                      third ? third : "vg0", e);
    if (streq(verb, "fetch"))
        return fetch(km, first, e);
    if (streq(verb, "hold"))
        return hold(km, first, e);
    if (streq(verb, "spill-heap"))
        return spill_heap(km, first, e);
    if (streq(verb, "spill-stack"))
        return spill_stack(km, first, e);
    if (streq(verb, "release")) {
        held = secret_free(held);
        return done(0);
    }
    if (streq(verb, "may-destroy"))
        return done(keymgr_may_destroy(km, first, e));
    if (streq(verb, "destroy"))
        return done(keymgr_destroy(km, first, e));
    if (streq(verb, "grant") || streq(verb, "revoke"))
        return grant(km, first, streq(verb, "grant"), e);
    if (streq(verb, "list"))
        return list(km, e);
    if (streq(verb, "place"))
        return place(km, e);
    if (streq(verb, "diagnose"))
        return diagnose(km, e);
    return error_set(e, -EINVAL, "%s: what is that?", verb);
}

static int run(const char *manager, const char *config, const char *agent, struct error *e)
{
    static struct config c;
    struct key_context who = KEY_CONTEXT_NONE;
    _cleanup_keymgr_ struct keymgr *km = NULL;
    const char *token_fd = getenv("TOKEN_FD");
    char line[KEYS_MAX * KEY_ID_MAX];
    int r = config_load(config, CONFIG_ANY_OWNER, &c, e);
    if (r == 0)
        r = key_context_take(&c, getenv("CLOUD"), token_fd ? atoi(token_fd) : -1, &who, e);
    if (r == 0)
        r = str_copy(who.agent_program, sizeof who.agent_program, agent);
    if (r == 0)
        r = keymgr_open(&c, &who, manager, &km, e);
    while (r == 0 && fgets(line, sizeof line, stdin)) {
        struct error why = ERROR_NONE;
        int result = obey(km, line, &why);
        if (result < 0)
            printf("error %d %s\n", exit_code(result), why.text);
        fflush(stdout);
    }
    held = secret_free(held);
    km = keymgr_close(km);
    key_context_end(&who);
    return r;
}

int main(int argc, char *argv[])
{
    struct error e = ERROR_NONE;
    if (argc != 4) {
        fprintf(stderr, "Usage: keymgr-probe MANAGER CONFIG AGENT\n");
        return EXIT_USAGE;
    }
    int r = run(argv[1], argv[2], argv[3], &e);
    if (r < 0)
        printf("error %d %s\n", exit_code(r), e.text);
    return exit_code(r);
}
