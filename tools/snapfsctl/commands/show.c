/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl show: shows all that is known about snapshots or VMs. */
#include "ctl.h"
#include "tools/snapfsctl/tree/members.h"
#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void line(const char *key, const char *value)
{
	if (*value)
		sf_print(stdout, "  %-13s %s\n", key, value);
}

/* Prints a description, which may have several lines. */
static void print_description(const char *text)
{
	const char *key = "description";

	while (*text) {
		size_t len = strcspn(text, "\n");

		sf_print(stdout, "  %-13s %.*s\n", key, (int)len, text);
		key = "";
		text += len + (text[len] == '\n');
	}
}

static void print_disk(const json_t *disk)
{
	char size[SF_TEXT_BYTES], used[SF_TEXT_BYTES];
	const char *file = sf_member_string(disk, "file"), *origin = sf_member_string(disk, "origin"),
		   *method = sf_member_string(disk, "method");

	sf_text_bytes(sf_member_number(disk, "size_bytes"), size);
	sf_text_bytes(sf_member_number(disk, "allocated_bytes"), used);
	sf_print(stdout, "  %-13s %s, %s allocated, of %s (%s)\n", *file ? file : "?", size, used,
		 *origin ? origin : "?", *method ? method : "?");
}

static void print_memory(const json_t *memory)
{
	char size[SF_TEXT_BYTES];

	if (!json_is_object(memory))
		return;
	sf_text_bytes(sf_member_number(memory, "size_bytes"), size);
	sf_print(stdout, "  %-13s %s\n", "memory.sav", size);
}

static void print_snapshot(const struct sf_ctl *ctl, const struct sf_snap *snap)
{
	const json_t *pause = json_object_get(snap->meta, "pause_ms"), *disk;
	char path[SF_SNAP_PATH], when[SF_TEXT_TIME], text[64];
	size_t i;

	sf_snap_path(snap, path);
	sf_print(stdout, "%s\n", path);
	line("in", ctl->mount.path);
	line("problem", snap->problem);
	sf_text_time(snap->taken_ns, when);
	line("taken", when);
	line("consistency", snap->consistency);
	line("power", snap->power);
	line("state", strcmp(snap->state, "ready") == 0 ? "" : snap->state);
	line("held", snap->held ? "yes" : "");
	if (pause) {
		(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT " ms", json_integer_value(pause));
		line("at rest for", text);
	}
	line("uuid", sf_member_string(snap->meta, "uuid"));
	print_description(snap->description);
	json_array_foreach(json_object_get(snap->meta, "disks"), i, disk) print_disk(disk);
	print_memory(json_object_get(snap->meta, "memory"));
}

static void print_vm(const json_t *vm)
{
	const json_t *disk;
	char text[128], size[SF_TEXT_BYTES];
	size_t i;

	sf_print(stdout, "%s\n", sf_member_string(vm, "name"));
	line("power", sf_member_string(vm, "power"));
	line("hypervisor", sf_member_string(vm, "hypervisor"));
	line("uuid", sf_member_string(vm, "uuid"));
	line("error", sf_member_string(vm, "error"));
	if (!json_is_true(json_object_get(vm, "present")))
		line("gone", "the hypervisor no longer knows it");
	line("busy", json_is_true(json_object_get(vm, "busy")) ? "an operation runs" : "");
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)sf_member_number(vm, "snapshots"));
	line("snapshots", text);
	json_array_foreach(json_object_get(vm, "disks"), i, disk)
	{
		const char *vdev = sf_member_string(disk, "vdev"), *spec = sf_member_string(disk, "spec"),
			   *storage = sf_member_string(disk, "storage");

		sf_text_bytes(sf_member_number(disk, "size_bytes"), size);
		sf_print(stdout, "  %-13s %s, %s (%s)\n", vdev, spec, size,
			 *storage ? storage : sf_member_string(disk, "error"));
	}
}

/* Prints a VM (no slash in its path) or a snapshot, or adds it to the answer's lists. */
static int show(struct sf_ctl *ctl, const char *argument, json_t *snapshots, json_t *vms, struct sf_err *err)
{
	char path[SF_SNAP_PATH];
	struct sf_snap snap;
	auto_json json_t *vm = NULL;
	int rc = sf_mount_path(&ctl->mount, argument, path, sizeof(path), err);

	if (rc < 0)
		return rc;
	if (!strchr(path, '/')) {
		if ((rc = sf_vm_load(&ctl->mount, path, &vm, err)) < 0)
			return rc;
		if (ctl->json)
			json_array_append(vms, vm);
		else
			print_vm(vm);
		return 0;
	}
	if ((rc = sf_snap_load(&ctl->mount, path, &snap, err)) < 0)
		return rc;
	if (ctl->json)
		json_array_append_new(snapshots, sf_snap_json(&snap));
	else
		print_snapshot(ctl, &snap);
	sf_snap_fini(&snap);
	return 0;
}

int sf_cmd_show(struct sf_ctl *ctl, int argc, char **argv)
{
	json_t *snapshots, *vms;
	struct sf_results results;
	int opt, status;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", NULL)) != -1)
		return sf_ctl_stop(opt);
	if (optind == argc)
		return sf_ctl_usage(ctl, "expected a snapshot or a VM");
	if ((status = sf_ctl_open(ctl)) >= 0)
		return status;
	snapshots = json_array();
	vms = json_array();
	sf_results_init(&results, ctl);
	for (int i = optind; i < argc; i++) {
		struct sf_err err = {0};
		int rc = show(ctl, argv[i], snapshots, vms, &err);

		sf_results_add(&results, argv[i], rc, &err, NULL, NULL);
	}
	status = sf_results_end(&results);
	json_object_set_new(ctl->answer, "snapshots", snapshots);
	json_object_set_new(ctl->answer, "vms", vms);
	return status;
}
