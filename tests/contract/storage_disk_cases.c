/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases of the storage suite: the live disk, and holding it. */
#include "storage_bench.h"
#include "storage_cases.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define G CONTRACT_GRANULE

static void a_blank_disk_reads_as_zeros(void **state)
{
	struct bench *bench = *state;

	bench_check_disk(bench, 0);
	bench_check_disk(bench, 1);
}

static void what_is_written_is_read_again_by_everyone(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, 0, 3 * G, 2 * G, 1);
	bench_write(bench, 0, 5, 1000, 2);
	bench_write(bench, 0, bench->size - 700, 700, 3);
	bench_check_disk(bench, 0);
	bench_reopen(bench);
	bench_check_disk(bench, 0);
	bench_check_disk(bench, 1);
}

static void reads_and_writes_stay_inside_the_disk(void **state)
{
	struct bench *bench = *state;
	struct sf_volume *volume = bench->volumes[0];
	char buf[2] = "";

	contract_failed(sf_volume_read(volume, buf, 2, bench->size - 1, &bench->err), &bench->err, -EINVAL,
			"outside");
	contract_failed(sf_volume_write(volume, buf, 2, bench->size - 1, &bench->err), &bench->err, -EINVAL,
			"outside");
	contract_failed(sf_volume_write(volume, buf, 2, UINT64_MAX, &bench->err), &bench->err, -EINVAL,
			"outside");
	contract_ok(sf_volume_read(volume, buf, 1, bench->size - 1, &bench->err), &bench->err);
}

static void a_disk_that_is_none_is_refused(void **state)
{
	struct bench *bench = *state;

	for (size_t i = 0; i < bench->driver->nrefusals; i++) {
		const struct contract_refusal *refusal = &bench->driver->refusals[i];
		struct sf_disk disk = {.vdev = "vdz"};
		struct sf_volume *volume = NULL;
		int rc;

		(void)snprintf(disk.spec, sizeof(disk.spec), "%s", refusal->spec);
		rc = sf_volume_open(&bench->ours, CONTRACT_VM, &disk, &volume, &bench->err);
		contract_failed(rc, &bench->err, refusal->rc, refusal->text);
		assert_null(volume);
	}
}

static void a_disk_is_known_by_one_name(void **state)
{
	struct bench *bench = *state;
	char origin[SF_ORIGIN_MAX];

	memcpy(origin, bench->volumes[0]->origin, sizeof(origin));
	assert_string_not_equal(origin, bench->volumes[1]->origin);
	bench_reopen(bench);
	assert_string_equal(bench->volumes[0]->origin, origin);
}

static void cost_and_space_are_sane(void **state)
{
	struct bench *bench = *state;
	const struct snap *snap;
	struct sf_space pool, space;
	uint64_t need = UINT64_MAX;

	bench_write(bench, 0, 0, 4 * G, 1);
	snap = bench_take(bench, 0);
	contract_ok(sf_volume_space(bench->volumes[0], &space, &bench->err), &bench->err);
	assert_true(space.total_bytes >= 4 * G);
	contract_ok(sf_volume_cost(bench->volumes[0], SF_FOR_CREATE, NULL, &pool, &need, &bench->err),
		    &bench->err);
	assert_string_equal(pool.pool, space.pool);
	assert_true(need <= 2 * bench->size);
	need = UINT64_MAX;
	contract_ok(
		sf_volume_cost(bench->volumes[0], SF_FOR_REVERT, &snap->object, &pool, &need, &bench->err),
		&bench->err);
	assert_string_equal(pool.pool, space.pool);
	assert_true(need <= 2 * bench->size);
}

static void allocation_follows_what_is_written(void **state)
{
	struct bench *bench = *state;
	struct sf_volume_stat blank, written;

	contract_ok(sf_volume_stat(bench->volumes[0], &blank, &bench->err), &bench->err);
	assert_int_equal(blank.size_bytes, bench->size);
	bench_write(bench, 0, 0, 8 * G, 1);
	contract_ok(sf_volume_stat(bench->volumes[0], &written, &bench->err), &bench->err);
	assert_int_equal(written.size_bytes, bench->size);
	assert_true(written.allocated_bytes >= 8 * G);
	if (bench->driver->holes)
		assert_true(written.allocated_bytes < bench->size);
}

/* --- Holding --- */

