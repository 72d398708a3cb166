/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager Barbican over a Keystone and a Barbican in memory (fake-barbican.h): the suite of all key
 * managers, what it asks of them, and what it makes of each way in which they fail. */
#include "barbican/barbican.h"
#include "base/str.h"
#include "fake-barbican.h"
#include "keymgr-suite.h"

#include <stdio.h>
#include <time.h>

#define HOST_USER "c0ffee"

static struct config config;
static const char *environment; /* what alice has set; words that end with a newline */
static uint64_t slept_msec;

#define AT_KEYSTONE "OS_AUTH_URL=" FAKE_KEYSTONE "\nOS_REGION_NAME=R1\n"
#define CREDENTIAL                                                                                           \
    "OS_AUTH_TYPE=v3applicationcredential\nOS_APPLICATION_CREDENTIAL_ID=ac1\n"                               \
    "OS_APPLICATION_CREDENTIAL_SECRET=hush\n"
#define GIVEN_TOKEN "OS_AUTH_TYPE=v3token\nOS_TOKEN=token-0\n"
#define ALICE                                                                                                \
    "OS_AUTH_URL=" FAKE_KEYSTONE "\nOS_USERNAME=alice\nOS_PASSWORD=hush\nOS_PROJECT_NAME=lab\n"              \
    "OS_DEFAULT_DOMAIN=Default\n"
#define ALICE_IN_R1 ALICE "OS_REGION_NAME=R1\n"

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    slept_msec += (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
    return 0;
}

static int begin(void **state)
{
    (void)state;
    fake_barbican_reset();
    config_defaults(&config);
    memcpy(config.host_access, "none", sizeof "none");
    config.barbican_order_polls = 1;
    config.barbican_order_delay_sec = 0;
    environment = ALICE_IN_R1;
    slept_msec = 0;
    return 0;
}

/* The host may read what is made. */
static int begin_shared(void **state)
{
    begin(state);
    memcpy(config.host_access, "read", sizeof "read");
    memcpy(config.host_user_id, HOST_USER, sizeof HOST_USER);
    return 0;
}

static int begin_with_orders(void **state)
{
    begin(state);
    memcpy(config.barbican_create, "order", sizeof "order");
    return 0;
}

static struct keymgr *open_as(const char *words)
{
    struct key_context who = KEY_CONTEXT_NONE;
    struct keymgr *km = NULL;
    struct error e = ERROR_NONE;
    size_t size = strlen(words);
    assert_int_equal(secret_new(size, &who.environment, NULL), 0);
    memcpy(secret_bytes(who.environment), words, size);
    for (size_t i = 0; i < size; i++)
        if (words[i] == '\n')
            secret_bytes(who.environment)[i] = 0;
    assert_ok(barbican_manager.open(&barbican_manager, &config, &who, &km, &e), e);
    key_context_end(&who);
    km->ops = &barbican_manager;
    return km;
}

struct keymgr *suite_open(void **state)
{
    (void)state;
    return open_as(environment);
}

static void fail_at(const char *where, enum fake_mishap how, long status, const char *body)
{
    fake_barbican.fault = (struct fake_fault){.where = where, .how = how, .status = status, .body = body};
}

/* What Keystone or Barbican answers, the result of whoever asked, and words of the error. */
struct answer_case {
    long status;
    const char *body, *location;
    int result;
    const char *says;
};

static void answer_at(const char *where, const struct answer_case *c)
{
    fail_at(where, ANSWERED, c->status, c->body);
    fake_barbican.fault.location = c->location;
}

static void assert_told(int r, const struct answer_case *c, const struct error *e)
{
    if (r != c->result || !strstr(e->text, c->says))
        fail_msg("%ld '%s' is %d, not %d, and says '%s', not '%s'", c->status, c->body, r, c->result, e->text,
                 c->says);
}

static int list(struct keymgr *km, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    *e = ERROR_NONE;
    return keymgr_list(km, &l, e);
}

/* --------------------------------------------------------------- logging in */

#define IDENTITY(method, what)                                                                               \
    "{\"auth\":{\"identity\":{\"methods\":[\"" method "\"],\"" method "\":{" what "}}"
#define BY_PASSWORD(user, password) IDENTITY("password", "\"user\":{" user ",\"password\":\"" password "\"}")
#define SCOPE(project)              ",\"scope\":{\"project\":{" project "}}}}"

