/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/state/state.h"

#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[128];
	char path[160];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "state"));
	(void)snprintf(f->path, sizeof(f->path), "%s/state", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[160];

	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void refused(const struct fixture *f, int rc, const char *why)
{
	struct sf_state *state;
	struct sf_err err = {0};

	assert_int_equal(sf_state_open(f->path, &state, &err), rc);
	if (!strstr(err.text, why) || !strstr(err.text, f->path))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void make_file(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(sf_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void a_new_directory_gets_an_id_and_keeps_it(void **state)
{
	const struct fixture *f = *state;
	struct sf_state *first, *second;
	struct sf_id id;
	struct stat st;

	assert_int_equal(sf_state_open(f->path, &first, NULL), 0);
	id = sf_state_id(first);
	sf_state_close(first);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(sf_state_open(f->path, &second, NULL), 0);
	assert_true(sf_id_equal(&id, &(struct sf_id){.bytes = {0}}) == false);
	{
		struct sf_id again = sf_state_id(second);

		assert_true(sf_id_equal(&id, &again));
	}
	sf_state_close(second);
}

static void a_second_daemon_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct sf_state *first;

	assert_int_equal(sf_state_open(f->path, &first, NULL), 0);
	refused(f, -EBUSY, "in use by another snapfs");
	sf_state_close(first);
}

static void a_symbolic_link_is_not_followed(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(symlink("/tmp", f->path), 0);
	refused(f, -ENOTDIR, "symbolic link");
}

static void a_file_is_not_a_directory(void **state)
{
	const struct fixture *f = *state;
	int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	refused(f, -ENOTDIR, "Not a directory");
}

static void a_missing_parent_is_named(void **state)
{
	struct fixture *f = *state;

	(void)snprintf(f->path, sizeof(f->path), "%s/no/state", f->dir);
	refused(f, -ENOENT, "No such file");
}

static void a_directory_that_others_write_to_is_refused(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(chmod(f->path, 0770), 0);
	refused(f, -EPERM, "mode 0770");
}

static void someone_elses_directory_is_refused(void **state)
{
	const struct fixture *f = *state;

	if (geteuid() != 0) {
		print_message("# skipped: only root can give a directory away\n");
		return;
	}
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(chown(f->path, 65534, 65534), 0);
	refused(f, -EPERM, "belongs to user 65534");
}

static void a_directory_of_other_things_is_refused(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(mkdir(f->path, 0700), 0);
	make_file(f, "thesis.tex", "x");
	refused(f, -ENOTEMPTY, "thesis.tex");
}

static void a_fresh_file_system_is_fine(void **state)
{
	const struct fixture *f = *state;
	struct sf_state *opened;
	char path[200];

	assert_int_equal(mkdir(f->path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/lost+found", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(sf_state_open(f->path, &opened, NULL), 0);
	sf_state_close(opened);
}

static void a_damaged_id_is_never_replaced(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(mkdir(f->path, 0700), 0);
	make_file(f, "id", "0123");
	refused(f, -EINVAL, "does not hold an id");
}

static void a_blank_directory_takes_over_an_identity(void **state)
{
	const struct fixture *f = *state;
	struct sf_id other = sf_id_new(), own;
	struct sf_state *opened;
	struct sf_err err = {0};
	bool blank = false;
	int vm;

	assert_int_equal(sf_state_open(f->path, &opened, NULL), 0);
	assert_int_equal(sf_state_is_blank(opened, &blank, NULL), 0);
	assert_true(blank);
	assert_int_equal(sf_state_adopt(opened, &other, &err), 0);
	own = sf_state_id(opened);
	assert_true(sf_id_equal(&own, &other));
	sf_state_close(opened);
	assert_int_equal(sf_state_open(f->path, &opened, NULL), 0);
	own = sf_state_id(opened);
	assert_true(sf_id_equal(&own, &other));
	vm = sf_state_vm_dir(opened, "web", true, NULL);
	close(vm);
	assert_int_equal(sf_state_is_blank(opened, &blank, NULL), 0);
	assert_false(blank);
	assert_int_equal(sf_state_adopt(opened, &other, &err), 0); /* it has this identity already */
	other = sf_id_new();
	assert_int_equal(sf_state_adopt(opened, &other, &err), -ENOTEMPTY);
	assert_non_null(strstr(err.text, "holds 'web': only an empty one can take over"));
	own = sf_state_id(opened);
	assert_false(sf_id_equal(&own, &other));
	sf_state_close(opened);
}

static void removing_a_snapshot_spares_foreign_files(void **state)
{
	const struct fixture *f = *state;
	struct sf_state *opened;
	struct sf_err err = {0};
	int vm;

	assert_int_equal(sf_state_open(f->path, &opened, NULL), 0);
	vm = sf_state_vm_dir(opened, "web", true, NULL);
	assert_true(vm >= 0);
	assert_int_equal(sf_durable_mkdir(vm, "a", 0700, NULL), 0);
	make_file(f, "web/a/meta.json", "{}");
	make_file(f, "web/a/memory.sav", "ram");
	make_file(f, "web/a/notes.txt", "mine");
	assert_int_equal(sf_state_remove_snapshot(vm, "a", &err), -ENOTEMPTY);
	assert_int_equal(unlinkat(vm, "a/notes.txt", 0), 0);
	assert_int_equal(sf_state_remove_snapshot(vm, "a", &err), 0);
	assert_int_equal(sf_state_remove_snapshot(vm, "a", &err), 0); /* success if it does not exist */
	close(vm);
	sf_state_close(opened);
}

static void removing_a_snapshot_removes_its_maps_and_no_others(void **state)
{
	static const char *const ours[] = {"disk-vda.extents", ".disk-vda.extents.tmp",
					   "disk-abcdefghijklmno.extents"};
	static const char *const not_ours[] = {
		"disk-VDA.extents",  "disk-.extents",      "disk-vda.extents.tmp",
		".disk-vda.extents", "disk-vda.extents2",  "disk-abcdefghijklmnop.extents",
		"disk-vda",          "my-disk-vda.extents"};
	const struct fixture *f = *state;
	struct sf_state *opened;
	char path[100];
	int vm;

	assert_int_equal(sf_state_open(f->path, &opened, NULL), 0);
	vm = sf_state_vm_dir(opened, "web", true, NULL);
	assert_int_equal(sf_durable_mkdir(vm, "a", 0700, NULL), 0);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		(void)snprintf(path, sizeof(path), "web/a/%s", ours[i]);
		make_file(f, path, "map");
	}
	assert_int_equal(sf_state_remove_snapshot(vm, "a", NULL), 0);
	assert_int_equal(sf_durable_mkdir(vm, "a", 0700, NULL), 0);
	for (size_t i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++) {
		(void)snprintf(path, sizeof(path), "web/a/%s", not_ours[i]);
		make_file(f, path, "not a map");
		assert_int_equal(sf_state_remove_snapshot(vm, "a", NULL), -ENOTEMPTY);
		assert_int_equal(unlinkat(vm, path + strlen("web/"), 0), 0);
	}
	close(vm);
	sf_state_close(opened);
}

static void a_link_in_place_of_a_vm_is_not_followed(void **state)
{
	const struct fixture *f = *state;
	struct sf_state *opened;
	char path[200];

	assert_int_equal(sf_state_open(f->path, &opened, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/web", f->path);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(sf_state_vm_dir(opened, "web", true, NULL), -ENOTDIR);
	sf_state_close(opened);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_directory_gets_an_id_and_keeps_it),
		CASE(a_second_daemon_is_refused),
		CASE(a_symbolic_link_is_not_followed),
		CASE(a_file_is_not_a_directory),
		CASE(a_missing_parent_is_named),
		CASE(a_directory_that_others_write_to_is_refused),
		CASE(someone_elses_directory_is_refused),
		CASE(a_directory_of_other_things_is_refused),
		CASE(a_fresh_file_system_is_fine),
		CASE(a_damaged_id_is_never_replaced),
		CASE(a_blank_directory_takes_over_an_identity),
		CASE(removing_a_snapshot_spares_foreign_files),
		CASE(removing_a_snapshot_removes_its_maps_and_no_others),
		CASE(a_link_in_place_of_a_vm_is_not_followed),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
