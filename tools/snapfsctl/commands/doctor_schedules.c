/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor_schedules.h"

#include "finding.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/text.h"

#include "core/calendar/when.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A schedule that is overdue by more than this has no timer or cron entry that runs it. */
#define LATE_NS (15 * 60 * 1000000000ULL)

/* When a schedule's last run began; 0 if it never ran. */
static uint64_t last_run(const json_t *root, const char *name)
{
	const json_t *entry;
	uint64_t began;
	size_t i;

	json_array_foreach(json_object_get(root, "schedules"), i, entry)
	{
		const char *known = json_string_value(json_object_get(entry, "name"));

		if (known && strcmp(known, name) == 0 && sf_json_time(entry, "began", &began, NULL) == 0)
			return began;
	}
	return 0;
}

static void check_runs(struct sf_doctor *doctor, const json_t *runs,
		       const struct sf_schedule_config *schedule)
{
	uint64_t now = sf_clock_real_ns(), due = 0, next, last = last_run(runs, schedule->name);
	const char *zone = sf_config_timezone(&doctor->config, schedule, NULL);
	char fix[512], when[SF_TEXT_TIME], then[SF_TEXT_TIME];
	struct sf_err err = {0};
	int rc;

	if (last > now)
		last = 0; /* recorded by a wrong clock; `snapfsctl run` ignores it as well */
	/* Measure from the first missed instant: for an hourly schedule, the latest one is always recent. */
	rc = last ? sf_when_next(&schedule->when, zone, last, &due, &err)
		  : sf_when_previous(&schedule->when, zone, now, &due, &err);
	if (rc < 0 || sf_when_next(&schedule->when, zone, now, &next, &err) < 0) {
		sf_doctor_found(doctor, SF_PROBLEM, "schedule", "", "%s: %s", schedule->name, err.text);
		return;
	}
	if (last && (due > now || now - due <= LATE_NS)) {
		sf_text_time(last, when);
		sf_text_time(next, then);
		sf_doctor_found(doctor, SF_FINE, "schedule", "", "%s ran last at %s and is due next at %s",
				schedule->name, when, then);
		return;
	}
	sf_text_time(due, when);
	(void)snprintf(fix, sizeof(fix),
		       "systemctl enable --now 'snapfs-schedule@%s.timer', or call `snapfsctl run --due %s` "
		       "from cron",
		       schedule->name, schedule->name);
	sf_doctor_found(doctor, last ? SF_PROBLEM : SF_WARNING, "schedule", fix, "%s was due at %s and %s",
			schedule->name, when, last ? "has not run since" : "has never run");
}

static void check_hook(struct sf_doctor *doctor, const struct sf_schedule_config *schedule, const char *key,
		       char **argv)
{
	struct stat st;
	const char *why = NULL;

	if (!argv)
		return;
	if (stat(argv[0], &st) < 0)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "it is not a regular file";
	else if (access(argv[0], X_OK) < 0)
		why = "it is not executable";
	if (why)
		sf_doctor_found(doctor, SF_PROBLEM, "schedule",
				"install the program, or correct the key in snapfs.conf(5)",
				"%s, %s = %s: %s", schedule->name, key, argv[0], why);
}

static void check_items(struct sf_doctor *doctor, const struct sf_schedule_config *schedule, char *const *vms,
			size_t n)
{
	for (size_t i = 0; i < schedule->nvms; i++) {
		const char *item = schedule->vms[i];
		char name[SF_NAME_MAX + 1];

		if (!sf_schedule_item_matches_none(item, vms, n))
			continue;
		if (sf_schedule_item_is_name(item, name))
			sf_doctor_found(doctor, SF_PROBLEM, "schedule",
					"correct the name in snapfs.conf(5), or define the VM",
					"%s, vms: there is no VM '%s'", schedule->name, name);
		else
			sf_doctor_found(doctor, SF_WARNING, "schedule", "", "%s, vms: '%s' matches no VM",
					schedule->name, item);
	}
}

static void check_vms(struct sf_doctor *doctor)
{
	struct sf_err err = {0};
	char **vms = NULL;
	size_t n = 0;

	if (sf_vms_load(&doctor->ctl->mount, &vms, &n, &err) < 0)
		return; /* the check of the VMs has reported it */
	for (size_t i = 0; i < doctor->config.nschedules; i++)
		check_items(doctor, &doctor->config.schedules[i], vms, n);
	sf_names_free(vms, n);
}

void sf_doctor_schedules(struct sf_doctor *doctor)
{
	auto_json json_t *runs = NULL;
	struct sf_err err = {0};

	if (!doctor->configured || doctor->config.nschedules == 0)
		return;
	if (sf_report_load(&doctor->ctl->mount, "schedules.json", &runs, &err) < 0) {
		sf_doctor_found(doctor, SF_PROBLEM, "schedule", "", "%s", err.text);
		return;
	}
	for (size_t i = 0; i < doctor->config.nschedules; i++) {
		const struct sf_schedule_config *schedule = &doctor->config.schedules[i];

		check_runs(doctor, runs, schedule);
		check_hook(doctor, schedule, "pre", schedule->pre);
		check_hook(doctor, schedule, "post", schedule->post);
	}
	check_vms(doctor);
}
