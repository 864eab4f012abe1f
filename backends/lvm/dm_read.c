/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses table and status lines of the kernel's device-mapper targets into byte counts. Pure functions. A
 * line may have further fields at its end, which newer kernels add. Source: the status functions of
 * linux/drivers/md/dm-thin.c and dm-snap.c.
 */
#include "base/err.h"
#include "dm.h"

#include <errno.h>
#include <string.h>

#define SECTOR_BYTES ((uint64_t)512)
/* THIN_METADATA_BLOCK_SIZE and DATA_DEV_BLOCK_SIZE_MIN/MAX_SECTORS of dm-thin-metadata.h and dm-thin.c. */
#define METADATA_BLOCK_BYTES   ((uint64_t)4096)
#define DATA_BLOCK_SECTORS_MIN 128
#define DATA_BLOCK_SECTORS_MAX ((uint64_t)2 * 1024 * 1024)
/* MAX_DEV_ID of dm-thin.c. */
#define THIN_ID_MAX ((uint64_t)(1 << 24) - 1)

/* The rest of a line. After a mismatch, bad is set, and later steps do nothing. */
struct line {
	const char *at;
	bool bad;
};

static size_t word_length(struct line *line)
{
	line->at += strspn(line->at, " ");
	return strcspn(line->at, " ");
}

static void skip_word(struct line *line)
{
	size_t len = word_length(line);

	line->bad |= len == 0;
	line->at += len;
}

/* Consumes the next word if it equals word. */
static bool take_word(struct line *line, const char *word)
{
	size_t len = word_length(line);

	if (line->bad || len != strlen(word) || memcmp(line->at, word, len) != 0)
		return false;
	line->at += len;
	return true;
}

/* Consumes decimal digits, which must be followed by one of ends or by the end of the line. */
static uint64_t take_digits(struct line *line, const char *ends)
{
	uint64_t value = 0;
	size_t len = strspn(line->at, "0123456789");

	line->bad |= len == 0 || (line->at[len] != '\0' && !strchr(ends, line->at[len]));
	for (size_t i = 0; i < len && !line->bad; i++)
		line->bad |= __builtin_mul_overflow(value, 10, &value) ||
			     __builtin_add_overflow(value, (uint64_t)(line->at[i] - '0'), &value);
	line->at += len;
	return line->bad ? 0 : value;
}

static uint64_t take_number(struct line *line)
{
	(void)word_length(line); /* skips the spaces */
	return take_digits(line, " ");
}

static uint64_t scaled(struct line *line, uint64_t n, uint64_t unit)
{
	line->bad |= __builtin_mul_overflow(n, unit, &n);
	return line->bad ? 0 : n;
}

/*
 * Consumes "used/total", in units of unit bytes. A full snapshot counts one chunk too many, for the metadata
 * area that would follow; so used is capped at total.
 */
static void take_fraction(struct line *line, uint64_t unit, uint64_t *ret_used, uint64_t *ret_total)
{
	uint64_t used, total;

	(void)word_length(line);
	used = take_digits(line, "/");
	line->bad |= *line->at != '/';
	line->at += !line->bad;
	total = scaled(line, take_digits(line, " "), unit);
	used = scaled(line, used, unit);
	*ret_used = used < total ? used : total;
	*ret_total = total;
}

static bool is_word(const char *text, const char *word)
{
	struct line line = {.at = text};

	return take_word(&line, word);
}

/* <metadata device> <data device> <sectors in a data block> <low water mark> … */
static int read_pool_table(const char *table, uint64_t *ret_block_bytes, struct sf_err *err)
{
	struct line line = {.at = table};
	uint64_t sectors;

	skip_word(&line);
	skip_word(&line);
	sectors = take_number(&line);
	(void)take_number(&line); /* low-water mark, not used */
	if (line.bad || sectors < DATA_BLOCK_SECTORS_MIN || sectors > DATA_BLOCK_SECTORS_MAX)
		return sf_fail(err, -EPROTO, "not the table of a thin pool: '%s'", table);
	*ret_block_bytes = sectors * SECTOR_BYTES;
	return 0;
}

static enum sf_dm_pool_mode take_pool_mode(struct line *line)
{
	if (take_word(line, "rw"))
		return SF_DM_POOL_RW;
	if (take_word(line, "ro"))
		return SF_DM_POOL_RO;
	line->bad |= !take_word(line, "out_of_data_space");
	return SF_DM_POOL_NO_SPACE;
}

/*
 * <transaction> <used>/<all metadata blocks> <used>/<all data blocks> <held root or -> <mode> <discards>
 * <when full> <needs_check or -> …
 */
