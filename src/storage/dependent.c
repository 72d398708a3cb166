/* SPDX-License-Identifier: Apache-2.0 */
/* See dependent.h. */
#include "storage/dependent.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Whether every one of the words is in `allowed`. */
static bool only_words(const char *words, const char *const allowed[], size_t n)
{
    for (const char *word = words; *word; word += *word == ',') {
        size_t length = strcspn(word, ",");
        bool found = false;
        for (size_t i = 0; !found && i < n; i++)
            found = strlen(allowed[i]) == length && strncmp(word, allowed[i], length) == 0;
        if (!found)
            return false;
        word += length;
    }
    return true;
}

void dependent_of_layout(const struct lv_row *row, char text[DEPENDENT_MAX])
{
    static const char *const plain[] = {"linear", "striped"};
    text[0] = '\0';
    if (row->locked[0])
        snprintf(text, DEPENDENT_MAX,
                 "LVM moves or converts it (pvmove); wait until that is done, see lvs -a %.63s", row->vg);
    else if (strstr(row->layout, "cache"))
        snprintf(text, DEPENDENT_MAX, "it has a cache; run lvconvert --splitcache %.63s/%.63s first", row->vg,
                 row->lv);
    else if (!only_words(row->layout, plain, ARRAY_SIZE(plain)))
        snprintf(text, DEPENDENT_MAX,
                 "others made it a volume of layout %.80s; convert it back to a linear one first, see "
                 "lvconvert(8)",
                 row->layout);
}

void dependent_of_row(const struct lv_row *row, char text[DEPENDENT_MAX])
{
    bool snapshot = strstr(row->role, "snapshot");
    snprintf(text, DEPENDENT_MAX, "%s %.63s/%.127s depends on it; remove that first",
             snapshot ? "snapshot" : "volume", row->vg, row->lv);
}

bool dependent_expected(const struct lv_row *row)
{
    return strstr(row->role, "origin");
}

void dependent_unseen(const struct lv_row *row, char text[DEPENDENT_MAX])
{
    snprintf(text, DEPENDENT_MAX,
             "LVM says that other volumes depend on it (%.80s); see lvs -a -o+origin %.63s", row->role,
             row->vg);
}
