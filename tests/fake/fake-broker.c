/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-broker over the storage in memory: the real server, for tests of the real client. Its one argument
 * pair, --config FOLDER, is where its locks are, or says "die": to end at the first request. */
#include "base/fd.h"
#include "broker/server.h"

#include <unistd.h>

int main(int argc, char *argv[])
{
    struct config config;
    struct error start = ERROR_NONE;
    const char *argument = argc == 3 ? argv[2] : "";
    if (streq(argument, "die")) {
        char byte;
        return read(STDIN_FILENO, &byte, 1) == 1 ? 9 : 8;
    }
    if (streq(argument, "refuse"))
        error_set(&start, -EINVAL, "mayfly.conf:3: nonsense");

    _cleanup_free_ char *locks = str_format("%s/locks", argument);
    struct session session = {.config = &config, .root = true, .locks_path = locks, .locks = LOCKS_NONE};
    config_defaults(&config);
    config.volume_groups.n = 1;
    memcpy(config.volume_groups.item[0], "vg0", sizeof "vg0");
    int r = server_serve(STDIN_FILENO, -1, &session, start.errnum ? &start : NULL);
    session_end(&session);
    return r < 0;
}
