/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks in core/contract/storage.h, with a backend that violates the contract in the way a case sets. */
#include "core/contract/storage.h"

#include "base/err.h"
#include "liar_storage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct sf_storages set;
	struct liar *liar;
	struct sf_volume *volume;
	struct sf_object object;
	struct sf_err err;
};

static const struct sf_disk disk = {"vda", "lie:1"};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct liar *liar = calloc(1, sizeof(*liar));

	assert_non_null(f);
	assert_non_null(liar);
	liar->base.ops = &liar->ops;
	liar->ops = liar_ops;
	liar->volume = (struct sf_volume){.storage = &liar->base, .origin = "lie:origin"};
	liar->image_ops.close = image_close;
	liar->image = (struct sf_image){&liar->image_ops, 4096};
	liar->opened = &liar->volume;
	liar->image_opened = &liar->image;
	liar->st = (struct sf_object_stat){4096, 4096, "lies"};
	liar->space = (struct sf_space){"pool", 100, 50};
	liar->listed = sf_id_new();
	liar->where = "somewhere";
	sf_storages_add(&f->set, &liar->base);
	f->liar = liar;
	f->volume = &liar->volume;
	f->object = (struct sf_object){.token = sf_id_new(),
				       .origin = "lie:origin",
				       .vdev = "vda",
				       .vm = "vm",
				       .snapshot = "snapshot"};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sf_storages_close(&f->set);
	assert_int_equal(f->set.nstorages, 0);
	free(f);
	return 0;
}

static void fails(struct fixture *f, int rc, int expected, const char *text)
{
	if (!strstr(f->err.text, text))
		print_error("'%s' without '%s'\n", f->err.text, text);
	assert_int_equal(rc, expected);
	assert_int_equal(f->err.code, expected);
	assert_non_null(strstr(f->err.text, text));
}

static void storages_are_found_by_name(void **state)
{
	struct fixture *f = *state;

	assert_ptr_equal(sf_storages_by_name(&f->set, "liar"), &f->liar->base);
	assert_null(sf_storages_by_name(&f->set, "file"));
}

static void a_disk_goes_to_who_claims_it(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;
	struct sf_disk unclaimed = {"vda", "nbd:elsewhere"}, missing = {"vda", "/there/is/no/such"};

	assert_int_equal(sf_volume_open(&f->set, "vm", &disk, &volume, &f->err), 0);
	assert_ptr_equal(volume, f->volume);
	sf_volume_close(volume);
	assert_int_equal(f->liar->nclosed, 1);
	fails(f, sf_volume_open(&f->set, "vm", &unclaimed, &volume, &f->err), -EINVAL,
	      "disk nbd:elsewhere: no storage backend can snapshot this");
	fails(f, sf_volume_open(&f->set, "vm", &missing, &volume, &f->err), -ENOENT,
	      "disk /there/is/no/such: No such file or directory");
}

/* Another one might take it for its own. */
static void a_disk_that_may_be_someones_goes_to_nobody(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;
	struct sf_disk unclaimed = {"vda", "nbd:elsewhere"};

	f->liar->claims_rc = -ETIMEDOUT;
	fails(f, sf_volume_open(&f->set, "vm", &unclaimed, &volume, &f->err), -ETIMEDOUT,
	      "storage backend liar: claims of nbd:elsewhere");
	assert_null(volume);
}

static void disks_with_bad_names_never_reach_a_backend(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;
	struct sf_disk bad_vdev = {"VDA", "lie:1"}, no_spec = {"vda", ""};

	fails(f, sf_volume_open(&f->set, "../vm", &disk, &volume, &f->err), -EINVAL,
	      "VM '../vm': the name starts");
	fails(f, sf_volume_open(&f->set, "vm", &bad_vdev, &volume, &f->err), -EINVAL, "a disk's name");
	fails(f, sf_volume_open(&f->set, "vm", &no_spec, &volume, &f->err), -EINVAL,
	      "disk vda of VM 'vm' has no specification");
	assert_int_equal(f->liar->ncalls, 0);
	assert_null(volume);
}

static void a_volume_without_origin_is_refused_and_closed(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;

	f->liar->volume.origin[0] = '\0';
	fails(f, sf_volume_open(&f->set, "vm", &disk, &volume, &f->err), -EPROTO,
	      "storage backend liar: volume_open of lie:1 gave no origin");
	assert_int_equal(f->liar->nclosed, 1);
	memset(f->liar->volume.origin, 'x', sizeof(f->liar->volume.origin));
	fails(f, sf_volume_open(&f->set, "vm", &disk, &volume, &f->err), -EPROTO, "gave no origin");
	f->liar->opened = NULL;
	fails(f, sf_volume_open(&f->set, "vm", &disk, &volume, &f->err), -EPROTO, "returned no volume");
	assert_null(volume);
}

