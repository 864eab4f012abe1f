/* SPDX-License-Identifier: GPL-2.0-or-later */
#define FUSE_USE_VERSION 312

#include "data.h"

#include "core/engine/engine.h"
#include "core/state/schedules.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

#define SMALL_BYTES 16384

struct sf_handle {
	struct sf_handle *next, *prev; /* in the list of open handles, under its lock */
	uid_t uid;                     /* who opened it */
	uint64_t charged;              /* bytes of memory that count for that user */
	struct sf_entry *entries;      /* of a directory */
	size_t nentries;

	/* Of an image. */
	struct sf_image *image;
	uint64_t snapshot_id;
	char path[SF_NODE_PATH];
	atomic_bool failed; /* one read failure was reported; later ones are not */

	bool runs;            /* of .snapfs/run: a run was begun through it */
	uint64_t counted;     /* bytes of the document, as counted in document_bytes */
	pthread_mutex_t lock; /* guards the rest, which changes only in control files */
	char *text;
	size_t len;
	uint64_t base; /* the offset at which the text starts */
};

/*
 * Cap on the bytes of all open documents. They are kept whole while open, and a VM's .snapshots.json may have
 * tens of megabytes. A document is always allowed if no other is open.
 */
#define DOCUMENTS_MAX (256ULL * 1024 * 1024)
/* Of an ordinary record in .snapshots.json. */
#define RECORD_BYTES 2048

/* --- opening --- */

static char *make_report(struct sf_engine *engine, enum sf_report report)
{
	switch (report) {
	case SF_REPORT_JOBS:
		return sf_engine_jobs_json(engine);
	case SF_REPORT_HEALTH:
		return sf_engine_health_json(engine);
	case SF_REPORT_LAST_ERROR:
		return sf_engine_last_error(engine);
	case SF_REPORT_METRICS:
		return sf_engine_metrics(engine);
	case SF_REPORT_VERSION:
		return strdup(SF_VERSION "\n");
	case SF_REPORT_SCHEDULES:
		return sf_engine_schedules_json(engine);
	}
	return NULL;
}

static int own_text(struct sf_handle *handle, char *text, struct sf_err *err)
{
	if (!text)
		return sf_fail(err, -ENOMEM, "%s: out of memory", handle->path);
	handle->text = text;
	handle->len = strlen(text);
	return 0;
}

static int open_manifest(struct sf_engine *engine, const struct sf_snapshot *snapshot,
			 struct sf_handle *handle, struct sf_err *err)
{
	struct sf_err why = {0};
	char *text;
	int rc = sf_engine_manifest(engine, snapshot, &text, &why);

	/* The manifest existed at the look-up, so ENOENT would be misleading. */
	return rc < 0 ? sf_fail(err, rc == -ENOENT ? -EIO : rc, "%s", why.text) : own_text(handle, text, err);
}

bool sf_data_may_wait(const struct sf_node *node)
{
	return node->kind == SF_NODE_IMAGE || node->kind == SF_NODE_VM_JSON;
}

static int open_content(const struct sf_fs *fs, const struct sf_node *node, struct sf_handle *handle,
			struct sf_err *err)
{
	switch (node->kind) {
	case SF_NODE_IMAGE:
		handle->snapshot_id = node->snapshot->id;
		return sf_engine_image_open(fs->engine, node->snapshot, node->file, &handle->image, err);
	case SF_NODE_META:
		return own_text(handle, sf_record_format(&node->snapshot->record, NULL), err);
	case SF_NODE_MANIFEST:
		return open_manifest(fs->engine, node->snapshot, handle, err);
	case SF_NODE_SNAPSHOTS_JSON:
		return own_text(handle, sf_engine_snapshots_json(fs->engine, node->vm.id), err);
	case SF_NODE_VM_JSON:
		return own_text(handle, sf_engine_vm_json(fs->engine, node->vm.id), err);
	case SF_NODE_REPORT:
		return own_text(handle, make_report(fs->engine, node->report), err);
	case SF_NODE_RUN:
	case SF_NODE_CREATE:
	case SF_NODE_REVERT:
	case SF_NODE_SET_MANIFEST:
	case SF_NODE_SET_DELETED:
		return 0;
	default:
		return sf_fail(err, -EISDIR, "%s is a directory", handle->path);
	}
}

/* As sf_quota_take(), which logs its refusals itself: err gets a text only when out of memory. */
static int take(struct sf_fs *fs, uid_t uid, enum sf_quota_kind kind, uint64_t amount, struct sf_err *err)
{
	int rc = sf_quota_take(&fs->quota, uid, kind, amount);

	return rc == -ENOMEM ? sf_fail(err, rc, "out of memory") : rc;
}

static int new_handle(struct sf_fs *fs, const struct sf_node *node, uid_t uid, struct sf_handle **ret,
		      struct sf_err *err)
{
	struct sf_handle *handle;
	int rc = take(fs, uid, SF_QUOTA_OPEN, 1, err);

