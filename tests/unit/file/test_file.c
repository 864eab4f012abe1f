/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about a live image, and holding it. */
#include "file_fixture.h"

#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static void paths_that_are_no_block_device_are_claimed(void **state)
{
	struct fixture *f = *state;
	char path[2048];

	assert_true(f->storage->ops->claims(f->storage, in(path, f->dir, "missing.img"), NULL));
	assert_true(f->storage->ops->claims(f->storage, f->dir, NULL));
	assert_false(f->storage->ops->claims(f->storage, "web.img", NULL));
	assert_false(f->storage->ops->claims(f->storage, "mem:64M", NULL));
	assert_false(f->storage->ops->claims(f->storage, "", NULL));
	in(path, f->dir, "disk");
	if (mknod(path, S_IFBLK | 0600, makedev(7, 0)) < 0) {
		print_message("# skipped: no block device can be made: %s\n", strerror(errno));
		skip();
	}
	assert_false(f->storage->ops->claims(f->storage, path, NULL));
}

static void refused(struct fixture *f, const char *path, int rc, const char *text)
{
	struct sf_disk disk = {.vdev = "vda"};
	struct sf_volume *volume = NULL;
	struct sf_err err = {0};

	snprintf(disk.spec, sizeof(disk.spec), "%s", path);
	failed(sf_volume_open(&f->set, "web", &disk, &volume, &err), rc, &err, text);
	assert_null(volume);
}

static void what_is_no_image_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[2048];

	refused(f, in(path, f->dir, "missing.img"), -ENOENT, "missing.img: No such file or directory");
	refused(f, f->dir, -EINVAL, "is a directory");
	assert_int_equal(mkfifo(in(path, f->dir, "fifo"), 0600), 0);
	refused(f, path, -EINVAL, "fifo is not a regular file");
	assert_int_equal(mknod(in(path, f->dir, "empty"), S_IFREG | 0600, 0), 0);
	refused(f, path, -EINVAL, "empty is empty");
	refused(f, "/proc/self/status/web.img", -ENOTDIR, "Not a directory");
}

static void a_vmdk_descriptor_is_refused(void **state)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nRW 16384 FLAT \"web-flat.vmdk\" 0\n";
	struct fixture *f = *state;
	char path[2048];
	int fd = open(in(path, f->dir, "web.vmdk"), O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	refused(f, path, -EINVAL, "web.vmdk is the descriptor of a VMDK");
	refused(f, path, -EINVAL, "qemu-img convert -O raw");
}

static void add_note(void *arg, const char *text)
{
	strcat(arg, text);
	strcat(arg, "\n");
}

static void assert_notes(struct fixture *f, const char *want)
{
	char notes[1024] = "";

	assert_int_equal(sf_volume_notes(f->volume, add_note, notes, NULL), 0);
	assert_string_equal(notes, want);
}

static void a_container_is_noted_and_not_refused(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *again;

	assert_notes(f, "");
	assert_int_equal(sf_volume_write(f->volume, "QFI\xfb\0\0\0\3", 8, 0, NULL), 0);
	assert_notes(f, "it starts with a qcow2 header: snapshots hold that container, not the disk in it\n");
	again = open_volume(f, f->image);
	sf_volume_close(again);
	/* A guest may write this text to its raw disk. */
	assert_int_equal(sf_volume_write(f->volume, "# Disk DescriptorFile\n", 22, 0, NULL), 0);
	assert_notes(f, "it starts with a VMDK header: snapshots hold that container, not the disk in it\n");
	again = open_volume(f, f->image);
	sf_volume_close(again);
}

static void a_symbolic_link_leads_to_its_image(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume;
	char path[2048];

	assert_int_equal(symlink("web.img", in(path, f->dir, "link.img")), 0);
	volume = open_volume(f, path);
	assert_string_equal(volume->origin, f->image);
	sf_volume_close(volume);
}

static void reads_and_writes_reach_the_image(void **state)
{
	struct fixture *f = *state;
	struct sf_volume_stat st;
	char buf[4];

	assert_int_equal(sf_volume_stat(f->volume, &st, NULL), 0);
	assert_int_equal(st.size_bytes, IMAGE_SIZE);
	assert_in_range(st.allocated_bytes, DATA_LEN, DATA_LEN + 64 * KIB);
	assert_string_equal(st.method, st.instant ? "reflink" : "copy");
	assert_int_equal(sf_volume_write(f->volume, "bcd", 3, DATA_OFF + 5, NULL), 0);
	assert_int_equal(sf_volume_read(f->volume, buf, 4, DATA_OFF + 5, NULL), 0);
	assert_memory_equal(buf, "bcda", 4);
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0); /* we no longer count as a writer */
}

static void probing_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct stat before = stat_of(f->dir);

	assert_int_equal(instant(f), instant(f));
	assert_int_equal(stat_of(f->dir).st_nlink, before.st_nlink);
	assert_false(there(f->ours));
}

/*
 * xfs and btrfs can share blocks, so snapshots there must be instant. with-fs knows what it mounted and says
 * so.
 */
static void it_is_instant_where_it_must_be(void **state)
{
	struct fixture *f = *state;
	const char *want = getenv("SNAPFS_TEST_REFLINK");

	if (!want) {
		print_message("# skipped: SNAPFS_TEST_REFLINK does not say what to expect here\n");
		skip();
	}
	assert_int_equal(instant(f), strcmp(want, "yes") == 0);
}

