/* SPDX-License-Identifier: Apache-2.0 */
/* See metrics.h. */
#include "cli/metrics.h"

#include <inttypes.h>
#include <stdarg.h>

static const struct family {
    const char *name, *help;
} families[] = {
    {"mayfly_instances", "Instances by state."},
    {"mayfly_damaged_volumes", "Volumes with Mayfly's tags, some of which are invalid."},
    {"mayfly_libvirt_up", "Did libvirt answer?"},
    {"mayfly_keys", "Keys by their manager and state."},
    {"mayfly_key_manager_listed", "Did the key manager list its keys?"},
    {"mayfly_volume_group_complete", "Does the volume group exist, with all of its physical volumes?"},
    {"mayfly_volume_group_size_bytes", "Size of the volume group."},
    {"mayfly_volume_group_free_bytes", "Room in the volume group."},
    {"mayfly_volume_group_metadata_size_bytes", "Size of LVM's metadata area."},
    {"mayfly_volume_group_metadata_free_bytes", "Room in LVM's metadata area."},
    {"mayfly_volume_group_room_disks", "Disks for which LVM's metadata area has room."},
    {"mayfly_recover_last_timestamp_seconds", "When mayfly recover last ended, in seconds since 1970."},
    {"mayfly_recover_last_status", "Exit status of that run."},
    {"mayfly_recover_last_remaining", "Items that this run could not put in order."},
};

static const char *help_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (streq(families[i].name, name))
            return families[i].help;
    return "";
}

void metrics_end(struct metrics *m)
{
    free(m->metric);
}

static struct metric *find_metric(const struct metrics *m, const struct metric *like)
{
    for (size_t i = 0; i < m->n; i++) {
        struct metric *one = &m->metric[i];
        bool same = streq(one->name, like->name);
        for (size_t l = 0; same && l < METRIC_LABELS_MAX; l++)
            same = streq(one->labels[l].value, like->labels[l].value);
        if (same)
            return one;
    }
    return NULL;
}

/* Adds the value to the figure with the same labels, or else adds the figure. */
static int put(struct metrics *m, const struct metric *added, struct error *e)
{
    struct metric *there = find_metric(m, added);
    if (there) {
        there->value += added->value;
        return 0;
    }
    struct metric *bigger = reallocarray(m->metric, m->n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    m->metric = bigger;
    m->metric[m->n++] = *added;
    return 0;
}

int metrics_add(struct metrics *m, struct error *e, uint64_t value, const char *name, ...)
{
    struct metric added = {.name = name, .value = value};
    va_list ap;
    va_start(ap, name);
    /* two labels need no NULL after them */
    for (size_t l = 0; l < METRIC_LABELS_MAX && (added.labels[l].name = va_arg(ap, const char *)); l++)
        snprintf(added.labels[l].value, METRIC_VALUE_MAX, "%s", va_arg(ap, const char *));
    va_end(ap);
    return put(m, &added, e);
}

int metrics_count(struct metrics *m, struct error *e, const char *name, const char *label, const char *value)
{
    return metrics_add(m, e, 1, name, label, value, NULL);
}

static void print_value(FILE *file, const char *value)
{
    for (; *value; value++)
        if (*value == '\n')
            fputs("\\n", file);
        else if (*value == '"' || *value == '\\')
            fprintf(file, "\\%c", *value);
        else
            fputc(*value, file);
}

static void print_labels(FILE *file, const struct metric *m)
{
    for (size_t l = 0; l < METRIC_LABELS_MAX && m->labels[l].name; l++) {
        fprintf(file, "%c%s=\"", l ? ',' : '{', m->labels[l].name);
        print_value(file, m->labels[l].value);
        fputs("\"", file);
    }
    if (m->labels[0].name)
        fputc('}', file);
}

void metrics_print(const struct metrics *m, FILE *file)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct metric *one = &m->metric[i];
        if (i == 0 || !streq(one->name, m->metric[i - 1].name))
            fprintf(file, "# HELP %s %s\n# TYPE %s gauge\n", one->name, help_of(one->name), one->name);
        fputs(one->name, file);
        print_labels(file, one);
        fprintf(file, " %" PRIu64 "\n", one->value);
    }
    fputs("# EOF\n", file);
}

static struct json_object *json_metric(const struct metric *m)
{
    struct json_object *metric = json_object_new_object(), *labels = json_object_new_object();
    bool whole = labels && json_put_text(metric, "name", m->name);
    for (size_t l = 0; whole && l < METRIC_LABELS_MAX && m->labels[l].name; l++)
        whole = json_put_text(labels, m->labels[l].name, m->labels[l].value);
    whole = json_put(metric, "labels", labels) && whole;
    return json_whole(metric, whole && json_put_u64(metric, "value", m->value));
}

struct json_object *metrics_json(const struct metrics *m)
{
    struct json_object *array = json_object_new_array();
    bool whole = array != NULL;
    for (size_t i = 0; whole && i < m->n; i++)
        whole = json_append(array, json_metric(&m->metric[i]));
    return json_whole(array, whole);
}
