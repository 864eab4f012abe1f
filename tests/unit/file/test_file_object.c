/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots of image files: create, list, read, remove. */
#include "file_fixture.h"

#include "backends/file/copy.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

static void a_snapshot_keeps_its_instant(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat made, found;
	struct sf_job job = {0};
	char path[2048];

	assert_int_equal(sf_object_create(f->volume, &object, &job, &made, NULL), 0);
	put(f->image, 'b', DATA_LEN, DATA_OFF);
	kept_file(f, path, "", &object, ".img");
	assert_int_equal(byte_at(path, DATA_OFF), 'a');
	assert_int_equal(byte_at(path, 0), 0);
	assert_int_equal(byte_at(path, IMAGE_SIZE - 1), 'z');
	assert_int_equal(made.size_bytes, IMAGE_SIZE);
	assert_string_equal(made.method, instant(f) ? "reflink" : "copy");
	assert_int_equal(sf_object_settle(f->storage, &object, NULL), 0);
	assert_int_equal(sf_object_stat(f->storage, &object, &found, NULL), 0);
	assert_int_equal(found.size_bytes, IMAGE_SIZE);
	assert_in_range(found.allocated_bytes, DATA_LEN, DATA_LEN + 64 * KIB);
	assert_string_equal(found.method, made.method);
	assert_int_equal(atomic_load(&job.done_bytes), atomic_load(&job.total_bytes));
}

/* ramfs has sparse files, but its SEEK_DATA finds no hole, as with NFS before 4.2 and many FUSE file systems.
 */
static void holes_that_cannot_be_found_are_not_written(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_object_stat st;
	char path[2048];
	int fd;

	if (mount("ramfs", f->dir, "ramfs", 0, "mode=0700") < 0) {
		print_message("# skipped: no ramfs can be mounted: %s\n", strerror(errno));
		skip();
	}
	f->mounted = true;
	open_image(f);
	fd = open(f->image, O_RDONLY);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), 0);
	close(fd);
	object = taken(f);
	assert_int_equal(sf_object_stat(f->storage, &object, &st, NULL), 0);
	assert_in_range(st.allocated_bytes, DATA_LEN, DATA_LEN + 64 * KIB);
	kept_file(f, path, "", &object, ".img");
	for (off_t off = 0; off < IMAGE_SIZE; off += 4 * KIB)
		assert_int_equal(byte_at(path, off), byte_at(f->image, off));
	assert_int_equal(byte_at(path, DATA_OFF + DATA_LEN - 1), 'a');
	assert_int_equal(byte_at(path, IMAGE_SIZE - 1), 'z');
}

/* --- labels --- */

struct labelled {
	unsigned n, nlabelled;
	char snapshot[SF_NAME_MAX + 1];
};

static int count_labelled(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct labelled *labelled = arg;

	(void)where;
	(void)err;
	labelled->n++;
	labelled->nlabelled += object->ndisks > 0;
	memcpy(labelled->snapshot, object->snapshot, sizeof(labelled->snapshot));
	return 0;
}

static void lists(struct fixture *f, unsigned nlabelled)
{
	struct labelled labelled = {.n = 0};

	assert_int_equal(sf_object_list(f->storage, f->volume->origin, count_labelled, &labelled, NULL), 0);
	assert_int_equal(labelled.n, 1);
	assert_int_equal(labelled.nlabelled, nlabelled);
}

static void labels_that_make_no_sense_are_none(void **state)
{
#define GOOD                                                                                                 \
	"\"vm\":\"web\",\"vm_uuid\":\"\",\"snapshot\":\"a\",\"uuid\":\"00112233445566778899aabbccddeeff\","  \
	"\"taken_ns\":1,\"vdev\":\"vda\",\"index\":0,\"ndisks\":1,\"uid\":0,\"gid\":0"
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{" GOOD ",\"image\":\"web.img\",\"mode\":384}",
		"{\"schema\":2," GOOD ",\"image\":\"web.img\",\"mode\":384}",
		"{\"schema\":1," GOOD ",\"image\":\"../web.img\",\"mode\":384}",
		"{\"schema\":1," GOOD ",\"image\":\"web.img\",\"mode\":65536}",
	};
	static const char good[] = "{\"schema\":1," GOOD ",\"image\":\"web.img\",\"mode\":384}";
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	char path[2048];

	kept_file(f, path, "", &object, ".img");
	if (setxattr(path, "user.snapfs", good, strlen(good), 0) < 0) {
		print_message("# skipped: no extended attributes here: %s\n", strerror(errno));
		skip();
	}
	lists(f, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(setxattr(path, "user.snapfs", bad[i], strlen(bad[i]), 0), 0);
		lists(f, 0);
	}
}