static void cost_says_what_a_copy_takes(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f), none = object_of(f->volume);
	struct sf_space pool = {0}, space = {0};
	struct sf_err err = {0};
	uint64_t need = 7;

	assert_int_equal(sf_volume_space(f->volume, &space, NULL), 0);
	assert_true(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
	put(f->image, 'b', 2 * MIB, 4 * MIB);
	assert_int_equal(sf_volume_cost(f->volume, SF_FOR_CREATE, NULL, &pool, &need, NULL), 0);
	assert_string_equal(pool.pool, space.pool);
	assert_in_range(need, instant(f) ? 4096 : 2 * MIB + DATA_LEN, instant(f) ? MIB : 3 * MIB);
	assert_int_equal(sf_volume_cost(f->volume, SF_FOR_REVERT, &object, &pool, &need, NULL), 0);
	assert_in_range(need, instant(f) ? 4096 : DATA_LEN, instant(f) ? MIB : DATA_LEN + 64 * KIB);
	need = 7;
	failed(sf_volume_cost(f->volume, SF_FOR_REVERT, &none, &pool, &need, &err), -ENOENT, &err,
	       "No such file");
	assert_int_equal(need, 7);
}

static void a_claim_is_granted_and_given_back(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	failed(sf_volume_hold_check(f->volume, &err), -EBUSY, &err, "is not held");
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(sf_volume_hold_check(f->volume, NULL), 0);
	sf_volume_release(f->volume);
	sf_volume_release(f->volume);
	f->other = open(f->image, O_WRONLY | O_NONBLOCK);
	assert_true(f->other >= 0);
}

static void a_writer_makes_the_claim_fail(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	f->other = open(f->image, O_RDWR);
	failed(sf_volume_hold(f->volume, &err), -EBUSY, &err, "web.img is open for writing by someone else");
	close(f->other);
	f->other = open(f->image, O_RDONLY);
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
}

static void a_writer_in_another_process_makes_the_claim_fail(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};
	int ready[2], done[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready) + pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		close(done[1]);
		(void)!write(ready[1], open(f->image, O_RDWR) >= 0 ? "y" : "n", 1);
		(void)!read(done[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	failed(sf_volume_hold(f->volume, &err), -EBUSY, &err, "is open for writing by someone else");
	close(done[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(done[0]);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
}

static void a_writer_that_comes_later_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	failed(sf_volume_write(f->volume, "x", 1, 0, &err), -EBUSY, &err, "web.img is held");
	failed(sf_volume_hold_check(f->volume, &err), -EBUSY, &err, "someone else wants to write");
	failed(sf_volume_hold(f->volume, &err), -EBUSY, &err, "someone else wants to write");
	sf_volume_release(f->volume);
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
}

/*
 * Breaking a lease raises SIGIO unless configured otherwise, which kills a process without a handler for it.
 */
static void a_writer_that_comes_later_kills_nobody(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGIO, SIG_DFL);
		if (sf_volume_hold(f->volume, NULL) < 0)
			_exit(1);
		if (open(f->image, O_WRONLY | O_NONBLOCK) >= 0 || errno != EWOULDBLOCK)
			_exit(2);
		_exit(sf_volume_hold_check(f->volume, NULL) == -EBUSY ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void another_file_under_the_name_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};
	char path[2048];

	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(rename(f->image, in(path, f->dir, "moved")), 0);
	failed(sf_volume_hold_check(f->volume, &err), -EBUSY, &err, "No such file");
	put(f->image, 'x', 1, 0);
	failed(sf_volume_hold_check(f->volume, &err), -EBUSY, &err, "someone else replaced it");
}

static void a_claim_that_cannot_be_told_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};
	int rc;

	assert_int_equal(chmod(f->image, 0644), 0);
	if (geteuid() != 0 || seteuid(65534) < 0) {
		print_message("# skipped: only root can pretend to be someone else\n");
		skip();
	}
	f->other = open(f->image, O_RDONLY);
	if (f->other < 0 && seteuid(0) == 0) {
		print_message("# skipped: others cannot reach the test directory\n");
		skip();
	}
	rc = sf_volume_hold(f->volume, &err); /* a lease needs ownership of the file */
	assert_int_equal(seteuid(0), 0);
	failed(rc, -EBUSY, &err, "cannot tell whether");
	assert_non_null(strstr(err.text, "is in use: Permission denied"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_dir(paths_that_are_no_block_device_are_claimed),
		with_dir(what_is_no_image_is_refused),
		with_dir(a_vmdk_descriptor_is_refused),
		with_image(a_container_is_noted_and_not_refused),
		with_image(a_symbolic_link_leads_to_its_image),
		with_image(reads_and_writes_reach_the_image),
		with_image(probing_leaves_nothing_behind),
		with_image(it_is_instant_where_it_must_be),
		with_image(cost_says_what_a_copy_takes),
		with_image(a_claim_is_granted_and_given_back),
		with_image(a_writer_makes_the_claim_fail),
		with_image(a_writer_in_another_process_makes_the_claim_fail),
		with_image(a_writer_that_comes_later_is_noticed),
		with_image(a_writer_that_comes_later_kills_nobody),
		with_image(another_file_under_the_name_is_noticed),
		with_image(a_claim_that_cannot_be_told_is_refused),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
