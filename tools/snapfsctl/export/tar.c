/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl export VM/SNAPSHOT -: writes SNAPSHOT/meta.json, SNAPSHOT/manifest.json and then the images with
 * their holes (GNU sparse format 1.0 in a pax archive) to standard output, using libarchive. If it fails
 * half-way, the archive ends there without an end marker: a member that is cut makes unpacking fail.
 */
#include "export.h"

#include "tools/snapfsctl/tree/interrupt.h"
#include "tools/snapfsctl/content/reader.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The size of a write to the pipe. */
#define BLOCK_BYTES (1024 * 1024)
/*
 * With more extents than this, adjacent ones are joined: the map of an image is held in memory, both here and
 * by the program that unpacks it.
 */
#define EXTENTS_MAX 1000000

struct extent {
	uint64_t off, len;
};

struct tar_export {
	struct sf_export *export;
	struct archive *archive;
	int write_rc;           /* the error of writing to standard output */
	struct extent *extents; /* the data of the current image */
	size_t nextents, room;
	size_t at;    /* the one that is written now or next */
	uint64_t gap; /* extents at most this far apart are joined */
};

/* --- the archive --- */

static la_ssize_t write_out(struct archive *archive, void *arg, const void *data, size_t len)
{
	struct tar_export *tar = arg;
	ssize_t n;

	do {
		n = write(STDOUT_FILENO, data, len);
	} while (n < 0 && errno == EINTR && !sf_interrupted());
	if (n < 0) {
		tar->write_rc = -errno;
		archive_set_error(archive, errno, "standard output: %s", strerror(errno));
	}
	return n;
}

static int fail(const struct tar_export *tar, struct sf_err *err)
{
	const char *why = archive_error_string(tar->archive);

	if (tar->write_rc == -EPIPE)
		return sf_fail(err, -EPIPE, "the reader has gone");
	if (tar->write_rc < 0)
		return sf_fail(err, tar->write_rc, "standard output: %s", strerror(-tar->write_rc));
	return sf_fail(err, -EIO, "libarchive: %s", why ? why : "unknown error");
}

static int open_archive(struct tar_export *tar, bool zstd, struct sf_err *err)
{
	struct archive *archive = tar->archive = archive_write_new();

	if (!archive)
		return sf_fail(err, -ENOMEM, "out of memory");
	/* A warning means that libarchive would run the program zstd, which must not happen. */
	if (zstd && archive_write_add_filter_zstd(archive) != ARCHIVE_OK)
		return sf_fail(err, -EOPNOTSUPP, "this libarchive does not support zstd");
	if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(archive, BLOCK_BYTES) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open(archive, tar, NULL, write_out, NULL) != ARCHIVE_OK)
		return fail(tar, err);
	return 0;
}

