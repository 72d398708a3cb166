/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly itself, all verbs of it, over one host in memory (world.h).
 *
 *     fake-mayfly FOLDER <SCRIPT
 *
 * Each line of the script is a command, its words separated by blanks: "launch web --root 1G --json". What it
 * prints is in FOLDER/NNN.out, what it says on standard error in FOLDER/NNN.err, its exit status in
 * FOLDER/NNN.status; NNN is the number of the line. Lines with '@' do something to the host instead:
 *
 *     @domain NAME UUID       somebody defines a domain without disks
 *     @nova UUID              Nova makes an instance with one disk, and a key in `barbican`
 *     @libvirt|@keys gone|back
 *                             libvirt, or the key manager, does not answer
 *     @crash N                the next command ends at its Nth call on the host, as by kill -9
 *     @key UUID               there is a key in `local` with this id, which no volume names
 *     @backend NAME           new keys are made there
 *     @asks PROJECT           who asks `barbican` is of that one
 *     @answer WORD            a person at a terminal answers so to the question of the next command
 *     @memory COMMAND         the command, which changes nothing, over and over: each of its calls for memory
 * gets none once. NNN.out says what became of that
 */
#include "base/fd.h"
#include "base/log.h"
#include "cli/recover-note.h"
#include "cli/session.h"
#include "keys/derive.h"
#include "memory.h"
#include "storage/xts.h"
#include "world.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int mayfly_main(int argc, char **argv); /* src/cli/main.c */

static struct world *world;
static struct fake fake;
static unsigned crash_at;
static const char *project = PROJECT_OURS;
static char backend[24] = "local";
static int nothing = -1;  /* /dev/null */
static int terminal = -1; /* the person's side of the next command's; -1: it has none */

/* ------------------------------- the session, in place of src/cli/session.c */

static struct session *begin(const struct globals *g)
{
    struct session *s = world_alloc(1, sizeof *s);
    fake_begin(&fake, world);
    fake_ask_as(&fake, project);
    snprintf(fake.config.key_backend, sizeof fake.config.key_backend, "%s", backend);
    s->config = fake.config;
    s->context = fake.context;
    progress_init(&s->progress, g->progress_fd);
    s->context.reporter = &s->progress.reporter;
    world->calls = 0;
    world->inject[0].at = crash_at;
    world->inject[0].kind = INJECT_CRASH_BEFORE;
    return s;
}

int session_open(const struct globals *g, enum session_virt virt, struct session **ret, struct error *e)
{
    *ret = begin(g);
    if (virt != SESSION_VIRT_NEEDED || !world->virt_gone)
        return 0;
    *ret = session_close(*ret);
    return error_set(e, -ECONNREFUSED, "libvirt %s: cannot connect: %s; run systemctl start libvirtd",
                     "qemu:///system", "nobody listens");
}

int session_open_despite(const struct globals *g, struct session **ret, struct lacks *ret_lacks,
                         struct error *e)
{
    (void)e;
    *ret = begin(g);
    *ret_lacks = (struct lacks){.config = ERROR_NONE};
    if (world->virt_gone)
        error_set(&ret_lacks->virt, -ECONNREFUSED, "libvirt: cannot connect; run systemctl start libvirtd");
    return 0;
}

struct session *session_close(struct session *s)
{
    if (s) {
        fake_end(&fake);
        free(s);
        world_revive(world);
        crash_at = 0;
    }
    return NULL;
}

/* --------------------- the note of the last recover, src/cli/recover-note.c */

static struct recover_note last_recover;

int recover_note_open(void)
{
    return 0;
}

void recover_note_write(int fd, const struct recover_note *note)
{
    if (fd == 0)
        last_recover = *note;
}

int recover_note_read(struct recover_note *ret)
{
    *ret = last_recover;
    return ret->at_sec ? 0 : -ENOENT;
}

/* ----------------------------------------------------------- what others do */