	if (rc < 0)
		return rc;
	handle = calloc(1, sizeof(*handle));
	if (!handle) {
		sf_quota_give(&fs->quota, uid, SF_QUOTA_OPEN, 1);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	pthread_mutex_init(&handle->lock, NULL);
	handle->uid = uid;
	sf_node_path(node, handle->path);
	pthread_mutex_lock(&fs->lock);
	handle->next = fs->open;
	if (fs->open)
		fs->open->prev = handle;
	fs->open = handle;
	pthread_mutex_unlock(&fs->lock);
	*ret = handle;
	return 0;
}

static void uncharge(struct sf_fs *fs, struct sf_handle *handle)
{
	sf_quota_give(&fs->quota, handle->uid, SF_QUOTA_BYTES, handle->charged);
	handle->charged = 0;
}

/*
 * Makes the bytes charged to the user that many. Gives back first: what this handle has must not count
 * against the rule that the only document may exceed a limit.
 */
static int charge(struct sf_fs *fs, struct sf_handle *handle, uint64_t bytes, struct sf_err *err)
{
	int rc;

	uncharge(fs, handle);
	rc = take(fs, handle->uid, SF_QUOTA_BYTES, bytes, err);
	if (rc == 0)
		handle->charged = bytes;
	return rc;
}

/*
 * An estimate of a handle's memory, charged before the document is made: otherwise a user could have many
 * made at once.
 */
static uint64_t expected_bytes(const struct sf_node *node)
{
	if (node->kind == SF_NODE_SNAPSHOTS_JSON)
		return node->vm.nsnapshots * RECORD_BYTES;
	return node->kind == SF_NODE_VM ? node->vm.nsnapshots * sizeof(struct sf_entry) : 0;
}

static void unlist(struct sf_fs *fs, struct sf_handle *handle)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&fs->lock);

	fs->document_bytes -= handle->counted;
	if (handle->prev)
		handle->prev->next = handle->next;
	else
		fs->open = handle->next;
	if (handle->next)
		handle->next->prev = handle->prev;
}

/* why: the text recorded for a run that has no result. */
static void close_handle(struct sf_fs *fs, struct sf_handle *handle, const char *why)
{
	unlist(fs, handle);
	uncharge(fs, handle);
	sf_quota_give(&fs->quota, handle->uid, SF_QUOTA_OPEN, 1);
	if (handle->runs)
		sf_runs_abandon(sf_engine_runs(fs->engine), handle, why);
	if (handle->image)
		sf_engine_image_close(fs->engine, handle->snapshot_id, handle->image);
	pthread_mutex_destroy(&handle->lock);
	free(handle->text);
	free(handle->entries);
	free(handle);
}

void sf_data_close(struct sf_fs *fs, struct sf_handle *handle)
{
	close_handle(fs, handle, "the client exited without reporting a result");
}

void sf_data_runs(struct sf_handle *handle)
{
	handle->runs = true;
}

static int count_document(struct sf_fs *fs, struct sf_handle *handle, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&fs->lock);

	if (fs->document_bytes > 0 && fs->document_bytes + handle->len > DOCUMENTS_MAX)
		return sf_fail(err, -ENOMEM, "%s: more than %llu MiB of documents would be open",
			       handle->path, DOCUMENTS_MAX >> 20);
	handle->counted = handle->len;
	fs->document_bytes += handle->counted;
	return 0;
}

/* The length of a document is known only once it is made; an image has none. */
static int fill(struct sf_fs *fs, const struct sf_node *node, struct sf_handle *handle, struct sf_err *err)
{
	int rc = charge(fs, handle, expected_bytes(node), err);

	if (rc == 0)
		rc = open_content(fs, node, handle, err);
	if (rc == 0)
		rc = charge(fs, handle, handle->len, err);
	return rc < 0 ? rc : count_document(fs, handle, err);
}

int sf_data_open(struct sf_fs *fs, const struct sf_node *node, uid_t uid, struct sf_handle **ret,
		 struct sf_err *err)
{
	struct sf_handle *handle;
	int rc = new_handle(fs, node, uid, &handle, err);

	if (rc < 0)
		return rc;
	rc = fill(fs, node, handle, err);
	if (rc < 0)
		sf_data_close(fs, handle);
	else
		*ret = handle;
	return rc;
}

/* Lists the directory into the handle. */
static int list(struct sf_fs *fs, const struct sf_node *dir, struct sf_handle *handle, struct sf_err *err)
{
	int rc = charge(fs, handle, expected_bytes(dir), err);

	if (rc < 0)
		return rc;
	rc = sf_tree_list(&fs->tree, dir, &handle->entries, &handle->nentries);
	if (rc < 0)
		return rc == -ENOMEM ? sf_fail(err, rc, "out of memory") : rc;
	return charge(fs, handle, handle->nentries * sizeof(struct sf_entry), err);
}

int sf_data_open_dir(struct sf_fs *fs, const struct sf_node *dir, uid_t uid, struct sf_handle **ret,
		     struct sf_err *err)
{
	struct sf_handle *handle;
	int rc = new_handle(fs, dir, uid, &handle, err);

	if (rc < 0)
		return rc;
	rc = list(fs, dir, handle, err);
	if (rc < 0)
		sf_data_close(fs, handle);
	else
		*ret = handle;
	return rc;
}

