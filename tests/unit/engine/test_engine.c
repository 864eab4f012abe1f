/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of the engine, on mem disks and sim guests. tests/faults covers crashes. */
#include "engine_fixture.h"

#include "core/contract/extents.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>

static void disks_and_ram_are_of_one_instant(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;

	fixture_tick(f, 7);
	fixture_create(f, "web", "a");
	fixture_tick(f, 5);
	assert_int_equal(fixture_disk_tick(f, "web", "a", 0), 7);
	assert_int_equal(fixture_disk_tick(f, "web", "a", 1), 7);
	snapshot = fixture_find(f, "web", "a");
	assert_true(snapshot->record.memory.present);
	assert_int_equal(snapshot->record.consistency, SF_CONSISTENCY_MEMORY);
	assert_int_equal(snapshot->record.power, SF_POWER_RUNNING);
	sf_snapshot_unref(snapshot);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
	assert_int_equal(fixture_guest(f, "web").tick, 12);
}

static void refused_requests_change_nothing(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a"};
	char disk[1][SF_VDEV_MAX + 1] = {"vdz"};
	struct sf_err err = {0};

	assert_int_equal(fixture_try(f, "nobody", &request, &err), -ENOENT);
	fixture_says(err.text, "no such VM");
	request.disks = disk;
	request.ndisks = 1;
	assert_int_equal(fixture_try(f, "web", &request, &err), -EINVAL);
	fixture_says(err.text, "no disk 'vdz'");
	(void)snprintf(disk[0], sizeof(disk[0]), "vda");
	request.memory = SF_YES;
	assert_int_equal(fixture_try(f, "web", &request, &err), -EINVAL);
	fixture_says(err.text, "together with all disks");
	request = (struct sf_create_request){.name = ".."};
	assert_int_equal(fixture_try(f, "web", &request, &err), -EINVAL);
	fixture_says(err.text, "starts with '.'");
	request = (struct sf_create_request){.name = "a", .description = "\x01"};
	assert_int_equal(fixture_try(f, "web", &request, &err), -EINVAL);
	fixture_says(err.text, "control character");
	fixture_create(f, "web", "a");
	request.description = NULL;
	assert_int_equal(fixture_try(f, "web", &request, &err), -EEXIST);
	assert_int_equal(fixture_count(f, "web"), 1);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 1);
}

/* Names of this second and the next ones are taken, as by creates that quickly follow each other. */
static void a_name_that_snapfs_makes_up_is_free(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "", .memory = SF_NO};
	uint64_t second = sf_clock_real_ns() / 1000000000;
	char name[32], made[SF_NAME_MAX + 1];
	auto_free char *jobs = NULL;
	struct sf_err err = {0};

	for (uint64_t i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "%" PRIu64, second + i);
		fixture_create(f, "web", name);
	}
	if (sf_engine_create(f->engine, fixture_vm(f, "web"), &request, NULL, made, &err) < 0)
		fail_msg("create: %s", err.text);
	assert_true(strtoull(made, NULL, 10) >= second + 30);
	assert_int_equal(fixture_count(f, "web"), 31);
	jobs = sf_engine_jobs_json(f->engine);
	fixture_says(jobs, made);
	/* A name that the user gives is never changed. */
	(void)snprintf(request.name, sizeof(request.name), "%s", made);
	assert_int_equal(fixture_try(f, "web", &request, &err), -EEXIST);
}

static void a_subset_of_disks_has_no_ram(void **state)
{
	struct fixture *f = *state;
	char disk[1][SF_VDEV_MAX + 1] = {"vdb"};
	struct sf_create_request request = {.name = "part", .disks = disk, .ndisks = 1};
	struct sf_snapshot *snapshot;

	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
	snapshot = fixture_find(f, "web", "part");
	assert_int_equal(snapshot->record.ndisks, 1);
	assert_string_equal(snapshot->record.disks[0].object.vdev, "vdb");
	assert_false(snapshot->record.memory.present);
	sf_snapshot_unref(snapshot);
}

static void a_failing_backend_leaves_nothing_and_a_running_guest(void **state)
{
	struct fixture *f = *state;
	static const char *const faults[] = {"storage.create@1=EIO", "storage.create@2=EIO",
					     "hypervisor.power@2=EIO", "hypervisor.save@1=ETIMEDOUT",
					     "hypervisor.resume@1=EIO"};
	struct sf_create_request request = {.name = "a"};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct sf_err err = {0};

		fixture_reopen(f, faults[i]);
		if (fixture_try(f, "web", &request, &err) == 0)
			fail_msg("the operation succeeded despite %s", faults[i]);
		fixture_says(err.text, "fault");
		assert_int_equal(fixture_count(f, "web"), 0);
		assert_int_equal(fixture_objects(f, "mem:web/vda"), 0);
		assert_int_equal(fixture_objects(f, "mem:web/vdb"), 0);
		fixture_await_running(f, "web");
	}
}

