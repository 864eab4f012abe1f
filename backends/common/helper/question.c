/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "question.h"

#include "base/cleanup.h"
#include "peer.h"
#include "wire.h"

#include <pthread.h>
#include <string.h>

struct sf_xen_request sf_xen_about(enum sf_xen_op op, const struct sf_vm_desc *vm)
{
	struct sf_xen_request request = {.op = op};

	memcpy(request.name, vm->name, sizeof(request.name));
	memcpy(request.uuid, vm->uuid, sizeof(request.uuid));
	return request;
}

int sf_xen_question(struct sf_xen *xen, const struct sf_xen_request *request, struct sf_xen_reply *ret,
		    struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->asking);
	int rc = xen->oracle ? 0 : sf_xen_peer_start(xen->helper, xen->limits.hello, &xen->oracle, err);

	if (rc < 0)
		return rc;
	rc = sf_xen_peer_ask(xen->oracle, request, xen->limits.question, ret, err);
	if (xen->oracle->broken) {
		sf_xen_peer_kill(xen->oracle);
		xen->oracle = NULL;
	}
	return rc;
}
