/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl list: lists snapshots as a table, filtered and sorted. */
#include "ctl.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/table.h"
#include "tools/snapfsctl/show/text.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum column {
	C_PATH,
	C_TAKEN,
	C_KIND,
	C_SIZE,
	C_USED,
	C_RAM,
	C_FLAGS,
	C_VM,
	C_NAME,
	C_POWER,
	C_STATE,
	C_PAUSE,
	C_UUID,
	C_DESCRIPTION,
	NCOLUMNS
};

static const struct sf_column columns[NCOLUMNS] = {
	[C_PATH] = {"path", 0, "VM/SNAPSHOT"},
	[C_TAKEN] = {"taken", 0, "the instant, in local time"},
	[C_KIND] = {"kind", 0, "consistency"},
	[C_SIZE] = {"size", SF_COLUMN_RIGHT, "of the disks"},
	[C_USED] = {"used", SF_COLUMN_RIGHT, "allocated when it was taken"},
	[C_RAM] = {"ram", SF_COLUMN_RIGHT, "saved RAM"},
	[C_FLAGS] = {"flags", 0, "held"},
	[C_VM] = {"vm", SF_COLUMN_LONG, "the VM"},
	[C_NAME] = {"name", SF_COLUMN_LONG, "the snapshot's name"},
	[C_POWER] = {"power", SF_COLUMN_LONG, "the guest's power state"},
	[C_STATE] = {"state", SF_COLUMN_LONG, "ready, or what is wrong"},
	[C_PAUSE] = {"pause", SF_COLUMN_LONG | SF_COLUMN_RIGHT, "ms at rest"},
	[C_UUID] = {"uuid", SF_COLUMN_LONG, "of the snapshot"},
	[C_DESCRIPTION] = {"description", SF_COLUMN_CUT, "the note"},
};

#define FILTERS_MAX 16

struct query {
	const char *filters[FILTERS_MAX];
	size_t nfilters;
	uint64_t since_ns;
	const char *sort;
	struct sf_table_style style;
};

/* --- filters --- */

static const char *truth(bool value)
{
	return value ? "yes" : "no";
}

/* The value of a --where key; NULL for an unknown key. */
static const char *value_of(const struct sf_snap *snap, const char *key, size_t len)
{
	const struct {
		const char *key, *value;
	} values[] = {
		{"vm", snap->vm},
		{"name", snap->name},
		{"kind", snap->consistency},
		{"consistency", snap->consistency},
		{"power", snap->power},
		{"state", *snap->problem ? "broken" : snap->state},
		{"held", truth(snap->held)},
		{"ram", truth(snap->memory_bytes > 0)},
		{"memory", truth(snap->memory_bytes > 0)},
		{"description", snap->description},
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strlen(values[i].key) == len && strncmp(values[i].key, key, len) == 0)
			return values[i].value;
	return NULL;
}

static int add_filter(struct query *query, const char *text, struct sf_err *err)
{
	static const struct sf_snap none = {.state = "", .consistency = "", .power = "", .description = ""};
	const char *equals = strchr(text, '=');
	char shown[64];

	sf_text_printable(text, shown, sizeof(shown));
	if (query->nfilters == FILTERS_MAX)
		return sf_fail(err, -EINVAL, "more than %d --where options", FILTERS_MAX);
	if (!equals || !value_of(&none, text, (size_t)(equals - text)))
		return sf_fail(err, -EINVAL,
			       "'%s' is not KEY=VALUE with a KEY of vm, name, kind, power, state, held, ram, "
			       "description",
			       shown);
	query->filters[query->nfilters++] = text;
	return 0;
}

static bool wanted(const struct query *query, const struct sf_snap *snap)
{
	if (snap->taken_ns < query->since_ns)
		return false;
	for (size_t i = 0; i < query->nfilters; i++) {
		const char *equals = strchr(query->filters[i], '=');
		const char *value = value_of(snap, query->filters[i], (size_t)(equals - query->filters[i]));

		if (fnmatch(equals + 1, value, 0) != 0)
			return false;
	}
	return true;
}

