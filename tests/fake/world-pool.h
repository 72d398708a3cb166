/* SPDX-License-Identifier: Apache-2.0 */
/* A world whose volumes are files: the broker is src/pool itself, on a folder of its own.
 *
 *     operation -> src/pool -> mkdirat(), renameat(), ... (--wrap) -> the folder
 *                    |                   |
 *                    |           call number N: an error, or a crash
 *                    +-> engine: a double, which has the maps in memory
 *
 * Each call that changes the folder is one for the injector, by its own name. Nothing is synced in earnest:
 * test_pool_durability has what a power cut loses of a file system.
 *
 * A case begins by what the folder was then: see world_become(). A disk has no contents but what the doubles
 * leave in its first bytes, in plaintext.
 *
 *     world-pool.c     the broker and the engine
 *     world-cut.c      the calls that are cut
 *     world-folder.c   the folder: how it is saved, restored, and seen as a host
 */
#pragma once

#include "world.h"

extern const struct world_storage pool_storage;

/* world-cut.c: is the present call one of the world itself, which no fault hits? */
extern bool cut_spares;

/* world-folder.c. Calls of src/pool note that they have changed the folder. */
/* Makes a folder, which goes at exit; removes those of earlier runs that were killed. */
const char *folder_begin(void);
void folder_changed(void);
void folder_look(struct world *w);
void folder_restore(struct world *w);
bool folder_leads_to(const struct world *w, const struct volume *v, int fd);
void folder_wrote(const struct world_volume *v, int fd);
void folder_copy(int from_fd, int to_fd); /* a disk, as FICLONE does */
