/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saving RAM: whose RAM the engine can save, whether it fits, and on which hosts it can be restored. */
#include "engine_fixture.h"

#include <poll.h>

/* The hypervisor that the engine uses, with some slots replaced. */
static struct sf_hypervisor_ops dressed;
static const struct sf_hypervisor_ops *plain;

static void dress(struct fixture *f)
{
	plain = f->hv->ops;
	dressed = *plain;
	f->hv->ops = &dressed;
}

static struct sf_record record_of(struct fixture *f, const char *name)
{
	struct sf_snapshot *snapshot = fixture_find(f, "web", name);
	struct sf_record record;

	if (!snapshot)
		fail_msg("there is no snapshot '%s'", name);
	record = snapshot->record; /* a shallow copy */
	record.disks = NULL;
	record.description = record.memory.host = NULL;
	sf_snapshot_unref(snapshot);
	return record;
}

static void check_host_of_a(struct fixture *f, const char *host)
{
	struct sf_snapshot *snapshot = fixture_find(f, "web", "a");

	assert_non_null(snapshot);
	if (host)
		assert_string_equal(snapshot->record.memory.host, host);
	else
		assert_null(snapshot->record.memory.host);
	sf_snapshot_unref(snapshot);
}

static void pause_web(struct fixture *f)
{
	assert_int_equal(sf_hypervisor_pause(f->guests, &(struct sf_vm_desc){.name = "web"}, NULL), 0);
}

/* --- Guests that somebody else has paused --- */

static void a_paused_guest_keeps_its_pause(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "disks", .memory = SF_NO};
	struct sf_record record;

	pause_web(f);
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
	record = record_of(f, "disks");
	assert_int_equal(record.consistency, SF_CONSISTENCY_PAUSED);
	assert_int_equal(record.power, SF_POWER_PAUSED);
	assert_false(record.paused); /* snapfs did not pause it */
	fixture_create(f, "web", "ram");
	assert_int_equal(record_of(f, "ram").consistency, SF_CONSISTENCY_MEMORY);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
}

static void ram_of_a_paused_guest_needs_a_hypervisor_that_can(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "ram", .memory = SF_YES};
	struct sf_err err = {0};

	dress(f);
	dressed.caps &= ~(unsigned)SF_HYPERVISOR_MEMORY_PAUSED;
	pause_web(f);
	assert_int_equal(fixture_try(f, "web", &request, &err), -EOPNOTSUPP);
	fixture_says(err.text, "RAM cannot be saved: the guest is paused");
	fixture_create(f, "web", "policy");
	assert_int_equal(record_of(f, "policy").consistency, SF_CONSISTENCY_PAUSED);
	assert_false(record_of(f, "policy").memory.present);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
	assert_int_equal(sf_hypervisor_resume(f->guests, &(struct sf_vm_desc){.name = "web"}, NULL), 0);
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
	assert_int_equal(record_of(f, "ram").consistency, SF_CONSISTENCY_MEMORY);
}

static int resume_between(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
			  struct sf_err *err)
{
	int rc = plain->power(hv, vm, ret, err);

	return rc < 0 ? rc : plain->resume(hv, vm, err);
}

static void a_paused_guest_that_is_resumed_meanwhile_is_no_snapshot(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "disks", .memory = SF_NO};
	struct sf_err err = {0};

	dress(f);
	pause_web(f);
	dressed.power = resume_between;
	assert_int_equal(fixture_try(f, "web", &request, &err), -EAGAIN);
	fixture_says(err.text, "someone else resumed the guest");
	assert_int_equal(fixture_count(f, "web"), 0);
}

/* --- Saving live or paused --- */

static int nlive, nquiet;

static int note_live(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		     const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	nlive += live;
	nquiet += !live;
	return plain->save(hv, vm, fd, live, hooks, job, err);
}

