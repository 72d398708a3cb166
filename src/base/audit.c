/* SPDX-License-Identifier: Apache-2.0 */
/* See audit.h. The native protocol is that of https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: lines FIELD=VALUE.
 * No value has a newline here, so the binary form of a field is not needed. The socket is not connected:
 * journald may be started, or started anew, between two entries. */
#include "base/audit.h"

#include "base/fd.h"
#include "base/str.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET  "/dev/log"
#define TEXT_MAX       1024 /* bytes of one value; a longer one is cut */

static struct {
    int socket; /* -1: no trail is kept */
    const char *identifier;
    const char *journal_path;
    const char *syslog_path;
    const char *verb;
    struct audit_who who;
} trail = {.socket = -1};

/* Selected by MESSAGE_ID=. Made once by `systemd-id128 new`; never changed. */
static const struct {
    const char *object; /* the word for the object in messages */
    const char *message_id;
} kinds[] = {
    [AUDIT_INSTANCE] = {"instance", "f4761ed4d40d423ab65974c4c0cda1ae"},
    [AUDIT_KEY] = {"key", "b6349380b4834289a3e62fa6242b6ad9"},
    [AUDIT_VOLUME] = {"volume", "efb879e5f4484eaeb6a0ec20cf36793b"},
};

/* The datagram while it is made. What does not fit is left out: an entry is complete or it has fewer fields,
 * and the first ones count most. */
struct entry {
    char text[8192];
    size_t used;
};

static _printf_(3, 4) void add(struct entry *entry, const char *field, const char *format, ...)
{
    char value[TEXT_MAX];
    va_list ap;
    va_start(ap, format);
    vsnprintf(value, sizeof value, format, ap);
    va_end(ap);
    str_tame(value);
    size_t room = sizeof entry->text - entry->used;
    int n = snprintf(entry->text + entry->used, room, "%s=%s\n", field, value);
    entry->used += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static bool has(const char *text)
{
    return text && *text;
}

static void add_text(struct entry *entry, const char *field, const char *text)
{
    if (has(text))
        add(entry, field, "%s", text);
}

/* Describes the object of an event: "web (5c0e...)", "local:...", "vg0/5c0e..._disk" */
static void describe(const struct audit_event *event, char *field, size_t size)
{
    const char *uuid = event->instance ? event->instance : "";
    if (event->kind == AUDIT_KEY)
        snprintf(field, size, "%s", has(event->key) ? event->key : "(not made)");
    else if (event->kind == AUDIT_VOLUME)
        snprintf(field, size, "%s", event->volume ? event->volume : uuid);
    else if (has(event->name) && has(uuid))
        snprintf(field, size, "%s (%s)", event->name, uuid);
    else
        snprintf(field, size, "%s", has(event->name) ? event->name : uuid);
}

/* Describes who asked: "uid 0, mayfly delete", "uid 1000, user 7f3a..., project 09bc..., mayfly start" */
static void describe_who(const struct audit_who *who, char *field, size_t size)
{
    snprintf(field, size, "uid %u%s%s%s%s%s%s", (unsigned)who->uid, has(who->user) ? ", user " : "",
             has(who->user) ? who->user : "", has(who->project) ? ", project " : "",
             has(who->project) ? who->project : "", has(trail.verb) ? ", mayfly " : "",
             has(trail.verb) ? trail.verb : "");
}

/* Writes the line that people read. */
static void write_message(const struct audit_event *event, const struct audit_who *who, char *field,
                          size_t size)
{
    char object[300], by[400], outcome[64] = "done";
    describe(event, object, sizeof object);
    describe_who(who, by, sizeof by);
    if (event->result < 0)
        snprintf(outcome, sizeof outcome, "failed with status %d", exit_code(event->result));
    snprintf(field, size, "%s %s: %s: %s (%s)%s%s", kinds[event->kind].object, object, event->action, outcome,
             by, event->result < 0 && has(event->reason) ? ": " : "",
             event->result < 0 && has(event->reason) ? event->reason : "");
    str_tame(field);
}

static int send_to(const char *path, const char *text, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (str_copy(address.sun_path, sizeof address.sun_path, path) < 0)
        return -ENAMETOOLONG;
    ssize_t n = sendto(trail.socket, text, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                       (const struct sockaddr *)&address, sizeof address);
    return n < 0 ? -errno : 0;
}

static void send_syslog(int priority, const char *message)
{
    char line[TEXT_MAX + 128];
    int n = snprintf(line, sizeof line, "<%d>%s[%d]: %s", LOG_AUTHPRIV | priority, trail.identifier,
                     (int)getpid(), message);
    (void)!send_to(trail.syslog_path, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

void audit_write(const struct audit_event *event)
{
    const struct audit_who *who = event->who ? event->who : &trail.who;
    int priority = event->result < 0 ? LOG_WARNING : LOG_NOTICE;
    struct entry entry = {.used = 0};
    char message[TEXT_MAX];

    if (trail.socket < 0)
        return;
    write_message(event, who, message, sizeof message);
    add(&entry, "MESSAGE", "%s", message);
    add(&entry, "MESSAGE_ID", "%s", kinds[event->kind].message_id);
    add(&entry, "PRIORITY", "%d", priority);
    add(&entry, "SYSLOG_FACILITY", "%d", LOG_AUTHPRIV >> 3);
    add(&entry, "SYSLOG_IDENTIFIER", "%s", trail.identifier);
    add(&entry, "MAYFLY_ACTION", "%s", event->action);
    add(&entry, "MAYFLY_RESULT", "%d", exit_code(event->result));
    add(&entry, "MAYFLY_UID", "%u", (unsigned)who->uid);
    if (who->pid)
        add(&entry, "MAYFLY_PID", "%d", (int)who->pid);
    add_text(&entry, "MAYFLY_VERB", trail.verb);
    add_text(&entry, "MAYFLY_INSTANCE", event->instance);
    add_text(&entry, "MAYFLY_NAME", event->name);
    add_text(&entry, "MAYFLY_VOLUME", event->volume);
    add_text(&entry, "MAYFLY_KEY", event->key);
    add_text(&entry, "MAYFLY_GRANTEE", event->grantee);
    add_text(&entry, "MAYFLY_USER", who->user);
    add_text(&entry, "MAYFLY_PROJECT", who->project);
    if (event->result < 0)
        add(&entry, "ERRNO", "%d", -event->result);
    int r = send_to(trail.journal_path, entry.text, entry.used);
    if (r == -ENOENT || r == -ECONNREFUSED)
        send_syslog(priority, message);
}

int audit_instance(const char *action, const char *uuid, const char *name, int result, const struct error *e)
{
    audit_write(&(struct audit_event){
        .kind = AUDIT_INSTANCE,
        .action = action,
        .instance = uuid,
        .name = name,
        .result = result,
        .reason = e ? e->text : NULL,
    });
    return result;
}

void audit_open_at(const char *identifier, const char *journal_path, const char *syslog_path)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int high = fd < 0 ? -1 : fd_move_high(fd);
    audit_close();
    trail.socket = high < 0 ? -1 : high;
    trail.identifier = identifier;
    trail.journal_path = journal_path;
    trail.syslog_path = syslog_path;
    trail.who = (struct audit_who){.uid = getuid()};
}

void audit_open(const char *identifier)
{
    audit_open_at(identifier, JOURNAL_SOCKET, SYSLOG_SOCKET);
}

uid_t audit_caller(void)
{
    return trail.who.uid;
}

void audit_set_verb(const char *verb)
{
    trail.verb = verb;
}

void audit_close(void)
{
    trail.socket = fd_close(trail.socket);
}