int sf_dm_read_pool(const char *table, const char *status, struct sf_dm_pool *ret, struct sf_err *err)
{
	struct sf_dm_pool pool = {.mode = SF_DM_POOL_FAILED};
	struct line line = {.at = status};
	int rc = read_pool_table(table, &pool.data_block_bytes, err);

	if (rc < 0)
		return rc;
	if (is_word(status, "Fail") || is_word(status, "Error")) {
		*ret = pool;
		return 0;
	}
	(void)take_number(&line); /* transaction id, not used */
	take_fraction(&line, METADATA_BLOCK_BYTES, &pool.metadata_used_bytes, &pool.metadata_bytes);
	take_fraction(&line, pool.data_block_bytes, &pool.data_used_bytes, &pool.data_bytes);
	if (!take_word(&line, "-"))
		pool.metadata_root = take_number(&line);
	pool.mode = take_pool_mode(&line);
	skip_word(&line);
	skip_word(&line);
	pool.needs_check = take_word(&line, "needs_check");
	if (!pool.needs_check)
		line.bad |= !take_word(&line, "-");
	if (line.bad)
		return sf_fail(err, -EPROTO, "not the status of a thin pool: '%s'", status);
	*ret = pool;
	return 0;
}

/* <origin> <COW device> <P, PO, N> <sectors in a chunk> … */
static int read_snapshot_table(const char *table, uint64_t *ret_chunk_bytes, struct sf_err *err)
{
	struct line line = {.at = table};
	uint64_t bytes;

	skip_word(&line);
	skip_word(&line);
	skip_word(&line);
	bytes = scaled(&line, take_number(&line), SECTOR_BYTES);
	if (line.bad || bytes == 0)
		return sf_fail(err, -EPROTO, "not the table of a snapshot: '%s'", table);
	*ret_chunk_bytes = bytes;
	return 0;
}

/* <allocated>/<total> <metadata>, in sectors; or "Invalid", "Overflow" or "Merge failed". */
int sf_dm_read_snapshot(const char *table, const char *status, struct sf_dm_snapshot *ret, struct sf_err *err)
{
	struct sf_dm_snapshot snapshot = {.state = SF_DM_SNAPSHOT_OK};
	struct line line = {.at = status};
	int rc = read_snapshot_table(table, &snapshot.chunk_bytes, err);

	if (rc < 0)
		return rc;
	if (is_word(status, "Invalid")) {
		snapshot.state = SF_DM_SNAPSHOT_INVALID;
	} else if (is_word(status, "Overflow")) {
		snapshot.state = SF_DM_SNAPSHOT_OVERFLOW;
	} else if (take_word(&line, "Merge")) {
		line.bad |= !take_word(&line, "failed");
		snapshot.state = SF_DM_SNAPSHOT_MERGE_FAILED;
	} else {
		take_fraction(&line, SECTOR_BYTES, &snapshot.used_bytes, &snapshot.total_bytes);
		snapshot.metadata_bytes = scaled(&line, take_number(&line), SECTOR_BYTES);
	}
	if (line.bad)
		return sf_fail(err, -EPROTO, "not the status of a snapshot: '%s'", status);
	*ret = snapshot;
	return 0;
}

/*
 * Table: <pool device> <id> [external origin]; status: <mapped sectors> <highest sector or ->. Both are
 * "Fail" or "Error" when the pool has failed, and "-" when the pool has not opened the device.
 */
int sf_dm_read_thin(const char *table, const char *status, struct sf_dm_thin *ret, struct sf_err *err)
{
	struct sf_dm_thin thin = {0};
	struct line line = {.at = table};

	for (size_t i = 0; i < 2; i++) {
		const char *text = i == 0 ? table : status;

		if (is_word(text, "Fail") || is_word(text, "Error") || is_word(text, "-"))
			return sf_fail(err, -EIO, "its thin pool has failed ('%s')", text);
	}
	skip_word(&line);
	thin.id = take_number(&line);
	if (line.bad || thin.id > THIN_ID_MAX)
		return sf_fail(err, -EPROTO, "not the table of a thin volume: '%s'", table);
	thin.external_origin = word_length(&line) > 0;
	line.at = status;
	thin.mapped_bytes = scaled(&line, take_number(&line), SECTOR_BYTES);
	if (!take_word(&line, "-"))
		(void)take_number(&line);
	if (line.bad)
		return sf_fail(err, -EPROTO, "not the status of a thin volume: '%s'", status);
	*ret = thin;
	return 0;
}
