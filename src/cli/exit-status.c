/* SPDX-License-Identifier: Apache-2.0 */
/* See exit-status.h. */
#include "cli/exit-status.h"

#include "cli/json.h"
#include "cli/signals.h"

#include <ctype.h>
#include <signal.h>

int exit_status(int result)
{
    if (result == -EPIPE)
        return 128 + SIGPIPE;
    if (result == -ECANCELED && signals_caught())
        return 128 + signals_caught();
    return (int)exit_code(result < 0 ? result : 0);
}

const char *exit_status_name(int status, char field[EXIT_NAME_MAX])
{
    const char *name = status > 128 ? "SIGNAL" : exit_code_name((enum exit_code)status);
    size_t n = 0;
    for (; name[n] && n < EXIT_NAME_MAX - 1; n++)
        field[n] = name[n] == '_' ? '-' : (char)tolower((unsigned char)name[n]);
    field[n] = '\0';
    return field;
}

struct json_object *exit_status_json(const struct error *e)
{
    char name[EXIT_NAME_MAX];
    int status = exit_status(e->errnum);
    return json_error(e, status, exit_status_name(status, name));
}
