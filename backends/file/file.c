/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage `file`: the slots about live images, and the table of slots. Between calls only a claim keeps an
 * image open, and read-only, so snapfs never counts as its writer.
 */
#include "file.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/id.h"
#include "base/io.h"
#include "core/contract/backend.h"
#include "core/contract/container.h"
#include "carry.h"
#include "copy.h"
#include "internal.h"
#include "lease.h"
#include "listing.h"
#include "notes.h"
#include "object.h"
#include "place.h"
#include "recreate.h"
#include "revert.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Space that a reflink may need for metadata; extent lists of any sane image are far smaller. */
#define REFLINK_BYTES (1024 * 1024)

static int claims(struct sf_storage *storage, const char *spec, struct sf_err *err)
{
	struct stat st;

	(void)storage;
	(void)err;
	return spec[0] == '/' && (stat(spec, &st) < 0 || !S_ISBLK(st.st_mode));
}

/* A descriptor holds no data of the guest, so neither snapshot nor revert would cover the disk. */
static int check_descriptor(const char *path, const struct stat *st, struct sf_err *err)
{
	char first[SF_CONTAINER_BYTES];
	auto_fd int fd = sf_file_open_origin(path, O_RDONLY, NULL);
	ssize_t len = fd < 0 ? 0 : pread(fd, first, sizeof(first), 0);

	if (len > 0 && sf_container_is_descriptor(first, (size_t)len, (uint64_t)st->st_size))
		return sf_fail(
			err, -EINVAL,
			"%s is the descriptor of a VMDK, a text that names the disk's files: convert the "
			"disk with qemu-img convert -O raw",
			path);
	return 0; /* an unreadable image is reported by the call that reads it */
}

static int check_image(const char *path, struct sf_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is a directory", path);
	if (!S_ISREG(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a regular file", path);
	if (st.st_size == 0)
		return sf_fail(err, -EINVAL, "%s is empty", path);
	return check_descriptor(path, &st, err);
}

static int volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err)
{
	_Static_assert(SF_ORIGIN_MAX >= PATH_MAX, "realpath writes up to PATH_MAX bytes");
	auto_free struct sf_file_volume *volume = calloc(1, sizeof(*volume));
	int rc;

	(void)vm;
	if (!volume)
		return sf_fail(err, -ENOMEM, "open %s: out of memory", disk->spec);
	if (!realpath(disk->spec, volume->base.origin))
		return sf_fail(err, -errno, "open %s: %s", disk->spec, strerror(errno));
	rc = check_image(volume->base.origin, err);
	if (rc < 0)
		return rc;
	volume->base.storage = storage;
	volume->lease_fd = -1;
	*ret = &((struct sf_file_volume *)sf_take_ptr(&volume))->base;
	return 0;
}

static void volume_close(struct sf_volume *volume)
{
	sf_file_release(volume);
	free(volume);
}

static bool is_instant(struct sf_file_volume *volume, int src)
{
	const char *name;
	auto_fd int dir = -1;

	if (volume->probed)
		return volume->instant;
	dir = sf_file_open_parent(volume->base.origin, &name, NULL);
	volume->instant = dir >= 0 && sf_file_can_share(dir, src);
	volume->probed = true;
	return volume->instant;
}

static int volume_stat(struct sf_volume *base, struct sf_volume_stat *ret, struct sf_err *err)
{
	struct sf_file_volume *volume = (struct sf_file_volume *)base;
	auto_fd int fd = sf_file_open_origin(base->origin, O_RDONLY, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "stat %s: %s", base->origin, strerror(errno));
	if (st.st_size == 0)
		return sf_fail(err, -EINVAL, "%s has become empty", base->origin);
	ret->size_bytes = (uint64_t)st.st_size;
	ret->allocated_bytes = sf_file_allocated(&st);
	ret->instant = is_instant(volume, fd);
	ret->method = ret->instant ? SF_FILE_REFLINK : SF_FILE_COPY;
	return 0;
}

static int volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_fd int fd = sf_file_open_origin(volume->origin, O_RDONLY, err);

	return fd < 0 ? fd : sf_pread_exactly(fd, volume->origin, buf, len, off, err);
}

