/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checked calls into the hypervisor: checks arguments and results, answers for what a backend cannot do,
 * and ensures that save calls its hooks as promised. VMs that break the rules are filtered out here.
 */
#include "hypervisor.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "call.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const power_names[] = {
	[SF_POWER_UNKNOWN] = "unknown",
	[SF_POWER_OFF] = "off",
	[SF_POWER_RUNNING] = "running",
	[SF_POWER_PAUSED] = "paused",
};
#define NPOWERS (sizeof(power_names) / sizeof(power_names[0]))

const char *sf_power_name(enum sf_power power)
{
	return (size_t)power < NPOWERS ? power_names[power] : "unknown";
}

int sf_power_parse(const char *text, enum sf_power *ret)
{
	for (size_t i = 0; i < NPOWERS; i++) {
		if (strcmp(text, power_names[i]) == 0) {
			*ret = (enum sf_power)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* --- Descriptions --- */

void sf_vm_desc_fini(struct sf_vm_desc *vm)
{
	free(vm->disks);
	free(vm->left_out);
	*vm = (struct sf_vm_desc){0};
}

/* NULL if n is 0 or when out of memory. */
static void *copy_items(const void *items, size_t n, size_t size)
{
	void *copy = n > 0 ? calloc(n, size) : NULL;

	if (copy)
		memcpy(copy, items, n * size);
	return copy;
}

int sf_vm_desc_copy(const struct sf_vm_desc *vm, struct sf_vm_desc *ret)
{
	*ret = *vm;
	ret->disks = copy_items(vm->disks, vm->ndisks, sizeof(*vm->disks));
	ret->left_out = copy_items(vm->left_out, vm->nleft_out, sizeof(*vm->left_out));
	if ((vm->ndisks > 0 && !ret->disks) || (vm->nleft_out > 0 && !ret->left_out)) {
		sf_vm_desc_fini(ret);
		return -ENOMEM;
	}
	return 0;
}

void sf_vm_list_fini(struct sf_vm_list *list)
{
	for (size_t i = 0; i < list->nvms; i++)
		sf_vm_desc_fini(&list->vms[i]);
	free(list->vms);
	*list = (struct sf_vm_list){0};
}

/* --- Listing --- */

static int check_disks(const struct sf_vm_desc *vm, struct sf_err *err)
{
	if (vm->ndisks > SF_VM_DISKS_MAX)
		return sf_fail(err, -EINVAL, "it has %zu disks, more than %d", vm->ndisks, SF_VM_DISKS_MAX);
	for (size_t i = 0; i < vm->ndisks; i++) {
		const struct sf_disk *disk = &vm->disks[i];

		if (!memchr(disk->vdev, '\0', sizeof(disk->vdev)) || sf_vdev_check(disk->vdev, err) < 0)
			return sf_fail(err, -EINVAL,
				       "the name of its disk %zu is not 1-%d characters of a-z and 0-9", i,
				       SF_VDEV_MAX);
		if (!disk->spec[0] || !memchr(disk->spec, '\0', sizeof(disk->spec)))
			return sf_fail(err, -EINVAL, "its disk %s has no specification", disk->vdev);
		for (size_t k = 0; k < i; k++)
			if (strcmp(vm->disks[k].vdev, disk->vdev) == 0)
				return sf_fail(err, -EINVAL, "it has two disks named %s", disk->vdev);
	}
	return 0;
}

static int check_vm(const struct sf_vm_desc *vm, struct sf_err *err)
{
	if (!memchr(vm->name, '\0', sizeof(vm->name)))
		return sf_fail(err, -EINVAL, "the name is longer than %d bytes", SF_NAME_MAX);
	if (!memchr(vm->uuid, '\0', sizeof(vm->uuid)))
		return sf_fail(err, -EINVAL, "its uuid is longer than %d bytes", SF_VM_UUID - 1);
	if (sf_name_check(vm->name, err) < 0)
		return -EINVAL;
	return check_disks(vm, err);
}

/* Compares only with earlier VMs that passed, so that the first of two namesakes stays. */
static int check_unique(const struct sf_vm_list *list, size_t index, const bool *bad, struct sf_err *err)
{
	const struct sf_vm_desc *vm = &list->vms[index];

	for (size_t i = 0; i < index; i++) {
		if (bad[i])
			continue;
		if (strcmp(list->vms[i].name, vm->name) == 0)
			return sf_fail(err, -EEXIST, "another VM has the same name");
		if (vm->uuid[0] && strcmp(list->vms[i].uuid, vm->uuid) == 0)
			return sf_fail(err, -EEXIST, "VM '%s' has the same uuid %s", list->vms[i].name,
				       vm->uuid);
	}
	return 0;
}

static int check_listed(const struct sf_vm_list *list, size_t index, const bool *bad, struct sf_err *err)
{
	int rc = check_vm(&list->vms[index], err);

	return rc < 0 ? rc : check_unique(list, index, bad, err);
}

static uint64_t digest(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3U; /* FNV-1a, 64 bit */
	return hash;
}

/* Marks the VMs to leave out. Returns a digest of the reasons, 0 if there are none. */
static uint64_t judge(const struct sf_vm_list *list, bool *bad)
{
	uint64_t hash = 0;
	struct sf_err why;

	for (size_t i = 0; i < list->nvms; i++) {
		char name[SF_NAME_MAX + 2] = {0};

		bad[i] = check_listed(list, i, bad, &why) < 0;
		if (!bad[i])
			continue;
		memcpy(name, list->vms[i].name, SF_NAME_MAX + 1);
		hash = digest(digest(hash ? hash : 0xcbf29ce484222325U, name), why.text);
	}
	return hash;
}

/* The list is read every second, so warn only when the problems change. */
static void warn_once(struct sf_hypervisor *hv, const struct sf_vm_list *list, const bool *bad, uint64_t hash)
{
	struct sf_err why = {0};

	if (atomic_exchange(&hv->warned, hash) == hash)
		return;
	for (size_t i = 0; i < list->nvms; i++) {
		if (!bad[i])
			continue;
		(void)check_listed(list, i, bad, &why); /* again, for the message */
		sf_log(SF_LOG_WARNING, "VM '%.*s' is left out: %s", SF_NAME_MAX, list->vms[i].name, why.text);
	}
}

static void leave_out(struct sf_vm_list *list, const bool *bad)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->nvms; i++) {
		if (bad[i])
			sf_vm_desc_fini(&list->vms[i]);
		else
			list->vms[kept++] = list->vms[i];
	}
	list->nvms = kept;
}

static void mend(char *text, size_t size, bool word)
{
	text[size - 1] = '\0';
	for (; *text; text++) {
		bool good = word ? (*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9')
				 : (unsigned char)*text >= ' ' && *text != '\x7f';

		if (!good)
			*text = '?';
	}
}

/* Excluded disks are informational: repair them instead of rejecting the VM. */
static void mend_left_out(struct sf_vm_desc *vm)
{
	if (!vm->left_out)
		vm->nleft_out = 0;
	if (vm->nleft_out > SF_VM_DISKS_MAX)
		vm->nleft_out = SF_VM_DISKS_MAX;
	for (size_t i = 0; i < vm->nleft_out; i++) {
		mend(vm->left_out[i].vdev, sizeof(vm->left_out[i].vdev), true);
		mend(vm->left_out[i].reason, sizeof(vm->left_out[i].reason), false);
	}
}

static int filter(struct sf_hypervisor *hv, struct sf_vm_list *list, struct sf_err *err)
{
	auto_free bool *bad = calloc(list->nvms + 1, sizeof(*bad));

	if (!bad)
		return sf_fail(err, -ENOMEM, "list of VMs: out of memory");
	warn_once(hv, list, bad, judge(list, bad));
	leave_out(list, bad);
	for (size_t i = 0; i < list->nvms; i++)
		mend_left_out(&list->vms[i]);
	return 0;
}

/* --- The calls --- */

static struct sf_call call_on(const struct sf_hypervisor *hv, const char *slot, const char *what)
{
	return (struct sf_call){.room = "hypervisor", .backend = hv->ops->name, .slot = slot, .what = what};
}

void sf_hypervisor_close(struct sf_hypervisor *hv)
{
	if (hv)
		hv->ops->close(hv);
}

bool sf_hypervisor_can(const struct sf_hypervisor *hv, enum sf_hypervisor_caps cap)
{
	return (hv->ops->caps & (unsigned)cap) != 0;
}

int sf_hypervisor_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "list", "VMs");
	struct sf_vm_list list = {0};
	int rc = hv->ops->list(hv, &list, &call.err);

	if (rc == 0 && list.nvms > 0 && !list.vms)
		rc = sf_call_broken(&call, "returned none of %zu", list.nvms);
	else if (rc == 0)
		rc = filter(hv, &list, &call.err);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = list;
	else if (list.vms)
		sf_vm_list_fini(&list);
	return rc;
}