static void a_rename_keeps_what_a_newer_version_wrote(void **state)
{
	static const char newer[] = "{\"schema\": 2}";
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_err err = {0};
	char path[2048], now[64] = "";

	kept_file(f, path, "", &object, ".img");
	if (setxattr(path, "user.snapfs", newer, strlen(newer), 0) < 0) {
		print_message("# skipped: no extended attributes here: %s\n", strerror(errno));
		skip();
	}
	object.uuid = sf_id_new();
	object.ndisks = 1;
	failed(sf_object_relabel(f->storage, &object, &err), -EOPNOTSUPP, &err, "\"schema\" is 2");
	assert_int_equal(getxattr(path, "user.snapfs", now, sizeof(now)), strlen(newer));
	assert_string_equal(now, newer);
}

static void an_image_is_read_with_its_holes(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_image *image = NULL;
	uint64_t off;
	char buf[3];
	size_t len;

	assert_int_equal(sf_object_image(f->storage, &object, &image, NULL), 0);
	assert_int_equal(image->size_bytes, IMAGE_SIZE);
	assert_int_equal(sf_image_pread(image, buf, 3, IMAGE_SIZE - 2, &len, NULL), 0);
	assert_int_equal(len, 2);
	assert_memory_equal(buf, "\0z", 2);
	assert_int_equal(sf_image_seek(image, 0, true, &off, NULL), 0);
	assert_int_equal(off, DATA_OFF);
	assert_int_equal(sf_image_seek(image, off, false, &off, NULL), 0);
	assert_int_equal(off, DATA_OFF + DATA_LEN);
	sf_image_close(image);
}

static void creating_again_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_object_stat st;
	char path[2048];
	ino_t first = stat_of(kept_file(f, path, "", &object, ".img")).st_ino;

	put(f->image, 'b', DATA_LEN, DATA_OFF);
	assert_int_equal(sf_object_create(f->volume, &object, NULL, &st, NULL), 0);
	assert_int_equal(st.size_bytes, IMAGE_SIZE);
	assert_int_equal(stat_of(path).st_ino, first);
	assert_int_equal(byte_at(path, DATA_OFF), 'a');
}

static void what_a_crash_left_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_object_stat st;
	char img[2048], tmp[2048];

	kept_file(f, img, "", &object, ".img");
	kept_file(f, tmp, "", &object, ".tmp");
	assert_int_equal(rename(img, tmp), 0);
	assert_int_equal(chmod(tmp, 0600) + truncate(tmp, 3 * IMAGE_SIZE), 0);
	assert_int_equal(sf_object_create(f->volume, &object, NULL, &st, NULL), 0);
	assert_int_equal(st.size_bytes, IMAGE_SIZE);
	assert_true(there(img));
	assert_false(there(tmp));
}

static void a_cancelled_create_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat st = {.size_bytes = 7};
	struct sf_job job = {0};
	struct sf_err err = {0};

	sf_job_cancel(&job);
	failed(sf_object_create(f->volume, &object, &job, &st, &err), -EINTR, &err, "cancelled");
	assert_false(there(f->ours));
	assert_int_equal(st.size_bytes, 7);
}