static void an_overlong_pause_is_ended_and_the_snapshot_undone(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a", .memory = SF_NO};
	struct sf_err err = {0};

	f->config.policy.pause_deadline_ms = 50;
	for (size_t i = 0; i < f->config.nvms; i++)
		f->config.vms[i].policy.pause_deadline_ms = 50;
	fixture_reopen(f, "storage.create@2=delay:400");
	assert_int_equal(fixture_try(f, "web", &request, &err), -ETIMEDOUT);
	fixture_says(err.text, "has been resumed");
	assert_int_equal(fixture_count(f, "web"), 0);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 0);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
}

static void a_guest_that_was_paused_stays_paused(void **state)
{
	struct fixture *f = *state;
	struct sf_vm_desc vm = {.name = "web"};

	fixture_tick(f, 3);
	assert_int_equal(sf_hypervisor_pause(f->guests, &vm, NULL), 0);
	fixture_create(f, "web", "a");
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_PAUSED);
	assert_int_equal(fixture_disk_tick(f, "web", "a", 1), 3);
}

static void a_pause_that_comes_after_its_deadline_is_ended(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a", .memory = SF_NO};
	struct sf_err err = {0};

	for (size_t i = 0; i < f->config.nvms; i++)
		f->config.vms[i].policy.pause_deadline_ms = 50;
	fixture_reopen(f, "hypervisor.pause@1=delay:400");
	assert_int_equal(fixture_try(f, "web", &request, &err), -ETIMEDOUT);
	fixture_await_running(f, "web");
}

static void quiescing_and_reverts_go_together(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "q", .quiesce = SF_YES};
	struct sf_revert_request revert = {.power_given = false};
	struct sf_snapshot *snapshot;
	struct sf_err err = {0};

	for (size_t i = 0; i < f->config.nvms; i++)
		f->config.vms[i].policy.quiesce = true;
	fixture_tick(f, 3);
	assert_int_equal(fixture_try(f, "web", &request, NULL), 0);
	snapshot = fixture_find(f, "web", "q");
	assert_int_equal(snapshot->record.consistency, SF_CONSISTENCY_QUIESCED);
	assert_false(snapshot->record.memory.present);
	sf_snapshot_unref(snapshot);
	fixture_tick(f, 3);
	assert_int_equal(fixture_guest(f, "web").tick, 6);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "q", &revert, NULL, NULL), 0);
	fixture_tick(f, 2);
	assert_int_equal(fixture_guest(f, "web").tick, 5);
	request = (struct sf_create_request){.name = "r", .quiesce = SF_YES, .memory = SF_YES};
	assert_int_equal(fixture_try(f, "web", &request, &err), -EINVAL);
	fixture_says(err.text, "saved frozen");
}

static void a_copied_directory_owns_nothing(void **state)
{
	struct fixture *f = *state;
	char command[800], *health;

	fixture_create(f, "web", "a");
	fixture_create(f, "db", "x");
	(void)snprintf(command, sizeof(command), "cp -a %s/web/a %s/db/stolen && cp -a %s/web/a %s/web/b",
		       f->state_dir, f->state_dir, f->state_dir, f->state_dir);
	assert_int_equal(system(command), 0);
	fixture_reopen(f, "");
	assert_int_equal(fixture_count(f, "web"), 1);
	assert_int_equal(fixture_count(f, "db") + fixture_count(f, "web"), 2);
	health = sf_engine_health_json(f->engine);
	fixture_says(health, "is a copy of a snapshot's directory");
	free(health);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "db"), "x", NULL, NULL), 0);
}

static void a_held_snapshot_is_not_deleted(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	struct sf_err err = {0};
	uint64_t id;

	fixture_create(f, "web", "a");
	snapshot = fixture_find(f, "web", "a");
	id = snapshot->id;
	sf_snapshot_unref(snapshot);
	assert_int_equal(sf_engine_hold(f->engine, id, true, NULL), 0);
	assert_int_equal(sf_engine_describe(f->engine, id, "keep me", NULL), 0);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, &err), -EBUSY);
	fixture_says(err.text, "held");
	fixture_reopen(f, "");
	snapshot = fixture_find(f, "web", "a");
	assert_true(snapshot->record.held);
	assert_string_equal(snapshot->record.description, "keep me");
	assert_int_equal(snapshot->id, id);
	sf_snapshot_unref(snapshot);
	assert_int_equal(sf_engine_hold(f->engine, id, false, NULL), 0);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 0);
}

