/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of an image: the byte ranges that hold data. Everything outside them reads as zeros. Ranges are in
 * ascending order, non-empty, not adjacent, and within size_bytes.
 *
 * A storage that has the metadata computes the map once. It is kept in a file beside meta.json and overlaid
 * on the image, so that holes are reported and read without touching the device.
 */
#ifndef SF_CORE_CONTRACT_EXTENTS_H
#define SF_CORE_CONTRACT_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_image;

/*
 * Limit on ranges, at 16 bytes each. An image with more fragments is read without a map, instead of with one
 * of over 256 MiB.
 */
#define SF_EXTENTS_MAX ((size_t)16 * 1024 * 1024)

struct sf_range {
	uint64_t off;
	uint64_t len;
};

struct sf_extents {
	struct sf_range *list;
	size_t n;
	size_t room;
	uint64_t size_bytes; /* of the image; set by the code that starts a list */
};

/* Frees the ranges and empties the list. */
void sf_extents_fini(struct sf_extents *extents);

/*
 * Appends a range. A range that touches or overlaps the last one is merged into it; the part beyond
 * size_bytes is cut off.
 *   -EINVAL  the range starts before the last one does
 *   -E2BIG   more than SF_EXTENTS_MAX ranges
 *   -ENOMEM
 */
int sf_extents_add(struct sf_extents *extents, uint64_t off, uint64_t len, struct sf_err *err);

uint64_t sf_extents_bytes(const struct sf_extents *extents);

/*
 * Length of the extent that starts at off (below size_bytes), never 0. *ret_is_data says whether it is data.
 */
uint64_t sf_extents_at(const struct sf_extents *extents, uint64_t off, bool *ret_is_data);

/*
 * Writes the map durably to dir/name. Format: "SFEXTENT", then little-endian u32 version 1, u32 0, u64
 * size_bytes, u64 n, n times (u64 off, u64 len), and the XXH3 128-bit hash (canonical, seed 0) of everything
 * before it.
 */
int sf_extents_write(int dir, const char *name, const struct sf_extents *extents, struct sf_err *err);
/*
 * Reads a map. Overwrites *ret on success; leaves it untouched on failure. -ENOENT if there is no such file;
 * -EINVAL if it is damaged, has another version, breaks the rules above, or belongs to an image of another
 * size than size_bytes.
 */
int sf_extents_read(int dir, const char *name, uint64_t size_bytes, struct sf_extents *ret,
		    struct sf_err *err);

/*
 * Wraps inner in an image that reads zeros outside the extents without asking inner, and reports holes from
 * them. On success takes over both arguments and empties *extents. -EINVAL if their sizes differ.
 */
int sf_image_with_extents(struct sf_image *inner, struct sf_extents *extents, struct sf_image **ret,
			  struct sf_err *err);

#endif
