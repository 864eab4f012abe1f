/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams a guest's RAM to memory.sav. The hypervisor writes to a pipe; a thread, the pump, reads it in whole
 * blocks, hashes them and writes the file. If the pump fails it closes its end, so that the hypervisor's next
 * write fails with EPIPE instead of blocking forever. This also ends a stream that would fill the file
 * system.
 */
#include "ram.h"

#include "core/contract/job.h"
#include "core/state/state.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <xxhash.h>

#define BLOCK (1024 * 1024)

struct pump {
	int from;
	int stop; /* readable: stop, even if someone still holds the pipe open */
	int to;
	XXH3_state_t *hash;
	void *block;
	uint64_t size_bytes;
	uint64_t reserve_bytes;
	struct sf_job *job;
	int rc;
	struct sf_err err;
};

/*
 * Checked before each block, because others write to the file system too. Space reserved for root does not
 * count as free. If the file system cannot tell, a failing write will.
 */
static int check_room(struct pump *pump)
{
	struct statvfs vfs;
	uint64_t free_bytes;

	if (fstatvfs(pump->to, &vfs) < 0)
		return 0;
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (free_bytes >= pump->reserve_bytes)
		return 0;
	return sf_fail(&pump->err, -ENOSPC,
		       "write " SF_STATE_MEMORY ": after %" PRIu64 " bytes, %" PRIu64
		       " are free in the state directory's file system, fewer than state-reserve's %" PRIu64,
		       pump->size_bytes, free_bytes, pump->reserve_bytes);
}

static bool is_stopped(int fd, int stop)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		continue;
	return fds[1].revents != 0;
}

/*
 * Fills the block as far as the stream goes. Returns the number of bytes, 0 at the end, or a negative errno:
 * -ECANCELED if stop is readable.
 */
