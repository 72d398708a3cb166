/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the one in src/cli/session.c: over doubles no process writes files for root. */
#include "cli/session.h"

int session_start_keeper(struct image_keeper **ret, struct error *e)
{
    (void)ret, (void)e;
    return 0;
}
