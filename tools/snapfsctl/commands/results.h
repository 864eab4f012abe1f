/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What came of each of several things: a line for each (standard output for what was done, standard error for
 * what was not), an entry in the answer, and the exit status of all.
 */
#ifndef SF_SNAPFSCTL_COMMANDS_RESULTS_H
#define SF_SNAPFSCTL_COMMANDS_RESULTS_H

#include "ctl.h"

struct sf_results {
	struct sf_ctl *ctl;
	json_t *list;
	size_t ndone, nfailed;
	struct sf_err first; /* of the failures; code 0: there is none */
};

void sf_results_init(struct sf_results *results, struct sf_ctl *ctl);

/*
 * path ("web/x", or what the user typed) was done (rc 0), or failed with err; done is the line to print, NULL
 * for none. extra, which is stolen, is merged into the entry; NULL for nothing.
 */
void sf_results_add(struct sf_results *results, const char *path, int rc, const struct sf_err *err,
		    const char *done, json_t *extra);

/* An interrupt came before the rest of a list was begun: a failure of its own. */
void sf_results_interrupted(struct sf_results *results);

/* Hands the entries over to the answer. Returns the exit status: SF_EXIT_PARTLY when some failed and some did
 * not. */
int sf_results_end(struct sf_results *results);

#endif
