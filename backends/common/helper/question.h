/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short requests about VMs, all answered by one helper process. */
#ifndef SF_BACKENDS_XEN_QUESTION_H
#define SF_BACKENDS_XEN_QUESTION_H

#include "backends/xen/internal.h"

/* A request that names this VM. */
struct sf_xen_request sf_xen_about(enum sf_xen_op op, const struct sf_vm_desc *vm);
/*
 * Sends the request to the helper, which is started if none runs. Errors as sf_xen_peer_start() and
 * sf_xen_peer_ask(). A helper that fails to answer is killed; the next call starts another. ret may be NULL.
 */
int sf_xen_question(struct sf_xen *xen, const struct sf_xen_request *request, struct sf_xen_reply *ret,
		    struct sf_err *err);

#endif
