/* SPDX-License-Identifier: Apache-2.0 */
/* The one lvm process. It knows words, rows and reasons; what the commands are for is in lvm.c.
 *
 *     command --socket--> stdin of lvm
 *     LVM_REPORT_FD of lvm --pipe--> { "report": ..., "log": [ rows, one a line ] }
 *
 * The last row of the log has the status of the command (1 is success). Why a command failed is not in it:
 * the shell's `lastlog` tells, in rows of the same form.
 *
 * LVM suspends devices while it changes them. If lvm is killed then, the guests on them freeze. So nothing
 * here ever kills lvm, nor sets it a deadline: a command takes as long as its disks do. If we die, lvm
 * finishes its command and ends by itself, since its standard input has ended. A keeper process between us
 * and lvm lives as long as lvm, and holds `keep_fd` open, and with that our locks.
 */
#include "storage/lvm-shell.h"

#include "base/fd.h"
#include "base/process.h"
#include "storage/lvm-filter.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_PATIENCE_MSEC 5000 /* for an lvm that has nothing more to do */
#define KEEPER_NAME       "mayfly-lvm"
#define REPORT_LIMIT      (256U << 20) /* bytes of one report */
#define WORDS_MAX         60           /* the shell takes 63; it does not even answer a longer line */

/* Without udevd LVM has to make the device nodes itself, and must not wait for it. */
#define WITHOUT_UDEV "DM_DISABLE_UDEV=1"

/* Gives LVM's reports the form that is read here, whatever the host's configuration and profiles say. It does
 * not reach the log, which is set up when the shell starts: see lvm_log_field(). */
#define OUTPUT                                                                                               \
    "report{compact_output=0 compact_output_cols=\"\" aligned=1 buffered=1 headings=1 "                      \
    "separator=\" \" list_item_separator=\",\" prefixes=0 quoted=1 columns_as_rows=0 "                       \
    "binary_values_as_numeric=0 mark_hidden_devices=1} "                                                     \
    "global{units=b suffix=0 test=0} log{prefix=\"  \" indent=0 command_names=0 verbose=0 silent=0} "

/* LVM archives the group's metadata before each change and keeps it for 30 days. With a thousand disks that
 * each live a day, that is gigabytes a day, and useless: the keys of those disks are gone. Changes by other
 * commands are archived as ever. Removed volumes are not discarded: ciphertext is worthless without its key,
 * and discards of many terabytes take minutes. dmeventd would be started inside the broker's sandbox. LVM's
 * hints about which disks to read may be older than a group, which would then not be found. */
#define BEHAVIOUR "backup{archive=0} activation{monitoring=0} %sdevices{issue_discards=0 hints=\"none\"%s}"

/* LVM notifies lvmdbusd of each change, and searches D-Bus for it even if it is not installed. */
#define LVMDBUSD     "/usr/share/dbus-1/system-services/com.redhat.lvmdbus1.service"
#define WITHOUT_DBUS "global{notify_dbus=0} "

/* A guest can write what looks like a physical volume of the host. So LVM reads neither maps nor our volumes,
 * which it knows as /dev/GROUP/UUID_disk. An operator's own filter is left as it is. */
#define WITHOUT_DISKS                                                                                        \
    " filter=[\"r|^/dev/mapper/.*" MAP_NAME_SUFFIX "$|\",\"r|^/dev/[^/]*/[-0-9a-f]*" VOLUME_INFIX "|\"]"

struct lvm {
    pid_t pid;            /* of lvm or its keeper; 0: none runs */
    int to, from;         /* commands; reports */
    int keep_fd;          /* borrowed; -1: there is no keeper */
    bool operator_filter; /* devices/filter is set */
    bool dbus;            /* lvmdbusd is installed */
};

/* ---- the process ---- */

/* Becomes lvm, in a session of its own, so that Ctrl-C does not end a command half-way. Nor must lvm die if
 * nobody reads its report any more. */
