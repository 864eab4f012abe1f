/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a directory of the state directory is: whose VM's, which snapshot's, and whether it is only a copy. */
#include "engine_fixture.h"

static void shell(const struct fixture *f, const char *command)
{
	char text[600];

	(void)snprintf(text, sizeof(text), "set -e; cd %s; %s", f->state_dir, command);
	assert_int_equal(system(text), 0);
}

static void health_says(struct fixture *f, const char *part)
{
	char *health = sf_engine_health_json(f->engine);

	fixture_says(health, part);
	free(health);
}

static void health_does_not_say(struct fixture *f, const char *part)
{
	char *health = sf_engine_health_json(f->engine);

	if (strstr(health, part))
		fail_msg("'%s' says '%s'", health, part);
	free(health);
}

static bool in_state(const struct fixture *f, const char *path)
{
	char full[300];

	(void)snprintf(full, sizeof(full), "%s/%s", f->state_dir, path);
	return access(full, F_OK) == 0;
}

/* Many copies, so that a choice by the order of the directory's entries takes one of them. */
static void copies_of_a_vms_directory_are_not_taken_for_it(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	fixture_close(f);
	shell(f, "for i in web.bak web2 webserver 0 A B C zz; do cp -a web $i; done");
	fixture_open(f, "");
	fixture_create(f, "web", "b");
	assert_true(in_state(f, "web/b"));
	health_says(f, "its VM 'web' already has the directory 'web'");
	assert_int_equal(fixture_count(f, "web"), 2);
}

/* Leaves a guest at rest, and the record that says so in the directory "web". */
static void leave_guest_at_rest(struct fixture *f)
{
	struct sf_create_request request = {.name = "half", .memory = SF_NO};

	fixture_reopen(f, "hypervisor.resume@*=EIO");
	fixture_fails(f, "web", &request, -EIO, "hypervisor.resume");
	fixture_close(f);
}

static void two_directories_that_claim_one_vm_stop_it(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "b"};
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	leave_guest_at_rest(f);
	shell(f, "cp -a web one; mv web two");
	fixture_open(f, "");
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	health_says(f, "\"subject\": \"one\"");
	health_says(f, "\"subject\": \"two\"");
	health_does_not_say(f, "\"orphan\"");
	assert_int_equal(fixture_try(f, "web", &request, &err), -EBUSY);
	fixture_says(err.text, "several directories of the state directory belong to VM 'web'");
	assert_false(in_state(f, "web"));
	fixture_close(f);
	shell(f, "rm -r one");
	fixture_open(f, "");
	assert_true(fixture_has(f, "web", "a"));
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
	assert_true(in_state(f, "two/b"));
}

static void a_copy_of_a_snapshots_directory_never_takes_its_place(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "m");
	fixture_create(f, "db", "x");
	fixture_close(f);
	shell(f, "for i in a b c d n o p; do cp -a web/m web/$i; done; cp -a web/m db/m; cp -a db/x web/x");
	fixture_open(f, "");
	assert_int_equal(fixture_count(f, "web"), 1);
	assert_true(fixture_has(f, "web", "m"));
	assert_int_equal(fixture_count(f, "db"), 1);
	assert_true(fixture_has(f, "db", "x"));
	health_says(f, "is a copy of a snapshot's directory");
}

/* A copy of a deletion in progress must not delete the snapshot. */
static void a_copy_that_is_being_deleted_deletes_nothing(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	char uuid[SF_ID_TEXT], command[200];

	fixture_create(f, "web", "m");
	fixture_create(f, "db", "x");
	snapshot = fixture_find(f, "web", "m");
	sf_id_format(&snapshot->record.uuid, uuid);
	sf_snapshot_unref(snapshot);
	fixture_close(f);
	(void)snprintf(command, sizeof(command), "cp -a web/m web/.%s; cp -a web/m db/.%s", uuid, uuid);
	shell(f, command);
	fixture_open(f, "");
	assert_true(fixture_has(f, "web", "m"));
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 1);
}

