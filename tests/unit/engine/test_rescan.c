/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --rescan: records rebuilt from the labels of volumes. */
#include "rescan_fixture.h"

static void all_records_come_back(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *was, *is;
	char *meta;
	size_t len;

	fixture_tick(f, 3);
	fixture_create(f, "web", "a");
	fixture_create(f, "db", "x");
	fixture_tick(f, 3);
	fixture_create(f, "web", "größe 100%");
	was = fixture_find(f, "web", "a");
	lose_and_rescan(f);
	health_says(f, "\"ok\": true");
	assert_int_equal(fixture_count(f, "web"), 2);
	assert_int_equal(fixture_count(f, "db"), 1);
	assert_int_equal(fixture_disk_tick(f, "web", "a", 1), 3);
	assert_int_equal(fixture_disk_tick(f, "web", "größe 100%", 0), 6);
	is = fixture_find(f, "web", "a");
	assert_int_equal(is->id, was->id);
	assert_int_equal(is->vm_id, was->vm_id);
	assert_int_equal(is->record.taken_ns, was->record.taken_ns);
	assert_int_equal(is->record.edited_ns, was->record.taken_ns);
	assert_string_equal(is->record.vm_name, "web");
	assert_string_equal(is->record.vm_uuid, was->record.vm_uuid);
	assert_int_equal(is->record.ndisks, 2);
	assert_string_equal(is->record.disks[1].object.vdev, "vdb");
	assert_string_equal(is->record.disks[1].method, "memory");
	assert_int_equal(is->record.disks[1].stat.size_bytes, 256 * 1024);
	assert_int_equal(is->record.consistency, SF_CONSISTENCY_CRASH);
	assert_int_equal(is->record.power, SF_POWER_UNKNOWN);
	assert_false(is->record.memory.present);
	assert_true(is->record.rebuilt);
	assert_string_equal(is->record.description, "rebuilt from the labels of its volumes");
	meta = sf_record_format(&is->record, &len);
	fixture_says(meta, "\"rebuilt\": true");
	assert_int_equal(len, is->meta_len);
	free(meta);
	sf_snapshot_unref(is);
	sf_snapshot_unref(was);
}

static void what_was_rebuilt_is_like_any_other(void **state)
{
	struct fixture *f = *state;
	struct sf_revert_request request = {.power_given = true, .power = SF_POWER_RUNNING};
	struct sf_snapshot *snapshot;

	fixture_tick(f, 3);
	fixture_create(f, "web", "a");
	fixture_tick(f, 3);
	lose_and_rescan(f);
	f->config.rescan = false;
	fixture_reopen(f, "");
	health_says(f, "\"ok\": true");
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "b", NULL), 0);
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "b", &request, NULL, NULL), 0);
	fixture_reopen(f, "");
	snapshot = fixture_find(f, "web", "b");
	assert_true(snapshot->record.rebuilt);
	sf_snapshot_unref(snapshot);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "b", NULL, NULL), 0);
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 1); /* that of the safety snapshot */
}

static void nothing_is_rebuilt_unasked(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	fixture_close(f);
	lose(f, "web");
	fixture_open(f, "");
	assert_int_equal(fixture_count(f, "web"), 0);
	health_says(f, "it is disk vdb of the snapshot 'web/a', which --rescan would rebuild");
	rescan(f, "");
	assert_true(fixture_has(f, "web", "a"));
	health_says(f, "\"ok\": true");
}

static void only_what_is_missing_comes_back(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;

	fixture_create(f, "web", "a");
	fixture_create(f, "web", "b");
	fixture_close(f);
	lose(f, "web/a/meta.json"); /* and the rest of that directory is set aside */
	fixture_open(f, "");
	rescan(f, "");
	assert_int_equal(fixture_count(f, "web"), 2);
	snapshot = fixture_find(f, "web", "b");
	assert_false(snapshot->record.rebuilt);
	assert_true(snapshot->record.memory.present);
	sf_snapshot_unref(snapshot);
	snapshot = fixture_find(f, "web", "a");
	assert_true(snapshot->record.rebuilt);
	sf_snapshot_unref(snapshot);
}

