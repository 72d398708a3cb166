/* SPDX-License-Identifier: Apache-2.0 */
/* See fio-json.h. Only finite numbers of the right sign are accepted. */
#include "bench/fio-json.h"

#include "base/str.h"

#include <json-c/json.h>
#include <math.h>

static void release_json(struct json_object **object)
{
    json_object_put(*object);
}

/* Returns a member of an object; NULL: there is no such member, or no object. */
static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    if (!json_object_is_type(object, json_type_object))
        return NULL;
    json_object_object_get_ex(object, name, &found);
    return found;
}

static bool number(struct json_object *object, const char *name, double scale, double *ret)
{
    struct json_object *found = member(object, name);
    if (!json_object_is_type(found, json_type_double) && !json_object_is_type(found, json_type_int))
        return false;
    double value = json_object_get_double(found) * scale;
    if (!isfinite(value) || value < 0)
        return false;
    *ret = value;
    return true;
}

/* Reads the figures of one side of a job: reading or writing. */
static bool read_figures(struct json_object *side, struct measured *ret)
{
    struct json_object *latency = member(side, "lat_ns"), *percentiles = member(latency, "percentile");
    struct bench_figures *f = &ret->figures;
    double ios = 0;
    bool whole = number(side, "total_ios", 1, &ios) && ios >= 1 && ios < 1e18 &&
                 number(side, "iops", 1, &f->iops) && number(side, "bw_bytes", 1, &f->bytes_per_sec) &&
                 number(latency, "mean", 1e-3, &f->mean_usec) &&
                 number(percentiles, "50.000000", 1e-3, &f->p50_usec) &&
                 number(percentiles, "99.000000", 1e-3, &f->p99_usec) &&
                 number(percentiles, "99.900000", 1e-3, &f->p999_usec);
    ret->ios = whole ? (uint64_t)ios : 0;
    return whole;
}

/* Finds the first line that begins an object. Warnings may stand before it. */
static const char *document(const char *text)
{
    while (text && *text != '{') {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return text;
}

int fio_parse(const char *text, bool writes, struct measured *ret, struct error *e)
{
    const char *begin = document(text);
    _cleanup_(release_json) struct json_object *root = begin ? json_tokener_parse(begin) : NULL;
    struct json_object *jobs = member(root, "jobs");
    struct measured found = {.ios = 0};
    double failed = 0;
    if (!json_object_is_type(jobs, json_type_array) || json_object_array_length(jobs) != 1)
        return error_set(e, -EPROTO, "fio: its report has no job");
    struct json_object *job = json_object_array_get_idx(jobs, 0);
    if (!number(job, "error", 1, &failed) || failed != 0)
        return error_set(e, -EPROTO, "fio: says that its job failed");
    if (!read_figures(member(job, writes ? "write" : "read"), &found))
        return error_set(
            e, -EPROTO,
            "fio: its report has no figures; it may have done nothing in that time: say a longer "
            "--runtime");
    *ret = found;
    return 0;
}
