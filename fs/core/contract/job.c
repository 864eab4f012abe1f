/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job.h"

#include "base/signals.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sf_job_note(struct sf_job *job, const char *fmt, ...)
{
	size_t used;
	va_list args;

	if (!job)
		return;
	used = strlen(job->note);
	if (used > 0)
		used += (size_t)snprintf(job->note + used, sizeof(job->note) - used, "; ");
	if (used >= sizeof(job->note))
		return;
	va_start(args, fmt);
	(void)vsnprintf(job->note + used, sizeof(job->note) - used, fmt, args); /* truncation is fine */
	va_end(args);
}

bool sf_job_cancelled(struct sf_job *job)
{
	pid_t caller;

	if (!job || atomic_load(&job->committed))
		return false;
	caller = atomic_load(&job->interrupted);
	if (caller && !atomic_load(&job->cancelled) && sf_thread_asked_to_end(caller))
		sf_job_cancel(job);
	return atomic_load(&job->cancelled);
}