/* What Keystone is told, as docs.openstack.org/api-ref/identity/v3 has it. */
static void credentials_are_sent_as_keystone_wants_them(void **state)
{
    static const struct {
        const char *words, *body;
    } cases[] = {
        {ALICE_IN_R1, BY_PASSWORD("\"name\":\"alice\",\"domain\":{\"id\":\"Default\"}", "hush")
                          SCOPE("\"name\":\"lab\",\"domain\":{\"id\":\"Default\"}")},
        {AT_KEYSTONE "OS_USER_ID=a11ce\nOS_PASSWORD=hu\"sh\nOS_PROJECT_ID=9907ec7\n",
         BY_PASSWORD("\"id\":\"a11ce\"", "hu\\\"sh") SCOPE("\"id\":\"9907ec7\"")},
        {AT_KEYSTONE "OS_USERNAME=alice\nOS_PASSWORD=hush\nOS_PROJECT_NAME=lab\nOS_USER_DOMAIN_ID=d1\n"
                     "OS_PROJECT_DOMAIN_NAME=d2\n",
         BY_PASSWORD("\"name\":\"alice\",\"domain\":{\"id\":\"d1\"}", "hush")
             SCOPE("\"name\":\"lab\",\"domain\":{\"name\":\"d2\"}")},
        {AT_KEYSTONE "OS_AUTH_TYPE=v3token\nOS_TOKEN=to-ken\nOS_PROJECT_ID=9907ec7\n",
         IDENTITY("token", "\"id\":\"to-ken\"") SCOPE("\"id\":\"9907ec7\"")},
        {AT_KEYSTONE "OS_AUTH_TYPE=v3token\nOS_TOKEN=to-ken\nOS_PROJECT_NAME=lab\nOS_PROJECT_DOMAIN_ID=d2\n",
         IDENTITY("token", "\"id\":\"to-ken\"") SCOPE("\"name\":\"lab\",\"domain\":{\"id\":\"d2\"}")},
        {AT_KEYSTONE CREDENTIAL,
         IDENTITY("application_credential", "\"id\":\"ac1\",\"secret\":\"hush\"") "}}"},
        {AT_KEYSTONE
         "OS_AUTH_TYPE=v3applicationcredential\nOS_APPLICATION_CREDENTIAL_NAME=mine\nOS_USERNAME=alice\n"
         "OS_USER_DOMAIN_NAME=Default\nOS_APPLICATION_CREDENTIAL_SECRET=hush\n",
         IDENTITY("application_credential",
                  "\"name\":\"mine\",\"user\":{\"name\":\"alice\",\"domain\":{\"name\":\"Default\"}},"
                  "\"secret\":\"hush\"") "}}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(state);
        _cleanup_keymgr_ struct keymgr *km = open_as(cases[i].words);
        assert_int_equal(count_listed(km), 0);
        assert_string_equal(fake_barbican.login, cases[i].body);
        assert_int_equal(count_listed(km), 0);
        assert_int_equal(fake_barbican.logins, 1); /* once for a run */
    }
}

/* It is sent as it is, and never renewed. */
static void a_token_of_the_callers_is_used(void **state)
{
    struct error e;
    (void)state;
    _cleanup_keymgr_ struct keymgr *km = open_as(AT_KEYSTONE GIVEN_TOKEN);
    assert_int_equal(count_listed(km), 0);
    assert_int_equal(fake_barbican.logins, 0);
    assert_int_equal(fake_barbican_asked("GET /v3/auth/catalog"), 1);
    fake_barbican.logins = 1;
    assert_error(list(km, &e), -EACCES, e);
    assert_non_null(strstr(e.text, "get a fresh one"));
    assert_int_equal(fake_barbican_asked("POST /v3"), 0);
}

static void a_token_that_ran_out_is_renewed_once(void **state)
{
    struct error e = ERROR_NONE;
    char a[KEY_ID_MAX], b[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, a);
    fake_barbican.logins++; /* Barbican forgets the one that it has seen */
    make_key(km, b);
    assert_int_equal(fake_barbican.logins, 3);
    fake_barbican.logins++;
    assert_fetch(km, a, 0); /* it worked in between, so once more */
    assert_int_equal(fake_barbican.logins, 5);

    /* of several, those alone that were refused */
    struct key_asked k[] = {{.id = a}, {.id = b}};
    fake_barbican.requests[0] = '\0';
    fail_at("GET /v1/secrets/", ANSWERED, 401, NULL);
    fake_barbican.fault.times = 1;
    assert_ok(keymgr_fetch_many(km, k, 2, &e), e);
    assert_int_equal(fake_barbican_asked("GET /v1/secrets/"), 3);
    for (size_t i = 0; i < 2; i++)
        secret_free(k[i].secret);

    unsigned before = fake_barbican.logins;
    fail_at("GET /v1", ANSWERED, 401, NULL);
    assert_fetch(km, a, -EACCES);
    assert_fetch(km, a, -EACCES);
    assert_int_equal(fake_barbican.logins,
                     before + 1); /* a token that never works is not asked for again and again */
    _cleanup_secret_ struct secret *none = NULL;
    assert_error(keymgr_fetch(km, a, &none, &e), -EACCES, e);
    assert_non_null(strstr(e.text, "has just given"));
}

static void keystone_may_refuse(void **state)
{
    static const struct answer_case cases[] = {
        {401, "", NULL, -EACCES, "refuses user alice for project lab"},
        {403, "", NULL, -EACCES, "refuses user alice for project lab"},
        {401, "{\"required_auth_methods\":[[\"password\",\"totp\"]]}", NULL, -EACCES, "multi-factor"},
        {404, FAKE_404, NULL, -EHOSTUNREACH, "answers 404: Secret not found"},
        {200, "{}", NULL, -EHOSTUNREACH, "answers 200; check that auth_url"},
        {201, "{}", NULL, -EHOSTUNREACH, "gives no token"},
        {302, "", "https://evil.test", -EHOSTUNREACH, "redirect to https://evil.test"},
    };
    struct error e;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(state);
        answer_at("POST /v3/auth/tokens", &cases[i]);
        _cleanup_keymgr_ struct keymgr *km = suite_open(state);
        assert_told(list(km, &e), &cases[i], &e);
        assert_int_equal(fake_barbican_asked("GET /v1"), 0);
    }
    begin(state);
    fail_at("POST /v3", NOT_SENT, 0, NULL);
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_error(list(km, &e), -EHOSTUNREACH, e);
    assert_non_null(strstr(e.text, "Keystone cannot be reached: "));
}