/* Uuids in their order, so that each run says the same (linked with --wrap). */
void __wrap_uuid_make(char ret_uuid[UUID_TEXT]);
void __wrap_uuid_make(char ret_uuid[UUID_TEXT])
{
    static unsigned n;
    snprintf(ret_uuid, UUID_TEXT, "5eed0000-0000-4000-8000-%012u", ++n);
}

static void nova_makes(const char *uuid)
{
    struct host *h = &world->host;
    struct world_volume *w = &h->volumes[h->n_volumes++];
    struct world_key *k = &h->keys[h->n_keys++];
    struct volume made = {
        .cipher = XTS_CIPHER, .key_bits = 512, .sector_bytes = 512, .kdf = KDF_NOVA_RIPEMD160};
    _cleanup_secret_ struct secret *s = NULL, *key = NULL;
    struct error e = ERROR_NONE;
    if (secret_new(64, &s, &e) < 0)
        abort();
    for (size_t i = 0; i < 64; i++)
        secret_bytes(s)[i] = k->bytes[i] = (uint8_t)(i + 1);
    if (derive_volume_key(&made, s, &key, &e) < 0)
        abort();
    memcpy(w->sealing, secret_peek(key), sizeof w->sealing);
    w->nova = w->stranger = true;
    w->v.size_bytes = UINT64_C(1) << 30;
    snprintf(w->v.vg, sizeof w->v.vg, "vg0");
    snprintf(w->v.lv, sizeof w->v.lv, "%.36s_disk", uuid);
    k->nova = true;
    k->info.bits = 512;
    snprintf(k->info.id, sizeof k->info.id, "%.36s", uuid);
    snprintf(k->manager, sizeof k->manager, "barbican");
    snprintf(k->project, sizeof k->project, PROJECT_OURS);
    world_add_domain(world, "instance-00000001", uuid);
}

static void unused_key(const char *uuid)
{
    struct world_key *k = &world->host.keys[world->host.n_keys++];
    k->info.bits = 256;
    k->info.created_sec = 1;
    snprintf(k->info.id, sizeof k->info.id, "%.36s", uuid);
    snprintf(k->info.owner, sizeof k->info.owner, "%.36s", uuid);
    snprintf(k->info.vg, sizeof k->info.vg, "vg0");
    snprintf(k->manager, sizeof k->manager, "local");
}

/* A person, who has typed the answer by the time that the question comes. */
static void sit_down(const char *answer)
{
    int side = -1;
    if (openpty(&terminal, &side, NULL, NULL, NULL) < 0 || dup2(side, STDIN_FILENO) < 0 ||
        dprintf(terminal, "%s\n", answer) < 0)
        abort();
    close(side);
}

static void leave(void)
{
    if (dup2(nothing, STDIN_FILENO) < 0)
        abort();
    close(terminal);
    terminal = -1;
}

static void act(char *const words[], size_t n)
{
    const char *what = words[0] + 1, *argument = n > 1 ? words[1] : "";
    bool gone = streq(argument, "gone");
    if (streq(what, "domain") && n == 3)
        world_add_domain(world, argument, words[2]);
    else if (streq(what, "nova"))
        nova_makes(argument);
    else if (streq(what, "libvirt"))
        world->virt_gone = gone;
    else if (streq(what, "keys"))
        world->keys_unreachable = gone;
    else if (streq(what, "crash"))
        crash_at = (unsigned)atoi(argument);
    else if (streq(what, "key"))
        unused_key(argument);
    else if (streq(what, "backend"))
        snprintf(backend, sizeof backend, "%s", argument);
    else if (streq(what, "asks"))
        project = streq(argument, PROJECT_THEIRS) ? PROJECT_THEIRS : PROJECT_OURS;
    else if (streq(what, "answer"))
        sit_down(argument);
    else {
        fprintf(stderr, "fake-mayfly: %s: not understood\n", words[0]);
        exit(1);
    }
}

/* ----------------------------------------------------------------- commands */

#define WORDS_MAX 64

