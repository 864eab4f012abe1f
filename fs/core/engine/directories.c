/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "directories.h"

#include "internal.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A directory, and the VM that its records name. */
struct claim {
	const char *dir;
	struct sf_engine_vm *vm;
	bool named; /* it has the VM's name */
};

struct claims {
	struct claim *list;
	size_t n;
	bool all; /* every directory that may hold records is in the list */
};

/* Whether the directory has a name that sf_op_dir() gives: the VM's, or that with "~" and 8 hex digits. */
static bool is_named_after(const char *dir, const char *vm)
{
	size_t len = strlen(vm);

	if (strncmp(dir, vm, len) != 0)
		return false;
	dir += len;
	return !*dir || (*dir == '~' && strlen(dir + 1) == 8 && strspn(dir + 1, "0123456789abcdef") == 8);
}

/* The VM of a record, of this schema or a newer one. */
static int read_owner(int vm_dir, const char *snapshot, struct sf_newer_record *ret)
{
	auto_fd int dir = sf_open_dir(vm_dir, snapshot, NULL);
	struct sf_record record;
	int rc = dir < 0 ? dir : sf_state_read_record(dir, &record, NULL);

	if (rc == -EOPNOTSUPP)
		return sf_state_read_newer(dir, ret, NULL);
	if (rc < 0)
		return rc;
	memcpy(ret->vm_uuid, record.vm_uuid, sizeof(ret->vm_uuid));
	memcpy(ret->vm_name, record.vm_name, sizeof(ret->vm_name));
	sf_record_fini(&record);
	return 0;
}

/*
 * A VM's identity according to the records in its directory. Prefers a record whose VM has the directory's
 * name, then one with a uuid. Without records, only the name is known.
 */
static void identity_of(int vm_dir, const char *dir_name, char uuid[static SF_VM_UUID],
			char vm_name[static SF_NAME_MAX + 1])
{
	struct sf_dir_names names;
	int best = -1;

	uuid[0] = '\0';
	(void)snprintf(vm_name, SF_NAME_MAX + 1, "%s", dir_name);
	if (sf_dir_names_read(vm_dir, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n && best < 3; i++) {
		struct sf_newer_record owner;
		int rank;

		if (read_owner(vm_dir, names.list[i], &owner) < 0)
			continue;
		rank = 2 * is_named_after(dir_name, owner.vm_name) + (*owner.vm_uuid != '\0');
		if (rank > best) {
			best = rank;
			memcpy(uuid, owner.vm_uuid, SF_VM_UUID);
			memcpy(vm_name, owner.vm_name, SF_NAME_MAX + 1);
		}
	}
	sf_dir_names_fini(&names);
}

static int read_claim(struct sf_engine *engine, const char *name, struct claim *ret, struct sf_err *err)
{
	char uuid[SF_VM_UUID], vm_name[SF_NAME_MAX + 1];
	auto_fd int dir = -1;
	int rc = strlen(name) < SF_VM_DIR ? sf_name_check(name, err) : -ENAMETOOLONG;

	if (rc == -ENAMETOOLONG && strlen(name) < SF_VM_DIR)
		rc = 0; /* a name followed by "~" and an id */
	if (rc == 0)
		dir = rc = sf_state_vm_dir(engine->state, name, false, err);
	if (rc < 0)
		return rc;
	identity_of(dir, name, uuid, vm_name);
	if (sf_engine_vm_of(engine, uuid, vm_name, &ret->vm) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	ret->dir = name;
	ret->named = is_named_after(name, vm_name);
	return 0;
}

static bool is_directory(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void collect(struct sf_engine *engine, const char *name, struct claims *claims)
{
	int state_dir = sf_state_fd(engine->state);
	struct sf_err err = {0};

	/*
	 * Remove the empty directory of a VM whose last snapshot is gone or whose first was never completed.
	 */
	if (unlinkat(state_dir, name, AT_REMOVEDIR) == 0)
		return;
	if (read_claim(engine, name, &claims->list[claims->n], &err) == 0) {
		claims->n++;
		return;
	}
	claims->all = claims->all && !is_directory(state_dir, name);
	sf_health_set(engine->health, "stray", name,
		      "is in the state directory, but is not a VM's directory: %s", err.text);
}

/* The directory that the VM gets; NULL if several could be it. */
static const struct claim *winner(const struct claims *claims, const struct sf_engine_vm *vm)
{
	const struct claim *any = NULL, *named = NULL;
	size_t nany = 0, nnamed = 0;

	for (size_t i = 0; i < claims->n; i++) {
		if (claims->list[i].vm != vm)
			continue;
		any = &claims->list[i];
		nany++;
		if (any->named) {
			named = any;
			nnamed++;
		}
	}
	return nany == 1 ? any : nnamed == 1 ? named : NULL;
}

static void contest(struct sf_engine *engine, const struct claim *claim, void (*contested)(struct sf_vm_op *))
{
	struct sf_vm_op op = {0};

	sf_health_set(
		engine->health, "stray", claim->dir,
		"holds snapshots of VM '%s', as does another directory, and none alone has its name: move "
		"all but one out of the state directory, then restart snapfs",
		claim->vm->name);
	if (sf_op_enter(engine, claim->vm, true, &op, NULL) < 0)
		return;
	op.dir = sf_state_vm_dir(engine->state, claim->dir, false, NULL);
	if (op.dir >= 0)
		contested(&op);
	sf_op_leave(&op);
}

static void settle(struct sf_engine *engine, const struct claim *claim, struct claims *claims,
		   void (*contested)(struct sf_vm_op *))
{
	const struct claim *won = winner(claims, claim->vm);

	if (won != claim)
		claims->all = false;
	if (won == claim)
		sf_engine_give_dir(engine, claim->vm, claim->dir);
	else if (won)
		sf_health_set(engine->health, "stray", claim->dir,
			      "is in the state directory, but its VM '%s' already has the directory '%s'",
			      claim->vm->name, won->dir);
	else
		contest(engine, claim, contested);
}

bool sf_adopt_directories(struct sf_engine *engine, void (*contested)(struct sf_vm_op *op))
{
	struct claims claims = {.all = true};
	struct sf_dir_names names;
	struct sf_err err = {0};
	int rc = sf_dir_names_read(sf_state_fd(engine->state), &names, &err);

	if (rc == 0 && !(claims.list = calloc(names.n + 1, sizeof(*claims.list)))) {
		sf_dir_names_fini(&names);
		rc = sf_fail(&err, -ENOMEM, "out of memory");
	}
	if (rc < 0) {
		sf_health_set(engine->health, "undo", "state", "%s", err.text);
		return false;
	}
	for (size_t i = 0; i < names.n; i++)
		if (!sf_state_is_reserved(names.list[i]))
			collect(engine, names.list[i], &claims);
	for (size_t i = 0; i < claims.n; i++)
		if (!winner(&claims, claims.list[i].vm))
			claims.list[i].vm->contested = true;
	for (size_t i = 0; i < claims.n; i++)
		settle(engine, &claims.list[i], &claims, contested);
	free(claims.list);
	sf_dir_names_fini(&names);
	return claims.all;
}
