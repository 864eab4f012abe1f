/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/mem/mem.h"

#include "backends/mem/world.h"
#include "base/err.h"
#include "core/contract/backend.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define C SF_MEM_CHUNK
/* The size in chunks of the small world that most cases use. */
#define ROOM 8

struct fixture {
	struct sf_mem_world *world;
	struct sf_storages set;
	struct sf_volume *volume;
	char *buf; /* ROOM chunks of 'x' */
	struct sf_err err;
};

static void ok(int rc, const struct sf_err *err)
{
	if (rc < 0)
		print_error("%s\n", err->text);
	assert_int_equal(rc, 0);
}

static void fails(struct fixture *f, int rc, int expected, const char *text)
{
	if (!strstr(f->err.text, text))
		print_error("'%s' without '%s'\n", f->err.text, text);
	assert_int_equal(rc, expected);
	assert_non_null(strstr(f->err.text, text));
}

static int open_disk(struct fixture *f, const char *vdev, const char *spec, struct sf_volume **ret)
{
	struct sf_disk disk = {0};

	(void)snprintf(disk.vdev, sizeof(disk.vdev), "%s", vdev);
	(void)snprintf(disk.spec, sizeof(disk.spec), "%s", spec);
	return sf_volume_open(&f->set, "vm", &disk, ret, &f->err);
}

static int setup_world(void **state, unsigned nchunks)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sf_backend_env env = {.state_id = sf_id_new()};
	struct sf_storage *mem = NULL;

	assert_non_null(f);
	ok(sf_mem_world_new((unsigned long long)nchunks * C, &f->world, &f->err), &f->err);
	ok(sf_mem_open(&env, f->world, &mem, &f->err), &f->err);
	sf_storages_add(&f->set, mem);
	ok(open_disk(f, "vda", "mem:1G", &f->volume), &f->err);
	f->buf = malloc((size_t)ROOM * C);
	assert_non_null(f->buf);
	memset(f->buf, 'x', (size_t)ROOM * C);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_world(state, ROOM);
}

static int setup_large(void **state)
{
	return setup_world(state, 4096);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->buf);
	sf_volume_close(f->volume);
	sf_storages_close(&f->set);
	sf_mem_world_free(f->world);
	free(f);
	return 0;
}

static struct sf_object object_of(const struct sf_volume *volume)
{
	return (struct sf_object){
		.token = sf_id_new(), .origin = volume->origin, .vdev = "vda", .vm = "vm", .snapshot = "s"};
}

static struct sf_object take(struct fixture *f)
{
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat st;

	ok(sf_object_create(f->volume, &object, NULL, &st, &f->err), &f->err);
	assert_string_equal(st.method, "memory");
	return object;
}

static int write_chunks(struct fixture *f, uint64_t first, size_t n)
{
	return sf_volume_write(f->volume, f->buf, n * C, first * C, &f->err);
}

static uint64_t free_chunks(struct fixture *f)
{
	struct sf_space space;

	ok(sf_volume_space(f->volume, &space, &f->err), &f->err);
	assert_string_equal(space.pool, "mem");
	assert_int_equal(space.free_bytes % C, 0);
	return space.free_bytes / C;
}

/* --- Specifications --- */

static void sizes_are_read_as_written(void **state)
{
	static const struct {
		const char *spec;
		uint64_t bytes;
	} good[] = {
		{"mem:4096", 4096},  {"mem:4608", 4608},     {"mem:4K", 4096},
		{"mem:1M", 1 << 20}, {"mem:3G", 3ULL << 30}, {"mem:1024G", 1ULL << 40},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct sf_volume *volume = NULL;
		struct sf_volume_stat st;
		char vdev[8];

		(void)snprintf(vdev, sizeof(vdev), "sd%zu", i);
		ok(open_disk(f, vdev, good[i].spec, &volume), &f->err);
		ok(sf_volume_stat(volume, &st, &f->err), &f->err);
		assert_int_equal(st.size_bytes, good[i].bytes);
		assert_int_equal(st.allocated_bytes, 0);
		assert_true(st.instant);
		sf_volume_close(volume);
	}
}