static void ram_is_saved_live_unless_the_policy_says_no(void **state)
{
	struct fixture *f = *state;

	dress(f);
	dressed.save = note_live;
	nlive = nquiet = 0;
	fixture_create(f, "web", "a");
	assert_int_equal(nlive, 1);
	f->config.vms[0].policy.live = false;
	fixture_create(f, "web", "b");
	assert_int_equal(nquiet, 1);
	assert_int_equal(nlive, 1);
}

/* --- The length of pauses --- */

static void the_pause_is_measured_and_recorded(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "off"};
	struct sf_vm_desc web = {.name = "web"};

	fixture_reopen(f, "storage.create@2=delay:40");
	fixture_create(f, "web", "a");
	assert_true(record_of(f, "a").paused);
	assert_in_range(record_of(f, "a").pause_ms, 40, 60000);
	request.memory = SF_NO;
	(void)snprintf(request.name, sizeof(request.name), "disks");
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
	assert_true(record_of(f, "disks").paused);
	fixture_reopen(f, "");
	assert_in_range(record_of(f, "a").pause_ms, 40, 60000); /* read from meta.json */
	assert_int_equal(sf_hypervisor_stop(f->guests, &web, NULL), 0);
	fixture_create(f, "web", "off");
	assert_false(record_of(f, "off").paused);
	assert_int_equal(record_of(f, "off").consistency, SF_CONSISTENCY_OFF);
}

static struct fixture *creating;
static int (*plain_create)(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			   struct sf_object_stat *ret, struct sf_err *err);

/* A storage command that hangs until the guest runs. */
static int create_after_resume(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			       struct sf_object_stat *ret, struct sf_err *err)
{
	for (int i = 0; i < 2000 && fixture_guest(creating, "web").power != SF_POWER_RUNNING; i++)
		(void)poll(NULL, 0, 10);
	if (fixture_guest(creating, "web").power != SF_POWER_RUNNING)
		return sf_fail(err, -EDEADLK, "the guest waits for the storage that waits for it");
	return plain_create(volume, object, job, ret, err);
}

static void hang(struct sf_storage *mem)
{
	static struct sf_storage_ops ops;

	ops = *mem->ops;
	plain_create = ops.create;
	ops.create = create_after_resume;
	mem->ops = &ops;
}

static void a_guest_does_not_wait_for_a_storage_that_hangs(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a", .memory = SF_NO};
	struct sf_err err = {0};

	f->config.vms[0].policy.pause_deadline_ms =
		500; /* longer than a slow machine takes to get to the storage */
	f->dress = hang;
	creating = f;
	fixture_reopen(f, "");
	assert_int_equal(fixture_try(f, "web", &request, &err), -ETIMEDOUT);
	fixture_says(err.text, "at rest for more than 500 ms and has been resumed");
	assert_int_equal(fixture_count(f, "web"), 0);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 0);
}

/* --- Space --- */

static void ram_leaves_the_reserve_alone(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a"};
	struct sf_err err = {0};

	f->config.state_reserve_bytes = 1ULL << 60;
	assert_int_equal(fixture_try(f, "web", &request, &err), -ENOSPC);
	fixture_says(err.text, "has too little space: up to 1152921");
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	assert_int_equal(fixture_count(f, "web"), 0);
	request.memory = SF_NO; /* the reserve is meant for records */
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
}

/* --- Hosts --- */

static void rewrite(struct fixture *f, const char *from, const char *to)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "sed -i 's/%s/%s/' %s/web/a/meta.json", from, to,
		       f->state_dir);
	assert_int_equal(system(command), 0);
	fixture_reopen(f, "");
}

