/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "face/tree.h"

#include "core/engine/engine.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TAKEN  UINT64_C(1700000000123456789)
#define EDITED UINT64_C(1700000009000000001)

struct fixture {
	struct sf_tree tree;
	uint64_t vm_id;
	struct sf_id uuid;
};

static void fill_disk(struct sf_record_disk *disk, const char *vdev, uint64_t size, uint64_t allocated)
{
	assert_int_equal(sf_record_set_origin(disk, "mem:1M"), 0);
	disk->object.token = sf_id_new();
	(void)snprintf(disk->object.vdev, sizeof(disk->object.vdev), "%s", vdev);
	(void)snprintf(disk->storage, sizeof(disk->storage), "mem");
	disk->stat.size_bytes = size;
	disk->stat.allocated_bytes = allocated;
}

#define MADE UINT64_C(1700000020000000003)

/* manifest: the size of manifest.json; 0: none. */
static struct sf_id publish_with(struct fixture *f, const char *name, bool memory, uint32_t manifest)
{
	struct sf_record record = {.uuid = sf_id_new(),
				   .state = SF_RECORD_READY,
				   .taken_ns = TAKEN,
				   .edited_ns = EDITED,
				   .ndisks = 2,
				   .memory = {.present = memory, .size_bytes = 1000}};
	struct sf_id uuid = record.uuid;
	struct sf_snapshot *snapshot;

	(void)snprintf(record.name, sizeof(record.name), "%s", name);
	(void)snprintf(record.vm_name, sizeof(record.vm_name), "web");
	record.disks = calloc(2, sizeof(*record.disks));
	assert_non_null(record.disks);
	fill_disk(&record.disks[0], "vda", 1 << 20, 4097);
	fill_disk(&record.disks[1], "vdb", 4096, 0);
	snapshot = sf_snapshot_new(&record, f->vm_id, false);
	assert_non_null(snapshot);
	snapshot->manifest_bytes = manifest;
	snapshot->manifest_ns = manifest ? MADE : 0;
	assert_int_equal(sf_catalog_publish(f->tree.catalog, snapshot), 0);
	sf_snapshot_unref(snapshot);
	return uuid;
}

static struct sf_id publish(struct fixture *f, const char *name, bool memory)
{
	return publish_with(f, name, memory, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->tree = (struct sf_tree){.started_ns = 5, .umask = 077};
	assert_int_equal(sf_catalog_new(&f->tree.catalog), 0);
	f->vm_id = sf_vm_id("", "web");
	assert_int_equal(sf_catalog_vm_put(f->tree.catalog, f->vm_id, "web", true), 0);
	assert_int_equal(sf_catalog_vm_put(f->tree.catalog, sf_vm_id("", "db"), "db", true), 0);
	f->uuid = publish_with(f, "clean", true, 513);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sf_catalog_free(f->tree.catalog);
	free(f);
	return 0;
}

/* Finds the node at a path such as "web/clean/disk.img"; "" is the root. */
static int walk(const struct fixture *f, const char *path, struct sf_node *ret)
{
	struct sf_node node = {0};
	int rc = sf_tree_node(&f->tree, 1, &node);

	while (rc == 0 && *path) {
		char name[300];
		size_t len = strcspn(path, "/");
		struct sf_node child = {0};

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
		rc = sf_tree_lookup(&f->tree, &node, name, &child);
		sf_node_fini(&node);
		node = child;
		path += len + (path[len] == '/');
	}
	if (rc == 0)
		*ret = node;
	return rc;
}

static struct stat stat_of(const struct fixture *f, const char *path)
{
	struct sf_node node;
	struct stat st;

