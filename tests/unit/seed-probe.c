/* SPDX-License-Identifier: Apache-2.0 */
/* seed-probe UUID HOSTNAME SSH-KEYS USER-DATA|-: writes the seed of that instance to standard output. For
 * seed.py. */
#include "image/seed.h"

#include "base/fd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    _cleanup_secret_ struct secret *user_data = NULL, *image = NULL;
    struct error e = ERROR_NONE;
    if (argc != 5)
        return EXIT_USAGE;
    int r = seed_check_hostname(argv[2], &e);
    if (r == 0 && *argv[3])
        r = seed_check_ssh_keys(argv[3], &e);
    if (r == 0 && strcmp(argv[4], "-") != 0)
        r = secret_new(strlen(argv[4]), &user_data, &e);
    if (r == 0 && user_data)
        memcpy(secret_bytes(user_data), argv[4], strlen(argv[4]));
    const struct seed seed = {
        .instance = argv[1], .hostname = argv[2], .ssh_keys = argv[3], .user_data = user_data};
    if (r == 0)
        r = seed_make(&seed, &image, &e);
    if (r == 0)
        r = fd_write_all(STDOUT_FILENO, secret_peek(image), secret_size(image));
    if (r < 0)
        fprintf(stderr, "seed-probe: %s\n", e.text);
    return (int)exit_code(r);
}
