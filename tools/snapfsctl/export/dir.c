/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl export VM/SNAPSHOT DIR. An image NAME is written as .NAME.partial, synced, read back, compared,
 * and then renamed to NAME; manifest.json and meta.json come last. So a file under its final name is
 * complete, and a directory with meta.json and without .export.json holds the whole snapshot. Until then
 * .export.json says how much of which .NAME.partial is durable; an export that resumes rewrites everything
 * after that.
 */
#include "export.h"

#include "progress_file.h"
#include "tools/snapfsctl/content/reader.h"
#include "target.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much a crash can lose; each step costs a flush of the target's disk. */
#define STEP_BYTES (256ULL * 1024 * 1024)
/* How much is written before the kernel is told to start writeback. */
#define PUSH_BYTES (16ULL * 1024 * 1024)
/* Aligned blocks of zeros of this size become holes. */
#define HOLE_BYTES 65536
#define META_MAX   (1024 * 1024)

/* An export into a directory, and the state of the file that it is copying. */
struct dir_export {
	struct sf_export *export;
	struct sf_target target;
	json_t *state;
	const struct sf_content_file *file;
	char path[PATH_MAX + SF_DISK_FILE]; /* of the copy, for error messages */
	int fd;
	uint64_t kept_bytes;    /* the beginning that an earlier export wrote */
	uint64_t written_bytes; /* since the last step */
	uint64_t pushed_off;    /* writeback has been started for everything before it */
};

/* --- the target's content --- */

