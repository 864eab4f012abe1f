/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Concurrent readers of all kinds, and an oracle that knows every byte. The content is a function of a seed
 * and of the offset: 64 KiB regions of words, a third of them holes. A snapshot directory named gSEED holds
 * files of that seed (disk number n: SEED + n * DISK_SEEDS).
 *   read_stress fill SEED FILE            overwrites a file or block device with the content
 *   read_stress check SEED FILE           reads and checks all of it
 *   read_stress read SECONDS THREADS RANDOM DIRECTORY FILE...
 *                                         reads these FILEs in all snapshots in DIRECTORY, while
 *                                         snapshots come and go: for that long, and until every kind
 *                                         of reader has read something
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	REGION = 65536,
	PIECE_MAX = 1536 * 1024,
	ALIGN = 4096,
	FILES_MAX = 4,
	READS_MAX = 40,
	SNAPSHOTS_MAX = 256
};
#define DISK_SEEDS 1000000

enum mode { BUFFERED, DIRECT, MAPPED, SPLICED, SPARSE, NMODES };
static const char *const mode_names[NMODES] = {"buffered", "O_DIRECT", "mmap", "splice", "SEEK_DATA"};

struct stress {
	const char *dir;
	char **files;
	int nfiles;
	time_t until;
	atomic_ullong bytes[NMODES];
	atomic_bool saw_hole;
	atomic_uint absent; /* snapshots that were gone before they could be opened */
};

struct reader {
	struct stress *stress;
	uint64_t random;
	char *buffer; /* PIECE_MAX bytes, aligned */
	int pipe[2];
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fprintf(stderr, "read_stress: ");
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* --- the oracle --- */

/* splitmix64 (Steele, Lea and Flood, 2014), as a hash. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static bool is_hole(uint64_t seed, uint64_t off)
{
	return mix(seed ^ mix(off / REGION)) % 3 == 0;
}

static uint64_t word_at(uint64_t seed, uint64_t off)
{
	return is_hole(seed, off) ? 0 : mix(seed * 31 + off / sizeof(uint64_t));
}

static void make(uint64_t seed, uint64_t off, char *buf, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint64_t word = word_at(seed, off + i);
		size_t skip = (size_t)((off + i) % sizeof(word)), n = sizeof(word) - skip;

		n = n < len - i ? n : len - i;
		memcpy(buf + i, (char *)&word + skip, n);
		i += n;
	}
}

static void check(uint64_t seed, uint64_t off, const char *buf, size_t len, const char *what)
{
	char expected[ALIGN];

	for (size_t i = 0; i < len; i += sizeof(expected)) {
		size_t n = len - i < sizeof(expected) ? len - i : sizeof(expected);

		make(seed, off + i, expected, n);
		if (memcmp(buf + i, expected, n) == 0)
			continue;
		for (size_t k = 0; k < n; k++)
			if (buf[i + k] != expected[k])
				fail("wrong byte at %" PRIu64 " of seed %" PRIu64
				     " (%s, read of %zu at %" PRIu64 ")",
				     off + i + k, seed, what, len, off);
	}
}

/* --- whole files --- */

static int open_whole(const char *path, int flags, uint64_t *ret_size)
{
	int fd = open(path, flags | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0)
		fail("%s: %s", path, strerror(errno));
	*ret_size = (uint64_t)size;
	return fd;
}

static void whole(uint64_t seed, const char *path, bool write)
{
	static char buf[REGION];
	uint64_t size;
	int fd = open_whole(path, write ? O_WRONLY : O_RDONLY, &size);

	for (uint64_t off = 0; off < size; off += sizeof(buf)) {
		size_t len = size - off < sizeof(buf) ? (size_t)(size - off) : sizeof(buf);

		if (write && is_hole(seed, off) &&
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0)
			continue;
		if (write)
			make(seed, off, buf, len);
		if ((write ? pwrite(fd, buf, len, (off_t)off) : pread(fd, buf, len, (off_t)off)) !=
		    (ssize_t)len)
			fail("%s at %" PRIu64 ": %s", path, off, strerror(errno));
		if (!write)
			check(seed, off, buf, len, path);
	}
	if (write && fsync(fd) < 0)
		fail("%s: fsync: %s", path, strerror(errno));
	(void)close(fd);
}

/* --- readers --- */

static uint64_t draw(struct reader *reader, uint64_t below)
{
	reader->random = mix(reader->random);
	return reader->random % below;
}

/* Most reads are small, some as large as possible. */
static size_t draw_length(struct reader *reader)
{
	return 1 + (size_t)draw(reader, draw(reader, 4) == 0 ? PIECE_MAX : 3 * ALIGN);
}

static size_t read_fully(int fd, char *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(off + done));

