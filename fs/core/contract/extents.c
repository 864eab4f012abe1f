/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of data ranges, their file format, and the image that overlays them on another. */
#include "extents.h"

#include "image.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAGIC   "SFEXTENT"
#define VERSION 1

/* On-disk form, little-endian. */
struct head {
	char magic[8];
	uint32_t version;
	uint32_t zero;
	uint64_t size_bytes;
	uint64_t n;
};
_Static_assert(sizeof(struct head) == 32, "the file's form has no gaps");
_Static_assert(sizeof(struct sf_range) == 16, "the file's form has no gaps");

/* --- lists --- */

void sf_extents_fini(struct sf_extents *extents)
{
	uint64_t size_bytes = extents->size_bytes;

	free(extents->list);
	*extents = (struct sf_extents){.size_bytes = size_bytes};
}

static int make_room(struct sf_extents *extents, struct sf_err *err)
{
	size_t room = extents->room ? 2 * extents->room : 64;
	struct sf_range *list;

	if (extents->n < extents->room)
		return 0;
	if (extents->n >= SF_EXTENTS_MAX)
		return sf_fail(err, -E2BIG, "the image has more than %zu ranges of data", SF_EXTENTS_MAX);
	list = realloc(extents->list, room * sizeof(*list));
	if (!list)
		return sf_fail(err, -ENOMEM, "%zu ranges: out of memory", room);
	extents->list = list;
	extents->room = room;
	return 0;
}

int sf_extents_add(struct sf_extents *extents, uint64_t off, uint64_t len, struct sf_err *err)
{
	struct sf_range *last = extents->n ? &extents->list[extents->n - 1] : NULL;
	uint64_t end;
	int rc;

	if (last && off < last->off)
		return sf_fail(err, -EINVAL, "ranges are out of order");
	if (off >= extents->size_bytes || len == 0)
		return 0;
	if (len > extents->size_bytes - off)
		len = extents->size_bytes - off;
	end = off + len;
	if (last && off <= last->off + last->len) {
		if (end > last->off + last->len)
			last->len = end - last->off;
		return 0;
	}
	rc = make_room(extents, err);
	if (rc == 0)
		extents->list[extents->n++] = (struct sf_range){off, len};
	return rc;
}

uint64_t sf_extents_bytes(const struct sf_extents *extents)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < extents->n; i++)
		bytes += extents->list[i].len;
	return bytes;
}

