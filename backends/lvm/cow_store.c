/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the on-disk format of the persistent exception store. Chunk 0 is the header. Area k of the list of
 * exceptions is chunk 1 + k * (n + 1), where n entries fit into a chunk; the n chunks after it are copies. An
 * entry is {old, new}: the chunk in the origin and in the store. The list ends at the first entry whose new
 * is 0. Entries are in the order of the first writes, so a bitmap sorts them before they become ranges.
 */
#include "cow_store.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "core/contract/extents.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* SNAP_MAGIC and SNAPSHOT_DISK_VERSION of dm-snap-persistent.c. */
#define MAGIC   0x70416e53
#define VERSION 1
/* Largest alignment that O_DIRECT requires. */
#define ALIGN 4096
/* A chunk is a power of two of sectors in the kernel, 4-512 KiB in LVM. Above CHUNK_MAX it is garbage. */
#define CHUNK_MIN ((uint64_t)512)
#define CHUNK_MAX ((uint64_t)16 * 1024 * 1024)
/* Most chunks of the snapshot: the bitmap takes 256 MiB; with chunks of 4 KiB, that is 8 TiB. */
#define CHUNKS_MAX ((uint64_t)1 << 31)

struct header {
	uint32_t magic;
	uint32_t valid;
	uint32_t version;
	uint32_t chunk_sectors;
};

struct exception {
	uint64_t old;
	uint64_t new;
};

struct store {
	int fd;
	const char *what;
	uint64_t size_bytes;
	uint64_t chunk_bytes;
	uint64_t chunks;        /* capacity of the store */
	uint64_t origin_chunks; /* of the snapshot; the last may be partial */
	uint64_t *copied;       /* a bit for each of them */
	void *buffer;           /* aligned; one chunk, at least ALIGN */
};

static int odd(const struct store *store, struct sf_err *err, const char *why)
{
	return sf_fail(err, -EPROTO, "copy-on-write store %s: %s", store->what, why);
}

static int stale(const struct store *store, struct sf_err *err)
{
	return sf_fail(err, -ESTALE, "copy-on-write store %s is invalid: it has overflowed", store->what);
}

static int find_size(struct store *store, struct sf_err *err)
{
	struct stat st;
	uint64_t size = 0;

	if (fstat(store->fd, &st) < 0 || (S_ISBLK(st.st_mode) && ioctl(store->fd, BLKGETSIZE64, &size) < 0))
		return sf_fail(err, -errno, "size of %s: %s", store->what, strerror(errno));
	store->size_bytes = S_ISBLK(st.st_mode) ? size : (uint64_t)st.st_size;
	if (store->size_bytes < ALIGN)
		return odd(store, err, "too small for a header");
	return 0;
}

static int read_piece(const struct store *store, uint64_t off, size_t len, struct sf_err *err)
{
	ssize_t n = sf_pread_all(store->fd, store->buffer, len, off);

	if (n < 0)
		return sf_fail(err, (int)n, "read %s at %" PRIu64 ": %s", store->what, off,
			       strerror((int)-n));
	return (size_t)n < len ? odd(store, err, "it was truncated while it was read") : 0;
}

static int read_header(const struct store *store, uint64_t *ret_chunk_bytes, struct sf_err *err)
{
	struct header header;
	uint64_t chunk_bytes;
	int rc = read_piece(store, 0, ALIGN, err);

	if (rc < 0)
		return rc;
	memcpy(&header, store->buffer, sizeof(header));
	if (le32toh(header.magic) != MAGIC)
		return odd(store, err, "it has no valid header");
	if (le32toh(header.version) != VERSION)
		return sf_fail(err, -EPROTO, "copy-on-write store %s: version %" PRIu32 ", not %d",
			       store->what, le32toh(header.version), VERSION);
	if (header.valid == 0)
		return stale(store, err);
	if (le32toh(header.valid) != 1)
		return odd(store, err, "neither valid nor invalid");
	chunk_bytes = (uint64_t)le32toh(header.chunk_sectors) * 512;
	if (chunk_bytes < CHUNK_MIN || chunk_bytes > CHUNK_MAX || (chunk_bytes & (chunk_bytes - 1)) != 0)
		return sf_fail(err, -EPROTO, "copy-on-write store %s: chunks of %" PRIu64 " bytes",
			       store->what, chunk_bytes);
	*ret_chunk_bytes = chunk_bytes;
	return 0;
}

static uint64_t entries_of(const struct store *store)
{
	return store->chunk_bytes / sizeof(struct exception);
}

