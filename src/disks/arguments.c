/* SPDX-License-Identifier: Apache-2.0 */
/* See arguments.h. */
#include "disks/arguments.h"

#include "base/str.h"

#include <getopt.h>
#include <stdio.h>

#define POLL_DEFAULT_USEC 50
#define POLL_MAX_USEC     10000

enum word { ID, FILE_FD, LISTEN, KEY, KEY_BITS, SECTOR_SIZE, QUEUES, READ_ONLY, DISCARD };

static const char *const words[] = {
    [ID] = "id",
    [FILE_FD] = "file",
    [LISTEN] = "listen",
    [KEY] = "key",
    [KEY_BITS] = "key-bits",
    [SECTOR_SIZE] = "sector-size",
    [QUEUES] = "queues",
    [READ_ONLY] = "read-only",
    [DISCARD] = "discard",
    NULL,
};

static int read_number(const char *text, uint64_t least, uint64_t most, unsigned *ret)
{
    uint64_t n;
    if (!text || str_to_u64(text, &n) < 0 || n < least || n > most)
        return -EINVAL;
    *ret = (unsigned)n;
    return 0;
}

static int read_descriptor(const char *text, int *ret)
{
    unsigned n;
    int r = read_number(text, 3, INT32_MAX, &n);
    if (r == 0)
        *ret = (int)n;
    return r;
}

static int read_flag(const char *value, bool *ret)
{
    *ret = true;
    return value ? -EINVAL : 0;
}

static int set_word(struct disk *d, int word, const char *value)
{
    unsigned bits = 0;
    int r;
    switch (word) {
    case ID:
        return value && *value ? str_copy(d->id, sizeof d->id, value) : -EINVAL;
    case FILE_FD:
        return read_descriptor(value, &d->fd);
    case LISTEN:
        return read_descriptor(value, &d->listen_fd);
    case KEY:
        return read_descriptor(value, &d->key_fd);
    case KEY_BITS:
        r = read_number(value, 256, 512, &bits);
        d->key_bytes = bits / 8;
        return bits == 256 || bits == 512 ? r : -EINVAL;
    case SECTOR_SIZE:
        r = read_number(value, DISK_SECTOR_MIN, DISK_UNIT_MAX, &d->sector_bytes);
        return d->sector_bytes & (d->sector_bytes - 1) ? -EINVAL : r;
    case QUEUES:
        return read_number(value, 1, DISK_QUEUES_MAX, &d->queues);
    case READ_ONLY:
        return read_flag(value, &d->read_only);
    case DISCARD:
        return read_flag(value, &d->discard);
    default:
        return -EINVAL;
    }
}

static int add_disk(struct arguments *a, char *text, struct error *e)
{
    if (a->n == DISKS_MAX)
        return error_set(e, -EINVAL, "mayfly-disks: cannot start: more than %d disks are given", DISKS_MAX);
    struct disk *d = &a->disk[a->n++];
    d->fd = d->listen_fd = d->key_fd = -1;
    d->key_bytes = 64;
    d->sector_bytes = DISK_UNIT_MAX;
    d->queues = 1;
    while (*text) {
        char *value = NULL, *start = text;
        int word = getsubopt(&text, (char *const *)words, &value);
        if (set_word(d, word, value) < 0)
            return error_set(e, -EINVAL, "mayfly-disks: --disk: not understood: %s", start);
    }
    if (!*d->id || d->fd < 0 || d->listen_fd < 0)
        return error_set(e, -EINVAL, "mayfly-disks: --disk: needs id=, file= and listen=");
    return 0;
}

static int set_descriptor(struct arguments *a, int option, const char *argument, struct error *e)
{
    int *fd = option == 's' ? &a->tenure.state_fd : option == 'o' ? &a->tenure.opener_fd : &a->ready_fd;
    return read_descriptor(optarg, fd) < 0
               ? error_set(e, -EINVAL, "mayfly-disks: not understood: %s", argument)
               : 0;
}

int arguments_read(int argc, char *argv[], struct arguments *ret, struct error *e)
{
    static const struct option options[] = {
        {"disk", required_argument, NULL, 'd'},  {"poll-usec", required_argument, NULL, 'p'},
        {"state", required_argument, NULL, 's'}, {"opener", required_argument, NULL, 'o'},
        {"ready", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    unsigned poll_usec = POLL_DEFAULT_USEC;
    int option, r = 0;
    memset(ret, 0, sizeof *ret);
    ret->ready_fd = ret->tenure.state_fd = ret->tenure.opener_fd = -1;
    optind = 1;
    opterr = 0;
    while (r == 0 && (option = getopt_long(argc, argv, "v", options, NULL)) >= 0) {
        if (option == 'd')
            r = add_disk(ret, optarg, e);
        else if (option == 'v')
            ret->verbose = true;
        else if (option == 's' || option == 'o' || option == 'r')
            r = set_descriptor(ret, option, argv[optind - 1], e);
        else if (option != 'p' || read_number(optarg, 0, POLL_MAX_USEC, &poll_usec) < 0)
            r = error_set(e, -EINVAL, "mayfly-disks: not understood: %s", argv[optind - 1]);
    }
    if (r == 0 && (ret->n == 0 || optind < argc))
        r = error_set(e, -EINVAL, "mayfly-disks: has no disk: mayfly starts it, with a --disk for each one");
    for (unsigned i = 0; i < ret->n; i++)
        ret->disk[i].poll_usec = poll_usec;
    return r;
}