/* An application credential that was deleted is 404 in Keystone's words. */
static void a_deleted_application_credential_is_told(void **state)
{
    static const struct answer_case cases[] = {
        {404, FAKE_404, NULL, -EACCES, "application credential ac1 of "},
        {404, "{\"error\":{\"code\":404}}", NULL, -EACCES, "application credential ac1 of "},
        {404, "<html>", NULL, -EHOSTUNREACH, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e;
        begin(state);
        answer_at("POST /v3", &cases[i]);
        _cleanup_keymgr_ struct keymgr *km = open_as(AT_KEYSTONE CREDENTIAL);
        assert_told(list(km, &e), &cases[i], &e);
    }
}

/* ---------------------------------------------------------------- the place */

static void place_of(const char *words, const char *endpoint, char ret[KEY_PLACE_MAX])
{
    struct error e = ERROR_NONE;
    (void)!str_copy(config.barbican_endpoint, sizeof config.barbican_endpoint, endpoint);
    _cleanup_keymgr_ struct keymgr *km = open_as(words);
    assert_ok(keymgr_place(km, false, ret, &e), e);
    config.barbican_endpoint[0] = '\0';
}

/* It is the service and the region, by whatever address it is reached; one that is in no catalog is its
 * address. */
static void the_place_is_the_service(void **state)
{
    char first[KEY_PLACE_MAX], other[KEY_PLACE_MAX];
    (void)state;
    place_of(ALICE_IN_R1, "", first);
    assert_true(str_starts(first, "R1-"));
    assert_int_equal(strlen(first), 3 + 16);
    place_of(ALICE_IN_R1 "OS_INTERFACE=internal\n", "", other);
    assert_string_equal(other, first);
    place_of(ALICE, FAKE_BARBICAN, other);
    assert_string_equal(other, first);
    place_of(ALICE "OS_REGION_NAME=R2\n", "", other);
    assert_true(str_starts(other, "R2-"));
    assert_string_not_equal(other + 3, first + 3);
    place_of(ALICE_IN_R1, "https://elsewhere.test/", other);
    assert_true(str_starts(other, "barbican-"));
    char again[KEY_PLACE_MAX];
    place_of(ALICE_IN_R1, "https://elsewhere.test", again);
    assert_string_not_equal(again, first);
    assert_true(str_starts(again, "barbican-"));
}

/* ------------------------------------------------------------------- making */

static void what_is_stored_is_what_was_made(void **state)
{
    static const struct {
        uint32_t bits;
        enum key_scope scope;
        const char *mode, *name, *consumer;
    } cases[] = {
        {512, KEY_SCOPE_INSTANCE, "xts", "/vg0/instance/" OWNER,
         "{\"service\":\"mayfly\",\"resource_type\":\"instance\",\"resource_id\":\"" OWNER "\"}"},
        {256, KEY_SCOPE_BATCH, "", "/vg0/batch/" OWNER,
         "{\"service\":\"mayfly\",\"resource_type\":\"batch\",\"resource_id\":\"" OWNER "\"}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char id[KEY_ID_MAX];
        const struct key_info info = {
            .owner = OWNER, .vg = "vg0", .bits = cases[i].bits, .scope = cases[i].scope};
        begin_shared(state);
        _cleanup_keymgr_ struct keymgr *km = suite_open(state);
        _cleanup_secret_ struct secret *key = a_key(km, &info, id);
        const struct fake_secret *s = &fake_barbican.secrets[0];
        assert_int_equal(fake_barbican.n_secrets, 1);
        assert_string_equal(strchr(id, '/') + 1, s->id);
        assert_int_equal(s->bits, cases[i].bits);
        assert_int_equal(s->size, secret_size(key));
        assert_memory_equal(s->payload, secret_peek(key), s->size);
        assert_string_equal(s->mode, cases[i].mode);
        assert_true(str_starts(s->name, "mayfly/"));
        assert_true(str_ends(s->name, cases[i].name));
        assert_string_equal(s->consumer, cases[i].consumer);
        assert_string_equal(s->acl, "{\"read\":{\"users\":[\"" HOST_USER "\"],\"project-access\":true}}");
        assert_int_equal(fake_barbican_asked("POST /v1/secrets"), 2);
        assert_int_equal(fake_barbican_asked("PUT /v1/secrets"), 1);
    }
    begin(state); /* nobody is to read it but its project */
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, id);
    assert_string_equal(fake_barbican.secrets[0].acl, "");
    assert_int_equal(fake_barbican_asked("PUT "), 0);
}

static void a_host_that_reads_needs_its_user(void **state)
{
    struct error e = ERROR_NONE;
    struct key_made made = {.id = ""};
    begin_shared(state);
    config.host_user_id[0] = '\0';
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_error(keymgr_create_many(km, &want, 1, &made, &e), -EINVAL, e);
    assert_int_equal(fake_barbican_asked("POST /v1"), 0);
}

/* After a failure nothing is left, unless it is said; after a success there is each key once, and it is the
 * one that the caller has. */
static void judge_create(struct keymgr *km, int r, const struct key_made made[], size_t n,
                         const struct error *e, const char *what)
{
    size_t there = fake_barbican_count();
    if (r < 0 && there > 0 && !strstr(e->text, "; run mayfly recover later"))
        fail_msg("%s: %zu keys are left in silence: %s", what, there, e->text);
    if (r < 0 && !e->text[0])
        fail_msg("%s: no sentence", what);
    if (r == 0 && there != n)
        fail_msg("%s: %zu keys for %zu", what, there, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(r < 0 ? !made[i].secret : made[i].secret != NULL);
        if (r == 0)
            assert_key_is(km, made[i].id, made[i].secret);
    }
}

#define KEYS 3

/* One create of KEYS keys, with the fault that is set; its result. */
static int try_create(void **state, const char *what, struct error *e)
{
    struct key_info wants[KEYS];
    struct key_made made[KEYS] = {{.id = ""}};
    for (size_t i = 0; i < KEYS; i++) {
        wants[i] = want;
        uuid_make(wants[i].owner);
    }
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    int r = keymgr_create_many(km, wants, KEYS, made, e);
    fake_barbican.fault.where = NULL;
    judge_create(km, r, made, KEYS, e, what);
    for (size_t i = 0; i < KEYS; i++)
        secret_free(made[i].secret);
    return r;
}

/* Each request that a create makes fails in each way, once and from then on. */
static void wherever_a_create_fails_nothing_is_left_in_silence(int (*setup)(void **), void **state)
{
    static const char *const wheres[] = {"POST /v1/secrets\n", "POST /v1/secrets/", "PUT /v1/secrets/",
                                         "POST /v1/orders",    "GET /v1/orders/",   "GET /v1/secrets/",
                                         "GET /v1/secrets?",   "POST /v3"};
    static const struct {
        enum fake_mishap how;
        long status;
        const char *body;
    } kinds[] = {{ANSWERED, 403, ""}, {ANSWERED, 404, FAKE_404},    {ANSWERED, 500, ""},
                 {LOST, 0, NULL},     {NOT_SENT, 0, NULL},          {PRETENDED, 500, ""},
                 {ANSWERED, 401, ""}, {PRETENDED, 201, "nonsense"}, {PRETENDED, 200, "<html>"}};
    for (size_t w = 0; w < ARRAY_SIZE(wheres); w++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            for (unsigned after = 0; after < KEYS; after++)
                for (unsigned times = 0; times < 2; times++) {
                    struct error e = ERROR_NONE;
                    char what[100];
                    setup(state);
                    fail_at(wheres[w], kinds[k].how, kinds[k].status, kinds[k].body);
                    fake_barbican.fault.after = after;
                    fake_barbican.fault.times = times;
                    snprintf(what, sizeof what, "%s: kind %zu, after %u, times %u", wheres[w], k, after,
                             times);
                    int r = try_create(state, what, &e);
                    if (r == -ENOKEY || e.errnum == -ENOKEY || strstr(e.text, "gone for good"))
                        fail_msg("%s: what was never there is gone: %s", what, e.text);
                }
}

static void a_store_that_fails_leaves_nothing_in_silence(void **state)
{
    wherever_a_create_fails_nothing_is_left_in_silence(begin_shared, state);
}

static void an_order_that_fails_leaves_nothing_in_silence(void **state)
{
    wherever_a_create_fails_nothing_is_left_in_silence(begin_with_orders, state);
}

/* Its answer is lost, or comes so late that it was sent again: there is one key of the name in the end. */
static void a_lost_store_is_found_or_made_once_more(void **state)
{
    static const struct {
        const char *name;
        enum fake_mishap how;
        long status;
        unsigned times; /* 0: always */
        int result;
        unsigned stores; /* that Barbican is asked for */
        bool may_appear; /* keys, later: they are told of */
    } cases[] = {
        {"lost", LOST, 0, 1, 0, KEYS, false},
        {"not sent", NOT_SENT, 0, 1, -EHOSTUNREACH, KEYS, false}, /* it is for the caller to try again */
        {"503", ANSWERED, 503, 1, 0, KEYS + 1, false},            /* by a gateway, perhaps */
        {"late", LATE, 0, 1, 0, KEYS + 1, false},
        {"never", ANSWERED, 503, 0, -EHOSTUNREACH, KEYS + 2, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        begin(state);
        fail_at("POST /v1/secrets\n", cases[i].how, cases[i].status, NULL);
        fake_barbican.fault.times = cases[i].times;
        assert_error(try_create(state, cases[i].name, &e), cases[i].result, e);
        unsigned stores = (unsigned)fake_barbican_asked("POST /v1/secrets\n");
        if (stores != cases[i].stores)
            fail_msg("%s: %u stores, not %u", cases[i].name, stores, cases[i].stores);
        const char *appear = strstr(e.text, "3 keys may still appear in Barbican; run mayfly recover later");
        if (cases[i].may_appear ? !appear : strstr(e.text, "may still appear") != NULL)
            fail_msg("%s: says '%s'", cases[i].name, e.text);
    }
}

static void what_cannot_be_undone_is_counted(void **state)
{
    struct error e = ERROR_NONE;
    struct key_made made[KEYS];
    struct key_info wants[KEYS] = {want, want, want};
    begin_shared(state);
    fail_at("PUT /v1/secrets/", PRETENDED, 403, NULL);
    fake_barbican.seen_destroyed = 100; /* Barbican says that it has destroyed them, and has not */
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_error(keymgr_create_many(km, wants, KEYS, made, &e), -EACCES, e);
    assert_non_null(
        strstr(e.text, "; 3 keys that were made could not be destroyed again; run mayfly recover later"));
    assert_null(strstr(e.text, "may still appear"));
}

static void an_order_is_waited_for(void **state)
{
    struct error e = ERROR_NONE;
    config.barbican_order_polls = 6;
    config.barbican_order_delay_sec = 1;
    fake_barbican.order_looks = 3;
    assert_ok(try_create(state, "slow", &e), e);
    assert_int_equal(fake_barbican_asked("GET /v1/orders/"), KEYS * 4);
    assert_int_equal(slept_msec, KEYS * (50 + 100 + 200));
    assert_int_equal(fake_barbican.secrets[0].bits, 512);
    assert_string_equal(fake_barbican.secrets[0].mode, "xts");

    begin_with_orders(state);
    fake_barbican.order_error = "no HSM at all";
    assert_error(try_create(state, "failed", &e), -EIO, e);
    assert_non_null(strstr(e.text, "could not make the key: no HSM at all;"));

    begin_with_orders(state);
    e = ERROR_NONE;
    fake_barbican.order_looks = 1000;
    assert_error(try_create(state, "never", &e), -EHOSTUNREACH, e);
    assert_non_null(strstr(e.text, "has not made the key within 0 s"));
    assert_non_null(strstr(e.text, "3 keys may still appear"));
}

/* ------------------------------------------------------- what an answer means */

static void each_answer_has_its_meaning(void **state)
{
    static const struct answer_case cases[] = {
        {400, "", NULL, -EIO, "look at Barbican's log"},
        {403, "", NULL, -EACCES, "with the role creator"},
        {403, "{\"description\":\"Quota reached\"}", NULL, -EDQUOT, "delete secrets of the project"},
        {404, FAKE_404, NULL, -ENOKEY, "answers 404: Secret not found.; the key is gone for good"},
        {404, "{\"error\":{\"code\":404}}", NULL, -ENOKEY, "gone for good"},
        {404, "<html><title>Nothing here</title></html>", NULL, -EHOSTUNREACH, "not how Barbican says it"},
        {404, "{\"code\":405}", NULL, -EHOSTUNREACH, "not how Barbican says it"},
        {405, FAKE_404, NULL, -EHOSTUNREACH, "not how Barbican says it"},
        {406, "", NULL, -EKEYREJECTED, "not a key of Mayfly"},
        {409, "", NULL, -EIO, "look at Barbican's log"},
        {413, "", NULL, -EIO, "look at Barbican's log"},
        {415, "", NULL, -EIO, "look at Barbican's log"},
        {302, "", "https://evil.test", -EHOSTUNREACH, ", to https://evil.test; redirects are not followed"},
        {429, "", NULL, -EHOSTUNREACH, "try again, or look at the service"},
        {500, "", NULL, -EHOSTUNREACH, "try again, or look at the service"},
        {204, "", NULL, -EHOSTUNREACH, "check its endpoint"},
    };
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, id);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        _cleanup_secret_ struct secret *none = NULL;
        answer_at("GET /v1/secrets/", &cases[i]);
        assert_told(keymgr_fetch(km, id, &none, &e), &cases[i], &e);
        if (!strstr(e.text, "cannot be fetched: Barbican (https://barbican.test:9311)"))
            fail_msg("%ld: %s", cases[i].status, e.text);
    }
}

static void a_payload_is_a_key_of_barbicans(void **state)
{
    static const struct {
        size_t size;
        const char *type;
        int result;
    } cases[] = {{64, NULL, 0},
                 {16, NULL, 0},
                 {15, NULL, -EKEYREJECTED},
                 {65, NULL, -EKEYREJECTED},
                 {0, NULL, -EKEYREJECTED},
                 {64, "text/html", -EHOSTUNREACH},
                 {64, "", -EHOSTUNREACH}};
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, id);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fake_barbican.secrets[0].size = cases[i].size;
        fake_barbican.type = cases[i].type;
        assert_fetch(km, id, cases[i].result);
    }
}

