/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds orphans: volumes that carry our mark but belong to no record. */
#ifndef SF_CORE_ENGINE_ORPHANS_H
#define SF_CORE_ENGINE_ORPHANS_H

#include "internal.h"

/*
 * Call only at start, while no operation is running: a volume being created has a record that is not yet in
 * the catalog. Rebuilds records if the configuration asks for it. all_known: every record was read or set
 * aside.
 */
void sf_find_orphans(struct sf_engine *engine, bool all_known);

#endif
