/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly: finds the verb, runs it, says its first error, and ends with the documented exit status. */
#include "base/audit.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "build-config.h"
#include "cli/exit-status.h"
#include "cli/json.h"
#include "cli/manual.h"
#include "cli/verb.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static const struct verb verbs[] = {
#define VERB(function, name, operands, summary) {name, operands, summary, verb_##function},
#include "cli/verbs.def"
#undef VERB
};

static void print_usage(void)
{
    printf("mayfly: libvirt instances on encrypted, ephemeral LVM disks\n\n"
           "Usage: mayfly [OPTION]... VERB [OPTION]... [NAME]...\n\nVerbs:\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        printf("  %-11s %-12s %s\n", verbs[i].name, verbs[i].operands, verbs[i].summary);
    printf("\nOptions:\n");
    cli_print_options(global_options);
    printf("\nSee mayfly VERB --help, and mayfly help VERB for its manual page.\n");
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (streq(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

/* Looks for --json even if the command line is wrong: a program reads the error as JSON. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && !streq(argv[i], "--"); i++)
        if (streq(argv[i], "--json"))
            return true;
    return false;
}

/* Runs mayfly help [VERB [COMMAND]]: shows the manual page, or prints what --help does. */
static int help(struct globals *g, int argc, char **argv, struct error *e)
{
    const struct cli_group groups[] = {{global_options, g}};
    int n = 0;
    int r = cli_parse(argc, argv, groups, 1, false, &n, e);
    if (r == 0 && n > 2)
        r = error_set(e, -EINVAL, "help: '%s' is one word too many; see mayfly --help", argv[3]);
    if (r == 0 && g->json)
        r = error_set(e, -EINVAL, "help: is for people, and prints no JSON; leave --json out");
    if (r < 0)
        return r;
    const struct verb *verb = n ? find_verb(argv[1]) : NULL;
    if (n && !verb)
        return error_set(e, -EINVAL, "help %s: there is no such verb; see mayfly --help", argv[1]);
    manual_show(n ? verb->name : NULL);
    if (!verb) {
        print_usage();
        return 0;
    }
    char option[] = "--help", *words[] = {argv[1], n > 1 ? argv[2] : option, n > 1 ? option : NULL, NULL};
    return verb->run(verb, g, n + 1, words, e);
}

static int run(struct globals *g, int argc, char **argv, struct error *e)
{
    const struct cli_group groups[] = {{global_options, g}};
    int n = 0;
    int r = cli_parse(argc, argv, groups, 1, true, &n, e);
    if (r < 0)
        return r;
    if (g->version) {
        printf("mayfly %s\n", MAYFLY_VERSION);
        return 0;
    }
    if (n == 0 && !g->help)
        return error_set(e, -EINVAL, "no verb given; see mayfly --help");
    if (n == 0) {
        print_usage();
        return 0;
    }
    if (streq(argv[1], "help"))
        return help(g, n, argv + 1, e);
    const struct verb *verb = find_verb(argv[1]);
    if (!verb)
        return error_set(e, -EINVAL, "%s: there is no such verb; see mayfly --help", argv[1]);
    audit_open("mayfly");
    audit_set_verb(verb->name);
    g->verb = verb->name;
    return verb->run(verb, g, n, argv + 1, e);
}

/* True if the reader of our output has closed the pipe. The run then ends as if by SIGPIPE, without error. */
static bool nobody_reads(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

/* Ends the output. Fails if part of it was not written, also of what was printed earlier. */
static int end_output(int r, struct error *e)
{
    bool failed = ferror(stdout) != 0;
    errno = EIO;
    failed = fflush(stdout) != 0 || failed;
    if (!failed || r < 0)
        return r;
    return error_set(e, errno == EPIPE || nobody_reads() ? -EPIPE : -EIO,
                     "standard output: cannot be written: %m");
}

/* Returns the status with which the run ends. */
static int end(struct globals *g, bool json, int r, struct error *e)
{
    char name[EXIT_NAME_MAX];
    if (r < 0)
        error_set(e, r, "%s", strerror(-r));
    if (json && r != -EPIPE && json_end(g, e, exit_status(r), exit_status_name(exit_status(r), name)) < 0)
        r = r < 0 ? r : error_memory(e); /* an empty output must not look like success */
    r = end_output(r, e);
    if (r < 0 && r != -EPIPE)
        log_error("%s", e->text);
    return exit_status(r);
}

int main(int argc, char **argv)
{
    struct globals g = {.progress_fd = -1, .token_fd = -1};
    struct error e = ERROR_NONE;
    if (fd_keep_standard() < 0)
        return EXIT_FAILED;
    bool json = wants_json(argc, argv); /* before words are moved */
    int r = run(&g, argc, argv, &e);
    return end(&g, json || g.json, r, &e);
}
