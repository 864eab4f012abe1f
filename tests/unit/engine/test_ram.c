/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streaming RAM to a file, with a hypervisor that writes a pattern and can be told to fail or to lie. */
#include "core/engine/ram.h"

#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"
#include "core/contract/job.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

#define PIECE 10007

struct patterned {
	struct sf_hypervisor base;
	size_t npieces;
	bool forget_at_rest;
	size_t fail_at; /* the piece that fails; 0: none */
	size_t eat_at;  /* the piece at which another process fills 5 MiB; 0: none */
	int eat_in;
};

static void eat(const struct patterned *p)
{
	int fd = openat(p->eat_in, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(posix_fallocate(fd, 0, 5 << 20), 0);
	close(fd);
}

static void fill(char *piece, size_t number)
{
	for (size_t i = 0; i < PIECE; i++)
		piece[i] = (char)(number * 31 + i);
}

static int save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	const struct patterned *p = (struct patterned *)hv;
	char piece[PIECE];

	(void)vm;
	(void)live;
	for (size_t i = 0; i < p->npieces; i++) {
		int rc;

		if (sf_job_cancelled(job))
			return sf_fail(err, -EINTR, "cancelled");
		if (p->eat_at && i == p->eat_at)
			eat(p);
		if (p->fail_at && i == p->fail_at)
			return sf_fail(err, -EAGAIN, "the guest refused");
		fill(piece, i);
		rc = sf_write_all(fd, piece, sizeof(piece));
		if (rc < 0)
			return sf_fail(err, rc, "write the stream: %s", strerror(-rc));
	}
	return p->forget_at_rest ? 0 : hooks->at_rest(hooks->arg, err);
}

static const struct sf_hypervisor_ops patterned_ops = {
	.name = "patterned", .caps = SF_HYPERVISOR_MEMORY, .save = save};

struct fixture {
	struct patterned hv;
	struct sf_vm_desc vm;
	char path[128];
	int dir;
	uint64_t reserve_bytes;
	unsigned nrests;
	int rest_rc;
};

static int at_rest(void *arg, struct sf_err *err)
{
	struct fixture *f = arg;

	f->nrests++;
	return f->rest_rc < 0 ? sf_fail(err, f->rest_rc, "no disk") : 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)signal(SIGPIPE, SIG_IGN);
	f->hv.base.ops = &patterned_ops;
	f->hv.npieces = 300;
	(void)snprintf(f->vm.name, sizeof(f->vm.name), "web");
	assert_non_null(test_tmpdir(f->path, sizeof(f->path), "ram"));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlinkat(f->dir, "memory.sav", 0); /* may not exist */
	close(f->dir);
	(void)umount(f->path); /* mounted in some cases only */
	assert_int_equal(rmdir(f->path), 0);
	free(f);
	return 0;
}

static int run(struct fixture *f, struct sf_job *job, struct sf_record_memory *ret, struct sf_err *err)
{
	const struct sf_save_hooks hooks = {.at_rest = at_rest, .arg = f};
	const struct sf_ram_options options = {.live = true, .reserve_bytes = f->reserve_bytes};

	return sf_ram_save(&f->hv.base, &f->vm, f->dir, &options, &hooks, job, ret, err);
}

static void what_streams_through_is_hashed_and_kept(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	XXH128_canonical_t canonical;
	char *all = malloc(300 * PIECE);
	int fd;

	assert_int_equal(run(f, NULL, &memory, NULL), 0);
	assert_int_equal(f->nrests, 1);
	assert_int_equal(memory.size_bytes, 300 * PIECE);
	for (size_t i = 0; i < 300; i++)
		fill(all + i * PIECE, i);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(all, 300 * PIECE));
	assert_memory_equal(canonical.digest, memory.xxh3_128, 16);
	free(all);
	assert_int_equal(sf_ram_settle(f->dir, NULL), 0);
	fd = sf_ram_open(f->dir, &memory, NULL);
	assert_true(fd >= 0);
	assert_int_equal(sf_ram_verify(fd, &memory, NULL, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

static void an_exact_multiple_of_the_block_ends_well(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};

	f->hv.npieces = 0;
	assert_int_equal(run(f, NULL, &memory, NULL), 0);
	assert_int_equal(memory.size_bytes, 0);
}

static void one_changed_byte_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};
	int fd;

	assert_int_equal(run(f, NULL, &memory, NULL), 0);
	assert_int_equal(fchmodat(f->dir, "memory.sav", 0600, 0), 0);
	fd = openat(f->dir, "memory.sav", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "!", 1, 2000001), 1);
	assert_int_equal(sf_ram_verify(fd, &memory, NULL, &err), -EIO);
	assert_non_null(strstr(err.text, "hash differs"));
	assert_int_equal(ftruncate(fd, 5), 0);
	close(fd);
	assert_int_equal(sf_ram_open(f->dir, &memory, &err), -EIO);
	assert_non_null(strstr(err.text, "5 bytes"));
}

