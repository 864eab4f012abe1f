/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short requests about VMs, all answered by one helper process. */
#ifndef SF_BACKENDS_COMMON_HELPER_QUESTION_H
#define SF_BACKENDS_COMMON_HELPER_QUESTION_H

#include "helpers.h"

/* A request that names this VM. */
struct sf_helper_request sf_helper_about(enum sf_helper_op op, const struct sf_vm_desc *vm);
/*
 * Sends the request to the helper, which is started if none runs. Errors as sf_helper_peer_start() and
 * sf_helper_peer_ask(). A helper that fails to answer is killed; the next call starts another. ret may be
 * NULL.
 */
int sf_helper_question(struct sf_helpers *helpers, const struct sf_helper_request *request,
		       struct sf_helper_reply *ret, struct sf_err *err);

#endif