static void a_deleted_snapshot_is_kept_for_its_reader(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	struct sf_image *disk, *memory;
	struct sf_sim_sector sector;
	size_t len;

	fixture_tick(f, 9);
	fixture_create(f, "web", "a");
	snapshot = fixture_find(f, "web", "a");
	assert_int_equal(sf_engine_image_open(f->engine, snapshot, 0, &disk, NULL), 0);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
	assert_false(fixture_has(f, "web", "a"));
	fixture_create(f, "web", "a"); /* the name can be used again */
	assert_int_equal(sf_engine_image_open(f->engine, snapshot, SF_FILE_MEMORY, &memory, NULL), 0);
	assert_int_equal(sf_image_pread(disk, &sector, sizeof(sector), 0, &len, NULL), 0);
	assert_int_equal(sector.tick, 9);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 2);
	sf_engine_image_close(f->engine, snapshot->id, disk);
	sf_engine_image_close(f->engine, snapshot->id, memory);
	sf_snapshot_unref(snapshot);
	fixture_reopen(f, ""); /* waits for the keeper's work */
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 1);
	assert_int_equal(fixture_count(f, "web"), 1);
}

static void renaming_moves_nothing_and_never_replaces(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	fixture_tick(f, 2);
	fixture_create(f, "web", "a");
	fixture_tick(f, 2);
	fixture_create(f, "web", "b");
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "b", &err), -EEXIST);
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "-x", &err), -EINVAL);
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "none", "x", &err), -ENOENT);
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "c", &err), 0);
	fixture_reopen(f, "");
	assert_false(fixture_has(f, "web", "a"));
	assert_int_equal(fixture_disk_tick(f, "web", "c", 0), 2);
	assert_int_equal(fixture_disk_tick(f, "web", "b", 0), 4);
}

/* A create in a second thread that blocks in its first backend call until the test lets it continue. */
struct door {
	struct fixture *f;
	sem_t begun, go_on;
	int rc;
};

static void wait_at_door(void *arg, const char *call)
{
	struct door *door = arg;

	if (strcmp(call, "storage.create") != 0)
		return;
	sf_fault_plan_observe(door->f->plan, NULL, NULL);
	sem_post(&door->begun);
	sem_wait(&door->go_on);
}

static void *create_behind_door(void *arg)
{
	struct sf_create_request request = {.name = "slow"};
	struct door *door = arg;

	door->rc = fixture_try(door->f, "web", &request, NULL);
	return NULL;
}

static void a_second_operation_on_the_vm_is_busy(void **state)
{
	struct door door = {.f = *state};
	struct sf_create_request request = {.name = "b"};
	struct sf_err err = {0};
	pthread_t thread;

	sem_init(&door.begun, 0, 0);
	sem_init(&door.go_on, 0, 0);
	sf_fault_plan_observe(door.f->plan, wait_at_door, &door);
	assert_int_equal(pthread_create(&thread, NULL, create_behind_door, &door), 0);
	sem_wait(&door.begun);
	assert_int_equal(fixture_try(door.f, "web", &request, &err), -EBUSY);
	fixture_says(err.text, "another operation on VM 'web'");
	assert_int_equal(fixture_try(door.f, "db", &request, NULL), 0); /* other VMs are not blocked */
	sem_post(&door.go_on);
	pthread_join(thread, NULL);
	assert_int_equal(door.rc, 0);
	assert_int_equal(fixture_count(door.f, "web"), 1);
	sem_destroy(&door.begun);
	sem_destroy(&door.go_on);
}

static void a_cancelled_create_undoes_itself(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "a"};
	char made[SF_NAME_MAX + 1];
	struct sf_job job = {0};
	struct sf_err err = {0};

	sf_job_cancel(&job);
	assert_int_equal(sf_engine_create(f->engine, fixture_vm(f, "web"), &request, &job, made, &err),
			 -EINTR);
	assert_int_equal(fixture_count(f, "web"), 0);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 0);
	assert_int_equal(fixture_guest(f, "web").power, SF_POWER_RUNNING);
}