static int volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			struct sf_err *err)
{
	auto_fd int fd = sf_file_open_origin(volume->origin, O_WRONLY, err);
	int rc;

	if (fd == -EAGAIN) /* a lease, perhaps held by our own caller, so waiting for it could deadlock */
		return sf_fail(err, -EBUSY, "%s is held", volume->origin);
	if (fd < 0)
		return fd;
	rc = sf_pwrite_all(fd, buf, len, off);
	return rc < 0 ? sf_fail(err, rc, "write %s: %s", volume->origin, strerror(-rc)) : 0;
}

static int space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err)
{
	auto_fd int fd = sf_file_open_origin(volume->origin, O_RDONLY, err);

	return fd < 0 ? fd : sf_file_space(fd, volume->origin, ret, err);
}

/* A full image stays full, so its revert also fills the holes of the snapshot. */
static int revert_cost(struct sf_volume *volume, const struct sf_object *object,
		       const struct sf_volume_stat *live, uint64_t *ret_need_bytes, struct sf_err *err)
{
	auto_fd int fd = sf_file_open_origin(volume->origin, O_RDONLY, err);
	struct sf_object_stat snapshot;
	int rc = fd < 0 ? fd : sf_file_check_replaceable(fd, err);

	if (rc < 0)
		return fd < 0 ? rc : sf_wrap(err, rc, "%s", volume->origin);
	rc = sf_file_stat(volume->storage, object, &snapshot, err);
	if (rc < 0)
		return rc;
	*ret_need_bytes = live->instant ? REFLINK_BYTES : snapshot.allocated_bytes;
	if (live->allocated_bytes >= live->size_bytes && snapshot.allocated_bytes < snapshot.size_bytes)
		*ret_need_bytes += snapshot.size_bytes - snapshot.allocated_bytes;
	return 0;
}

static int cost(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	struct sf_volume_stat live;
	uint64_t need;
	int rc = volume_stat(volume, &live, err);

	if (rc < 0)
		return rc;
	need = live.instant ? REFLINK_BYTES : live.allocated_bytes;
	if (purpose == SF_FOR_REVERT)
		rc = revert_cost(volume, object, &live, &need, err);
	if (rc == 0)
		rc = space(volume, ret_pool, err);
	if (rc == 0)
		*ret_need_bytes = need;
	return rc;
}

static void storage_close(struct sf_storage *storage)
{
	free(storage);
}

static const struct sf_storage_ops ops = {
	.name = "file",
	.claims = claims,
	.volume_open = volume_open,
	.volume_close = volume_close,
	.volume_stat = volume_stat,
	.notes = sf_file_notes,
	.volume_read = volume_read,
	.volume_write = volume_write,
	.hold = sf_file_hold,
	.hold_check = sf_file_hold_check,
	.release = sf_file_release,
	.cost = cost,
	.create = sf_file_create,
	.settle = sf_file_settle,
	.stat = sf_file_stat,
	.remove = sf_file_remove,
	.list = sf_file_list,
	.relabel = sf_file_relabel,
	.foreign = sf_file_foreign,
	.lists_directories = true,
	.image_open = sf_file_image,
	.revert = sf_file_revert,
	.recreate = sf_file_recreate,
	.space = space,
	.close = storage_close,
};

int sf_file_open(const struct sf_backend_env *env, struct sf_storage **ret, struct sf_err *err)
{
	struct sf_file_storage *storage = calloc(1, sizeof(*storage));

	if (!storage)
		return sf_fail(err, -ENOMEM, "open storage file: out of memory");
	storage->base.ops = &ops;
	sf_id_format(&env->state_id, storage->id);
	*ret = &storage->base;
	return 0;
}
