/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares what backends/lvm/dm.h reports about real devices with dmsetup and lvs.
 * tests/vm/cases/device-mapper makes the devices.
 */
#include "backends/lvm/dm.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SECTOR    ((uint64_t)512)
#define SOON_MS   30000
#define VG        "sf-dm"
#define PLAIN     "sf--dm-plain"
#define POOL      "sf--dm-pool-tpool"
#define THIN      "sf--dm-thin"
#define THIN_SNAP "sf--dm-thin.snap"
#define ORIGIN    "sf--dm-o4"
#define SNAP      "sf--dm-s4"
#define FULL_ONE  "sf--dm-full"
#define FULL_SNAP "sf--dm-full.snap"
#define TEMPORARY "sf-dm-temporary"
#define NO_SUCH   "sf--dm-no.such"

static const char *const devices[] = {PLAIN, POOL, THIN, THIN_SNAP, ORIGIN, SNAP};

static void failed(int rc, int want, const struct sf_err *err, const char *text)
{
	assert_int_equal(rc, want);
	assert_int_equal(err->code, want);
	if (!strstr(err->text, text))
		fail_msg("'%s' does not say '%s'", err->text, text);
}

static void names_are_those_of_lvm(void **state)
{
	char name[SF_DM_NAME], text[256];

	(void)state;
	assert_int_equal(sf_dm_name(VG, "thin.snap", NULL, name, NULL), 0);
	assert_string_equal(name, THIN_SNAP);
	assert_int_equal(sf_dm_name(VG, "pool", "tpool", name, NULL), 0);
	assert_string_equal(name, POOL);
	assert_int_equal(sf_dm_name(VG, "s4", "cow", name, NULL), 0);
	says(text, sizeof(text), "dmsetup info -c --noheadings -o name %s", name);
	assert_string_equal(text, name);
}

static void information_agrees_with_dmsetup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char text[512], uuid[SF_DM_UUID], attr[16];
		unsigned major, minor, opened;
		struct sf_dm_info info;

		says(text, sizeof(text),
		     "dmsetup info -c --noheadings --separator ' ' -o uuid,major,minor,open,attr %s",
		     devices[i]);
		assert_int_equal(sscanf(text, "%128s %u %u %u %15s", uuid, &major, &minor, &opened, attr), 5);
		assert_int_equal(sf_dm_info(devices[i], &info, NULL), 0);
		assert_string_equal(info.uuid, uuid);
		assert_int_equal(info.major, major);
		assert_int_equal(info.minor, minor);
		assert_int_equal(info.open_count, opened);
		assert_int_equal(info.read_only, attr[3] == 'r');
		assert_false(info.suspended);
	}
}

static void information_follows_what_happens(void **state)
{
	struct sf_dm_info info;
	unsigned before;
	int fd;

	(void)state;
	assert_int_equal(sf_dm_info(PLAIN, &info, NULL), 0);
	before = info.open_count;
	fd = open("/dev/mapper/" PLAIN, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(sf_dm_info(PLAIN, &info, NULL), 0);
	assert_int_equal(info.open_count, before + 1);
	close(fd);
	run("dmsetup suspend " PLAIN);
	assert_int_equal(sf_dm_info(PLAIN, &info, NULL), 0);
	assert_true(info.suspended);
	run("dmsetup resume " PLAIN);
	assert_int_equal(sf_dm_info(PLAIN, &info, NULL), 0);
	assert_false(info.suspended);
	assert_int_equal(info.open_count, before);
	assert_int_equal(sf_dm_info(SNAP, &info, NULL), 0);
	assert_true(info.read_only);
}

static void tables_agree_with_dmsetup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		char text[1024], ours[1024];
		struct sf_dm_target target;

		says(text, sizeof(text), "dmsetup table %s", devices[i]);
		assert_int_equal(sf_dm_table(devices[i], &target, NULL), 0);
		assert_int_equal(target.ntargets, 1);
		(void)snprintf(ours, sizeof(ours), "0 %" PRIu64 " %s %s", target.size_bytes / SECTOR,
			       target.type, target.params);
		assert_string_equal(ours, text);
	}
}

static void tables_of_many_targets_and_of_none(void **state)
{
	struct sf_dm_target target;
	struct sf_err err = {0};

	(void)state;
	run("printf '0 8 error\\n8 16 linear /dev/mapper/" PLAIN
	    " 0\\n24 1 error\\n' | dmsetup create " TEMPORARY);
	assert_int_equal(sf_dm_table(TEMPORARY, &target, NULL), 0);
	assert_int_equal(target.ntargets, 3);
	assert_int_equal(target.size_bytes, 25 * SECTOR);
	assert_string_equal(target.type, "error");
	assert_string_equal(target.params, "");
	run("dmsetup remove " TEMPORARY);
	run("dmsetup create --notable " TEMPORARY);
	failed(sf_dm_table(TEMPORARY, &target, &err), -ENODATA, &err, "no table");
	run("dmsetup remove " TEMPORARY);
}

