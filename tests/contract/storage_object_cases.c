/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases of the storage suite: creating, listing and removing snapshots, and reverting to them. */
#include "core/contract/job.h"
#include "storage_bench.h"
#include "storage_cases.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define G CONTRACT_GRANULE

static void a_snapshot_keeps_its_instant(void **state)
{
	struct bench *bench = *state;
	const struct snap *first, *second;

	bench_write(bench, 0, 0, 4 * G, 1);
	first = bench_take(bench, 0);
	bench_write(bench, 0, G, 2 * G, 2);
	bench_write(bench, 0, 9 * G, G, 3);
	second = bench_take(bench, 0);
	bench_write(bench, 0, 0, 12 * G, 4);
	bench_check_snap(bench, first);
	bench_check_snap(bench, second);
	bench_check_disk(bench, 0);
}

static void creating_the_same_token_again_changes_nothing(void **state)
{
	struct bench *bench = *state;
	struct sf_object_stat st;
	const struct snap *snap;

	bench_write(bench, 0, 0, 2 * G, 1);
	snap = bench_take(bench, 0);
	bench_write(bench, 0, 0, 2 * G, 2);
	contract_ok(sf_object_create(bench->volumes[0], &snap->object, NULL, &st, &bench->err), &bench->err);
	assert_int_equal(st.size_bytes, bench->size);
	contract_ok(sf_object_settle(bench_storage(bench), &snap->object, &bench->err), &bench->err);
	contract_ok(sf_object_settle(bench_storage(bench), &snap->object, &bench->err), &bench->err);
	bench_check_snap(bench, snap);
	assert_int_equal(bench_listed(bench, 0, &snap->object.token), 1);
}

static void what_is_removed_is_gone_and_may_be_removed_again(void **state)
{
	struct bench *bench = *state;
	struct sf_storage *storage = bench_storage(bench);
	struct sf_image *image = NULL;
	struct sf_object_stat st;
	const struct snap *snap, *stays;

	bench_write(bench, 0, 0, 2 * G, 1);
	snap = bench_take(bench, 0);
	stays = bench_take(bench, 0);
	contract_ok(sf_object_remove(storage, &snap->object, &bench->err), &bench->err);
	assert_int_equal(sf_object_stat(storage, &snap->object, &st, &bench->err), -ENOENT);
	assert_int_equal(sf_object_image(storage, &snap->object, &image, &bench->err), -ENOENT);
	assert_null(image);
	assert_int_equal(bench_listed(bench, 0, &snap->object.token), 0);
	contract_ok(sf_object_remove(storage, &snap->object, &bench->err), &bench->err);
	bench_check_snap(bench, stays);
	bench_check_disk(bench, 0);
}

static void removing_what_never_was_succeeds(void **state)
{
	struct bench *bench = *state;
	struct sf_object object = bench_object(bench, 0);
	struct sf_object_stat st;

	contract_ok(sf_object_remove(bench_storage(bench), &object, &bench->err), &bench->err);
	assert_int_equal(sf_object_stat(bench_storage(bench), &object, &st, &bench->err), -ENOENT);
}

static void snapshots_outlive_the_process_that_took_them(void **state)
{
	struct bench *bench = *state;
	struct sf_object_stat st;
	const struct snap *snap;

	bench_write(bench, 0, 2 * G, 3 * G, 1);
	snap = bench_take(bench, 0);
	bench_write(bench, 0, 0, 4 * G, 2);
	bench_reopen(bench);
	contract_ok(sf_object_stat(bench_storage(bench), &snap->object, &st, &bench->err), &bench->err);
	assert_int_equal(st.size_bytes, bench->size);
	assert_true(st.allocated_bytes >= 3 * G);
	assert_int_equal(bench_listed(bench, 0, &snap->object.token), 1);
	bench_check_snap(bench, snap);
}

static int stop_listing(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	(void)object;
	++*(unsigned *)arg;
	return sf_fail(err, -ECANCELED, "enough at %s", where);
}

