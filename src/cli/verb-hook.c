/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly hook: what /etc/libvirt/hooks/qemu.d/mayfly calls, with the domain's XML on standard input. libvirt
 * calls it for every domain, so other domains are let through first, without configuration, broker or key.
 * Root does that: it looks at bytes of the XML, and at where its paths lead (instance/guard.h). A domain
 * whose disks cannot be opened is not started, and libvirt shows our sentence.
 *
 *     hook DOMAIN prepare begin -     QEMU is about to start
 *     hook DOMAIN release end -       it is gone, or did not come up
 *
 * Nothing is ever printed on standard output: for some operations libvirt takes that for XML.
 */
#include "base/fd.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "instance/guard.h"
#include "instance/operations.h"

#include <signal.h>
#include <unistd.h>

#define XML_MAX_BYTES (16 << 20) /* limit for domains that are not ours; for ours, DOMAIN_XML_MAX_BYTES */
#define DEADLINE_SEC  150        /* more than the lock, a key manager and LVM take at their worst */

static void out_of_time(int number)
{
    static const char text[] =
        "mayfly: the hook has not done its work in time; see mayfly list, and run mayfly "
        "recover\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(EXIT_FAILED);
}

enum moment { MOMENT_OTHER, MOMENT_PREPARE, MOMENT_RELEASE };

static enum moment moment_of(const char *operation, const char *part)
{
    if (streq(operation, "prepare") && streq(part, "begin"))
        return MOMENT_PREPARE;
    return streq(operation, "release") && streq(part, "end") ? MOMENT_RELEASE : MOMENT_OTHER;
}

static int act(struct globals *g, enum moment moment, const char *xml, const struct guard *guard,
               struct error *e)
{
    _cleanup_session_ struct session *s = NULL;
    _cleanup_hook_domain_ struct hook_domain domain = {0};
    int r = session_open(g, SESSION_VIRT_NONE, &s, e);
    if (r == 0)
        r = hook_domain_read(xml, &domain, e);
    if (r < 0)
        return r;
    domain.guard = guard;
    s->context.lock_wait_msec = 0; /* the hook has its own way of waiting: see instance/hook.c */
    return moment == MOMENT_PREPARE ? instance_hook_prepare(&s->context, &domain, e)
                                    : instance_hook_release(&s->context, domain.uuid, e);
}

int verb_hook(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_free_ char *xml = NULL;
    _cleanup_guard_ struct guard guard = {.n = 0};
    size_t size = 0;
    int n = 0;
    int r = verb_parse(self, g, NULL, NULL, argc, argv, 4, 4, &n, e);
    if (r != 0)
        return r;
    enum moment moment = moment_of(argv[2], argv[3]);
    r = fd_read_text(STDIN_FILENO, XML_MAX_BYTES, &xml, &size);
    if (r < 0)
        return error_set(e, r, "domain %s: its XML cannot be read from standard input: %s", argv[1],
                         strerror(-r));
    if (moment == MOMENT_OTHER)
        return 0;
    signal(SIGALRM, out_of_time);
    alarm(DEADLINE_SEC);
    if (moment == MOMENT_PREPARE)
        r = guard_look(xml, &guard, e);
    if (r == 0)
        r = guard_check_maps(&guard, argv[1], e);
    if (r < 0 || (!guard.n && !hook_concerns_us(xml)))
        return r;
    return act(g, moment, xml, &guard, e);
}
