/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Manifests of snapshots, on a complete engine. */
#include "engine_fixture.h"

#include "base/json.h"
#include "core/state/manifest.h"

/* A manifest for the snapshot; the hashes of its disks consist of the byte fill. */
static struct sf_manifest manifest_of(const struct sf_record *record, unsigned char fill)
{
	struct sf_manifest manifest = {.n = record->ndisks};

	for (size_t i = 0; i < record->ndisks; i++) {
		struct sf_manifest_file *file = &manifest.files[i];

		sf_disk_file_name(i, record->disks[i].object.vdev, file->name);
		file->size_bytes = record->disks[i].stat.size_bytes;
		memset(&file->xxh3_128, fill, sizeof(file->xxh3_128));
	}
	if (record->memory.present) {
		struct sf_manifest_file *file = &manifest.files[manifest.n++];

		(void)snprintf(file->name, sizeof(file->name), "memory.sav");
		file->size_bytes = record->memory.size_bytes;
		memcpy(&file->xxh3_128, record->memory.xxh3_128, sizeof(file->xxh3_128));
	}
	return manifest;
}

static int set(struct fixture *f, const char *name, unsigned char fill, struct sf_err *err)
{
	struct sf_snapshot *snapshot = fixture_find(f, "web", name);
	struct sf_manifest manifest;
	int rc;

	assert_non_null(snapshot);
	manifest = manifest_of(&snapshot->record, fill);
	rc = sf_engine_set_manifest(f->engine, snapshot->id, &manifest, err);
	sf_snapshot_unref(snapshot);
	return rc;
}

/* Asserts that the first file's hash begins with these two digits; NULL: that there is no manifest. */
static void has(struct fixture *f, const char *name, const char *digits)
{
	struct sf_snapshot *snapshot = fixture_find(f, "web", name);
	auto_json json_t *root = NULL;
	struct sf_err err = {0};
	const json_t *file;
	char uuid[SF_ID_TEXT], *text;

	assert_non_null(snapshot);
	if (!digits) {
		assert_int_equal(snapshot->manifest_bytes, 0);
		assert_int_equal(sf_engine_manifest(f->engine, snapshot, &text, &err), -ENOENT);
		sf_snapshot_unref(snapshot);
		return;
	}
	if (sf_engine_manifest(f->engine, snapshot, &text, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	root = sf_json_parse_object(text, strlen(text), "manifest.json", NULL);
	file = json_array_get(json_object_get(root, "files"), 0);
	assert_memory_equal(json_string_value(json_object_get(file, "xxh3_128")), digits, 2);
	sf_id_format(&snapshot->record.uuid, uuid);
	assert_string_equal(json_string_value(json_object_get(root, "snapshot")), uuid);
	assert_int_equal(snapshot->manifest_bytes, strlen(text));
	assert_true(snapshot->manifest_ns > snapshot->record.taken_ns);
	free(text);
	sf_snapshot_unref(snapshot);
}

static bool file_there(const struct fixture *f, const char *name)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/web/%s", f->state_dir, name);
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void plant(const struct fixture *f, const char *name, size_t size)
{
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/web/%s", f->state_dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	(void)close(fd);
}

static void it_is_kept_and_replaced(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *before, *after;

	fixture_create(f, "web", "a");
	has(f, "a", NULL);
	before = fixture_find(f, "web", "a");
	assert_int_equal(set(f, "a", 0x11, NULL), 0);
	has(f, "a", "11");
	after = fixture_find(f, "web", "a");
	assert_int_equal(after->record.edited_ns, before->record.edited_ns);
	assert_int_equal(after->meta_len, before->meta_len);
	sf_snapshot_unref(before);
	sf_snapshot_unref(after);
	assert_int_equal(set(f, "a", 0x22, NULL), 0);
	has(f, "a", "22");
	fixture_reopen(f, "");
	has(f, "a", "22");
}

static void the_time_of_the_file_is_when_it_was_made(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	auto_json json_t *root = NULL;
	uint64_t made_ns;
	char *text;

	fixture_create(f, "web", "a");
	assert_int_equal(set(f, "a", 0x11, NULL), 0);
	fixture_reopen(f, "");
	snapshot = fixture_find(f, "web", "a");
	assert_int_equal(sf_engine_manifest(f->engine, snapshot, &text, NULL), 0);
	root = sf_json_parse_object(text, strlen(text), "manifest.json", NULL);
	assert_int_equal(sf_json_time(root, "made", &made_ns, NULL), 0);
	assert_true(made_ns == snapshot->manifest_ns);
	free(text);
	sf_snapshot_unref(snapshot);
}

static void renames_edits_and_reverts_keep_it(void **state)
{
	struct sf_revert_request request = {.discard = true};
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;

	fixture_create(f, "web", "a");
	assert_int_equal(set(f, "a", 0x33, NULL), 0);
	assert_int_equal(sf_engine_rename(f->engine, fixture_vm(f, "web"), "a", "b", NULL), 0);
	has(f, "b", "33");
	snapshot = fixture_find(f, "web", "b");
	assert_int_equal(sf_engine_describe(f->engine, snapshot->id, "new", NULL), 0);
	sf_snapshot_unref(snapshot);
	has(f, "b", "33");
	assert_int_equal(sf_engine_revert(f->engine, fixture_vm(f, "web"), "b", &request, NULL, NULL), 0);
	has(f, "b", "33");
}

static void it_goes_with_its_snapshot(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	fixture_create(f, "web", "b");
	assert_int_equal(set(f, "a", 0x11, NULL), 0);
	plant(f, "a/.manifest.json.tmp", 3);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
	assert_false(file_there(f, "a"));
	fixture_create(f, "web", "a");
	has(f, "a", NULL);
	has(f, "b", NULL);
}

static void a_reader_has_it_until_the_snapshot_is_gone(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	struct sf_image *image;
	struct sf_err err = {0};
	char *text;

	fixture_create(f, "web", "a");
	assert_int_equal(set(f, "a", 0x11, NULL), 0);
	snapshot = fixture_find(f, "web", "a");
	assert_int_equal(sf_engine_image_open(f->engine, snapshot, 0, &image, &err), 0);
	assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), "a", NULL, NULL), 0);
	assert_int_equal(sf_engine_manifest(f->engine, snapshot, &text, &err), 0);
	free(text);
	assert_int_equal(sf_engine_set_manifest(f->engine, snapshot->id, &(struct sf_manifest){.n = 0}, &err),
			 -ENOENT);
	fixture_says(err.text, "the snapshot is being deleted");
	sf_engine_image_close(f->engine, snapshot->id, image);
	sf_snapshot_unref(snapshot);
}

