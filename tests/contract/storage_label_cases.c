/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases of the storage suite: labels of snapshots, and foreign snapshots. */
#include "storage_bench.h"
#include "storage_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Characters that names allow and LVM tags do not, and those that our tags use as escapes and separators. */
#define ODD_NAME "a=b, c:+.#&! \"größe\"\\ 100% ~$@'_"
/* 127 bytes. */
#define LONG_NAME "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüx"
#define VM_UUID   "6fd0f9a2-0000-4000-8000-00000000000a"

struct search {
	const struct sf_object *wanted;
	struct sf_object found;
	unsigned nfound;
};

static int find_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct search *search = arg;

	(void)where;
	(void)err;
	if (!sf_id_equal(&object->token, &search->wanted->token))
		return 0;
	assert_string_equal(object->origin, search->wanted->origin);
	search->found = *object;
	search->found.origin = NULL; /* the pointer is valid during this call only */
	search->nfound++;
	return 0;
}

static void check_listed(struct bench *bench, const struct sf_object *object)
{
	struct search search = {.wanted = object};
	const struct sf_object *found = &search.found;

	contract_ok(sf_object_list(bench_storage(bench), object->origin, find_object, &search, &bench->err),
		    &bench->err);
	assert_int_equal(search.nfound, 1);
	assert_string_equal(found->vdev, object->vdev);
	assert_true(sf_id_equal(&found->uuid, &object->uuid));
	assert_int_equal(found->index, object->index);
	assert_int_equal(found->ndisks, object->ndisks);
	assert_int_equal(found->taken_ns, object->taken_ns);
	assert_string_equal(found->vm, object->vm);
	assert_string_equal(found->vm_uuid, object->vm_uuid);
	assert_string_equal(found->snapshot, object->snapshot);
}

static void create(struct bench *bench, size_t disk, const struct sf_object *object)
{
	struct sf_object_stat st;

	contract_ok(sf_object_create(bench->volumes[disk], object, NULL, &st, &bench->err), &bench->err);
	contract_ok(sf_object_settle(bench_storage(bench), object, &bench->err), &bench->err);
}

static void name(struct sf_object *object, const char *text)
{
	(void)snprintf(object->snapshot, sizeof(object->snapshot), "%s", text);
	(void)snprintf(object->vm, sizeof(object->vm), "%s", text);
	(void)snprintf(object->vm_uuid, sizeof(object->vm_uuid), "%s", VM_UUID);
}

static void labels_come_back_from_the_list(void **state)
{
	struct bench *bench = *state;
	struct sf_object plain = bench_object(bench, 0), odd = bench_object(bench, 1);
	struct sf_object extreme = bench_object(bench, 1);

	name(&odd, ODD_NAME);
	name(&extreme, LONG_NAME);
	extreme.index = SF_VM_DISKS_MAX - 1;
	extreme.ndisks = SF_VM_DISKS_MAX;
	assert_int_equal(strlen(LONG_NAME), SF_NAME_MAX);
	create(bench, 0, &plain);
	create(bench, 1, &odd);
	create(bench, 1, &extreme);
	check_listed(bench, &plain);
	bench_reopen(bench);
	check_listed(bench, &plain);
	check_listed(bench, &odd);
	check_listed(bench, &extreme);
}

static void a_rename_changes_the_labels(void **state)
{
	struct bench *bench = *state;
	struct sf_object object = bench_object(bench, 0), other = bench_object(bench, 0);

	bench_write(bench, 0, 0, 2 * CONTRACT_GRANULE, 1);
	create(bench, 0, &object);
	create(bench, 0, &other);
	name(&object, ODD_NAME);
	for (int i = 0; i < 2; i++) {
		contract_ok(sf_object_relabel(bench_storage(bench), &object, &bench->err), &bench->err);
		check_listed(bench, &object);
	}
	name(&object, "b");
	contract_ok(sf_object_relabel(bench_storage(bench), &object, &bench->err), &bench->err);
	bench_reopen(bench);
	check_listed(bench, &object);
	check_listed(bench, &other);
	assert_int_equal(bench_list_length(bench, 0), 2);
	contract_ok(sf_object_remove(bench_storage(bench), &object, &bench->err), &bench->err);
	assert_int_equal(bench_list_length(bench, 0), 1);
}

struct foreign {
	const struct sf_id *state_id;
	unsigned nexpected, n;
};

static int count_foreign(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err)
{
	struct foreign *foreign = arg;

	(void)where; /* checked by core/contract/storage_listing.c */
	(void)err;
	foreign->n++;
	foreign->nexpected += state_id && sf_id_equal(state_id, foreign->state_id);
	return 0;
}

static void check_foreign(struct bench *bench, size_t disk, unsigned n)
{
	struct sf_id other = bench->state_id;
	struct foreign foreign = {.state_id = &other};

	other.bytes[0] ^= 0xff; /* the id that the bench gives to bench->foreign */
	contract_ok(sf_volume_foreign(bench->volumes[disk], count_foreign, &foreign, &bench->err),
		    &bench->err);
	assert_int_equal(foreign.n, n);
	assert_int_equal(foreign.nexpected, n);
}

static void foreign_snapshots_are_shown_and_not_listed(void **state)
{
	struct bench *bench = *state;
	struct sf_object ours = bench_object(bench, 0), theirs = bench_object(bench, 0);
	struct sf_volume *volume;
	struct sf_object_stat st;

	create(bench, 0, &ours);
	check_foreign(bench, 0, 0);
	contract_ok(sf_volume_open(&bench->foreign, CONTRACT_VM, &bench->disks[0], &volume, &bench->err),
		    &bench->err);
	contract_ok(sf_object_create(volume, &theirs, NULL, &st, &bench->err), &bench->err);
	sf_volume_close(volume);
	bench_reopen(bench); /* a backend may notice foreign changes late */
	check_foreign(bench, 0, 1);
	check_foreign(bench, 1, 0);
	assert_int_equal(bench_list_length(bench, 0), 1);
	check_listed(bench, &ours);
	contract_ok(sf_object_remove(bench->foreign.list[0], &theirs, &bench->err), &bench->err);
	bench_reopen(bench);
	check_foreign(bench, 0, 0);
}

size_t storage_label_cases(const struct contract_case **ret)
{
	static const struct contract_case cases[] = {
		CONTRACT_CASE(labels_come_back_from_the_list, NEEDS_LABELS),
		CONTRACT_CASE(a_rename_changes_the_labels, NEEDS_LABELS),
		CONTRACT_CASE(foreign_snapshots_are_shown_and_not_listed, NEEDS_LABELS),
	};

	*ret = cases;
	return sizeof(cases) / sizeof(cases[0]);
}
