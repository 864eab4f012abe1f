/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes that carry our mark and belong to no record. */
#ifndef SF_CORE_ENGINE_ORPHANS_H
#define SF_CORE_ENGINE_ORPHANS_H

#include "internal.h"

/*
 * Only at start, when no operation runs: a volume in the making has a record, but not yet in the catalog.
 * Rebuilds records where the configuration says so; all_known: every record has been read or set aside.
 */
void sf_find_orphans(struct sf_engine *engine, bool all_known);

#endif