static void a_rename_is_in_the_labels(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "b", NULL), 0);
	lose_and_rescan(f);
	assert_false(fixture_has(f, "web", "a"));
	assert_true(fixture_has(f, "web", "b"));
}

static void a_rename_that_was_cut_short_gives_the_first_disks_name(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	fixture_reopen(f, "storage.relabel@2=EIO");
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "b", NULL), 0);
	lose_and_rescan(f);
	assert_true(fixture_has(f, "web", "b"));
	health_says(f, "\"ok\": true");
}

static void an_incomplete_snapshot_is_only_reported(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct sf_snapshot *snapshot;

		fixture_create(f, "web", i ? "b" : "a");
		snapshot = fixture_find(f, "web", i ? "b" : "a");
		assert_int_equal(
			sf_object_remove(f->storages.list[0], &snapshot->record.disks[i].object, NULL), 0);
		sf_snapshot_unref(snapshot);
	}
	lose_and_rescan(f);
	assert_int_equal(fixture_count(f, "web"), 0);
	health_says(f, "it is part of the incomplete snapshot 'web/a' (disk vdb, number 2 of 2; 1 found)");
	health_says(f, "it is part of the incomplete snapshot 'web/b' (disk vda, number 1 of 2; 1 found)");
	health_says(f, "\"subject\": \"mem:web/vdb@");
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 1);
	assert_int_equal(fixture_objects(f, "mem:web/vdb"), 1);
}

static void a_name_that_is_taken_gets_a_mark(void **state)
{
	struct fixture *f = *state;
	char marked[SF_NAME_MAX + 1], uuid[SF_ID_TEXT];
	struct sf_snapshot *snapshot;

	fixture_tick(f, 3);
	fixture_create(f, "web", "a");
	snapshot = fixture_find(f, "web", "a");
	sf_id_format(&snapshot->record.uuid, uuid);
	sf_snapshot_unref(snapshot);
	(void)snprintf(marked, sizeof(marked), "a~%.8s", uuid);
	fixture_close(f);
	lose(f, "web");
	fixture_open(f, "");
	fixture_tick(f, 3);
	fixture_create(f, "web", "a");
	rescan(f, "");
	assert_int_equal(fixture_disk_tick(f, "web", "a", 0), 6);
	assert_int_equal(fixture_disk_tick(f, "web", marked, 0), 3);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
	lose_and_rescan(f); /* must be rebuilt from the volumes */
	assert_true(fixture_has(f, "web", marked));
}

static void a_long_name_is_marked_between_characters(void **state)
{
	struct fixture *f = *state;
	char name[SF_NAME_MAX + 1] = "x", uuid[SF_ID_TEXT], marked[SF_NAME_MAX + 1];
	struct sf_snapshot *snapshot;

	for (int i = 0; i < SF_NAME_MAX - 1; i += 2)
		(void)strcat(name, "ö");
	fixture_create(f, "web", name);
	snapshot = fixture_find(f, "web", name);
	sf_id_format(&snapshot->record.uuid, uuid);
	sf_snapshot_unref(snapshot);
	fixture_close(f);
	lose(f, "web");
	fixture_open(f, "");
	fixture_create(f, "web", name);
	rescan(f, "");
	(void)snprintf(marked, sizeof(marked), "%.117s~%.8s", name, uuid);
	assert_true(fixture_has(f, "web", marked));
}