/* A node of its database may lag behind; but what stays is not called destroyed. */
static void a_destroyed_key_is_seen_to_be_gone(void **state)
{
    static const uint64_t pauses_msec[] = {0, 200, 1200, 4200};
    for (unsigned looks = 0; looks <= ARRAY_SIZE(pauses_msec); looks++) {
        struct error e = ERROR_NONE;
        char id[KEY_ID_MAX];
        begin(state);
        _cleanup_keymgr_ struct keymgr *km = suite_open(state);
        make_key(km, id);
        fake_barbican.seen_destroyed = looks;
        bool goes = looks < ARRAY_SIZE(pauses_msec);
        assert_error(keymgr_destroy(km, id, &e), goes ? 0 : -EIO, e);
        assert_true(goes || strstr(e.text, "is still there"));
        assert_int_equal(slept_msec, pauses_msec[goes ? looks : ARRAY_SIZE(pauses_msec) - 1]);
    }
    static const struct {
        const char *where;
        enum fake_mishap how;
        long status;
        int result;
    } cases[] = {{"DELETE ", ANSWERED, 403, -EACCES},
                 {"DELETE ", LOST, 0, -EHOSTUNREACH},
                 {"DELETE ", NOT_SENT, 0, -EHOSTUNREACH},
                 {"GET /v1/secrets/", ANSWERED, 500, -EHOSTUNREACH},
                 {"DELETE ", ANSWERED, 404, -EHOSTUNREACH}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        char id[KEY_ID_MAX];
        begin(state);
        _cleanup_keymgr_ struct keymgr *km = suite_open(state);
        make_key(km, id);
        fail_at(cases[i].where, cases[i].how, cases[i].status, "");
        assert_error(keymgr_destroy(km, id, &e), cases[i].result, e);
    }
}

