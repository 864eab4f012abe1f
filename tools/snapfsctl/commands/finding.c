/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "finding.h"

#include "tools/snapfsctl/show/print.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

void sf_doctor_found(struct sf_doctor *doctor, enum sf_finding finding, const char *name, const char *fix,
		     const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warning", "problem"};
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	doctor->nproblems += finding == SF_PROBLEM;
	json_array_append_new(doctor->checks,
			      json_pack("{s:s, s:s, s:o, s:o}", "name", name, "status", words[finding],
					"text", sf_json_lossy(text), "fix", sf_json_lossy(fix)));
	if (doctor->ctl->json)
		return;
	sf_print(stdout, "%-8s %-10s %s\n", words[finding], name, text);
	if (*fix)
		sf_print(stdout, "%-19s -> %s\n", "", fix);
	(void)fflush(stdout); /* the next check may hang */
}