static void a_vm_that_is_gone_gets_its_snapshots_back(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = {.token = sf_id_new(),
				   .uuid = sf_id_new(),
				   .ndisks = 1,
				   .origin = "mem:db/vda",
				   .vdev = "vda",
				   .vm = "old db",
				   .vm_uuid = "6fd0f9a2-0000-4000-8000-00000000000b",
				   .snapshot = "last"};
	const struct sf_disk disk = {"vda", "mem:512K"};
	struct sf_object_stat stat;
	struct sf_volume *volume;

	assert_int_equal(sf_volume_open(&f->storages, "db", &disk, &volume, NULL), 0);
	assert_int_equal(sf_object_create(volume, &object, NULL, &stat, NULL), 0);
	sf_volume_close(volume);
	rescan(f, "");
	assert_true(fixture_has(f, "old db", "last"));
	f->config.rescan = false;
	fixture_reopen(f, "");
	assert_true(fixture_has(f, "old db", "last"));
	health_says(f, "\"ok\": true");
}

/* --- labels are untrusted --- */

static const struct sf_disk vda = {"vda", "mem:1M"}, vdb = {"vdb", "mem:256K"};

/*
 * Makes a snapshot of one of web's disks with these labels. It bypasses the checks, which would refuse bad
 * labels.
 */
static void plant(struct fixture *f, const struct sf_disk disk, const struct sf_object *labels)
{
	struct sf_object object = *labels;
	struct sf_object_stat stat;
	struct sf_volume *volume;

	assert_int_equal(sf_volume_open(&f->storages, "web", &disk, &volume, NULL), 0);
	object.token = sf_id_new();
	object.origin = volume->origin;
	assert_int_equal(f->storages.list[0]->ops->create(volume, &object, NULL, &stat, NULL), 0);
	sf_volume_close(volume);
}

static void labels_without_sense_are_no_labels(void **state)
{
	struct fixture *f = *state;
	const struct sf_object good = {
		.uuid = sf_id_new(), .ndisks = 1, .vdev = "vda", .vm = "web", .snapshot = "a"};
	struct sf_object bad[8];
	char *text;

	for (size_t i = 0; i < 8; i++) {
		bad[i] = good;
		bad[i].uuid = sf_id_new();
	}
	bad[0].ndisks = SF_VM_DISKS_MAX + 1;
	bad[1].index = 1;
	(void)snprintf(bad[2].vm, sizeof(bad[2].vm), "../web");
	(void)snprintf(bad[3].snapshot, sizeof(bad[3].snapshot), ".hidden");
	(void)snprintf(bad[4].vdev, sizeof(bad[4].vdev), "a/b");
	(void)snprintf(bad[5].snapshot, sizeof(bad[5].snapshot), "a\xff");
	bad[6].taken_ns = UINT64_MAX; /* beyond any date in a record */
	(void)snprintf(bad[7].vm_uuid, sizeof(bad[7].vm_uuid), "\xff");
	for (size_t i = 0; i < 8; i++)
		plant(f, vda, &bad[i]);
	rescan(f, "");
	assert_int_equal(fixture_count(f, "web"), 0);
	health_says(f, "no record owns this volume; it is left alone");
	text = sf_engine_health_json(f->engine);
	assert_null(strstr(text, "../web"));
	assert_null(strstr(text, ".hidden"));
	free(text);
	health_says(f, "which cannot be rebuilt: its labels: \\\"taken\\\"");
	health_says(f, "which cannot be rebuilt: its labels cannot be written");
	assert_int_equal(fixture_objects(f, "mem:web/vda"), 8);
}

static void disks_that_do_not_fit_together_are_no_snapshot(void **state)
{
	struct fixture *f = *state;
	struct sf_object first = {
		.uuid = sf_id_new(), .ndisks = 2, .vdev = "vda", .vm = "web", .snapshot = "a"};
	struct sf_object second = first;

	second.index = 1;
	(void)snprintf(second.vdev, sizeof(second.vdev), "vdb");
	plant(f, vda, &first);
	plant(f, vda, &second); /* of the same disk */
	second.uuid = first.uuid = sf_id_new();
	(void)snprintf(first.snapshot, sizeof(first.snapshot), "b");
	first.ndisks = 1;
	plant(f, vda, &first);
	plant(f, vda, &first); /* a second time */
	second.uuid = first.uuid = sf_id_new();
	(void)snprintf(first.snapshot, sizeof(first.snapshot), "c");
	first.ndisks = 2;
	second.index = 0;
	plant(f, vda, &first);
	plant(f, vdb, &second); /* besides the first disk */
	rescan(f, "");
	assert_int_equal(fixture_count(f, "web"), 0);
	health_says(f, "the incomplete snapshot 'web/a'");
	health_says(f, "the incomplete snapshot 'web/b'");
	health_says(f, "the incomplete snapshot 'web/c'");
}

