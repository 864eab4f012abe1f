/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers in Prometheus's text format, made anew each time the file is opened. */
#include "engine_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Labels of the exposition format escape these three. Source: Prometheus, "Text-based format". */
static void print_label(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			(void)fputc('\\', out);
		(void)fputc(*value == '\n' ? ' ' : *value, out);
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

static void print_vms(FILE *out, struct sf_engine *engine)
{
	struct sf_vm_info *vms = NULL;
	size_t n = 0;

	print_head(out, "snapfs_snapshots", "gauge", "Snapshots of a VM.");
	if (sf_catalog_vms(engine->catalog, &vms, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		(void)fputs("snapfs_snapshots{vm=\"", out);
		print_label(out, vms[i].name);
		(void)fprintf(out, "\"} %zu\n", vms[i].nsnapshots);
	}
	free(vms);
}

static void print_operations(FILE *out, const struct sf_job_counts *counts)
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
}

struct printed_usages {
	FILE *out;
	const char *name;
	bool total;
};

static void print_usage(void *arg, const struct sf_usage *usage)
{
	const struct printed_usages *printed = arg;

	(void)fprintf(printed->out, "%s{kind=\"", printed->name);
	print_label(printed->out, usage->kind);
	(void)fputs("\",subject=\"", printed->out);
	print_label(printed->out, usage->subject);
	(void)fprintf(printed->out, "\"} %" PRIu64 "\n",
		      printed->total ? usage->total_bytes : usage->used_bytes);
}

static void print_usages(FILE *out, struct sf_engine *engine)
{
	struct printed_usages used = {.out = out, .name = "snapfs_usage_bytes"};
	struct printed_usages total = {.out = out, .name = "snapfs_usage_total_bytes", .total = true};

	print_head(out, used.name, "gauge", "How much is used of what can run full.");
	sf_watchers_each(engine->watchers, print_usage, &used);
	print_head(out, total.name, "gauge", "How much it can hold.");
	sf_watchers_each(engine->watchers, print_usage, &total);
}

char *sf_engine_metrics(struct sf_engine *engine)
{
	struct sf_job_counts counts = sf_jobs_counts(engine->jobs);
	struct sf_lease_stats leases = sf_leases_stats(engine->leases);
	struct sf_space space = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	(void)sf_state_space(engine->state, &space, NULL, NULL); /* zero when the directory is in trouble */
	print_vms(out, engine);
	print_operations(out, &counts);
	print_value(out, "snapfs_operations_running", "gauge", "Operations under way.", counts.running);
	print_value(out, "snapfs_problems", "gauge", "Entries of health.json.",
		    sf_health_count(engine->health));
	print_value(out, "snapfs_pauses_total", "counter", "Times a guest was brought to rest.",
		    leases.npauses);
	print_value(out, "snapfs_pauses_expired_total", "counter", "Pauses that the watchdog ended.",
		    leases.nexpired);
	print_seconds(out, "snapfs_pause_seconds_total", "counter", "Time guests spent at rest.",
		      leases.total_ms);
	print_seconds(out, "snapfs_pause_seconds_max", "gauge", "The longest of these pauses.",
		      leases.longest_ms);
	print_value(out, "snapfs_state_free_bytes", "gauge", "Free space for records and RAM.",
		    space.free_bytes);
	print_usages(out, engine);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
