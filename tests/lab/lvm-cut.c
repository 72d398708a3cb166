/* SPDX-License-Identifier: Apache-2.0 */
/* Kills lvm, or the broker that feeds it, at one of the steps of LVM's commands: where a command begins, and
 * after each write of metadata and each change in the kernel's device-mapper. Preloaded (/etc/ld.so.preload),
 * it does so in the shell `lvm` alone.
 *
 * /run/lvm-cut has the order: "lvm N" or "broker N" kills at step N, "stop N" stops lvm there (SIGSTOP); it
 * is removed before. A third word, a command, has the steps behind it counted, since how many it takes itself
 * depends on the devices that a cut has left. "none 0" only counts. /run/lvm-steps gets a line for each step:
 * its number, what it is, and the command.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ORDER "/run/lvm-cut"
#define STEPS "/run/lvm-steps"

static unsigned step_number, cut_at;
static bool counts = true; /* false: the command that `behind` names has not ended yet */
static char victim[8], behind[32], command[4096];

__attribute__((constructor)) static void read_order(void)
{
    FILE *f = strcmp(program_invocation_short_name, "lvm") == 0 ? fopen(ORDER, "re") : NULL;
    if (!f)
        return;
    if (fscanf(f, "%7s %u %31s", victim, &cut_at, behind) < 2)
        victim[0] = '\0';
    counts = !behind[0];
    fclose(f);
}

/* Between it and us is the process that keeps its locks. */
static pid_t broker_pid(void)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
    FILE *f = fopen(path, "re");
    if (!f || fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
        parent = 0;
    if (f)
        fclose(f);
    return parent;
}

static void obey(void)
{
    if (strcmp(victim, "broker") == 0)
        kill(broker_pid(), SIGKILL);
    else
        raise(strcmp(victim, "stop") == 0 ? SIGSTOP : SIGKILL);
}

static void step(const char *what)
{
    if (!victim[0])
        return;
    int fd = open(STEPS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dprintf(fd, "%u %s %s\n", ++step_number, what, command);
    close(fd);
    if (counts && step_number == cut_at && unlink(ORDER) == 0)
        obey();
}

static bool is_behind(void)
{
    size_t length = strlen(behind);
    return length && strncmp(command, behind, length) == 0 && strchr(" ", command[length]);
}

/* Without its --config, which is long and the same for all. */
static void note_command(const char *line)
{
    const char *rest = strrchr(line, '\'');
    snprintf(command, sizeof command, "%.*s%s", (int)strcspn(line, " "), line, rest ? rest + 1 : "");
}

char *readline(const char *prompt);
int io_submit(aio_context_t context, long n, struct iocb **blocks);

char *readline(const char *prompt)
{
    char *(*next)(const char *) = (char *(*)(const char *))dlsym(RTLD_NEXT, "readline");
    char *line = next(prompt);
    if (line) {
        if (is_behind()) {
            counts = true;
            step_number = 0;
        }
        note_command(line);
        step("begin");
    }
    return line;
}

int io_submit(aio_context_t context, long n, struct iocb **blocks)
{
    int (*next)(aio_context_t, long, struct iocb **) =
        (int (*)(aio_context_t, long, struct iocb **))dlsym(RTLD_NEXT, "io_submit");
    int submitted = next(context, n, blocks);
    if (submitted > 0 && blocks[0]->aio_lio_opcode == IOCB_CMD_PWRITE)
        step("write");
    return submitted;
}

static const char *change_of(unsigned long request, const struct dm_ioctl *dm)
{
    if (_IOC_TYPE(request) != DM_IOCTL)
        return NULL;
    switch (_IOC_NR(request)) {
    case DM_DEV_CREATE_CMD:
        return "create";
    case DM_DEV_REMOVE_CMD:
        return "remove";
    case DM_DEV_RENAME_CMD:
        return "rename";
    case DM_TABLE_LOAD_CMD:
        return "load";
    case DM_TABLE_CLEAR_CMD:
        return "clear";
    case DM_DEV_SUSPEND_CMD:
        return dm->flags & DM_SUSPEND_FLAG ? "suspend" : "resume";
    default:
        return NULL;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    int (*next)(int, unsigned long, void *) = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
    va_list ap;
    va_start(ap, request);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    const char *change = change_of(request, argument); /* its flags are the kernel's afterwards */
    int r = next(fd, request, argument);
    if (change && r == 0)
        step(change);
    return r;
}