static void who_may_not_destroy_is_told(void **state)
{
    static const struct answer_case cases[] = {
        {400, "", NULL, 0, ""},       {409, "", NULL, 0, ""},       {415, "", NULL, 0, ""},
        {403, "", NULL, -EACCES, ""}, {500, "", NULL, -EAGAIN, ""}, {204, "", NULL, -EAGAIN, ""},
    };
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, id);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        answer_at("PUT /v1/secrets/", &cases[i]);
        assert_told(keymgr_may_destroy(km, id, &e), &cases[i], &e);
    }
}

/* ------------------------------------------------------------------ listing */

static size_t listed(struct keymgr *km, struct key_listing *ret)
{
    struct error e = ERROR_NONE;
    *ret = (struct key_listing){.n = 0};
    assert_ok(keymgr_list(km, ret, &e), e);
    return ret->n;
}

static void a_list_goes_on_behind_a_short_page(void **state)
{
    char id[7][KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    fake_barbican_add("another's", 512);
    fake_barbican_add("mayfly/another-host-0123456789abcdef/vg0/instance/" OWNER, 512);
    assert_int_equal(count_listed(km), 0);
    for (size_t i = 0; i < ARRAY_SIZE(id); i++)
        make_key(km, id[i]);
    fake_barbican.page_max = 3;
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_int_equal(listed(km, &l), 7);
    for (size_t i = 0; i < l.n; i++) { /* each once */
        bool found = false;
        for (size_t k = 0; k < ARRAY_SIZE(id); k++)
            found = found || streq(id[k], l.keys[i].id);
        assert_true(found);
        assert_true(i == 0 || strcmp(l.keys[i - 1].id, l.keys[i].id) != 0);
        assert_int_equal(l.keys[i].created_sec, 1767323045);
    }
    fake_barbican.vanish = 2; /* those behind them move up, so none may be passed over */
    _cleanup_key_listing_ struct key_listing later = {.n = 0};
    assert_int_equal(listed(km, &later), 7);
}

static void a_list_that_is_none_is_told(void **state)
{
    static const struct answer_case cases[] = {
        {404, FAKE_404, NULL, -EHOSTUNREACH, "not how Barbican says it"},
        {200, "{}", NULL, -EHOSTUNREACH, ""},
        {200, "<html>", NULL, -EHOSTUNREACH, ""},
        {500, "", NULL, -EHOSTUNREACH, ""},
    };
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        struct key_listing l = {.n = 0};
        answer_at("GET /v1/secrets?", &cases[i]);
        assert_told(keymgr_list(km, &l, &e), &cases[i], &e);
        assert_int_equal(l.n, 0);
    }
}

