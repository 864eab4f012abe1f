/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverts on mem disks and sim guests, and reverts that fail half-way. */
#include "engine_fixture.h"

static void revert_brings_back_disks_and_ram_and_keeps_every_snapshot(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	fixture_tick(f, 4);
	fixture_create(f, "web", "b");
	fixture_tick(f, 4);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL), 0);
	assert_int_equal(fixture_guest(f, "web").tick, 4);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	fixture_tick(f, 2);
	assert_int_equal(fixture_guest(f, "web").tick, 6);
	assert_false(fixture_guest(f, "web").crashed);
	assert_int_equal(fixture_count(f, "web"), 3); /* a, b, pre-revert */
	assert_int_equal(fixture_disk_tick(f, "web", "a", 0), 4);
	assert_int_equal(fixture_disk_tick(f, "web", "b", 0), 8);
}

static void revert_ends_in_the_power_state_asked_for(void **state)
{
	struct fixture *f = *state;
	static const enum sf_power wanted[] = {SF_POWER_PAUSED, SF_POWER_OFF, SF_POWER_RUNNING};

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	for (size_t i = 0; i < 3; i++) {
		struct sf_revert_request request = {.power_given = true, .power = wanted[i], .discard = true};

		assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL),
				 0);
		assert_int_equal(fixture_guest(f, "web").power, wanted[i]);
		assert_int_equal(fixture_count(f, "web"), 1);
	}
}

static void a_revert_that_fails_half_way_goes_back(void **state)
{
	struct fixture *f = *state;
	static const char *const faults[] = {"storage.revert@2=EIO", "hypervisor.restore@1=EIO",
					     "storage.revert@1=EIO", "hypervisor.stop@1=EIO"};
	struct sf_revert_request request = {.power_given = false};
	uint64_t tick;

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	fixture_tick(f, 4);
	tick = fixture_guest(f, "web").tick;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct sf_err err = {0};

		fixture_reopen(f, faults[i]);
		assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err),
				 -EIO);
		fixture_says(err.text, "fault");
		if (fixture_guest(f, "web").tick != tick || fixture_guest(f, "web").power != SF_POWER_RUNNING)
			fail_msg("%s: the guest is not as it was: %s", faults[i], err.text);
		assert_int_equal(fixture_count(f, "web"), 1);
		fixture_tick(f, 1);
		assert_false(fixture_guest(f, "web").crashed);
		tick++;
	}
}

/* Asserts that a revert to "a" fails and the guest is rolled back; the text says how. */
static void goes_back(struct fixture *f, const char *faults, const struct sf_revert_request *request,
		      const char *how)
{
	struct sf_sim_view before = fixture_guest(f, "web"), after;
	struct sf_err err = {0};

	fixture_reopen(f, faults);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", request, NULL, &err), -EIO);
	if (strncmp(err.text, how, strlen(how)) != 0)
		fail_msg("%s: '%s' does not begin with '%s'", faults, err.text, how);
	fixture_says(err.text, "injected by the fault plan");
	after = fixture_guest(f, "web");
	assert_int_equal(after.power, before.power);
	assert_int_equal(after.tick, before.tick);
	assert_int_equal(fixture_count(f, "web"), 1);
	fixture_tick(f, 1);
	assert_false(fixture_guest(f, "web").crashed);
	fixture_reopen(f, "");
	assert_int_equal(fixture_guest(f, "web").power, before.power); /* no work was left */
}

static void a_revert_that_fails_says_which_way_the_vm_went_back(void **state)
{
	static const char ram[] = "the VM is as it was before, its RAM restored: ";
	static const char boot[] = "the VM was booted again from its old disks: ";
	static const struct sf_revert_request keep, discard = {.discard = true};
	struct fixture *f = *state;
	struct sf_vm_desc web = {.name = "web"};

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	fixture_tick(f, 4);
	goes_back(f, "hypervisor.restore@1=EIO", &keep, ram);
	goes_back(f, "storage.revert@2=EIO", &keep, ram);
	goes_back(f, "hypervisor.resume@1=EIO", &keep, ram);
	goes_back(f, "storage.revert@1=EIO", &discard, boot); /* no disk has been changed yet */
	f->config.vms[0].policy.memory = false;               /* for the safety snapshot */
	goes_back(f, "hypervisor.restore@1=EIO", &keep, boot);
	goes_back(f, "storage.revert@2=EIO", &keep, boot);
	assert_int_equal(sf_hypervisor_pause(f->guests, &web, NULL), 0);
	goes_back(f, "hypervisor.restore@1=EIO", &keep, boot);
	f->config.vms[0].policy.memory = true;
	goes_back(f, "hypervisor.restore@1=EIO", &keep, ram);
	assert_int_equal(sf_hypervisor_stop(f->guests, &web, NULL), 0);
	goes_back(f, "hypervisor.restore@1=EIO", &keep, "the VM is as it was before: ");
}

