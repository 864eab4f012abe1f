/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening disks of snapshots for readers: whether an image agrees with its record. */
#include "unit/engine/engine_fixture.h"

/* Edits the record of web's snapshot behind snapfs's back. vdb has 262144 bytes. */
static void rewrite(struct fixture *f, const char *from, const char *to)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "sed -i 's/%s/%s/' %s/web/a/meta.json", from, to,
		       f->state_dir);
	assert_int_equal(system(command), 0);
	fixture_reopen(f, "");
}

static int open_vdb(struct fixture *f, struct sf_err *err)
{
	struct sf_snapshot *snapshot = fixture_find(f, "web", "a");
	struct sf_image *image = NULL;
	int rc;

	assert_non_null(snapshot);
	rc = sf_engine_image_open(f->engine, snapshot, 1, &image, err);
	if (rc == 0)
		sf_engine_image_close(f->engine, snapshot->id, image);
	else
		assert_null(image);
	sf_snapshot_unref(snapshot);
	return rc;
}

static void an_image_that_was_cut_short_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	fixture_tick(f, 3);
	fixture_create(f, "web", "a");
	rewrite(f, "\"size_bytes\": 262144", "\"size_bytes\": 262145");
	assert_int_equal(open_vdb(f, &err), -EIO);
	fixture_says(err.text, "its image has 262144 of 262145 bytes: it was cut short");
	assert_int_equal(fixture_disk_tick(f, "web", "a", 0), 3); /* the other disk is not affected */
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
	assert_int_equal(fixture_objects(f, "mem:web/vdb"), 0); /* no reader has leaked */
}

static void what_follows_the_recorded_end_is_no_harm(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	rewrite(f, "\"size_bytes\": 262144", "\"size_bytes\": 262143");
	assert_int_equal(open_vdb(f, NULL), 0);
}

static void a_rebuilt_record_may_say_too_much(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	rewrite(f, "\"size_bytes\": 262144", "\"size_bytes\": 524288");
	rewrite(f, "^{$", "{\"rebuilt\": true,");
	assert_int_equal(open_vdb(f, NULL), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_image_that_was_cut_short_is_refused),
		CASE(what_follows_the_recorded_end_is_no_harm),
		CASE(a_rebuilt_record_may_say_too_much),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