/* ----------------------------------------------------------------- granting */

static void grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool changes)
{
    struct error e = ERROR_NONE;
    bool changed = !changes;
    assert_ok(keymgr_grant(km, id, user, allowed, &changed, &e), e);
    assert_int_equal(changed, changes);
}

/* A PUT replaces the whole list, so what others have put there is written again. */
static void a_grant_changes_one_user(void **state)
{
    char id[KEY_ID_MAX];
    begin_shared(state);
    memcpy(config.host_access, "none", sizeof "none");
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, id);
    struct fake_secret *s = &fake_barbican.secrets[0];
    grant(km, id, NULL, true, true);
    assert_string_equal(s->acl, "{\"read\":{\"users\":[\"" HOST_USER "\"],\"project-access\":true}}");
    grant(km, id, NULL, true, false);
    grant(km, id, "b0b", true, true);
    assert_string_equal(s->acl, "{\"read\":{\"users\":[\"" HOST_USER "\",\"b0b\"],\"project-access\":true}}");
    grant(km, id, NULL, false, true);
    grant(km, id, NULL, false, false);
    assert_string_equal(s->acl, "{\"read\":{\"users\":[\"b0b\"],\"project-access\":true}}");
    strcpy(s->acl, "{\"read\":{\"users\":[\"b0b\"],\"project-access\":false}}");
    grant(km, id, HOST_USER, true, true);
    assert_string_equal(s->acl,
                        "{\"read\":{\"users\":[\"b0b\",\"" HOST_USER "\"],\"project-access\":false}}");
}

