/* SPDX-License-Identifier: Apache-2.0 */
/* The tags of a logical volume, to and from struct volume. mayfly-tags(7) documents each.
 * LVM's alphabet for a tag is [A-Za-z0-9_+.-/=!:#&], at most 1024 bytes, no leading '-'. */
#pragma once

#include "storage/volume.h"

#define TAG_OURS      "mayfly=1" /* all our volumes have it; the number is the version of this format */
#define TAGS_TEXT_MAX 1024

/* Writes all tags of `v`, separated by commas, as `lvs -o lv_tags` prints them. v must have passed
 * volume_check(). */
void tags_format(const struct volume *v, char text[TAGS_TEXT_MAX]);

/* Reads the output of `lvs -o lv_tags` into the fields of `ret` that tags hold (not vg, lv, size_bytes).
 * Ignores foreign tags. -ENOENT: not our volume. -EINVAL: it is marked as ours, but a tag is missing, twice
 * or malformed, or its version unknown. The caller goes on to volume_check(). */
int tags_parse(const char *text, struct volume *ret, struct error *e) _must_check_;

/* Whether no tag in `text` is ours, of any version or form. */
bool tags_none(const char *text);

/* "mayfly.state=ready" */
#define TAG_STATE_MAX 32
void tags_format_state(enum volume_state state, char text[TAG_STATE_MAX]);
