/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl watch: shows jobs and space as they change. On a terminal it redraws the screen every second;
 * elsewhere it prints a line when a job begins and when it ends.
 */
#include "tools/snapfsctl/tree/interrupt.h"
#include "ctl.h"
#include "tools/snapfsctl/tree/members.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/progress.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/text.h"
#include "tools/snapfsctl/tree/usages.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS        1000
#define FINISHED_SHOWN 8
#define BAR_WIDTH      30

struct view {
	json_t *jobs, *health;
	struct sf_usages usages;
};

static void fini_view(struct view *view)
{
	json_decref(view->jobs);
	json_decref(view->health);
	sf_usages_fini(&view->usages);
}

static int load(struct sf_ctl *ctl, struct view *ret, struct sf_err *err)
{
	struct view view = {0};
	int rc;

	rc = sf_report_load(&ctl->mount, "jobs.json", &view.jobs, err);
	if (rc == 0)
		rc = sf_report_load(&ctl->mount, "health.json", &view.health, err);
	if (rc == 0)
		rc = sf_usages_load(&ctl->mount, NULL, 0, &view.usages, err);
	if (rc < 0)
		fini_view(&view);
	else
		*ret = view;
	return rc;
}

/* --- the screen --- */

static void draw_job(FILE *out, const json_t *job)
{
	struct sf_usage_entry share = {.used_bytes = sf_member_number(job, "done_bytes"),
				       .total_bytes = sf_member_number(job, "total_bytes")};
	char bar[SF_USAGE_BAR], done[SF_TEXT_BYTES], span[SF_TEXT_SPAN];
	uint64_t begun = 0, ended = 0;
	bool running = strcmp(sf_member_string(job, "state"), "running") == 0;

	(void)sf_json_time(job, "begun", &begun, NULL);
	if (running || sf_json_time(job, "ended", &ended, NULL) < 0)
		ended = sf_clock_real_ns();
	sf_text_span(ended > begun ? (ended - begun) / 1000000000 : 0, span);
	sf_print(out, "  %-8s %-8s %s/%s  %s", sf_member_string(job, "state"),
		 sf_member_string(job, "operation"), sf_member_string(job, "vm"),
		 sf_member_string(job, "snapshot"), span);
	if (running && share.total_bytes) {
		sf_usage_bar(&share, BAR_WIDTH, bar);
		sf_text_bytes(share.used_bytes, done);
		sf_print(out, "  %s %u%% %s", bar, sf_usage_percent(&share), done);
	}
	sf_print(out, "  %s%s\n", sf_member_string(job, "error"), sf_member_string(job, "note"));
}

static void draw_jobs(FILE *out, const struct view *view)
{
	const json_t *job;
	size_t i, finished = 0;

	sf_print(out, "\nJobs\n");
	json_array_foreach(json_object_get(view->jobs, "jobs"), i, job)
	{
		if (strcmp(sf_member_string(job, "state"), "running") == 0 || finished++ < FINISHED_SHOWN)
			draw_job(out, job);
	}
	if (i == 0)
		sf_print(out, "  none since the daemon started\n");
}

static void draw_usages(FILE *out, const struct view *view)
{
	char bar[SF_USAGE_BAR], used[SF_TEXT_BYTES], total[SF_TEXT_BYTES];

	sf_print(out, "\nSpace\n");
	for (size_t i = 0; i < view->usages.n; i++) {
		const struct sf_usage_entry *usage = &view->usages.list[i];

		sf_usage_bar(usage, BAR_WIDTH, bar);
		sf_text_bytes(usage->used_bytes, used);
		sf_text_bytes(usage->total_bytes, total);
		sf_print(out, "  %s %3u%%  %s of %s  %s %s  %s\n", bar, sf_usage_percent(usage), used, total,
			 usage->kind, usage->subject, usage->problem);
	}
}

static void draw_problems(FILE *out, const struct view *view)
{
	const json_t *problem;
	size_t i;

	json_array_foreach(json_object_get(view->health, "problems"), i, problem)
	{
		if (i == 0)
			sf_print(out, "\nProblems (snapfsctl doctor says what to do)\n");
		sf_print(out, "  %s %s: %s\n", sf_member_string(problem, "kind"),
			 sf_member_string(problem, "subject"), sf_member_string(problem, "text"));
	}
}

