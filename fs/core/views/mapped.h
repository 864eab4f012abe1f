/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot's image together with what its storage knows about its holes: the map is found out once, kept in
 * a file in the snapshot's directory, and laid over the image (extents.h). An image without its map reads the
 * same, only slower, so no trouble with the map keeps anyone from opening.
 *
 * Finding out may take long. Whoever opens the same snapshot meanwhile and needs a map of it waits for that
 * (by a lock on its directory, so that openers need nothing else in common); nobody else does.
 */
#ifndef SF_CORE_VIEWS_MAPPED_H
#define SF_CORE_VIEWS_MAPPED_H

struct sf_err;
struct sf_image;
struct sf_object;
struct sf_storage;

/*
 * As sf_object_image(), with the map where it can be had. dir, map_name: where it is kept, a descriptor of
 * the caller's that is locked (flock) meanwhile, hence opened for this call; negative: nowhere. What goes
 * wrong with the map is logged.
 */
int sf_object_image_mapped(struct sf_storage *storage, const struct sf_object *object, int dir,
			   const char *map_name, struct sf_image **ret, struct sf_err *err);

#endif
