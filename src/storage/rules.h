/* SPDX-License-Identifier: Apache-2.0 */
/* What may be done with a volume, by its tags alone: the same for logical volumes and for files. Who works on
 * it, who holds it and what is open is for its pool to see. All return 0, -EINVAL (no such thing is asked
 * for) or -EUNSAFE. */
#pragma once

#include "secret/secret.h"
#include "storage/volume.h"

/* A disk that is to be made. */
int rules_create(const struct volume *v, struct error *e) _must_check_;

/* A disk of which a snapshot is made. */
int rules_origin(const struct volume *v, struct error *e) _must_check_;

/* That snapshot: as the disk, but for what makes it another. Its check value is made from the key, which is
 * the disk's: so who brings that, and nobody else, opens it. */
int rules_design_snapshot(const struct volume *origin, const char *disk, uint64_t size_bytes,
                          const struct secret *volume_key, struct volume *ret, struct error *e) _must_check_;

int rules_open(const struct volume *v, struct error *e) _must_check_;

/* A plain one, or its being formatted, is for whoever is making it. */
int rules_open_plain(const struct volume *v, bool made_here, struct error *e) _must_check_;
int rules_format(const struct volume *v, bool made_and_opened_here, struct error *e) _must_check_;

int rules_tune(const struct volume *v, struct error *e) _must_check_;
int rules_mark(const struct volume *v, enum volume_state to, struct error *e) _must_check_;
int rules_remove(const struct volume *v, struct error *e) _must_check_;

/* `new` takes the place of `old`, under the same name. */
int rules_remake(const struct volume *old, const struct volume *new, struct error *e) _must_check_;
int rules_resize(const struct volume *v, uint64_t size_bytes, struct error *e) _must_check_;
