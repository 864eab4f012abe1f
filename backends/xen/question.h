/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions about VMs, answered at once by one helper process. */
#ifndef SF_BACKENDS_XEN_QUESTION_H
#define SF_BACKENDS_XEN_QUESTION_H

#include "internal.h"

/* A request about a VM. */
struct sf_xen_request sf_xen_about(enum sf_xen_op op, const struct sf_vm_desc *vm);
/*
 * Asks the helper, starting it if there is none; errors as sf_xen_peer_start() and sf_xen_peer_ask(). A
 * helper that fails to answer is replaced at the next question. ret may be NULL.
 */
int sf_xen_question(struct sf_xen *xen, const struct sf_xen_request *request, struct sf_xen_reply *ret,
		    struct sf_err *err);

#endif