static void nonsense_sizes_are_refused(void **state)
{
	static const char *const forms[] = {
		"mem:",    "mem:K",  "mem:-4K", "mem: 4K",    "mem:4k",
		"mem:4KB", "mem:4T", "mem:0",   "mem:0x1000", "mem:99999999999999999999"};
	static const char *const sizes[] = {"mem:3K", "mem:5000", "mem:1025G", "mem:18014398509481984K",
					    "mem:18446744073709551615G"};
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		fails(f, open_disk(f, "vdb", forms[i], &volume), -EINVAL,
		      ": expected mem:SIZE, a number with an optional K, M or G");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		fails(f, open_disk(f, "vdb", sizes[i], &volume), -EINVAL,
		      ": a disk has 4 KiB to 1 TiB in sectors of 512 bytes");
	assert_null(volume);
}

static void a_disk_keeps_its_size(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;

	fails(f, open_disk(f, "vda", "mem:2G", &volume), -EINVAL,
	      "mem:vm/vda has 1073741824 bytes, not mem:2G");
	ok(open_disk(f, "vda", "mem:1024M", &volume), &f->err);
	assert_string_equal(volume->origin, "mem:vm/vda");
	sf_volume_close(volume);
}

static void a_world_holds_at_least_a_chunk(void **state)
{
	struct fixture *f = *state;
	struct sf_mem_world *world = NULL;

	fails(f, sf_mem_world_new(C - 1, &world, &f->err), -EINVAL, "65535 bytes are not between one chunk");
	fails(f, sf_mem_world_new(1ULL << 50, &world, &f->err), -EINVAL,
	      "1125899906842624 bytes are not between");
	assert_null(world);
}

/* --- Space --- */

static void a_full_world_says_so_and_keeps_what_it_has(void **state)
{
	struct fixture *f = *state;
	char byte = 0;

	ok(write_chunks(f, 100, ROOM), &f->err);
	assert_int_equal(free_chunks(f), 0);
	fails(f, write_chunks(f, 0, 1), -ENOSPC, "write mem:vm/vda: mem: all 524288 bytes are in use");
	ok(write_chunks(f, 103, 2), &f->err);
	ok(sf_volume_read(f->volume, &byte, 1, (100 + ROOM) * C - 1, &f->err), &f->err);
	assert_int_equal(byte, 'x');
	ok(sf_volume_read(f->volume, &byte, 1, 0, &f->err), &f->err);
	assert_int_equal(byte, 0);
}

static void a_refused_write_costs_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t nodes;

	ok(write_chunks(f, 0, ROOM), &f->err);
	nodes = f->world->nodes.used;
	fails(f, write_chunks(f, 5000, 1), -ENOSPC, "in use"); /* needs a new node */
	assert_int_equal(f->world->nodes.used, nodes);
}

static void a_snapshot_takes_no_space_until_it_is_written_over(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;

	ok(write_chunks(f, 0, ROOM - 1), &f->err);
	object = take(f);
	assert_int_equal(free_chunks(f), 1);
	ok(write_chunks(f, 0, 1), &f->err);
	assert_int_equal(free_chunks(f), 0);
	ok(write_chunks(f, 0, 1), &f->err);
	fails(f, write_chunks(f, 1, 1), -ENOSPC, "in use");
	ok(sf_object_remove(f->set.list[0], &object, &f->err), &f->err);
	assert_int_equal(free_chunks(f), 1);
	ok(write_chunks(f, 1, 1), &f->err);
}

static void the_worst_a_snapshot_can_cost_is_all_of_the_disk(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_space pool;
	uint64_t need = 1;

	ok(sf_volume_cost(f->volume, SF_FOR_CREATE, NULL, &pool, &need, &f->err), &f->err);
	assert_int_equal(need, 0);
	ok(write_chunks(f, 0, 3), &f->err);
	ok(sf_volume_cost(f->volume, SF_FOR_CREATE, NULL, &pool, &need, &f->err), &f->err);
	assert_int_equal(need, 3 * C);
	assert_int_equal(pool.free_bytes, (ROOM - 3) * C);
	object = take(f);
	ok(sf_volume_cost(f->volume, SF_FOR_REVERT, &object, &pool, &need, &f->err), &f->err);
	assert_int_equal(need, 0);
}

static void all_space_comes_back(void **state)
{
	struct fixture *f = *state;
	struct sf_object objects[8];
	uint32_t nodes;

	ok(write_chunks(f, 4095, 2), &f->err); /* on both sides of a node boundary */
	nodes = f->world->nodes.used;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 8; i++) {
			objects[i] = take(f);
			ok(write_chunks(f, 4090 + i, 4), &f->err);
		}
		ok(sf_volume_revert(f->volume, &objects[0], NULL, &f->err), &f->err);
		for (size_t i = 0; i < 8; i++)
			ok(sf_object_remove(f->set.list[0], &objects[(i * 3) % 8], &f->err), &f->err);
	}
	assert_int_equal(free_chunks(f), 4096 - 2);
	assert_int_equal(f->world->nodes.used, nodes);
}

