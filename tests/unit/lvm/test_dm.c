/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and status lines of device-mapper. tests/vm/programs/test_dm_real.c tests real devices. */
#include "backends/lvm/dm.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SECTOR     512
#define POOL_TABLE "254:1 254:2 128 0"
#define COW_TABLE  "254:3 254:4 P 8"

static void failed(int rc, int want, const struct sf_err *err, const char *text)
{
	assert_int_equal(rc, want);
	assert_int_equal(err->code, want);
	if (!strstr(err->text, text))
		fail_msg("'%s' does not say '%s'", err->text, text);
}

/* --- names --- */

static void hyphens_are_doubled(void **state)
{
	char name[SF_DM_NAME];

	(void)state;
	assert_int_equal(sf_dm_name("vg0", "web", NULL, name, NULL), 0);
	assert_string_equal(name, "vg0-web");
	assert_int_equal(sf_dm_name("a-b", "web-data--1", NULL, name, NULL), 0);
	assert_string_equal(name, "a--b-web--data----1");
	assert_int_equal(sf_dm_name("vg-0", "p_ool.1+", "tpool", name, NULL), 0);
	assert_string_equal(name, "vg--0-p_ool.1+-tpool");
}

static void a_name_is_as_long_as_the_kernel_has_it(void **state)
{
	char name[SF_DM_NAME] = "before", lv[SF_DM_NAME + 1];
	struct sf_err err = {0};

	(void)state;
	memset(lv, 'x', sizeof(lv));
	lv[SF_DM_NAME - 1 - 3] = '\0'; /* "vg-" and this name: 127 characters */
	assert_int_equal(sf_dm_name("vg", lv, NULL, name, NULL), 0);
	assert_int_equal(strlen(name), SF_DM_NAME - 1);
	strcpy(name, "before");
	failed(sf_dm_name("vgx", lv, NULL, name, &err), -ENAMETOOLONG, &err, "too long");
	failed(sf_dm_name("vg", lv, "cow", name, &err), -ENAMETOOLONG, &err, "too long");
	lv[0] = '-'; /* takes two characters */
	failed(sf_dm_name("vg", lv, NULL, name, &err), -ENAMETOOLONG, &err, "too long");
	assert_string_equal(name, "before");
}

static void what_lvm_would_not_name_is_refused(void **state)
{
	static const char *const bad[] = {"", "a/b", "a b", "a\n", "\xc3\xa4"};
	char name[SF_DM_NAME] = "before";
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		failed(sf_dm_name(bad[i], "lv", NULL, name, &err), -EINVAL, &err, "not a valid LVM name");
		failed(sf_dm_name("vg", bad[i], NULL, name, &err), -EINVAL, &err, "not a valid LVM name");
		failed(sf_dm_name("vg", "lv", bad[i], name, &err), -EINVAL, &err, "not a valid LVM name");
	}
	assert_string_equal(name, "before");
}

/* --- pools --- */

struct pool_line {
	const char *status;
	struct sf_dm_pool pool;
};

static const struct pool_line pool_lines[] = {
	/* Linux 6.1 */
	{"1 11/1024 3/160 - rw discard_passdown queue_if_no_space - 1024 ",
	 {.mode = SF_DM_POOL_RW,
	  .metadata_used_bytes = 11,
	  .metadata_bytes = 1024,
	  .data_used_bytes = 3,
	  .data_bytes = 160}},
	/* Linux 4.9, which does not report the low water mark */
	{"18446744073709551615 4161/4161 160/160 - out_of_data_space no_discard_passdown error_if_no_space "
	 "- ",
	 {.mode = SF_DM_POOL_NO_SPACE,
	  .metadata_used_bytes = 4161,
	  .metadata_bytes = 4161,
	  .data_used_bytes = 160,
	  .data_bytes = 160}},
	{"0 0/1 0/0 23 ro ignore_discard queue_if_no_space needs_check",
	 {.mode = SF_DM_POOL_RO, .metadata_bytes = 1, .metadata_root = 23, .needs_check = true}},
	{"7 1/9 2/8 77 rw discard_passdown queue_if_no_space - 1024 something new",
	 {.mode = SF_DM_POOL_RW,
	  .metadata_used_bytes = 1,
	  .metadata_bytes = 9,
	  .data_used_bytes = 2,
	  .data_bytes = 8,
	  .metadata_root = 77}},
	{"Fail", {.mode = SF_DM_POOL_FAILED}},
	{"Error", {.mode = SF_DM_POOL_FAILED}},
};