static void a_way_back_that_fails_as_well_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.discard = false};
	struct sf_err err = {0};

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	fixture_tick(f, 4);
	fixture_reopen(f, "hypervisor.restore@1=EIO,hypervisor.restore@2=EBUSY");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	fixture_says(err.text, "half done, will be retried (restore the guest's RAM: ");
	fixture_says(err.text,
		     "Device or resource busy, injected by the fault plan): restore the guest's RAM: ");
	fixture_reopen(f, "");
	assert_int_equal(fixture_guest(f, "web").tick, 8);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	assert_int_equal(fixture_count(f, "web"), 1);
}

static void a_revert_without_a_way_back_is_finished_later(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.discard = true};
	struct sf_err err = {0};
	char *health;

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	fixture_tick(f, 4);
	fixture_reopen(f, "storage.revert@2=EIO");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	fixture_says(err.text,
		     "half done, will be retried (the previous state was not kept ('discard')): disk vdb: ");
	health = sf_engine_health_json(f->engine);
	fixture_says(health, "\"kind\": \"revert\"");
	free(health);
	fixture_create(f, "web", "b"); /* any operation completes the revert first */
	assert_int_equal(fixture_disk_tick(f, "web", "b", 0), 4);
	assert_int_equal(fixture_disk_tick(f, "web", "b", 1), 4);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	health = sf_engine_health_json(f->engine);
	fixture_says(health, "\"ok\": true");
	free(health);
}

static void a_guest_started_beside_a_half_done_revert_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.discard = true};
	struct sf_create_request again = {.name = "b"};
	struct sf_vm_desc vm = {.name = "web"};
	struct sf_err err = {0};

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	fixture_create(f, "web", "other");
	fixture_tick(f, 4);
	fixture_reopen(f, "storage.revert@2=EIO");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	assert_int_equal(sf_hypervisor_start(f->guests, &vm, false, NULL), 0);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "other", NULL, NULL), 0);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, &err), -EBUSY);
	fixture_says(err.text, "an unfinished revert needs it");
	assert_int_equal(fixture_try(f, "web", &again, &err), -EBUSY);
	fixture_says(err.text, "started while its revert was half done");
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	assert_int_equal(sf_hypervisor_stop(f->guests, &vm, NULL), 0);
	assert_int_equal(fixture_try(f, "web", &again, NULL), 0); /* now the revert can be completed */
	assert_int_equal(fixture_disk_tick(f, "web", "b", 0), 4);
	assert_int_equal(fixture_disk_tick(f, "web", "b", 1), 4);
}

static void a_guest_that_a_start_finds_running_is_kept_before_its_revert_goes_on(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.discard = true};
	struct sf_vm_desc vm = {.name = "db"};
	struct sf_err err = {0};

	fixture_tick(f, 4);
	fixture_create(f, "db", "a");
	fixture_tick(f, 4);
	fixture_reopen(f, "storage.revert@1=EUCLEAN");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "db"), "a", &request, NULL, &err), -EIO);
	assert_int_equal(sf_hypervisor_start(f->guests, &vm, false, NULL), 0);
	fixture_tick(f, 3);
	assert_int_equal(fixture_guest(f, "db").tick, 11);
	fixture_reopen(f, "");
	assert_int_equal(fixture_guest(f, "db").tick, 4);
	assert_int_equal(fixture_guest(f, "db").power, SF_POWER_RUNNING);
	assert_int_equal(fixture_count(f, "db"), 2);
	assert_int_equal(fixture_disk_tick(f, "db", "a", 0), 4);
}

static void damaged_ram_is_noticed_before_anything_changes(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};
	struct sf_err err = {0};
	char path[200];
	int fd;

	fixture_create(f, "web", "a");
	fixture_tick(f, 4);
	(void)snprintf(path, sizeof(path), "%s/web/a/memory.sav", f->state_dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 100000), 1);
	close(fd);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	fixture_says(err.text, "hash differs");
	assert_int_equal(fixture_guest(f, "web").tick, 4);
	assert_int_equal(fixture_count(f, "web"), 1);
	request = (struct sf_revert_request){.power_given = true, .power = SF_POWER_OFF};
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err),
			 0); /* needs no RAM */
}