/* Formats the whole screen as lines; allocated, NULL if out of memory. */
static char *draw(const struct sf_ctl *ctl, const struct view *view)
{
	char *text = NULL, now[SF_TEXT_TIME];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	sf_text_time(sf_clock_real_ns(), now);
	sf_print(out, "snapfs on %s  %s\n", ctl->mount.path, now);
	draw_jobs(out, view);
	draw_usages(out, view);
	draw_problems(out, view);
	if (fclose(out) != 0)
		return NULL;
	return text;
}

/*
 * Overwrites the screen, cutting each line to its width and clearing the rest. Leaves one line for the
 * cursor.
 */
static void show(const char *text)
{
	unsigned width = sf_terminal_width(STDOUT_FILENO), height = sf_terminal_height(STDOUT_FILENO);

	sf_print_control(stdout, "\033[H");
	for (unsigned i = 0; *text && i + 1 < height; i++) {
		size_t len = strcspn(text, "\n");

		sf_print(stdout, "%.*s", sf_terminal_fitting(text, len, width), text);
		sf_print_control(stdout, "\033[K\n");
		text += len + (text[len] == '\n');
	}
	sf_print_control(stdout, "\033[J");
	(void)fflush(stdout);
}

/* --- without a terminal --- */

/* Whether a list has the job in its present state. */
static bool was_told(const json_t *list, const json_t *job)
{
	const json_t *known;
	size_t i;

	json_array_foreach(list, i, known)
	{
		if (sf_member_number(known, "number") == sf_member_number(job, "number"))
			return strcmp(sf_member_string(known, "state"), sf_member_string(job, "state")) == 0;
	}
	return false;
}

/* Prints the jobs that began or ended since the last look (before; NULL: there was none), oldest first. */
static void print_changes(const struct view *view, const json_t *before)
{
	const json_t *jobs = json_object_get(view->jobs, "jobs");

	for (size_t i = json_array_size(jobs); i-- > 0;)
		if (!was_told(json_object_get(before, "jobs"), json_array_get(jobs, i)))
			draw_job(stdout, json_array_get(jobs, i));
	(void)fflush(stdout);
}

/* --- the loop --- */

/* Waits for the next look. Returns false after an interrupt, or if the reader of standard output has gone. */
static bool pause_a_while(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	(void)poll(&out, 1, STEP_MS); /* an interrupt ends it, too */
	return !sf_interrupted() && !(out.revents & (POLLERR | POLLHUP | POLLNVAL));
}

static int watch(struct sf_ctl *ctl, bool once)
{
	auto_json json_t *before = NULL;
	struct sf_err err = {0};
	struct view view;

	sf_interrupt_catch();
	if (ctl->terminal && !once)
		sf_print_control(stdout, "\033[2J");
	do {
		auto_free char *text = NULL;

		if (load(ctl, &view, &err) < 0)
			return sf_interrupted() ? SF_EXIT_OK : sf_ctl_fail(ctl, &err);
		text = draw(ctl, &view);
		if (once)
			sf_print_text(stdout, text ? text : "");
		else if (ctl->terminal)
			show(text ? text : "");
		else
			print_changes(&view, before);
		json_decref(before);
		before = json_incref(view.jobs);
		fini_view(&view);
	} while (!once && pause_a_while());
	return SF_EXIT_OK;
}

static int answer(struct sf_ctl *ctl)
{
	struct sf_err err = {0};
	struct view view;

	if (load(ctl, &view, &err) < 0)
		return sf_ctl_fail(ctl, &err);
	json_object_set(ctl->answer, "jobs", json_object_get(view.jobs, "jobs"));
	json_object_set(ctl->answer, "problems", json_object_get(view.health, "problems"));
	json_object_set_new(ctl->answer, "usage", sf_usages_json(&view.usages));
	fini_view(&view);
	return SF_EXIT_OK;
}

int sf_cmd_watch(struct sf_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"once", no_argument, NULL, '1'}, {NULL, 0, NULL, 0}};
	bool once = false;
	int opt, status;

	while ((opt = sf_ctl_option(ctl, argc, argv, "1", options)) != -1) {
		if (opt != '1')
			return sf_ctl_stop(opt);
		once = true;
	}
	if (optind < argc)
		return sf_ctl_usage(ctl, "expected no argument");
	if ((status = sf_ctl_open(ctl)) >= 0)
		return status;
	return ctl->json ? answer(ctl) : watch(ctl, once);
}