static void pools_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pool_lines) / sizeof(pool_lines[0]); i++) {
		const struct sf_dm_pool *want = &pool_lines[i].pool;
		struct sf_dm_pool pool;

		assert_int_equal(sf_dm_read_pool(POOL_TABLE, pool_lines[i].status, &pool, NULL), 0);
		assert_int_equal(pool.mode, want->mode);
		assert_int_equal(pool.needs_check, want->needs_check);
		assert_int_equal(pool.metadata_root, want->metadata_root);
		assert_int_equal(pool.data_block_bytes, 64 * 1024);
		assert_int_equal(pool.metadata_used_bytes, want->metadata_used_bytes * 4096);
		assert_int_equal(pool.metadata_bytes, want->metadata_bytes * 4096);
		assert_int_equal(pool.data_used_bytes, want->data_used_bytes * 64 * 1024);
		assert_int_equal(pool.data_bytes, want->data_bytes * 64 * 1024);
	}
}

static void tables_of_pools_are_read(void **state)
{
	static const char status[] = "1 11/1024 3/160 - rw discard_passdown queue_if_no_space - 1024 ";
	static const char *const bad[] = {
		"",
		"254:1 254:2",
		"254:1 254:2 128",
		"254:1 254:2 64 0",
		"254:1 254:2 2097280 0",
		"254:1 254:2 x 0",
		"254:1 254:2 128x 0",
		"254:1 254:2 -128 0",
	};
	struct sf_dm_pool pool = {.data_bytes = 77};
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		failed(sf_dm_read_pool(bad[i], status, &pool, &err), -EPROTO, &err, "table of a thin pool");
	assert_int_equal(pool.data_bytes, 77);
	assert_int_equal(
		sf_dm_read_pool("/dev/dm-1 254:2 2097152 0 1 skip_block_zeroing ", status, &pool, NULL), 0);
	assert_int_equal(pool.data_block_bytes, 1024 * 1024 * 1024);
}

static void nonsense_of_pools_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"fail",
		"Failed",
		"1",
		"1 11\0001024 3/160 - rw discard_passdown queue_if_no_space -", /* ends after 11 */
		"1 11/1024",
		"1 11 1024 3/160 - rw discard_passdown queue_if_no_space - 1024",
		"1 11/1024 3/160",
		"1 11/1024 3/160 -",
		"1 11/1024 3/160 - rw",
		"1 11/1024 3/160 - rw discard_passdown",
		"1 11/1024 3/160 - rw discard_passdown queue_if_no_space",
		"1 11/1024 3/160 - rw discard_passdown queue_if_no_space 1024",
		"1 11/1024 3/160 - rx discard_passdown queue_if_no_space -",
		"1 11/1024 3/160 x rw discard_passdown queue_if_no_space -",
		"1 11/1024 3/ - rw discard_passdown queue_if_no_space -",
		"1 11/1024 /160 - rw discard_passdown queue_if_no_space -",
		"1 11/1024 3/160/7 - rw discard_passdown queue_if_no_space -",
		"1 11/1024 3 /160 - rw discard_passdown queue_if_no_space -",
		"1 +11/1024 3/160 - rw discard_passdown queue_if_no_space -",
		"18446744073709551616 11/1024 3/160 - rw discard_passdown queue_if_no_space -",
		"30000000000000000000 11/1024 3/160 - rw discard_passdown queue_if_no_space -",
		"1 11/4503599627370496 3/160 - rw discard_passdown queue_if_no_space -",
		"1 11/1024 3/281474976710656 - rw discard_passdown queue_if_no_space -",
	};
	struct sf_dm_pool pool = {.data_bytes = 77};
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		failed(sf_dm_read_pool(POOL_TABLE, bad[i], &pool, &err), -EPROTO, &err,
		       "status of a thin pool");
	assert_int_equal(pool.data_bytes, 77);
}

/* --- classic snapshots --- */