static int check_call(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_hypervisor_caps cap,
		      const char *verb, struct sf_err *err)
{
	int rc;

	if (!sf_hypervisor_can(hv, cap))
		return sf_fail(err, -EOPNOTSUPP, "hypervisor %s cannot %s VM '%s'", hv->ops->name, verb,
			       vm->name);
	rc = sf_name_check(vm->name, err);
	return rc < 0 ? sf_wrap(err, rc, "%s VM '%s'", verb, vm->name) : 0;
}

int sf_hypervisor_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
			struct sf_err *err)
{
	struct sf_call call = call_on(hv, "power", vm->name);
	enum sf_power power = SF_POWER_UNKNOWN;
	int rc = hv->ops->power(hv, vm, &power, &call.err);

	if (rc == 0 && (size_t)power >= NPOWERS)
		rc = sf_call_broken(&call, "gave power state %d", (int)power);
	if (rc == 0 && power == SF_POWER_UNKNOWN && sf_hypervisor_can(hv, SF_HYPERVISOR_PAUSE))
		rc = sf_call_broken(&call, "gave no power state");
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = power;
	return rc;
}

int sf_hypervisor_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "pause", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_PAUSE, "pause", err);

	return rc < 0 ? rc : sf_call_end(&call, hv->ops->pause(hv, vm, &call.err), err);
}