static void a_directory_that_was_moved_by_hand_keeps_its_snapshot(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	fixture_close(f);
	shell(f, "mv web/a web/b");
	fixture_open(f, "");
	assert_true(fixture_has(f, "web", "b"));
	health_says(f, "\"ok\": true");
}

/* --- what a newer version of snapfs wrote --- */

static void a_newer_record_stays_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a"};

	fixture_create(f, "web", "a");
	fixture_close(f);
	shell(f,
	      "sed -i 's/\"schema\": 1/\"schema\": 2/; s/\"taken\"/\"when\"/' web/a/meta.json; mv web odd");
	f->config.rescan = true;
	fixture_open(f, "");
	assert_int_equal(fixture_count(f, "web"), 0);
	assert_true(in_state(f, "odd/a/meta.json"));
	health_says(f, "\"kind\": \"newer\"");
	health_says(f, "\"subject\": \"web/a\"");
	health_says(f, "\\\"schema\\\" is 2, this version reads 1");
	health_does_not_say(f, "orphan");
	fixture_fails(f, "web", &request, -EEXIST, "exist");
	fixture_create(f, "web", "b");
	assert_true(in_state(f, "odd/b")); /* a newer record also says whose directory it is in */
	fixture_close(f);
	shell(f, "sed -i 's/\"schema\": 2/\"schema\": 1/; s/\"when\"/\"taken\"/' odd/a/meta.json");
	fixture_open(f, "");
	assert_true(fixture_has(f, "web", "a"));
	health_says(f, "\"ok\": true");
}

static void pause_guest(struct fixture *f)
{
	const struct sf_vm_desc vm = {.name = "web"};

	assert_int_equal(sf_hypervisor_pause(f->guests, &vm, NULL), 0);
}

static void the_guest_of_a_newer_record_is_resumed_once(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "x", .memory = SF_NO};

	leave_guest_at_rest(f);
	shell(f, "sed -i 's/\"schema\": 1/\"schema\": 2/; s/\"taken\"/\"when\"/' web/half/meta.json");
	fixture_open(f, "hypervisor.resume@1=EIO,hypervisor.resume@2=EIO");
	fixture_await_running(f, "web");
	fixture_reopen(f, "storage.create@2=EIO,storage.remove@*=EIO");
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	pause_guest(f); /* xl pause */
	fixture_fails(f, "web", &request, -EIO, "storage.create");
	fixture_fails(f, "web", &request, -EEXIST, "exist"); /* begins with the recovery */
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
}

static void a_newer_plan_stops_what_builds_on_the_disks(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "b"};
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	pause_guest(f);
	fixture_close(f);
	shell(f, "echo '{\"schema\": 2, \"phase\": \"prepared\", \"guest\": \"running\"}' >web/revert.json");
	fixture_open(f, "");
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	health_says(f, "\"kind\": \"newer\"");
	health_does_not_say(f, "\"kind\": \"revert\"");
	pause_guest(f);
	assert_int_equal(fixture_try(f, "web", &request, &err), -EOPNOTSUPP);
	fixture_says(err.text, "revert.json: \"schema\" is 2, this version reads 1");
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
	assert_true(in_state(f, "web/revert.json"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(copies_of_a_vms_directory_are_not_taken_for_it),
		CASE(two_directories_that_claim_one_vm_stop_it),
		CASE(a_copy_of_a_snapshots_directory_never_takes_its_place),
		CASE(a_copy_that_is_being_deleted_deletes_nothing),
		CASE(a_directory_that_was_moved_by_hand_keeps_its_snapshot),
		CASE(a_newer_record_stays_where_it_is),
		CASE(the_guest_of_a_newer_record_is_resumed_once),
		CASE(a_newer_plan_stops_what_builds_on_the_disks),
	};

	return cmocka_run_group_tests_name("engine_identity", tests, NULL, NULL);
}