static void a_volume_of_another_storage_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;

	f->liar->volume.storage = NULL;
	fails(f, sf_volume_open(&f->set, "vm", &disk, &volume, &f->err), -EPROTO,
	      "gave another storage's volume");
	assert_null(volume);
}

static void impossible_sizes_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sf_object_stat st = {.size_bytes = 1234};
	struct sf_volume_stat vst = {.size_bytes = 1234};

	f->liar->st.size_bytes = 0;
	fails(f, sf_object_stat(&f->liar->base, &f->object, &st, &f->err), -EPROTO,
	      "storage backend liar: stat of lie:origin gave a size of 0");
	fails(f, sf_object_create(f->volume, &f->object, NULL, &st, &f->err), -EPROTO, "gave a size of 0");
	fails(f, sf_volume_stat(f->volume, &vst, &f->err), -EPROTO, "gave a size of 0");
	f->liar->st = (struct sf_object_stat){4096, 1024 * 1024 + 1, "lies"};
	fails(f, sf_object_stat(&f->liar->base, &f->object, &st, &f->err), -EPROTO,
	      "gave 1048577 allocated bytes for a size of 4096");
	f->liar->st = (struct sf_object_stat){1024 * 1024, 1024 * 1024 + 1, "lies"};
	fails(f, sf_volume_stat(f->volume, &vst, &f->err), -EPROTO, "gave 1048577 allocated bytes");
	f->liar->st = (struct sf_object_stat){4096, 0, NULL};
	fails(f, sf_object_stat(&f->liar->base, &f->object, &st, &f->err), -EPROTO, "gave no method");
	f->liar->st.method = "sixteen letters.";
	fails(f, sf_object_stat(&f->liar->base, &f->object, &st, &f->err), -EPROTO,
	      "gave no method of at most 15 bytes");
	assert_int_equal(st.size_bytes, 1234);
	assert_int_equal(vst.size_bytes, 1234);
}

static void allocation_may_exceed_the_size_by_rounding(void **state)
{
	struct fixture *f = *state;
	struct sf_object_stat st;

	f->liar->st = (struct sf_object_stat){4097, 1024 * 1024, "fifteen letters"};
	assert_int_equal(sf_object_stat(&f->liar->base, &f->object, &st, &f->err), 0);
	assert_int_equal(st.allocated_bytes, 1024 * 1024);
}

static void impossible_pools_are_refused(void **state)
{
	struct fixture *f = *state;
	struct sf_space pool = {.total_bytes = 1234};
	uint64_t need = 1234;

	f->liar->space = (struct sf_space){"", 100, 50};
	fails(f, sf_volume_space(f->volume, &pool, &f->err), -EPROTO,
	      "space of lie:origin gave a pool without a name");
	f->liar->space = (struct sf_space){"pool", 100, 101};
	fails(f, sf_volume_space(f->volume, &pool, &f->err), -EPROTO, "gave 101 free bytes of 100");
	fails(f, sf_volume_cost(f->volume, SF_FOR_CREATE, NULL, &pool, &need, &f->err), -EPROTO,
	      "gave 101 free bytes of 100");
	assert_int_equal(pool.total_bytes, 1234);
	assert_int_equal(need, 1234);
	f->liar->space.free_bytes = 100;
	assert_int_equal(sf_volume_cost(f->volume, SF_FOR_CREATE, NULL, &pool, &need, &f->err), 0);
	assert_int_equal(need, 7);
}

static void a_cost_is_of_a_create_or_of_a_revert_to_something(void **state)
{
	struct fixture *f = *state;
	struct sf_space pool;
	uint64_t need;

	fails(f, sf_volume_cost(f->volume, SF_FOR_REVERT, NULL, &pool, &need, &f->err), -EINVAL,
	      "a revert requires a snapshot");
	fails(f, sf_volume_cost(f->volume, SF_FOR_CREATE, &f->object, &pool, &need, &f->err), -EINVAL,
	      "a revert requires a snapshot");
	assert_int_equal(f->liar->ncalls, 0);
	assert_int_equal(sf_volume_cost(f->volume, SF_FOR_REVERT, &f->object, &pool, &need, &f->err), 0);
}

