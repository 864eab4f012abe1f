/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lease.h"

#include "backends/common/users.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "internal.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A loop device of a guest that was just stopped may close its file a moment later. */
#define SETTLE_TRIES 10
#define SETTLE_MS    50

/* Fails with errno, EAGAIN when someone has the file open for writing. */
static int take_lease(int fd)
{
	/* A broken lease would send SIGIO, which ends the process; SIGURG is ignored. We only poll. */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return -1;
	for (int i = 1; fcntl(fd, F_SETLEASE, F_RDLCK) < 0; i++) {
		if (errno != EAGAIN || i == SETTLE_TRIES)
			return -1;
		(void)poll(NULL, 0, SETTLE_MS);
	}
	return 0;
}

bool sf_file_lease_intact(int fd)
{
	return fcntl(fd, F_GETLEASE) == F_RDLCK;
}

int sf_file_hold(struct sf_volume *base, struct sf_err *err)
{
	struct sf_file_volume *volume = (struct sf_file_volume *)base;
	auto_fd int fd = -1;
	char users[SF_USERS_TEXT];

	if (volume->lease_fd >= 0)
		return sf_file_hold_check(base, err);
	fd = sf_file_open_origin(base->origin, O_RDONLY, err);
	if (fd < 0)
		return fd;
	if (take_lease(fd) == 0) {
		volume->lease_fd = sf_take_fd(&fd);
		return 0;
	}
	if (errno == EAGAIN)
		return sf_fail(err, -EBUSY, "%s is open for writing by someone else%s", base->origin,
			       sf_users_of_file(fd, base->origin, users));
	return sf_fail(err, -EBUSY, "cannot tell whether %s is in use: %s", base->origin, strerror(errno));
}

int sf_file_hold_check(struct sf_volume *base, struct sf_err *err)
{
	struct sf_file_volume *volume = (struct sf_file_volume *)base;
	struct stat held, named;

	if (volume->lease_fd < 0)
		return sf_fail(err, -EBUSY, "%s is not held", base->origin);
	if (!sf_file_lease_intact(volume->lease_fd))
		return sf_fail(err, -EBUSY, "%s: someone else wants to write to it", base->origin);
	if (fstat(volume->lease_fd, &held) < 0 || lstat(base->origin, &named) < 0)
		return sf_fail(err, -EBUSY, "stat %s: %s", base->origin, strerror(errno));
	if (held.st_dev != named.st_dev || held.st_ino != named.st_ino)
		return sf_fail(err, -EBUSY, "%s: someone else replaced it", base->origin);
	return 0;
}

void sf_file_release(struct sf_volume *base)
{
	struct sf_file_volume *volume = (struct sf_file_volume *)base;

	if (volume->lease_fd < 0)
		return;
	/* Closing also ends the lease, but not while a newly forked child has a copy of the descriptor. */
	(void)fcntl(volume->lease_fd, F_SETLEASE, F_UNLCK);
	(void)close(volume->lease_fd);
	volume->lease_fd = -1;
}
