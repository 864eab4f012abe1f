/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A storage that gives whatever answer a test sets, including answers that violate the contract. */
#ifndef TESTS_UNIT_LIAR_STORAGE_H
#define TESTS_UNIT_LIAR_STORAGE_H

#include "core/contract/extents.h"
#include "core/contract/image.h"
#include "core/contract/storage.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct liar {
	struct sf_storage base;
	struct sf_storage_ops ops;
	struct sf_volume volume;
	struct sf_image_ops image_ops;
	struct sf_image image;

	/* The answers. */
	int rc;
	int claims_rc; /* negative: it cannot tell */
	struct sf_object_stat st;
	struct sf_space space;
	struct sf_volume *opened;
	struct sf_image *image_opened;
	struct sf_id listed;
	const char *where;
	bool ignores_fn;
	struct sf_range mapped; /* the only range of its map */
	uint64_t mapped_size;   /* 0: the size of the image in question */
	int map_rc;
	void (*on_map)(struct liar *liar);
	struct sf_usage usage;

	/* The calls it has counted. */
	atomic_uint ncalls; /* atomic: any thread may open an image */
	atomic_uint nclosed;
	atomic_uint nmaps;
};

static struct liar *of(struct sf_storage *storage)
{
	return (struct liar *)storage;
}

static int answer(struct sf_storage *storage)
{
	of(storage)->ncalls++;
	return of(storage)->rc;
}

static int claims(struct sf_storage *storage, const char *spec, struct sf_err *err)
{
	(void)err;
	if (of(storage)->claims_rc < 0)
		return of(storage)->claims_rc;
	return strncmp(spec, "lie:", 4) == 0;
}

static int volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err)
{
	(void)vm;
	(void)disk;
	(void)err;
	*ret = of(storage)->opened;
	return answer(storage);
}

static void volume_close(struct sf_volume *volume)
{
	struct liar *liar = (struct liar *)((char *)volume - offsetof(struct liar, volume));

	liar->nclosed++;
}

static int volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err)
{
	const struct liar *liar = of(volume->storage);

	(void)err;
	*ret = (struct sf_volume_stat){liar->st.size_bytes, liar->st.allocated_bytes, true, liar->st.method};
	return answer(volume->storage);
}

static int volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	(void)off;
	(void)err;
	memset(buf, 'x', len);
	return answer(volume->storage);
}

static int volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			struct sf_err *err)
{
	(void)buf;
	(void)len;
	(void)off;
	(void)err;
	return answer(volume->storage);
}

static int cost(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	(void)purpose;
	(void)object;
	(void)err;
	*ret_pool = of(volume->storage)->space;
	*ret_need_bytes = 7;
	return answer(volume->storage);
}

static int create(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		  struct sf_object_stat *ret, struct sf_err *err)
{
	(void)object;
	(void)job;
	(void)err;
	*ret = of(volume->storage)->st;
	return answer(volume->storage);
}

static int stat_object(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		       struct sf_err *err)
{
	(void)object;
	(void)err;
	*ret = of(storage)->st;
	return answer(storage);
}

static int remove_object(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	(void)object;
	(void)err;
	return answer(storage);
}

static int list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		struct sf_err *err)
{
	const struct liar *liar = of(storage);
	const struct sf_object object = {.token = liar->listed};
	int rc = fn(arg, &object, liar->where, err);

	(void)origin;
	if (!liar->ignores_fn && rc < 0)
		return rc;
	return answer(storage);
}

static int image_open(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		      struct sf_err *err)
{
	(void)object;
	(void)err;
	*ret = of(storage)->image_opened;
	return answer(storage);
}

static void image_close(struct sf_image *image)
{
	struct liar *liar = (struct liar *)((char *)image - offsetof(struct liar, image));

	liar->nclosed++;
}

static int revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		  struct sf_err *err)
{
	(void)object;
	(void)job;
	(void)err;
	return answer(volume->storage);
}

static int space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err)
{
	(void)err;
	*ret = of(volume->storage)->space;
	return answer(volume->storage);
}

/* --- the optional slots, present after liar_can_all() --- */

static inline int relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	(void)object;
	(void)err;
	return answer(storage);
}

static inline int foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err)
{
	int rc = fn(arg, of(volume->storage)->where, &of(volume->storage)->listed, err);

	if (rc < 0 && !of(volume->storage)->ignores_fn)
		return rc;
	return answer(volume->storage);
}

static inline int map(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		      struct sf_err *err)
{
	struct liar *liar = of(storage);

	(void)object;
	atomic_fetch_add(&liar->nmaps, 1);
	if (liar->on_map)
		liar->on_map(liar);
	if (liar->map_rc < 0)
		return liar->map_rc;
	if (liar->mapped_size)
		ret->size_bytes = liar->mapped_size;
	return sf_extents_add(ret, liar->mapped.off, liar->mapped.len, err);
}

static inline int watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
			struct sf_err *err)
{
	(void)wake_fd;
	(void)wait_ms;
	(void)err;
	fn(arg, &of(storage)->usage);
	return answer(storage);
}

static inline int notes(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err)
{
	(void)err;
	fn(arg, of(volume->storage)->where);
	return answer(volume->storage);
}

static inline void liar_can_all(struct liar *liar)
{
	liar->ops.relabel = relabel;
	liar->ops.foreign = foreign;
	liar->ops.map = map;
	liar->ops.notes = notes;
	liar->ops.watch = watch;
}

static void close_storage(struct sf_storage *storage)
{
	free(of(storage));
}

static const struct sf_storage_ops liar_ops = {
	.name = "liar",
	.claims = claims,
	.volume_open = volume_open,
	.volume_close = volume_close,
	.volume_stat = volume_stat,
	.volume_read = volume_read,
	.volume_write = volume_write,
	.cost = cost,
	.create = create,
	.stat = stat_object,
	.remove = remove_object,
	.list = list,
	.image_open = image_open,
	.revert = revert,
	.space = space,
	.close = close_storage,
};

#endif
