/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "question.h"

#include "base/cleanup.h"
#include "peer.h"
#include "wire.h"

#include <pthread.h>
#include <string.h>

struct sf_helper_request sf_helper_about(enum sf_helper_op op, const struct sf_vm_desc *vm)
{
	struct sf_helper_request request = {.op = op};

	memcpy(request.name, vm->name, sizeof(request.name));
	memcpy(request.uuid, vm->uuid, sizeof(request.uuid));
	return request;
}

int sf_helper_question(struct sf_helpers *helpers, const struct sf_helper_request *request,
		       struct sf_helper_reply *ret, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->asking);
	int rc = helpers->oracle ? 0
				 : sf_helper_peer_start(&helpers->program, helpers->limits.hello,
							&helpers->oracle, err);

	if (rc < 0)
		return rc;
	rc = sf_helper_peer_ask(helpers->oracle, request, helpers->limits.question, ret, err);
	if (helpers->oracle->broken) {
		sf_helper_peer_kill(helpers->oracle);
		helpers->oracle = NULL;
	}
	return rc;
}
