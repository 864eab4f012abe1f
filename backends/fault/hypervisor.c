/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wraps a hypervisor, with the same name and capabilities, for the fault backend. */
#include "fault.h"

#include "call.h"
#include "base/err.h"
#include "core/contract/hypervisor.h"

#include <errno.h>
#include <stdlib.h>

struct fault_hypervisor {
	struct sf_hypervisor base;
	struct sf_hypervisor_ops ops;
	struct sf_fault_plan *plan;
	struct sf_hypervisor *inner;
};

static struct fault_hypervisor *to_fault(struct sf_hypervisor *hv)
{
	return (struct fault_hypervisor *)hv;
}

static int fault_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.list"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->list(fault->inner, ret, err));
}

static int fault_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		       struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.power"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->power(fault->inner, vm, ret, err));
}

static int fault_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.pause"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->pause(fault->inner, vm, err));
}

static int fault_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.resume"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->resume(fault->inner, vm, err));
}

static int fault_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		      const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.save"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, fault->inner->ops->save(fault->inner, vm, fd, live, hooks, job, err));
}

static int fault_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.restore"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->restore(fault->inner, vm, fd, err));
}

static int fault_host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.host"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->host(fault->inner, ret, err));
}

static int fault_check_host(struct sf_hypervisor *hv, const char *host, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.check_host"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->check_host(fault->inner, host, err));
}

static int fault_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.can_start"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->can_start(fault->inner, vm, err));
}

static int fault_check_disk(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, const struct sf_disk *disk,
			    struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.check_disk"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc
		      : sf_fault_after(&call, fault->inner->ops->check_disk(fault->inner, vm, disk, err));
}

static int fault_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.stop"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->stop(fault->inner, vm, err));
}

static int fault_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.start"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->start(fault->inner, vm, paused, err));
}

static int fault_quiesce(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.quiesce"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->quiesce(fault->inner, vm, err));
}

static int fault_thaw(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "hypervisor.thaw"};
	struct fault_hypervisor *fault = to_fault(hv);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->thaw(fault->inner, vm, err));
}

static void fault_close(struct sf_hypervisor *hv)
{
	struct sf_fault_call call = {.name = "hypervisor.close"};
	struct fault_hypervisor *fault = to_fault(hv);

	(void)sf_fault_before(fault->plan, &call, NULL); /* plans cannot make it fail */
	fault->inner->ops->close(fault->inner);
	free(fault);
	(void)sf_fault_after(&call, 0);
}

static const struct sf_hypervisor_ops fault_ops = {
	.list = fault_list,
	.power = fault_power,
	.pause = fault_pause,
	.resume = fault_resume,
	.save = fault_save,
	.restore = fault_restore,
	.stop = fault_stop,
	.start = fault_start,
	.quiesce = fault_quiesce,
	.thaw = fault_thaw,
	.close = fault_close,
};

int sf_fault_hypervisor(struct sf_fault_plan *plan, struct sf_hypervisor *inner, struct sf_hypervisor **ret,
			struct sf_err *err)
{
	struct fault_hypervisor *fault = calloc(1, sizeof(*fault));

	if (!fault)
		return sf_fail(err, -ENOMEM, "fault: out of memory");
	fault->ops = fault_ops;
	fault->ops.name = inner->ops->name;
	fault->ops.caps = inner->ops->caps; /* what it cannot do is never requested */
	fault->ops.host = inner->ops->host ? fault_host : NULL;
	fault->ops.check_host = inner->ops->check_host ? fault_check_host : NULL;
	fault->ops.can_start = inner->ops->can_start ? fault_can_start : NULL;
	fault->ops.check_disk = inner->ops->check_disk ? fault_check_disk : NULL;
	fault->base.ops = &fault->ops;
	fault->plan = plan;
	fault->inner = inner;
	*ret = &fault->base;
	return 0;
}