static bool exists(const struct sf_target *target, const char *name)
{
	struct stat st;

	return fstatat(target->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The uuid in the directory's own meta.json; -ENOENT when there is none. */
static int exported_uuid(const struct sf_target *target, char uuid[static SF_ID_TEXT])
{
	auto_free char *text = NULL;
	auto_json json_t *meta = NULL;
	size_t len;
	int rc = sf_target_get(target, "meta.json", META_MAX, &text, &len, NULL);

	if (rc < 0)
		return rc;
	meta = sf_json_parse_object(text, len, "meta.json", NULL);
	return meta ? sf_json_string(meta, "uuid", uuid, SF_ID_TEXT, NULL) : -EINVAL;
}

/* Refuses a directory that holds other files under the names that the export needs. */
static int check_target(struct dir_export *dir, struct sf_err *err)
{
	const struct sf_content *content = &dir->export->content;
	const char *path = dir->target.path;
	char uuid[SF_ID_TEXT];
	int rc = exported_uuid(&dir->target, uuid);

	if (rc == 0 && strcmp(uuid, content->uuid) == 0)
		return 0;
	if (rc == 0)
		return sf_fail(err, -EEXIST, "%s holds an export of another snapshot", path);
	if (rc != -ENOENT)
		return sf_fail(err, -EEXIST, "%s/meta.json exists, but is not from an export", path);
	if (dir->state && strcmp(sf_export_state_snapshot(dir->state), content->uuid) == 0)
		return 0;
	if (dir->state)
		return sf_fail(err, -EEXIST, "%s holds a partial export of another snapshot", path);
	for (size_t i = 0; i < content->n; i++)
		if (exists(&dir->target, content->files[i].name))
			return sf_fail(err, -EEXIST, "%s/%s exists, but is not from an export of %s", path,
				       content->files[i].name, content->path);
	return 0;
}

/* --- hashing --- */

/* Hashes the rest of a file. Closes the reader, also on failure. */
static int hash(struct sf_export *export, struct sf_reader *reader, struct sf_id *ret, struct sf_err *err)
{
	struct sf_piece piece;
	int rc;

	sf_digest_reset(export->digest);
	while ((rc = sf_reader_next(reader, &piece, err)) > 0) {
		sf_digest_add_piece(export->digest, piece.data, piece.len);
		sf_export_moved(export, piece.len);
	}
	sf_reader_close(reader);
	if (rc == 0)
		*ret = sf_digest_get(export->digest);
	return rc;
}

/* Hashes a file of the target from the disk, not from the cache. Takes fd. */
static int hash_copy(struct dir_export *dir, int fd, struct sf_id *ret, struct sf_err *err)
{
	struct sf_reader reader;
	int rc;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* best effort */
	rc = sf_reader_take(&reader, fd, dir->path, err);
	return rc < 0 ? rc : hash(dir->export, &reader, ret, err);
}

static int hash_source(struct dir_export *dir, struct sf_id *ret, struct sf_err *err)
{
	struct sf_reader reader;
	int rc = sf_content_read(&dir->export->content, dir->file, &reader, err);

	return rc < 0 ? rc : hash(dir->export, &reader, ret, err);
}

/* --- copying --- */

static int fail_write(const struct dir_export *dir, int rc, struct sf_err *err)
{
	if (rc == -ENOSPC || rc == -EDQUOT)
		return sf_fail(err, rc, "no room in %s for %s: %s", dir->target.path, dir->file->path,
			       strerror(-rc));
	return sf_fail(err, rc, "%s: %s", dir->path, strerror(-rc));
}

/* Makes everything before off durable, and records that. */
static int settle(struct dir_export *dir, uint64_t off, struct sf_err *err)
{
	if (fdatasync(dir->fd) < 0)
		return fail_write(dir, -errno, err);
	(void)posix_fadvise(dir->fd, 0, (off_t)off, POSIX_FADV_DONTNEED); /* spares the cache */
	dir->written_bytes = 0;
	sf_export_state_set_durable(dir->state, dir->file->name, off);
	return sf_export_state_store(&dir->target, dir->state, err);
}

static bool is_zero(const char *data, size_t len)
{
	return len > 0 && *data == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static int write_at(struct dir_export *dir, const char *data, size_t len, uint64_t off)
{
	dir->written_bytes += len;
	return sf_pwrite_all(dir->fd, data, len, off);
}

/* Writes data, but leaves blocks of zeros as holes. */
static int write_data(struct dir_export *dir, const char *data, size_t len, uint64_t off)
{
	int rc = 0;

	while (len > 0 && rc == 0) {
		size_t n = 0, block = HOLE_BYTES - off % HOLE_BYTES;

		/* Consecutive blocks that are not zeros go into one write. */
		while (n < len && !is_zero(data + n, block < len - n ? block : len - n)) {
			n += block < len - n ? block : len - n;
			block = HOLE_BYTES;
		}
		rc = write_at(dir, data, n, off);
		if (n < len) /* a block of zeros follows */
			n += block < len - n ? block : len - n;
		data += n;
		len -= n;
		off += n;
	}
	return rc;
}

/* Copies one piece of the source. What an earlier export kept is only hashed. */
static int copy_piece(struct dir_export *dir, const struct sf_piece *piece, struct sf_err *err)
{
	uint64_t end = piece->off + piece->len, skip = 0;
	int rc;

	sf_digest_add_piece(dir->export->digest, piece->data, piece->len);
	if (!piece->data || end <= dir->kept_bytes)
		return 0;
	if (piece->off < dir->kept_bytes)
		skip = dir->kept_bytes - piece->off;
	rc = write_data(dir, piece->data + skip, (size_t)(piece->len - skip), piece->off + skip);
	if (rc < 0)
		return fail_write(dir, rc, err);
	if (end - dir->pushed_off >= PUSH_BYTES) {
		/* Best effort: settle() does the real sync. */
		(void)sync_file_range(dir->fd, (off_t)dir->pushed_off, (off_t)(end - dir->pushed_off),
				      SYNC_FILE_RANGE_WRITE);
		dir->pushed_off = end;
	}
	return dir->written_bytes >= STEP_BYTES ? settle(dir, end, err) : 0;
}

/*
 * Ends an incomplete copy, so that the next export can resume at off. It drops what was written after off
 * first, because recording the progress may need that space.
 */
static void keep(struct dir_export *dir, uint64_t off)
{
	if (ftruncate(dir->fd, (off_t)off) == 0 && ftruncate(dir->fd, dir->file->st.st_size) == 0)
		(void)settle(dir, off, NULL); /* on failure the next export resumes at the last step */
}

static int copy_pieces(struct dir_export *dir, struct sf_reader *reader, struct sf_err *err)
{
	uint64_t off = 0;
	struct sf_piece piece;
	int rc;

	while ((rc = sf_reader_next(reader, &piece, err)) > 0) {
		off = piece.off;
		if ((rc = copy_piece(dir, &piece, err)) < 0)
			break;
		off += piece.len;
		sf_export_moved(dir->export, piece.len);
	}
	if (rc < 0 && off > dir->kept_bytes)
		keep(dir, off);
	return rc;
}

/* Copies from kept_bytes on. *ret_hash is the hash of the source. */
static int copy(struct dir_export *dir, struct sf_id *ret_hash, struct sf_err *err)
{
	const struct sf_content_file *file = dir->file;
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, file->st.st_mtim};
	struct sf_reader reader;
	int rc = sf_content_read(&dir->export->content, file, &reader, err);

	if (rc < 0)
		return rc;
	dir->pushed_off = dir->kept_bytes;
	dir->written_bytes = 0;
	sf_digest_reset(dir->export->digest);
	rc = copy_pieces(dir, &reader, err);
	sf_reader_close(&reader);
	if (rc < 0)
		return rc;
	*ret_hash = sf_digest_get(dir->export->digest);
	if ((rc = sf_export_check(file, ret_hash, err)) < 0)
		return rc;
	if (futimens(dir->fd, times) < 0 || fsync(dir->fd) < 0)
		return fail_write(dir, -errno, err);
	return settle(dir, (uint64_t)file->st.st_size, err);
}

/* Tries once, from keep_bytes on. Returns 1 if the copy differs from the source. */
static int try_copy(struct dir_export *dir, uint64_t keep_bytes, struct sf_id *ret_hash, struct sf_err *err)
{
	struct sf_id copied;
	auto_fd int fd = -1;
	int rc;

	dir->kept_bytes = keep_bytes;
	fd = sf_target_begin(&dir->target, dir->file->name, (uint64_t)dir->file->st.st_size, &dir->kept_bytes,
			     err);
	if (fd < 0)
		return fd;
	dir->fd = fd;
	rc = copy(dir, ret_hash, err);
	if (rc == 0)
		rc = hash_copy(dir, sf_take_fd(&fd), &copied, err);
	return rc < 0 ? rc : !sf_id_equal(&copied, ret_hash);
}

static int copy_file(struct dir_export *dir, struct sf_err *err)
{
	const char *name = dir->file->name;
	struct sf_id source;
	int rc = try_copy(dir, sf_export_state_durable(dir->state, name), &source, err);

	/* What an earlier export left was wrong: copy the whole file again. */
	if (rc == 1 && dir->kept_bytes > 0)
		rc = try_copy(dir, 0, &source, err);
	if (rc == 1)
		return sf_fail(err, -EIO, "%s: what was read back differs from what was written", dir->path);
	if (rc == 0)
		rc = sf_target_finish(&dir->target, name, err);
	if (rc == 0) {
		dir->export->copied++;
		sf_export_note(dir->export, name, "copied", &source);
	}
	return rc;
}

/* Verifies a file that has its final name: it was complete, but may have changed since. Takes fd. */
static int check_copy(struct dir_export *dir, int fd, struct sf_err *err)
{
	struct sf_id copied, source = dir->file->hash;
	int rc = hash_copy(dir, fd, &copied, err);

	if (rc == 0 && !dir->file->known)
		rc = hash_source(dir, &source, err);
	if (rc < 0)
		return rc;
	sf_export_note(dir->export, dir->file->name, sf_id_equal(&copied, &source) ? "verified" : "differs",
		       &copied);
	return sf_id_equal(&copied, &source)
		       ? 0
		       : sf_fail(err, -EBADMSG, "%s differs from %s; remove it to export it again", dir->path,
				 dir->file->path);
}

static int export_file(struct dir_export *dir, const struct sf_content_file *file, struct sf_err *err)
{
	struct sf_err why = {0};
	int fd;

	dir->file = file;
	(void)snprintf(dir->path, sizeof(dir->path), "%s/%s", dir->target.path, file->name);
	fd = sf_target_look(&dir->target, file->name, &why);
	if (fd >= 0)
		return check_copy(dir, fd, err);
	return fd == -ENOENT ? copy_file(dir, err) : sf_fail(err, fd, "%s", why.text);
}

/* --- the whole export --- */

static int export_document(struct dir_export *dir, const char *name, const char *text, size_t len,
			   struct sf_err *err)
{
	struct stat st;

	if (fstatat(dir->export->content.dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sf_fail(err, -errno, "%s/%s: %s", dir->export->content.path, name, strerror(errno));
	return sf_target_put(&dir->target, name, text, len, &st.st_mtim, err);
}

static int begin(struct dir_export *dir, struct sf_err *err)
{
	const struct sf_content *content = &dir->export->content;
	int rc = sf_export_state_load(&dir->target, &dir->state, err);

	if (rc == 0)
		rc = check_target(dir, err);
	if (rc < 0)
		return rc;
	/* Each file is read twice, except existing copies of a known hash. */
	for (size_t i = 0; i < content->n; i++) {
		const struct sf_content_file *file = &content->files[i];
		bool once = file->known && exists(&dir->target, file->name);

		dir->export->total_bytes += (once ? 1 : 2) * (uint64_t)file->st.st_size;
	}
	if (dir->state && strcmp(sf_export_state_snapshot(dir->state), content->uuid) != 0) {
		json_decref(dir->state); /* left over next to a complete export of this snapshot */
		dir->state = NULL;
	}
	if (!dir->state)
		dir->state = sf_export_state_new(content->uuid);
	return dir->state ? 0 : sf_fail(err, -ENOMEM, "out of memory");
}

static int export_all(struct dir_export *dir, struct sf_err *err)
{
	const struct sf_content *content = &dir->export->content;
	int rc = begin(dir, err);

	if (rc == 0)
		rc = sf_export_state_store(&dir->target, dir->state, err);
	for (size_t i = 0; i < content->n && rc == 0; i++)
		rc = export_file(dir, &content->files[i], err);
	if (rc == 0 && content->manifest)
		rc = export_document(dir, "manifest.json", content->manifest, content->manifest_len, err);
	if (rc == 0)
		rc = export_document(dir, "meta.json", content->meta, content->meta_len, err);
	return rc < 0 ? rc : sf_target_remove(&dir->target, SF_EXPORT_STATE, err);
}

int sf_export_dir(struct sf_export *export, const char *target, struct sf_err *err)
{
	struct dir_export dir = {.export = export};
	int rc = sf_target_open(&dir.target, target, export->mount, err);

	if (rc < 0)
		return rc;
	rc = export_all(&dir, err);
	json_decref(dir.state);
	sf_target_close(&dir.target);
	return rc;
}
