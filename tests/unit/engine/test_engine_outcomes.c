/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outcomes that are not known: a resume that fails, storage that cannot be asked, a revert that cannot go on,
 * and a start that takes long.
 */
#include "engine_fixture.h"

#include "base/cleanup.h"
#include "core/state/revert_plan.h"

#include <stdatomic.h>

static void a_guest_that_could_not_be_resumed_is_not_forgotten(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a", .memory = SF_NO};
	/* The second is also what an owner hears whose guest the watchdog has resumed. */
	static const char *const faults[] = {"hypervisor.resume@*=EIO", "hypervisor.resume@*=ETIMEDOUT"};

	for (size_t i = 0; i < 2; i++) {
		char *health;

		fixture_reopen(f, faults[i]);
		fixture_fails(f, "web", &request, i == 0 ? -EIO : -ETIMEDOUT, "hypervisor.resume");
		health = sf_engine_health_json(f->engine);
		fixture_says(health, "cannot be resumed");
		free(health);
		fixture_reopen(f, faults[i]);
		assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
		fixture_reopen(f, "");
		assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
		assert_int_equal(fixture_objects(f, "mem:web/vda"), 0);
	}
}

static void a_resumed_guest_is_left_alone_while_its_disks_cannot_be_dropped(void **state)
{
	struct fixture *f = *state;
	struct sf_vm_desc vm = {.name = "web"};
	/* Resumed by the undo, and by the watchdog: the second pause takes longer than is allowed. */
	static const char *const faults[] = {"storage.create@2=EIO,storage.remove@*=EIO",
					     "storage.create@2=delay:400,storage.remove@*=EIO"};

	for (size_t i = 0; i < 2; i++) {
		struct sf_create_request request = {.name = "a", .memory = SF_NO};

		f->config.vms[0].policy.pause_deadline_ms = i == 0 ? 60000 : 50;
		fixture_reopen(f, faults[i]);
		fixture_fails(f, "web", &request, i == 0 ? -EIO : -ETIMEDOUT,
			      i == 0 ? "storage.create" : "has been resumed");
		assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
		assert_int_equal(sf_hypervisor_pause(f->guests, &vm, NULL), 0); /* xl pause */
		request.name[0] = (char)('b' + i);
		assert_int_equal(fixture_try(f, "web", &request, NULL), 0); /* begins with the recovery */
		assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
		fixture_reopen(f, "storage.remove@*=EIO");
		assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
		fixture_reopen(f, "");
		assert_int_equal(sf_hypervisor_resume(f->guests, &vm, NULL), 0);
	}
}

static void a_crash_is_settled_once_the_toolstack_answers(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a", .memory = SF_NO};

	fixture_reopen(f, "hypervisor.resume@*=EIO");
	fixture_fails(f, "web", &request, -EIO, "hypervisor.resume");
	fixture_reopen(f, "hypervisor.list@1=ETIMEDOUT");
	fixture_await_running(f, "web");
}

static void a_missing_volume_makes_its_snapshot_broken(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};
	struct sf_snapshot *snapshot;
	struct sf_err err = {0};
	char *health;

	fixture_create(f, "web", "a");
	snapshot = fixture_find(f, "web", "a");
	assert_int_equal(sf_object_remove(f->storages.list[0], &snapshot->record.disks[1].object, NULL), 0);
	sf_snapshot_unref(snapshot);
	fixture_reopen(f, "");
	health = sf_engine_health_json(f->engine);
	fixture_says(health, "\"kind\": \"broken\"");
	free(health);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	fixture_says(err.text, "broken");
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
}

static void what_cannot_be_asked_now_is_not_broken(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.discard = true};
	static const struct {
		const char *fault, *kind;
	} cases[] = {{"storage.stat@1=EMFILE", "unreachable"},
		     {"storage.stat@1=ETIMEDOUT", "unreachable"},
		     {"storage.stat@1=ENODEV", "unreachable"},
		     {"storage.stat@1=ENOENT", "broken"},
		     {"storage.stat@1=ESTALE", "broken"}};

	fixture_create(f, "web", "a");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char kind[40], *health;

		fixture_reopen(f, cases[i].fault);
		(void)snprintf(kind, sizeof(kind), "\"kind\": \"%s\"", cases[i].kind);
		health = sf_engine_health_json(f->engine);
		fixture_says(health, kind);
		free(health);
		/* The revert checks again, and the snapshot reads well. */
		assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL),
				 0);
		health = sf_engine_health_json(f->engine);
		fixture_says(health, "\"problems\": []");
		free(health);
	}
}

static void a_lost_snapshot_stays_broken_while_it_is_unreachable(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.discard = true};
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	fixture_reopen(f, "storage.stat@1=ENOENT,storage.stat@3=EMFILE");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	fixture_says(err.text, "the snapshot is broken");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, NULL), 0);
}

/* --- a revert that is found --- */