static void redirect(int fd, const char *folder, unsigned line, const char *suffix)
{
    char path[300];
    snprintf(path, sizeof path, "%.250s/%03u.%s", folder, line, suffix);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0 || dup2(file, fd) < 0)
        abort();
    close(file);
}

static int command(const char *folder, unsigned line, char **words, int n)
{
    int saved = dup(STDERR_FILENO);
    log_set_level(LOG_LEVEL_WARNING); /* a process of its own has no option of the last one */
    fflush(stdout);
    redirect(STDOUT_FILENO, folder, line, "out");
    redirect(STDERR_FILENO, folder, line, "err");
    int status = mayfly_main(n, words);
    fflush(stdout);
    redirect(STDOUT_FILENO, folder, line, "status");
    printf("%d\n", status);
    fflush(stdout);
    if (dup2(saved, STDERR_FILENO) < 0)
        abort();
    close(saved);
    if (terminal >= 0)
        leave();
    return status;
}

/* What the last run of a line has printed ("out"), or said ("err"); the caller frees it. */
static char *printed(const char *folder, unsigned line, const char *suffix)
{
    char path[300], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%.250s/%03u.%s", folder, line, suffix);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_text(fd, 1 << 20, &text, &size) < 0)
        abort();
    close(fd);
    return text;
}

/* The command, whose words are there in the old order the next time, too. */
static int command_again(const char *folder, unsigned line, char *const words[], int n)
{
    char *copy[WORDS_MAX + 1];
    memcpy(copy, words, (size_t)(n + 1) * sizeof *words);
    return command(folder, line, copy, n);
}

/* Of a command that got no memory for one of its calls: NULL if it has said so, as a warning or among what it
 * finds, or has done without. `whole` is what it prints else, but for the uuids of what is to be made. */
static const char *wrong_without(const char *folder, unsigned line, bool failed, const char *whole)
{
    _cleanup_free_ char *text = printed(folder, line, "out"), *said = printed(folder, line, "err");
    if (failed)
        return said[0] ? NULL : "no error is told";
    bool finds = strstr(text, "memory") || strstr(text, "possibly unused");
    return said[0] || finds || strlen(text) == strlen(whole) ? NULL : "half is printed";
}

static void without_memory(const char *folder, unsigned line, char *const words[], int n)
{
    static struct host before;
    const char *wrong = NULL;
    unsigned at = 0;
    bool missed;
    before = world->host;
    (void)!command_again(folder, line, words, n);
    _cleanup_free_ char *whole = printed(folder, line, "out");
    do {
        memory_fail(++at);
        int status = command_again(folder, line, words, n);
        missed = memory_failed();
        wrong = wrong_without(folder, line, status != 0, whole);
        if (memcmp(&before, &world->host, sizeof before) != 0)
            wrong = "something has changed";
    } while (missed && !wrong);
    _cleanup_free_ char *text = wrong ? printed(folder, line, "out") : NULL;
    redirect(STDOUT_FILENO, folder, line, "out");
    printf("%u calls: %s\n%s", at, wrong ? wrong : "all told", text ? text : "");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char *line = NULL, program[] = "mayfly";
    size_t room = 0;
    if (argc != 2)
        return 1;
    world = world_new();
    FILE *script = fdopen(dup(STDIN_FILENO), "r");
    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!script || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0)
        return 1;
    for (unsigned number = 1; getline(&line, &room, script) > 0; number++) {
        char *words[WORDS_MAX + 1] = {program}, *rest = line;
        size_t n = 1;
        for (char *word; n < WORDS_MAX && (word = strtok_r(rest, " \n", &rest));)
            words[n++] = word;
        if (n > 2 && streq(words[1], "@memory")) {
            words[1] = program;
            without_memory(argv[1], number, words + 1, (int)n - 1);
        } else if (n > 1 && words[1][0] == '@')
            act(words + 1, n - 1);
        else if (n > 1 && words[1][0] != '#')
            command(argv[1], number, words, (int)n);
    }
    free(line);
    fclose(script);
    world_free(world);
    return 0;
}