static void a_copy_gives_up_for_a_writer(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat st;
	struct sf_err err = {0};

	if (instant(f)) {
		print_message("# skipped: snapshots are instant here\n");
		skip();
	}
	assert_int_equal(sf_volume_hold(f->volume, NULL), 0);
	assert_int_equal(open(f->image, O_WRONLY | O_NONBLOCK), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	failed(sf_object_create(f->volume, &object, NULL, &st, &err), -EBUSY, &err, "wants to write");
	assert_false(there(f->ours));
}

static void an_image_that_went_away_leaves_no_directories(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat st;
	struct sf_err err = {0};

	assert_int_equal(unlink(f->image), 0);
	failed(sf_object_create(f->volume, &object, NULL, &st, &err), -ENOENT, &err, "web.img: No such file");
	assert_false(there(f->ours));
}

/* A memory file is on another file system, so neither reflink nor copy_file_range works from it. */
static void a_copy_by_hand_is_sparse_and_equal_and_never_made_unasked(void **state)
{
	struct fixture *f = *state;
	struct sf_job job = {0};
	struct sf_file_fill fill = {
		.src = memfd_create("src", 0), .dst = -1, .what = "src", .lease_fd = -1, .job = &job};
	const char *method = NULL;
	struct sf_err err = {0};
	char path[2048], run[5000];

	fill.dst = f->other = open(in(path, f->dir, "dst"), O_RDWR | O_CREAT, 0600);
	memset(run, 'r', sizeof(run));
	assert_int_equal(ftruncate(fill.src, 40 * MIB + 11), 0);
	for (off_t off = 30 * MIB; off < 33 * MIB; off += 4096)
		assert_int_equal(pwrite(fill.src, run, 5000, off), 5000);
	fill.share_only = true;
	failed(sf_file_fill(&fill, &method, &err), -EXDEV, &err, "reflink src");
	assert_int_equal(stat_of(path).st_size, 0);
	fill.share_only = false;
	assert_int_equal(sf_file_fill(&fill, &method, NULL), 0);
	assert_string_equal(method, SF_FILE_COPY);
	assert_int_equal(stat_of(path).st_size, 40 * MIB + 11);
	assert_in_range(stat_of(path).st_blocks * 512, 3 * MIB, 4 * MIB);
	assert_int_equal(byte_at(path, 30 * MIB - 1), 0);
	assert_int_equal(byte_at(path, 30 * MIB), 'r');
	assert_int_equal(byte_at(path, 33 * MIB + 903), 'r');
	assert_int_equal(byte_at(path, 33 * MIB + 904), 0);
	assert_int_equal(atomic_load(&job.done_bytes), 40 * MIB + 11);
	assert_int_equal(atomic_load(&job.total_bytes), 40 * MIB + 11);
	close(fill.src);
}

static void a_snapshot_without_content_is_stale(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	struct sf_object_stat st;
	struct sf_err err = {0};
	char path[2048];

	kept_file(f, path, "", &object, ".img");
	assert_int_equal(chmod(path, 0600) + truncate(path, 0), 0);
	failed(sf_object_stat(f->storage, &object, &st, &err), -ESTALE, &err, "has lost its content");
	failed(sf_volume_revert(f->volume, &object, NULL, &err), -ESTALE, &err, "has lost its content");
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
	assert_int_equal(sf_object_remove(f->storage, &object, NULL), 0);
}

static void removing_the_last_takes_the_directories(void **state)
{
	struct fixture *f = *state;
	struct sf_object first = taken(f), second = taken(f);
	struct sf_object_stat st;
	struct sf_err err = {0};
	char path[2048];

	put(kept_file(f, path, "", &first, ".tmp"), 'x', 1, 0);
	put(kept_file(f, path, "revert-", &first, ".tmp"), 'x', 1, 0);
	assert_int_equal(sf_object_remove(f->storage, &first, NULL), 0);
	assert_false(there(path));
	assert_false(there(kept_file(f, path, "", &first, ".tmp")));
	failed(sf_object_stat(f->storage, &first, &st, &err), -ENOENT, &err, "No such file");
	assert_int_equal(sf_object_stat(f->storage, &second, &st, NULL), 0);
	assert_int_equal(sf_object_remove(f->storage, &first, NULL), 0);
	assert_int_equal(sf_object_remove(f->storage, &second, NULL), 0);
	assert_false(there(f->ours));
	assert_int_equal(sf_object_remove(f->storage, &second, NULL), 0);
}

static void a_full_file_system_is_left_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_object_stat st;
	struct sf_err err = {0};

	if (mount("tmpfs", f->dir, "tmpfs", 0, "size=6m,mode=0700") < 0) {
		print_message("# skipped: no small file system can be mounted: %s\n", strerror(errno));
		skip();
	}
	f->mounted = true;
	open_image(f);
	object = taken(f);
	put(f->image, 'b', 4 * MIB, 2 * MIB);
	assert_int_equal(sf_object_remove(f->storage, &object, NULL), 0);
	object = object_of(f->volume);
	failed(sf_object_create(f->volume, &object, NULL, &st, &err), -ENOSPC, &err, "No space left");
	assert_false(there(f->ours));
}