/* Lets user b0b read the key. Where that is refused, nothing has changed. */
static void try_grant(struct keymgr *km, const char *id, int result)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    assert_error(keymgr_grant(km, id, "b0b", true, &changed, &e), result, e);
    assert_int_equal(changed, result == 0);
}

static void a_grant_that_cannot_be_is_told(void **state)
{
    static const char *const lists[] = {"{}",
                                        "<html>",
                                        "{\"read\":{\"users\":[7]}}",
                                        "{\"read\":{\"users\":\"all\"}}",
                                        "{\"read\":{\"users\":[\"a b\"]}}",
                                        "{\"read\":{\"users\":[\"\"]}}",
                                        "{\"read\":{\"users\":[],\"project-access\":1}}"};
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX];
    bool changed = false;
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    make_key(km, id);
    assert_error(keymgr_grant(km, id, NULL, true, &changed, &e), -EINVAL,
                 e); /* there is no user of the host */
    assert_non_null(strstr(e.text, "user_id of [barbican_service_user] is not set"));
    assert_error(keymgr_grant(km, id, "a b", true, &changed, &e), -EINVAL, e);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        strcpy(fake_barbican.secrets[0].acl, lists[i]);
        try_grant(km, id, -EHOSTUNREACH);
        assert_string_equal(fake_barbican.secrets[0].acl, lists[i]);
    }
    for (unsigned users = 63; users <= 65; users++) { /* room for one more, for none, too many already */
        char *acl = fake_barbican.secrets[0].acl;
        acl += sprintf(acl, "{\"read\":{\"users\":[");
        for (unsigned i = 0; i < users; i++)
            acl += sprintf(acl, "%s\"u%u\"", i ? "," : "", i);
        sprintf(acl, "]}}");
        try_grant(km, id, users == 63 ? 0 : -E2BIG);
    }
    static const struct {
        const char *where;
        long status;
        const char *body;
        int result;
    } cases[] = {{"GET ", 403, "", -EACCES},
                 {"PUT ", 403, "", -EACCES},
                 {"GET ", 404, FAKE_404, -ENOKEY},
                 {"PUT ", 500, "", -EHOSTUNREACH},
                 {"PUT ", 200, "x", -EHOSTUNREACH}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fake_barbican.secrets[0].acl[0] = '\0';
        fail_at(cases[i].where, ANSWERED, cases[i].status, cases[i].body);
        try_grant(km, id, cases[i].result);
        assert_string_equal(fake_barbican.secrets[0].acl, "");
    }
}

