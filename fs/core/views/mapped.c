/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mapped.h"

#include "core/contract/extents.h"
#include "core/contract/image.h"
#include "core/contract/storage.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/file.h>

/* The image whose map is needed, and the file that keeps the map. */
struct wanted {
	struct sf_storage *storage;
	const struct sf_object *object;
	uint64_t size_bytes;
	int dir; /* negative: nowhere */
	const char *name;
};

static void complain(const struct wanted *wanted, const char *what, const struct sf_err *why)
{
	sf_log(SF_LOG_WARNING, "%s/%s: disk %s: %s: %s", wanted->object->vm, wanted->object->snapshot,
	       wanted->object->vdev, what, why->text);
}

static bool read_kept(const struct wanted *wanted, struct sf_extents *ret, struct sf_err *why)
{
	return sf_extents_read(wanted->dir, wanted->name, wanted->size_bytes, ret, why) == 0;
}

/* False when there is no map. A storage may have none for this object; that is not worth a message. */
static bool compute(const struct wanted *wanted, struct sf_extents *ret)
{
	struct sf_err why = {0};
	int rc = sf_object_map(wanted->storage, wanted->object, wanted->size_bytes, ret, &why);

	if (rc < 0 && rc != -EOPNOTSUPP)
		complain(wanted, "reading without a hole map", &why);
	return rc == 0;
}

static bool compute_and_keep(const struct wanted *wanted, struct sf_extents *ret)
{
	struct sf_err why = {0};

	if (!compute(wanted, ret))
		return false;
	if (sf_extents_write(wanted->dir, wanted->name, ret, &why) < 0)
		complain(wanted, "cannot save the hole map", &why);
	return true;
}

static bool find_map(const struct wanted *wanted, struct sf_extents *ret)
{
	struct sf_err why = {0};
	bool found;
	int rc;

	if (wanted->dir < 0)
		return compute(wanted, ret);
	if (read_kept(wanted, ret, &why))
		return true;
	if (why.code != -ENOENT)
		complain(wanted, "cannot use the saved hole map", &why);
	do
		rc = flock(wanted->dir, LOCK_EX); /* without it, at worst the map is computed twice */
	while (rc < 0 && errno == EINTR);
	found = read_kept(wanted, ret, NULL) || compute_and_keep(wanted, ret);
	if (rc == 0)
		(void)flock(wanted->dir, LOCK_UN);
	return found;
}

int sf_object_image_mapped(struct sf_storage *storage, const struct sf_object *object, int dir,
			   const char *map_name, struct sf_image **ret, struct sf_err *err)
{
	struct sf_extents extents = {.list = NULL};
	struct wanted wanted = {.storage = storage, .object = object, .dir = dir, .name = map_name};
	struct sf_image *image;
	struct sf_err why = {0};
	int rc = sf_object_image(storage, object, &image, err);

	if (rc < 0)
		return rc;
	wanted.size_bytes = image->size_bytes;
	if (storage->ops->map && find_map(&wanted, &extents) &&
	    sf_image_with_extents(image, &extents, &image, &why) < 0)
		complain(&wanted, "reading without a hole map", &why);
	sf_extents_fini(&extents);
	*ret = image;
	return 0;
}
