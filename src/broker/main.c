/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-broker: the only part of Mayfly that runs as root. Started for one connection, which is its standard
 * input, by systemd (mayfly-broker.socket) or by mayfly itself; ends with it.
 *
 * The caller mostly is not root. So errors are reported as answers, where the caller can see them, and the
 * one option can be given only by root.
 */
#include "base/audit.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "broker/sandbox.h"
#include "broker/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Makes SIGTERM wait until the operation in hand is done. (The unit has KillMode=process, so that lvm is not
 * told.) */
static int catch_stop(int *ret_fd, struct error *e)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int fd = signalfd(-1, &stop, SFD_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno, "mayfly-broker: cannot wait for signals: %m");
    *ret_fd = fd;
    return 0;
}

/* Moves the connection away from the descriptor that children get as their standard input. */
static int take_connection(int *ret_socket, struct error *e)
{
    int socket = fd_move_high(STDIN_FILENO);
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (socket < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0)
        return error_set(e, EBADF, "mayfly-broker: has no connection on its standard input");
    *ret_socket = socket;
    return 0;
}

/* Starts LVM in the background, since nearly every client lists volumes first. A fault of LVM is reported to
 * the request that needs it. */
static void begin_lvm(struct session *s)
{
    struct lvm *lvm = NULL;
    struct error why = ERROR_NONE;
    if (s->config->volume_groups.n && session_lvm(s, &lvm, &why) < 0)
        log_debug("%s", why.text);
}

static int start(const char *config_path, struct config *config, struct error *e)
{
    int r = sandbox_enter(e);
    if (r == 0)
        r = config_load(config_path, CONFIG_ROOT_OWNED, config, e); /* before chdir() */
    if (r < 0)
        return r;
    return chdir("/") < 0 ? error_set(e, errno, "mayfly-broker: cannot go to /: %m") : 0;
}

static int run(const char *config_path, struct error *e)
{
    _cleanup_close_ int socket = -1, stop = -1;
    struct config config;
    struct session session = {
        .config = &config, .locks_path = BROKER_LOCKS, .locks = LOCKS_NONE, .silence_msec = SILENCE_MSEC};
    struct error why = ERROR_NONE;

    process_begin_peer();
    int r = sandbox_harden(e);
    if (r == 0)
        r = take_connection(&socket, e);
    if (r == 0)
        r = catch_stop(&stop, e);
    if (r == 0)
        r = session_look_at_peer(&session, socket, e);
    if (r < 0)
        return r;
    audit_open("mayfly-broker");
    r = start(config_path, &config, &why);
    if (r == 0)
        begin_lvm(&session);
    r = server_serve(socket, stop, &session, r < 0 ? &why : NULL);
    session_end(&session);
    return r < 0 ? error_set(e, r, "connection: %s", strerror(-r)) : 0;
}

int main(int argc, char *argv[])
{
    struct error e = ERROR_NONE;

    log_set_program("mayfly-broker");
    if (argc != 1 && (argc != 3 || !streq(argv[1], "--config"))) {
        log_error("is started by systemd or by mayfly; its one option is --config FILE");
        return EXIT_USAGE;
    }
    int r = run(argc == 3 ? argv[2] : NULL, &e);
    if (r < 0)
        log_error("%s", e.text);
    return exit_code(r);
}
