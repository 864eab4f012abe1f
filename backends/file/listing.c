/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listing.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "internal.h"
#include "labels.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether name is the first existing file of a token, so that each token is listed once. */
static bool token_of(int dir, const char *name, struct sf_id *ret)
{
	struct sf_file_names names;
	char text[SF_ID_TEXT];
	const char *hex = strncmp(name, "revert-", 7) == 0 ? name + 7 : name;

	if (strlen(hex) < SF_ID_TEXT - 1)
		return false;
	memcpy(text, hex, SF_ID_TEXT - 1);
	text[SF_ID_TEXT - 1] = '\0';
	if (sf_id_parse(text, ret) < 0)
		return false;
	sf_file_names(ret, &names);
	if (strcmp(name, names.img) == 0)
		return true;
	if (strcmp(name, names.tmp) == 0)
		return !sf_file_exists(dir, names.img);
	return strcmp(name, names.revert) == 0 && !sf_file_exists(dir, names.img) &&
	       !sf_file_exists(dir, names.tmp);
}

/* 1 if the file has labels, 0 if it has none or is gone. */
static int read_labels(int dir, const char *name, struct sf_file_labels *ret, struct sf_err *err)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct sf_err why = {0};
	int rc;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP
			       ? 0
			       : sf_fail(err, -errno, "open %s: %s", name, strerror(errno));
	rc = sf_file_labels_read(fd, ret, &why);
	if (rc < 0 && !sf_file_labels_are_none(rc))
		return sf_fail(err, rc, "labels of %s: %s", name, why.text);
	return rc == 0;
}

/* origin: any image in the directory; the labels, if there are any, say which image the snapshot is of. */
static int list_one(const struct sf_file_labels *labels, const struct sf_id *token, const char *origin,
		    const char *where, sf_object_fn *fn, void *arg, struct sf_err *err)
{
	struct sf_object object = {.token = *token};
	char path[SF_ORIGIN_MAX];

	if (!labels || snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(origin, '/') - origin), origin,
				labels->image) >= (int)sizeof(path))
		return fn(arg, &object, where, err);
	object = labels->object;
	object.token = *token;
	object.origin = path;
	return fn(arg, &object, where, err);
}

/* A file that cannot be read hides only itself; the result says so in the end. */
int sf_file_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		 struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct sf_dir_names names;
	int rc = sf_file_place_open(storage, origin, false, &place, err), unread = 0;

	if (rc < 0)
		return rc == -ENOENT || rc == -ENODEV ? 0 : rc; /* none can be seen */
	rc = sf_dir_names_read(place.id_dir, &names, err);
	if (rc < 0)
		return sf_wrap(err, rc, "the snapshots beside %s", origin);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		struct sf_file_labels labels;
		char where[SF_FILE_WHERE];
		struct sf_id token;
		int labelled;

		if (!token_of(place.id_dir, names.list[i], &token))
			continue;
		labelled = read_labels(place.id_dir, names.list[i], &labels, err);
		if (labelled < 0) {
			unread = labelled;
			continue;
		}
		sf_file_where(storage, origin, names.list[i], where);
		rc = list_one(labelled ? &labels : NULL, &token, origin, where, fn, arg, err);
	}
	sf_dir_names_fini(&names);
	return rc < 0 ? rc : unread;
}

struct foreign {
	const char *origin, *image;
	const char *id_name;
	struct sf_id id;
	sf_foreign_fn *fn;
	void *arg;
};

/* A snapshot without labels may be one of this image. */
static int foreign_one(const struct foreign *foreign, int dir, const char *name, struct sf_err *err)
{
	struct sf_file_labels labels;
	char where[SF_FILE_WHERE];
	struct sf_id token;
	int labelled;

	if (!token_of(dir, name, &token) || !strstr(name, ".img"))
		return 0;
	labelled = read_labels(dir, name, &labels, err);
	if (labelled < 0)
		return labelled;
	if (labelled && strcmp(labels.image, foreign->image) != 0)
		return 0;
	(void)snprintf(where, sizeof(where), "%.*s%s/%s/%s", (int)(foreign->image - foreign->origin),
		       foreign->origin, SF_FILE_DIR, foreign->id_name, name);
	return foreign->fn(foreign->arg, where, &foreign->id, err);
}

static int foreign_dir(const struct foreign *foreign, int snapfs_dir, struct sf_err *err)
{
	struct sf_err why = {0};
	auto_fd int dir = sf_file_open_ours(snapfs_dir, foreign->id_name, false, &why);
	struct sf_dir_names names;
	int rc;

	if (dir == -ENOENT || dir == -EPERM || dir == -ENOTDIR || dir == -ELOOP)
		return 0; /* removed meanwhile, or another user's, or no directory */
	if (dir < 0)
		return sf_fail(err, dir, "%s", why.text);
	rc = sf_dir_names_read(dir, &names, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = foreign_one(foreign, dir, names.list[i], err);
	sf_dir_names_fini(&names);
	return rc;
}

int sf_file_foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err)
{
	const struct sf_file_storage *file = (const struct sf_file_storage *)volume->storage;
	struct foreign foreign = {.origin = volume->origin, .fn = fn, .arg = arg};
	auto_fd int image_dir = sf_file_open_parent(volume->origin, &foreign.image, err);
	auto_fd int snapfs_dir =
		image_dir < 0 ? image_dir : sf_file_open_ours(image_dir, SF_FILE_DIR, false, err);
	struct sf_dir_names names;
	int rc;

	if (snapfs_dir == -ENOENT)
		return 0;
	rc = snapfs_dir < 0 ? snapfs_dir : sf_dir_names_read(snapfs_dir, &names, err);
	if (rc < 0)
		return sf_wrap(err, rc, "foreign snapshots beside %s", volume->origin);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		foreign.id_name = names.list[i];
		if (strcmp(names.list[i], file->id) != 0 && sf_id_parse(names.list[i], &foreign.id) == 0)
			rc = foreign_dir(&foreign, snapfs_dir, err);
	}
	sf_dir_names_fini(&names);
	return rc;
}
