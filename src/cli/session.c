/* SPDX-License-Identifier: Apache-2.0 */
/* See session.h. */
#include "cli/session.h"

#include "base/log.h"
#include "base/place.h"
#include "base/str.h"
#include "broker/wire.h"
#include "cli/own.h"
#include "cli/privileges.h"
#include "cli/signals.h"
#include "engine/engine.h"
#include "image/seed.h"
#include "instance/drift.h"
#include "instance/lock.h"
#include "pool/pool.h"

#include <limits.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

/* True if root can fork a broker. Without CAP_SYS_ADMIN (mayfly-recover.service) its own broker could do
 * nothing. */
static bool can_fork_broker(void)
{
    return geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 1;
}

static const struct engine_ops keepers = {engine_open, engine_maps, engine_close, engine_grow};

/* Opens a pool, whose folder replaces the volume groups. */
static int open_pool(struct session *s, struct error *e)
{
    volume_sockets_of_user(s->sockets);
    s->engine = (struct engine){&keepers, {s->sockets, false}, s->config.discard};
    int r = pool_open(&s->config, &s->engine, &s->broker, e);
    if (r < 0)
        return r;
    s->config.volume_groups.n = 1;
    return str_copy(s->config.volume_groups.item[0], CONFIG_TEXT_MAX, pool_name(s->broker));
}

/* As root, forks a broker, which stays root when we give that up; else connects to the socket. */
static int reach_groups(const struct globals *g, struct session *s, struct error *e)
{
    char program[PATH_MAX];
    place_find("src/broker", "mayfly-broker", program);
    int r = can_fork_broker() ? broker_fork(program, g->config_path, &s->broker, e)
                              : broker_connect(BROKER_SOCKET, &s->broker, e);
    if (r == 0) {
        s->engine = (struct engine){&keepers, {SOCKETS_OF_HOST, true}, s->config.discard};
        s->broker->engine = &s->engine;
    }
    return r;
}

static int reach_broker(const struct globals *g, struct session *s, struct error *e)
{
    int r = own_has_pool(&s->config) ? open_pool(s, e) : reach_groups(g, s, e);
    if (r == 0)
        s->broker->verb = g->verb;
    return r;
}

static int load_config(const struct globals *g, struct config *ret, struct error *e)
{
    int r = config_load(g->config_path, CONFIG_ANY_OWNER, ret, e);
    return r < 0 ? r : own_complete(ret, BROKER_SOCKET, e);
}

/* Becomes the user mayfly, who needs a folder for the sockets of disks. */
static int give_up_root(const struct session *s, struct error *e)
{
    uid_t user = 0;
    if (geteuid() != 0)
        return 0;
    int r = privileges_user(&user, e);
    if (r == 0 && s->engine.sockets.of_host)
        engine_make_folder(&s->engine.sockets, user);
    return r < 0 ? r : privileges_drop(e);
}

int session_start_keeper(struct image_keeper **ret, struct error *e)
{
    uid_t user = 0;
    if (geteuid() != 0)
        return 0;
    int r = privileges_user(&user, e);
    return r < 0 ? r : image_keeper_start(user, ret, e);
}

static int sync_domains(void *data, struct error *e)
{
    return broker_sync_domains(data, e);
}

static int connect_libvirt(struct session *s, struct error *e)
{
    enum virt_owner owner = own_has_pool(&s->config) ? VIRT_USER : VIRT_HOST;
    int r = virt_connect(s->config.connection_uri, owner, &s->virt, e);
    if (r == 0 && s->broker) {
        s->virt->sync = sync_domains;
        s->virt->sync_data = s->broker;
    }
    return r;
}

static int reach_libvirt(struct session *s, enum session_virt virt, struct error *e)
{
    struct error why = ERROR_NONE;
    if (virt == SESSION_VIRT_NONE)
        return 0;
    int r = connect_libvirt(s, &why);
    if (r == 0)
        return 0;
    if (virt == SESSION_VIRT_NEEDED)
        return error_pass(e, r, &why);
    log_warning("%s", why.text);
    return 0;
}

