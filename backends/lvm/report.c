/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks `lvs` for reports, and parses and remembers them. */
#include "report.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "command.h"
#include "instance.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char columns[] =
	"vg_name,vg_uuid,vg_size,vg_free,vg_extent_size,vg_missing_pv_count,lv_name,lv_uuid,"
	"lv_size,segtype,pool_lv,origin,thin_id,lv_active,lv_merging,lv_tags";

/* Settings of lvm.conf that would change the output's format. */
static const char form[] = "report/prefixes=0 report/mark_hidden_devices=0 report/binary_values_as_numeric=0 "
			   "report/compact_output=0 "
			   "report/compact_output_cols=\"\" report/list_item_separator=\",\"";

/* LVM's default (vgcreate(8)), for when no LV of a report tells. */
#define EXTENT_BYTES (4 * 1024 * 1024)
/* The watch asks anew after QUIET_MS without a change of ours; before that, BUSY_AGE_MS is old enough. */
#define QUIET_MS    1000
#define BUSY_AGE_MS 10000

/* --- reading --- */

/* NULL unless it is a string. Every requested column is present, even if empty. */
static const char *text_of(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static bool copy_text(const json_t *row, const char *key, char *buf, size_t size)
{
	const char *text = text_of(row, key);

	return text && snprintf(buf, size, "%s", text) < (int)size;
}

/* Parses bytes as --units b --nosuffix prints them. Empty is 0. */
static bool read_number(const json_t *row, const char *key, uint64_t *ret)
{
	const char *text = text_of(row, key);
	char *end;

	if (!text || (*text && !isdigit((unsigned char)*text)))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Selects the tags of snapfs, or all others. */
static char *some_tags(const char *list, bool own)
{
	char *copy = strdup(list), *rest = copy, *tag, *some = copy ? calloc(1, strlen(list) + 1) : NULL;

	while (some && (tag = strsep(&rest, ","))) {
		if (!*tag || (strncmp(tag, "snapfs.", 7) == 0) != own)
			continue;
		if (*some)
			(void)strcat(some, ",");
		(void)strcat(some, tag); /* some is as long as list */
	}
	free(copy);
	if (some && *some)
		return some;
	free(some);
	return NULL;
}

static bool read_lv(const json_t *row, struct sf_lv *lv)
{
	const char *active = text_of(row, "lv_active"), *merging = text_of(row, "lv_merging");
	const char *tags = text_of(row, "lv_tags");

	if (!active || !merging || !tags)
		return false;
	lv->active = strcmp(active, "active") == 0;
	lv->merging = *merging != '\0';
	lv->tagged = sf_lvm_tags_parse(tags, &lv->tags);
	return copy_text(row, "lv_name", lv->name, sizeof(lv->name)) &&
	       copy_text(row, "lv_uuid", lv->uuid, sizeof(lv->uuid)) &&
	       copy_text(row, "segtype", lv->segtype, sizeof(lv->segtype)) &&
	       copy_text(row, "pool_lv", lv->pool, sizeof(lv->pool)) &&
	       copy_text(row, "origin", lv->origin, sizeof(lv->origin)) &&
	       read_number(row, "lv_size", &lv->size_bytes) && read_number(row, "thin_id", &lv->thin_id) &&
	       *lv->name;
}

static bool read_vg(const json_t *row, struct sf_lvm_report *report)
{
	uint64_t free_bytes, missing;

	if (!copy_text(row, "vg_name", report->vg, sizeof(report->vg)) ||
	    !copy_text(row, "vg_uuid", report->vg_uuid, sizeof(report->vg_uuid)) ||
	    !read_number(row, "vg_size", &report->vg_bytes) || !read_number(row, "vg_free", &free_bytes) ||
	    !read_number(row, "vg_extent_size", &report->extent_bytes) ||
	    !read_number(row, "vg_missing_pv_count", &missing) || report->extent_bytes == 0)
		return false;
	report->missing_pvs = (unsigned)missing;
	atomic_init(&report->free_bytes, free_bytes);
	return true;
}

/* lvs prints a row for each segment of an LV. */
static bool is_again(const struct sf_lvm_report *report, const struct sf_lv *lv)
{
	return report->n > 0 && strcmp(report->lvs[report->n - 1].uuid, lv->uuid) == 0;
}

static int read_rows(const json_t *rows, struct sf_lvm_report *report, struct sf_err *err)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		struct sf_lv *lv = &report->lvs[report->n];

		if ((i == 0 && !read_vg(row, report)) || !read_lv(row, lv))
			return sf_fail(err, -EPROTO, "lvs: row %zu is malformed", i);
		if (is_again(report, lv)) {
			*lv = (struct sf_lv){0};
			continue;
		}
		lv->own_tags = some_tags(text_of(row, "lv_tags"), true);
		lv->other_tags = some_tags(text_of(row, "lv_tags"), false);
		report->n++;
	}
	return 0;
}