/* Index of the first range that ends after off; n if there is none. */
static size_t find_range(const struct sf_extents *extents, uint64_t off)
{
	size_t low = 0, high = extents->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (extents->list[middle].off + extents->list[middle].len <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t sf_extents_at(const struct sf_extents *extents, uint64_t off, bool *ret_is_data)
{
	size_t i = find_range(extents, off);
	const struct sf_range *range = i < extents->n ? &extents->list[i] : NULL;

	*ret_is_data = range && range->off <= off;
	if (*ret_is_data)
		return range->off + range->len - off;
	return (range ? range->off : extents->size_bytes) - off;
}

/* --- the file --- */

static size_t file_bytes(size_t n)
{
	return sizeof(struct head) + n * sizeof(struct sf_range) + sizeof(XXH128_canonical_t);
}

static void seal(char *file, size_t len)
{
	XXH128_canonical_t hash;

	XXH128_canonicalFromHash(&hash, XXH3_128bits(file, len));
	memcpy(file + len, &hash, sizeof(hash));
}

int sf_extents_write(int dir, const char *name, const struct sf_extents *extents, struct sf_err *err)
{
	size_t len = file_bytes(extents->n);
	auto_free char *file = malloc(len);
	const struct head head = {.magic = MAGIC,
				  .version = htole32(VERSION),
				  .size_bytes = htole64(extents->size_bytes),
				  .n = htole64(extents->n)};

	if (!file)
		return sf_fail(err, -ENOMEM, "write %s: out of memory", name);
	memcpy(file, &head, sizeof(head));
	for (size_t i = 0; i < extents->n; i++) {
		const struct sf_range range = {htole64(extents->list[i].off), htole64(extents->list[i].len)};

		memcpy(file + sizeof(head) + i * sizeof(range), &range, sizeof(range));
	}
	seal(file, len - sizeof(XXH128_canonical_t));
	return sf_durable_write(dir, name, file, len, err);
}

static int check_file(const char *name, const char *file, size_t len, uint64_t size_bytes, size_t *ret_n,
		      struct sf_err *err)
{
	XXH128_canonical_t hash;
	struct head head;
	uint64_t n;

	if (len < file_bytes(0))
		return sf_fail(err, -EINVAL, "%s is truncated", name);
	memcpy(&head, file, sizeof(head));
	n = le64toh(head.n);
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 || le32toh(head.version) != VERSION ||
	    head.zero != 0)
		return sf_fail(err, -EINVAL, "%s is not a map of a known version", name);
	if (n > SF_EXTENTS_MAX || len != file_bytes((size_t)n))
		return sf_fail(err, -EINVAL, "%s has a length that contradicts its header", name);
	memcpy(&hash, file + len - sizeof(hash), sizeof(hash));
	if (!XXH128_isEqual(XXH128_hashFromCanonical(&hash), XXH3_128bits(file, len - sizeof(hash))))
		return sf_fail(err, -EINVAL, "%s is damaged: its hash is wrong", name);
	if (le64toh(head.size_bytes) != size_bytes)
		return sf_fail(err, -EINVAL, "%s belongs to an image of another size", name);
	*ret_n = (size_t)n;
	return 0;
}

/* Converts from the file's byte order in place. Refuses what sf_extents_add() would not have made. */
static int check_ranges(const char *name, struct sf_range *list, size_t n, uint64_t size_bytes,
			struct sf_err *err)
{
	uint64_t end = 0; /* of the previous range */

	for (size_t i = 0; i < n; i++) {
		const struct sf_range range = {le64toh(list[i].off), le64toh(list[i].len)};

		if (range.len == 0 || range.off >= size_bytes || range.len > size_bytes - range.off)
			return sf_fail(err, -EINVAL, "%s: range %zu is outside the image", name, i);
		if (i > 0 && range.off < list[i - 1].off)
			return sf_fail(err, -EINVAL, "%s: ranges are out of order", name);
		if (i > 0 && range.off <= end)
			return sf_fail(err, -EINVAL, "%s: range %zu touches the previous one", name, i);
		end = range.off + range.len;
		list[i] = range;
	}
	return 0;
}

/* Frees a list's unused memory; keeps the list as it is if that fails. */
static struct sf_range *trim(struct sf_range *list, size_t n)
{
	struct sf_range *less = n > 0 ? realloc(list, n * sizeof(*list)) : NULL;

	return less ? less : list;
}

int sf_extents_read(int dir, const char *name, uint64_t size_bytes, struct sf_extents *ret,
		    struct sf_err *err)
{
	auto_free char *file = NULL;
	struct sf_range *list;
	size_t len, n = 0;
	int rc = sf_durable_read(dir, name, file_bytes(SF_EXTENTS_MAX), &file, &len, err);

	if (rc == -EFBIG)
		return sf_fail(err, -EINVAL, "%s is larger than any map", name);
	if (rc == 0)
		rc = check_file(name, file, len, size_bytes, &n, err);
	if (rc < 0)
		return rc;
	/* Reuse the file's buffer for the list, so that a large map is never in memory twice. */
	list = memmove(file, file + sizeof(struct head), n * sizeof(*list));
	rc = check_ranges(name, list, n, size_bytes, err);
	if (rc < 0)
		return rc;
	file = NULL;
	*ret = (struct sf_extents){.list = trim(list, n), .n = n, .room = n, .size_bytes = size_bytes};
	return 0;
}

/* --- the image --- */

struct mapped {
	struct sf_image base;
	struct sf_image *inner;
	struct sf_extents extents;
};

static int read_inner(struct mapped *image, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	size_t got;
	int rc = sf_image_pread(image->inner, buf, len, off, &got, err);

	if (rc == 0 && got != len)
		rc = sf_fail(err, -EIO, "the image ends before its map does");
	return rc;
}

static int mapped_pread(struct sf_image *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct mapped *image = (struct mapped *)base;
	char *at = buf;

	while (len > 0) {
		bool data;
		uint64_t run = sf_extents_at(&image->extents, off, &data);
		size_t piece = run < len ? (size_t)run : len;
		int rc = 0;

		if (data)
			rc = read_inner(image, at, piece, off, err);
		else
			memset(at, 0, piece);
		if (rc < 0)
			return rc;
		at += piece;
		off += piece;
		len -= piece;
	}
	return 0;
}

static int mapped_extent(struct sf_image *base, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	const struct mapped *image = (const struct mapped *)base;

	(void)err;
	ret->off = off;
	ret->len = sf_extents_at(&image->extents, off, &ret->data);
	return 0;
}

static void mapped_close(struct sf_image *base)
{
	struct mapped *image = (struct mapped *)base;

	sf_image_close(image->inner);
	sf_extents_fini(&image->extents);
	free(image);
}

static const struct sf_image_ops mapped_ops = {
	.pread = mapped_pread,
	.extent = mapped_extent,
	.file = sf_image_no_file,
	.close = mapped_close,
};

int sf_image_with_extents(struct sf_image *inner, struct sf_extents *extents, struct sf_image **ret,
			  struct sf_err *err)
{
	struct mapped *image;

	if (inner->size_bytes != extents->size_bytes)
		return sf_fail(err, -EINVAL, "the map belongs to an image of another size");
	image = calloc(1, sizeof(*image));
	if (!image)
		return sf_fail(err, -ENOMEM, "out of memory");
	image->base.ops = &mapped_ops;
	image->base.size_bytes = inner->size_bytes;
	image->inner = inner;
	image->extents = *extents;
	image->extents.list = trim(extents->list, extents->n);
	*extents = (struct sf_extents){.size_bytes = inner->size_bytes};
	*ret = &image->base;
	return 0;
}
