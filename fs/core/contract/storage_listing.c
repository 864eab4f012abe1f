/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checked storage calls that report items through a callback. Each item is checked before it is passed
 * on. The callback's first failure is the result, whatever the backend returns.
 */
#include "storage_call.h"

#include <errno.h>

struct listing {
	struct sf_call *call;
	sf_object_fn *fn;
	void *arg;
	int rc; /* of fn's first failure */
	struct sf_err err;
};

static bool ends(const char *text, size_t max)
{
	return memchr(text, '\0', max) != NULL;
}

static int check_listed(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	static const struct sf_id none;
	struct listing *listing = arg;

	if (!object || sf_id_equal(&object->token, &none) || !where || !*where)
		return sf_call_broken(listing->call, "named an object without token or place");
	if ((object->origin && !ends(object->origin, SF_ORIGIN_MAX)) ||
	    !ends(object->vdev, sizeof(object->vdev)) || !ends(object->vm, sizeof(object->vm)) ||
	    !ends(object->vm_uuid, sizeof(object->vm_uuid)) ||
	    !ends(object->snapshot, sizeof(object->snapshot)))
		return sf_call_broken(listing->call, "named an object with unterminated labels");
	if (listing->rc == 0)
		listing->rc = listing->fn(listing->arg, object, where, &listing->err);
	if (listing->rc < 0 && err)
		*err = listing->err;
	return listing->rc;
}

int sf_object_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		   struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "list", origin);
	struct listing listing = {.call = &call, .fn = fn, .arg = arg};
	int rc;

	if (!sf_text_ok(origin, SF_ORIGIN_MAX))
		return sf_fail(err, -EINVAL, "list: no origin given");
	rc = storage->ops->list(storage, origin, check_listed, &listing, &call.err);
	if (listing.rc < 0) {
		rc = listing.rc;
		call.err = listing.err;
	}
	return sf_call_end(&call, rc, err);
}

struct meeting {
	struct sf_call *call;
	sf_foreign_fn *fn;
	void *arg;
	int rc; /* of fn's first failure */
	struct sf_err err;
};

static int check_foreign(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err)
{
	struct meeting *meeting = arg;

	if (!where || !*where)
		return sf_call_broken(meeting->call, "named a snapshot without a place");
	if (meeting->rc == 0)
		meeting->rc = meeting->fn(meeting->arg, where, state_id, &meeting->err);
	if (meeting->rc < 0 && err)
		*err = meeting->err;
	return meeting->rc;
}

int sf_volume_foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "foreign", volume->origin);
	const struct sf_storage_ops *ops = volume->storage->ops;
	struct meeting meeting = {.call = &call, .fn = fn, .arg = arg};
	int rc;

	if (!ops->foreign)
		return 0;
	rc = ops->foreign(volume, check_foreign, &meeting, &call.err);
	if (meeting.rc < 0) {
		rc = meeting.rc;
		call.err = meeting.err;
	}
	return sf_call_end(&call, rc, err);
}

struct noting {
	struct sf_call *call;
	sf_note_fn *fn;
	void *arg;
	int rc;
};

static void check_note(void *arg, const char *text)
{
	struct noting *noting = arg;

	if (!text || !*text || strchr(text, '\n'))
		noting->rc = sf_call_broken(noting->call, "gave a note that is not one line");
	else
		noting->fn(noting->arg, text);
}

int sf_volume_notes(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "notes", volume->origin);
	struct noting noting = {.call = &call, .fn = fn, .arg = arg};
	int rc;

	if (!volume->storage->ops->notes)
		return 0;
	rc = volume->storage->ops->notes(volume, check_note, &noting, &call.err);
	return sf_call_end(&call, noting.rc < 0 ? noting.rc : rc, err);
}

struct watching {
	struct sf_call *call;
	sf_usage_fn *fn;
	void *arg;
	int rc;
};

static void check_usage(void *arg, const struct sf_usage *usage)
{
	struct watching *watching = arg;

	if (!usage->kind || !sf_text_ok(usage->subject, sizeof(usage->subject)) ||
	    usage->used_bytes > usage->total_bytes)
		watching->rc = sf_call_broken(watching->call, "gave an impossible usage");
	else
		watching->fn(watching->arg, usage);
}

int sf_storage_watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		     struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "watch", "what is in it");
	struct watching watching = {.call = &call, .fn = fn, .arg = arg};
	int rc;

	if (!storage->ops->watch)
		return sf_fail(err, -EOPNOTSUPP, "storage %s needs no watching", storage->ops->name);
	rc = storage->ops->watch(storage, wake_fd, wait_ms, check_usage, &watching, &call.err);
	return sf_call_end(&call, rc < 0 ? rc : watching.rc, err);
}