/* 64 stripes, more than sf_dm_target has room for. */
static void a_table_that_is_too_long_is_left_out(void **state)
{
	struct sf_dm_target target;

	(void)state;
	run("echo 0 512 striped 64 8 $(for i in $(seq 64); do echo /dev/mapper/" PLAIN
	    " $((i * 1000)); done) |"
	    " dmsetup create " TEMPORARY);
	assert_int_equal(sf_dm_table(TEMPORARY, &target, NULL), 0);
	assert_string_equal(target.type, "striped");
	assert_string_equal(target.params, "");
	assert_int_equal(target.size_bytes, 512 * SECTOR);
	run("dmsetup remove " TEMPORARY);
}

static void thin_volumes_agree_with_lvs(void **state)
{
	static const char *const names[] = {"thin", "thin.snap"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char device[SF_DM_NAME], text[256];
		uint64_t size, mapped;
		struct sf_dm_thin thin;

		assert_int_equal(sf_dm_name(VG, names[i], NULL, device, NULL), 0);
		assert_int_equal(sf_dm_thin(device, &thin, NULL), 0);
		assert_int_equal(thin.id, number_of("lvs --noheadings -o thin_id " VG "/%s", names[i]));
		assert_false(thin.external_origin);
		says(text, sizeof(text), "dmsetup status --noflush %s", device);
		assert_int_equal(sscanf(text, "0 %" SCNu64 " thin %" SCNu64, &size, &mapped), 2);
		assert_int_equal(thin.mapped_bytes, mapped * SECTOR);
		assert_int_not_equal(mapped, 0);
	}
}

static void pools_agree_with_lvs(void **state)
{
	uint64_t size, id, meta_used, meta, used, all;
	struct sf_dm_pool pool;
	char text[512];

	(void)state;
	assert_int_equal(sf_dm_pool(POOL, &pool, NULL), 0);
	assert_int_equal(pool.mode, SF_DM_POOL_RW);
	assert_false(pool.needs_check);
	assert_int_equal(pool.metadata_root, 0);
	says(text, sizeof(text), "dmsetup status --noflush %s", POOL);
	assert_int_equal(sscanf(text,
				"0 %" SCNu64 " thin-pool %" SCNu64 " %" SCNu64 "/%" SCNu64 " %" SCNu64
				"/%" SCNu64,
				&size, &id, &meta_used, &meta, &used, &all),
			 6);
	assert_int_equal(pool.data_block_bytes,
			 number_of("lvs --noheadings --units b --nosuffix -o chunk_size " VG "/pool"));
	assert_int_equal(pool.data_bytes, number_of("blockdev --getsize64 /dev/mapper/sf--dm-pool_tdata"));
	assert_int_equal(pool.metadata_bytes,
			 number_of("blockdev --getsize64 /dev/mapper/sf--dm-pool_tmeta"));
	assert_int_equal(pool.metadata_used_bytes, meta_used * 4096);
	assert_int_equal(pool.data_used_bytes, used * pool.data_block_bytes);
	assert_int_not_equal(used, 0);
}

static void a_full_pool_says_so(void **state)
{
	struct sf_dm_pool pool;

	(void)state;
	run("dd if=/dev/zero of=/dev/mapper/sf--dm-small.thin bs=1M oflag=direct 2>&1; true");
	assert_int_equal(sf_dm_pool("sf--dm-small-tpool", &pool, NULL), 0);
	assert_int_equal(pool.mode, SF_DM_POOL_NO_SPACE);
	assert_int_equal(pool.data_used_bytes, pool.data_bytes);
}

static void a_metadata_snapshot_is_held_once(void **state)
{
	struct sf_dm_pool pool;
	struct sf_err err = {0};

	(void)state;
	failed(sf_dm_release_metadata_snap(POOL, &err), -EINVAL, &err, "release_metadata_snap");
	assert_int_equal(sf_dm_reserve_metadata_snap(POOL, NULL), 0);
	assert_int_equal(sf_dm_pool(POOL, &pool, NULL), 0);
	assert_true(pool.metadata_root > 0);
	failed(sf_dm_reserve_metadata_snap(POOL, &err), -EBUSY, &err, "reserve_metadata_snap");
	assert_int_equal(sf_dm_release_metadata_snap(POOL, NULL), 0);
	assert_int_equal(sf_dm_pool(POOL, &pool, NULL), 0);
	assert_int_equal(pool.metadata_root, 0);
	failed(sf_dm_reserve_metadata_snap(NO_SUCH, &err), -ENOENT, &err, NO_SUCH);
}

