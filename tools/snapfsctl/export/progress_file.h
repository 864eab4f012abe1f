/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .export.json in the directory that an export writes to: of which snapshot it is, and how much of each file
 * is durable, so that what was interrupted can go on. It is there until the export is complete. Nothing in it
 * is trusted: everything is read back at the end.
 */
#ifndef SF_SNAPFSCTL_EXPORT_PROGRESS_FILE_H
#define SF_SNAPFSCTL_EXPORT_PROGRESS_FILE_H

#include "base/json.h"

#include <stdint.h>

struct sf_err;
struct sf_target;

#define SF_EXPORT_STATE ".export.json"

/* Of an export of the snapshot uuid that has done nothing yet. NULL: out of memory. */
json_t *sf_export_state_new(const char *uuid);
/* What is there: *ret is NULL when there is none, or none that an export has left. -errno. */
int sf_export_state_load(const struct sf_target *target, json_t **ret, struct sf_err *err);
/* Durable when it returns 0. */
int sf_export_state_store(struct sf_target *target, const json_t *state, struct sf_err *err);

const char *sf_export_state_snapshot(const json_t *state);
/* How many bytes of a file are durable, from its beginning. */
uint64_t sf_export_state_durable(const json_t *state, const char *file);
void sf_export_state_set_durable(json_t *state, const char *file, uint64_t bytes);

#endif
