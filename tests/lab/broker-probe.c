/* SPDX-License-Identifier: Apache-2.0 */
/* Drives mayfly-broker by the real client, for tests/lab/broker-*.sh.
 *
 *     broker-probe PROGRAM [CONFIG] <commands       forks the broker (SOCKET instead: an absolute *.sock)
 *
 * Commands, one a line; each prints "VERB ok" or "VERB ERRNO", and the sentence on stderr:
 *     volume VG INSTANCE ROLE SIZE KEY|none    what the next ones are about; KEY is a number of 0 to 255
 *     key KEY                                  the key that open uses from now on
 *     lock [UUID]   create   open [opened]   write TEXT   read   drop   format FS [LABEL]   close
 *     mark STATE   remove   resize BYTES   snapshot BYTES   list   wait FILE
 */
#include "base/fd.h"
#include "broker/client.h"
#include "storage/check.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct probe {
    struct broker *b;
    struct volume v;
    struct secret *key;
    int fd;
};

static int make_key(struct probe *p, const char *text, struct error *e)
{
    p->key = secret_free(p->key);
    int r = secret_new(64, &p->key, e);
    for (size_t i = 0; r == 0 && i < 64; i++)
        secret_bytes(p->key)[i] = (uint8_t)((size_t)atoi(text) + i);
    return r;
}

static int make_volume(struct probe *p, char *arg[], struct error *e)
{
    struct volume *v = &p->v;
    *v = (struct volume){.name = "ci-1", .cipher = "none", .size_bytes = strtoull(arg[4], NULL, 10)};
    snprintf(v->vg, sizeof v->vg, "%s", arg[1]);
    snprintf(v->instance, sizeof v->instance, "%s", arg[2]);
    snprintf(v->role, sizeof v->role, "%s", arg[3]);
    snprintf(v->disk, sizeof v->disk, "d15c%04x%s",
             (unsigned)arg[3][0] * 256 + (unsigned)arg[3][strlen(arg[3]) - 1], arg[2] + 8);
    volume_set_lv_name(v);
    p->key = secret_free(p->key);
    if (streq(arg[5], "none"))
        return 0;
    strcpy(v->cipher, "aes-xts-plain64");
    strcpy(v->key, "local:ci-1");
    strcpy(v->kdf, "hkdf-sha512");
    v->key_bits = 512;
    v->sector_bytes = 4096;
    int r = make_key(p, arg[5], e);
    return r < 0 ? r : volume_check_value(v, p->key, v->check, e);
}

static int do_open(struct probe *p, bool opened, struct error *e)
{
    struct opened disk = OPENED_NONE;
    int r = broker_open(p->b, &p->v, p->key, opened ? MAP_TO_STAY : MAP_FOR_DOMAIN, SETTLE_NOW, &disk, e);
    if (r == 0) {
        fd_close(p->fd);
        p->fd = disk.fd;
    }
    return r;
}

static int do_list(struct probe *p, struct error *e)
{
    struct inventory *i = NULL;
    int r = broker_list(p->b, &i, e);
    for (size_t n = 0; i && n < i->n_volumes; n++) {
        const struct volume *v = &i->volumes[n];
        const struct map *m = inventory_map_of(i, v);
        printf("  %s %s %llu %s\n", v->lv, volume_state_name(v->state), (unsigned long long)v->size_bytes,
               m ? m->uuid : "-");
    }
    for (size_t n = 0; i && n < i->n_damaged; n++)
        printf("  damaged %s\n", i->damaged[n].lv);
    inventory_free(i);
    return r;
}

/* Reads what write has written. */
static int do_read(struct probe *p)
{
    char text[32] = "";
    int r = fd_pread_all(p->fd, text, sizeof text - 1, 1 << 20);
    printf("  %s\n", text);
    return r;
}

static int do_write(struct probe *p, const char *text)
{
    int r = fd_pwrite_all(p->fd, text, strlen(text) + 1, 1 << 20);
    return r == 0 && fsync(p->fd) < 0 ? -errno : r;
}

static int do_wait(const char *path)
{
    struct stat st;
    while (stat(path, &st) < 0)
        usleep(20000);
    return 0;
}

static int set(struct probe *p, const char *state, struct error *e)
{
    const struct volume *v = &p->v;
    enum volume_state to;
    int r = state ? volume_state_parse(state, &to) : 0;
    if (r < 0)
        return r;
    return state ? broker_mark(p->b, &v, 1, to, e) : broker_remove(p->b, &v, 1, e);
}

static int do_snapshot(struct probe *p, uint64_t room_bytes, struct error *e)
{
    char disk[UUID_TEXT];
    broker_disk_uuid(p->b, disk);
    return broker_snapshot(p->b, &p->v, p->key, disk, room_bytes, e);
}

static int run(struct probe *p, char *arg[], size_t n, struct error *e)
{
    const char *verb = arg[0], *second = n > 1 ? arg[1] : "";
    if (streq(verb, "volume") && n == 6)
        return make_volume(p, arg, e);
    if (streq(verb, "key"))
        return make_key(p, second, e);
    if (streq(verb, "lock"))
        return broker_lock(p->b, n > 1 ? second : p->v.instance, e);
    if (streq(verb, "create"))
        return broker_create(p->b, &p->v, e);
    if (streq(verb, "open"))
        return do_open(p, n > 1, e);
    if (streq(verb, "write"))
        return do_write(p, second);
    if (streq(verb, "read"))
        return do_read(p);
    if (streq(verb, "drop"))
        return p->fd = fd_close(p->fd), 0;
    if (streq(verb, "format"))
        return broker_format(p->b, &p->v, second, n > 2 ? arg[2] : "", e);
    if (streq(verb, "close"))
        return broker_close(p->b, &p->v, SETTLE_NOW, e);
    if (streq(verb, "mark"))
        return set(p, second, e);
    if (streq(verb, "remove"))
        return set(p, NULL, e);
    if (streq(verb, "resize"))
        return broker_resize(p->b, &p->v, strtoull(second, NULL, 10), e);
    if (streq(verb, "snapshot"))
        return do_snapshot(p, strtoull(second, NULL, 10), e);
    if (streq(verb, "list"))
        return do_list(p, e);
    if (streq(verb, "wait"))
        return do_wait(second);
    return error_set(e, -ENOSYS, "no such command");
}

int main(int argc, char *argv[])
{
    struct probe p = {.fd = -1};
    struct error e = ERROR_NONE;
    char line[512];
    if (argc < 2)
        return EXIT_USAGE;
    int r = str_ends(argv[1], ".sock") ? broker_connect(argv[1], &p.b, &e)
                                       : broker_fork(argv[1], argv[2], &p.b, &e);
    if (r < 0) {
        printf("connect %s\n", strerrorname_np(-r));
        fprintf(stderr, "%s\n", e.text);
    }
    while (r == 0 && fgets(line, sizeof line, stdin)) {
        char *arg[8] = {NULL}, *rest = NULL;
        size_t n = 0;
        for (char *word = strtok_r(line, " \n", &rest); word && n < 7; word = strtok_r(NULL, " \n", &rest))
            arg[n++] = word;
        if (n == 0)
            continue;
        e = ERROR_NONE;
        int result = run(&p, arg, n, &e);
        printf("%s %s\n", arg[0], result ? strerrorname_np(-result) : "ok");
        fflush(stdout);
        if (result)
            fprintf(stderr, "%s: %s\n", arg[0], e.text);
    }
    fd_close(p.fd);
    secret_free(p.key);
    broker_disconnect(p.b);
    return exit_code(r);
}
