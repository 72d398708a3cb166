/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail, read from sockets that stand for journald's and syslog's. */
#include "base/audit.h"
#include "trail.h"
#include "unit.h"

#define HAS(text, ...) assert_lines(text, (const char *const[]){__VA_ARGS__, NULL})
static void assert_lines(const char *text, const char *const lines[])
{
    for (; *lines; lines++)
        if (!trail_has(text, *lines))
            fail_msg("no line '%s' in:\n%s", *lines, text);
}

static void an_event_has_fields(void **state)
{
    char journal[512], log[512];
    int fd = trail_listen(state, "journal");
    strcpy(journal, folder_path(state, "journal"));
    strcpy(log, folder_path(state, "log"));
    audit_open_at("mayfly", journal, log);
    audit_set_verb("start");
    audit_write(&(struct audit_event){
        .kind = AUDIT_INSTANCE, .action = "start", .instance = "5c0e1c9e-0f53", .name = "web"});

    char own[64], message[200];
    const char *text = trail_next(fd);
    snprintf(own, sizeof own, "MAYFLY_UID=%u", getuid());
    snprintf(message, sizeof message,
             "MESSAGE=instance web (5c0e1c9e-0f53): start: done (uid %u, mayfly start)", getuid());
    HAS(text, message, "MESSAGE_ID=f4761ed4d40d423ab65974c4c0cda1ae", "PRIORITY=5",
        "SYSLOG_IDENTIFIER=mayfly", "MAYFLY_ACTION=start", "MAYFLY_INSTANCE=5c0e1c9e-0f53", "MAYFLY_NAME=web",
        "MAYFLY_RESULT=0", "MAYFLY_VERB=start", own);
    assert_null(strstr(text, "MAYFLY_KEY="));
    assert_null(strstr(text, "ERRNO="));
    audit_close();
    close(fd);
}

static void a_failure_says_why_and_who(void **state)
{
    char journal[512];
    int fd = trail_listen(state, "journal");
    strcpy(journal, folder_path(state, "journal"));
    audit_open_at("mayfly", journal, journal);
    audit_set_verb(NULL);
    audit_write(&(struct audit_event){
        .kind = AUDIT_KEY,
        .action = "destroy",
        .key = "barbican:7",
        .result = -EACCES,
        .reason = "key 7: is another's",
        .who = &(struct audit_who){.uid = 1234, .user = "alice", .project = "ci"},
    });
    const char *text = trail_next(fd);
    HAS(text,
        "MESSAGE=key barbican:7: destroy: failed with status 2 (uid 1234, user alice, "
        "project ci): key 7: is another's",
        "PRIORITY=4", "MAYFLY_KEY=barbican:7", "MAYFLY_USER=alice", "MAYFLY_PROJECT=ci", "MAYFLY_UID=1234",
        "MAYFLY_RESULT=2", "ERRNO=13");
    audit_close();
    close(fd);
}

/* The name of a domain is a stranger's text: it makes no field of its own. */
static void a_value_forges_no_field(void **state)
{
    char journal[512], longer[5000];
    int fd = trail_listen(state, "journal");
    strcpy(journal, folder_path(state, "journal"));
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    audit_open_at("mayfly", journal, journal);
    audit_write(&(struct audit_event){.kind = AUDIT_INSTANCE,
                                      .action = "start",
                                      .name = "web\nMAYFLY_UID=0\nPRIORITY=0",
                                      .result = -EIO,
                                      .reason = longer});
    const char *text = trail_next(fd);
    assert_true(trail_has(text, "MAYFLY_NAME=web?MAYFLY_UID=0?PRIORITY=0"));
    assert_false(trail_has(text, "PRIORITY=0"));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_non_null(strchr(line, '='));
    audit_close();
    close(fd);
}

static void without_journald_there_is_syslog(void **state)
{
    char none[512], log[512], wanted[200];
    int fd = trail_listen(state, "log");
    strcpy(none, folder_path(state, "journal"));
    strcpy(log, folder_path(state, "log"));
    audit_open_at("mayfly", none, log);
    audit_write(&(struct audit_event){.kind = AUDIT_KEY, .action = "fetch", .key = "local:1"});
    snprintf(wanted, sizeof wanted, "<85>mayfly[%d]: key local:1: fetch: done (uid %u)", getpid(), getuid());
    assert_string_equal(trail_next(fd), wanted);
    audit_close();
    close(fd);
}

/* Neither a missing socket nor one that nobody reads stops anything. */
static void nobody_need_listen(void **state)
{
    char none[512], full[512];
    const struct audit_event event = {.kind = AUDIT_KEY, .action = "fetch", .key = "local:1"};
    audit_write(&event); /* never opened */
    strcpy(none, folder_path(state, "none"));
    audit_open_at("mayfly", none, none);
    audit_write(&event);

    int fd = trail_listen(state, "full");
    strcpy(full, folder_path(state, "full"));
    audit_open_at("mayfly", full, full);
    alarm(20); /* ends the test where it blocks */
    for (int i = 0; i < 5000; i++)
        audit_write(&event);
    alarm(0);
    audit_close();
    audit_write(&event);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_has_fields, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_failure_says_why_and_who, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_value_forges_no_field, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(without_journald_there_is_syslog, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(nobody_need_listen, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