static void a_torn_record_is_set_aside_and_the_rest_shown(void **state)
{
	struct fixture *f = *state;
	char path[200];
	char *health;
	int fd;

	fixture_create(f, "web", "good");
	fixture_create(f, "web", "torn");
	(void)snprintf(path, sizeof(path), "%s/web/torn/meta.json", f->state_dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 40), 0);
	close(fd);
	fixture_reopen(f, "");
	assert_true(fixture_has(f, "web", "good"));
	assert_false(fixture_has(f, "web", "torn"));
	health = sf_engine_health_json(f->engine);
	fixture_says(health, "\"kind\": \"set-aside\"");
	fixture_says(health, "web/.aside-torn");
	fixture_says(health, "\"kind\": \"orphan\"");
	free(health);
	fixture_create(f, "web", "torn"); /* the name can be used again */
}

/* Reports the first 64 KiB as data. True for a sim guest's disk, because it writes only the first sector. */
static int map_start(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		     struct sf_err *err)
{
	(void)storage;
	(void)object;
	return sf_extents_add(ret, 0, 65536, err);
}

static void give_maps(struct sf_storage *mem)
{
	static struct sf_storage_ops ops;

	ops = *mem->ops;
	ops.map = map_start;
	mem->ops = &ops;
}

static void maps_of_holes_are_kept_beside_the_record(void **state)
{
	struct fixture *f = *state;
	char path[200], other[200];

	f->dress = give_maps;
	fixture_reopen(f, "");
	fixture_tick(f, 3);
	fixture_create(f, "web", "a");
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "b", NULL), 0);
	assert_int_equal(fixture_disk_tick(f, "web", "b", 1), 3);
	(void)snprintf(path, sizeof(path), "%s/web/b/disk-vdb.extents", f->state_dir);
	(void)snprintf(other, sizeof(other), "%s/web/b/disk-vda.extents", f->state_dir);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(access(other, F_OK), -1);
	fixture_reopen(f, "storage.map@*=EIO"); /* the map must not be requested again */
	assert_int_equal(fixture_disk_tick(f, "web", "b", 1), 3);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fixture_disk_tick(f, "web", "b", 1), 3);
	assert_int_equal(access(path, F_OK), -1);
	fixture_reopen(f, "");
	assert_int_equal(fixture_disk_tick(f, "web", "b", 1), 3);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "b", NULL, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/web", f->state_dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void the_cap_on_snapshots_names_itself(void **state)
{
	struct fixture *f = *state;
	struct sf_create_request request = {.name = "b"};
	struct sf_err err = {0};

	for (size_t i = 0; i < f->config.nvms; i++)
		f->config.vms[i].policy.max_snapshots = 1;
	fixture_create(f, "web", "a");
	assert_int_equal(fixture_try(f, "web", &request, &err), -ENOSPC);
	fixture_says(err.text, "max-snapshots is 1");
}

static void documents_are_valid_json(void **state)
{
	struct fixture *f = *state;
	struct sf_vm_info info;
	char *texts[3];

	fixture_create(f, "web", "a");
	assert_int_equal(sf_catalog_vm(sf_engine_catalog(f->engine), "web", &info), 0);
	texts[0] = sf_engine_vm_json(f->engine, info.id);
	texts[1] = sf_engine_jobs_json(f->engine);
	texts[2] = sf_engine_health_json(f->engine);
	for (size_t i = 0; i < 3; i++) {
		auto_json json_t *root = NULL;

		assert_non_null(texts[i]);
		root = sf_json_parse_object(texts[i], strlen(texts[i]), "document", NULL);
		assert_non_null(root);
		free(texts[i]);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(disks_and_ram_are_of_one_instant),
		CASE(refused_requests_change_nothing),
		CASE(a_name_that_snapfs_makes_up_is_free),
		CASE(a_subset_of_disks_has_no_ram),
		CASE(a_failing_backend_leaves_nothing_and_a_running_guest),
		CASE(an_overlong_pause_is_ended_and_the_snapshot_undone),
		CASE(a_guest_that_was_paused_stays_paused),
		CASE(a_pause_that_comes_after_its_deadline_is_ended),
		CASE(quiescing_and_reverts_go_together),
		CASE(a_copied_directory_owns_nothing),
		CASE(a_held_snapshot_is_not_deleted),
		CASE(a_deleted_snapshot_is_kept_for_its_reader),
		CASE(renaming_moves_nothing_and_never_replaces),
		CASE(a_second_operation_on_the_vm_is_busy),
		CASE(a_cancelled_create_undoes_itself),
		CASE(a_torn_record_is_set_aside_and_the_rest_shown),
		CASE(maps_of_holes_are_kept_beside_the_record),
		CASE(the_cap_on_snapshots_names_itself),
		CASE(documents_are_valid_json),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