static _noreturn_ void become_lvm(int commands, int reports)
{
    static const char *const argv[] = {"lvm", NULL};
    const char *without_udev = access("/run/udev/control", F_OK) < 0 ? WITHOUT_UDEV : NULL;
    const char *environment[] = {
        process_environment[0], process_environment[1], "LVM_COMMAND_PROFILE=lvmdbusd",
        "LVM_REPORT_FD=3",      without_udev,           NULL};
    process_reset_signals();
    signal(SIGPIPE, SIG_IGN);
    setsid();
    commands = fd_move_high(commands);
    reports = fd_move_high(reports);
    int null = fd_move_high(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (dup2(commands, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(reports, 3) < 0)
        _exit(126);
    process_close_from(4);
    process_exec(argv, environment);
}

/* Becomes the keeper: starts lvm, waits for its end, and ends in the same way. */
static _noreturn_ void become_keeper(int keep_fd, int commands, int reports)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        become_lvm(commands, reports);
    setsid();
    prctl(PR_SET_NAME, KEEPER_NAME); /* else ps shows two brokers */
    keep_fd = fd_move_high(keep_fd);
    for (int fd = 0; fd < keep_fd; fd++)
        close(fd);
    process_close_from(keep_fd + 1);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    process_reset_signals();
    if (pid > 0 && WIFSIGNALED(status))
        raise(WTERMSIG(status));
    _exit(pid > 0 ? WEXITSTATUS(status) : 126);
}

/* Starts the process. Uses a socket rather than a pipe: writing to a process that has died is then an error
 * and not a signal. */
static int start_process(struct lvm *l, struct error *e)
{
    int commands[2], reports[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, commands) < 0)
        return error_set(e, errno, "lvm: cannot start: %m");
    _cleanup_close_ int to = commands[0], its_stdin = commands[1];
    if (pipe2(reports, O_CLOEXEC) < 0)
        return error_set(e, errno, "lvm: cannot start: %m");
    _cleanup_close_ int from = reports[0], its_report = reports[1];

    pid_t pid = fork();
    if (pid < 0)
        return error_set(e, errno, "lvm: cannot start: %m");
    if (pid == 0 && l->keep_fd >= 0)
        become_keeper(l->keep_fd, its_stdin, its_report);
    if (pid == 0)
        become_lvm(its_stdin, its_report);
    l->pid = pid;
    l->to = TAKE_FD(to);
    l->from = TAKE_FD(from);
    return 0;
}

/* Waits for lvm. Returns its status, or -ETIMEDOUT: it has not ended yet. */
static int end_process(struct lvm *l)
{
    l->to = fd_close(l->to);
    l->from = fd_close(l->from);
    return l->pid ? process_await(TAKE(l->pid, 0), END_PATIENCE_MSEC) : 0;
}

static int ensure_process(struct lvm *l, struct error *e)
{
    if (l->pid)
        return 0;
    l->operator_filter = lvm_filter_is_set();
    l->dbus = access(LVMDBUSD, F_OK) == 0;
    return start_process(l, e);
}

int lvm_start(int keep_fd, struct lvm **ret, struct error *e)
{
    _cleanup_close_ int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC); /* loads the module */
    if (control < 0)
        return error_set(
            e, errno == EACCES ? EACCES : ENODEV,
            "lvm: cannot start: no device-mapper (/dev/mapper/control: %m); try modprobe dm-mod");
    if (access("/usr/sbin/lvm", X_OK) < 0 && access("/sbin/lvm", X_OK) < 0)
        return error_set(e, -ENOENT, "lvm: cannot start: there is no such program; install lvm2");
    struct lvm *l = malloc(sizeof *l);
    if (!l)
        return error_memory(e);
    *l = (struct lvm){.to = -1, .from = -1, .keep_fd = keep_fd};
    int r = ensure_process(l, e);
    if (r < 0)
        lvm_stop(l);
    else
        *ret = l;
    return r;
}

struct lvm *lvm_stop(struct lvm *l)
{
    if (l)
        end_process(l);
    free(l);
    return NULL;
}

/* ---- commands and reports ---- */

void lvm_add_words(struct command *c, ...)
{
    va_list ap;
    va_start(ap, c);
    for (const char *word; (word = va_arg(ap, const char *));) {
        bool fits = *word && c->used + strlen(word) + 2 < sizeof c->text && ++c->words < WORDS_MAX;
        for (const char *p = word; *p; p++)
            fits = fits && *p > ' ' && *p < 0x7f && !strchr("'\"\\", *p);
        c->bad |= !fits;
        if (!c->bad)
            c->used += (size_t)sprintf(c->text + c->used, "%s ", word);
    }
    va_end(ap);
}

/* Reads one whole report: it ends with the only line that is "  }". LVM writes it when the command is
 * done. */
static int read_report(int from, char **ret_text, size_t *ret_size)
{
    static const char end[] = "\n  }\n";
    _cleanup_free_ char *text = NULL;
    size_t used = 0, room = 0;
    do {
        if (room - used < 4096) {
            room = room ? 2 * room : 16384;
            char *bigger = room > REPORT_LIMIT ? NULL : realloc(text, room);
            if (!bigger)
                return room > REPORT_LIMIT ? -EFBIG : -ENOMEM;
            text = bigger;
        }
        ssize_t n = read(from, text + used, room - used - 1);
        if (n == 0)
            return -EPIPE;
        if (n < 0 && errno != EINTR)
            return -errno;
        used += n > 0 ? (size_t)n : 0;
        text[used] = '\0';
    } while (used < strlen(end) || !streq(text + used - strlen(end), end)); /* str_ends() would read it all */
    *ret_text = TAKE_PTR(text);
    *ret_size = used;
    return 0;
}

