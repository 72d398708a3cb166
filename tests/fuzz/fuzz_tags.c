/* SPDX-License-Identifier: Apache-2.0 */
/* Tags as LVM might print them: what is believed must come back the same from tags_format(). */
#include "storage/tags.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = text_of(data, size);
    struct volume v = {.size_bytes = 4096}, again = v;
    char tags[TAGS_TEXT_MAX];
    struct error e = ERROR_NONE;

    if (tags_parse(text, &v, &e) < 0)
        return 0;
    strcpy(v.vg, "vg");
    volume_set_lv_name(&v);
    if (volume_check(&v, &e) < 0)
        return 0;
    tags_format(&v, tags);
    memcpy(again.vg, v.vg, sizeof again.vg);
    memcpy(again.lv, v.lv, sizeof again.lv);
    if (tags_parse(tags, &again, &e) < 0 || memcmp(&v, &again, sizeof v) != 0)
        __builtin_trap();
    return 0;
}