static int hold(struct sf_volume *volume, struct sf_err *err)
{
	(void)volume, (void)err;
	return 0;
}

static void release(struct sf_volume *volume)
{
	(void)volume;
}

static void give_holds(struct sf_storage *mem)
{
	static struct sf_storage_ops ops;

	ops = *mem->ops;
	ops.hold = hold;
	ops.hold_check = hold;
	ops.release = release;
	mem->ops = &ops;
}

static struct sf_id uuid_of(struct fixture *f, const char *name)
{
	struct sf_snapshot *snapshot = fixture_find(f, "web", name);
	struct sf_id uuid = snapshot->record.uuid;

	sf_snapshot_unref(snapshot);
	return uuid;
}

static int open_vm_dir(const struct fixture *f)
{
	char path[200];
	int dir;

	(void)snprintf(path, sizeof(path), "%s/web", f->state_dir);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

/* Turning back would write to the same volumes. */
static void a_revert_found_waits_for_volumes_that_others_hold(void **state)
{
	struct fixture *f = *state;
	struct sf_plan found, plan = {.phase = SF_LIFE_SWITCHING,
				      .has_safety = true,
				      .guest = SF_POWER_OFF,
				      .power = SF_POWER_OFF};
	struct sf_vm_desc vm = {.name = "web"};
	auto_fd int dir = -1;
	char *health;

	f->dress = give_holds;
	fixture_reopen(f, "");
	assert_int_equal(sf_hypervisor_stop(f->guests, &vm, NULL), 0);
	fixture_create(f, "web", "a");
	fixture_create(f, "web", "safety");
	plan.snapshot = uuid_of(f, "a");
	plan.safety = uuid_of(f, "safety");
	fixture_close(f);
	dir = open_vm_dir(f);
	assert_int_equal(sf_plan_write(dir, &plan, NULL), 0);

	fixture_open(f, "storage.hold@*=EBUSY");
	assert_int_equal(sf_plan_read(dir, &found, NULL), 0);
	assert_true(sf_id_equal(&found.snapshot, &plan.snapshot));
	assert_false(found.back);
	health = sf_engine_health_json(f->engine);
	fixture_says(health, "\"kind\": \"revert\"");
	free(health);

	fixture_reopen(f, "");
	assert_int_equal(sf_plan_read(dir, &found, NULL), -ENOENT);
	assert_int_equal(fixture_count(f, "web"), 2);
}

/* Turning back restores the guest, too, and cannot resume it either. */
static void a_restored_guest_that_cannot_be_resumed_is_resumed_later(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = false};
	struct sf_err err = {0};
	uint64_t tick;

	fixture_create(f, "web", "a");
	fixture_tick(f, 3);
	tick = fixture_guest(f, "web").tick;
	fixture_reopen(f, "hypervisor.resume@1=EIO,hypervisor.resume@2=EIO");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "a", &request, NULL, &err), -EIO);
	fixture_says(err.text, "will be retried");
	fixture_await_running(f, "web");
	assert_int_equal(fixture_guest(f, "web").tick, tick);
	fixture_tick(f, 1);
	assert_false(fixture_guest(f, "web").crashed);
}

/* --- the keeper --- */

static struct {
	atomic_uint nstats;
	atomic_bool early;
} start;

/*
 * The third stat of a start is in the second VM's recovery. Gives the keeper more than its 5 s to begin with
 * the first VM, which is unsettled by then.
 */
static void watch_start(void *fixture, const char *call)
{
	(void)fixture;
	if (strcmp(call, "storage.stat") != 0 || atomic_fetch_add(&start.nstats, 1) + 1 != 3)
		return;
	for (int i = 0; i < 60 && !start.early; i++) {
		(void)poll(NULL, 0, 100);
		start.early = atomic_load(&start.nstats) > 3;
	}
}

static void the_keeper_begins_after_the_start(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	fixture_create(f, "db", "b");
	f->observe = watch_start;
	fixture_reopen(f, "storage.stat@1=EMFILE");
	assert_true(atomic_load(&start.nstats) >= 3);
	assert_false(atomic_load(&start.early));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_guest_that_could_not_be_resumed_is_not_forgotten),
		CASE(a_resumed_guest_is_left_alone_while_its_disks_cannot_be_dropped),
		CASE(a_crash_is_settled_once_the_toolstack_answers),
		CASE(a_missing_volume_makes_its_snapshot_broken),
		CASE(what_cannot_be_asked_now_is_not_broken),
		CASE(a_lost_snapshot_stays_broken_while_it_is_unreachable),
		CASE(a_revert_found_waits_for_volumes_that_others_hold),
		CASE(a_restored_guest_that_cannot_be_resumed_is_resumed_later),
		CASE(the_keeper_begins_after_the_start),
	};

	return cmocka_run_group_tests_name("engine_outcomes", tests, NULL, NULL);
}