static struct session *session_new(void)
{
    struct session *s = calloc(1, sizeof *s);
    if (s)
        s->who = KEY_CONTEXT_NONE;
    privileges_harden();
    signals_install(log_get_level() < LOG_LEVEL_WARNING);
    return s;
}

#define WAITED_FIRST_SEC 30
#define WAITED_AGAIN_SEC 60
#define WAITED_STOP_SEC  5 /* an operation that ends within this time is waited for, and undone in order */

/* Tells of a long wait, and ends it when the user asks. */
static int wait_on(void *session, const char *what, unsigned waited_sec)
{
    struct session *s = session;
    if (signals_stopped() && waited_sec >= WAITED_STOP_SEC)
        return -ECANCELED;
    if (waited_sec < WAITED_FIRST_SEC)
        s->tell_again_sec = WAITED_FIRST_SEC;
    else if (waited_sec >= s->tell_again_sec) {
        s->tell_again_sec = waited_sec + WAITED_AGAIN_SEC;
        progress_waiting(&s->progress, what, waited_sec);
    }
    return 0;
}

/* Fills in the context from the parts of the session. */
static void make_context(struct session *s, const struct globals *g)
{
    place_find("src/keyagent", "mayfly-keyagent", s->who.agent_program);
    s->who.stopped = signals_stopped;
    progress_init(&s->progress, g->progress_fd);
    if (s->broker) {
        s->broker->patience = wait_on;
        s->broker->patience_data = s;
    }
    s->context = (struct context){
        .config = &s->config,
        .broker = s->broker,
        .virt = s->virt,
        .open_keymgr = keymgr_open,
        .who = &s->who,
        .managers = &s->managers,
        .import = image_import,
        .export = image_export,
        .stream = image_stream,
        .write_seed = seed_write,
        .read_seed = seed_read,
        .bench_look = bench_look,
        .root = "",
        .bench_measure = bench_measure,
        .reporter = &s->progress.reporter,
        .lock_wait_msec = LOCK_WAIT_MSEC,
        .holder_wait_msec = HOLDER_WAIT_MSEC,
        .stopped = signals_stopped,
        .hold_stop = signals_hold,
    };
}

int session_open(const struct globals *g, enum session_virt virt, struct session **ret, struct error *e)
{
    _cleanup_session_ struct session *s = session_new();
    if (!s)
        return error_memory(e);
    int r = load_config(g, &s->config, e);
    if (r == 0)
        r = key_context_take(&s->config, g->cloud, g->token_fd, &s->who, e);
    if (r == 0)
        r = reach_broker(g, s, e);
    if (r == 0)
        r = give_up_root(s, e);
    if (r == 0)
        r = reach_libvirt(s, virt, e);
    if (r < 0)
        return r;
    make_context(s, g);
    *ret = TAKE_PTR(s);
    return 0;
}

int session_open_despite(const struct globals *g, struct session **ret, struct lacks *ret_lacks,
                         struct error *e)
{
    _cleanup_session_ struct session *s = session_new();
    struct lacks lacks = {.config = ERROR_NONE};
    if (!s)
        return error_memory(e);
    bool usable = load_config(g, &s->config, &lacks.config) == 0;
    if (usable) {
        (void)!key_context_take(&s->config, g->cloud, g->token_fd, &s->who, &lacks.who);
        (void)!reach_broker(g, s, &lacks.broker);
    } else
        config_defaults(&s->config);
    int r = give_up_root(s, e);
    if (r < 0)
        return r;
    if (usable)
        (void)!connect_libvirt(s, &lacks.virt);
    make_context(s, g);
    *ret = TAKE_PTR(s);
    *ret_lacks = lacks;
    return 0;
}

struct session *session_close(struct session *s)
{
    if (s) {
        progress_end(&s->progress);
        key_managers_end(&s->managers);
        key_context_end(&s->who);
        virt_disconnect(s->virt);
        broker_disconnect(s->broker);
        free(s);
    }
    return NULL;
}