		if (n < 0)
			fail("read of %zu at %" PRIu64 ": %s", len - done, off + done, strerror(errno));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static size_t read_spliced(struct reader *reader, int fd, size_t len, uint64_t off)
{
	loff_t at = (loff_t)off;
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			splice(fd, &at, reader->pipe[1], NULL, len - done < REGION ? len - done : REGION, 0);

		if (n < 0)
			fail("splice at %" PRIu64 ": %s", off + done, strerror(errno));
		if (n == 0)
			break;
		for (ssize_t taken = 0, m; taken < n; taken += m) {
			m = read(reader->pipe[0], reader->buffer + done + taken, (size_t)(n - taken));
			if (m <= 0)
				fail("pipe: %s", strerror(errno));
		}
		done += (size_t)n;
	}
	return done;
}

static size_t read_mapped(struct reader *reader, int fd, uint64_t size, size_t len, uint64_t off)
{
	uint64_t start = off / ALIGN * ALIGN;
	char *map;

	if (len > size - off)
		len = (size_t)(size - off);
	map = mmap(NULL, (size_t)(off - start) + len, PROT_READ, MAP_SHARED, fd, (off_t)start);
	if (map == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	memcpy(reader->buffer, map + (off - start), len);
	munmap(map, (size_t)(off - start) + len);
	return len;
}

/* Does not read what is reported as a hole; the oracle checks that it is one. */
static size_t read_sparse(struct reader *reader, int fd, uint64_t size, size_t *len, uint64_t *off)
{
	off_t data = lseek(fd, (off_t)*off, SEEK_DATA);
	uint64_t end = data < 0 ? size : (uint64_t)data;

	if (data < 0 && errno != ENXIO)
		fail("SEEK_DATA from %" PRIu64 ": %s", *off, strerror(errno));
	if (end == *off)
		return read_fully(fd, reader->buffer, *len, *off);
	if (*len > end - *off)
		*len = (size_t)(end - *off);
	else if (end < size)
		*off = end - *len;
	memset(reader->buffer, 0, *len);
	reader->stress->saw_hole = true;
	return *len;
}

/* Reads once from a file of that size and checks the data. */
static void read_once(struct reader *reader, enum mode mode, int fd, uint64_t seed, uint64_t size)
{
	uint64_t off = draw(reader, size);
	size_t len = draw_length(reader), done = 0;

	if (mode == DIRECT) {
		off = off / ALIGN * ALIGN;
		len = (len + ALIGN - 1) / ALIGN * ALIGN;
	}
	switch (mode) {
	case MAPPED:
		done = read_mapped(reader, fd, size, len, off);
		break;
	case SPLICED:
		done = read_spliced(reader, fd, len, off);
		break;
	case SPARSE:
		done = read_sparse(reader, fd, size, &len, &off);
		break;
	default:
		done = read_fully(fd, reader->buffer, len, off);
	}
	if (done != len && off + done != size)
		fail("%s read of %zu at %" PRIu64 " ended after %zu of %" PRIu64, mode_names[mode], len, off,
		     done, size);
	check(seed, off, reader->buffer, done, mode_names[mode]);
	atomic_fetch_add(&reader->stress->bytes[mode], done);
}

/* Chooses an existing snapshot. Returns its seed, or 0 if there is none. */
static uint64_t choose(struct reader *reader, char name[NAME_MAX + 1])
{
	char names[SNAPSHOTS_MAX][64];
	size_t n = 0;
	DIR *dir = opendir(reader->stress->dir);
	struct dirent *entry;

	if (!dir)
		fail("%s: %s", reader->stress->dir, strerror(errno));
	while (n < SNAPSHOTS_MAX && (entry = readdir(dir)))
		if (entry->d_name[0] == 'g' && strlen(entry->d_name) < sizeof(names[0]))
			strcpy(names[n++], entry->d_name);
	(void)closedir(dir);
	if (n == 0)
		return 0;
	strcpy(name, names[draw(reader, n)]);
	return strtoull(name + 1, NULL, 10);
}

/* False if there is no snapshot, or if it has been deleted. */
static bool read_snapshot(struct reader *reader)
{
	struct stress *stress = reader->stress;
	char name[NAME_MAX + 1], path[PATH_MAX];
	uint64_t seed = choose(reader, name), size;
	int n = (int)draw(reader, (uint64_t)stress->nfiles), fd;
	enum mode mode = (enum mode)draw(reader, NMODES);
	off_t end;

	if (seed == 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/%s/%s", stress->dir, name, stress->files[n]);
	fd = open(path, O_RDONLY | O_CLOEXEC | (mode == DIRECT ? O_DIRECT : 0));
	if (fd < 0 && errno == ENOENT) {
		atomic_fetch_add(&stress->absent, 1);
		return false;
	}
	if (fd < 0 || (end = lseek(fd, 0, SEEK_END)) < 0)
		fail("%s: %s", path, strerror(errno));
	size = (uint64_t)end;
	for (int reads = 1 + (int)draw(reader, READS_MAX); reads > 0; reads--)
		read_once(reader, mode, fd, seed + (uint64_t)n * DISK_SEEDS, size);
	if (draw(reader, 3) == 0)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* uncached for the next reader */
	(void)close(fd);
	return true;
}

static bool all_modes_read(struct stress *stress)
{
	for (int mode = 0; mode < NMODES; mode++)
		if (stress->bytes[mode] == 0)
			return false;
	return true;
}

static void *reading(void *arg)
{
	struct reader *reader = arg;

	while (time(NULL) < reader->stress->until || !all_modes_read(reader->stress))
		if (!read_snapshot(reader))
			usleep(1000); /* give the process that makes snapshots a turn */
	return NULL;
}

static void stress(struct stress *stress, int nthreads, uint64_t random)
{
	struct reader *readers = calloc((size_t)nthreads, sizeof(*readers));
	pthread_t *threads = calloc((size_t)nthreads, sizeof(*threads));

	for (int i = 0; i < nthreads; i++) {
		readers[i] = (struct reader){.stress = stress, .random = mix(random + (uint64_t)i)};
		if (posix_memalign((void **)&readers[i].buffer, ALIGN, PIECE_MAX + ALIGN) != 0 ||
		    pipe2(readers[i].pipe, O_CLOEXEC) < 0 ||
		    pthread_create(&threads[i], NULL, reading, &readers[i]) != 0)
			fail("cannot start readers");
	}
	for (int i = 0; i < nthreads; i++) {
		pthread_join(threads[i], NULL);
		free(readers[i].buffer);
	}
	free(readers);
	free(threads);
	for (int mode = 0; mode < NMODES; mode++)
		printf("%-10s %llu MiB\n", mode_names[mode], (unsigned long long)stress->bytes[mode] >> 20);
	printf("gone before they were opened: %u; holes: %s\n", stress->absent,
	       stress->saw_hole ? "yes" : "none");
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		whole(strtoull(argv[2], NULL, 10), argv[3], true);
	else if (argc == 4 && strcmp(argv[1], "check") == 0)
		whole(strtoull(argv[2], NULL, 10), argv[3], false);
	else if (argc >= 7 && argc <= 6 + FILES_MAX && strcmp(argv[1], "read") == 0)
		stress(&(struct stress){.dir = argv[5],
					.files = argv + 6,
					.nfiles = argc - 6,
					.until = time(NULL) + atol(argv[2])},
		       (int)strtol(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	else
		fail("see the head of read_stress.c");
	return 0;
}
