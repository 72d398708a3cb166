/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are refused as a key file; what parses has sane fields; what we seal unseals, unless it is
 * changed. */
#include "base/str.h"
#include "keys/local-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_any_bytes(const uint8_t *data, size_t size, const struct secret *sealing)
{
    struct key_info info;
    char folder[KEY_PLACE_MAX];
    size_t header_bytes = 0;
    if (local_file_parse(data, size, &info, folder, &header_bytes, NULL) == 0 &&
        (!uuid_valid(info.id) || !uuid_valid(info.owner) || header_bytes >= size))
        abort();
    if (local_file_unseal(data, size, sealing, &info, NULL, NULL) == 0)
        abort(); /* a forged tag */
}

/* Seals a key, then lays the input over the file from the place that its first byte tells. */
static void check_changed(const uint8_t *data, size_t size, const struct secret *sealing)
{
    static const struct key_info info = {.id = "6f1e8a8e-0000-4000-8000-000000000001",
                                         .owner = "6f1e8a8e-0000-4000-8000-000000000000",
                                         .vg = "vg0",
                                         .bits = 256};
    uint8_t file[LOCAL_FILE_MAX], changed[LOCAL_FILE_MAX];
    size_t n = 0;
    if (size == 0 ||
        local_file_seal(&info, data[0] % 2 ? "1.0123456789abcdef" : "", sealing, sealing, file, &n, NULL) < 0)
        return;
    size_t at = data[0] < n ? data[0] : n, room = n - at;
    memcpy(changed, file, n);
    memcpy(changed + at, data + 1, size - 1 < room ? size - 1 : room);

    _cleanup_secret_ struct secret *key = NULL;
    int r = local_file_unseal(changed, n, sealing, NULL, &key, NULL);
    if ((memcmp(file, changed, n) == 0) != (r == 0) || (r == 0 && !secret_equal(key, sealing)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_secret_ struct secret *sealing = NULL;
    if (secret_new(LOCAL_SEALING_BYTES, &sealing, NULL) < 0)
        return 0;
    check_any_bytes(data, size, sealing);
    check_changed(data, size, sealing);
    return 0;
}