static void snapshots_agree_with_lvs(void **state)
{
	uint64_t size, used, total, metadata;
	struct sf_dm_snapshot snapshot;
	char text[256];

	(void)state;
	says(text, sizeof(text), "dmsetup status --noflush %s", SNAP);
	assert_int_equal(sscanf(text, "0 %" SCNu64 " snapshot %" SCNu64 "/%" SCNu64 " %" SCNu64, &size, &used,
				&total, &metadata),
			 4);
	assert_int_equal(sf_dm_snapshot(SNAP, &snapshot, NULL), 0);
	assert_int_equal(snapshot.state, SF_DM_SNAPSHOT_OK);
	assert_int_equal(snapshot.chunk_bytes,
			 number_of("lvs --noheadings --units b --nosuffix -o chunk_size " VG "/s4"));
	assert_int_equal(snapshot.used_bytes, used * SECTOR);
	assert_int_equal(snapshot.metadata_bytes, metadata * SECTOR);
	assert_int_equal(snapshot.total_bytes, number_of("blockdev --getsize64 /dev/mapper/" SNAP "-cow"));
}

/* What lvconvert --merge does: the origin gets the table of the merge. */
static void a_merge_is_a_snapshot_too(void **state)
{
	struct sf_dm_snapshot snapshot;

	(void)state;
	run("dmsetup remove sf-dm-odd8-snap");
	run("dmsetup suspend sf-dm-odd8");
	run("dmsetup load sf-dm-odd8 --table '0 10001 snapshot-merge /dev/mapper/sf-dm-odd8-base "
	    "/dev/mapper/sf-dm-odd8-cow P 8'");
	run("dmsetup resume sf-dm-odd8");
	assert_int_equal(sf_dm_snapshot("sf-dm-odd8", &snapshot, NULL), 0);
	assert_int_equal(snapshot.state, SF_DM_SNAPSHOT_OK);
	assert_int_equal(snapshot.chunk_bytes, 8 * SECTOR);
	assert_int_equal(snapshot.total_bytes, 20000 * SECTOR);
}

static void other_devices_are_refused(void **state)
{
	struct sf_dm_snapshot snapshot;
	struct sf_dm_thin thin;
	struct sf_dm_pool pool;
	struct sf_dm_info info;
	struct sf_err err = {0};

	(void)state;
	failed(sf_dm_thin(PLAIN, &thin, &err), -EINVAL, &err, "type linear");
	failed(sf_dm_pool(THIN, &pool, &err), -EINVAL, &err, "type thin");
	failed(sf_dm_snapshot(ORIGIN, &snapshot, &err), -EINVAL, &err, "type snapshot-origin");
	failed(sf_dm_thin(NO_SUCH, &thin, &err), -ENOENT, &err, NO_SUCH);
	failed(sf_dm_pool(NO_SUCH, &pool, &err), -ENOENT, &err, NO_SUCH);
	failed(sf_dm_snapshot(NO_SUCH, &snapshot, &err), -ENOENT, &err, NO_SUCH);
	failed(sf_dm_info(NO_SUCH, &info, &err), -ENOENT, &err, NO_SUCH);
}

static void children_inherit_nothing(void **state)
{
	char text[64];

	(void)state;
	says(text, sizeof(text), "ls -l /proc/self/fd | grep -c mapper/control; true");
	assert_string_equal(text, "0");
}

/* --- Events --- */

static void an_event_is_told_once(void **state)
{
	struct sf_dm_events events;

	(void)state;
	assert_int_equal(sf_dm_events_open(&events, NULL), 0);
	assert_int_equal(sf_dm_events_wait(&events, -1, 0, NULL), 0);
	run("dmsetup create " TEMPORARY " --table '0 8 error'");
	assert_int_equal(sf_dm_events_wait(&events, -1, SOON_MS, NULL), 1);
	assert_int_equal(sf_dm_events_wait(&events, -1, 0, NULL), 0);
	run("dmsetup suspend " TEMPORARY "; dmsetup load " TEMPORARY
	    " --table '0 16 error'; dmsetup resume " TEMPORARY);
	assert_int_equal(sf_dm_events_wait(&events, -1, 0, NULL), 1);
	assert_int_equal(sf_dm_events_wait(&events, -1, 0, NULL), 0);
	run("dmsetup remove " TEMPORARY);
	assert_int_equal(sf_dm_events_wait(&events, -1, 0, NULL), 1);
	assert_int_equal(sf_dm_events_wait(&events, -1, 20, NULL), 0);
	sf_dm_events_close(&events);
}