/* Records one exception. A chunk must not occur twice: it would be unknown which copy has the old content. */
static int note(struct store *store, const struct exception *entry, struct sf_err *err)
{
	uint64_t old = le64toh(entry->old), new = le64toh(entry->new), bit = (uint64_t)1 << old % 64;
	const char *why = NULL;

	if (old >= store->origin_chunks)
		why = "beyond the snapshot's end";
	else if (new >= store->chunks)
		why = "copied to beyond the store's end";
	else if (new % (entries_of(store) + 1) == 1)
		why = "copied over the list of copies";
	else if (store->copied[old / 64] & bit)
		why = "copied twice";
	if (why)
		return sf_fail(err, -EPROTO, "copy-on-write store %s: chunk %" PRIu64 " is %s", store->what,
			       old, why);
	store->copied[old / 64] |= bit;
	return 0;
}

/* Reads area k. *ret_full: the list continues in the next area. */
static int read_area(struct store *store, uint64_t k, bool *ret_full, struct sf_err *err)
{
	uint64_t chunk = 1 + k * (entries_of(store) + 1);
	const struct exception *entries = store->buffer;
	int rc;

	if (chunk >= store->chunks)
		return odd(store, err, "its list of copies extends beyond its end");
	rc = read_piece(store, chunk * store->chunk_bytes, (size_t)store->chunk_bytes, err);
	for (uint64_t i = 0; rc == 0 && i < entries_of(store); i++) {
		if (entries[i].new == 0) {
			*ret_full = false;
			return 0;
		}
		rc = note(store, &entries[i], err);
	}
	if (rc == 0)
		*ret_full = true;
	return rc;
}

/*
 * Reads all areas. The kernel may write to the store meanwhile. An overflow invalidates what was read, so the
 * header is read again at the end.
 */
static int read_list(struct store *store, struct sf_err *err)
{
	uint64_t chunk_bytes;
	bool full = true;
	int rc = 0, late;

	for (uint64_t k = 0; full && rc == 0; k++)
		rc = read_area(store, k, &full, err);
	if (rc < 0 && rc != -EPROTO)
		return rc;
	late = read_header(store, &chunk_bytes, rc < 0 ? NULL : err);
	if (late == -ESTALE)
		return stale(store, err);
	if (rc == 0 && late == 0 && chunk_bytes != store->chunk_bytes)
		late = odd(store, err, "it was replaced while it was read");
	return rc < 0 ? rc : late;
}

static int add_ranges(const struct store *store, struct sf_extents *extents, struct sf_err *err)
{
	for (uint64_t i = 0; i < (store->origin_chunks + 63) / 64; i++) {
		for (uint64_t bits = store->copied[i]; bits; bits &= bits - 1) {
			uint64_t off = (i * 64 + (uint64_t)__builtin_ctzll(bits)) * store->chunk_bytes;
			int rc = sf_extents_add(extents, off, store->chunk_bytes, err);

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int get_buffer(struct store *store, size_t len, struct sf_err *err)
{
	free(sf_take_ptr(&store->buffer));
	store->buffer = aligned_alloc(ALIGN, len > ALIGN ? len : ALIGN);
	return store->buffer ? 0 : sf_fail(err, -ENOMEM, "read %s: out of memory", store->what);
}

/* Fills the bitmap. The caller frees what *store holds. */
static int read_store(struct store *store, uint64_t origin_bytes, struct sf_err *err)
{
	int rc = find_size(store, err);

	if (rc == 0)
		rc = get_buffer(store, ALIGN, err);
	if (rc == 0)
		rc = read_header(store, &store->chunk_bytes, err);
	if (rc < 0)
		return rc;
	store->chunks = store->size_bytes / store->chunk_bytes;
	store->origin_chunks =
		origin_bytes / store->chunk_bytes + (origin_bytes % store->chunk_bytes > 0 ? 1 : 0);
	if (store->origin_chunks > CHUNKS_MAX)
		return sf_fail(err, -E2BIG,
			       "copy-on-write store %s: a snapshot of more than %" PRIu64 " chunks",
			       store->what, CHUNKS_MAX);
	store->copied = calloc((size_t)(store->origin_chunks / 64 + 1), sizeof(*store->copied));
	if (!store->copied)
		return sf_fail(err, -ENOMEM, "read %s: out of memory", store->what);
	rc = get_buffer(store, (size_t)store->chunk_bytes, err);
	return rc < 0 ? rc : read_list(store, err);
}

int sf_cow_store_read(int fd, const char *what, struct sf_extents *ret, uint64_t *ret_chunk_bytes,
		      struct sf_err *err)
{
	struct store store = {.fd = fd, .what = what};
	struct sf_extents extents = {.size_bytes = ret->size_bytes};
	int rc = read_store(&store, ret->size_bytes, err);

	if (rc == 0)
		rc = add_ranges(&store, &extents, err);
	free(store.copied);
	free(store.buffer);
	if (rc < 0) {
		sf_extents_fini(&extents);
		return rc;
	}
	sf_extents_fini(ret);
	*ret = extents;
	*ret_chunk_bytes = store.chunk_bytes;
	return 0;
}