const struct sf_entry *sf_data_entries(const struct sf_handle *handle, size_t *ret_n)
{
	*ret_n = handle->nentries;
	return handle->entries;
}

void sf_data_init(struct sf_fs *fs)
{
	sf_buffers_init(&fs->buffers, fs->max_read);
	sf_passthrough_init(&fs->passthrough);
	pthread_mutex_init(&fs->lock, NULL);
	fs->open = NULL;
}

const struct sf_image *sf_data_image(const struct sf_handle *handle)
{
	return handle->image;
}

void sf_data_fini(struct sf_fs *fs)
{
	while (fs->open)
		close_handle(fs, fs->open, "snapfs exited during the run");
	pthread_mutex_destroy(&fs->lock);
	sf_passthrough_fini(&fs->passthrough);
	sf_buffers_fini(&fs->buffers);
}

void sf_data_answer(struct sf_handle *handle, char *text, uint64_t position)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&handle->lock);

	free(handle->text);
	handle->text = text;
	handle->len = text ? strlen(text) : 0;
	handle->base = position;
}

/* --- reading --- */

static void report_failure(const struct sf_fs *fs, struct sf_handle *handle, struct sf_err *err)
{
	char what[SF_NODE_PATH + 8];

	if (atomic_exchange(&handle->failed, true))
		return;
	(void)snprintf(what, sizeof(what), "read %s", handle->path);
	sf_engine_note_failure(fs->engine, what, err);
}

static void read_through(fuse_req_t req, const struct sf_fs *fs, struct sf_handle *handle, void *buffer,
			 size_t size, uint64_t off)
{
	struct sf_err err = {0};
	size_t len;
	int rc = sf_image_pread(handle->image, buffer, size, off, &len, &err);

	if (rc < 0) {
		report_failure(fs, handle, &err);
		fuse_reply_err(req, -rc);
		return;
	}
	fuse_reply_buf(req, buffer, len);
}

/* Small reads use the stack: no shared buffer, no lock. */
static void read_image(fuse_req_t req, struct sf_fs *fs, struct sf_handle *handle, size_t size, uint64_t off)
{
	_Alignas(SF_IMAGE_ALIGN) char small[SMALL_BYTES];
	void *buffer;

	if (size <= sizeof(small)) {
		read_through(req, fs, handle, small, size, off);
		return;
	}
	buffer = size <= fs->max_read ? sf_buffers_take(&fs->buffers) : NULL;
	if (buffer)
		read_through(req, fs, handle, buffer, size, off);
	else
		fuse_reply_err(req, size <= fs->max_read ? ENOMEM : EINVAL);
	sf_buffers_give(&fs->buffers, buffer);
}

/* Copies the part of the text that a read at off sees, and returns its length; *ret stays NULL for 0. */
static size_t copy_text(struct sf_handle *handle, size_t size, uint64_t off, char **ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&handle->lock);
	size_t len;

	if (off < handle->base)
		handle->base = 0; /* the reader went back: its offsets count from the text's start */
	off -= handle->base;
	if (off >= handle->len)
		return 0;
	len = handle->len - off < size ? (size_t)(handle->len - off) : size;
	*ret = malloc(len);
	if (*ret)
		memcpy(*ret, handle->text + off, len);
	return len;
}

static void read_text(fuse_req_t req, struct sf_handle *handle, size_t size, uint64_t off)
{
	auto_free char *part = NULL;
	size_t len = copy_text(handle, size, off, &part);

	if (len > 0 && !part)
		fuse_reply_err(req, ENOMEM);
	else
		fuse_reply_buf(req, part, len);
}

void sf_data_read(fuse_req_t req, struct sf_fs *fs, struct sf_handle *handle, size_t size, off_t off)
{
	if (handle->image)
		read_image(req, fs, handle, size, (uint64_t)off);
	else
		read_text(req, handle, size, (uint64_t)off);
}

/* --- holes --- */

static void seek_image(fuse_req_t req, struct sf_image *image, uint64_t off, bool data)
{
	uint64_t found;
	int rc = sf_image_seek(image, off, data, &found, NULL);

	if (rc < 0) /* the kernel would remember ENOSYS for the whole mount */
		fuse_reply_err(req, rc == -ENOSYS ? EIO : -rc);
	else
		fuse_reply_lseek(req, (off_t)found);
}

static size_t text_len(struct sf_handle *handle)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&handle->lock);

	return handle->len;
}

/* Text is all data. */
static void seek_text(fuse_req_t req, struct sf_handle *handle, uint64_t off, bool data)
{
	size_t len = text_len(handle);

	if (off >= len)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, (off_t)(data ? off : len));
}

void sf_data_lseek(fuse_req_t req, struct sf_handle *handle, off_t off, int whence)
{
	if (off < 0 || (whence != SEEK_DATA && whence != SEEK_HOLE))
		fuse_reply_err(req, EINVAL);
	else if (handle->image)
		seek_image(req, handle->image, (uint64_t)off, whence == SEEK_DATA);
	else
		seek_text(req, handle, (uint64_t)off, whence == SEEK_DATA);
}
