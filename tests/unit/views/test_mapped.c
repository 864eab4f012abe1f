/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images with hole maps, over a storage that gives the answers that a test sets. */
#include "core/views/mapped.h"

#include "base/durable.h"
#include "base/err.h"
#include "lib/tmpdir.h"
#include "unit/contract/liar_storage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MAP "disk-vda.extents"

struct fixture {
	struct liar *liar;
	struct sf_storages set;
	struct sf_object object;
	char dir[128];
};

static int read_device(struct sf_image *image, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	(void)image;
	(void)off;
	(void)err;
	memset(buf, 'd', len);
	return 0;
}

static int all_data(struct sf_image *image, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	(void)err;
	*ret = (struct sf_extent){.off = off, .len = image->size_bytes - off, .data = true};
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct liar *liar = calloc(1, sizeof(*liar));

	assert_non_null(f);
	assert_non_null(liar);
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "mapped"));
	liar->base.ops = &liar->ops;
	liar->ops = liar_ops;
	liar_can_all(liar);
	liar->image_ops = (struct sf_image_ops){read_device, all_data, sf_image_no_file, image_close};
	liar->image = (struct sf_image){&liar->image_ops, 16384};
	liar->image_opened = &liar->image;
	liar->mapped = (struct sf_range){4096, 8192};
	sf_storages_add(&f->set, &liar->base);
	f->liar = liar;
	f->object = (struct sf_object){.token = sf_id_new(),
				       .origin = "lie:origin",
				       .vdev = "vda",
				       .vm = "vm",
				       .snapshot = "snapshot"};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[160];

	sf_storages_close(&f->set);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/*
 * Opens, sums the bytes that the image reports as data, and closes, with a descriptor of its own. dir NULL:
 * no directory.
 */
static uint64_t data_bytes(struct fixture *f, const char *dir)
{
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct sf_image *image = NULL;
	struct sf_err err = {0};
	uint64_t bytes;

	if (sf_object_image_mapped(&f->liar->base, &f->object, fd, MAP, &image, &err) < 0)
		fail_msg("%s", err.text);
	if (fd >= 0)
		close(fd);
	assert_int_equal(sf_image_data_bytes(image, &bytes, NULL), 0);
	sf_image_close(image);
	return bytes;
}

static bool is_kept(const struct fixture *f)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, MAP);
	return access(path, F_OK) == 0;
}

static void keep_junk(const struct fixture *f)
{
	int dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(sf_durable_write(dir, MAP, "junk", 4, NULL), 0);
	close(dir);
}

static void a_map_is_found_out_once_and_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(data_bytes(f, f->dir), 8192);
	assert_int_equal(f->liar->nmaps, 1);
	assert_true(is_kept(f));
	assert_int_equal(data_bytes(f, f->dir), 8192);
	assert_int_equal(f->liar->nmaps, 1);
	assert_int_equal(f->liar->nclosed, 2);
}

static void holes_are_read_without_the_device(void **state)
{
	struct fixture *f = *state;
	struct sf_image *image;
	char buf[16384];
	size_t len;

	assert_int_equal(sf_object_image_mapped(&f->liar->base, &f->object, -1, "", &image, NULL), 0);
	assert_int_equal(sf_image_pread(image, buf, sizeof(buf), 0, &len, NULL), 0);
	assert_int_equal(buf[4095], 0);
	assert_int_equal(buf[4096], 'd');
	assert_int_equal(buf[12287], 'd');
	assert_int_equal(buf[12288], 0);
	sf_image_close(image);
}

static void without_a_place_nothing_is_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(data_bytes(f, NULL), 8192);
	assert_int_equal(data_bytes(f, NULL), 8192);
	assert_int_equal(f->liar->nmaps, 2);
}

static void a_damaged_map_is_replaced(void **state)
{
	struct fixture *f = *state;

	keep_junk(f);
	assert_int_equal(data_bytes(f, f->dir), 8192);
	assert_int_equal(f->liar->nmaps, 1);
	assert_int_equal(data_bytes(f, f->dir), 8192);
	assert_int_equal(f->liar->nmaps, 1);
}

