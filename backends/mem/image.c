/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images of objects. Reads walk the tree without the lock, and fail once the generation has changed. */
#include "world.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>

struct mem_image {
	struct sf_image base;
	struct sf_mem_world *world;
	const struct sf_mem_object_slot *slot;
	uint64_t generation;
	uint32_t root;
};

static int check_there(const struct mem_image *image, struct sf_err *err)
{
	if (atomic_load(&image->slot->generation) == image->generation)
		return 0;
	return sf_fail(err, -ESTALE, "a snapshot in memory was removed while it was read");
}

static int image_pread(struct sf_image *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	const struct mem_image *image = (const struct mem_image *)base;

	sf_mem_tree_read(image->world, image->root, buf, len, off);
	return check_there(image, err);
}

static int image_extent(struct sf_image *base, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	const struct mem_image *image = (const struct mem_image *)base;
	struct sf_extent extent;
	int rc;

	sf_mem_tree_extent(image->world, image->root, base->size_bytes, off, &extent);
	rc = check_there(image, err);
	if (rc == 0)
		*ret = extent;
	return rc;
}

static void image_close(struct sf_image *image)
{
	free(image);
}

static const struct sf_image_ops image_ops = {
	.pread = image_pread,
	.extent = image_extent,
	.file = sf_image_no_file,
	.close = image_close,
};

int sf_mem_image_open(struct sf_mem_world *world, const struct sf_mem_object_slot *slot,
		      struct sf_image **ret, struct sf_err *err)
{
	struct mem_image *image = calloc(1, sizeof(*image));

	if (!image)
		return sf_fail(err, -ENOMEM, "open a snapshot of %s: out of memory", slot->origin);
	image->base.ops = &image_ops;
	image->base.size_bytes = slot->size_bytes;
	image->world = world;
	image->slot = slot;
	image->generation = slot->generation;
	image->root = slot->tree.root;
	*ret = &image->base;
	return 0;
}
