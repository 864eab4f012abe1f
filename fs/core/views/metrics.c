/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics file, in Prometheus's text format, generated anew whenever it is opened. */
#include "core/engine/engine.h"
#include "core/engine/internal.h"
#include "core/engine/lease.h"
#include "core/engine/watchers.h"

#include "base/json.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Label values are UTF-8 with these three characters escaped. Source: Prometheus, "Exposition formats",
 * text-based format.
 */
static void print_label(FILE *out, const char *text)
{
	auto_json json_t *lossy = sf_json_lossy(text);

	for (const char *at = json_string_value(lossy); at && *at; at++) {
		if (*at == '\\' || *at == '"' || *at == '\n')
			(void)fputc('\\', out);
		(void)fputc(*at == '\n' ? 'n' : *at, out);
	}
}

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_value(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	print_head(out, name, type, help);
	(void)fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void print_seconds(FILE *out, const char *name, const char *type, const char *help, uint64_t ms)
{
	print_head(out, name, type, help);
	(void)fprintf(out, "%s %" PRIu64 ".%03u\n", name, ms / 1000, (unsigned)(ms % 1000));
}

/* Ends a line whose value is a time; 0 for none. */
static void print_instant(FILE *out, uint64_t real_ns)
{
	(void)fprintf(out, "} %" PRIu64 ".%03u\n", real_ns / 1000000000,
		      (unsigned)(real_ns / 1000000 % 1000));
}

/* Begins a line with NAME{LABEL="value"; the caller adds other labels and the sample's value. */
static void print_labelled(FILE *out, const char *name, const char *label, const char *value)
{
	(void)fprintf(out, "%s{%s=\"", name, label);
	print_label(out, value);
	(void)fputc('"', out);
}

/* --- VMs and their snapshots --- */

struct vm_totals {
	struct sf_vm_info info;
	uint64_t size_bytes, allocated_bytes; /* disks and RAM */
	uint64_t newest_ns;
};

static void add_snapshot(struct vm_totals *totals, const struct sf_record *record)
{
	for (size_t i = 0; i < record->ndisks; i++) {
		totals->size_bytes += record->disks[i].stat.size_bytes;
		totals->allocated_bytes += record->disks[i].stat.allocated_bytes;
	}
	if (record->memory.present) {
		totals->size_bytes += record->memory.size_bytes;
		totals->allocated_bytes += record->memory.size_bytes;
	}
	if (record->taken_ns > totals->newest_ns)
		totals->newest_ns = record->taken_ns;
}

static void add_up(struct sf_engine *engine, struct vm_totals *totals)
{
	struct sf_snapshot **snapshots;
	size_t n;

	if (sf_catalog_snapshots(engine->catalog, totals->info.id, &snapshots, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		add_snapshot(totals, &snapshots[i]->record);
	totals->info.nsnapshots = n; /* the sums are over these */
	sf_catalog_snapshots_free(snapshots, n);
}

/* NULL when out of memory. */
static struct vm_totals *add_up_all(struct sf_engine *engine, size_t *ret_n)
{
	auto_free struct sf_vm_info *vms = NULL;
	struct vm_totals *list;
	size_t n;

	if (sf_catalog_vms(engine->catalog, &vms, &n) < 0)
		return NULL;
	list = calloc(n + 1, sizeof(*list));
	for (size_t i = 0; list && i < n; i++) {
		list[i].info = vms[i];
		add_up(engine, &list[i]);
	}
	*ret_n = n;
	return list;
}

static void print_of_vm(FILE *out, const char *name, const struct vm_totals *vm, uint64_t value)
{
	print_labelled(out, name, "vm", vm->info.name);
	(void)fprintf(out, "} %" PRIu64 "\n", value);
}

static int print_vms(FILE *out, struct sf_engine *engine)
{
	size_t n;
	auto_free struct vm_totals *vms = add_up_all(engine, &n);

	if (!vms)
		return -ENOMEM;
	print_head(out, "snapfs_snapshots", "gauge", "Snapshots of a VM.");
	for (size_t i = 0; i < n; i++)
		print_of_vm(out, "snapfs_snapshots", &vms[i], vms[i].info.nsnapshots);
	print_head(out, "snapfs_snapshot_size_bytes", "gauge",
		   "Size of all disks and RAM in the snapshots of a VM.");
	for (size_t i = 0; i < n; i++)
		print_of_vm(out, "snapfs_snapshot_size_bytes", &vms[i], vms[i].size_bytes);
	print_head(out, "snapfs_snapshot_allocated_bytes", "gauge",
		   "Of these, what was allocated when the snapshots were taken.");
	for (size_t i = 0; i < n; i++)
		print_of_vm(out, "snapfs_snapshot_allocated_bytes", &vms[i], vms[i].allocated_bytes);
	print_head(out, "snapfs_newest_snapshot_timestamp_seconds", "gauge",
		   "Instant of the newest snapshot of a VM; 0 when it has none.");
	for (size_t i = 0; i < n; i++) {
		print_labelled(out, "snapfs_newest_snapshot_timestamp_seconds", "vm", vms[i].info.name);
		print_instant(out, vms[i].newest_ns);
	}
	return 0;
}

/* --- operations --- */

static void print_results(FILE *out, const struct sf_job_counts *counts)
{
	print_head(out, "snapfs_operations_total", "counter",
		   "Finished operations since the daemon started.");
	for (int op = 0; op < SF_OPERATIONS; op++) {
		const char *name = sf_operation_name((enum sf_operation)op);

		(void)fprintf(out, "snapfs_operations_total{operation=\"%s\",result=\"ok\"} %" PRIu64 "\n",
			      name, counts->ok[op]);
		(void)fprintf(out,
			      "snapfs_operations_total{operation=\"%s\",result=\"failed\"} %" PRIu64 "\n",
			      name, counts->failed[op]);
	}
	print_head(out, "snapfs_errors_total", "counter",
		   "Failed operations since the daemon started, by errno.");
	for (size_t i = 0; i < SF_JOB_ERRORS; i++)
		(void)fprintf(out, "snapfs_errors_total{errno=\"%s\"} %" PRIu64 "\n", sf_job_error_name(i),
			      counts->errors[i]);
}

#define DURATION "snapfs_operation_duration_seconds"

/* Buckets are cumulative: each one includes those before it. */
static void print_durations_of(FILE *out, const struct sf_job_counts *counts, enum sf_operation op)
{
	const char *name = sf_operation_name(op);
	uint64_t n = 0;

	for (size_t i = 0; i < SF_JOB_BOUNDS; i++) {
		uint64_t ms = sf_job_bounds_ms[i];

		n += counts->took[op][i];
		(void)fprintf(out, DURATION "_bucket{operation=\"%s\",le=\"%g\"} %" PRIu64 "\n", name,
			      (double)ms / 1000, n);
	}
	(void)fprintf(out, DURATION "_bucket{operation=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
		      counts->ok[op]);
	(void)fprintf(out, DURATION "_sum{operation=\"%s\"} %" PRIu64 ".%03u\n", name,
		      counts->took_ms[op] / 1000, (unsigned)(counts->took_ms[op] % 1000));
	(void)fprintf(out, DURATION "_count{operation=\"%s\"} %" PRIu64 "\n", name, counts->ok[op]);
}

static void print_operations(FILE *out, const struct sf_job_counts *counts)
{
	print_results(out, counts);
	print_head(out, DURATION, "histogram", "Duration of successful operations.");
	for (int op = 0; op < SF_OPERATIONS; op++)
		print_durations_of(out, counts, (enum sf_operation)op);
	print_value(out, "snapfs_operations_running", "gauge", "Operations in progress.", counts->running);
}

/* --- schedules --- */

static void print_last_run(void *arg, const struct sf_schedule *schedule)
{
	print_labelled(arg, "snapfs_schedule_last_run_timestamp_seconds", "schedule", schedule->name);
	print_instant(arg, schedule->began_ns);
}

static void print_last_success(void *arg, const struct sf_schedule *schedule)
{
	print_labelled(arg, "snapfs_schedule_last_success_timestamp_seconds", "schedule", schedule->name);
	print_instant(arg, schedule->last_ok_ns);
}

static void print_last_result(void *arg, const struct sf_schedule *schedule)
{
	for (enum sf_run_state state = SF_RUN_OK; state <= SF_RUN_FAILED; state++) {
		print_labelled(arg, "snapfs_schedule_last_result", "schedule", schedule->name);
		(void)fprintf(arg, ",result=\"%s\"} %d\n", sf_run_state_name(state),
			      schedule->result == state);
	}
}

static void print_running(void *arg, const struct sf_schedule *schedule)
{
	print_labelled(arg, "snapfs_schedule_running", "schedule", schedule->name);
	(void)fprintf(arg, "} %d\n", schedule->last.state == SF_RUN_RUNNING);
}

static void print_schedules(FILE *out, struct sf_runs *runs)
{
	print_head(out, "snapfs_schedule_last_run_timestamp_seconds", "gauge",
		   "When the last run of a schedule began.");
	sf_runs_each(runs, print_last_run, out);
	print_head(out, "snapfs_schedule_last_success_timestamp_seconds", "gauge",
		   "When a run of a schedule last ended with result ok; 0: never.");
	sf_runs_each(runs, print_last_success, out);
	print_head(out, "snapfs_schedule_last_result", "gauge",
		   "1 for the result of a schedule's last ended run.");
	sf_runs_each(runs, print_last_result, out);
	print_head(out, "snapfs_schedule_running", "gauge", "1 while a schedule runs.");
	sf_runs_each(runs, print_running, out);
}

/* --- storage that can run full --- */

struct printed_usages {
	FILE *out;
	const char *name;
	bool total;
};

static void print_usage(void *arg, const struct sf_usage *usage)
{
	const struct printed_usages *printed = arg;

	print_labelled(printed->out, printed->name, "kind", usage->kind);
	(void)fputs(",subject=\"", printed->out);
	print_label(printed->out, usage->subject);
	(void)fprintf(printed->out, "\"} %" PRIu64 "\n",
		      printed->total ? usage->total_bytes : usage->used_bytes);
}

static void print_usages(FILE *out, struct sf_engine *engine)
{
	struct printed_usages used = {.out = out, .name = "snapfs_usage_bytes"};
	struct printed_usages total = {.out = out, .name = "snapfs_usage_total_bytes", .total = true};

	print_head(out, used.name, "gauge", "Space used in storage that can run full.");
	sf_watchers_each(engine->watchers, print_usage, &used);
	print_head(out, total.name, "gauge", "Capacity of that storage.");
	sf_watchers_each(engine->watchers, print_usage, &total);
}

char *sf_engine_metrics(struct sf_engine *engine)
{
	struct sf_job_counts counts = sf_jobs_counts(engine->jobs);
	struct sf_lease_stats leases = sf_leases_stats(engine->leases);
	struct sf_space space = {0};
	char *text = NULL;
	size_t len;
	int rc;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	(void)sf_state_space(engine->state, &space, NULL, NULL); /* zero on failure */
	rc = print_vms(out, engine);
	print_operations(out, &counts);
	print_schedules(out, engine->runs);
	print_value(out, "snapfs_problems", "gauge", "Entries of health.json.",
		    sf_health_count(engine->health));
	print_value(out, "snapfs_pauses_total", "counter", "Times that a guest was paused.", leases.npauses);
	print_value(out, "snapfs_pauses_expired_total", "counter", "Pauses that the watchdog ended.",
		    leases.nexpired);
	print_seconds(out, "snapfs_pause_seconds_total", "counter", "Time that guests spent paused.",
		      leases.total_ms);
	print_seconds(out, "snapfs_pause_seconds_max", "gauge", "Longest of these pauses.",
		      leases.longest_ms);
	print_value(out, "snapfs_state_free_bytes", "gauge", "Free space for records and RAM.",
		    space.free_bytes);
	print_usages(out, engine);
	if (fclose(out) != 0 || rc < 0) {
		free(text);
		return NULL;
	}
	return text;
}