static void the_map_of_another_size_is_replaced(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(data_bytes(f, f->dir), 8192);
	f->liar->image.size_bytes = 12288;
	f->liar->mapped.len = 4096;
	assert_int_equal(data_bytes(f, f->dir), 4096);
	assert_int_equal(f->liar->nmaps, 2);
}

static void an_image_opens_without_its_map(void **state)
{
	static const int failures[] = {-EOPNOTSUPP, -EIO, -EBUSY, -ENOMEM, -ETIMEDOUT};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		f->liar->map_rc = failures[i];
		assert_int_equal(data_bytes(f, f->dir), 16384);
		assert_false(is_kept(f));
	}
	f->liar->map_rc = 0;
	f->liar->mapped_size = 4096; /* the size of another image */
	assert_int_equal(data_bytes(f, f->dir), 16384);
	f->liar->ops.map = NULL;
	assert_int_equal(data_bytes(f, f->dir), 16384);
}

static void a_map_that_cannot_be_kept_is_used(void **state)
{
	struct fixture *f = *state;
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/.%s.tmp", f->dir, MAP);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(data_bytes(f, f->dir), 8192);
	assert_false(is_kept(f));
	assert_int_equal(data_bytes(f, f->dir), 8192);
	assert_int_equal(f->liar->nmaps, 2);
}

static void an_image_that_does_not_open_has_no_map(void **state)
{
	struct fixture *f = *state;
	struct sf_image *image = NULL;

	f->liar->rc = -ESTALE;
	assert_int_equal(sf_object_image_mapped(&f->liar->base, &f->object, -1, "", &image, NULL), -ESTALE);
	assert_null(image);
	assert_int_equal(f->liar->nmaps, 0);
}

/* --- concurrency --- */

static sem_t begun, go_on;

/* Gives a second reader half a second to start a map too, which it must not do. */
static void await_second(struct liar *liar)
{
	struct timespec until;

	(void)liar;
	sem_post(&begun);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 500 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)sem_timedwait(&go_on, &until); /* times out: nobody posts */
}

static void stay_until_let_on(struct liar *liar)
{
	liar->on_map = NULL;
	sem_post(&begun);
	sem_wait(&go_on);
}

static void *open_in_thread(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(data_bytes(f, f->dir), 8192);
	return NULL;
}

static void one_map_is_not_found_out_twice_at_once(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[2];

	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
	f->liar->on_map = await_second;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, f), 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(f->liar->nmaps, 1);
	sem_destroy(&begun);
	sem_destroy(&go_on);
}

static void a_stuck_map_is_in_nobody_elses_way(void **state)
{
	struct fixture *f = *state;
	char other[160];
	pthread_t thread;

	(void)snprintf(other, sizeof(other), "%s/other", f->dir);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(data_bytes(f, other), 8192);
	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
	f->liar->on_map = stay_until_let_on;
	assert_int_equal(pthread_create(&thread, NULL, open_in_thread, f), 0);
	sem_wait(&begun);
	assert_int_equal(data_bytes(f, other), 8192); /* from the kept map */
	assert_int_equal(data_bytes(f, NULL), 8192);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	assert_int_equal(f->liar->nmaps, 3);
	sem_destroy(&begun);
	sem_destroy(&go_on);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_map_is_found_out_once_and_kept),       CASE(holes_are_read_without_the_device),
		CASE(without_a_place_nothing_is_kept),        CASE(a_damaged_map_is_replaced),
		CASE(the_map_of_another_size_is_replaced),    CASE(an_image_opens_without_its_map),
		CASE(a_map_that_cannot_be_kept_is_used),      CASE(an_image_that_does_not_open_has_no_map),
		CASE(one_map_is_not_found_out_twice_at_once), CASE(a_stuck_map_is_in_nobody_elses_way),
	};

	return cmocka_run_group_tests_name("mapped", tests, NULL, NULL);
}