static void an_object_needs_token_and_origin(void **state)
{
	struct fixture *f = *state;
	struct sf_object_stat st;
	struct sf_image *image = NULL;
	struct sf_storage *storage = &f->liar->base;

	f->object.origin = NULL;
	fails(f, sf_object_stat(storage, &f->object, &st, &f->err), -EINVAL, "has no origin");
	f->object.origin = "";
	fails(f, sf_object_stat(storage, &f->object, &st, &f->err), -EINVAL, "has no origin");
	memset(&f->object.token, 0, sizeof(f->object.token));
	fails(f, sf_object_stat(storage, &f->object, &st, &f->err), -EINVAL, "has no token");
	fails(f, sf_object_create(f->volume, &f->object, NULL, &st, &f->err), -EINVAL, "has no token");
	fails(f, sf_object_settle(storage, &f->object, &f->err), -EINVAL, "has no token");
	fails(f, sf_object_remove(storage, &f->object, &f->err), -EINVAL, "has no token");
	fails(f, sf_object_image(storage, &f->object, &image, &f->err), -EINVAL, "has no token");
	fails(f, sf_volume_revert(f->volume, &f->object, NULL, &f->err), -EINVAL, "has no token");
	assert_int_equal(f->liar->ncalls, 0);
}

static void a_volume_takes_only_its_own_objects(void **state)
{
	struct fixture *f = *state;
	struct sf_object_stat st;

	f->object.origin = "lie:other";
	fails(f, sf_volume_revert(f->volume, &f->object, NULL, &f->err), -EINVAL,
	      "the snapshot is of lie:other, not of lie:origin");
	fails(f, sf_object_create(f->volume, &f->object, NULL, &st, &f->err), -EINVAL, "the snapshot is of ");
	assert_int_equal(f->liar->ncalls, 0);
}

static void labels_are_checked_before_they_become_tags(void **state)
{
	struct fixture *f = *state;
	struct sf_object_stat st;
	struct sf_object object = f->object;

	memcpy(object.snapshot, "a\nb", 4);
	fails(f, sf_object_create(f->volume, &object, NULL, &st, &f->err), -EINVAL,
	      "snapshot of lie:origin: the name contains a control character");
	object = f->object;
	object.vm[0] = '\0';
	fails(f, sf_object_create(f->volume, &object, NULL, &st, &f->err), -EINVAL, "the name is empty");
	object = f->object;
	memcpy(object.vdev, "a/b", 4);
	fails(f, sf_object_create(f->volume, &object, NULL, &st, &f->err), -EINVAL, "a disk's name");
	assert_int_equal(f->liar->ncalls, 0);
}

static void ranges_outside_the_volume_are_refused(void **state)
{
	struct fixture *f = *state;
	char buf[8] = "";

	assert_int_equal(sf_volume_read(f->volume, buf, 8, 4088, &f->err), 0);
	assert_int_equal(buf[7], 'x');
	fails(f, sf_volume_read(f->volume, buf, 8, 4089, &f->err), -EINVAL,
	      "lie:origin: 8 bytes at 4089 are outside its 4096 bytes");
	fails(f, sf_volume_write(f->volume, buf, 8, UINT64_MAX - 3, &f->err), -EINVAL,
	      "outside its 4096 bytes");
	fails(f, sf_volume_write(f->volume, buf, 0, 4097, &f->err), -EINVAL, "outside its 4096 bytes");
}

static void an_empty_range_is_no_call(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	assert_int_equal(sf_volume_write(f->volume, "", 0, 4096, &f->err), 0);
	before = f->liar->ncalls;
	assert_int_equal(sf_volume_read(f->volume, NULL, 0, 0, &f->err), 0);
	assert_int_equal(f->liar->ncalls, before + 1); /* the call of volume_stat */
}

static void missing_optional_slots_are_stood_in_for(void **state)
{
	struct fixture *f = *state;

	f->liar->rc = -EIO;
	assert_int_equal(sf_volume_hold(f->volume, &f->err), 0);
	assert_int_equal(sf_volume_hold_check(f->volume, &f->err), 0);
	sf_volume_release(f->volume);
	assert_int_equal(sf_object_settle(&f->liar->base, &f->object, &f->err), 0);
	assert_int_equal(f->liar->ncalls, 0);
}

static void a_failure_without_words_gets_some(void **state)
{
	struct fixture *f = *state;

	f->liar->rc = -EIO;
	fails(f, sf_object_remove(&f->liar->base, &f->object, &f->err), -EIO,
	      "storage backend liar: remove of lie:origin: Input/output error");
}

static void a_success_leaves_the_callers_error_alone(void **state)
{
	struct fixture *f = *state;

	(void)sf_fail(&f->err, -ENOSPC, "what went wrong before the cleaning up");
	assert_int_equal(sf_object_remove(&f->liar->base, &f->object, &f->err), 0);
	assert_int_equal(f->err.code, -ENOSPC);
	assert_string_equal(f->err.text, "what went wrong before the cleaning up");
}

