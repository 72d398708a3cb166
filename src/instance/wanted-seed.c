/* SPDX-License-Identifier: Apache-2.0 */
/* See wanted-seed.h. */
#include "instance/wanted-seed.h"

#include <stdio.h>

/* Makes the host name. Names of instances may have an underscore, names of hosts may not. */
int wanted_seed_hostname(const struct wanted_seed *w, const char *instance, unsigned number,
                         char field[HOSTNAME_FIELD], struct error *e)
{
    struct error why = ERROR_NONE;
    if (w->hostname && number)
        snprintf(field, HOSTNAME_FIELD, "%.253s-%u", w->hostname, number);
    else
        snprintf(field, HOSTNAME_FIELD, "%.255s", w->hostname ? w->hostname : instance);
    for (char *c = field; !w->hostname && *c; c++)
        if (*c == '_')
            *c = '-';
    int r = seed_check_hostname(field, &why);
    if (r < 0)
        error_append(&why, "; use --hostname");
    return r < 0 ? error_pass(e, r, &why) : 0;
}

int wanted_seed_check(const struct context *c, const struct wanted_seed *w, const char *instance,
                      struct error *e)
{
    char hostname[HOSTNAME_FIELD];
    int r = w->hostname ? seed_check_hostname(w->hostname, e) : 0;
    if (r == 0 && w->ssh_keys)
        r = seed_check_ssh_keys(w->ssh_keys, e);
    if (r == 0 && w->user_data)
        r = seed_check_user_data(w->user_data, e);
    if (r < 0)
        return r;
    const char *doubt = w->user_data ? seed_doubt(w->user_data) : NULL;
    if (doubt)
        report_warning(c, "user data: %s", doubt);
    return seed_wanted(w) ? wanted_seed_hostname(w, instance, 0, hostname, e) : 0;
}