static void snapshots_are_read(void **state)
{
	struct sf_dm_snapshot snapshot;

	(void)state;
	assert_int_equal(sf_dm_read_snapshot(COW_TABLE, "264/8192 16", &snapshot, NULL), 0);
	assert_int_equal(snapshot.state, SF_DM_SNAPSHOT_OK);
	assert_int_equal(snapshot.chunk_bytes, 4096);
	assert_int_equal(snapshot.used_bytes, 264 * SECTOR);
	assert_int_equal(snapshot.total_bytes, 8192 * SECTOR);
	assert_int_equal(snapshot.metadata_bytes, 16 * SECTOR);
	assert_int_equal(sf_dm_read_snapshot("254:3 254:4 PO 1024 2 discard_zeroes_cow x", "16/16 16 0",
					     &snapshot, NULL),
			 0);
	assert_int_equal(snapshot.chunk_bytes, 1024 * SECTOR);
	/* The last chunk is in use, and the area that would follow is counted too. */
	assert_int_equal(sf_dm_read_snapshot(COW_TABLE, "8200/8192 16", &snapshot, NULL), 0);
	assert_int_equal(snapshot.used_bytes, snapshot.total_bytes);
}

static void broken_snapshots_say_how(void **state)
{
	static const struct {
		const char *status;
		enum sf_dm_snapshot_state state;
	} lines[] = {
		{"Invalid", SF_DM_SNAPSHOT_INVALID},
		{"Overflow", SF_DM_SNAPSHOT_OVERFLOW},
		{"Merge failed", SF_DM_SNAPSHOT_MERGE_FAILED},
	};
	struct sf_dm_snapshot snapshot;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		memset(&snapshot, 0xff, sizeof(snapshot));
		assert_int_equal(sf_dm_read_snapshot(COW_TABLE, lines[i].status, &snapshot, NULL), 0);
		assert_int_equal(snapshot.state, lines[i].state);
		assert_int_equal(snapshot.chunk_bytes, 4096);
		assert_int_equal(snapshot.used_bytes, 0);
		assert_int_equal(snapshot.total_bytes, 0);
	}
}

static void nonsense_of_snapshots_is_refused(void **state)
{
	static const char *const statuses[] = {
		"",
		"Unknown",
		"Merge",
		"Merge failure",
		"264/8192",
		"264 8192",
		"264/8192 ",
		"264/8192 x",
		"264/8192 18446744073709551616",
		"264/",
		"/8192 16",
		"-264/8192 16",
		"264/8192 16x",
		"264/36028797018963968 16",
	};
	static const char *const tables[] = {"", "254:3 254:4 P", "254:3 254:4 P 0", "254:3 254:4 P x",
					     "254:3 254:4 P 36028797018963968"};
	struct sf_dm_snapshot snapshot = {.used_bytes = 77};
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		failed(sf_dm_read_snapshot(COW_TABLE, statuses[i], &snapshot, &err), -EPROTO, &err,
		       "status of a snapshot");
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		failed(sf_dm_read_snapshot(tables[i], "264/8192 16", &snapshot, &err), -EPROTO, &err,
		       "table of a snapshot");
	assert_int_equal(snapshot.used_bytes, 77);
}

/* --- thin volumes --- */

static void thin_volumes_are_read(void **state)
{
	struct sf_dm_thin thin;

	(void)state;
	assert_int_equal(sf_dm_read_thin("254:5 16777215", "2048 65535", &thin, NULL), 0);
	assert_int_equal(thin.id, 16777215);
	assert_int_equal(thin.mapped_bytes, 2048 * SECTOR);
	assert_false(thin.external_origin);
	assert_int_equal(sf_dm_read_thin("254:5 0 254:7", "0 -", &thin, NULL), 0);
	assert_int_equal(thin.id, 0);
	assert_int_equal(thin.mapped_bytes, 0);
	assert_true(thin.external_origin);
}