static void a_waiter_is_woken_while_it_waits(void **state)
{
	struct sf_dm_events events;
	FILE *command;

	(void)state;
	assert_int_equal(sf_dm_events_open(&events, NULL), 0);
	command = popen("read -r go; dmsetup create " TEMPORARY " --table '0 8 error'", "we");
	assert_non_null(command);
	assert_true(fputs("go\n", command) >= 0);
	assert_int_equal(fflush(command), 0);
	assert_int_equal(sf_dm_events_wait(&events, -1, -1, NULL), 1);
	assert_int_equal(pclose(command), 0);
	run("dmsetup remove " TEMPORARY);
	sf_dm_events_close(&events);
}

static void a_wake_loses_no_event(void **state)
{
	int wake = eventfd(0, EFD_CLOEXEC);
	struct sf_dm_events events;
	eventfd_t n;

	(void)state;
	assert_int_equal(sf_dm_events_open(&events, NULL), 0);
	assert_int_equal(eventfd_write(wake, 1), 0);
	assert_int_equal(sf_dm_events_wait(&events, wake, SOON_MS, NULL), 0);
	run("dmsetup create " TEMPORARY " --table '0 8 error'");
	assert_int_equal(sf_dm_events_wait(&events, wake, SOON_MS, NULL), 0);
	assert_int_equal(eventfd_read(wake, &n), 0);
	assert_int_equal(sf_dm_events_wait(&events, wake, SOON_MS, NULL), 1);
	run("dmsetup remove " TEMPORARY);
	sf_dm_events_close(&events);
	close(wake);
}

/* Must be the last test, because it overflows the snapshot. */
static void an_overflow_wakes_and_is_seen(void **state)
{
	struct sf_dm_snapshot snapshot;
	struct sf_dm_events events;

	(void)state;
	assert_int_equal(sf_dm_snapshot(FULL_SNAP, &snapshot, NULL), 0);
	assert_int_equal(snapshot.state, SF_DM_SNAPSHOT_OK);
	assert_int_equal(sf_dm_events_open(&events, NULL), 0);
	run("dd if=/dev/zero of=/dev/mapper/" FULL_ONE " bs=1M count=6 oflag=direct status=none");
	assert_int_equal(sf_dm_events_wait(&events, -1, SOON_MS, NULL), 1);
	assert_int_equal(sf_dm_snapshot(FULL_SNAP, &snapshot, NULL), 0);
	assert_int_equal(snapshot.state, SF_DM_SNAPSHOT_INVALID);
	assert_int_equal(snapshot.used_bytes, 0);
	sf_dm_events_close(&events);
}

/* --- Concurrency --- */

static void *ask_often(void *arg)
{
	struct sf_dm_snapshot snapshot;
	struct sf_dm_info info;
	struct sf_dm_pool pool;
	intptr_t nfailed = 0;

	(void)arg;
	for (int i = 0; i < 200; i++)
		nfailed += sf_dm_info(PLAIN, &info, NULL) || sf_dm_pool(POOL, &pool, NULL) ||
			   sf_dm_snapshot(SNAP, &snapshot, NULL) ||
			   sf_dm_info(NO_SUCH, &info, NULL) != -ENOENT;
	return (void *)nfailed;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[4];
	void *nfailed;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &nfailed), 0);
		assert_null(nfailed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_do_not_disturb_each_other),
		cmocka_unit_test(names_are_those_of_lvm),
		cmocka_unit_test(information_agrees_with_dmsetup),
		cmocka_unit_test(information_follows_what_happens),
		cmocka_unit_test(tables_agree_with_dmsetup),
		cmocka_unit_test(tables_of_many_targets_and_of_none),
		cmocka_unit_test(a_table_that_is_too_long_is_left_out),
		cmocka_unit_test(thin_volumes_agree_with_lvs),
		cmocka_unit_test(pools_agree_with_lvs),
		cmocka_unit_test(a_full_pool_says_so),
		cmocka_unit_test(a_metadata_snapshot_is_held_once),
		cmocka_unit_test(snapshots_agree_with_lvs),
		cmocka_unit_test(a_merge_is_a_snapshot_too),
		cmocka_unit_test(other_devices_are_refused),
		cmocka_unit_test(children_inherit_nothing),
		cmocka_unit_test(an_event_is_told_once),
		cmocka_unit_test(a_waiter_is_woken_while_it_waits),
		cmocka_unit_test(a_wake_loses_no_event),
		cmocka_unit_test(an_overflow_wakes_and_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
