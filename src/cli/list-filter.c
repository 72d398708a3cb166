/* SPDX-License-Identifier: Apache-2.0 */
/* See list-filter.h. */
#include "cli/list-filter.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

/* True if `text` names this state. Blanks may be written as hyphens. */
static bool names_state(const char *text, const char *state)
{
    for (;; text++) {
        size_t length = strcspn(text, ","), n = 0;
        while (n < length && state[n] && (text[n] == state[n] || (text[n] == '-' && state[n] == ' ')))
            n++;
        if (n == length && !state[n])
            return true;
        text += length;
        if (!*text)
            return false;
    }
}

static bool has_state(const struct list_filter *f, const struct instance *i)
{
    return !f->states || names_state(f->states, instance_state_name(i)) ||
           (instance_in_rescue(i) && names_state(f->states, "in rescue"));
}

static bool has_group(const struct list_filter *f, const struct instance *i)
{
    for (size_t d = 0; f->volume_group && d < i->n_volumes; d++)
        if (streq(i->volumes[d]->vg, f->volume_group))
            return true;
    return !f->volume_group;
}

static bool fits(const char *pattern, const struct instance *i)
{
    char uuid[UUID_TEXT];
    return streq(pattern, i->name) || fnmatch(pattern, i->name, 0) == 0 ||
           (uuid_read(pattern, uuid) && streq(uuid, i->uuid));
}

/* Checks that each name exists; a pattern may match nothing. */
static int check_patterns(const struct model *m, const struct list_filter *f, struct error *e)
{
    for (int p = 0; p < f->n_patterns; p++) {
        bool found = strpbrk(f->patterns[p], "*?[");
        for (size_t i = 0; !found && i < m->n_instances; i++)
            found = fits(f->patterns[p], &m->instances[i]);
        if (!found)
            return error_set(e, -ENOENT,
                             "instance %s: there is no instance of this name or uuid; see mayfly list",
                             f->patterns[p]);
    }
    return 0;
}

static bool is_wanted(const struct list_filter *f, const struct instance *i)
{
    bool fitting = f->n_patterns == 0;
    for (int p = 0; !fitting && p < f->n_patterns; p++)
        fitting = fits(f->patterns[p], i);
    return fitting && has_state(f, i) && has_group(f, i);
}

int list_filter(const struct model *m, const struct list_filter *f, struct list_row **ret, size_t *ret_n,
                struct error *e)
{
    int r = check_patterns(m, f, e);
    if (r < 0)
        return r;
    struct list_row *rows = calloc(m->n_instances + 1, sizeof *rows);
    if (!rows)
        return error_memory(e);
    size_t n = 0;
    for (size_t i = 0; i < m->n_instances; i++)
        if (is_wanted(f, &m->instances[i]))
            rows[n++] = (struct list_row){.model = m, .instance = &m->instances[i]};
    *ret = rows;
    *ret_n = n;
    return 0;
}

/* ------------------------------------------------------------------- checks */

/* Refuses an unknown state, which would list nothing, and look like an answer. */
int list_check_states(const char *states, struct error *e)
{
    for (const char *word = states; word; word = *word ? word + 1 : NULL) {
        size_t length = strcspn(word, ",");
        char one[32] = "";
        bool known = false;
        snprintf(one, sizeof one, "%.*s", (int)length, word);
        for (int s = INSTANCE_RUNNING; s <= INSTANCE_UNKNOWN; s++)
            known = known || names_state(one, instance_state_name(&(struct instance){.state = s}));
        for (int s = DOMAIN_NO_STATE; s <= DOMAIN_PMSUSPENDED; s++)
            known = known || names_state(one, domain_state_name(s));
        if (length >= sizeof one || (!known && !names_state(one, "in rescue")))
            return error_set(e, -EINVAL, "'%.*s' is not a state; see mayfly-states(7)", (int)length, word);
        word += length;
    }
    return 0;
}

int list_check_group(const struct config *c, const char *group, struct error *e)
{
    for (size_t i = 0; group && i < c->volume_groups.n; i++)
        if (streq(c->volume_groups.item[i], group))
            return 0;
    if (!group)
        return 0;
    return error_set(e, -EINVAL, "volume group %s: is not one of images_volume_group; see mayfly.conf(5)",
                     group);
}