static ssize_t read_block(int fd, int stop, char *block)
{
	size_t len = 0;

	while (len < BLOCK) {
		ssize_t n;

		if (is_stopped(fd, stop))
			return -ECANCELED;
		n = read(fd, block + len, BLOCK - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int pump_block(struct pump *pump)
{
	ssize_t n = read_block(pump->from, pump->stop, pump->block);
	int rc;

	if (n < 0)
		return sf_fail(&pump->err, (int)n, "read the guest's RAM: %s", strerror((int)-n));
	rc = check_room(pump);
	if (rc < 0)
		return rc;
	XXH3_128bits_update(pump->hash, pump->block, (size_t)n);
	rc = sf_write_all(pump->to, pump->block, (size_t)n);
	if (rc < 0)
		return sf_fail(&pump->err, rc, "write " SF_STATE_MEMORY ": %s", strerror(-rc));
	pump->size_bytes += (uint64_t)n;
	sf_job_advance(pump->job, (uint64_t)n);
	return n == BLOCK;
}

static void *pump_all(void *arg)
{
	struct pump *pump = arg;

	do
		pump->rc = pump_block(pump);
	while (pump->rc > 0);
	(void)close(pump->from); /* a pipe has no error to report */
	pump->from = -1;
	return NULL;
}

static int pump_init(struct pump *pump, int dir, struct sf_err *err)
{
	pump->hash = XXH3_createState();
	pump->block = malloc(BLOCK);
	if (!pump->hash || !pump->block)
		return sf_fail(err, -ENOMEM, "out of memory");
	XXH3_128bits_reset(pump->hash);
	pump->to = openat(dir, SF_STATE_MEMORY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (pump->to < 0)
		return sf_fail(err, -errno, "create " SF_STATE_MEMORY ": %s", strerror(errno));
	pump->stop = eventfd(0, EFD_CLOEXEC);
	if (pump->stop < 0)
		return sf_fail(err, -errno, "eventfd: %s", strerror(errno));
	return 0;
}

static void pump_fini(struct pump *pump)
{
	sf_cleanup_fd(&pump->from);
	sf_cleanup_fd(&pump->to);
	sf_cleanup_fd(&pump->stop);
	XXH3_freeState(pump->hash);
	free(pump->block);
}

static void digest(XXH3_state_t *hash, unsigned char out[static 16])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(hash));
	memcpy(out, canonical.digest, sizeof(canonical.digest));
}

/*
 * Runs the save and the pump concurrently. A failure of the pump takes precedence: it explains that of the
 * save.
 */
static int stream(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool live,
		  const struct sf_save_hooks *hooks, struct sf_job *job, struct pump *pump,
		  struct sf_err *err)
{
	int ends[2];
	pthread_t thread;
	int rc, create_rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return sf_fail(err, -errno, "pipe: %s", strerror(errno));
	(void)fcntl(ends[1], F_SETPIPE_SZ, BLOCK); /* fewer wake-ups; optional */
	pump->from = ends[0];
	create_rc = pthread_create(&thread, NULL, pump_all, pump);
	if (create_rc != 0) {
		(void)close(ends[1]); /* nothing was written to it */
		return sf_fail(err, -create_rc, "start a thread: %s", strerror(create_rc));
	}
	rc = sf_hypervisor_save(hv, vm, ends[1], live, hooks, job, err);
	(void)close(ends[1]); /* end of the stream; a pipe has no error to report */
	if (rc < 0)
		(void)eventfd_write(pump->stop, 1); /* cannot fail: the only write */
	pthread_join(thread, NULL);
	if (pump->rc < 0 && pump->rc != -ECANCELED)
		return sf_fail(err, pump->rc, "%s", pump->err.text);
	return rc;
}

int sf_ram_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int dir,
		const struct sf_ram_options *options, const struct sf_save_hooks *hooks, struct sf_job *job,
		struct sf_record_memory *ret, struct sf_err *err)
{
	struct pump pump = {
		.from = -1, .to = -1, .stop = -1, .reserve_bytes = options->reserve_bytes, .job = job};
	int rc = pump_init(&pump, dir, err);

	if (rc == 0)
		rc = stream(hv, vm, options->live, hooks, job, &pump, err);
	if (rc == 0) {
		ret->present = true;
		ret->size_bytes = pump.size_bytes;
		digest(pump.hash, ret->xxh3_128);
	}
	pump_fini(&pump);
	return rc;
}

static int open_memory(int dir, struct sf_err *err)
{
	int fd = openat(dir, SF_STATE_MEMORY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return sf_fail(err, -errno, "open " SF_STATE_MEMORY ": %s", strerror(errno));
	return fd;
}

int sf_ram_settle(int dir, struct sf_err *err)
{
	auto_fd int fd = open_memory(dir, err);
	int rc = fd < 0 ? fd : sf_fsync(fd, SF_STATE_MEMORY, err);

	return rc < 0 ? rc : sf_fsync(dir, "the directory of " SF_STATE_MEMORY, err);
}

int sf_ram_open(int dir, const struct sf_record_memory *memory, struct sf_err *err)
{
	auto_fd int fd = open_memory(dir, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "stat " SF_STATE_MEMORY ": %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != memory->size_bytes)
		return sf_fail(err, -EIO, SF_STATE_MEMORY " has %lld bytes, not the %llu that were saved",
			       (long long)st.st_size, (unsigned long long)memory->size_bytes);
	return sf_take_fd(&fd);
}

static int hash_all(int fd, XXH3_state_t *hash, void *block, struct sf_job *job, struct sf_err *err)
{
	uint64_t off = 0;
	ssize_t n;

	do {
		if (sf_job_cancelled(job))
			return sf_fail(err, -EINTR, "cancelled");
		n = sf_pread_all(fd, block, BLOCK, off);
		if (n < 0)
			return sf_fail(err, (int)n, "read " SF_STATE_MEMORY ": %s", strerror((int)-n));
		XXH3_128bits_update(hash, block, (size_t)n);
		sf_job_advance(job, (uint64_t)n);
		off += (uint64_t)n;
	} while (n == BLOCK);
	return 0;
}

int sf_ram_verify(int fd, const struct sf_record_memory *memory, struct sf_job *job, struct sf_err *err)
{
	XXH3_state_t *hash = XXH3_createState();
	auto_free void *block = malloc(BLOCK);
	unsigned char found[16];
	int rc;

	if (!hash || !block) {
		XXH3_freeState(hash);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	XXH3_128bits_reset(hash);
	sf_job_expect(job, memory->size_bytes);
	rc = hash_all(fd, hash, block, job, err);
	digest(hash, found);
	XXH3_freeState(hash);
	if (rc < 0)
		return rc;
	if (memcmp(found, memory->xxh3_128, sizeof(found)) != 0)
		return sf_fail(err, -EIO, SF_STATE_MEMORY " is not what was saved: its hash differs");
	return 0;
}
