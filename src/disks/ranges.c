/* SPDX-License-Identifier: Apache-2.0 */
/* See ranges.h. The list has an entry for each write under way. It is walked only if one of them is
 * exclusive, which writes of file systems with blocks of 4 KiB never are. */
#include "disks/ranges.h"

void ranges_init(struct ranges *r)
{
    *r = (struct ranges){.first = NULL};
    pthread_mutex_init(&r->lock, NULL);
}

void ranges_destroy(struct ranges *r)
{
    pthread_mutex_destroy(&r->lock);
}

static bool is_free(const struct ranges *r, const struct range_entry *entry)
{
    if (r->exclusive == 0 && !entry->is_exclusive)
        return true;
    for (const struct range_entry *other = r->first; other; other = other->next)
        if ((other->is_exclusive || entry->is_exclusive) && other->from < entry->to &&
            entry->from < other->to)
            return false;
    return true;
}

bool ranges_enter(struct ranges *r, struct range_entry *entry, unsigned queue)
{
    pthread_mutex_lock(&r->lock);
    bool entered = is_free(r, entry);
    if (entered) {
        entry->next = r->first;
        entry->before = &r->first;
        if (r->first)
            r->first->before = &entry->next;
        r->first = entry;
        r->exclusive += entry->is_exclusive;
    } else {
        r->waiting |= UINT64_C(1) << queue;
    }
    pthread_mutex_unlock(&r->lock);
    return entered;
}

uint64_t ranges_leave(struct ranges *r, struct range_entry *entry)
{
    pthread_mutex_lock(&r->lock);
    *entry->before = entry->next;
    if (entry->next)
        entry->next->before = entry->before;
    r->exclusive -= entry->is_exclusive;
    uint64_t waiting = r->waiting;
    r->waiting = 0;
    pthread_mutex_unlock(&r->lock);
    return waiting;
}
