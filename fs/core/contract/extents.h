/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an image holds data: ranges in bytes, ascending, neither empty nor touching, inside size_bytes; all
 * else reads as zeros. Found out once by a storage that knows its own metadata, kept in a file beside
 * meta.json, and laid over the image, so that holes are told and read without the device.
 */
#ifndef SF_CORE_CONTRACT_EXTENTS_H
#define SF_CORE_CONTRACT_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_image;

/* 16 bytes each: an image in more pieces than this is read without a map rather than with 256 MiB of one. */
#define SF_EXTENTS_MAX ((size_t)16 * 1024 * 1024)

struct sf_range {
	uint64_t off;
	uint64_t len;
};

struct sf_extents {
	struct sf_range *list;
	size_t n;
	size_t room;
	uint64_t size_bytes; /* of the image; set by whoever begins a list */
};

/* Leaves an empty list. */
void sf_extents_fini(struct sf_extents *extents);

/*
 * Appends a range; one that touches or overlaps the last is merged into it, what lies beyond size_bytes is
 * cut off. -EINVAL when it begins before the last one does, -E2BIG above SF_EXTENTS_MAX, -ENOMEM.
 */
int sf_extents_add(struct sf_extents *extents, uint64_t off, uint64_t len, struct sf_err *err);

uint64_t sf_extents_bytes(const struct sf_extents *extents);

/* The extent that starts at off (below size_bytes): how long it is (never 0), and whether it is data. */
uint64_t sf_extents_at(const struct sf_extents *extents, uint64_t off, bool *ret_is_data);

/*
 * The file: "SFEXTENT", then little-endian u32 version 1, u32 0, u64 size_bytes, u64 n, n times (u64 off, u64
 * len), and the XXH3 128-bit hash (canonical, seed 0) of all before it. Written durably.
 */
int sf_extents_write(int dir, const char *name, const struct sf_extents *extents, struct sf_err *err);
/*
 * -ENOENT when there is none; -EINVAL for one that is damaged, of another version, breaks the rules above or
 * is not of an image of size_bytes. *ret is overwritten, and untouched on failure.
 */
int sf_extents_read(int dir, const char *name, uint64_t size_bytes, struct sf_extents *ret,
		    struct sf_err *err);

/*
 * An image that reads zeros outside extents without asking inner, and tells its holes by them. Takes over
 * both when it succeeds (*extents is empty then). -EINVAL when their sizes differ.
 */
int sf_image_with_extents(struct sf_image *inner, struct sf_extents *extents, struct sf_image **ret,
			  struct sf_err *err);

#endif