static void a_positive_result_is_no_result(void **state)
{
	struct fixture *f = *state;

	f->liar->rc = 3;
	fails(f, sf_object_remove(&f->liar->base, &f->object, &f->err), -EPROTO,
	      "remove of lie:origin returned 3");
}

static int count_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	(void)object;
	(void)where;
	(void)err;
	++*(unsigned *)arg;
	return 0;
}

static int refuse_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	(void)arg;
	(void)object;
	return sf_fail(err, -ECANCELED, "enough: %s", where);
}

static void the_list_names_objects_properly_or_fails(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	assert_int_equal(sf_object_list(&f->liar->base, "lie:origin", count_object, &n, &f->err), 0);
	assert_int_equal(n, 1);
	f->liar->where = "";
	fails(f, sf_object_list(&f->liar->base, "lie:origin", count_object, &n, &f->err), -EPROTO,
	      "list of lie:origin named an object without token or place");
	f->liar->where = "somewhere";
	memset(&f->liar->listed, 0, sizeof(f->liar->listed));
	fails(f, sf_object_list(&f->liar->base, "lie:origin", count_object, &n, &f->err), -EPROTO,
	      "without token or place");
	fails(f, sf_object_list(&f->liar->base, "", count_object, &n, &f->err), -EINVAL, "no origin");
	assert_int_equal(n, 1);
}

static void a_refusal_by_the_lister_is_the_result(void **state)
{
	struct fixture *f = *state;

	fails(f, sf_object_list(&f->liar->base, "lie:origin", refuse_object, NULL, &f->err), -ECANCELED,
	      "enough: somewhere");
	f->liar->ignores_fn = true;
	fails(f, sf_object_list(&f->liar->base, "lie:origin", refuse_object, NULL, &f->err), -ECANCELED,
	      "enough: somewhere");
}

static void an_image_must_be_one(void **state)
{
	struct fixture *f = *state;
	struct sf_image *image = NULL;

	f->liar->image.size_bytes = 0;
	fails(f, sf_object_image(&f->liar->base, &f->object, &image, &f->err), -EPROTO,
	      "image_open of lie:origin gave a size of 0");
	assert_int_equal(f->liar->nclosed, 1);
	f->liar->image_opened = NULL;
	fails(f, sf_object_image(&f->liar->base, &f->object, &image, &f->err), -EPROTO, "returned no image");
	assert_null(image);
}

static void a_map_must_be_of_the_image(void **state)
{
	struct fixture *f = *state;
	struct sf_extents extents;

	fails(f, sf_object_map(&f->liar->base, &f->object, 4096, &extents, &f->err), -EOPNOTSUPP,
	      "storage liar keeps no maps");
	liar_can_all(f->liar);
	f->liar->mapped = (struct sf_range){512, 1024};
	assert_int_equal(sf_object_map(&f->liar->base, &f->object, 4096, &extents, &f->err), 0);
	assert_int_equal(extents.size_bytes, 4096);
	assert_int_equal(sf_extents_bytes(&extents), 1024);
	sf_extents_fini(&extents);
	f->liar->mapped_size = 8192;
	fails(f, sf_object_map(&f->liar->base, &f->object, 4096, &extents, &f->err), -EPROTO,
	      "gave the map of another image");
	memset(&f->object.token, 0, sizeof(f->object.token));
	fails(f, sf_object_map(&f->liar->base, &f->object, 4096, &extents, &f->err), -EINVAL, "no token");
}

static void note_usage(void *arg, const struct sf_usage *usage)
{
	memcpy(arg, usage, sizeof(*usage));
}

static void a_usage_must_make_sense(void **state)
{
	struct fixture *f = *state;
	struct sf_usage seen = {.kind = NULL};

	fails(f, sf_storage_watch(&f->liar->base, -1, 0, note_usage, &seen, &f->err), -EOPNOTSUPP,
	      "storage liar needs no watching");
	liar_can_all(f->liar);
	f->liar->usage =
		(struct sf_usage){.kind = "pool data", .subject = "p", .used_bytes = 3, .total_bytes = 4};
	assert_int_equal(sf_storage_watch(&f->liar->base, -1, 0, note_usage, &seen, &f->err), 0);
	assert_int_equal(seen.used_bytes, 3);
	f->liar->usage.used_bytes = 5;
	fails(f, sf_storage_watch(&f->liar->base, -1, 0, note_usage, &seen, &f->err), -EPROTO,
	      "gave an impossible usage");
	assert_int_equal(seen.used_bytes, 3);
	f->liar->usage = (struct sf_usage){.kind = "pool data", .used_bytes = 3, .total_bytes = 4};
	fails(f, sf_storage_watch(&f->liar->base, -1, 0, note_usage, &seen, &f->err), -EPROTO,
	      "impossible usage");
}