static void a_held_disk_is_let_go_again(void **state)
{
	struct bench *bench = *state;

	contract_ok(sf_volume_hold(bench->volumes[0], &bench->err), &bench->err);
	contract_ok(sf_volume_hold_check(bench->volumes[0], &bench->err), &bench->err);
	sf_volume_release(bench->volumes[0]);
	sf_volume_release(bench->volumes[0]);
	bench_write(bench, 0, 0, G, 1);
	contract_ok(sf_volume_hold(bench->volumes[0], &bench->err), &bench->err);
	sf_volume_release(bench->volumes[0]);
}

static void a_disk_open_elsewhere_is_not_held(void **state)
{
	struct bench *bench = *state;
	int fd;

	fd = bench->driver->open_writer(bench->ground, &bench->disks[0]);
	assert_true(fd >= 0);
	contract_failed(sf_volume_hold(bench->volumes[0], &bench->err), &bench->err, -EBUSY,
			bench->volumes[0]->origin);
	contract_ok(sf_volume_hold(bench->volumes[1], &bench->err), &bench->err);
	sf_volume_release(bench->volumes[1]);
	close(fd);
	contract_ok(sf_volume_hold(bench->volumes[0], &bench->err), &bench->err);
	sf_volume_release(bench->volumes[0]);
}

static void who_wants_a_held_disk_waits_or_is_noticed(void **state)
{
	struct bench *bench = *state;
	int fd;

	contract_ok(sf_volume_hold(bench->volumes[0], &bench->err), &bench->err);
	fd = bench->driver->open_writer(bench->ground, &bench->disks[0]);
	if (fd < 0)
		assert_int_equal(fd, -EAGAIN);
	else
		contract_failed(sf_volume_hold_check(bench->volumes[0], &bench->err), &bench->err, -EBUSY,
				bench->volumes[0]->origin);
	sf_volume_release(bench->volumes[0]);
	if (fd >= 0)
		close(fd);
}

static void a_disk_open_elsewhere_is_not_reverted(void **state)
{
	struct bench *bench = *state;
	const struct snap *snap;
	int fd;

	bench_write(bench, 0, 0, 8 * G, 1);
	snap = bench_take(bench, 0);
	bench_write(bench, 0, 4 * G, 8 * G, 2);
	fd = bench->driver->open_writer(bench->ground, &bench->disks[0]);
	assert_true(fd >= 0);
	contract_failed(sf_volume_revert(bench->volumes[0], &snap->object, NULL, &bench->err), &bench->err,
			-EBUSY, bench->volumes[0]->origin);
	bench_check_disk(bench, 0);
	close(fd);
	bench_revert(bench, 0, snap);
	bench_check_disk(bench, 0);
	fd = bench->driver->open_writer(bench->ground, &bench->disks[0]);
	assert_true(fd >= 0); /* the revert has let go of the disk */
	close(fd);
}

static void refuse_note(void *arg, const char *text)
{
	fail_msg("%s: %s", (const char *)arg, text);
}

static void nothing_is_noted_of_an_ordinary_disk(void **state)
{
	struct bench *bench = *state;
	struct sf_volume *volume = bench->volumes[0];

	bench_write(bench, 0, 0, G, 1);
	contract_ok(sf_volume_notes(volume, refuse_note, volume->origin, &bench->err), &bench->err);
}

size_t storage_disk_cases(const struct contract_case **ret)
{
	static const struct contract_case cases[] = {
		CONTRACT_CASE(a_blank_disk_reads_as_zeros, 0),
		CONTRACT_CASE(what_is_written_is_read_again_by_everyone, 0),
		CONTRACT_CASE(reads_and_writes_stay_inside_the_disk, 0),
		CONTRACT_CASE(a_disk_that_is_none_is_refused, 0),
		CONTRACT_CASE(a_disk_is_known_by_one_name, 0),
		CONTRACT_CASE(cost_and_space_are_sane, 0),
		CONTRACT_CASE(allocation_follows_what_is_written, 0),
		CONTRACT_CASE(nothing_is_noted_of_an_ordinary_disk, 0),
		CONTRACT_CASE(a_held_disk_is_let_go_again, 0),
		CONTRACT_CASE(a_disk_open_elsewhere_is_not_held, NEEDS_WRITERS),
		CONTRACT_CASE(who_wants_a_held_disk_waits_or_is_noticed, NEEDS_WRITERS),
		CONTRACT_CASE(a_disk_open_elsewhere_is_not_reverted, NEEDS_WRITERS),
	};

	*ret = cases;
	return sizeof(cases) / sizeof(cases[0]);
}