/* --- sorting --- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct sf_snap *x = a, *y = b;
	const enum column column = *(const enum column *)arg;

	switch (column) {
	case C_TAKEN:
		return compare_numbers(x->taken_ns, y->taken_ns);
	case C_SIZE:
		return compare_numbers(x->size_bytes, y->size_bytes);
	case C_USED:
		return compare_numbers(x->allocated_bytes, y->allocated_bytes);
	case C_RAM:
		return compare_numbers(x->memory_bytes, y->memory_bytes);
	case C_KIND:
		return strcmp(x->consistency, y->consistency);
	case C_NAME:
		return strcmp(x->name, y->name);
	case C_POWER:
		return strcmp(x->power, y->power);
	default:
		return strcmp(x->vm, y->vm) ? strcmp(x->vm, y->vm) : strcmp(x->name, y->name);
	}
}

static int sort(const struct query *query, struct sf_snaps *snaps, struct sf_err *err)
{
	static const enum column sortable[] = {C_PATH, C_TAKEN, C_KIND, C_SIZE, C_USED,
					       C_RAM,  C_VM,    C_NAME, C_POWER};
	const char *name = query->sort;
	bool down;

	if (!name)
		return 0; /* loaded sorted by VM and time */
	down = *name == '-';
	name += down;
	for (size_t i = 0; i < sizeof(sortable) / sizeof(sortable[0]); i++) {
		enum column column = sortable[i];

		if (strcmp(columns[column].name, name) != 0)
			continue;
		qsort_r(snaps->list, snaps->n, sizeof(*snaps->list), compare, &column);
		for (size_t j = 0; down && j < snaps->n / 2; j++) {
			struct sf_snap swap = snaps->list[j];

			snaps->list[j] = snaps->list[snaps->n - 1 - j];
			snaps->list[snaps->n - 1 - j] = swap;
		}
		return 0;
	}
	return sf_fail(err, -EINVAL,
		       "'%.40s' is not one of path, taken, kind, size, used, ram, vm, name, power", name);
}

/* --- printing --- */

static void fill_row(struct sf_table *table, const struct sf_snap *snap)
{
	struct sf_row *row = sf_table_row(table, NULL);
	char path[SF_SNAP_PATH], taken[SF_TEXT_TIME] = "", bytes[SF_TEXT_BYTES], pause[24] = "";
	const char *uuid = json_string_value(json_object_get(snap->meta, "uuid"));
	const json_t *pause_ms = json_object_get(snap->meta, "pause_ms");

	sf_snap_path(snap, path);
	sf_table_cell(table, row, C_PATH, path);
	sf_table_cell(table, row, C_VM, snap->vm);
	sf_table_cell(table, row, C_NAME, snap->name);
	sf_table_cell(table, row, C_STATE, *snap->problem ? snap->problem : snap->state);
	if (*snap->problem)
		sf_table_alert(row);
	if (snap->taken_ns)
		sf_text_time(snap->taken_ns, taken);
	sf_table_cell(table, row, C_TAKEN, taken);
	sf_table_cell(table, row, C_KIND, *snap->problem ? "broken" : snap->consistency);
	sf_text_bytes(snap->size_bytes, bytes);
	sf_table_cell(table, row, C_SIZE, bytes);
	sf_text_bytes(snap->allocated_bytes, bytes);
	sf_table_cell(table, row, C_USED, bytes);
	sf_text_bytes(snap->memory_bytes, bytes);
	sf_table_cell(table, row, C_RAM, snap->memory_bytes ? bytes : "-");
	sf_table_cell(table, row, C_FLAGS, snap->held ? "held" : "");
	sf_table_cell(table, row, C_POWER, snap->power);
	if (pause_ms)
		(void)snprintf(pause, sizeof(pause), "%" JSON_INTEGER_FORMAT, json_integer_value(pause_ms));
	sf_table_cell(table, row, C_PAUSE, pause);
	sf_table_cell(table, row, C_UUID, uuid ? uuid : "");
	sf_table_cell(table, row, C_DESCRIPTION, snap->description);
}