static void count_note(void *arg, const char *text)
{
	(void)text;
	++*(unsigned *)arg;
}

static void a_note_is_one_line(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	assert_int_equal(sf_volume_notes(f->volume, count_note, &n, &f->err), 0); /* no such slot */
	assert_int_equal(n, 0);
	liar_can_all(f->liar);
	f->liar->where = "it is immutable";
	assert_int_equal(sf_volume_notes(f->volume, count_note, &n, &f->err), 0);
	assert_int_equal(n, 1);
	f->liar->where = "two\nlines";
	fails(f, sf_volume_notes(f->volume, count_note, &n, &f->err), -EPROTO,
	      "notes of lie:origin gave a note that is not one line");
	f->liar->where = "";
	fails(f, sf_volume_notes(f->volume, count_note, &n, &f->err), -EPROTO, "not one line");
	assert_int_equal(n, 1);
}

static int count_foreign(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err)
{
	(void)err;
	assert_string_equal(where, "somewhere");
	assert_non_null(state_id);
	++*(unsigned *)arg;
	return 0;
}

static int refuse_foreign(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err)
{
	(void)arg;
	(void)state_id;
	return sf_fail(err, -ECANCELED, "enough: %s", where);
}

static void foreign_snapshots_have_places(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	assert_int_equal(sf_volume_foreign(f->volume, count_foreign, &n, &f->err), 0); /* no such slot */
	assert_int_equal(n, 0);
	liar_can_all(f->liar);
	assert_int_equal(sf_volume_foreign(f->volume, count_foreign, &n, &f->err), 0);
	assert_int_equal(n, 1);
	f->liar->ignores_fn = true;
	fails(f, sf_volume_foreign(f->volume, refuse_foreign, NULL, &f->err), -ECANCELED,
	      "enough: somewhere");
	f->liar->ignores_fn = false;
	f->liar->where = "";
	fails(f, sf_volume_foreign(f->volume, count_foreign, &n, &f->err), -EPROTO,
	      "foreign of lie:origin named a snapshot without a place");
	assert_int_equal(n, 1);
}

static void labels_are_checked_before_they_are_changed(void **state)
{
	struct fixture *f = *state;

	f->liar->rc = -EIO;
	assert_int_equal(sf_object_relabel(&f->liar->base, &f->object, &f->err), 0); /* it has no labels */
	liar_can_all(f->liar);
	fails(f, sf_object_relabel(&f->liar->base, &f->object, &f->err), -EIO, "relabel of lie:origin");
	(void)snprintf(f->object.snapshot, sizeof(f->object.snapshot), "-x");
	fails(f, sf_object_relabel(&f->liar->base, &f->object, &f->err), -EINVAL, "starts with '-'");
	assert_int_equal(f->liar->ncalls, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(storages_are_found_by_name),
		CASE(a_disk_goes_to_who_claims_it),
		CASE(a_disk_that_may_be_someones_goes_to_nobody),
		CASE(disks_with_bad_names_never_reach_a_backend),
		CASE(a_volume_without_origin_is_refused_and_closed),
		CASE(a_volume_of_another_storage_is_refused),
		CASE(impossible_sizes_are_refused),
		CASE(allocation_may_exceed_the_size_by_rounding),
		CASE(impossible_pools_are_refused),
		CASE(a_cost_is_of_a_create_or_of_a_revert_to_something),
		CASE(an_object_needs_token_and_origin),
		CASE(a_volume_takes_only_its_own_objects),
		CASE(labels_are_checked_before_they_become_tags),
		CASE(ranges_outside_the_volume_are_refused),
		CASE(an_empty_range_is_no_call),
		CASE(missing_optional_slots_are_stood_in_for),
		CASE(a_failure_without_words_gets_some),
		CASE(a_success_leaves_the_callers_error_alone),
		CASE(a_positive_result_is_no_result),
		CASE(the_list_names_objects_properly_or_fails),
		CASE(a_refusal_by_the_lister_is_the_result),
		CASE(an_image_must_be_one),
		CASE(a_map_must_be_of_the_image),
		CASE(a_usage_must_make_sense),
		CASE(a_note_is_one_line),
		CASE(foreign_snapshots_have_places),
		CASE(labels_are_checked_before_they_are_changed),
	};

	return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
