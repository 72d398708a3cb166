/* SPDX-License-Identifier: Apache-2.0 */
/* A host in memory: volumes, maps, keys, domains, locks. The doubles of the broker, the key manager, libvirt
 * and the images all work on one such world, by the rules that the real ones enforce.
 *
 *     operation -> struct broker_ops, keymgr_ops, virt_ops -> doubles -> world
 *                                                                 |
 *                                             call number N: an error, or a crash
 *
 * There are two kinds of world. In that of LVM a double of the broker has the volumes in memory. In the other
 * one they are files of a real folder, and the broker is src/pool (world-pool.h). Of both, struct host says
 * what is there, once world_look() was called: domains, disks and images are doubles that ask nothing else,
 * and so are those who judge.
 *
 * Every call on a double is counted. At the injected one it fails, before or after it had its effect; in a
 * crash all that follow fail as well, without effect: so the operation unwinds in memory, and the world stays
 * as it was.
 */
#pragma once

#include "instance/operations.h"

#ifndef WORLD_VOLUMES /* tests/fleet has larger hosts */
#define WORLD_VOLUMES 40
#define WORLD_DOMAINS 12
#endif
#define WORLD_KEYS  12
#define WORLD_LOCKS 64
#define WORLD_DISKS 5 /* of one domain */
#define WORLD_FILES 4

#define WORLD_FOREIGN_DISK "/dev/somebody" /* which is always there */

#define WORLD_NO_ROOT "/nonexistent" /* in which there is no sys */

#define WORLD_CRYPT_VERSION CRYPT_VERSION(1, 24)

/* Projects of `barbican`. Who asks is of the one that the context names as its cloud. */
#define PROJECT_OURS      "ours"
#define PROJECT_THEIRS    "theirs"
#define PROJECT_HOST      "host" /* of the host's own user, who may read keys */
#define WORLD_PROJECT_MAX 8

struct world_volume {
    struct volume v;
    bool has_image;
    char seed[160]; /* how the meta-data begins that was written to it; "": none */
    char fs[8], label[12];
    bool suspended;             /* an lvm was killed while it changed it */
    bool snapshotted;           /* by somebody else, with LVM */
    bool nova;                  /* it made the volume; */
    bool stranger;              /* which has no tags: of `v` only names and size are set */
    char lost_key[KEY_REF_MAX]; /* of a stranger whose tags somebody took away: its key */
    bool remembered;            /* by the saved memory of a guest, which may resume on nothing else */
    uint8_t sealing[8];         /* how the volume key begins that it used */
};

struct world_map {
    struct map map;
    char lv[LV_NAME_MAX];
    bool held;      /* by somebody on the host, as by a mount */
    bool unsettled; /* udevd has not made its node yet */
};

struct world_key {
    struct key_info info;
    char manager[12];
    char project[WORLD_PROJECT_MAX]; /* whose it is, in `barbican` */
    bool nova;                       /* it made the key, of which Mayfly's lists tell nothing */
    bool host_reads, has_consumer;   /* in `barbican`, which does these after the key is stored */
    uint8_t bytes[64];
};

/* Sorted, so that two can be compared one by one. */
struct world_disks {
    size_t n;
    struct world_disk {
        char path[DEVICE_PATH_MAX];
        uint64_t bytes;   /* as the guest was told; 0 in a definition */
        char overlay[32]; /* file that the guest writes to in its place: a disk-only snapshot; "" */
        char mirror[32];  /* file that a block job copies it to; "" */
    } disk[WORLD_DISKS];
};

struct world_domain {
    struct domain d; /* state is DOMAIN_NO_STATE for running or shut off; persistent and saved are unused: */
    bool transient;  /* libvirt forgets it when it ends; details.saved */
    struct world_disks defined, running; /* of its definition, and of the guest while it is active */
    struct domain_details details;
    bool connected; /* to a network */
    char nvram[64]; /* file of its UEFI variables; "" */
    bool unsettled; /* its definition, which a power cut takes away */
};

/* Of the contents of any image; and another one. */
#define WORLD_IMAGE_SHA256 "1111111111111111111111111111111111111111111111111111111111111111"
#define WORLD_OTHER_SHA256 "2222222222222222222222222222222222222222222222222222222222222222"

/* What the broker's double knows of a volume that connections work on. */
struct world_known {
    char lv[LV_NAME_MAX];
    unsigned maker;  /* the connection that made it, or 0 */
    unsigned opener; /* the connection that opened it, or 0 */
    uint64_t inode;  /* of the descriptor that was handed out last, and its number */
    int fd;
};

struct world_lock {
    char uuid[UUID_TEXT];
    unsigned connection;
};

/* What is in the folder of a pool (world-folder.c), by its paths. Of disks `text` has the first bytes, of
 * tags all. */
