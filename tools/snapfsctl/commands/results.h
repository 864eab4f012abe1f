/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Collects the results of a command that acts on several items: one line each (successes on standard output,
 * failures on standard error), an entry in the answer, and the exit status of the whole command.
 */
#ifndef SF_SNAPFSCTL_COMMANDS_RESULTS_H
#define SF_SNAPFSCTL_COMMANDS_RESULTS_H

#include "ctl.h"

struct sf_results {
	struct sf_ctl *ctl;
	json_t *list;
	size_t ndone, nfailed;
	struct sf_err first; /* the first failure; code 0: none */
};

void sf_results_init(struct sf_results *results, struct sf_ctl *ctl);

/*
 * Records that path ("web/x", or what the user typed) was done (rc 0) or failed with err. done is the line to
 * print on success; NULL: none. extra is merged into the entry and its reference is stolen; NULL: nothing.
 */
void sf_results_add(struct sf_results *results, const char *path, int rc, const struct sf_err *err,
		    const char *done, json_t *extra);

/* Records as a failure that an interrupt came before the rest of the list was started. */
void sf_results_interrupted(struct sf_results *results);

/*
 * Moves the entries to the answer. Returns the exit status: SF_EXIT_PARTLY if some items failed and some did
 * not.
 */
int sf_results_end(struct sf_results *results);

#endif
