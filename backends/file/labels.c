/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: xattr(7). */
#include "labels.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ATTRIBUTE     "user.snapfs"
#define LABELS_SCHEMA 1
/* The longest names with every byte escaped need less. ext4 stores a block, mostly 4 KiB. */
#define LABELS_MAX 4096

static char *format(const struct sf_file_labels *labels)
{
	const struct sf_object *object = &labels->object;
	char uuid[SF_ID_TEXT];
	auto_json json_t *root = NULL;

	sf_id_format(&object->uuid, uuid);
	root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:s, s:i, s:i, s:s, s:I, s:I, s:i}", "schema",
			 LABELS_SCHEMA, "vm", object->vm, "vm_uuid", object->vm_uuid, "snapshot",
			 object->snapshot, "uuid", uuid, "taken_ns", (json_int_t)object->taken_ns, "vdev",
			 object->vdev, "index", (int)object->index, "ndisks", (int)object->ndisks, "image",
			 labels->image, "uid", (json_int_t)labels->uid, "gid", (json_int_t)labels->gid,
			 "mode", (int)labels->mode);
	return root ? json_dumps(root, JSON_COMPACT) : NULL;
}

int sf_file_labels_write(int fd, const struct sf_file_labels *labels, struct sf_err *err)
{
	auto_free char *text = format(labels);

	if (!text)
		return sf_fail(err, -EINVAL, "the labels cannot be written as JSON");
	if (fsetxattr(fd, ATTRIBUTE, text, strlen(text), 0) < 0 && errno != EOPNOTSUPP)
		return sf_fail(err, -errno, "set " ATTRIBUTE ": %s", strerror(errno));
	return 0;
}

/* Reads a number of at most max. */
static int parse_number(const json_t *root, const char *key, uint64_t max, uint64_t *ret, struct sf_err *err)
{
	int rc = sf_json_u64(root, key, ret, err);

	return rc == 0 && *ret > max ? sf_fail(err, -EINVAL, "\"%s\" is too large", key) : rc;
}

static int parse(const json_t *root, struct sf_file_labels *labels, struct sf_err *err)
{
	struct sf_object *object = &labels->object;
	uint64_t index, ndisks, uid, gid, mode;
	int rc;

	if ((rc = sf_json_schema(root, LABELS_SCHEMA, err)) < 0 ||
	    (rc = sf_json_string(root, "vm", object->vm, sizeof(object->vm), err)) < 0 ||
	    (rc = sf_json_string(root, "vm_uuid", object->vm_uuid, sizeof(object->vm_uuid), err)) < 0 ||
	    (rc = sf_json_string(root, "snapshot", object->snapshot, sizeof(object->snapshot), err)) < 0 ||
	    (rc = sf_json_id(root, "uuid", &object->uuid, err)) < 0 ||
	    (rc = sf_json_u64(root, "taken_ns", &object->taken_ns, err)) < 0 ||
	    (rc = sf_json_string(root, "vdev", object->vdev, sizeof(object->vdev), err)) < 0 ||
	    (rc = parse_number(root, "index", UINT_MAX, &index, err)) < 0 ||
	    (rc = parse_number(root, "ndisks", UINT_MAX, &ndisks, err)) < 0 ||
	    (rc = sf_json_string(root, "image", labels->image, sizeof(labels->image), err)) < 0 ||
	    (rc = parse_number(root, "uid", UINT32_MAX - 1, &uid, err)) < 0 ||
	    (rc = parse_number(root, "gid", UINT32_MAX - 1, &gid, err)) < 0 ||
	    (rc = parse_number(root, "mode", 07777, &mode, err)) < 0)
		return rc;
	if (!*labels->image || strchr(labels->image, '/'))
		return sf_fail(err, -EINVAL, "\"image\" is not a file's name");
	object->index = (unsigned)index;
	object->ndisks = (unsigned)ndisks;
	labels->uid = (uid_t)uid;
	labels->gid = (gid_t)gid;
	labels->mode = (mode_t)mode;
	return 0;
}

int sf_file_labels_read(int fd, struct sf_file_labels *ret, struct sf_err *err)
{
	struct sf_file_labels labels = {.image = ""};
	struct sf_err why = {0};
	auto_json json_t *root = NULL;
	char text[LABELS_MAX];
	ssize_t len = fgetxattr(fd, ATTRIBUTE, text, sizeof(text));
	int rc;

	if (len < 0 && (errno == EOPNOTSUPP || errno == ENODATA))
		return sf_fail(err, -ENODATA, "the snapshot has no labels");
	if (len < 0 && errno == ERANGE)
		return sf_fail(err, -EINVAL, ATTRIBUTE " has more than %d bytes", LABELS_MAX);
	if (len < 0)
		return sf_fail(err, -errno, "read " ATTRIBUTE ": %s", strerror(errno));
	root = sf_json_parse_object(text, (size_t)len, ATTRIBUTE, &why);
	rc = root ? parse(root, &labels, &why) : why.code;
	if (rc < 0)
		return sf_fail(err, rc, "%s", why.text);
	*ret = labels;
	return 0;
}

bool sf_file_labels_are_none(int rc)
{
	return rc == -ENODATA || rc == -EOPNOTSUPP || rc == -EINVAL;
}
