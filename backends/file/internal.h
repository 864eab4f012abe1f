/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the `file` storage, for file*.c and their tests only.
 *
 * The image's directory may belong to less trusted users, so nothing is reached by a long path: every level
 * is opened by itself without following symbolic links, and directories of ours must be ours alone.
 */
#ifndef SF_BACKENDS_STORAGE_FILE_IMPL_H
#define SF_BACKENDS_STORAGE_FILE_IMPL_H

#include "core/contract/storage.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct sf_file_storage {
	struct sf_storage base;
	char id[SF_ID_TEXT]; /* the state directory's */
};

/* One per user of the volume; calls on it come one at a time. */
struct sf_file_volume {
	struct sf_volume base;
	int lease_fd; /* the claim of hold(); -1 without one */
	bool probed;
	bool instant; /* valid once probed */
};

/* What a token's files are called in ".snapfs/<state id>". */
#define SF_FILE_NAME 64
struct sf_file_names {
	char img[SF_FILE_NAME];    /* the snapshot */
	char tmp[SF_FILE_NAME];    /* a snapshot in the making */
	char revert[SF_FILE_NAME]; /* the live image's successor in the making */
};
void sf_file_names(const struct sf_id *token, struct sf_file_names *ret);

/* Room for the path of a file in ".snapfs/<state id>". */
#define SF_FILE_WHERE (SF_ORIGIN_MAX + 128)
void sf_file_where(const struct sf_storage *storage, const char *origin, const char *name,
		   char where[static SF_FILE_WHERE]);

/* --- file_place.c: the directories of one image. --- */

struct sf_file_place {
	int image_dir;
	int snapfs_dir;    /* image_dir/.snapfs */
	int id_dir;        /* image_dir/.snapfs/<state id> */
	const char *image; /* the image's name in image_dir; points into the origin */
};
#define SF_FILE_NOWHERE ((struct sf_file_place){-1, -1, -1, NULL})
#define auto_place      __attribute__((cleanup(sf_file_place_close)))

/*
 * -ENOENT when a directory is missing and not created; -EPERM when one of ours is not ours alone. Closes what
 * *ret held.
 */
int sf_file_place_open(const struct sf_storage *storage, const char *origin, bool create,
		       struct sf_file_place *ret, struct sf_err *err);
/* Closes and forgets; accepts half-open places. */
void sf_file_place_close(struct sf_file_place *place);
/* fsync of the directories, innermost first. */
int sf_file_place_sync(const struct sf_file_place *place, struct sf_err *err);
/* Removes those of our directories that were opened, so are ours, when they are empty. */
void sf_file_place_prune(const struct sf_storage *storage, const struct sf_file_place *place);

/*
 * Walks to the directory of path and points *ret_name at what is behind its last slash. Returns a descriptor.
 */
int sf_file_open_parent(const char *path, const char **ret_name, struct sf_err *err);

/*
 * Opens the live image, without waiting for leases (-EAGAIN); what is returned is a descriptor of a regular
 * file.
 */
int sf_file_open_origin(const char *origin, int flags, struct sf_err *err);

/* --- file_lease.c --- */
int sf_file_hold(struct sf_volume *volume, struct sf_err *err);
int sf_file_hold_check(struct sf_volume *volume, struct sf_err *err);
void sf_file_release(struct sf_volume *volume);
/* False once somebody asked to open the file for writing. */
bool sf_file_lease_intact(int fd);

/* --- file_object.c: snapshots --- */
int sf_file_create(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		   struct sf_object_stat *ret, struct sf_err *err);
int sf_file_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_file_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		 struct sf_err *err);
int sf_file_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_file_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		 struct sf_err *err);
int sf_file_image(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		  struct sf_err *err);
/* Opens the snapshot's file for reading; -ENOENT, -ESTALE. */
int sf_file_open_object(const struct sf_file_place *place, const struct sf_object *object,
			struct stat *ret_st, struct sf_err *err);

/* --- file_revert.c --- */
int sf_file_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		   struct sf_err *err);

/* Allocated bytes as the contract wants them: at most the size, rounded up to sectors. */
uint64_t sf_file_allocated(const struct stat *st);

#endif