static void ram_of_a_host_with_more_is_refused_before_anything_changes(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	check_host_of_a(f, "sim 1");
	rewrite(f, "sim 1", "sim 2");
	fixture_tick(f, 4);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err),
			 -EOPNOTSUPP);
	fixture_says(
		err.text,
		"the saved RAM cannot be restored on this host: the RAM is for 'sim 2', this is 'sim 1'");
	assert_int_equal(fixture_guest(f, "web").tick, 4);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	assert_int_equal(fixture_count(f, "web"), 1); /* no safety snapshot */
	request = (struct sf_revert_request){.power_given = true, .power = SF_POWER_OFF};
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err),
			 0); /* without RAM any host will do */
	rewrite(f, "sim 2", "sim 1");
	request.power_given = false;
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL), 0);
	assert_int_equal(fixture_guest(f, "web").tick, 0);
}

static void ram_of_an_older_snapfs_names_no_host(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};

	fixture_create(f, "web", "a");
	rewrite(f, "\"host\"", "\"was\"");
	check_host_of_a(f, NULL);
	fixture_tick(f, 4);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL), 0);
	assert_int_equal(fixture_guest(f, "web").tick, 0);
}

static void a_host_that_cannot_describe_itself_saves_no_ram(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a"};
	struct sf_err err = {0};

	fixture_reopen(f, "hypervisor.host@1=EIO");
	assert_int_equal(fixture_try(f, "web", &request, &err), -EIO);
	fixture_says(err.text, "hypervisor.host");
	assert_int_equal(fixture_count(f, "web"), 0);
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
}

/* --- Disks that are left out --- */

static int list_with_cdrom(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	int rc = plain->list(hv, ret, err);

	if (rc < 0)
		return rc;
	ret->vms[0].left_out = calloc(1, sizeof(*ret->vms[0].left_out));
	assert_non_null(ret->vms[0].left_out);
	ret->vms[0].left_out[0] = (struct sf_left_out){.vdev = "hdc", .reason = "CD-ROM \"M\xfcnchen\""};
	ret->vms[0].nleft_out = 1;
	return 0;
}

/* Waits: the engine lists VMs once a second. */
static char *await_vm_json(struct fixture *f, const char *part)
{
	for (int i = 0; i < 2000; i++) {
		char *json = sf_engine_vm_json(f->engine, fixture_vm(f, "web"));

		assert_non_null(json);
		if (strstr(json, part))
			return json;
		free(json);
		(void)poll(NULL, 0, 10);
	}
	fail_msg(".vm.json does not get '%s' in time", part);
	return NULL;
}

static void vm_json_names_the_disks_left_out(void **state)
{
	struct fixture *f = *state;
	char *json = sf_engine_vm_json(f->engine, fixture_vm(f, "web"));

	fixture_says(json, "\"left_out\": []");
	fixture_says(json, "\"live\": true");
	free(json);
	dress(f);
	dressed.list = list_with_cdrom;
	json = await_vm_json(f, "\"disk\": \"hdc\"");
	fixture_says(json, "\"reason\": \"CD-ROM \\\"M?nchen\\\"\"");
	free(json);
	fixture_create(f, "web", "a"); /* a snapshot of the remaining disks */
	json = sf_engine_vm_json(f->engine, fixture_vm(f, "db"));
	fixture_says(json, "\"left_out\": []");
	free(json);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_paused_guest_keeps_its_pause),
		CASE(ram_of_a_paused_guest_needs_a_hypervisor_that_can),
		CASE(a_paused_guest_that_is_resumed_meanwhile_is_no_snapshot),
		CASE(ram_is_saved_live_unless_the_policy_says_no),
		CASE(the_pause_is_measured_and_recorded),
		CASE(a_guest_does_not_wait_for_a_storage_that_hangs),
		CASE(ram_leaves_the_reserve_alone),
		CASE(ram_of_a_host_with_more_is_refused_before_anything_changes),
		CASE(ram_of_an_older_snapfs_names_no_host),
		CASE(a_host_that_cannot_describe_itself_saves_no_ram),
		CASE(vm_json_names_the_disks_left_out),
	};

	return cmocka_run_group_tests_name("engine-memory", tests, NULL, NULL);
}
