/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-keyagent on a host of its own, though all of them run on one machine: what makes it another host in
 * the names of its keys is in the file host-name of the folder that it is started in (linked with --wrap). */
#include "barbican/barbican-internal.h"

#include <stdio.h>

void __wrap_barbican_host_name(char ret[BARBICAN_HOST_MAX]);

void __wrap_barbican_host_name(char ret[BARBICAN_HOST_MAX])
{
    FILE *f = fopen("host-name", "re");
    if (!f || fscanf(f, "%81s", ret) != 1)
        abort();
    fclose(f);
}
