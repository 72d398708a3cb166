/* SPDX-License-Identifier: Apache-2.0 */
/* The name that this host has in the names of its keys. */
#include "barbican/barbican-internal.h"

#include "base/str.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

#define MACHINE_ID_DIGITS 32

/* Reads the machine's id; "" if there is none, as in a container or on the first boot. */
static void machine_id(char ret[MACHINE_ID_DIGITS + 1])
{
    FILE *f = fopen("/etc/machine-id", "re");
    size_t n = f ? fread(ret, 1, MACHINE_ID_DIGITS, f) : 0;
    ret[n] = '\0';
    if (f)
        fclose(f);
    if (strspn(ret, "0123456789abcdef") != MACHINE_ID_DIGITS)
        ret[0] = '\0';
}

/* Makes NAME-ID: the name is for people; the id identifies the host whatever its name. The id is a hash,
 * since the machine's id is confidential (machine-id(5)). A host without a machine's id has only its name,
 * with '_' for '-'. */
void barbican_host_name(char ret[BARBICAN_HOST_MAX])
{
    char name[64] = "", id[MACHINE_ID_DIGITS + 1], text[64], hex[17];
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (gethostname(name, sizeof name - 1) < 0 || !name[0])
        snprintf(name, sizeof name, "localhost");
    machine_id(id);
    for (char *c = name; *c; c++)
        if (!str_made_of((char[]){*c, '\0'}, "."))
            *c = id[0] ? '-' : '_';
    if (!id[0]) {
        snprintf(ret, BARBICAN_HOST_MAX, "%s", name);
        return;
    }
    snprintf(text, sizeof text, "mayfly secret names %s", id);
    SHA256((const unsigned char *)text, strlen(text), hash);
    str_hex(hash, 8, hex);
    snprintf(ret, BARBICAN_HOST_MAX, "%s-%s", name, hex);
}
