/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "object.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/id.h"
#include "core/contract/image.h"
#include "copy.h"
#include "internal.h"
#include "labels.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Removing the last snapshot of another image removes our empty directory; each time costs one retry. */
#define PLACE_TRIES 100

int sf_file_open_object(const struct sf_file_place *place, const struct sf_object *object,
			struct stat *ret_st, struct sf_err *err)
{
	struct sf_file_names names;
	auto_fd int fd = -1;

	sf_file_names(&object->token, &names);
	fd = openat(place->id_dir, names.img, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return sf_fail(err, -errno, "snapshot %s of %s: %s", names.img, object->origin,
			       strerror(errno));
	if (!S_ISREG(ret_st->st_mode))
		return sf_fail(err, -EINVAL, "snapshot %s of %s is not a regular file", names.img,
			       object->origin);
	if (ret_st->st_size == 0) /* images are never empty */
		return sf_fail(err, -ESTALE, "snapshot %s of %s has lost its content", names.img,
			       object->origin);
	return sf_take_fd(&fd);
}

static int stat_object(const struct sf_file_place *place, const struct sf_object *object,
		       struct sf_object_stat *ret, struct sf_err *err)
{
	struct stat st;
	auto_fd int fd = sf_file_open_object(place, object, &st, err);

	if (fd < 0)
		return fd;
	ret->size_bytes = (uint64_t)st.st_size;
	ret->allocated_bytes = sf_file_allocated(&st);
	ret->method = sf_file_can_share(place->id_dir, fd) ? SF_FILE_REFLINK : SF_FILE_COPY;
	return 0;
}

int sf_file_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		 struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	int rc = sf_file_place_open(storage, object->origin, false, &place, err);

	return rc < 0 ? rc : stat_object(&place, object, ret, err);
}

/* Opens the place and a new empty file, in place of one left by a crash. -EEXIST: the snapshot exists. */
static int open_tmp(struct sf_storage *storage, const struct sf_object *object,
		    const struct sf_file_names *names, struct sf_file_place *place, struct sf_err *err)
{
	for (int i = 0; i < PLACE_TRIES; i++) {
		int rc = sf_file_place_open(storage, object->origin, true, place, err), fd;

		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return rc;
		if (sf_file_exists(place->id_dir, names->img))
			return -EEXIST;
		if (unlinkat(place->id_dir, names->tmp, 0) < 0 && errno != ENOENT)
			return sf_fail(err, -errno, "remove %s: %s", names->tmp, strerror(errno));
		fd = openat(place->id_dir, names->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			return sf_fail(err, -errno, "create %s: %s", names->tmp, strerror(errno));
	}
	return sf_fail(err, -ENOENT, "create %s: its directory is repeatedly removed", names->tmp);
}

static int label(int src, int dst, const char *origin, const struct sf_object *object, struct sf_err *err)
{
	struct sf_file_labels labels = {.object = *object};
	struct stat st;

	if (fstat(src, &st) < 0)
		return sf_fail(err, -errno, "stat %s: %s", origin, strerror(errno));
	labels.uid = st.st_uid;
	labels.gid = st.st_gid;
	labels.mode = st.st_mode & 07777;
	(void)snprintf(labels.image, sizeof(labels.image), "%s", strrchr(origin, '/') + 1);
	return sf_file_labels_write(dst, &labels, err);
}

static int fill_object(const struct sf_file_volume *volume, const struct sf_object *object, int src, int dst,
		       struct sf_job *job, struct sf_object_stat *ret, struct sf_err *err)
{
	/* An instant volume may have writers during the copy, unless it is held. */
	struct sf_file_fill fill = {.src = src,
				    .dst = dst,
				    .what = volume->base.origin,
				    .lease_fd = volume->lease_fd,
				    .job = job,
				    .share_only = volume->probed && volume->instant && volume->lease_fd < 0};
	const char *method = NULL;
	struct stat st;
	int rc = sf_file_inherit_nocow(src, dst, err);

	if (rc == 0)
		rc = sf_file_fill(&fill, &method, err);
	if (rc == 0)
		rc = label(src, dst, volume->base.origin, object, err);
	if (rc < 0)
		return rc;
	if (fstat(dst, &st) < 0)
		return sf_fail(err, -errno, "stat the snapshot: %s", strerror(errno));
	*ret = (struct sf_object_stat){(uint64_t)st.st_size, sf_file_allocated(&st), method};
	return 0;
}

int sf_file_create(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		   struct sf_object_stat *ret, struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	auto_fd int src = sf_file_open_origin(base->origin, O_RDONLY, err);
	auto_fd int dst = -1;
	struct sf_object_stat made;
	struct sf_file_names names;
	int rc;

	if (src < 0)
		return src;
	sf_file_names(&object->token, &names);
	dst = open_tmp(base->storage, object, &names, &place, err);
	if (dst == -EEXIST)
		return stat_object(&place, object, ret, err);
	rc = dst < 0 ? dst : fill_object((struct sf_file_volume *)base, object, src, dst, job, &made, err);
	if (rc >= 0 && renameat(place.id_dir, names.tmp, place.id_dir, names.img) < 0)
		rc = sf_fail(err, -errno, "rename %s: %s", names.tmp, strerror(errno));
	if (rc < 0) {
		/* The failure is already being reported. */
		if (dst >= 0)
			(void)unlinkat(place.id_dir, names.tmp, 0);
		sf_file_place_prune(base->storage, &place);
		return rc;
	}
	*ret = made;
	return 0;
}

int sf_file_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct stat st;
	int rc = sf_file_place_open(storage, object->origin, false, &place, err);
	auto_fd int fd = rc < 0 ? rc : sf_file_open_object(&place, object, &st, err);

	if (fd < 0)
		return fd;
	rc = sf_fsync(fd, "the snapshot", err);
	return rc < 0 ? rc : sf_file_place_sync(&place, err);
}

int sf_file_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct sf_file_names names;
	int rc = sf_file_place_open(storage, object->origin, false, &place, err);

	if (rc == -ENOENT) {
		/* A crash may have left an empty .snapfs. */
		sf_file_place_prune(storage, &place);
		return 0;
	}
	if (rc < 0)
		return rc;
	sf_file_names(&object->token, &names);
	rc = sf_durable_unlink(place.id_dir, names.revert, err);
	if (rc == 0)
		rc = sf_durable_unlink(place.id_dir, names.tmp, err);
	if (rc == 0)
		rc = sf_durable_unlink(place.id_dir, names.img, err);
	if (rc == 0)
		sf_file_place_prune(storage, &place);
	return rc;
}

int sf_file_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct sf_file_labels labels;
	struct stat st;
	int rc = sf_file_place_open(storage, object->origin, false, &place, err);
	auto_fd int fd = rc < 0 ? rc : sf_file_open_object(&place, object, &st, err);

	if (fd < 0)
		return fd;
	rc = sf_file_labels_read(fd, &labels, err);
	if (rc < 0) /* an older version made it, or its file system keeps none */
		return rc == -ENODATA ? 0 : rc;
	labels.object = *object;
	rc = sf_file_labels_write(fd, &labels, err);
	return rc < 0 ? rc : sf_fsync(fd, "the snapshot", err);
}

int sf_file_image(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		  struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct sf_file_names names;
	char where[SF_FILE_WHERE];
	int rc = sf_file_place_open(storage, object->origin, false, &place, err);

	if (rc < 0)
		return rc;
	sf_file_names(&object->token, &names);
	sf_file_where(storage, object->origin, names.img, where);
	return sf_image_open_file(place.id_dir, names.img, where, ret, err);
}
