/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directories in which snapshots are stored: shared, listed, missing, hostile. */
#include "file_fixture.h"

#include <pthread.h>

struct listed {
	size_t n;
	int rc;
	char where[8][SF_ORIGIN_MAX];
	struct sf_id tokens[8];
};

static int note(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct listed *listed = arg;

	assert_true(listed->n < 8);
	snprintf(listed->where[listed->n], SF_ORIGIN_MAX, "%s", where);
	listed->tokens[listed->n++] = object->token;
	return listed->rc < 0 ? sf_fail(err, listed->rc, "enough") : 0;
}

static void listing_names_each_token_once(void **state)
{
	static const char *const others[] = {"notes.txt",
					     "0123.img",
					     "revert-.tmp",
					     "lost+found",
					     "0123456789abcdef0123456789abcdef.qcow2",
					     "0123456789abcdef0123456789abcde.img",
					     "0123456789ABCDEF0123456789ABCDEF.img"};
	struct fixture *f = *state;
	struct sf_object whole = taken(f), half = object_of(f->volume), moved = object_of(f->volume);
	struct listed *listed = calloc(1, sizeof(*listed));
	char path[2048];

	assert_non_null(listed);
	put(kept_file(f, path, "", &whole, ".tmp"), 'x', 1, 0);
	put(kept_file(f, path, "revert-", &whole, ".tmp"), 'x', 1, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		put(in(path, f->kept, others[i]), 'x', 1, 0);
	assert_int_equal(sf_object_list(f->storage, f->volume->origin, note, listed, NULL), 0);
	assert_int_equal(listed->n, 1);
	assert_true(sf_id_equal(&listed->tokens[0], &whole.token));
	assert_string_equal(listed->where[0], kept_file(f, path, "", &whole, ".img"));
	put(kept_file(f, path, "", &half, ".tmp"), 'x', 1, 0);
	put(kept_file(f, path, "revert-", &half, ".tmp"), 'x', 1, 0);
	put(kept_file(f, path, "revert-", &moved, ".tmp"), 'x', 1, 0);
	listed->n = 0;
	assert_int_equal(sf_object_list(f->storage, f->volume->origin, note, listed, NULL), 0);
	assert_int_equal(listed->n, 3);
	free(listed);
}

static void listing_stops_when_told(void **state)
{
	struct fixture *f = *state;
	struct listed *listed = calloc(1, sizeof(*listed));
	struct sf_err err = {0};

	assert_non_null(listed);
	(void)taken(f);
	(void)taken(f);
	listed->rc = -ECANCELED;
	failed(sf_object_list(f->storage, f->volume->origin, note, listed, &err), -ECANCELED, &err, "enough");
	assert_int_equal(listed->n, 1);
	free(listed);
}

static void snapshots_are_for_us_alone(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	char path[2048];

	assert_int_equal(stat_of(f->ours).st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(f->kept).st_mode, S_IFDIR | 0700);
	assert_int_equal(stat_of(kept_file(f, path, "", &object, ".img")).st_mode, S_IFREG | 0400);
}

static void what_others_keep_there_stays(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = taken(f);
	char path[2048];

	assert_int_equal(mkdir(in(path, f->ours, "0123456789abcdef0123456789abcdef"), 0700), 0);
	assert_int_equal(sf_object_remove(f->storage, &object, NULL), 0);
	assert_false(there(f->kept));
	assert_true(there(path));
}

static void a_directory_that_is_gone_is_unreachable(void **state)
{
	struct fixture *f = *state;
	struct listed *listed = calloc(1, sizeof(*listed));
	struct sf_object object = object_of(f->volume);
	struct sf_image *image = NULL;
	struct sf_object_stat st;
	struct sf_err err = {0};
	char path[2048];

	assert_non_null(listed);
	object.origin = in(path, f->dir, "gone/web.img");
	failed(sf_object_stat(f->storage, &object, &st, &err), -ENODEV, &err, "gone/web.img");
	failed(sf_object_image(f->storage, &object, &image, &err), -ENODEV, &err, "gone/web.img");
	failed(sf_object_settle(f->storage, &object, &err), -ENODEV, &err, "gone/web.img");
	failed(sf_object_remove(f->storage, &object, &err), -ENODEV, &err, "gone/web.img");
	assert_int_equal(sf_object_list(f->storage, object.origin, note, listed, NULL), 0);
	assert_int_equal(listed->n, 0);
	free(listed);
}

static void all_refuse(struct fixture *f, const char *text)
{
	struct sf_object object = object_of(f->volume);
	struct listed *listed = calloc(1, sizeof(*listed));
	struct sf_image *image = NULL;
	struct sf_object_stat st;
	struct sf_err err = {0};

	assert_non_null(listed);
	failed(sf_object_create(f->volume, &object, NULL, &st, &err), -EPERM, &err, text);
	failed(sf_object_settle(f->storage, &object, &err), -EPERM, &err, text);
	failed(sf_object_stat(f->storage, &object, &st, &err), -EPERM, &err, text);
	failed(sf_object_remove(f->storage, &object, &err), -EPERM, &err, text);
	failed(sf_object_list(f->storage, object.origin, note, listed, &err), -EPERM, &err, text);
	failed(sf_object_image(f->storage, &object, &image, &err), -EPERM, &err, text);
	failed(sf_volume_revert(f->volume, &object, NULL, &err), -EPERM, &err, text);
	free(listed);
}

static void a_link_in_place_of_our_directory_is_not_followed(void **state)
{
	struct fixture *f = *state;
	char path[2048];

	assert_int_equal(mkdir(in(path, f->dir, "elsewhere"), 0700), 0);
	assert_int_equal(symlink("elsewhere", f->ours), 0);
	all_refuse(f, ".snapfs is in the way");
	assert_int_equal(rmdir(path), 0); /* fails if it is not empty */
	assert_int_equal(unlink(f->ours), 0);
	put(f->ours, 'x', 1, 0);
	all_refuse(f, ".snapfs is in the way");
	assert_int_equal(unlink(f->ours), 0);
	assert_int_equal(mkdir(f->ours, 0700), 0);
	assert_int_equal(symlink("/", f->kept), 0);
	all_refuse(f, "is in the way");
}

static void directories_that_others_can_write_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->ours, 0700), 0);
	assert_int_equal(chmod(f->ours, 0770), 0);
	all_refuse(f, "mode 0770");
	assert_int_equal(chmod(f->ours, 0755), 0);
	assert_int_equal(mkdir(f->kept, 0700), 0);
	assert_int_equal(chmod(f->kept, 0702), 0);
	all_refuse(f, "mode 0702");
}

