/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The identity of a lost state directory, and foreign snapshots: who owns which volumes. */
#include "rescan_fixture.h"

#include "base/json.h"
#include "core/engine/rescan.h"

static int find_identity(struct fixture *f, struct sf_id *ret, bool *ret_found, struct sf_err *err)
{
	return sf_rescan_identity(&f->storages, f->hv, ret, ret_found, err);
}

static void the_lost_identity_is_found_when_it_is_the_only_one(void **state)
{
	struct fixture *f = *state;
	struct sf_id old, id;
	bool found = true;

	assert_int_equal(find_identity(f, &id, &found, NULL), 0);
	assert_false(found);
	fixture_create(f, "web", "a");
	assert_int_equal(find_identity(f, &id, &found, NULL), 0);
	assert_false(found); /* the state directory is not lost */
	fixture_close(f);
	old = lose_state(f, NULL);
	fixture_open(f, "");
	assert_int_equal(find_identity(f, &id, &found, NULL), 0);
	assert_true(found);
	assert_true(sf_id_equal(&id, &old));
	fixture_create(f, "db", "x"); /* with volumes of its own, nothing seems lost */
	assert_int_equal(find_identity(f, &id, &found, NULL), 0);
	assert_false(found);
}

static void several_identities_are_for_a_person_to_choose_from(void **state)
{
	struct fixture *f = *state;
	char text[SF_ID_TEXT];
	struct sf_id old[2], id;
	struct sf_err err = {0};
	bool found;

	for (size_t i = 0; i < 2; i++) {
		fixture_create(f, i ? "web" : "db", "a");
		fixture_close(f);
		old[i] = lose_state(f, NULL);
		fixture_open(f, "");
	}
	assert_int_equal(find_identity(f, &id, &found, &err), -EINVAL);
	for (size_t i = 0; i < 2; i++) {
		sf_id_format(&old[i], text);
		fixture_says(err.text, text);
	}
	fixture_says(err.text, "--rescan=ID");
	fixture_close(f);
	(void)lose_state(f, &old[1]);
	f->config.rescan = true;
	fixture_open(f, "");
	assert_true(fixture_has(f, "web", "a"));
	assert_int_equal(fixture_count(f, "db"), 0);
}

static void trouble_while_looking_is_no_answer(void **state)
{
	struct fixture *f = *state;
	struct sf_id id;
	struct sf_err err = {0};
	bool found;

	fixture_reopen(f, "storage.foreign@2=EIO");
	assert_int_equal(find_identity(f, &id, &found, &err), -EIO);
	fixture_says(err.text, "VM 'web': disk vdb");
	fixture_reopen(f, "hypervisor.list@2=ETIMEDOUT");
	assert_int_equal(find_identity(f, &id, &found, &err), -ETIMEDOUT);
}

static void snapshots_of_others_are_shown(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *root = NULL;
	const json_t *disks, *list;
	char *text, old_text[SF_ID_TEXT];
	struct sf_id old;

	fixture_create(f, "web", "a");
	fixture_close(f);
	old = lose_state(f, NULL);
	fixture_open(f, "");
	fixture_create(f, "web", "b");
	text = sf_engine_vm_json(f->engine, fixture_vm(f, "web"));
	root = sf_json_parse_object(text, strlen(text), ".vm.json", NULL);
	disks = json_object_get(root, "disks");
	for (size_t i = 0; i < 2; i++) {
		list = json_object_get(json_array_get(disks, i), "foreign_snapshots");
		assert_int_equal(json_array_size(list), 1);
		sf_id_format(&old, old_text);
		list = json_array_get(list, 0);
		assert_string_equal(json_string_value(json_object_get(list, "snapfs")), old_text);
		assert_non_null(strstr(json_string_value(json_object_get(list, "where")), "mem:web/vd"));
	}
	free(text);
	health_says(f, "\"ok\": true");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_lost_identity_is_found_when_it_is_the_only_one),
		CASE(several_identities_are_for_a_person_to_choose_from),
		CASE(trouble_while_looking_is_no_answer),
		CASE(snapshots_of_others_are_shown),
	};

	return cmocka_run_group_tests_name("rescan-identity", tests, NULL, NULL);
}