int sf_hypervisor_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "resume", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_PAUSE, "resume", err);

	return rc < 0 ? rc : sf_call_end(&call, hv->ops->resume(hv, vm, &call.err), err);
}

/* Wraps the caller's hooks: counts the calls and keeps the first failure. */
struct watched_hooks {
	const struct sf_save_hooks *hooks;
	struct sf_call *call;
	unsigned npaused;
	unsigned nat_rest;
	int rc;
	struct sf_err err;
};

static int hook_failed(struct watched_hooks *watched, struct sf_err *err)
{
	if (watched->rc < 0 && err)
		*err = watched->err;
	return watched->rc;
}

static int watched_paused(void *arg, struct sf_err *err)
{
	struct watched_hooks *watched = arg;

	if (watched->npaused++ > 0 || watched->nat_rest > 0)
		watched->rc = sf_call_broken(watched->call, "called its paused hook late or twice");
	if (watched->rc < 0)
		watched->err = watched->call->err;
	else if (watched->hooks->paused)
		watched->rc = watched->hooks->paused(watched->hooks->arg, &watched->err);
	return hook_failed(watched, err);
}

static int watched_at_rest(void *arg, struct sf_err *err)
{
	struct watched_hooks *watched = arg;

	if (watched->rc < 0)
		return hook_failed(watched, err);
	if (watched->nat_rest++ > 0) {
		watched->rc = sf_call_broken(watched->call, "called its at_rest hook twice");
		watched->err = watched->call->err;
	} else {
		watched->rc = watched->hooks->at_rest(watched->hooks->arg, &watched->err);
	}
	return hook_failed(watched, err);
}

static int check_save(const struct watched_hooks *watched, int rc, struct sf_call *call)
{
	if (watched->rc < 0) {
		call->err = watched->err;
		return watched->rc;
	}
	if (rc == 0 && watched->nat_rest == 0)
		return sf_call_broken(call, "succeeded without having called its at_rest hook");
	return rc;
}