static int print(struct sf_ctl *ctl, const struct query *query, const struct sf_snaps *snaps,
		 struct sf_err *err)
{
	struct sf_table *table;
	int rc = sf_table_new(&table, ctl->terminal, columns, NCOLUMNS, &query->style, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < snaps->n; i++)
		if (wanted(query, &snaps->list[i]))
			fill_row(table, &snaps->list[i]);
	rc = sf_table_print(table, err);
	sf_table_free(table);
	return rc;
}

static void answer(struct sf_ctl *ctl, const struct query *query, const struct sf_snaps *snaps)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snaps->n; i++)
		if (wanted(query, &snaps->list[i]))
			json_array_append_new(list, sf_snap_json(&snaps->list[i]));
	json_object_set_new(ctl->answer, "snapshots", list);
}

/* Loads the snapshots of the named VMs, or of all. */
static int load(struct sf_ctl *ctl, char **vms, size_t nvms, struct sf_snaps *ret, struct sf_err *err)
{
	struct sf_snaps all = {0};
	int rc = nvms == 0 ? sf_snaps_load(&ctl->mount, NULL, &all, err) : 0;

	for (size_t i = 0; i < nvms && rc == 0; i++) {
		char vm[SF_SNAP_PATH];
		struct sf_snaps some = {0};
		struct sf_snap *larger;

		if ((rc = sf_mount_path(&ctl->mount, vms[i], vm, sizeof(vm), err)) < 0 ||
		    (rc = sf_snaps_load(&ctl->mount, vm, &some, err)) < 0)
			break;
		larger = realloc(all.list, (all.n + some.n + 1) * sizeof(*larger));
		if (!larger) {
			sf_snaps_fini(&some);
			rc = sf_fail(err, -ENOMEM, "out of memory");
			break;
		}
		all.list = larger;
		if (some.n > 0)
			memcpy(all.list + all.n, some.list, some.n * sizeof(*some.list));
		all.n += some.n;
		free(some.list); /* the snapshots were moved to all.list */
	}
	if (rc < 0)
		sf_snaps_fini(&all);
	else
		*ret = all;
	return rc;
}

/* --- options --- */

enum { OPT_WHERE = 256, OPT_SINCE };

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, struct query *query)
{
	static const struct option options[] = {{"long", no_argument, NULL, 'l'},
						{"output", required_argument, NULL, 'o'},
						{"sort", required_argument, NULL, 's'},
						{"where", required_argument, NULL, OPT_WHERE},
						{"since", required_argument, NULL, OPT_SINCE},
						{NULL, 0, NULL, 0}};
	struct sf_err err = {0};
	int opt, rc = 0;

	while ((opt = sf_ctl_option(ctl, argc, argv, "lo:Hs:", options)) != -1) {
		if (opt == 'l')
			query->style.full = true;
		else if (opt == 'o')
			query->style.wanted = optarg;
		else if (opt == 'H')
			query->style.bare = true;
		else if (opt == 's')
			query->sort = optarg;
		else if (opt == OPT_WHERE)
			rc = add_filter(query, optarg, &err);
		else if (opt == OPT_SINCE)
			rc = sf_text_since(optarg, sf_clock_real_ns(), &query->since_ns, &err);
		else
			return sf_ctl_stop(opt);
		if (rc < 0)
			return sf_ctl_usage(ctl, "%s", err.text);
	}
	return -1;
}

int sf_cmd_list(struct sf_ctl *ctl, int argc, char **argv)
{
	struct query query = {0};
	struct sf_snaps snaps = {0};
	struct sf_err err = {0};
	int status = take_options(ctl, argc, argv, &query), rc;

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	if (load(ctl, argv + optind, (size_t)(argc - optind), &snaps, &err) < 0)
		return sf_ctl_fail(ctl, &err);
	rc = sort(&query, &snaps, &err);
	if (rc == 0 && ctl->json)
		answer(ctl, &query, &snaps);
	else if (rc == 0)
		rc = print(ctl, &query, &snaps, &err);
	sf_snaps_fini(&snaps);
	if (rc == -EINVAL)
		return sf_ctl_usage(ctl, "%s", err.text);
	return rc < 0 ? sf_ctl_fail(ctl, &err) : SF_EXIT_OK;
}
