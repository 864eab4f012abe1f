/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

#include "base/err.h"
#include "base/json.h"
#include "base/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERRNO_MAX 4095 /* include/linux/err.h: MAX_ERRNO */

static const struct {
	const char *name;
	bool about_vm;
} ops[] = {
	[SF_HELPER_HELLO] = {"hello", false}, [SF_HELPER_HOST] = {"host", false},
	[SF_HELPER_WATCH] = {"watch", false}, [SF_HELPER_POWER] = {"power", true},
	[SF_HELPER_PAUSE] = {"pause", true},  [SF_HELPER_SAVE] = {"save", true},
	[SF_HELPER_ABORT] = {"abort", false}, [SF_HELPER_RESUME] = {"resume", true},
	[SF_HELPER_STOP] = {"stop", true},    [SF_HELPER_RENAME] = {"rename", true},
	[SF_HELPER_DISK] = {"disk", true},
};
#define NOPS (sizeof(ops) / sizeof(ops[0]))

const char *sf_helper_op_name(enum sf_helper_op op)
{
	return ops[op].name;
}

static void fini_vms(struct sf_helper_vm *vms, size_t nvms)
{
	for (size_t i = 0; i < nvms; i++)
		sf_vm_desc_fini(&vms[i].desc);
	free(vms);
}

void sf_helper_reply_fini(struct sf_helper_reply *reply)
{
	fini_vms(reply->vms, reply->nvms);
	*reply = (struct sf_helper_reply){0};
}

/* --- writing --- */

/* Consumes root, which may be NULL. */
static char *line_of(json_t *root, size_t *ret_len)
{
	size_t len = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
	char *text = len ? malloc(len + 2) : NULL;

	if (text && json_dumpb(root, text, len, JSON_COMPACT) != len) {
		free(text);
		text = NULL;
	}
	json_decref(root);
	if (!text)
		return NULL;
	text[len] = '\n';
	text[len + 1] = '\0';
	*ret_len = len + 1;
	return text;
}

/* Consumes value. */
static bool put(json_t *root, const char *key, json_t *value)
{
	return json_object_set_new(root, key, value) == 0;
}

/* Omits an empty text. */
static bool put_text(json_t *root, const char *key, const char *text)
{
	return !*text || put(root, key, sf_json_lossy(text));
}

static bool put_members(json_t *root, const struct sf_helper_request *request)
{
	if (ops[request->op].about_vm && (!put(root, "name", sf_json_lossy(request->name)) ||
					  !put(root, "uuid", sf_json_lossy(request->uuid))))
		return false;
	switch (request->op) {
	case SF_HELPER_WATCH:
		return put(root, "configs", sf_json_lossy(request->configs));
	case SF_HELPER_SAVE:
		return put(root, "live", json_boolean(request->live));
	case SF_HELPER_RENAME:
		return put(root, "to", sf_json_lossy(request->to));
	case SF_HELPER_DISK:
		return put(root, "vdev", sf_json_lossy(request->disk.vdev)) &&
		       put(root, "path", sf_json_lossy(request->disk.spec));
	default:
		return true;
	}
}

char *sf_helper_request_format(const struct sf_helper_request *request, size_t *ret_len)
{
	json_t *root = json_pack("{ss}", "op", ops[request->op].name);

	if (root && !put_members(root, request)) {
		json_decref(root);
		return NULL;
	}
	return line_of(root, ret_len);
}

static json_t *format_disks(const struct sf_vm_desc *desc)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < desc->ndisks; i++)
		if (json_array_append_new(list, json_pack("{ssso}", "vdev", desc->disks[i].vdev, "path",
							  sf_json_lossy(desc->disks[i].spec))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *format_left_out(const struct sf_vm_desc *desc)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < desc->nleft_out; i++) {
		const struct sf_left_out *from = &desc->left_out[i];
		json_t *disk = json_pack("{soso}", "vdev", sf_json_lossy(from->vdev), "reason",
					 sf_json_lossy(from->reason));

		if (json_array_append(list, disk) < 0 ||
		    (from->writable && json_object_set_new(disk, "writable", json_true()) < 0)) {
			json_decref(disk);
			json_decref(list);
			return NULL;
		}
		json_decref(disk);
	}
	return list;
}