static void a_lost_image_is_not_made_again_without_space(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_err err = {0};
	char path[2048];

	if (mount("tmpfs", f->dir, "tmpfs", 0, "size=6m,mode=0700") < 0) {
		print_message("# skipped: no small file system can be mounted: %s\n", strerror(errno));
		skip();
	}
	f->mounted = true;
	open_image(f);
	put(f->image, 'b', 2 * MIB, 2 * MIB);
	object = taken(f);
	assert_int_equal(unlink(f->image), 0);
	put(in(path, f->dir, "other"), 'c', 3 * MIB, 0);
	failed(sf_object_recreate(f->storage, f->image, &object, NULL, &err), -ENOSPC, &err,
	       "has too little space");
	assert_false(there(f->image));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sf_object_recreate(f->storage, f->image, &object, NULL, NULL), 0);
	assert_int_equal(byte_at(f->image, 2 * MIB), 'b');
}

static int nocow_of(const char *path)
{
	int fd = open(path, O_RDONLY), flags = 0;

	assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	close(fd);
	return flags & FS_NOCOW_FL;
}

static void an_image_without_copy_on_write_is_still_shared(void **state)
{
	struct fixture *f = *state;
	struct sf_object_stat st;
	struct sf_object object;
	char path[2048];
	int fd = open(f->image, O_RDWR | O_CREAT, 0600), flags = 0;

	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ||
	    (flags |= FS_NOCOW_FL, ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)) {
		close(fd);
		print_message("# skipped: this file system has no such flag\n");
		skip();
	}
	close(fd);
	open_image(f);
	assert_true(instant(f));
	object = object_of(f->volume);
	assert_int_equal(sf_object_create(f->volume, &object, NULL, &st, NULL), 0);
	assert_string_equal(st.method, "reflink");
	assert_true(nocow_of(kept_file(f, path, "", &object, ".img")));
	put(f->image, 'b', DATA_LEN, DATA_OFF);
	assert_int_equal(byte_at(path, DATA_OFF), 'a');
	assert_int_equal(sf_volume_revert(f->volume, &object, NULL, NULL), 0);
	assert_true(nocow_of(f->image));
	assert_int_equal(byte_at(f->image, DATA_OFF), 'a');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_image(a_snapshot_keeps_its_instant),
		with_dir(holes_that_cannot_be_found_are_not_written),
		with_image(labels_that_make_no_sense_are_none),
		with_image(a_rename_keeps_what_a_newer_version_wrote),
		with_image(an_image_is_read_with_its_holes),
		with_image(creating_again_changes_nothing),
		with_image(what_a_crash_left_is_replaced),
		with_image(a_cancelled_create_leaves_nothing),
		with_image(a_copy_gives_up_for_a_writer),
		with_image(an_image_that_went_away_leaves_no_directories),
		with_dir(a_copy_by_hand_is_sparse_and_equal_and_never_made_unasked),
		with_image(a_snapshot_without_content_is_stale),
		with_image(removing_the_last_takes_the_directories),
		with_dir(a_full_file_system_is_left_as_it_was),
		with_dir(a_lost_image_is_not_made_again_without_space),
		with_dir(an_image_without_copy_on_write_is_still_shared),
	};

	return cmocka_run_group_tests_name("file_object", tests, NULL, NULL);
}
