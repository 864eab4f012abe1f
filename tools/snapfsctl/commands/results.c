/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "results.h"

#include "tools/snapfsctl/show/advice.h"
#include "tools/snapfsctl/show/print.h"

#include <errno.h>
#include <stdio.h>

void sf_results_init(struct sf_results *results, struct sf_ctl *ctl)
{
	*results = (struct sf_results){.ctl = ctl, .list = json_array()};
}

void sf_results_add(struct sf_results *results, const char *path, int rc, const struct sf_err *err,
		    const char *done, json_t *extra)
{
	json_t *entry = json_pack("{s:o, s:b}", "path", sf_json_lossy(path), "ok", rc == 0);

	if (rc < 0) {
		if (results->nfailed++ == 0)
			results->first = *err;
		json_object_set_new(entry, "errno", json_string(sf_errno_name(rc)));
		json_object_set_new(entry, "error", sf_json_lossy(err->text));
		sf_ctl_say("%s", err->text);
		sf_advice_say(rc, err->text, path);
	} else {
		results->ndone++;
		if (done && !results->ctl->json) {
			sf_print(stdout, "%s\n", done);
			(void)fflush(stdout); /* finish() in main.c checks for errors */
		}
	}
	if (extra)
		json_object_update_new(entry, extra);
	json_array_append_new(results->list, entry);
}

void sf_results_interrupted(struct sf_results *results)
{
	struct sf_err err = {0};
	int rc = sf_fail(&err, -EINTR, "interrupted; the rest was not started");

	sf_results_add(results, "", rc, &err, NULL, NULL);
}

int sf_results_end(struct sf_results *results)
{
	json_object_set_new(results->ctl->answer, "results", results->list);
	if (results->nfailed == 0)
		return SF_EXIT_OK;
	return results->ndone > 0 ? SF_EXIT_PARTLY : SF_EXIT_FAILED;
}