/* Truncates a name that is too long, perhaps in the middle of a character; one byte too long shows that. */
static json_t *format_name(const char name[static SF_NAME_MAX + 1])
{
	char text[SF_NAME_MAX + 2] = "";
	json_t *value;

	memcpy(text, name, strnlen(name, SF_NAME_MAX + 1));
	value = json_string(text);
	if (value)
		return value;
	for (char *at = text; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '\x01';
	return json_string(text);
}

static json_t *format_vms(const struct sf_helper_reply *reply)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < reply->nvms; i++) {
		const struct sf_vm_desc *desc = &reply->vms[i].desc;
		json_t *vm = json_pack("{so,ss,sI,so,so}", "name", format_name(desc->name), "uuid",
				       desc->uuid, "memory", (json_int_t)desc->memory_bytes, "disks",
				       format_disks(desc), "left_out", format_left_out(desc));

		if (!vm || !put_text(vm, "config", reply->vms[i].config) || json_array_append(list, vm) < 0) {
			json_decref(vm);
			json_decref(list);
			return NULL;
		}
		json_decref(vm);
	}
	return list;
}

char *sf_helper_reply_format(const struct sf_helper_reply *reply, size_t *ret_len)
{
	json_t *root;

	if (reply->kind == SF_HELPER_FAILURE)
		return line_of(json_pack("{sbsiso}", "ok", 0, "errno", -reply->error, "text",
					 sf_json_lossy(reply->text)),
			       ret_len);
	if (reply->kind == SF_HELPER_EVENT_PAUSED)
		return line_of(json_pack("{ss}", "event", "paused"), ret_len);
	if (reply->kind == SF_HELPER_EVENT_VMS)
		return line_of(json_pack("{sssoso}", "event", "vms", "trouble", sf_json_lossy(reply->text),
					 "vms", format_vms(reply)),
			       ret_len);
	root = json_pack("{sb}", "ok", 1);
	if (root &&
	    (!put_text(root, "version", reply->version) || !put_text(root, "host", reply->host) ||
	     (reply->protocol && json_object_set_new(root, "protocol", json_integer(reply->protocol)) < 0) ||
	     (reply->power != SF_POWER_UNKNOWN && !put_text(root, "power", sf_power_name(reply->power))))) {
		json_decref(root);
		return NULL;
	}
	return line_of(root, ret_len);
}

/* --- reading --- */

static int broken(int rc, struct sf_err *err)
{
	return sf_wrap(err, rc == -ENOMEM ? rc : -EPROTO, "a line between snapfs and its helper");
}

/* Reads an optional member. */
static int opt_string(const json_t *root, const char *key, char *buf, size_t size, struct sf_err *err)
{
	return json_object_get(root, key) ? sf_json_string(root, key, buf, size, err) : 0;
}

static int read_disk(const json_t *root, struct sf_disk *ret, struct sf_err *err)
{
	int rc = sf_json_string(root, "vdev", ret->vdev, sizeof(ret->vdev), err);

	return rc < 0 ? rc : sf_json_string(root, "path", ret->spec, sizeof(ret->spec), err);
}