	assert_int_equal(walk(f, path, &node), 0);
	sf_tree_stat(&f->tree, &node, &st);
	sf_node_fini(&node);
	return st;
}

static void absent(const struct fixture *f, const char *path, int rc)
{
	struct sf_node node;

	assert_int_equal(walk(f, path, &node), rc);
}

static const char *const all_paths[] = {
	"",
	".snapfs",
	".snapfs/jobs.json",
	".snapfs/health.json",
	".snapfs/last-error",
	".snapfs/metrics",
	".snapfs/version",
	".snapfs/schedules.json",
	".snapfs/run",
	"web",
	"web/.create",
	"web/.vm.json",
	"web/.snapshots.json",
	"web/clean",
	"web/clean/disk.img",
	"web/clean/disk-vdb.img",
	"web/clean/memory.sav",
	"web/clean/meta.json",
	"web/clean/manifest.json",
	"web/clean/.manifest",
	"web/clean/revert",
	"db",
};
#define NPATHS (sizeof(all_paths) / sizeof(all_paths[0]))

static void every_number_leads_back_to_its_path(void **state)
{
	const struct fixture *f = *state;
	uint64_t seen[NPATHS];

	for (size_t i = 0; i < NPATHS; i++) {
		char path[SF_NODE_PATH];
		struct sf_node node, again;

		assert_int_equal(walk(f, all_paths[i], &node), 0);
		assert_int_equal(sf_tree_node(&f->tree, node.ino, &again), 0);
		sf_node_path(&again, path);
		assert_string_equal(path, all_paths[i]);
		assert_int_equal(again.kind, node.kind);
		seen[i] = node.ino;
		for (size_t j = 0; j < i; j++)
			assert_true(seen[j] != seen[i]);
		sf_node_fini(&again);
		sf_node_fini(&node);
	}
}

static void numbers_come_from_durable_ids(void **state)
{
	const struct fixture *f = *state;
	uint64_t id = sf_snapshot_id(&f->uuid);

	assert_true(stat_of(f, "").st_ino == 1);
	assert_true(stat_of(f, ".snapfs").st_ino == 2);
	assert_true(stat_of(f, "web").st_ino == f->vm_id);
	assert_true(stat_of(f, "web/clean").st_ino == id);
	assert_true(stat_of(f, "web/clean/disk.img").st_ino == (id | 16));
	assert_true(stat_of(f, "web/clean/disk-vdb.img").st_ino == (id | 17));
	assert_true(stat_of(f, "web/clean/manifest.json").st_ino == (id | 4));
	assert_true(stat_of(f, "web/clean/.manifest").st_ino == (id | 5));
	assert_true(stat_of(f, "web/clean/.delete").st_ino == (id | 6));
}

static void numbers_that_mean_nothing_are_refused(void **state)
{
	const struct fixture *f = *state;
	uint64_t id = sf_snapshot_id(&f->uuid);
	const uint64_t inos[] = {0,      9,       31,      33,      255, 256, f->vm_id | 4, f->vm_id | 16,
				 id | 7, id | 15, id | 18, id | 255};
	struct sf_node node;

	for (size_t i = 0; i < sizeof(inos) / sizeof(inos[0]); i++)
		assert_int_equal(sf_tree_node(&f->tree, inos[i], &node), -ENOENT);
}

static void names_that_are_not_there_are_not_found(void **state)
{
	const struct fixture *f = *state;

	absent(f, "nope", -ENOENT);
	absent(f, "web/nope", -ENOENT);
	absent(f, "web/clean/disk-vda.img", -ENOENT);
	absent(f, "web/clean/nope", -ENOENT);
	absent(f, ".snapfs/nope", -ENOENT);
	absent(f, "web/clean/meta.json/x", -ENOTDIR);
}

static void ram_is_there_only_when_it_was_saved(void **state)
{
	struct fixture *f = *state;
	struct sf_id uuid = publish(f, "cold", false);
	struct sf_node node;

	absent(f, "web/cold/memory.sav", -ENOENT);
	assert_int_equal(sf_tree_node(&f->tree, sf_snapshot_id(&uuid) | 2, &node), -ENOENT);
}

static void a_manifest_is_there_only_when_it_was_made(void **state)
{
	struct fixture *f = *state;
	struct sf_id uuid = publish(f, "new", true);
	struct stat st = stat_of(f, "web/clean/manifest.json");
	struct sf_node node;

	absent(f, "web/new/manifest.json", -ENOENT);
	assert_int_equal(sf_tree_node(&f->tree, sf_snapshot_id(&uuid) | 4, &node), -ENOENT);
	assert_int_equal(stat_of(f, "web/new/.manifest").st_size, 0);
	assert_int_equal(st.st_size, 513);
	assert_int_equal(st.st_blocks, 2);
	assert_int_equal(st.st_mtim.tv_sec, 1700000020);
	assert_int_equal(st.st_mtim.tv_nsec, 3);
	assert_int_equal(st.st_ctim.tv_sec, 1700000020);
}

static void dots_work_for_those_who_know_numbers_only(void **state)
{
	const struct fixture *f = *state;

	assert_true(stat_of(f, "web/clean/..").st_ino == f->vm_id);
	assert_true(stat_of(f, "web/..").st_ino == 1);
	assert_true(stat_of(f, "..").st_ino == 1);
	assert_true(stat_of(f, ".snapfs/..").st_ino == 1);
	assert_true(stat_of(f, "web/clean/disk.img/.").st_ino == stat_of(f, "web/clean/disk.img").st_ino);
}

static void sizes_and_blocks_are_true(void **state)
{
	const struct fixture *f = *state;
	struct stat disk = stat_of(f, "web/clean/disk.img"), hole = stat_of(f, "web/clean/disk-vdb.img");
	struct stat ram = stat_of(f, "web/clean/memory.sav");

	assert_int_equal(disk.st_size, 1 << 20);
	assert_int_equal(disk.st_blocks, 9); /* 4097 bytes */
	assert_int_equal(disk.st_nlink, 1);
	assert_int_equal(hole.st_size, 4096);
	assert_int_equal(hole.st_blocks, 0);
	assert_int_equal(ram.st_size, 1000);
	assert_int_equal(ram.st_blocks, 2);
	assert_true(stat_of(f, "web/clean/meta.json").st_size > 100);
	assert_int_equal(stat_of(f, "web/.vm.json").st_size, 0);
}

static void times_are_the_snapshots(void **state)
{
	const struct fixture *f = *state;
	struct stat st = stat_of(f, "web/clean/disk.img");

	assert_int_equal(st.st_mtim.tv_sec, 1700000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_memory_equal(&st.st_mtim, &st.st_ctim, sizeof(st.st_mtim));
	assert_memory_equal(&st.st_mtim, &st.st_atim, sizeof(st.st_mtim));
	assert_int_equal(stat_of(f, "web/clean").st_mtim.tv_sec, 1700000000);
	assert_int_equal(stat_of(f, "web/clean/meta.json").st_mtim.tv_sec, 1700000009);
	assert_int_equal(stat_of(f, "web").st_mtim.tv_sec, 1700000009);
	assert_int_equal(stat_of(f, "").st_mtim.tv_sec, 1700000009);
	assert_int_equal(stat_of(f, "db").st_mtim.tv_nsec, 5);
	assert_int_equal(stat_of(f, ".snapfs").st_mtim.tv_nsec, 5);
}

static void directories_count_their_subdirectories(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(stat_of(f, "").st_nlink, 2 + 3);
	assert_int_equal(stat_of(f, "web").st_nlink, 2 + 1);
	assert_int_equal(stat_of(f, "db").st_nlink, 2);
	assert_int_equal(stat_of(f, "web/clean").st_nlink, 2);
}

static void all_is_roots_by_default(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(stat_of(f, "web").st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(f, "web/clean/disk.img").st_mode, S_IFREG | 0400);
	assert_int_equal(stat_of(f, "web/clean/meta.json").st_mode, S_IFREG | 0400);
	assert_int_equal(stat_of(f, "web/clean/manifest.json").st_mode, S_IFREG | 0400);
	assert_int_equal(stat_of(f, "web/clean/.manifest").st_mode, S_IFREG | 0200);
	assert_int_equal(stat_of(f, "web/clean/revert").st_mode, S_IFREG | 0200);
	assert_int_equal(stat_of(f, "web/.create").st_mode, S_IFREG | 0600);
	assert_int_equal(stat_of(f, ".snapfs/run").st_mode, S_IFREG | 0600);
	assert_int_equal(stat_of(f, ".snapfs/schedules.json").st_mode, S_IFREG | 0400);
	assert_int_equal(stat_of(f, "web/.vm.json").st_mode, S_IFREG | 0400);
	assert_int_equal(stat_of(f, "web/.snapshots.json").st_mode,
			 stat_of(f, "web/clean/meta.json").st_mode);
	assert_int_equal(stat_of(f, "web/.snapshots.json").st_gid, stat_of(f, "web/clean/meta.json").st_gid);
	assert_int_equal(stat_of(f, ".snapfs/metrics").st_mode, S_IFREG | 0400);
	assert_int_equal(stat_of(f, "web/clean/disk.img").st_gid, 0);
}

static void a_group_may_read_but_not_command(void **state)
{
	struct fixture *f = *state;

	f->tree.gid_given = true;
	f->tree.gid = 34;
	f->tree.umask = 027;
	assert_int_equal(stat_of(f, "web").st_mode, S_IFDIR | 0750);
	assert_int_equal(stat_of(f, "web").st_gid, 34);
	assert_int_equal(stat_of(f, "web/clean/disk.img").st_mode, S_IFREG | 0440);
	assert_int_equal(stat_of(f, "web/clean/memory.sav").st_gid, 34);
	assert_int_equal(stat_of(f, "web/clean/manifest.json").st_mode, S_IFREG | 0440);
	assert_int_equal(stat_of(f, "web/clean/manifest.json").st_gid, 34);
	assert_int_equal(stat_of(f, "web/clean/.manifest").st_mode, S_IFREG | 0200);
	assert_int_equal(stat_of(f, "web/clean/.manifest").st_gid, 0);
	assert_int_equal(stat_of(f, "web/clean/revert").st_mode, S_IFREG | 0200);
	assert_int_equal(stat_of(f, "web/clean/revert").st_gid, 0);
	assert_int_equal(stat_of(f, "web/.create").st_mode, S_IFREG | 0600);
	assert_int_equal(stat_of(f, "web/.create").st_gid, 0);
	assert_int_equal(stat_of(f, ".snapfs/run").st_mode, S_IFREG | 0600);
	assert_int_equal(stat_of(f, ".snapfs/run").st_gid, 0);
}

/* Asserts the names in a directory, in order, each followed by a blank. */
static void lists(const struct fixture *f, const char *path, const char *names)
{
	struct sf_entry *entries;
	struct sf_node dir;
	char text[1000] = "";
	size_t n;

	assert_int_equal(walk(f, path, &dir), 0);
	assert_int_equal(sf_tree_list(&f->tree, &dir, &entries, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct sf_node node;

		assert_int_equal(sf_tree_node(&f->tree, entries[i].ino, &node), 0);
		assert_int_equal(entries[i].is_dir, sf_node_is_dir(&node));
		sf_node_fini(&node);
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", entries[i].name);
	}
	assert_string_equal(text, names);
	free(entries);
	sf_node_fini(&dir);
}

static void listings_show_data_only(void **state)
{
	const struct fixture *f = *state;

	lists(f, "", ". .. db web ");
	lists(f, "web", ". .. clean ");
	lists(f, "db", ". .. ");
	lists(f, "web/clean", ". .. disk.img disk-vdb.img memory.sav meta.json manifest.json ");
	lists(f, ".snapfs", ". .. jobs.json health.json last-error metrics version schedules.json ");
}

static void show_control_lists_the_rest(void **state)
{
	struct fixture *f = *state;

	f->tree.show_control = true;
	lists(f, "", ". .. db web .snapfs ");
	lists(f, ".snapfs", ". .. jobs.json health.json last-error metrics version schedules.json run ");
	lists(f, "web", ". .. clean .create .vm.json .snapshots.json ");
	lists(f, "web/clean",
	      ". .. disk.img disk-vdb.img memory.sav meta.json manifest.json revert .manifest .delete ");
}

static void a_file_has_no_listing(void **state)
{
	const struct fixture *f = *state;
	struct sf_entry *entries;
	struct sf_node node;
	size_t n;

	assert_int_equal(walk(f, "web/clean/meta.json", &node), 0);
	assert_int_equal(sf_tree_list(&f->tree, &node, &entries, &n), -ENOTDIR);
	sf_node_fini(&node);
}

static void a_hidden_snapshot_keeps_its_numbers_while_it_is_read(void **state)
{
	const struct fixture *f = *state;
	uint64_t id = sf_snapshot_id(&f->uuid);
	struct sf_node node;
	char path[SF_NODE_PATH];

	assert_int_equal(sf_catalog_vm_put(f->tree.catalog, f->vm_id, "web", false), 0);
	assert_int_equal(sf_catalog_open(f->tree.catalog, id), 0);
	assert_false(sf_catalog_hide(f->tree.catalog, id));
	absent(f, "web", -ENOENT);
	assert_int_equal(sf_tree_node(&f->tree, id | 16, &node), 0);
	sf_node_path(&node, path);
	assert_string_equal(path, "web/clean/disk.img");
	sf_node_fini(&node);
	assert_true(sf_catalog_close(f->tree.catalog, id));
	sf_catalog_forget(f->tree.catalog, id);
	assert_int_equal(sf_tree_node(&f->tree, id | 16, &node), -ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_number_leads_back_to_its_path),
		CASE(numbers_come_from_durable_ids),
		CASE(numbers_that_mean_nothing_are_refused),
		CASE(names_that_are_not_there_are_not_found),
		CASE(ram_is_there_only_when_it_was_saved),
		CASE(a_manifest_is_there_only_when_it_was_made),
		CASE(dots_work_for_those_who_know_numbers_only),
		CASE(sizes_and_blocks_are_true),
		CASE(times_are_the_snapshots),
		CASE(directories_count_their_subdirectories),
		CASE(all_is_roots_by_default),
		CASE(a_group_may_read_but_not_command),
		CASE(listings_show_data_only),
		CASE(show_control_lists_the_rest),
		CASE(a_file_has_no_listing),
		CASE(a_hidden_snapshot_keeps_its_numbers_while_it_is_read),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
