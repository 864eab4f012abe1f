/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens a snapshot's image together with its storage's map of holes. The map is computed once, kept in a file
 * in the snapshot's directory, and laid over the image (extents.h). Without its map an image reads the same,
 * only slower, so a problem with the map never prevents an open.
 *
 * Computing a map may take long. Meanwhile, other openers of the same snapshot that need a map wait for it.
 * They wait on a lock of its directory, so they need share nothing else.
 */
#ifndef SF_CORE_VIEWS_MAPPED_H
#define SF_CORE_VIEWS_MAPPED_H

struct sf_err;
struct sf_image;
struct sf_object;
struct sf_storage;

/*
 * Like sf_object_image(), with the map if there is one. dir: the directory that keeps the map as map_name,
 * owned by the caller; negative: nowhere. dir is locked (flock) while the map is computed, so open it anew
 * for each call. Problems with the map are logged.
 */
int sf_object_image_mapped(struct sf_storage *storage, const struct sf_object *object, int dir,
			   const char *map_name, struct sf_image **ret, struct sf_err *err);

#endif
