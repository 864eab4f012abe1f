/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverts an image: builds a successor beside the snapshots, makes it durable, and renames it over the live
 * image. Before the rename the image is the old one, after it the new one. A repeat of the call starts over.
 */
#include "revert.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "core/contract/job.h"
#include "carry.h"
#include "copy.h"
#include "internal.h"
#include "lease.h"
#include "object.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The names of a file's xattrs, each with its NUL; the kernel caps the list at XATTR_LIST_MAX. */
struct names {
	char text[XATTR_LIST_MAX];
	size_t len;
};

static int list_xattrs(int fd, struct names *ret, struct sf_err *err)
{
	ssize_t len = flistxattr(fd, ret->text, sizeof(ret->text));

	if (len < 0 && errno != EOPNOTSUPP)
		return sf_fail(err, -errno, "list extended attributes: %s", strerror(errno));
	ret->len = len > 0 ? (size_t)len : 0;
	return 0;
}

/* value: a buffer of twice XATTR_SIZE_MAX bytes. */
static int carry_xattr(int from, int to, const char *name, char *value, struct sf_err *err)
{
	char *other = value + XATTR_SIZE_MAX;
	ssize_t len = fgetxattr(from, name, value, XATTR_SIZE_MAX);
	ssize_t have = fgetxattr(to, name, other, XATTR_SIZE_MAX);

	if (len < 0)
		return sf_fail(err, -errno, "read extended attribute %s: %s", name, strerror(errno));
	if (have == len && memcmp(value, other, (size_t)len) == 0)
		return 0; /* some cannot be set but have the right value already */
	if (fsetxattr(to, name, value, (size_t)len, 0) < 0)
		return sf_fail(err, -errno, "set extended attribute %s: %s", name, strerror(errno));
	return 0;
}

/* Removes what the new file inherited (from a directory's default ACL) and the live image lacks. */
static int drop_xattr(int from, int to, const char *name, struct sf_err *err)
{
	if (fgetxattr(from, name, NULL, 0) >= 0)
		return 0;
	/* It may be gone already: XFS shows one ACL under two names. */
	if (errno == ENODATA && (fremovexattr(to, name) == 0 || errno == ENODATA))
		return 0;
	return sf_fail(err, -errno, "remove extended attribute %s: %s", name, strerror(errno));
}

static int carry_xattrs(int from, int to, struct sf_err *err)
{
	auto_free struct names *names = malloc(sizeof(*names));
	auto_free char *value = malloc(2 * (size_t)XATTR_SIZE_MAX);
	int rc;

	if (!names || !value)
		return sf_fail(err, -ENOMEM, "extended attributes: out of memory");
	rc = list_xattrs(to, names, err);
	for (size_t at = 0; rc == 0 && at < names->len; at += strlen(names->text + at) + 1)
		rc = drop_xattr(from, to, names->text + at, err);
	if (rc == 0)
		rc = list_xattrs(from, names, err);
	for (size_t at = 0; rc == 0 && at < names->len; at += strlen(names->text + at) + 1)
		rc = carry_xattr(from, to, names->text + at, value, err);
	return rc;
}

/* Sets the mode last: chown() clears bits of it, and an ACL changes it. */
static int carry_identity(int from, const struct stat *st, int to, struct sf_err *err)
{
	int rc;

	if (fchown(to, st->st_uid, st->st_gid) < 0)
		return sf_fail(err, -errno, "set the owner: %s", strerror(errno));
	rc = carry_xattrs(from, to, err);
	if (rc < 0)
		return rc;
	if (fchmod(to, st->st_mode & 07777) < 0)
		return sf_fail(err, -errno, "set the mode: %s", strerror(errno));
	return 0;
}

static int open_live(const char *origin, struct stat *ret_st, struct sf_err *err)
{
	auto_fd int fd = sf_file_open_origin(origin, O_RDONLY, err);
	int rc;

	if (fd < 0)
		return fd;
	if (fstat(fd, ret_st) < 0)
		return sf_fail(err, -errno, "stat %s: %s", origin, strerror(errno));
	rc = sf_file_check_replaceable(fd, err);
	return rc < 0 ? sf_wrap(err, rc, "%s", origin) : sf_take_fd(&fd);
}

static int build(struct sf_file_volume *volume, int snapshot, const struct sf_file_place *place,
		 const char *name, struct sf_job *job, struct sf_err *err)
{
	struct sf_file_fill fill = {.src = snapshot,
				    .dst = -1,
				    .what = volume->base.origin,
				    .lease_fd = volume->lease_fd,
				    .job = job};
	const char *method;
	struct stat st;
	auto_fd int live = open_live(volume->base.origin, &st, err);
	auto_fd int fd = -1;
	int rc;

	if (live < 0)
		return live;
	fill.dst = fd = sf_file_create_anew(place->id_dir, name, err);
	if (fd < 0)
		return fd;
	rc = sf_file_carry_flags(live, fd, err);
	if (rc == 0)
		rc = sf_file_fill(&fill, &method, err);
	if (rc == 0)
		rc = sf_file_carry_allocation(&st, fd, volume->base.origin, job, err);
	if (rc == 0)
		rc = carry_identity(live, &st, fd, err);
	return rc < 0 ? rc : sf_fsync(fd, name, err);
}

static int replace(struct sf_file_volume *volume, const struct sf_file_place *place, const char *name,
		   struct sf_job *job, struct sf_err *err)
{
	int rc = sf_file_hold_check(&volume->base, err);

	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0)
		return rc;
	if (renameat(place->id_dir, name, place->image_dir, place->image) < 0)
		return sf_fail(err, -errno, "rename %s over the image: %s", name, strerror(errno));
	return 0;
}

int sf_file_revert(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		   struct sf_err *err)
{
	struct sf_file_volume *volume = (struct sf_file_volume *)base;
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct sf_file_names names;
	struct stat st;
	int rc = sf_file_place_open(base->storage, base->origin, false, &place, err);
	auto_fd int snapshot = rc < 0 ? rc : sf_file_open_object(&place, object, &st, err);

	if (snapshot < 0)
		return snapshot;
	sf_file_names(&object->token, &names);
	rc = build(volume, snapshot, &place, names.revert, job, err);
	if (rc == 0)
		rc = replace(volume, &place, names.revert, job, err);
	if (rc < 0) {
		/* The failure is already being reported. */
		(void)unlinkat(place.id_dir, names.revert, 0);
		return sf_wrap(err, rc, "revert %s", base->origin);
	}
	rc = sf_file_place_sync(&place, err);
	return rc < 0 ? sf_wrap(err, -EUCLEAN, "revert %s: replaced, but a power cut may undo it",
				base->origin)
		      : 0;
}