/* Writes the header of NAME/file, or of NAME/ (file empty). */
static int put_header(struct tar_export *tar, const char *file, const struct stat *st, struct sf_err *err)
{
	struct archive_entry *entry = archive_entry_new();
	char path[SF_CONTENT_PATH];
	int rc;

	if (!entry)
		return sf_fail(err, -ENOMEM, "out of memory");
	(void)snprintf(path, sizeof(path), "%s/%s", tar->export->content.snap.name, file);
	archive_entry_copy_pathname(entry, path);
	archive_entry_set_filetype(entry, *file ? AE_IFREG : AE_IFDIR);
	archive_entry_set_perm(entry, *file ? 0600 : 0700);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (*file)
		archive_entry_set_size(entry, st->st_size);
	for (size_t i = 0; i < tar->nextents; i++)
		archive_entry_sparse_add_entry(entry, (la_int64_t)tar->extents[i].off,
					       (la_int64_t)tar->extents[i].len);
	rc = archive_write_header(tar->archive, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : fail(tar, err);
}

static int put_data(struct tar_export *tar, const void *data, size_t len, struct sf_err *err)
{
	while (len > 0) {
		la_ssize_t n = archive_write_data(tar->archive, data, len);

		if (n <= 0)
			return fail(tar, err);
		data = (const char *)data + n;
		len -= (size_t)n;
	}
	return 0;
}

/* --- where the data is --- */

/* Joins extents that are close together, with a gap that doubles on each call. */
static void join_extents(struct tar_export *tar)
{
	size_t n = 0;

	tar->gap = tar->gap ? 2 * tar->gap : 65536;
	for (size_t i = 0; i < tar->nextents; i++) {
		const struct extent *extent = &tar->extents[i];
		struct extent *last = n > 0 ? &tar->extents[n - 1] : NULL;

		if (last && extent->off - (last->off + last->len) <= tar->gap)
			last->len = extent->off + extent->len - last->off;
		else
			tar->extents[n++] = *extent;
	}
	tar->nextents = n;
}

static int add_extent(struct tar_export *tar, uint64_t off, uint64_t len, struct sf_err *err)
{
	struct extent *last = tar->nextents > 0 ? &tar->extents[tar->nextents - 1] : NULL;

	if (last && off - (last->off + last->len) <= tar->gap) {
		last->len = off + len - last->off;
		return 0;
	}
	while (tar->nextents >= EXTENTS_MAX)
		join_extents(tar);
	if (tar->nextents == tar->room) {
		size_t room = tar->room ? 2 * tar->room : 1024;
		struct extent *larger = realloc(tar->extents, room * sizeof(*larger));

		if (!larger)
			return sf_fail(err, -ENOMEM, "out of memory");
		tar->extents = larger;
		tar->room = room;
	}
	tar->extents[tar->nextents++] = (struct extent){.off = off, .len = len};
	return 0;
}

static int map_data(struct tar_export *tar, const struct sf_content_file *file, struct sf_err *err)
{
	struct sf_reader reader;
	uint64_t off, len;
	int rc = sf_content_read(&tar->export->content, file, &reader, err);

	if (rc < 0)
		return rc;
	tar->nextents = 0;
	tar->gap = 0;
	while ((rc = sf_reader_skip(&reader, &off, &len, err)) > 0)
		if ((rc = add_extent(tar, off, len, err)) < 0)
			break;
	sf_reader_close(&reader);
	if (rc == 0 && tar->nextents == 0) /* the whole image is a hole: an empty extent at its end says so */
		rc = add_extent(tar, (uint64_t)file->st.st_size, 0, err);
	return rc;
}

/* --- files --- */

/* How many bytes from off on are only data, or only a hole, by the archive's map. */
static uint64_t uniform(struct tar_export *tar, uint64_t off)
{
	const struct extent *extent = &tar->extents[tar->at];

	if (tar->at == tar->nextents)
		return UINT64_MAX - off;
	if (off < extent->off)
		return extent->off - off;
	if (off < extent->off + extent->len)
		return extent->off + extent->len - off;
	tar->at++;
	return 0;
}

/*
 * libarchive leaves out the holes of the map, but must still be given their zeros. Holes and data go into
 * separate calls, because some older versions count a mixed call wrongly.
 */
static int put_piece(struct tar_export *tar, const struct sf_piece *piece, struct sf_err *err)
{
	static const char zeros[65536];
	uint64_t done = 0;
	int rc = 0;

	while (done < piece->len && rc == 0) {
		uint64_t n = uniform(tar, piece->off + done);

		n = n < piece->len - done ? n : piece->len - done;
		if (!piece->data && n > sizeof(zeros))
			n = sizeof(zeros);
		rc = put_data(tar, piece->data ? piece->data + done : zeros, (size_t)n, err);
		done += n;
	}
	return rc;
}

static int put_pieces(struct tar_export *tar, struct sf_reader *reader, struct sf_err *err)
{
	struct sf_piece piece;
	int rc;

	tar->at = 0;
	sf_digest_reset(tar->export->digest);
	while ((rc = sf_reader_next(reader, &piece, err)) > 0) {
		sf_digest_add_piece(tar->export->digest, piece.data, piece.len);
		if ((rc = put_piece(tar, &piece, err)) < 0)
			return rc;
		sf_export_moved(tar->export, piece.len);
	}
	return rc;
}

static int put_file(struct tar_export *tar, const struct sf_content_file *file, struct sf_err *err)
{
	struct sf_reader reader = {0};
	struct sf_id hash;
	int rc = map_data(tar, file, err);

	if (rc == 0)
		rc = put_header(tar, file->name, &file->st, err);
	if (rc == 0)
		rc = sf_content_read(&tar->export->content, file, &reader, err);
	if (rc == 0)
		rc = put_pieces(tar, &reader, err);
	sf_reader_close(&reader);
	if (rc < 0)
		return rc;
	hash = sf_digest_get(tar->export->digest);
	if (archive_write_finish_entry(tar->archive) != ARCHIVE_OK)
		return fail(tar, err);
	return sf_export_check(file, &hash, err);
}

static int put_document(struct tar_export *tar, const char *name, const char *text, size_t len,
			struct sf_err *err)
{
	struct stat st;
	int rc;

	if (fstatat(tar->export->content.dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sf_fail(err, -errno, "%s: %s", name, strerror(errno));
	st.st_size = (off_t)len;
	tar->nextents = 0;
	rc = put_header(tar, name, &st, err);
	return rc < 0 ? rc : put_data(tar, text, len, err);
}

static int put_all(struct tar_export *tar, struct sf_err *err)
{
	const struct sf_content *content = &tar->export->content;
	struct stat st;
	int rc = 0;

	if (fstat(content->dir, &st) < 0)
		return sf_fail(err, -errno, "%s: %s", content->path, strerror(errno));
	rc = put_header(tar, "", &st, err);
	if (rc == 0)
		rc = put_document(tar, "meta.json", content->meta, content->meta_len, err);
	if (rc == 0 && content->manifest)
		rc = put_document(tar, "manifest.json", content->manifest, content->manifest_len, err);
	for (size_t i = 0; i < content->n && rc == 0; i++)
		rc = put_file(tar, &content->files[i], err);
	if (rc == 0 && archive_write_close(tar->archive) != ARCHIVE_OK)
		rc = fail(tar, err);
	return rc;
}

int sf_export_tar(struct sf_export *export, bool zstd, struct sf_err *err)
{
	struct tar_export tar = {.export = export};
	int rc = open_archive(&tar, zstd, err);

	export->total_bytes = export->content.size_bytes;
	if (rc == 0)
		rc = put_all(&tar, err);
	if (rc < 0 && tar.archive)
		(void)archive_write_fail(tar.archive); /* no end marker: it must not look complete */
	(void)archive_write_free(tar.archive);         /* any error has been reported already */
	free(tar.extents);
	return rc;
}