static void directories_of_others_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->ours, 0700), 0);
	if (chown(f->ours, 4711, (gid_t)-1) < 0) {
		print_message("# skipped: only root can give a directory away\n");
		return;
	}
	all_refuse(f, ".snapfs is not ours alone: owner 4711");
	assert_int_equal(chown(f->ours, geteuid(), (gid_t)-1), 0);
	assert_int_equal(mkdir(f->kept, 0700), 0);
	assert_int_equal(chown(f->kept, 4711, (gid_t)-1), 0);
	all_refuse(f, "owner 4711");
}

struct worker {
	struct fixture *f;
	struct sf_volume *volume;
	int rc;
};

static void *make_and_remove(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 200 && w->rc == 0; i++) {
		struct sf_object object = object_of(w->volume);
		struct sf_object_stat st;

		w->rc = sf_object_create(w->volume, &object, NULL, &st, NULL);
		if (w->rc == 0)
			w->rc = sf_object_settle(w->f->storage, &object, NULL);
		if (w->rc == 0)
			w->rc = sf_object_remove(w->f->storage, &object, NULL);
	}
	return NULL;
}

/* Each removal may delete the directory in which the other thread is about to create a file. */
static void two_images_in_one_directory_do_not_collide(void **state)
{
	struct fixture *f = *state;
	struct worker workers[2] = {{f, NULL, 0}, {f, NULL, 0}};
	pthread_t threads[2];
	char path[2048];

	for (int i = 0; i < 2; i++) {
		put(in(path, f->dir, i ? "a.img" : "b.img"), 'a', 1, 0);
		workers[i].volume = open_volume(f, path);
		assert_int_equal(pthread_create(&threads[i], NULL, make_and_remove, &workers[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].rc, 0);
		sf_volume_close(workers[i].volume);
	}
	assert_false(there(f->ours));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_image(listing_names_each_token_once),
		with_image(listing_stops_when_told),
		with_image(snapshots_are_for_us_alone),
		with_image(what_others_keep_there_stays),
		with_image(a_directory_that_is_gone_is_unreachable),
		with_image(a_link_in_place_of_our_directory_is_not_followed),
		with_image(directories_that_others_can_write_are_refused),
		with_image(directories_of_others_are_refused),
		with_dir(two_images_in_one_directory_do_not_collide),
	};

	return cmocka_run_group_tests_name("file_place", tests, NULL, NULL);
}