static void one_that_does_not_fit_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	struct sf_manifest manifest;
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	assert_int_equal(set(f, "a", 0x11, NULL), 0);
	snapshot = fixture_find(f, "web", "a");
	assert_true(snapshot->record.memory.present);
	manifest = manifest_of(&snapshot->record, 0x22);
	manifest.files[manifest.n - 1].xxh3_128.bytes[3] ^= 1;
	assert_int_equal(sf_engine_set_manifest(f->engine, snapshot->id, &manifest, &err), -EIO);
	fixture_says(err.text, "memory.sav does not have the recorded hash");
	manifest = manifest_of(&snapshot->record, 0x22);
	manifest.n--;
	assert_int_equal(sf_engine_set_manifest(f->engine, snapshot->id, &manifest, &err), -EINVAL);
	fixture_says(err.text, "the manifest lacks memory.sav");
	sf_snapshot_unref(snapshot);
	has(f, "a", "11");
}

static void what_cannot_be_read_gets_none(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	fixture_create(f, "web", "a");
	fixture_reopen(f, "storage.stat@*=ESTALE");
	assert_int_equal(set(f, "a", 0x11, &err), -ESTALE);
	fixture_says(err.text, "disk vda: ");
	fixture_reopen(f, "storage.stat@*=ENOENT");
	assert_int_equal(set(f, "a", 0x11, &err), -EIO);
	fixture_reopen(f, "");
	has(f, "a", NULL);
	assert_int_equal(set(f, "a", 0x11, &err), 0);
}

static void what_a_crash_leaves_is_removed(void **state)
{
	struct fixture *f = *state;

	fixture_create(f, "web", "a");
	assert_int_equal(set(f, "a", 0x11, NULL), 0);
	plant(f, "a/.manifest.json.tmp", 3);
	fixture_reopen(f, "");
	assert_false(file_there(f, "a/.manifest.json.tmp"));
	has(f, "a", "11");
}

static void other_things_of_that_name_are_none(void **state)
{
	struct fixture *f = *state;
	struct sf_snapshot *snapshot;
	char path[300];

	fixture_create(f, "web", "empty");
	fixture_create(f, "web", "large");
	fixture_create(f, "web", "link");
	plant(f, "empty/manifest.json", 0);
	plant(f, "large/manifest.json", SF_MANIFEST_BYTES_MAX + 1);
	(void)snprintf(path, sizeof(path), "%s/web/link/manifest.json", f->state_dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	fixture_reopen(f, "");
	for (int i = 0; i < 3; i++) {
		const char *name = (const char *const[]){"empty", "large", "link"}[i];

		snapshot = fixture_find(f, "web", name);
		assert_int_equal(snapshot->manifest_bytes, 0);
		sf_snapshot_unref(snapshot);
		assert_int_equal(sf_engine_delete(f->engine, fixture_vm(f, "web"), name, NULL, NULL), 0);
		assert_false(file_there(f, name));
	}
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_is_kept_and_replaced),
		CASE(the_time_of_the_file_is_when_it_was_made),
		CASE(renames_edits_and_reverts_keep_it),
		CASE(it_goes_with_its_snapshot),
		CASE(a_reader_has_it_until_the_snapshot_is_gone),
		CASE(one_that_does_not_fit_changes_nothing),
		CASE(what_cannot_be_read_gets_none),
		CASE(what_a_crash_leaves_is_removed),
		CASE(other_things_of_that_name_are_none),
	};

	return cmocka_run_group_tests_name("engine_manifest", tests, NULL, NULL);
}