static void thin_volumes_of_failed_pools_fail(void **state)
{
	struct sf_dm_thin thin = {.id = 77};
	struct sf_err err = {0};

	(void)state;
	failed(sf_dm_read_thin("Fail", "Fail", &thin, &err), -EIO, &err, "pool has failed");
	failed(sf_dm_read_thin("254:5 1", "Fail", &thin, &err), -EIO, &err, "pool has failed");
	failed(sf_dm_read_thin("254:5 1", "Error", &thin, &err), -EIO, &err, "pool has failed");
	failed(sf_dm_read_thin("254:5 1", "-", &thin, &err), -EIO, &err, "pool has failed");
	assert_int_equal(thin.id, 77);
}

static void nonsense_of_thin_volumes_is_refused(void **state)
{
	static const char *const tables[] = {"",         "254:5",   "254:5 x", "254:5 16777216",
					     "254:5 -1", "254:5 1x"};
	static const char *const statuses[] = {"", "2048", "2048 x", "x 1", "-1 1", "36028797018963968 1"};
	struct sf_dm_thin thin = {.id = 77};
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		failed(sf_dm_read_thin(tables[i], "2048 65535", &thin, &err), -EPROTO, &err,
		       "table of a thin volume");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		failed(sf_dm_read_thin("254:5 1", statuses[i], &thin, &err), -EPROTO, &err,
		       "status of a thin volume");
	assert_int_equal(thin.id, 77);
}

/* --- devices of this machine --- */

/* The first query makes libdevmapper create the device node, if it may. */
static bool may_use_device_mapper(void)
{
	struct sf_dm_info info;
	int fd;

	(void)sf_dm_info("snapfs-no-such-device", &info, NULL);
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void a_device_that_is_not_there_is_told_from_no_device_mapper(void **state)
{
	int want = may_use_device_mapper() ? -ENOENT : -ENODEV;
	struct sf_dm_info info = {.open_count = 77};
	struct sf_dm_target target = {.ntargets = 77};
	struct sf_err err = {0};
	const char *text = want == -ENOENT ? "no-such-device" : "device-mapper";

	(void)state;
	for (int i = 0; i < 2; i++) {
		failed(sf_dm_info("snapfs-no-such-device", &info, &err), want, &err, text);
		failed(sf_dm_table("snapfs-no-such-device", &target, &err), want, &err, text);
		failed(sf_dm_reserve_metadata_snap("snapfs-no-such-device", &err), want, &err, text);
	}
	assert_int_equal(info.open_count, 77);
	assert_int_equal(target.ntargets, 77);
}

/* By default libdevmapper prints every failure to standard error. */
static void libdevmapper_is_silent(void **state)
{
	int kept = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
	struct sf_dm_target target;
	int rc;

	(void)state;
	assert_true(kept >= 0 && file >= 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	rc = sf_dm_table("snapfs-no-such-device", &target, NULL);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	assert_int_not_equal(rc, 0);
	assert_int_equal(lseek(file, 0, SEEK_END), 0);
	close(file);
}

static void events_need_device_mapper(void **state)
{
	struct sf_dm_events events = {.fd = -1};
	struct sf_err err = {0};

	(void)state;
	if (may_use_device_mapper())
		assert_int_equal(sf_dm_events_open(&events, NULL), 0);
	else
		failed(sf_dm_events_open(&events, &err), -ENODEV, &err, "device-mapper");
	sf_dm_events_close(&events);
	sf_dm_events_close(&events);
	sf_dm_events_close(NULL);
	assert_int_equal(events.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libdevmapper_is_silent), /* first, because some messages appear only once */
		cmocka_unit_test(hyphens_are_doubled),
		cmocka_unit_test(a_name_is_as_long_as_the_kernel_has_it),
		cmocka_unit_test(what_lvm_would_not_name_is_refused),
		cmocka_unit_test(pools_are_read),
		cmocka_unit_test(tables_of_pools_are_read),
		cmocka_unit_test(nonsense_of_pools_is_refused),
		cmocka_unit_test(snapshots_are_read),
		cmocka_unit_test(broken_snapshots_say_how),
		cmocka_unit_test(nonsense_of_snapshots_is_refused),
		cmocka_unit_test(thin_volumes_are_read),
		cmocka_unit_test(thin_volumes_of_failed_pools_fail),
		cmocka_unit_test(nonsense_of_thin_volumes_is_refused),
		cmocka_unit_test(a_device_that_is_not_there_is_told_from_no_device_mapper),
		cmocka_unit_test(events_need_device_mapper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