static int read_request(const json_t *root, struct sf_helper_request *ret, struct sf_err *err)
{
	const char *op = json_string_value(json_object_get(root, "op"));
	int rc;

	while (ret->op < NOPS && (!op || strcmp(op, ops[ret->op].name) != 0))
		ret->op++;
	if (ret->op == NOPS)
		return sf_fail(err, -EINVAL, "\"op\" is missing or none of the known ones");
	if (ops[ret->op].about_vm &&
	    ((rc = sf_json_string(root, "name", ret->name, sizeof(ret->name), err)) < 0 ||
	     (rc = sf_name_check(ret->name, err)) < 0 ||
	     (rc = sf_json_string(root, "uuid", ret->uuid, sizeof(ret->uuid), err)) < 0))
		return rc;
	if (ret->op == SF_HELPER_SAVE)
		return sf_json_bool(root, "live", &ret->live, err);
	if (ret->op == SF_HELPER_WATCH)
		return sf_json_string(root, "configs", ret->configs, sizeof(ret->configs), err);
	if (ret->op == SF_HELPER_DISK)
		return read_disk(root, &ret->disk, err);
	if (ret->op != SF_HELPER_RENAME)
		return 0;
	rc = sf_json_string(root, "to", ret->to, sizeof(ret->to), err);
	return rc < 0 ? rc : sf_name_check(ret->to, err);
}

int sf_helper_request_parse(const char *line, size_t len, struct sf_helper_request *ret, struct sf_err *err)
{
	auto_json json_t *root = sf_json_parse_object(line, len, "the request", err);
	struct sf_helper_request request = {0};
	int rc = root ? read_request(root, &request, err) : -EINVAL;

	if (rc < 0)
		return broken(rc, err);
	*ret = request;
	return 0;
}

/* A name that is too long fills its array without a NUL; the contract's wrapper refuses it. */
static int read_name(const json_t *vm, char name[static SF_NAME_MAX + 1], struct sf_err *err)
{
	const char *text = json_string_value(json_object_get(vm, "name"));
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return sf_fail(err, -EINVAL, "a VM without a name");
	memcpy(name, text, len > SF_NAME_MAX ? SF_NAME_MAX + 1 : len + 1);
	return 0;
}

static int read_disks(const json_t *list, struct sf_vm_desc *desc, struct sf_err *err)
{
	size_t n = json_array_size(list);
	int rc = 0;

	if (!json_is_array(list) || n > SF_VM_DISKS_MAX)
		return sf_fail(err, -EINVAL, "\"disks\" is missing or has more than %d", SF_VM_DISKS_MAX);
	desc->disks = calloc(n + 1, sizeof(*desc->disks));
	if (!desc->disks)
		return sf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const json_t *disk = json_array_get(list, i);
		struct sf_disk *to = &desc->disks[desc->ndisks++];

		rc = read_disk(disk, to, err);
	}
	return rc;
}

static int read_left_out(const json_t *list, struct sf_vm_desc *desc, struct sf_err *err)
{
	size_t n = json_array_size(list);
	int rc = 0;

	if (!json_is_array(list) || n > SF_VM_DISKS_MAX)
		return sf_fail(err, -EINVAL, "\"left_out\" is missing or has more than %d", SF_VM_DISKS_MAX);
	desc->left_out = calloc(n + 1, sizeof(*desc->left_out));
	if (!desc->left_out)
		return sf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const json_t *disk = json_array_get(list, i);
		struct sf_left_out *to = &desc->left_out[desc->nleft_out++];

		rc = sf_json_string(disk, "vdev", to->vdev, sizeof(to->vdev), err);
		if (rc == 0)
			rc = sf_json_string(disk, "reason", to->reason, sizeof(to->reason), err);
		if (rc == 0 && json_object_get(disk, "writable"))
			rc = sf_json_bool(disk, "writable", &to->writable, err);
	}
	return rc;
}

static int read_vm(const json_t *vm, struct sf_helper_vm *ret, struct sf_err *err)
{
	int rc = read_name(vm, ret->desc.name, err);

	if (rc < 0 || (rc = sf_json_string(vm, "uuid", ret->desc.uuid, sizeof(ret->desc.uuid), err)) < 0 ||
	    (rc = sf_json_u64(vm, "memory", &ret->desc.memory_bytes, err)) < 0 ||
	    (rc = opt_string(vm, "config", ret->config, sizeof(ret->config), err)) < 0 ||
	    (rc = read_disks(json_object_get(vm, "disks"), &ret->desc, err)) < 0)
		return rc;
	return read_left_out(json_object_get(vm, "left_out"), &ret->desc, err);
}

