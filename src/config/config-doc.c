/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the build. `config-doc sample` prints mayfly.conf. `config-doc manual` copies a manual page
 * from its input, and replaces the lines @OPTIONS@ and @CIPHERS@. Both print the lists that the parser uses.
 */
#include "base/str.h"
#include "config/cipher.h"
#include "config/config.h"

static void print_page(void)
{
    char line[1024];
    while (fgets(line, sizeof line, stdin))
        if (streq(line, "@OPTIONS@\n"))
            config_print_manual(stdout);
        else if (streq(line, "@CIPHERS@\n"))
            cipher_print_manual(stdout);
        else
            fputs(line, stdout);
}

int main(int argc, char **argv)
{
    if (argc == 2 && streq(argv[1], "sample"))
        config_print_sample(stdout);
    else if (argc == 2 && streq(argv[1], "manual"))
        print_page();
    else
        return EXIT_USAGE;
    return ferror(stdin) || fflush(stdout) < 0 ? EXIT_FAILED : EXIT_OK;
}