static void the_list_has_all_of_ours_and_nothing_else(void **state)
{
	struct bench *bench = *state;
	const struct snap *snaps[3];
	unsigned ncalls = 0;

	assert_int_equal(bench_list_length(bench, 0), 0);
	for (size_t i = 0; i < 3; i++)
		snaps[i] = bench_take(bench, 0);
	assert_int_equal(bench_list_length(bench, 0), 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(bench_listed(bench, 0, &snaps[i]->object.token), 1);
	contract_ok(sf_object_remove(bench_storage(bench), &snaps[1]->object, &bench->err), &bench->err);
	assert_int_equal(bench_list_length(bench, 0), 2);
	contract_failed(sf_object_list(bench_storage(bench), bench->volumes[0]->origin, stop_listing, &ncalls,
				       &bench->err),
			&bench->err, -ECANCELED, "enough at ");
	assert_int_equal(ncalls, 1);
}

static void what_another_state_directory_owns_is_not_touched(void **state)
{
	struct bench *bench = *state;
	struct sf_storage *foreign = bench->foreign.list[0], *ours = bench_storage(bench);
	struct sf_object object = bench_object(bench, 0);
	struct sf_volume *volume = NULL;
	struct sf_object_stat st;
	char first[16];
	size_t len = 0;
	struct sf_image *image = NULL;

	bench_write(bench, 0, 0, G, 1);
	contract_ok(sf_volume_open(&bench->foreign, CONTRACT_VM, &bench->disks[0], &volume, &bench->err),
		    &bench->err);
	contract_ok(sf_object_create(volume, &object, NULL, &st, &bench->err), &bench->err);
	contract_ok(sf_object_settle(foreign, &object, &bench->err), &bench->err);
	assert_int_equal(bench_list_length(bench, 0), 0);
	assert_int_equal(sf_object_stat(ours, &object, &st, &bench->err), -ENOENT);
	assert_int_equal(sf_object_image(ours, &object, &image, &bench->err), -ENOENT);
	assert_int_equal(sf_volume_revert(bench->volumes[0], &object, NULL, &bench->err), -ENOENT);
	contract_ok(sf_object_remove(ours, &object, &bench->err), &bench->err);
	contract_ok(sf_object_stat(foreign, &object, &st, &bench->err), &bench->err);
	contract_ok(sf_object_image(foreign, &object, &image, &bench->err), &bench->err);
	contract_ok(sf_image_pread(image, first, sizeof(first), 0, &len, &bench->err), &bench->err);
	assert_memory_equal(first, bench->models[0], sizeof(first));
	sf_image_close(image);
	sf_volume_close(volume);
}

static void a_cancelled_create_leaves_nothing_behind(void **state)
{
	struct bench *bench = *state;
	struct sf_object object = bench_object(bench, 0);
	struct sf_job job = {0};
	struct sf_object_stat st;

	bench_write(bench, 0, 0, 8 * G, 1);
	sf_job_cancel(&job);
	contract_failed(sf_object_create(bench->volumes[0], &object, &job, &st, &bench->err), &bench->err,
			-EINTR, "cancelled");
	assert_int_equal(sf_object_stat(bench_storage(bench), &object, &st, &bench->err), -ENOENT);
	assert_int_equal(bench_list_length(bench, 0), 0);
	contract_ok(sf_object_create(bench->volumes[0], &object, NULL, &st, &bench->err), &bench->err);
	assert_int_equal(bench_list_length(bench, 0), 1);
}

static void disks_are_snapshotted_one_by_one(void **state)
{
	struct bench *bench = *state;
	const struct snap *first, *second;

	bench_write(bench, 0, 0, 2 * G, 1);
	bench_write(bench, 1, G, 2 * G, 2);
	first = bench_take(bench, 0);
	second = bench_take(bench, 1);
	bench_write(bench, 0, 0, 4 * G, 3);
	bench_write(bench, 1, 0, 4 * G, 4);
	bench_check_snap(bench, first);
	bench_check_snap(bench, second);
	bench_revert(bench, 0, first);
	bench_check_disk(bench, 0);
	bench_check_disk(bench, 1);
	contract_failed(sf_volume_revert(bench->volumes[0], &second->object, NULL, &bench->err), &bench->err,
			-EINVAL, "the snapshot is of ");
}

/* --- Revert --- */

static void revert_to_the_middle_leaves_all_others(void **state)
{
	struct bench *bench = *state;
	const struct snap *snaps[3];

	for (size_t i = 0; i < 3; i++) {
		bench_write(bench, 0, i * 2 * G, 5 * G, 10 + i);
		snaps[i] = bench_take(bench, 0);
	}
	bench_write(bench, 0, 0, 16 * G, 20);
	bench_revert(bench, 0, snaps[1]);
	bench_check_disk(bench, 0);
	for (size_t i = 0; i < 3; i++)
		bench_check_snap(bench, snaps[i]);
	bench_write(bench, 0, 3 * G, 9 * G, 21);
	bench_check_disk(bench, 0);
	for (size_t i = 0; i < 3; i++)
		bench_check_snap(bench, snaps[i]);
	assert_int_equal(bench_list_length(bench, 0), 3);
}

static void revert_may_be_repeated(void **state)
{
	struct bench *bench = *state;
	const struct snap *old, *newer;

	bench_write(bench, 0, 0, 4 * G, 1);
	old = bench_take(bench, 0);
	bench_write(bench, 0, 2 * G, 4 * G, 2);
	newer = bench_take(bench, 0);
	bench_revert(bench, 0, old);
	bench_revert(bench, 0, old);
	bench_check_disk(bench, 0);
	bench_write(bench, 0, 0, G, 3);
	bench_revert(bench, 0, old);
	bench_check_disk(bench, 0);
	bench_revert(bench, 0, newer);
	bench_check_disk(bench, 0);
	bench_reopen(bench);
	bench_check_disk(bench, 0);
	bench_check_snap(bench, old);
	bench_check_snap(bench, newer);
}

static void a_disk_outlives_the_snapshot_it_was_reverted_to(void **state)
{
	struct bench *bench = *state;
	const struct snap *snap, *after;

	bench_write(bench, 0, G, 3 * G, 1);
	snap = bench_take(bench, 0);
	bench_write(bench, 0, 0, 8 * G, 2);
	bench_revert(bench, 0, snap);
	contract_ok(sf_object_remove(bench_storage(bench), &snap->object, &bench->err), &bench->err);
	bench_check_disk(bench, 0);
	after = bench_take(bench, 0);
	bench_write(bench, 0, 2 * G, 3 * G, 3);
	bench_check_snap(bench, after);
	bench_check_disk(bench, 0);
}

static void revert_to_what_is_not_there_changes_nothing(void **state)
{
	struct bench *bench = *state;
	struct sf_object object = bench_object(bench, 0);

	bench_write(bench, 0, 0, 4 * G, 1);
	assert_int_equal(sf_volume_revert(bench->volumes[0], &object, NULL, &bench->err), -ENOENT);
	bench_check_disk(bench, 0);
}

static void a_lost_disk_is_made_again(void **state)
{
	struct bench *bench = *state;
	struct sf_storage *storage = bench_storage(bench);
	struct sf_job job = {0};
	struct sf_volume *volume;
	const struct snap *snap;

	bench_write(bench, 0, 0, 3 * G, 1);
	snap = bench_take(bench, 0);
	sf_volume_close(bench->volumes[0]);
	bench->volumes[0] = NULL;
	bench->driver->lose(bench->ground, &bench->disks[0]);
	assert_int_equal(sf_volume_open(&bench->ours, CONTRACT_VM, &bench->disks[0], &volume, &bench->err),
			 -ENOENT);
	bench_check_snap(bench, snap);
	contract_failed(
		sf_object_recreate(storage, "/there/is/no/such.img", &snap->object, NULL, &bench->err),
		&bench->err, -EINVAL, "does not lead to");
	sf_job_cancel(&job);
	contract_failed(sf_object_recreate(storage, bench->disks[0].spec, &snap->object, &job, &bench->err),
			&bench->err, -EINTR, "cancelled");
	assert_int_equal(sf_volume_open(&bench->ours, CONTRACT_VM, &bench->disks[0], &volume, &bench->err),
			 -ENOENT);
	for (int i = 0; i < 2; i++) { /* the second time it exists, and keeps what was written */
		contract_ok(
			sf_object_recreate(storage, bench->disks[0].spec, &snap->object, NULL, &bench->err),
			&bench->err);
		bench_reopen(bench);
		storage = bench_storage(bench);
		bench_check_disk(bench, 0);
		bench_write(bench, 0, G, G, 2);
	}
	bench_check_snap(bench, snap);
	bench_revert(bench, 0, snap);
	assert_int_equal(bench_listed(bench, 0, &snap->object.token), 1);
}

static void a_cancelled_revert_changes_nothing(void **state)
{
	struct bench *bench = *state;
	struct sf_job job = {0};
	const struct snap *snap;

	bench_write(bench, 0, 0, 8 * G, 1);
	snap = bench_take(bench, 0);
	bench_write(bench, 0, 4 * G, 8 * G, 2);
	sf_job_cancel(&job);
	contract_failed(sf_volume_revert(bench->volumes[0], &snap->object, &job, &bench->err), &bench->err,
			-EINTR, "cancelled");
	bench_check_disk(bench, 0);
	bench_check_snap(bench, snap);
	assert_int_equal(bench_list_length(bench, 0), 1);
	bench_revert(bench, 0, snap);
	bench_check_disk(bench, 0);
}

size_t storage_object_cases(const struct contract_case **ret)
{
	static const struct contract_case cases[] = {
		CONTRACT_CASE(a_snapshot_keeps_its_instant, 0),
		CONTRACT_CASE(creating_the_same_token_again_changes_nothing, 0),
		CONTRACT_CASE(what_is_removed_is_gone_and_may_be_removed_again, 0),
		CONTRACT_CASE(removing_what_never_was_succeeds, 0),
		CONTRACT_CASE(snapshots_outlive_the_process_that_took_them, 0),
		CONTRACT_CASE(the_list_has_all_of_ours_and_nothing_else, 0),
		CONTRACT_CASE(what_another_state_directory_owns_is_not_touched, 0),
		CONTRACT_CASE(a_cancelled_create_leaves_nothing_behind, 0),
		CONTRACT_CASE(disks_are_snapshotted_one_by_one, 0),
		CONTRACT_CASE(revert_to_the_middle_leaves_all_others, 0),
		CONTRACT_CASE(revert_may_be_repeated, 0),
		CONTRACT_CASE(a_disk_outlives_the_snapshot_it_was_reverted_to, 0),
		CONTRACT_CASE(revert_to_what_is_not_there_changes_nothing, 0),
		CONTRACT_CASE(a_cancelled_revert_changes_nothing, 0),
		CONTRACT_CASE(a_lost_disk_is_made_again, NEEDS_LOSS),
	};

	*ret = cases;
	return sizeof(cases) / sizeof(cases[0]);
}