static void recycled_chunks_are_blank(void **state)
{
	struct fixture *f = *state;
	struct sf_object blank = take(f);
	char bytes[2] = "??";

	ok(write_chunks(f, 0, ROOM), &f->err);
	ok(sf_volume_revert(f->volume, &blank, NULL, &f->err), &f->err);
	assert_int_equal(free_chunks(f), ROOM);
	ok(sf_volume_write(f->volume, "y", 1, 10, &f->err), &f->err);
	ok(sf_volume_read(f->volume, bytes, 2, 10, &f->err), &f->err);
	assert_memory_equal(bytes, "y\0", 2);
}

/* --- Limits --- */

static void too_many_snapshots_are_refused_by_number(void **state)
{
	struct fixture *f = *state;
	struct sf_object object, first = take(f);
	struct sf_object_stat st;

	for (int i = 1; i < SF_MEM_OBJECTS_MAX; i++)
		(void)take(f); /* the list would find it again */
	object = object_of(f->volume);
	fails(f, sf_object_create(f->volume, &object, NULL, &st, &f->err), -ENOSPC,
	      "snapshot of mem:vm/vda: mem holds at most 4096 snapshots");
	ok(sf_object_create(f->volume, &first, NULL, &st, &f->err), &f->err);
	ok(sf_object_remove(f->set.list[0], &first, &f->err), &f->err);
	ok(sf_object_create(f->volume, &object, NULL, &st, &f->err), &f->err);
}

static void too_many_disks_are_refused_by_number(void **state)
{
	struct fixture *f = *state;
	struct sf_volume *volume = NULL;
	char vdev[16];

	for (int i = 1; i < SF_MEM_VOLUMES_MAX; i++) {
		(void)snprintf(vdev, sizeof(vdev), "sd%d", i);
		ok(open_disk(f, vdev, "mem:4K", &volume), &f->err);
		sf_volume_close(volume);
	}
	fails(f, open_disk(f, "vdb", "mem:4K", &volume), -ENOSPC, "mem:vm/vdb: mem holds at most 256 disks");
	ok(open_disk(f, "sd1", "mem:4K", &volume), &f->err);
	sf_volume_close(volume);
}

/* --- Readers --- */

static void images_are_read_without_the_lock(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_image *image = NULL;
	uint64_t off = 0;
	size_t len = 0;
	char byte;

	ok(write_chunks(f, 1, 1), &f->err);
	object = take(f);
	ok(sf_object_image(f->set.list[0], &object, &image, &f->err), &f->err);
	(void)sf_mem_lock(f->world); /* a reader that took it would hang */
	ok(sf_image_pread(image, &byte, 1, C, &len, &f->err), &f->err);
	ok(sf_image_seek(image, 0, true, &off, &f->err), &f->err);
	pthread_mutex_unlock(&f->world->lock);
	assert_int_equal(byte, 'x');
	assert_int_equal(off, C);
	sf_image_close(image);
}

static void a_removed_snapshot_is_stale_to_its_readers(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	struct sf_image *image = NULL;
	uint64_t off = 0;
	size_t len = 0;
	char byte;

	ok(write_chunks(f, 0, 1), &f->err);
	object = take(f);
	ok(sf_object_image(f->set.list[0], &object, &image, &f->err), &f->err);
	ok(sf_object_remove(f->set.list[0], &object, &f->err), &f->err);
	(void)take(f); /* takes the freed place */
	fails(f, sf_image_pread(image, &byte, 1, 0, &len, &f->err), -ESTALE, "was removed while it was read");
	fails(f, sf_image_seek(image, 0, true, &off, &f->err), -ESTALE, "was removed while it was read");
	sf_image_close(image);
}

/* --- Processes that are killed --- */

static int wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void what_a_dead_process_did_is_there(void **state)
{
	struct fixture *f = *state;
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat st;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (write_chunks(f, 0, 2) < 0 || sf_object_create(f->volume, &object, NULL, &st, NULL) < 0 ||
		    write_chunks(f, 1, 2) < 0)
			_exit(1);
		(void)kill(getpid(), SIGKILL);
	}
	status = wait_for(pid);
	assert_true(WIFSIGNALED(status));
	ok(sf_object_stat(f->set.list[0], &object, &st, &f->err), &f->err);
	assert_int_equal(st.allocated_bytes, 2 * C);
	assert_int_equal(free_chunks(f), ROOM - 4);
}