#define WORLD_ENTRIES  64
#define WORLD_PATH_MAX 88
#define WORLD_TAGS_MAX 4096
struct world_folder {
    struct world_entry {
        char path[WORLD_PATH_MAX]; /* "<instance>/tags" */
        bool is_folder;
        uint64_t bytes;
        size_t at, n; /* in `text`, without zeros at the end */
    } entry[WORLD_ENTRIES];
    size_t n;
    char text[1 << 15];
    size_t n_text;
};

/* An image file that a disk was exported to. */
struct world_file {
    char path[32];
    bool encrypted;
    uint8_t key[64]; /* what it was encrypted with */
};

/* What is on the host. Plain data, so that two can be compared. */
struct host {
    struct group group;
    char apart[UUID_TEXT]; /* of an instance whose domain is not there yet, and is left to others; "" */
    struct world_volume volumes[WORLD_VOLUMES];
    size_t n_volumes;
    struct damaged_volume damaged[2];
    size_t n_damaged;
    struct untagged_volume untagged[2];
    size_t n_untagged;
    struct world_map maps[WORLD_VOLUMES];
    size_t n_maps;
    struct world_key keys[WORLD_KEYS];
    size_t n_keys;
    struct world_domain domains[WORLD_DOMAINS];
    size_t n_domains;
    struct world_domain undefined[WORLD_DOMAINS]; /* which a power cut brings back */
    size_t n_undefined;
    struct world_file files[WORLD_FILES];
    size_t n_files;
    bool handed_over; /* a snapshot was doomed: its key is a file's, which may not have its name yet */
};

struct world;

/* What has the volumes of a world. */
struct world_storage {
    bool files;  /* each is encrypted, and none is Nova's or lent for a bench */
    bool served; /* new instances have engine user */

    /* Begins a world without volumes; NULL: there is nothing to do. */
    void (*begin)(struct world *w);

    /* Connects a process to the broker, and configures the process for it. */
    struct broker *(*connect)(struct world *w, struct config *c);

    /* Brings what the host is said to have up to what is there; NULL: the host is what is there. */
    void (*look)(struct world *w);

    /* Brings what is there to what it was when the world was looked at; NULL likewise. */
    void (*restore)(struct world *w);

    /* Is this descriptor one of the volume's disk? */
    bool (*leads_to)(const struct world *w, const struct volume *v, int fd);

    /* Contents of `v` have changed, through a descriptor of its disk; NULL: they are there. */
    void (*wrote)(const struct world_volume *v, int fd);
};
extern const struct world_storage lvm_storage, served_storage;

enum injection {
    INJECT_NOTHING,
    INJECT_ERROR_BEFORE,
    INJECT_ERROR_AFTER,
    INJECT_CRASH_BEFORE,
    INJECT_CRASH_AFTER,
    INJECT_STOP, /* the user asks to stop; the call itself goes well */
};

struct world {
    const struct world_storage *storage;
    struct host host; /* as it was when somebody looked: see world_look() */
    struct world_folder folder;
    const struct config *config; /* of who works on it now */
    struct world_lock locks[WORLD_LOCKS];
    size_t n_locks;
    struct world_known known[WORLD_VOLUMES];
    size_t n_known;
    unsigned connections;  /* so far */
    bool virt_gone;        /* libvirt does not answer */
    bool no_uefi;          /* it has no such firmware */
    bool keys_unreachable; /* the key manager does not */
    enum {
        PLACE_OWN,
        PLACE_OTHER,  /* what answers is another folder, or another service: it has none of the keys */
        PLACE_FOREIGN /* the same, and it is known that the keys are another user's */
    } place;
    const char *root;     /* in whose "sys" there are devices of other groups; NULL: there are none */
    bool key_damaged;     /* the first key cannot be read: it is listed by its id alone */
    bool guest_ignores;   /* shutdown, and to let go of a disk */
    uint64_t image_bytes; /* size of any image */

    char without_node[LV_NAME_MAX]; /* whose map udevd makes no node for; "": none */
    unsigned told_alive;            /* how often the broker heard that the caller is at work */
    unsigned files_begun;           /* of images that are written, also those that are gone */

    unsigned calls; /* so far */
    struct {
        unsigned at; /* number of a call, from 1 */
        enum injection kind;
        bool lvm_lost; /* and lvm was killed: what it has suspended at that moment stays so */
    } inject[2];
    char suspends[LV_NAME_MAX]; /* the volume whose devices LVM suspends during the present call, or "" */
    struct {
        unsigned at; /* acts before this call */
        void (*act)(struct world *w);
        const char *call; /* its name, once that was made */
    } person;
    const char *hit; /* name of the call that was injected last */
    bool crashed;
    unsigned break_at;          /* number of a call at which the connection to libvirt breaks; 0: none */
    bool break_after;           /* it has had its effect by then */
    bool virt_broken;           /* until it is made anew */
    bool stop_asked, stop_held; /* as by SIGINT; between a point of no return and the end */
    bool let_go;                /* the process has given all of its locks back: its work is done */
    bool crashed_late;          /* and crashed then */
    const char *without;        /* calls of this name do nothing, as if the code never made them */
    char violation[200];        /* a rule that an operation has broken; "" */
    void (*committed)(const struct world *w); /* is told of each call that had its effect; NULL */
};

