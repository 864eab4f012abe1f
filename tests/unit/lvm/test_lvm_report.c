/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of lvs. data/lvs.json is the output of lvs of LVM 2.03.16 for a VG with an LV of three segments,
 * a classic snapshot, a thin pool, two volumes in it (one inactive), a snapshot of ours, and one that waits
 * to be merged.
 */
#include "backends/lvm/report.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIRECTORY SF_SOURCE_ROOT "/tests/unit/data"
#define TEXT_MAX  65536
#define MIB       ((uint64_t)1024 * 1024)
#define TOKEN     "0123456789abcdef0123456789abcdef"
#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* Loads the real report. The caller frees it. */
static char *load(void)
{
	auto_fd int dir = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	assert_int_equal(sf_durable_read(dir, "lvs.json", TEXT_MAX, &text, &len, NULL), 0);
	return text;
}

static struct sf_lvm_report *parsed(const char *text)
{
	struct sf_lvm_report *report = NULL;
	struct sf_err err = {0};

	if (sf_lvm_parse(text, strlen(text), &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(report->refs, 1);
	return report;
}

/* The real report with the first `from` (behind the first `after`) replaced by `to`. The caller frees it. */
static char *with(const char *after, const char *from, const char *to)
{
	auto_free char *real = load();
	char *place = strstr(real, after), *text = malloc(TEXT_MAX);

	assert_non_null(text);
	assert_non_null(place);
	place = strstr(place + strlen(after), from);
	assert_non_null(place);
	(void)snprintf(text, TEXT_MAX, "%.*s%s%s", (int)(place - real), real, to, place + strlen(from));
	return text;
}

static void refused(const char *text, size_t len, const char *why)
{
	struct sf_lvm_report *report = (struct sf_lvm_report *)(uintptr_t)8;
	struct sf_err err = {0};
	int rc = sf_lvm_parse(text, len, &report, &err);

	if (rc != -EPROTO || err.code != -EPROTO || !strstr(err.text, why))
		fail_msg("%d %d \"%s\" instead of \"%s\"", rc, err.code, err.text, why);
	assert_int_equal((uintptr_t)report, 8);
}

static void refused_with(const char *after, const char *from, const char *to, const char *why)
{
	auto_free char *text = with(after, from, to);

	refused(text, strlen(text), why);
}

/* --- output of lvs --- */

static void check_lv(const struct sf_lvm_report *report, const struct sf_lv *want)
{
	const struct sf_lv *lv = sf_lvm_find(report, want->name);

	if (!lv)
		fail_msg("no %s", want->name);
	assert_string_equal(lv->name, want->name);
	assert_int_equal(strlen(lv->uuid), SF_LVM_UUID - 1);
	assert_string_equal(lv->segtype, want->segtype);
	assert_string_equal(lv->pool, want->pool);
	assert_string_equal(lv->origin, want->origin);
	assert_int_equal(lv->thin_id, want->thin_id);
	assert_int_equal(lv->size_bytes, want->size_bytes);
	assert_int_equal(lv->active, want->active);
	assert_int_equal(lv->merging, want->merging);
	assert_int_equal(lv->tagged, want->tagged);
}

static void every_volume_is_there_once(void **state)
{
	static const struct sf_lv want[] = {
		{.name = "between", .segtype = "linear", .size_bytes = 4 * MIB, .active = true},
		{.name = "cow",
		 .segtype = "linear",
		 .origin = "multi",
		 .size_bytes = 8 * MIB,
		 .active = true},
		{.name = "lvol0_pmspare", .segtype = "linear", .size_bytes = 4 * MIB},
		{.name = "multi", .segtype = "linear", .size_bytes = 180 * MIB, .active = true},
		{.name = "other", .segtype = "thin", .pool = "pool", .thin_id = 2, .size_bytes = 32 * MIB},
		{.name = "pool", .segtype = "thin-pool", .size_bytes = 64 * MIB, .active = true},
		{.name = "pool_tdata", .segtype = "linear", .size_bytes = 64 * MIB, .active = true},
		{.name = "pool_tmeta", .segtype = "linear", .size_bytes = 4 * MIB, .active = true},
		{.name = "s2",
		 .segtype = "thin",
		 .pool = "pool",
		 .origin = "web",
		 .thin_id = 4,
		 .size_bytes = 64 * MIB,
		 .merging = true},
		{.name = "snapfs_" TOKEN,
		 .segtype = "thin",
		 .pool = "pool",
		 .origin = "web",
		 .thin_id = 3,
		 .size_bytes = 64 * MIB,
		 .active = true,
		 .tagged = true},
		{.name = "web",
		 .segtype = "thin",
		 .pool = "pool",
		 .thin_id = 1,
		 .size_bytes = 64 * MIB,
		 .active = true},
	};
	auto_free char *text = load();
	auto_report struct sf_lvm_report *report = parsed(text);

	(void)state;
	assert_int_equal(report->n, nitems(want));
	for (size_t i = 0; i < nitems(want); i++)
		check_lv(report, &want[i]);
	assert_null(sf_lvm_find(report, "[pool_tdata]"));
	assert_null(sf_lvm_find(report, "we"));
	assert_null(sf_lvm_find(report, ""));
}

static void the_vg_is_described(void **state)
{
	auto_free char *text = load();
	auto_report struct sf_lvm_report *report = parsed(text);

	(void)state;
	assert_string_equal(report->vg, "vg0");
	assert_int_equal(strlen(report->vg_uuid), SF_LVM_UUID - 1);
	assert_int_equal(report->extent_bytes, 4 * MIB);
	assert_int_equal(report->vg_bytes, 504 * MIB);
	assert_int_equal(atomic_load(&report->free_bytes), 240 * MIB);
	assert_int_equal(report->missing_pvs, 0);
}

static void our_tags_are_read(void **state)
{
	auto_free char *text = load();
	auto_report struct sf_lvm_report *report = parsed(text);
	const struct sf_lv *lv = sf_lvm_find(report, "snapfs_" TOKEN);
	char id[SF_ID_TEXT];

	(void)state;
	assert_non_null(lv);
	sf_id_format(&lv->tags.object.token, id);
	assert_string_equal(id, TOKEN);
	sf_id_format(&lv->tags.state_id, id);
	assert_string_equal(id, "fedcba9876543210fedcba9876543210");
	assert_string_equal(lv->tags.origin, "web");
	assert_string_equal(lv->tags.object.snapshot, "vor größe");
	assert_string_equal(lv->tags.object.vm, "web");
	assert_string_equal(lv->tags.object.vdev, "xvdb");
	assert_int_equal(lv->tags.object.index, 1);
	assert_int_equal(lv->tags.object.ndisks, 2);
	assert_int_equal(lv->tags.object.taken_ns, 1795380703517698036);
	assert_true(lv->tags.data_known);
	assert_int_equal(lv->tags.data_bytes, 1310720);
}

static void tags_of_others_are_kept_apart(void **state)
{
	auto_free char *text = with("\"s2\"", "\"lv_tags\":\"\"", "\"lv_tags\":\"a,snapfs.x=y,b\"");
	auto_report struct sf_lvm_report *report = parsed(text);

	(void)state;
	assert_string_equal(sf_lvm_find(report, "snapfs_" TOKEN)->other_tags, "backup");
	assert_string_equal(sf_lvm_find(report, "s2")->other_tags, "a,b");
	assert_null(sf_lvm_find(report, "web")->other_tags);
}

static void half_of_our_tags_make_nothing_ours(void **state)
{
	auto_free char *text = with("lv_tags", "snapfs.state=", "snapfs.estate=");
	auto_report struct sf_lvm_report *report = parsed(text);

	(void)state;
	assert_false(sf_lvm_find(report, "snapfs_" TOKEN)->tagged);
}

static void missing_devices_are_counted(void **state)
{
	auto_free char *text = with("vg_missing", "\"0\"", "\"2\"");
	auto_report struct sf_lvm_report *report = parsed(text);

	(void)state;
	assert_int_equal(report->missing_pvs, 2);
}

/* LVs that are active elsewhere in a cluster, or have a state of a later version, count as inactive here. */
static void only_active_is_active(void **state)
{
	auto_free char *text = with("\"web\", \"lv_uuid\"", "\"active\"", "\"remotely active\"");
	auto_report struct sf_lvm_report *report = parsed(text);

	(void)state;
	assert_false(sf_lvm_find(report, "web")->active);
}

static void a_vg_without_volumes_has_no_rows(void **state)
{
	auto_report struct sf_lvm_report *report =
		parsed("  {\n      \"report\": [\n          {\n              \"lv\": [\n              ]\n"
		       "          }\n      ]\n  }\n");

	(void)state;
	assert_int_equal(report->n, 0);
	assert_string_equal(report->vg, "");
}

static void references_are_counted(void **state)
{
	auto_free char *text = load();
	struct sf_lvm_report *report = parsed(text);

	(void)state;
	atomic_fetch_add(&report->refs, 1);
	sf_lvm_report_unref(report);
	assert_int_equal(report->n, 11);
	sf_lvm_report_unref(report);
	sf_lvm_report_unref(NULL);
}

/* --- must be refused --- */

static void every_cut_is_noticed(void **state)
{
	auto_free char *text = load();
	size_t whole = (size_t)(strrchr(text, '}') - text) + 1;

	(void)state;
	for (size_t cut = 0; cut < whole; cut++)
		refused(text, cut, "lvs is not valid JSON");
}

/* Damaged text is either refused or changes a text field; the parser survives both. */
static void every_flipped_bit_is_survived(void **state)
{
	auto_free char *text = load();
	size_t len = strlen(text);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		struct sf_lvm_report *report = NULL;
		char was = text[i];
		int rc;

		text[i] = (char)(was ^ 1 << i % 8);
		rc = sf_lvm_parse(text, len, &report, NULL);
		assert_true(rc == -EPROTO || (rc == 0 && report));
		sf_lvm_report_unref(report);
		text[i] = was;
	}
}

static void a_column_that_is_missing_is_noticed(void **state)
{
	static const char *const first_row[] = {"vg_name", "vg_uuid",        "vg_size",
						"vg_free", "vg_extent_size", "vg_missing_pv_count"};
	static const char *const every_row[] = {"lv_name", "lv_uuid", "lv_size",   "segtype",    "pool_lv",
						"origin",  "thin_id", "lv_active", "lv_merging", "lv_tags"};
	char name[64];

	(void)state;
	for (size_t i = 0; i < nitems(first_row); i++) {
		(void)snprintf(name, sizeof(name), "\"%s\"", first_row[i]);
		refused_with("", name, "\"other\"", "row 0 is malformed");
	}
	for (size_t i = 0; i < nitems(every_row); i++) {
		(void)snprintf(name, sizeof(name), "\"%s\"", every_row[i]);
		refused_with("\"lv_tags\":\"\"},", name, "\"other\"", "row 1 is malformed");
	}
}

static void values_that_cannot_be_are_refused(void **state)
{
	char longest[SF_LVM_NAME + 3];

	(void)state;
	refused_with("vg_size", "\"528482304\"", "528482304",
		     "row 0 is malformed"); /* the format of json_std */
	refused_with("vg_size", "528482304", "528482304B", "row 0 is malformed");
	refused_with("vg_size", "528482304", "-1", "row 0 is malformed");
	refused_with("vg_size", "528482304", " 1", "row 0 is malformed");
	refused_with("vg_size", "528482304", "18446744073709551616", "row 0 is malformed");
	refused_with("vg_extent_size", "4194304", "0", "row 0 is malformed");
	refused_with("vg_extent_size", "4194304", "", "row 0 is malformed");
	refused_with("\"lv_name\":\"cow\"", "8388608", "8.00m", "row 1 is malformed");
	refused_with("lv_merging", "\"lv_name\":\"cow\"", "\"lv_name\":\"\"", "row 1 is malformed");
	refused_with("lv_merging", "\"lv_name\":\"cow\"", "\"lv_name\":null", "row 1 is malformed");
	refused_with("\"lv_name\":\"cow\"", "\"lv_tags\":\"\"", "\"lv_tags\":[]", "row 1 is malformed");
	memset(longest, 'x', sizeof(longest));
	longest[0] = longest[SF_LVM_NAME + 1] = '"';
	longest[SF_LVM_NAME + 2] = '\0';
	refused_with("lv_merging", "\"cow\"", longest, "row 1 is malformed");
}

static void another_shape_is_refused(void **state)
{
	static const char *const shapes[] = {"{}",
					     "{\"report\":[]}",
					     "{\"report\":{}}",
					     "{\"report\":[[]]}",
					     "{\"report\":[{}]}",
					     "{\"report\":[{\"lv\":{}}]}",
					     "{\"report\":[{\"vg\":[]}]}",
					     "{\"log\":[{\"lv\":[]}]}"};

	(void)state;
	for (size_t i = 0; i < nitems(shapes); i++)
		refused(shapes[i], strlen(shapes[i]), "its output has no report");
	refused("[]", 2, "lvs is not a JSON object");
	refused("{\"report\":[{\"lv\":[7]}]}", 23, "row 0 is malformed");
	refused("{\"report\":[{\"lv\":[{}]}]}", 24, "row 0 is malformed");
	refused("  Volume group vg0 is exported\n", 31, "lvs is not valid JSON");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_volume_is_there_once),
		cmocka_unit_test(the_vg_is_described),
		cmocka_unit_test(our_tags_are_read),
		cmocka_unit_test(tags_of_others_are_kept_apart),
		cmocka_unit_test(half_of_our_tags_make_nothing_ours),
		cmocka_unit_test(missing_devices_are_counted),
		cmocka_unit_test(only_active_is_active),
		cmocka_unit_test(a_vg_without_volumes_has_no_rows),
		cmocka_unit_test(references_are_counted),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(every_flipped_bit_is_survived),
		cmocka_unit_test(a_column_that_is_missing_is_noticed),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(another_shape_is_refused),
	};

	return cmocka_run_group_tests_name("lvm_report", tests, NULL, NULL);
}
