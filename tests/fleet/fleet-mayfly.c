/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly itself, all verbs of it, on a compute host whose storage and libvirt are those of tests/fake, and
 * whose key manager is the real one:
 *
 *     fleet-mayfly STATE AGENT VERB...
 *
 * STATE is a file with all that there is on the host, AGENT is the mayfly-keyagent to start. Each call that
 * changes the host is in the file before it returns, as by a broker and a libvirtd that outlive the caller:
 * so mayfly may be killed at any moment, and the next one finds what it did. One runs at a time. Verbs with
 * '@' are what Nova does to libvirt, and what happens to the host:
 *
 *     @define NAME UUID       a domain with all disks of this uuid
 *     @start UUID             its guest, as after libvirt's hook; 1: a disk of it is not open
 *     @end UUID               its guest ends, as before libvirt's hook
 *     @undefine UUID
 *     @reboot                 of the host: maps and guests are gone
 *     @show                   `volume LV STATE KEY`, `map LV` and `domain UUID running|off` lines
 *     @lose LV                the volume vanishes, for tests of the test
 */
#include "base/fd.h"
#include "cli/recover-note.h"
#include "cli/session.h"
#include "world.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXIT_VIOLATION 99

int mayfly_main(int argc, char **argv); /* src/cli/main.c */

static struct world *world;
static struct fake fake;
static const char *agent;

/* ------------------------------------------------------------- what outlives */

/* Two of them, of which one is whole whenever this process is killed. */
struct kept {
    atomic_uint current; /* 1 or 2; 0: neither yet */
    struct {
        struct host host;
        unsigned connections; /* so that a volume's maker is never taken for a later one */
    } copy[2];
};
static struct kept *kept;

static void keep(const struct world *w)
{
    unsigned next = kept->current == 1 ? 2 : 1;
    kept->copy[next - 1].host = w->host;
    kept->copy[next - 1].connections = w->connections;
    atomic_store(&kept->current, next);
}

static void find_kept(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *kept) < 0)
        abort();
    kept = mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (kept == MAP_FAILED)
        abort();
    close(fd);
    world = world_new();
    world->committed = keep;
    if (kept->current == 0)
        keep(world);
    world->host = kept->copy[kept->current - 1].host;
    world->connections = kept->copy[kept->current - 1].connections;
}

/* ------------------------------- the session, in place of src/cli/session.c */

int session_open(const struct globals *g, enum session_virt virt, struct session **ret, struct error *e)
{
    struct session *s = world_alloc(1, sizeof *s);
    world->virt_gone = virt == SESSION_VIRT_NONE;
    fake_begin(&fake, world);
    keep(world);
    int r = config_load(g->config_path, CONFIG_ANY_OWNER, &fake.config, e);
    if (r == 0)
        r = key_context_take(&fake.config, g->cloud, g->token_fd, &fake.who, e);
    if (r == 0)
        r = str_copy(fake.who.agent_program, sizeof fake.who.agent_program, agent);
    fake.context.open_keymgr = keymgr_open;
    s->config = fake.config;
    s->context = fake.context;
    progress_init(&s->progress, g->progress_fd);
    s->context.reporter = &s->progress.reporter;
    *ret = r == 0 ? s : session_close(s);
    return r;
}

int session_open_despite(const struct globals *g, struct session **ret, struct lacks *ret_lacks,
                         struct error *e)
{
    *ret_lacks = (struct lacks){.config = ERROR_NONE};
    return session_open(g, SESSION_VIRT_NEEDED, ret, e);
}

struct session *session_close(struct session *s)
{
    if (s) {
        fake_end(&fake);
        key_context_end(&fake.who);
        free(s);
    }
    return NULL;
}

/* No note of the last recover is kept. */
int recover_note_open(void)
{
    return -1;
}

void recover_note_write(int fd, const struct recover_note *note)
{
    (void)fd, (void)note;
}

int recover_note_read(struct recover_note *ret)
{
    (void)ret;
    return -ENOENT;
}

/* ------------------------------------------------------------ what others do */

static void define(const char *name, const char *uuid)
{
    struct world_domain *d = world_add_domain(world, name, uuid);
    for (size_t i = 0; i < world->host.n_volumes; i++)
        if (streq(world->host.volumes[i].v.instance, uuid) && d->defined.n < WORLD_DISKS)
            volume_device_path(&world->host.volumes[i].v, d->defined.disk[d->defined.n++].path);
}

static void show(void)
{
    const struct host *h = &world->host;
    for (size_t i = 0; i < h->n_volumes; i++)
        printf("volume %s %s %s\n", h->volumes[i].v.lv, volume_state_name(h->volumes[i].v.state),
               h->volumes[i].v.key);
    for (size_t i = 0; i < h->n_maps; i++)
        printf("map %s\n", h->maps[i].lv);
    for (size_t i = 0; i < h->n_domains; i++)
        printf("domain %s %s\n", h->domains[i].d.uuid, h->domains[i].d.active ? "running" : "off");
}

static void lose(const char *lv)
{
    const struct world_volume *v = world_volume(world, lv);
    if (!v)
        abort();
    world_drop(world->host.volumes, &world->host.n_volumes, sizeof *v, (size_t)(v - world->host.volumes));
}

/* Whether it did what was asked for. */
static bool act(const char *what, const char *first, const char *second)
{
    struct world_domain *d = world_domain(world, streq(what, "@define") ? second : first);
    if (streq(what, "@define") && !d)
        define(first, second);
    else if (streq(what, "@start"))
        return d && (d->d.active || world_start_guest(world, d));
    else if (streq(what, "@end") && d)
        world_end_guest(d);
    else if (streq(what, "@undefine") && d && !d->d.active)
        world_drop(world->host.domains, &world->host.n_domains, sizeof *d, (size_t)(d - world->host.domains));
    else if (streq(what, "@reboot"))
        world_reboot(&world->host);
    else if (streq(what, "@show"))
        show();
    else if (streq(what, "@lose"))
        lose(first);
    return true;
}

/* Nova defines the domain of these disks once they are there. */
static void note_apart(char **words, int n)
{
    for (int i = 0; i + 1 < n; i++)
        if (streq(words[i], "--uuid"))
            snprintf(world->host.apart, sizeof world->host.apart, "%.36s", words[i + 1]);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 1;
    find_kept(argv[1]);
    agent = argv[2];
    if (argv[3][0] == '@') {
        bool done = act(argv[3], argc > 4 ? argv[4] : "", argc > 5 ? argv[5] : "");
        keep(world);
        return !done;
    }
    note_apart(argv + 3, argc - 3);
    int status = mayfly_main(argc - 2, argv + 2);
    if (world->violation[0]) {
        fprintf(stderr, "violation: %s\n", world->violation);
        return EXIT_VIOLATION;
    }
    return status;
}
