/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revert of a live image file. */
#include "file_fixture.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static void revert_brings_the_old_content_back(void **state)
{
	struct fixture *f = *state;
	struct sf_object old = taken(f), newer;
	char path[2048], newer_path[2048];
	struct sf_job job = {0};
	ino_t before = stat_of(f->image).st_ino;

	put(f->image, 'b', DATA_LEN, DATA_OFF);
	newer = taken(f);
	put(f->image, 'c', 10 * MIB, 0); /* longer than before, too */
	assert_int_equal(sf_volume_revert(f->volume, &old, &job, NULL), 0);
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
	assert_int_equal(byte_at(f->image, 0), 0);
	assert_int_equal(stat_of(f->image).st_size, IMAGE_SIZE);
	assert_true(stat_of(f->image).st_ino != before);
	assert_int_equal(byte_at(kept_file(f, path, "", &old, ".img"), DATA_OFF), 'a');
	assert_int_equal(byte_at(kept_file(f, newer_path, "", &newer, ".img"), DATA_OFF), 'b');
	assert_false(there(kept_file(f, path, "revert-", &old, ".tmp")));
	assert_int_equal(atomic_load(&job.done_bytes), atomic_load(&job.total_bytes));
	put(f->image, 'd', DATA_LEN, DATA_OFF); /* must not change the snapshot */
	assert_int_equal(byte_at(kept_file(f, path, "", &old, ".img"), DATA_OFF), 'a');
	assert_int_equal(sf_volume_revert(f->volume, &old, NULL, NULL), 0);
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
}

static void revert_through_a_link_keeps_the_link(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_volume *volume;
	char path[2048];

	put(f->image, 'b', DATA_LEN, DATA_OFF);
	assert_int_equal(symlink("web.img", in(path, f->dir, "link.img")), 0);
	volume = open_volume(f, path);
	assert_int_equal(sf_volume_revert(volume, &object, NULL, NULL), 0);
	sf_volume_close(volume);
	assert_true(S_ISLNK(stat_of(path).st_mode));
	assert_true(S_ISREG(stat_of(f->image).st_mode));
	assert_int_equal(byte_at(path, DATA_OFF), 'a');
}

static void revert_keeps_owner_and_mode(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	bool root = chown(f->image, 4711, 4712) == 0;
	struct stat st;

	assert_int_equal(chmod(f->image, 02664), 0);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	st = stat_of(f->image);
	assert_int_equal(st.st_mode, S_IFREG | 02664);
	assert_int_equal(st.st_uid, root ? 4711 : geteuid());
	assert_int_equal(st.st_gid, root ? 4712 : getegid());
}

static void revert_keeps_extended_attributes(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	char value[16] = "";

	if (setxattr(f->image, "user.role", "old", 3, 0) < 0) {
		print_message("# skipped: no extended attributes here: %s\n", strerror(errno));
		skip();
	}
	object = taken(f);
	assert_int_equal(setxattr(f->image, "user.role", "boot disk", 9, 0), 0);
	assert_int_equal(setxattr(f->image, "user.empty", "", 0, 0), 0);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_int_equal(getxattr(f->image, "user.role", value, sizeof(value)), 9);
	assert_memory_equal(value, "boot disk", 9);
	assert_int_equal(getxattr(f->image, "user.empty", value, sizeof(value)), 0);
}

/* linux/posix_acl_xattr.h, little-endian: version 2, then tag, permissions and id of each entry. */
static const unsigned char acl[] = {
	2, 0, 0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,   7,  0, 0x67, 0x12, 0,   0,   4,   0,
	5, 0, 255, 255, 255, 255, 16, 0, 7,   0,   255, 255, 255, 255, 32, 0, 0,    0,    255, 255, 255, 255,
};