static void failures_of_the_hypervisor_come_through(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};

	f->hv.fail_at = 200;
	assert_int_equal(run(f, NULL, &memory, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "the guest refused"));
	assert_false(memory.present);
}

static void a_failing_disk_stops_the_save(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};

	f->rest_rc = -ENOSPC;
	assert_int_equal(run(f, NULL, &memory, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "no disk"));
}

static void a_backend_that_forgets_the_instant_is_caught(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};

	f->hv.forget_at_rest = true;
	assert_int_equal(run(f, NULL, &memory, &err), -EPROTO);
	assert_non_null(strstr(err.text, "at_rest"));
}

/* False, after it has printed a skip, if nothing can be mounted. */
static bool on_tmpfs(struct fixture *f, const char *size)
{
	if (mount("tmpfs", f->path, "tmpfs", 0, size) < 0) {
		print_message("# skipped: no tmpfs can be mounted here\n");
		return false;
	}
	close(f->dir);
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return true;
}

static void a_full_file_system_is_the_error_that_is_told(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};

	if (!on_tmpfs(f, "size=1m"))
		return;
	assert_int_equal(run(f, NULL, &memory, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "memory.sav"));
	assert_non_null(strstr(err.text, strerror(ENOSPC)));
}

static uint64_t free_bytes(const struct fixture *f)
{
	struct statvfs vfs;

	assert_int_equal(fstatvfs(f->dir, &vfs), 0);
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

static void the_stream_ends_before_the_file_system_is_full(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};

	if (!on_tmpfs(f, "size=8m"))
		return;
	f->reserve_bytes = 3 << 20;
	assert_int_equal(run(f, NULL, &memory, NULL), 0);
	assert_int_equal(unlinkat(f->dir, "memory.sav", 0), 0);
	f->hv.eat_at = 150; /* of 300, in the second of three blocks */
	f->hv.eat_in = f->dir;
	memory.present = false;
	assert_int_equal(run(f, NULL, &memory, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "write memory.sav: after "));
	assert_non_null(strstr(err.text, "fewer than state-reserve's 3145728"));
	assert_false(memory.present);
	assert_true(free_bytes(f) >=
		    1 << 20); /* another process took part of the reserve; the stream did not take the rest */
	assert_int_equal(unlinkat(f->dir, "filler", 0), 0);
}

static void without_its_reserve_no_stream_begins(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_err err = {0};

	if (!on_tmpfs(f, "size=8m"))
		return;
	f->reserve_bytes = 9 << 20;
	assert_int_equal(run(f, NULL, &memory, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "after 0 bytes, 8388608 are free"));
}

static void *open_and_close(void *arg)
{
	const atomic_bool *stop = arg;
	unsigned nlost = 0;

	while (!atomic_load(stop)) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		nlost += close(fd) < 0;
	}
	return (void *)(uintptr_t)nlost;
}

/* If a descriptor were closed twice, the second close could hit that of another thread. */
static void saves_close_no_one_elses_descriptors(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = false;
	pthread_t thread;
	void *nlost;

	f->hv.npieces = 1;
	assert_int_equal(pthread_create(&thread, NULL, open_and_close, &stop), 0);
	for (int i = 0; i < 300; i++) {
		struct sf_record_memory memory = {0};

		assert_int_equal(run(f, NULL, &memory, NULL), 0);
		assert_int_equal(unlinkat(f->dir, "memory.sav", 0), 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, &nlost);
	assert_int_equal((uintptr_t)nlost, 0);
}

static void cancelling_ends_the_stream(void **state)
{
	struct fixture *f = *state;
	struct sf_record_memory memory = {0};
	struct sf_job job = {0};

	sf_job_cancel(&job);
	assert_int_equal(run(f, &job, &memory, NULL), -EINTR);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_streams_through_is_hashed_and_kept),
		CASE(an_exact_multiple_of_the_block_ends_well),
		CASE(one_changed_byte_is_noticed),
		CASE(failures_of_the_hypervisor_come_through),
		CASE(a_failing_disk_stops_the_save),
		CASE(a_backend_that_forgets_the_instant_is_caught),
		CASE(a_full_file_system_is_the_error_that_is_told),
		CASE(the_stream_ends_before_the_file_system_is_full),
		CASE(without_its_reserve_no_stream_begins),
		CASE(saves_close_no_one_elses_descriptors),
		CASE(cancelling_ends_the_stream),
	};

	return cmocka_run_group_tests_name("ram", tests, NULL, NULL);
}
