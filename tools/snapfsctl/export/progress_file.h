/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records an export's progress in .export.json in the target directory, so that an interrupted export can
 * resume: which snapshot it exports, and how much of each file is durable. The file exists until the export
 * is complete. It is not trusted: the export reads each image back before it renames it.
 */
#ifndef SF_SNAPFSCTL_EXPORT_PROGRESS_FILE_H
#define SF_SNAPFSCTL_EXPORT_PROGRESS_FILE_H

#include "base/json.h"

#include <stdint.h>

struct sf_err;
struct sf_target;

#define SF_EXPORT_STATE ".export.json"

/* The state of a new export of the snapshot uuid. NULL: out of memory. */
json_t *sf_export_state_new(const char *uuid);
/* *ret is NULL if there is no such file, or it has another form or schema. -errno. */
int sf_export_state_load(const struct sf_target *target, json_t **ret, struct sf_err *err);
/* Durable when it returns 0. */
int sf_export_state_store(struct sf_target *target, const json_t *state, struct sf_err *err);

const char *sf_export_state_snapshot(const json_t *state);
/* How many bytes of a file, from its beginning, are durable. */
uint64_t sf_export_state_durable(const json_t *state, const char *file);
void sf_export_state_set_durable(json_t *state, const char *file, uint64_t bytes);

#endif