int sf_lvm_parse(const char *text, size_t len, struct sf_lvm_report **ret, struct sf_err *err)
{
	auto_json json_t *root = sf_json_parse_object(text, len, "lvs", err);
	const json_t *rows = json_object_get(json_array_get(json_object_get(root, "report"), 0), "lv");
	auto_report struct sf_lvm_report *report = NULL;
	int rc;

	if (!root)
		return sf_wrap(err, -EPROTO, "read a report");
	if (!json_is_array(rows))
		return sf_fail(err, -EPROTO, "lvs: its output has no report");
	report = calloc(1, sizeof(*report));
	if (!report)
		return sf_fail(err, -ENOMEM, "out of memory");
	atomic_init(&report->refs, 1);
	report->lvs = calloc(json_array_size(rows) + 1, sizeof(*report->lvs));
	if (!report->lvs)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = read_rows(rows, report, err);
	if (rc == 0)
		*ret = sf_take_ptr(&report);
	return rc;
}

/* --- asking --- */

int sf_lvm_report(struct sf_lvm *lvm, const char *vg, uint64_t max_age_ms, bool facts_only,
		  struct sf_lvm_report **ret, struct sf_err *err)
{
	/* Sorting keeps the rows of one LV together. */
	const char *const argv[] = {
		"lvs", "-a", "--reportformat", "json", "--units", "b",  "--nosuffix", "--config",
		form,  "-O", "lv_name",        "-o",   columns,   "--", vg,           NULL};
	uint64_t asked_ms = sf_clock_mono_ms(), asked_at;
	struct sf_lvm_report *report = sf_lvm_known(lvm, vg, max_age_ms, facts_only, &asked_at);
	auto_free char *said = NULL;
	int rc;

	if (report) {
		*ret = report;
		return 0;
	}
	rc = sf_lvm_run(lvm, vg, argv, &said, err);
	if (rc == 0)
		rc = sf_lvm_parse(said, strlen(said), &report, err);
	if (rc < 0)
		return rc;
	if (report->n == 0) { /* a VG without LVs has no rows, and nothing for us */
		(void)snprintf(report->vg, sizeof(report->vg), "%s", vg);
		report->extent_bytes = EXTENT_BYTES;
	}
	sf_lvm_remember(lvm, vg, report, asked_ms, asked_at);
	*ret = report;
	return 0;
}

/* Users' operations come first: while they follow each other closely, an older report is good enough. */
static int watched_report(struct sf_lvm *lvm, const char *vg, struct sf_lvm_report **ret)
{
	uint64_t changes;
	struct sf_lvm_report *report = sf_lvm_is_quiet(lvm, vg, QUIET_MS)
					       ? NULL
					       : sf_lvm_known(lvm, vg, BUSY_AGE_MS, true, &changes);

	if (!report)
		return sf_lvm_report(lvm, vg, SF_LVM_FACTS_MS, false, ret, NULL);
	*ret = report;
	return 0;
}

void sf_lvm_each_vg(struct sf_lvm *lvm, void (*fn)(void *arg, struct sf_lvm_report *report), void *arg)
{
	for (size_t i = 0; i < SF_LVM_VGS; i++) {
		auto_report struct sf_lvm_report *report = NULL;
		char vg[SF_LVM_NAME];

		if (sf_lvm_known_vg(lvm, i, vg) && watched_report(lvm, vg, &report) == 0)
			fn(arg, report);
	}
}