/* Sends one line and reads its report. -EIO: the process has ended. */
static int talk(struct lvm *l, const char *line, char **ret_text, size_t *ret_size, struct error *e)
{
    ssize_t sent = send(l->to, line, strlen(line), MSG_NOSIGNAL); /* lvm waits for a line, so there is room */
    int r = sent == (ssize_t)strlen(line) ? read_report(l->from, ret_text, ret_size) : -EPIPE;
    if (r == 0)
        return 0;

    char status[64];
    int verb = (int)strcspn(line, " \n"), ended = end_process(l);
    if (r == -EFBIG)
        return error_set(e, r, "lvm: %.*s: its report is longer than %u MiB", verb, line, REPORT_LIMIT >> 20);
    if (r == -ENOMEM)
        return error_memory(e);
    return error_set(
        e, -EIO, "lvm: ended during %.*s: it %s; mayfly recover looks for volumes that it left suspended",
        verb, line, ended < 0 ? "did not answer" : process_status_text(ended, status, sizeof status));
}

/* ---- status ---- */

/* A reason in LVM's words, our errno for it, and the way out. */
static const struct reason {
    const char *words;
    int errnum;
    const char *way_out;
} reasons[] = {
    {" metadata on ", ENOSPC,
     "the group's metadata area is full, whatever space its disks have; remove volumes, or use another "
     "group, made "
     "with a larger vgcreate --metadatasize"},
    {"already exists", EEXIST, "see lvs"},
    {"nsufficient", ENOSPC, "ask for less, remove volumes, or add a disk with vgextend"},
    {" is exported", EREMOTE, "it belongs to another host; see vgimport"},
    {"not found", ENOENT, "see vgs, and images_volume_group in mayfly.conf"},
    {"ailed to find", ENOENT, "see lvs"},
    {" in use", EBUSY, "close what holds it; see lsblk"},
};

static const struct reason *find_reason(const char *message)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strstr(message, reasons[i].words))
            return &reasons[i];
    return NULL;
}

/* Asks LVM why its last command failed: the first message that is known to us, else the first one. */
static int explain(struct lvm *l, const char *what, struct error *e)
{
    _cleanup_free_ char *log = NULL;
    char message[300], first[300] = "";
    size_t size = 0;
    const struct reason *reason = NULL;
    int r = talk(l, "lastlog --config '" OUTPUT "'\n", &log, &size, e);
    if (r < 0)
        return r;
    for (const char *row = log; !reason && (row = lvm_find_log_row(row, "log_type", "error"));
         row = strchrnul(row, '\n')) {
        if (lvm_log_field(row, "log_message", message, sizeof message) < 0)
            continue;
        reason = find_reason(message);
        if (!first[0] || reason)
            memcpy(first, message, sizeof first);
    }
    if (!first[0])
        return error_set(e, -EIO, "%s: LVM does not say why; try vgck, and see dmesg", what);
    return error_set(e, reason ? reason->errnum : EIO, "%s: %s (%s)", what, first,
                     reason ? reason->way_out : "try vgck, and see dmesg");
}

/* Finds the status of the command, in the row that the shell adds last. */
static int find_status(const char *report, bool *ret_succeeded)
{
    const char *row = lvm_find_log_row(report, "log_context", "shell");
    char code[8];
    if (!row || lvm_log_field(row, "log_ret_code", code, sizeof code) < 0)
        return -EPROTO;
    *ret_succeeded = streq(code, "1");
    return 0;
}

int lvm_run(struct lvm *l, const char *verb, const struct command *c, char **ret_report, size_t *ret_size,
            const char *what, struct error *e)
{
    _cleanup_free_ char *report = NULL;
    bool succeeded = false;
    size_t size = 0;
    if (c->bad)
        return error_set(e, -EINVAL,
                         "%s: a name has characters that LVM does not take, or there are too many", what);
    int r = ensure_process(l, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *line =
        str_format("%s --config '" OUTPUT BEHAVIOUR "' %s\n", verb, l->dbus ? "" : WITHOUT_DBUS,
                   l->operator_filter ? "" : WITHOUT_DISKS, c->text);
    if (!line)
        return error_memory(e);
    r = talk(l, line, &report, &size, e);
    if (r < 0)
        return r;
    if (find_status(report, &succeeded) < 0)
        return error_set(
            e, -EPROTO,
            "%s: LVM does not tell what came of it; is its profile lvmdbusd, of the package lvm2, as it "
            "was installed?",
            what);
    if (!succeeded)
        return explain(l, what, e);
    if (ret_report) {
        *ret_report = TAKE_PTR(report);
        *ret_size = size;
    }
    return 0;
}