static void revert_keeps_an_acl(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	unsigned char value[64];

	if (setxattr(f->image, "system.posix_acl_access", acl, sizeof(acl), 0) < 0) {
		print_message("# skipped: no access control lists here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_int_equal(getxattr(f->image, "system.posix_acl_access", value, sizeof(value)), sizeof(acl));
	assert_memory_equal(value, acl, sizeof(acl));
	assert_int_equal(stat_of(f->image).st_mode, S_IFREG | 0770);
}

static void revert_adds_no_acl_of_the_directory(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	mode_t before;

	if (setxattr(f->dir, "system.posix_acl_default", acl, sizeof(acl), 0) < 0) {
		print_message("# skipped: no access control lists here: %s\n", strerror(errno));
		skip();
	}
	before = stat_of(f->image).st_mode; /* created before the default ACL was set, so without an ACL */
	object = taken(f);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_int_equal(getxattr(f->image, "system.posix_acl_access", NULL, 0), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(stat_of(f->image).st_mode, before);
}

/* Asserts that the image was not replaced and that no file of the attempt is left. */
static void untouched(struct fixture *f, const struct sf_object *object, ino_t before)
{
	char path[2048];

	assert_int_equal(stat_of(f->image).st_ino, before);
	assert_int_equal(byte_at(f->image, DATA_OFF), 'b');
	assert_false(there(kept_file(f, path, "revert-", object, ".tmp")));
}

static struct sf_object taken_and_changed(struct fixture *f, ino_t *ret_ino)
{
	struct sf_object object = taken(f);

	put(f->image, 'b', DATA_LEN, DATA_OFF);
	*ret_ino = stat_of(f->image).st_ino;
	return object;
}

static void add_note(void *arg, const char *text)
{
	(void)snprintf(arg, 256, "%s", text);
}

/* Refuses before anything is done, and is noted before it is needed. */
static void refuses(struct fixture *f, const struct sf_object *object, ino_t before, int rc, const char *text)
{
	struct sf_err err = {0};
	struct sf_space pool;
	char note[256] = "", named[300];
	uint64_t need;

	snprintf(named, sizeof(named), "web.img: %s", text);
	failed(sf_volume_cost(f->volume, SF_FOR_REVERT, object, &pool, &need, &err), rc, &err, named);
	failed(sf_volume_revert(f->volume, object, NULL, &err), rc, &err, named);
	untouched(f, object, before);
	assert_int_equal(sf_volume_notes(f->volume, add_note, note, NULL), 0);
	assert_string_equal(note, text);
}

static void an_image_with_two_names_is_not_reverted(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	char path[2048];

	assert_int_equal(link(f->image, in(path, f->dir, "second")), 0);
	refuses(f, &object, before, -EOPNOTSUPP, "it has 2 hard links: only one of them could be reverted");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
}

static bool is_full(const struct stat *st)
{
	return st->st_blocks >= (st->st_size + 511) / 512;
}

static void a_preallocated_image_stays_so(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->image, O_WRONLY);
	struct sf_object object;
	struct sf_object_stat snapshot;
	struct sf_space pool;
	uint64_t need;
	struct stat st;

	if (fallocate(fd, 0, 0, IMAGE_SIZE) < 0) {
		print_message("# skipped: nothing can be preallocated here: %s\n", strerror(errno));
		close(fd);
		return;
	}
	close(fd);
	object = taken(f);
	assert_int_equal(sf_object_stat(f->storage, &object, &snapshot, NULL), 0);
	assert_int_equal(sf_volume_cost(f->volume, SF_FOR_REVERT, &object, &pool, &need, NULL), 0);
	/* What is not shared is copied, and the holes of the snapshot are filled. */
	assert_true(need >= (instant(f) ? IMAGE_SIZE - snapshot.allocated_bytes : IMAGE_SIZE));
	put(f->image, 'b', DATA_LEN, DATA_OFF);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	st = stat_of(f->image);
	assert_true(is_full(&st));
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
	assert_int_equal(byte_at(f->image, 0), 0);
}

static void a_sparse_image_stays_so(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_space pool;
	uint64_t need;
	struct stat st;

	assert_int_equal(sf_volume_cost(f->volume, SF_FOR_REVERT, &object, &pool, &need, NULL), 0);
	assert_true(need <= 2 * MIB);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	st = stat_of(f->image);
	assert_true(st.st_blocks * 512 <= 2 * MIB);
}

/* False where the file system refuses the flags. */
static bool change_flags(const char *path, int add, int drop)
{
	int fd = open(path, O_RDONLY), flags, rc = -1;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags = (flags | add) & ~drop;
		rc = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
	return rc == 0;
}

static int flags_of(const char *path)
{
	int fd = open(path, O_RDONLY), flags = 0;

	assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	close(fd);
	return flags;
}

static void revert_keeps_inode_flags(void **state)
{
	static const int flags[] = {FS_NODUMP_FL, FS_NOATIME_FL, FS_SYNC_FL,
				    FS_COMPR_FL,  FS_NOCOMP_FL,  FS_JOURNAL_DATA_FL};
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	int want, n = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		n += change_flags(f->image, flags[i], 0);
	if (n == 0) {
		print_message("# skipped: no inode flags here\n");
		skip();
	}
	want = flags_of(f->image);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_int_equal(flags_of(f->image), want);
}

static void revert_adds_no_flags_of_the_directory(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	int want;

	if (!change_flags(f->dir, FS_NODUMP_FL, 0)) {
		print_message("# skipped: no inode flags here\n");
		skip();
	}
	want = flags_of(f->image);
	object = taken(f);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_int_equal(flags_of(f->image), want);
}

static void an_image_that_must_not_be_replaced_is_not(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);

	if (!change_flags(f->image, FS_IMMUTABLE_FL, 0)) {
		print_message("# skipped: no inode flags here\n");
		skip();
	}
	refuses(f, &object, before, -EPERM, "it is immutable: a revert needs chattr -i");
	assert_true(change_flags(f->image, FS_APPEND_FL, FS_IMMUTABLE_FL));
	refuses(f, &object, before, -EPERM, "it is append-only: a revert needs chattr -a");
	assert_true(change_flags(f->image, 0, FS_APPEND_FL));
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
}

static void a_cancelled_revert_changes_nothing(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	struct sf_job job = {0};
	struct sf_err err = {0};

	sf_job_cancel(&job);
	failed(sf_volume_revert(f->volume, &object, &job, &err), -EINTR, &err, "cancelled");
	untouched(f, &object, before);
}

static void a_revert_to_nothing_changes_nothing(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	struct sf_err err = {0};

	object.token = sf_id_new();
	failed(sf_volume_revert(f->volume, &object, NULL, &err), -ENOENT, &err, "No such file");
	untouched(f, &object, before);
}

static void a_revert_that_crashed_is_done_again(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	char path[2048];

	put(kept_file(f, path, "revert-", &object, ".tmp"), 'x', 3 * MIB, 20 * MIB);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_false(there(path));
	assert_int_equal(stat_of(f->image).st_size, IMAGE_SIZE);
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
}

static void a_held_image_is_reverted_and_let_go(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	struct sf_err err = {0};

	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
	failed(sf_volume_hold_check(f->volume, &err), -EBUSY, &err, "is not held");
	f->other = open(f->image, O_RDWR | O_NONBLOCK);
	assert_true(f->other >= 0);
	sf_volume_release(f->volume);
}

static void a_waiting_writer_stops_a_revert(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	struct sf_err err = {0};

	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(open(f->image, O_WRONLY | O_NONBLOCK), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	failed(sf_volume_revert(f->volume, &object, NULL, &err), -EBUSY, &err, "someone else wants to write");
	untouched(f, &object, before);
}

static void a_replaced_image_stops_a_revert(void **state)
{
	struct fixture *f = *state;
	ino_t before;
	struct sf_object object = taken_and_changed(f, &before);
	struct sf_err err = {0};
	char path[2048];

	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(rename(f->image, in(path, f->dir, "moved")), 0);
	put(f->image, 'b', DATA_LEN, DATA_OFF);
	before = stat_of(f->image).st_ino;
	failed(sf_volume_revert(f->volume, &object, NULL, &err), -EBUSY, &err, "someone else replaced it");
	untouched(f, &object, before);
}

static void a_revert_without_room_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_err err = {0};
	ino_t before;

	if (mount("tmpfs", f->dir, "tmpfs", 0, "size=6m,mode=0700") < 0) {
		print_message("# skipped: no small file system can be mounted: %s\n", strerror(errno));
		skip();
	}
	f->mounted = true;
	open_image(f);
	put(f->image, 'a', 2 * MIB, 4 * MIB);
	object = taken_and_changed(f, &before);
	failed(sf_volume_revert(f->volume, &object, NULL, &err), -ENOSPC, &err, "No space left");
	assert_non_null(strstr(err.text, "revert "));
	untouched(f, &object, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_image(revert_brings_the_old_content_back),
		with_image(revert_through_a_link_keeps_the_link),
		with_image(revert_keeps_owner_and_mode),
		with_image(revert_keeps_extended_attributes),
		with_image(revert_keeps_an_acl),
		with_image(revert_adds_no_acl_of_the_directory),
		with_image(an_image_with_two_names_is_not_reverted),
		with_image(an_image_that_must_not_be_replaced_is_not),
		with_image(a_preallocated_image_stays_so),
		with_image(a_sparse_image_stays_so),
		with_image(revert_keeps_inode_flags),
		with_image(revert_adds_no_flags_of_the_directory),
		with_image(a_cancelled_revert_changes_nothing),
		with_image(a_revert_to_nothing_changes_nothing),
		with_image(a_revert_that_crashed_is_done_again),
		with_image(a_held_image_is_reverted_and_let_go),
		with_image(a_waiting_writer_stops_a_revert),
		with_image(a_replaced_image_stops_a_revert),
		with_dir(a_revert_without_room_changes_nothing),
	};

	return cmocka_run_group_tests_name("file_revert", tests, NULL, NULL);
}
