/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directories of one image and the files in them. An image's directory may belong to less trusted users,
 * so no long path is ever opened: each level is opened by itself without following symbolic links, and our
 * own directories must be writable by us alone.
 */
#ifndef SF_BACKENDS_FILE_PLACE_H
#define SF_BACKENDS_FILE_PLACE_H

#include "core/contract/storage.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Beside the images; below it, a directory for each state directory's id. */
#define SF_FILE_DIR ".snapfs"

/* Names of a token's files in ".snapfs/<state id>". */
#define SF_FILE_NAME 64
struct sf_file_names {
	char img[SF_FILE_NAME];    /* the snapshot */
	char tmp[SF_FILE_NAME];    /* a snapshot being made */
	char revert[SF_FILE_NAME]; /* the live image's replacement being made */
};
void sf_file_names(const struct sf_id *token, struct sf_file_names *ret);

/* Size of a buffer for the path of such a file. */
#define SF_FILE_WHERE (SF_ORIGIN_MAX + 128)
void sf_file_where(const struct sf_storage *storage, const char *origin, const char *name,
		   char where[static SF_FILE_WHERE]);

struct sf_file_place {
	int image_dir;
	int snapfs_dir;    /* image_dir/.snapfs */
	int id_dir;        /* image_dir/.snapfs/<state id> */
	const char *image; /* the image's name in image_dir; points into the origin */
};
#define SF_FILE_NOWHERE ((struct sf_file_place){-1, -1, -1, NULL})
#define auto_place      __attribute__((cleanup(sf_file_place_close)))

/*
 * Opens the directories of the image at origin; create makes ours. Closes what *ret held before.
 *   -ENOENT  one of ours is known to be missing: the image is there, so its file system is mounted
 *   -ENODEV  one is missing, and so is the image: this may not be the place at all
 *   -EPERM   others own one of ours, or may write to it
 */
int sf_file_place_open(const struct sf_storage *storage, const char *origin, bool create,
		       struct sf_file_place *ret, struct sf_err *err);
/*
 * Opens one of our directories, or makes it. Returns the descriptor or a negative errno: -ENOENT, -EPERM as
 * above.
 */
int sf_file_open_ours(int parent, const char *name, bool create, struct sf_err *err);
/* Closes the descriptors, of a half-open place too, and sets it to SF_FILE_NOWHERE. */
void sf_file_place_close(struct sf_file_place *place);
/* fsync of the directories, innermost first. */
int sf_file_place_sync(const struct sf_file_place *place, struct sf_err *err);
/* Removes our directories that are open in place and empty. Best effort. */
void sf_file_place_prune(const struct sf_storage *storage, const struct sf_file_place *place);

/*
 * Opens the directory of an absolute path and points *ret_name at the part after its last slash. Returns the
 * descriptor or a negative errno.
 */
int sf_file_open_parent(const char *path, const char **ret_name, struct sf_err *err);
/*
 * Opens the live image, a regular file. Returns the descriptor or a negative errno: -EAGAIN when the open
 * would have to wait for a lease.
 */
int sf_file_open_origin(const char *origin, int flags, struct sf_err *err);

/* Whether there is a file of that name in dir; a symbolic link counts itself. */
bool sf_file_exists(int dir, const char *name);
/* Makes a new empty file with mode 0600, in place of one left by a crash. Returns the descriptor. */
int sf_file_create_anew(int dir, const char *name, struct sf_err *err);
/* The space of the file system of the open file or directory; what names it in errors. */
int sf_file_space(int fd, const char *what, struct sf_space *ret, struct sf_err *err);

/* Allocated bytes as the storage contract defines them: at most the size rounded up to 512. */
uint64_t sf_file_allocated(const struct stat *st);

#endif
