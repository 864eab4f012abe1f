/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "io.h"

#include "cleanup.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sf_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int sf_pwrite_all(int fd, const void *data, size_t len, uint64_t off)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t sf_pread_all(int fd, void *buf, size_t len, uint64_t off)
{
	char *at = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, at + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int sf_pread_exactly(int fd, const char *what, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	ssize_t n = sf_pread_all(fd, buf, len, off);

	if (n < 0)
		return sf_fail(err, (int)n, "read %s at %" PRIu64 ": %s", what, off, strerror((int)-n));
	if ((size_t)n < len)
		return sf_fail(err, -EIO, "read %s: it ends at byte %" PRIu64, what, off + (uint64_t)n);
	return 0;
}

DIR *sf_dir_stream(int dir)
{
	auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (stream)
		(void)sf_take_fd(&fd); /* closedir closes it */
	return stream;
}

void sf_dir_names_fini(struct sf_dir_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

static int add_name(struct sf_dir_names *names, const char *name)
{
	char **list = realloc(names->list, (names->n + 1) * sizeof(char *));

	if (!list)
		return -ENOMEM;
	names->list = list;
	list[names->n] = strdup(name);
	if (!list[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int sf_dir_names_read(int dir, struct sf_dir_names *ret, struct sf_err *err)
{
	auto_dir DIR *stream = sf_dir_stream(dir);
	const struct dirent *entry;
	struct sf_dir_names names = {0};
	int rc = stream ? 0 : -errno;

	while (rc == 0 && (errno = 0, entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = add_name(&names, entry->d_name);
	if (rc == 0 && errno != 0)
		rc = -errno;
	if (rc < 0) {
		sf_dir_names_fini(&names);
		return sf_fail(err, rc, "list a directory: %s", strerror(-rc));
	}
	if (names.n)
		qsort(names.list, names.n, sizeof(*names.list), compare_names);
	*ret = names;
	return 0;
}