static int (*plain_revert)(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			   struct sf_err *err);

static int revert_and_note(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			   struct sf_err *err)
{
	sf_job_note(job, "%s was larger", object->vdev);
	return plain_revert(volume, object, job, err);
}

static void give_notes(struct sf_storage *mem)
{
	static struct sf_storage_ops ops;

	ops = *mem->ops;
	plain_revert = ops.revert;
	ops.revert = revert_and_note;
	mem->ops = &ops;
}

/* Redirects the log to the file until log_end(). */
static int log_begin(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), kept = dup(STDERR_FILENO);

	assert_true(fd >= 0 && kept >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	return kept;
}

static void log_end(int kept, const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
}

static void what_a_storage_notes_of_each_disk_reaches_the_user(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};
	struct sf_job job = {.cancelled = false};
	char path[200], log[4096], *jobs;
	int kept, rc;

	f->dress = give_notes;
	fixture_reopen(f, "");
	fixture_create(f, "web", "a");
	(void)snprintf(path, sizeof(path), "%s/log", f->dir);
	kept = log_begin(path);
	rc = sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, &job, NULL);
	log_end(kept, path, log, sizeof(log));
	assert_int_equal(rc, 0);
	fixture_says(log, "revert web/a: done in ");
	fixture_says(log, " MiB: vda was larger; vdb was larger\n");
	assert_null(strstr(strstr(log, "was larger; vdb") + strlen("was larger; vdb was larger"), "larger"));
	jobs = sf_engine_jobs_json(f->engine);
	fixture_says(jobs, "\"note\": \"vda was larger; vdb was larger\"");
	free(jobs);
	assert_string_equal(job.note, "vda was larger; vdb was larger");
}

struct canceller {
	struct sf_job job;
	const char *at;
};

static void cancel_at(void *arg, const char *call)
{
	struct canceller *canceller = arg;

	if (strcmp(call, canceller->at) == 0)
		sf_job_cancel(&canceller->job);
}

static void only_before_the_stop_can_a_revert_be_cancelled(void **state)
{
	static const struct {
		const char *at;
		int rc;
	} cases[] = {{"hypervisor.save", -EINTR}, {"hypervisor.stop", 0}, {"storage.revert", 0}};
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};

	fixture_tick(f, 4);
	fixture_create(f, "web", "a");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct canceller canceller = {.at = cases[i].at};

		fixture_tick(f, 4);
		sf_fault_plan_observe(f->plan, cancel_at, &canceller);
		assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request,
						  &canceller.job, NULL),
				 cases[i].rc);
		assert_true(atomic_load(&canceller.job.cancelled));
		assert_int_equal(fixture_guest(f, "web").tick, cases[i].rc == 0 ? 4 : 8);
		assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	}
	sf_fault_plan_observe(f->plan, NULL, NULL);
}

/* Nothing is lost of a guest that is off, and a copy of its disk may take long. */
static void the_revert_of_a_guest_that_is_off_can_be_cancelled_until_a_disk_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = true, .power = SF_POWER_OFF, .discard = true};
	struct canceller canceller = {.at = "storage.revert"};
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL), 0);
	sf_fault_plan_observe(f->plan, cancel_at, &canceller);
	assert_int_equal(
		sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, &canceller.job, &err),
		-EINTR);
	fixture_says(err.text, "cancelled");
	sf_fault_plan_observe(f->plan, NULL, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(revert_brings_back_disks_and_ram_and_keeps_every_snapshot),
		CASE(revert_ends_in_the_power_state_asked_for),
		CASE(a_revert_that_fails_half_way_goes_back),
		CASE(a_revert_that_fails_says_which_way_the_vm_went_back),
		CASE(a_way_back_that_fails_as_well_is_tried_again),
		CASE(a_revert_without_a_way_back_is_finished_later),
		CASE(a_guest_started_beside_a_half_done_revert_is_left_alone),
		CASE(a_guest_that_a_start_finds_running_is_kept_before_its_revert_goes_on),
		CASE(damaged_ram_is_noticed_before_anything_changes),
		CASE(what_a_storage_notes_of_each_disk_reaches_the_user),
		CASE(only_before_the_stop_can_a_revert_be_cancelled),
		CASE(the_revert_of_a_guest_that_is_off_can_be_cancelled_until_a_disk_is_replaced),
	};

	return cmocka_run_group_tests_name("engine-revert", tests, NULL, NULL);
}