static void nothing_is_rebuilt_while_records_are_in_doubt(void **state)
{
	struct sf_create_request request = {.name = "half", .memory = SF_NO};
	struct fixture *f = *state;

	fixture_create(f, "db", "x");
	fixture_reopen(f, "storage.remove@*=EIO,storage.create@2=EIO");
	assert_int_equal(fixture_try(f, "web", &request, NULL), -EIO);
	fixture_close(f);
	lose(f, "db");
	f->config.rescan = true;
	fixture_open(f, "storage.remove@*=EIO");
	assert_int_equal(fixture_count(f, "db"), 0);
	health_says(f, "nothing is rebuilt while work on VM 'web' is half done");
	rescan(f, "");
	assert_true(fixture_has(f, "db", "x"));
}

static void a_directory_that_is_not_understood_stops_it(void **state)
{
	struct fixture *f = *state;
	char command[300];

	fixture_create(f, "web", "a");
	fixture_create(f, "db", "x");
	fixture_close(f);
	(void)snprintf(command, sizeof(command), "cd %s && cp -a web web2 && rm -r db", f->state_dir);
	assert_int_equal(system(command), 0);
	f->config.rescan = true;
	fixture_open(f, "");
	assert_int_equal(fixture_count(f, "db"), 0);
	health_says(f, "not all records or volumes could be read");
}

static void a_volume_that_cannot_be_looked_at_is_not_rebuilt(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "db", "x");
	fixture_close(f);
	lose(f, "db");
	f->config.rescan = true;
	fixture_open(f, "storage.stat@1=ESTALE");
	assert_int_equal(fixture_count(f, "db"), 0);
	health_says(f, "which cannot be rebuilt: disk vda: storage.stat: Stale file handle");
}

static void a_record_that_cannot_be_written_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char path[200];

	fixture_create(f, "db", "x");
	fixture_close(f);
	lose(f, "db");
	(void)snprintf(path, sizeof(path), "%s/db", f->state_dir);
	assert_int_equal(symlink("/nowhere", path), 0);
	f->config.rescan = true;
	fixture_open(f, "");
	assert_int_equal(fixture_count(f, "db"), 0);
	health_says(f, "which cannot be rebuilt: ");
	assert_int_equal(unlink(path), 0);
	rescan(f, "");
	assert_true(fixture_has(f, "db", "x"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(all_records_come_back),
		CASE(what_was_rebuilt_is_like_any_other),
		CASE(nothing_is_rebuilt_unasked),
		CASE(only_what_is_missing_comes_back),
		CASE(a_rename_is_in_the_labels),
		CASE(a_rename_that_was_cut_short_gives_the_first_disks_name),
		CASE(an_incomplete_snapshot_is_only_reported),
		CASE(a_name_that_is_taken_gets_a_mark),
		CASE(a_long_name_is_marked_between_characters),
		CASE(a_vm_that_is_gone_gets_its_snapshots_back),
		CASE(labels_without_sense_are_no_labels),
		CASE(disks_that_do_not_fit_together_are_no_snapshot),
		CASE(nothing_is_rebuilt_while_records_are_in_doubt),
		CASE(a_directory_that_is_not_understood_stops_it),
		CASE(a_volume_that_cannot_be_looked_at_is_not_rebuilt),
		CASE(a_record_that_cannot_be_written_leaves_nothing),
	};

	return cmocka_run_group_tests_name("rescan", tests, NULL, NULL);
}