int sf_hypervisor_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		       const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "save", vm->name);
	struct watched_hooks watched = {.hooks = hooks, .call = &call};
	const struct sf_save_hooks between = {watched_paused, watched_at_rest, &watched};
	int rc = check_call(hv, vm, SF_HYPERVISOR_MEMORY, "save the RAM of", err);

	if (rc < 0)
		return rc;
	if (fd < 0 || !hooks->at_rest)
		return sf_fail(err, -EINVAL,
			       "save the RAM of VM '%s': no output descriptor or no at_rest hook", vm->name);
	rc = hv->ops->save(hv, vm, fd, live, &between, job, &call.err);
	return sf_call_end(&call, check_save(&watched, rc, &call), err);
}

int sf_hypervisor_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "restore", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_MEMORY, "restore the RAM of", err);

	if (rc < 0)
		return rc;
	if (fd < 0)
		return sf_fail(err, -EINVAL, "restore the RAM of VM '%s': no input descriptor", vm->name);
	return sf_call_end(&call, hv->ops->restore(hv, vm, fd, &call.err), err);
}

int sf_host_check(const char *host, struct sf_err *err)
{
	if (strnlen(host, SF_HOST_MAX) == SF_HOST_MAX)
		return sf_fail(err, -EINVAL, "the description of the host is longer than %d bytes",
			       SF_HOST_MAX - 1);
	for (; *host; host++)
		if (*host < ' ' || *host > '~')
			return sf_fail(err, -EINVAL, "the description of the host is not printable ASCII");
	return 0;
}

int sf_hypervisor_host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err)
{
	struct sf_call call = call_on(hv, "host", "RAM");
	char host[SF_HOST_MAX] = "";
	struct sf_err why = {0};
	int rc = hv->ops->host ? hv->ops->host(hv, host, &call.err) : 0;

	if (rc == 0 && sf_host_check(host, &why) < 0)
		rc = sf_call_broken(&call, "described its host badly: %s", why.text);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		memcpy(ret, host, sizeof(host));
	return rc;
}

int sf_hypervisor_check_host(struct sf_hypervisor *hv, const char *host, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "check_host", "RAM");
	int rc = sf_host_check(host, err);

	if (rc < 0 || !*host || !hv->ops->check_host)
		return rc;
	return sf_call_end(&call, hv->ops->check_host(hv, host, &call.err), err);
}

int sf_hypervisor_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "stop", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_CONTROL, "stop", err);

	return rc < 0 ? rc : sf_call_end(&call, hv->ops->stop(hv, vm, &call.err), err);
}

int sf_hypervisor_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused,
			struct sf_err *err)
{
	struct sf_call call = call_on(hv, "start", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_CONTROL, "start", err);

	return rc < 0 ? rc : sf_call_end(&call, hv->ops->start(hv, vm, paused, &call.err), err);
}

int sf_hypervisor_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "can_start", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_CONTROL, "start", err);

	if (rc < 0 || !hv->ops->can_start)
		return rc;
	return sf_call_end(&call, hv->ops->can_start(hv, vm, &call.err), err);
}

int sf_hypervisor_check_disk(struct sf_hypervisor *hv, const struct sf_vm_desc *vm,
			     const struct sf_disk *disk, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "check_disk", vm->name);

	if (!hv->ops->check_disk)
		return 0;
	return sf_call_end(&call, hv->ops->check_disk(hv, vm, disk, &call.err), err);
}

int sf_hypervisor_quiesce(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "quiesce", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_QUIESCE, "quiesce", err);

	return rc < 0 ? rc : sf_call_end(&call, hv->ops->quiesce(hv, vm, &call.err), err);
}

int sf_hypervisor_thaw(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_call call = call_on(hv, "thaw", vm->name);
	int rc = check_call(hv, vm, SF_HYPERVISOR_QUIESCE, "thaw", err);

	return rc < 0 ? rc : sf_call_end(&call, hv->ops->thaw(hv, vm, &call.err), err);
}
