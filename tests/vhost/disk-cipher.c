/* SPDX-License-Identifier: Apache-2.0 */
/* disk-cipher encrypt|decrypt HEX-KEY SECTOR-BYTES: standard input to standard output, AES-XTS as dm-crypt
 * has it, by OpenSSL: what a disk of mayfly-disks is made and read with by tests that want nothing of ours in
 * between. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 64

int main(int argc, char *argv[])
{
    static unsigned char sector[4096];
    unsigned char key[KEY_BYTES];
    if (argc != 4 || strlen(argv[2]) != 2 * KEY_BYTES)
        return 1;
    for (size_t i = 0; i < KEY_BYTES; i++) {
        const char digits[] = {argv[2][2 * i], argv[2][2 * i + 1], '\0'};
        key[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    size_t bytes = strtoul(argv[3], NULL, 10);
    int encrypt = strcmp(argv[1], "encrypt") == 0, n = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    unsigned long long tweak[2] = {0, 0};
    if (bytes != 512 && bytes != sizeof sector)
        return 1;
    for (; fread(sector, 1, bytes, stdin) == bytes; tweak[0]++)
        if (EVP_CipherInit_ex(context, EVP_aes_256_xts(), NULL, key, (unsigned char *)tweak, encrypt) <= 0 ||
            EVP_CipherUpdate(context, sector, &n, sector, (int)bytes) <= 0 ||
            fwrite(sector, 1, bytes, stdout) != bytes)
            return 1;
    EVP_CIPHER_CTX_free(context);
    return 0;
}
