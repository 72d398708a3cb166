/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of LVM's JSON: a field is taken whole, ends, and never from behind the end of its row. */
#include "storage/lvm-shell.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"lv_name", "lv_tags", "log_ret_code", "a"};
    _cleanup_free_ char *row = text_of(data, size);
    char field[16];

    for (size_t i = 0; i < 2 * ARRAY_SIZE(names); i++) {
        const char *name = names[i / 2];
        memset(field, 'x', sizeof field);
        if ((i % 2 ? lvm_log_field : lvm_row_field)(row, name, field, sizeof field) < 0)
            continue;
        if (!memchr(field, '\0', sizeof field) || strchr(field, '\n') || strlen(field) > strcspn(row, "\n"))
            __builtin_trap();
    }
    return 0;
}