static void counts_are_made_anew_after_a_death_inside(void **state)
{
	struct fixture *f = *state;
	struct sf_object object;
	pid_t pid;

	ok(write_chunks(f, 0, 4), &f->err);
	object = take(f);
	ok(write_chunks(f, 0, 2), &f->err);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)sf_mem_lock(f->world);
		for (uint32_t i = 0; i < f->world->chunks.count; i++)
			f->world->chunks.refs[i] = 7;
		f->world->nodes.used = 1000;
		f->world->chunks.used = f->world->chunks.count;
		f->world->volumes[0].tree.nchunks = 99;
		_exit(0);
	}
	(void)wait_for(pid);
	assert_int_equal(free_chunks(f), ROOM - 6);
	assert_int_equal(f->world->nodes.used, 4);
	assert_int_equal(f->world->volumes[0].tree.nchunks, 4);
	ok(sf_object_remove(f->set.list[0], &object, &f->err), &f->err);
	assert_int_equal(free_chunks(f), ROOM - 4);
	assert_int_equal(f->world->nodes.used, 2);
}

/* Works endlessly; sends one byte through the pipe for each round. */
static void work(struct fixture *f, int progress)
{
	for (uint64_t i = 0;; i++) {
		struct sf_object object = object_of(f->volume);
		struct sf_object_stat st;

		if (write_chunks(f, i * 37 % 8000, 3) < 0 ||
		    sf_object_create(f->volume, &object, NULL, &st, NULL) < 0 ||
		    write_chunks(f, i * 53 % 8000, 2) < 0 ||
		    (i % 3 == 0 && sf_volume_revert(f->volume, &object, NULL, NULL) < 0) ||
		    sf_object_remove(f->set.list[0], &object, NULL) < 0 || write(progress, "", 1) != 1)
			_exit(1);
	}
}

static int remove_listed(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct fixture *f = arg;
	struct sf_object whole = object_of(f->volume);

	(void)where;
	whole.token = object->token;
	return sf_object_remove(f->set.list[0], &whole, err);
}

static void a_process_may_be_killed_at_any_instant(void **state)
{
	struct fixture *f = *state;
	struct sf_volume_stat st;

	for (size_t round = 0; round < 30; round++) {
		char bytes[64];
		int ends[2], status;
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			work(f, ends[1]);
		close(ends[1]);
		for (size_t seen = 0; seen <= round;) {
			ssize_t n = read(ends[0], bytes, sizeof(bytes));

			assert_true(n > 0);
			seen += (size_t)n;
		}
		(void)kill(pid, SIGKILL);
		status = wait_for(pid);
		assert_true(WIFSIGNALED(status));
		close(ends[0]);
		ok(sf_volume_stat(f->volume, &st, &f->err), &f->err);
		ok(sf_object_list(f->set.list[0], f->volume->origin, remove_listed, f, &f->err), &f->err);
		assert_int_equal(free_chunks(f), 4096 - st.allocated_bytes / C);
	}
}

#define CASE(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define LARGE_CASE(f) cmocka_unit_test_setup_teardown(f, setup_large, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sizes_are_read_as_written),
		CASE(nonsense_sizes_are_refused),
		CASE(a_disk_keeps_its_size),
		CASE(a_world_holds_at_least_a_chunk),
		CASE(a_full_world_says_so_and_keeps_what_it_has),
		CASE(a_refused_write_costs_nothing),
		CASE(a_snapshot_takes_no_space_until_it_is_written_over),
		CASE(the_worst_a_snapshot_can_cost_is_all_of_the_disk),
		LARGE_CASE(all_space_comes_back),
		CASE(recycled_chunks_are_blank),
		CASE(too_many_snapshots_are_refused_by_number),
		CASE(too_many_disks_are_refused_by_number),
		CASE(images_are_read_without_the_lock),
		CASE(a_removed_snapshot_is_stale_to_its_readers),
		CASE(what_a_dead_process_did_is_there),
		CASE(counts_are_made_anew_after_a_death_inside),
		LARGE_CASE(a_process_may_be_killed_at_any_instant),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