/* For what the world itself is made of: a test that lets memory fail spares it. Aborts without memory. */
extern volatile bool world_allocates; /* the compiler knows that calloc() does not look */
void *world_alloc(size_t n, size_t size);

struct world *world_new(void); /* of LVM */
struct world *world_new_over(const struct world_storage *storage);
struct world *world_free(struct world *w);
DEFINE_CLEANUP(struct world *, world_free)
#define _cleanup_world_ _cleanup_(world_freep)

/* What is on the host now. */
struct host *world_look(struct world *w);

/* The world is again as it was. */
void world_become(struct world *w, const struct world *was);

/* The volume whose disk the descriptor leads to, or NULL. */
struct world_volume *world_volume_at(struct world *w, int fd);

/* After a crash: calls have effect again, locks are gone. And after one of the host: maps and running domains
 * too. */
void world_revive(struct world *w);
void world_reboot(struct host *h);
void world_settle(struct host *h);            /* all definitions */
void world_end_guest(struct world_domain *d); /* nobody is told; one that is transient stays, for a moment */
void world_forget_transient(struct host *h);  /* those that have ended */

/* As libvirt does it, with its hook: false if it refuses. */
bool world_start_guest(struct world *w, struct world_domain *d);

/* As lvchange --deltag. */
void world_take_tags(struct world_volume *v);

/* The doubles, made anew on each call, as by a new process. */
struct fake {
    struct world *world;
    struct config config;
    struct key_context who;
    struct key_managers managers;
    struct context context;
};
void fake_begin(struct fake *f, struct world *w); /* asks `barbican` as PROJECT_OURS */
void fake_end(struct fake *f);

/* From now on it is another who asks `barbican`: of a project; the host's own user; or nobody. */
void fake_ask_as(struct fake *f, const char *project);
void fake_ask_as_host(struct fake *f);
void fake_ask_as_nobody(struct fake *f);

/* One process ends, and the next begins: the same caller with the same configuration. */
void fake_again(struct fake *f);

struct broker *fake_broker_new(struct world *w);
struct virt *fake_virt_new(struct world *w);
int fake_keymgr_open(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                     struct error *e);
int fake_import(struct image *i, const struct image_target *targets, size_t n,
                const struct image_progress *progress, struct error *e);
int fake_stream(const struct opened *disk, int output_fd, const char *name,
                const struct image_progress *progress, struct error *e);
int fake_export(const struct opened *disk, int file_fd, const char *name, const struct secret *key,
                const struct image_progress *progress, struct error *e);
int fake_write_seed(const struct opened *disk, const struct secret *seed, struct error *e);
int fake_read_seed(const struct opened *disk, struct secret **ret, struct error *e);
int fake_bench_look(char ret_why_not[BENCH_PAIRS][BENCH_WHY_MAX], struct error *e);
int fake_bench_measure(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e);
void fake_use(struct world *w); /* what key managers and images, which are not told, work on */
struct world *fake_world(void);

/* For the doubles. world_enter() counts the call: -errno if it fails, 1 if it is to do nothing. One during
 * which LVM suspends devices of a volume begins by world_enter_suspending(). world_leave() makes a failure
 * after the effect of what world_enter() has let through with 0. */
int world_enter(struct world *w, const char *call, struct error *e);
int world_enter_suspending(struct world *w, const char *call, const char *lv, struct error *e);
int world_leave(struct world *w, int r, struct error *e);
void world_violated(struct world *w, const char *format, ...) _printf_(2, 3);

/* Notes that the connection has the lock, or has given it back. */
void world_note_lock(struct world *w, const char *uuid, unsigned connection);
bool world_drop_lock(struct world *w, const char *uuid, unsigned connection); /* false: it had not */

struct world_volume *world_volume(struct world *w, const char *lv);
struct world_volume *world_lead(struct world *w, const char *uuid); /* the first one of an instance */
struct world_map *world_map(struct world *w, const char *lv);
struct world_domain *world_domain(struct world *w, const char *uuid);
struct world_key *world_key(struct world *w, const char *id);

/* What the broker tells of the host, in its order. */
struct inventory *world_inventory(const struct host *h);

bool world_has_disk(const struct world_disks *all, const char *path);

/* How much can be reached through the device at this path, a map or a plain volume; 0: there is none. */
uint64_t world_device_bytes(const struct host *h, const char *path);

/* udevd has made the nodes of all maps. */
void world_settle_maps(struct host *h);

/* Tells guests that have the disk of its size, as what serves a disk does. */
void world_tell_guest(struct host *h, const struct volume *v);

/* Does a running guest use this device? */
bool world_in_use(const struct host *h, const struct volume *v);

/* A domain of someone else's, without disks. */
struct world_domain *world_add_domain(struct world *w, const char *name, const char *uuid);

/* Takes element `i` out of an array of `*n`. */
void world_drop(void *array, size_t *n, size_t size, size_t i);
