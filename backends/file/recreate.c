/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a lost image again: fills a new file beside the snapshots, makes it durable, and renames it to the
 * image's name, never over another file. It gets the owner and mode that the snapshot's labels keep; without
 * labels it belongs to the owner of its directory, who alone can read it.
 */
#include "recreate.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "core/contract/job.h"
#include "copy.h"
#include "labels.h"
#include "object.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many symbolic links as Linux follows (path_resolution(7)). */
#define LINKS_MAX 40

/* The absolute path that realpath() would give if a file were there. False if its directory is missing. */
static bool resolve_parent(const char *path, char ret[static PATH_MAX])
{
	char parent[PATH_MAX], real[PATH_MAX];
	const char *name = strrchr(path, '/');

	if (!name || !name[1] || (size_t)(name - path) >= sizeof(parent))
		return false;
	(void)snprintf(parent, sizeof(parent), "%.*s/", (int)(name - path), path);
	return realpath(parent, real) &&
	       snprintf(ret, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name + 1) < PATH_MAX;
}

/* Whether spec leads to origin, perhaps through symbolic links, although nothing is there. */
static bool leads_to(const char *spec, const char *origin)
{
	char path[PATH_MAX], real[PATH_MAX], target[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", spec) >= (int)sizeof(path))
		return false;
	for (int i = 0; i < LINKS_MAX && resolve_parent(path, real); i++) {
		ssize_t len = readlink(real, target, sizeof(target) - 1);

		if (len < 0)
			return strcmp(real, origin) == 0;
		target[len] = '\0';
		*strrchr(real, '/') = '\0';
		if (snprintf(path, sizeof(path), "%s%s%s", *target == '/' ? "" : real,
			     *target == '/' ? "" : "/", target) >= (int)sizeof(path))
			return false;
	}
	return false;
}

static int set_identity(const struct sf_file_place *place, int snapshot, int fd, const char *origin,
			struct sf_job *job, struct sf_err *err)
{
	struct sf_file_labels labels = {.mode = 0600};
	struct stat dir;
	int rc = sf_file_labels_read(snapshot, &labels, err);

	if (rc < 0 && !sf_file_labels_are_none(rc))
		return rc;
	if (rc < 0) {
		sf_job_note(job, "%s belongs to the owner of its directory: the snapshot says no other",
			    origin);
		if (fstat(place->image_dir, &dir) < 0)
			return sf_fail(err, -errno, "stat the image's directory: %s", strerror(errno));
		labels.uid = dir.st_uid;
		labels.gid = dir.st_gid;
	}
	if (fchown(fd, labels.uid, labels.gid) < 0 || fchmod(fd, labels.mode) < 0)
		return sf_fail(err, -errno, "set owner and mode of the image: %s", strerror(errno));
	return 0;
}

/* Unless it shares the snapshot's blocks. */
static int check_space(const struct sf_file_place *place, int snapshot, const char *origin,
		       struct sf_err *err)
{
	struct sf_space space;
	struct stat st;
	int rc = sf_file_space(place->image_dir, origin, &space, err);

	if (rc < 0)
		return rc;
	if (fstat(snapshot, &st) < 0)
		return sf_fail(err, -errno, "stat the snapshot: %s", strerror(errno));
	if (sf_file_allocated(&st) <= space.free_bytes || sf_file_can_share(place->id_dir, snapshot))
		return 0;
	return sf_fail(err, -ENOSPC, "%s has too little space: %ju bytes needed, %ju free", space.pool,
		       (uintmax_t)sf_file_allocated(&st), (uintmax_t)space.free_bytes);
}

static int make(const struct sf_file_place *place, int snapshot, const char *name, const char *origin,
		struct sf_job *job, struct sf_err *err)
{
	struct sf_file_fill fill = {.src = snapshot, .what = origin, .lease_fd = -1, .job = job};
	const char *method;
	auto_fd int fd = -1;
	int rc;

	fill.dst = fd = sf_file_create_anew(place->id_dir, name, err);
	if (fd < 0)
		return fd;
	rc = check_space(place, snapshot, origin, err); /* without what a crash left */
	if (rc == 0)
		rc = sf_file_inherit_nocow(snapshot, fd, err);
	if (rc == 0)
		rc = sf_file_fill(&fill, &method, err);
	if (rc == 0)
		rc = set_identity(place, snapshot, fd, origin, job, err);
	return rc < 0 ? rc : sf_fsync(fd, name, err);
}

int sf_file_recreate(struct sf_storage *storage, const char *spec, const struct sf_object *object,
		     struct sf_job *job, struct sf_err *err)
{
	auto_place struct sf_file_place place = SF_FILE_NOWHERE;
	struct sf_file_names names;
	struct stat st;
	auto_fd int snapshot = -1;
	int rc;

	if (access(spec, F_OK) == 0)
		return 0;
	if (!leads_to(spec, object->origin))
		return sf_fail(err, -EINVAL, "%s does not lead to %s", spec, object->origin);
	rc = sf_file_place_open(storage, object->origin, false, &place, err);
	snapshot = rc < 0 ? rc : sf_file_open_object(&place, object, &st, err);
	if (snapshot < 0)
		return snapshot;
	sf_file_names(&object->token, &names);
	rc = make(&place, snapshot, names.revert, object->origin, job, err);
	if (rc == 0)
		rc = sf_durable_rename(place.id_dir, names.revert, place.image_dir, place.image, err);
	if (rc < 0)
		(void)unlinkat(place.id_dir, names.revert, 0); /* the failure is already being reported */
	return rc < 0 ? sf_wrap(err, rc, "make %s again", object->origin) : 0;
}
