/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-keyagent: the only part of Mayfly that talks to a network. mayfly starts it for a run, as its own
 * user, with one connection as its standard input. It ends with that connection. */
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "keyagent/sandbox.h"
#include "keyagent/serve.h"

#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* Switches LeakSanitizer off: it traces the process at its end, which the filter denies. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

int main(int argc, char *argv[])
{
    struct error e = ERROR_NONE;
    (void)argv;
    log_set_program("mayfly-keyagent");
    process_begin_peer();
    if (argc != 1) {
        log_error("is started by mayfly, and has no options");
        return EXIT_USAGE;
    }
    int r = keyagent_sandbox(&e);
    if (r == 0)
        r = keyagent_serve(STDIN_FILENO, keyagent_hide_files, &e);
    if (r < 0)
        log_error("%s", e.text);
    return exit_code(r);
}