static int read_vms(const json_t *list, struct sf_helper_reply *ret, struct sf_err *err)
{
	size_t n = json_array_size(list);
	int rc = 0;

	if (!json_is_array(list) || n > SF_HELPER_VMS_MAX)
		return sf_fail(err, -EINVAL, "\"vms\" is missing or has more than %d", SF_HELPER_VMS_MAX);
	ret->vms = calloc(n + 1, sizeof(*ret->vms));
	if (!ret->vms)
		return sf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = read_vm(json_array_get(list, i), &ret->vms[ret->nvms++], err);
	return rc;
}

static int read_event(const json_t *root, const char *event, struct sf_helper_reply *ret, struct sf_err *err)
{
	if (strcmp(event, "paused") == 0) {
		ret->kind = SF_HELPER_EVENT_PAUSED;
		return 0;
	}
	if (strcmp(event, "vms") != 0)
		return sf_fail(err, -EINVAL, "an unknown event");
	ret->kind = SF_HELPER_EVENT_VMS;
	if (sf_json_string(root, "trouble", ret->text, sizeof(ret->text), err) < 0)
		return -EINVAL;
	return read_vms(json_object_get(root, "vms"), ret, err);
}

static int read_failure(const json_t *root, struct sf_helper_reply *ret, struct sf_err *err)
{
	uint64_t number = 0;
	int rc = sf_json_u64(root, "errno", &number, err);

	if (rc == 0 && (number == 0 || number > ERRNO_MAX))
		rc = sf_fail(err, -EINVAL, "\"errno\" is not 1-%d", ERRNO_MAX);
	if (rc < 0)
		return rc;
	ret->kind = SF_HELPER_FAILURE;
	ret->error = -(int)number;
	return sf_json_string(root, "text", ret->text, sizeof(ret->text), err);
}

static int read_success(const json_t *root, struct sf_helper_reply *ret, struct sf_err *err)
{
	char power[16] = "";
	uint64_t protocol = 0;
	int rc = opt_string(root, "version", ret->version, sizeof(ret->version), err);

	if (rc < 0 || (rc = opt_string(root, "host", ret->host, sizeof(ret->host), err)) < 0 ||
	    (rc = opt_string(root, "power", power, sizeof(power), err)) < 0)
		return rc;
	if (json_object_get(root, "protocol") && (rc = sf_json_u64(root, "protocol", &protocol, err)) < 0)
		return rc;
	if (*power && sf_power_parse(power, &ret->power) < 0)
		return sf_fail(err, -EINVAL, "\"power\" is no power state");
	ret->protocol = protocol > UINT_MAX ? UINT_MAX : (unsigned)protocol;
	return 0;
}

static int read_reply(const json_t *root, struct sf_helper_reply *ret, struct sf_err *err)
{
	const char *event = json_string_value(json_object_get(root, "event"));
	bool ok = false;
	int rc;

	if (event)
		return read_event(root, event, ret, err);
	rc = sf_json_bool(root, "ok", &ok, err);
	if (rc < 0)
		return rc;
	return ok ? read_success(root, ret, err) : read_failure(root, ret, err);
}

int sf_helper_reply_parse(const char *line, size_t len, struct sf_helper_reply *ret, struct sf_err *err)
{
	auto_json json_t *root = sf_json_parse_object(line, len, "the reply", err);
	struct sf_helper_reply reply = {0};
	int rc = root ? read_reply(root, &reply, err) : -EINVAL;

	if (rc < 0) {
		sf_helper_reply_fini(&reply);
		return broken(rc, err);
	}
	*ret = reply;
	return 0;
}