/* ------------------------------------------------------------------- doctor */

/* WHAT=RESULT for each, and "?" behind one that is doubtful. */
static char *diagnosis(void **state, char **ret_texts)
{
    struct error e = ERROR_NONE;
    struct key_finding f[KEY_FINDINGS_MAX];
    size_t n = 0;
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    char *all = strdup(""), *texts = strdup("");
    for (size_t i = 0; i < n; i++) {
        char *more = str_format("%s%s=%d%s ", all, f[i].what, f[i].result, f[i].doubtful ? "?" : "");
        free(all);
        all = more;
        more = str_format("%s%s\n", texts, f[i].text);
        free(texts);
        texts = more;
    }
    *ret_texts = texts;
    return all;
}

static void assert_diagnosis(void **state, const char *wanted, const char *says)
{
    _cleanup_free_ char *texts = NULL, *all = diagnosis(state, &texts);
    assert_string_equal(all, wanted);
    if (!strstr(texts, says))
        fail_msg("not said: %s\n%s", says, texts);
}

static void doctor_tells_what_is_wrong(void **state)
{
    begin(state);
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0 access=0 ",
                     ": user alice, project lab, roles creator, reader\nBarbican is at " FAKE_BARBICAN
                     "/v1\nwithin 60 s of Keystone's\nBarbican lists the project's secrets\n");
    begin_shared(state);
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0 access=0 host_access=0 ",
                     "keys are made readable for user " HOST_USER);
    config.host_user_id[0] = '\0';
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0 access=0 host_access=-22 ", "needs user_id");
    begin(state);
    fake_barbican.ahead_sec = 100;
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0? access=0 ", "s behind Keystone's");
    fake_barbican.ahead_sec = -100;
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0? access=0 ", "s ahead of Keystone's");
    begin(state);
    fail_at("POST /v3", ANSWERED, 401, "");
    assert_diagnosis(state, "credentials=-13 ", "refuses user alice");
    begin(state);
    environment = ALICE "OS_REGION_NAME=R3\n";
    assert_diagnosis(state, "credentials=0 catalog=-113 ", "R3");
    begin(state);
    fail_at("GET /v1", ANSWERED, 404, FAKE_404);
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0 access=-113 ", "asked for its keys");
    begin(state);
    environment = AT_KEYSTONE GIVEN_TOKEN;
    assert_diagnosis(state, "credentials=0 catalog=0 clock=0 access=0 ", ": a token\n");
}

#define TEST(f)  cmocka_unit_test_setup(f, begin)
#define ORDER(f) cmocka_unit_test_setup(f, begin_with_orders)
int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYMGR_SUITE(begin, NULL),
        KEYMGR_SUITE(begin_shared, NULL),
        KEYMGR_SUITE(begin_with_orders, NULL),
        TEST(credentials_are_sent_as_keystone_wants_them),
        TEST(a_token_of_the_callers_is_used),
        TEST(a_token_that_ran_out_is_renewed_once),
        TEST(keystone_may_refuse),
        TEST(a_deleted_application_credential_is_told),
        TEST(the_place_is_the_service),
        TEST(what_is_stored_is_what_was_made),
        TEST(a_host_that_reads_needs_its_user),
        TEST(a_store_that_fails_leaves_nothing_in_silence),
        TEST(an_order_that_fails_leaves_nothing_in_silence),
        TEST(a_lost_store_is_found_or_made_once_more),
        TEST(what_cannot_be_undone_is_counted),
        ORDER(an_order_is_waited_for),
        TEST(each_answer_has_its_meaning),
        TEST(a_payload_is_a_key_of_barbicans),
        TEST(a_destroyed_key_is_seen_to_be_gone),
        TEST(who_may_not_destroy_is_told),
        TEST(a_list_goes_on_behind_a_short_page),
        TEST(a_list_that_is_none_is_told),
        TEST(a_grant_changes_one_user),
        TEST(a_grant_that_cannot_be_is_told),
        TEST(doctor_tells_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
