/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "operations.h"

#include "core/state/manifest.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- Preparing the stage --- */

static struct stage_facts *facts(struct house *house)
{
	return &house->stage->shared->facts;
}

static int create(struct house *house, const char *name, bool memory, struct sf_err *err)
{
	struct sf_create_request request = {.memory = memory ? SF_YES : SF_NO};
	char made[SF_NAME_MAX + 1];

	(void)snprintf(request.name, sizeof(request.name), "%s", name);
	return sf_engine_create(house->engine, house_vm_id(house), &request, NULL, made, err);
}

static struct stage_snapshot *note(struct house *house, const char *name, bool memory, enum stage_fate fate)
{
	struct stage_snapshot *snapshot = &facts(house)->snapshots[facts(house)->nsnapshots++];

	*snapshot = (struct stage_snapshot){.fate = fate, .tick = facts(house)->old_tick, .memory = memory};
	(void)snprintf(snapshot->name, sizeof(snapshot->name), "%s", name);
	return snapshot;
}

/* Lets the guest advance to a new tick, and records that nothing else has changed. */
static void advance(struct house *house)
{
	facts(house)->old_tick = facts(house)->new_tick = house_advance(house, 3);
	facts(house)->old_power = facts(house)->new_power = SF_POWER_RUNNING;
}

static struct stage_snapshot *take(struct house *house, const char *name, bool memory, enum stage_fate fate)
{
	struct sf_err err = {0};

	if (create(house, name, memory, &err) < 0)
		stage_complain(house->stage, "prepare %s: %s", name, err.text);
	return note(house, name, memory, fate);
}

static void turn_off(struct house *house)
{
	struct sf_vm_desc vm = house_vm(house);
	struct sf_err err = {0};

	if (sf_hypervisor_stop(house->hv, &vm, &err) < 0)
		stage_complain(house->stage, "stop the guest: %s", err.text);
	facts(house)->old_power = facts(house)->new_power = SF_POWER_OFF;
}

/*
 * Takes two snapshots at different ticks and leaves the live state after both. Saves RAM only where a case
 * needs it, because that takes most of a try's time.
 */
static void two_snapshots(struct house *house, bool memory_of_a, enum stage_fate fate_of_a)
{
	advance(house);
	take(house, "a", memory_of_a, fate_of_a);
	advance(house);
	take(house, "b", false, STAGE_STAYS);
	advance(house);
}

static int find(struct house *house, const char *name, struct sf_snapshot **ret)
{
	struct sf_vm_info vm;
	int rc = sf_catalog_vm(sf_engine_catalog(house->engine), STAGE_VM, &vm);

	return rc < 0 ? rc : sf_catalog_snapshot(sf_engine_catalog(house->engine), vm.id, name, ret);
}

/* --- Manifests, all of snapshot "a" --- */

static int set_manifest(struct house *house, unsigned char fill, struct sf_err *err)
{
	struct sf_manifest manifest = {.n = 0};
	struct sf_snapshot *snapshot;
	int rc = find(house, "a", &snapshot);

	if (rc < 0)
		return sf_fail(err, rc, "look up the snapshot with the manifest");
	for (size_t i = 0; i < snapshot->record.ndisks; i++) {
		struct sf_manifest_file *file = &manifest.files[manifest.n++];

		sf_disk_file_name(i, snapshot->record.disks[i].object.vdev, file->name);
		file->size_bytes = snapshot->record.disks[i].stat.size_bytes;
		memset(&file->xxh3_128, fill, sizeof(file->xxh3_128));
	}
	if (snapshot->record.memory.present) {
		struct sf_manifest_file *file = &manifest.files[manifest.n++];

		(void)snprintf(file->name, sizeof(file->name), "memory.sav");
		file->size_bytes = snapshot->record.memory.size_bytes;
		memcpy(&file->xxh3_128, snapshot->record.memory.xxh3_128, sizeof(file->xxh3_128));
	}
	rc = sf_engine_set_manifest(house->engine, snapshot->id, &manifest, err);
	sf_snapshot_unref(snapshot);
	return rc;
}

static void give_manifest(struct house *house, unsigned char fill)
{
	struct stage_snapshot *snapshot = &facts(house)->snapshots[0];
	struct sf_err err = {0};

	if (set_manifest(house, fill, &err) < 0)
		stage_complain(house->stage, "prepare a manifest: %s", err.text);
	snapshot->old_manifest = snapshot->new_manifest = fill;
}

static void before_manifest(struct house *house)
{
	two_snapshots(house, true, STAGE_STAYS);
	facts(house)->snapshots[0].new_manifest = 0x22;
}

static void before_manifest_again(struct house *house)
{
	two_snapshots(house, false, STAGE_STAYS);
	give_manifest(house, 0x11);
	facts(house)->snapshots[0].new_manifest = 0x22;
}

static int make_manifest(struct house *house, struct sf_err *err)
{
	return set_manifest(house, 0x22, err);
}

/* --- Create --- */

static void before_create(struct house *house)
{
	advance(house);
	take(house, "a", false, STAGE_STAYS);
	advance(house);
	note(house, "new", false, STAGE_COMES);
}

static int create_disks(struct house *house, struct sf_err *err)
{
	return create(house, "new", false, err);
}

static void before_create_memory(struct house *house)
{
	advance(house);
	note(house, "new", true, STAGE_COMES);
}

static int create_memory(struct house *house, struct sf_err *err)
{
	return create(house, "new", true, err);
}

static void before_create_off(struct house *house)
{
	before_create(house);
	turn_off(house);
}

/* The owner paused the guest, so it must stay paused. */
static void before_create_paused(struct house *house)
{
	struct sf_vm_desc vm = house_vm(house);
	struct sf_err err = {0};

	before_create_memory(house);
	if (sf_hypervisor_pause(house->hv, &vm, &err) < 0)
		stage_complain(house->stage, "pause the guest: %s", err.text);
	facts(house)->old_power = facts(house)->new_power = SF_POWER_PAUSED;
}

static int create_quiesced(struct house *house, struct sf_err *err)
{
	struct sf_create_request request = {.name = "new", .memory = SF_NO, .quiesce = SF_YES};
	char made[SF_NAME_MAX + 1];

	return sf_engine_create(house->engine, house_vm_id(house), &request, NULL, made, err);
}

/* --- Delete, rename, edit --- */

static void before_delete(struct house *house)
{
	two_snapshots(house, true, STAGE_GOES);
	give_manifest(house, 0x11);
}

static int delete_a(struct house *house, struct sf_err *err)
{
	return sf_engine_delete(house->engine, house_vm_id(house), "a", NULL, err);
}

static void before_forget(struct house *house)
{
	struct sf_snapshot *snapshot;

	two_snapshots(house, true, STAGE_FORGOTTEN);
	give_manifest(house, 0x11);
	if (find(house, "a", &snapshot) < 0)
		return; /* the oracle will complain */
	facts(house)->snapshots[0].id = snapshot->id;
	for (size_t i = 0; i < snapshot->record.ndisks; i++)
		facts(house)->snapshots[0].tokens[i] = snapshot->record.disks[i].object.token;
	sf_snapshot_unref(snapshot);
}

static int forget_a(struct house *house, struct sf_err *err)
{
	return sf_engine_delete_one(house->engine, facts(house)->snapshots[0].id, true, NULL, err);
}

static int read_deleted(struct house *house, struct sf_image *image, struct sf_err *err)
{
	auto_free char *want = malloc(STAGE_DISK_BYTES);
	auto_free char *have = malloc(STAGE_DISK_BYTES);
	struct sf_snapshot *gone;
	size_t len;
	int rc;

	if (find(house, "a", &gone) != -ENOENT)
		return sf_fail(err, -EEXIST, "the name of a deleted snapshot is still there");
	rc = sf_image_pread(image, have, STAGE_DISK_BYTES, 0, &len, err);
	if (rc < 0)
		return rc;
	stage_content(0, facts(house)->snapshots[0].tick, want);
	if (len != STAGE_DISK_BYTES || memcmp(have, want, len) != 0)
		return sf_fail(err, -EIO, "an open image changed when its snapshot was deleted");
	return 0;
}

/* The operation counts as done when the delete returns. Closing the image then removes the volume. */
static int delete_while_read(struct house *house, struct sf_err *err)
{
	struct sf_snapshot *snapshot;
	struct sf_image *image;
	int rc = find(house, "a", &snapshot);

	if (rc < 0)
		return sf_fail(err, rc, "look up the snapshot to delete");
	rc = sf_engine_image_open(house->engine, snapshot, 0, &image, err);
	if (rc == 0) {
		rc = delete_a(house, err);
		atomic_store(&facts(house)->done, rc == 0);
		if (rc == 0)
			rc = read_deleted(house, image, err);
		sf_engine_image_close(house->engine, snapshot->id, image);
	}
	sf_snapshot_unref(snapshot);
	return rc;
}

static void before_rename(struct house *house)
{
	two_snapshots(house, true, STAGE_RENAMED);
	give_manifest(house, 0x11);
	(void)snprintf(facts(house)->snapshots[0].to, sizeof(facts(house)->snapshots[0].to), "new");
}

static int rename_a(struct house *house, struct sf_err *err)
{
	return sf_engine_rename(house->engine, house_vm_id(house), "a", "new", err);
}

static void before_edit(struct house *house)
{
	two_snapshots(house, false, STAGE_STAYS);
}

static int edit_a(struct house *house, struct sf_err *err)
{
	struct sf_snapshot *snapshot;
	int rc = find(house, "a", &snapshot);

	if (rc < 0)
		return sf_fail(err, rc, "look up the snapshot to edit");
	rc = sf_engine_describe(house->engine, snapshot->id, "as it was", err);
	if (rc == 0)
		rc = sf_engine_hold(house->engine, snapshot->id, true, err);
	sf_snapshot_unref(snapshot);
	return rc;
}

/* --- Revert --- */

static void aim(struct house *house, size_t snapshot, bool keeps_old, enum sf_power power)
{
	facts(house)->new_tick = facts(house)->snapshots[snapshot].tick;
	facts(house)->new_power = power;
	facts(house)->keeps_old = keeps_old;
}

static int revert(struct house *house, const char *name, bool discard, struct sf_err *err)
{
	struct sf_revert_request request = {.discard = discard};

	return sf_engine_revert(house->engine, house_vm_id(house), name, &request, NULL, err);
}

static void before_revert_memory(struct house *house)
{
	two_snapshots(house, true, STAGE_STAYS);
	aim(house, 0, true, SF_POWER_RUNNING);
}

static int revert_to_a(struct house *house, struct sf_err *err)
{
	return revert(house, "a", false, err);
}

static void before_revert_memory_discard(struct house *house)
{
	two_snapshots(house, true, STAGE_STAYS);
	aim(house, 0, false, SF_POWER_RUNNING);
}

static int revert_to_a_discarding(struct house *house, struct sf_err *err)
{
	return revert(house, "a", true, err);
}

static void before_revert_disks(struct house *house)
{
	two_snapshots(house, false, STAGE_STAYS);
	aim(house, 1, true, SF_POWER_RUNNING);
}

static int revert_disks(struct house *house, struct sf_err *err)
{
	return revert(house, "b", false, err);
}

static void before_revert_disks_discard(struct house *house)
{
	two_snapshots(house, false, STAGE_STAYS);
	aim(house, 1, false, SF_POWER_RUNNING);
}

static int revert_disks_discard(struct house *house, struct sf_err *err)
{
	return revert(house, "b", true, err);
}

/*
 * Reverts once, so that the operation exchanges disks that are already exchanged, now for an older snapshot.
 */
static void before_revert_again(struct house *house)
{
	struct sf_err err = {0};

	two_snapshots(house, false, STAGE_STAYS);
	if (revert(house, "b", true, &err) < 0)
		stage_complain(house->stage, "prepare a first revert: %s", err.text);
	advance(house);
	advance(house);
	aim(house, 0, true, SF_POWER_RUNNING);
}

static void before_revert_again_discard(struct house *house)
{
	before_revert_again(house);
	aim(house, 0, false, SF_POWER_RUNNING);
}

/* The guest ran when the snapshot was taken and is off now. */
static void before_revert_off(struct house *house)
{
	two_snapshots(house, true, STAGE_STAYS);
	turn_off(house);
	aim(house, 0, true, SF_POWER_RUNNING);
}

static int revert_to_paused(struct house *house, struct sf_err *err)
{
	struct sf_revert_request request = {.power_given = true, .power = SF_POWER_PAUSED};

	return sf_engine_revert(house->engine, house_vm_id(house), "a", &request, NULL, err);
}

static void before_revert_to_paused(struct house *house)
{
	two_snapshots(house, true, STAGE_STAYS);
	aim(house, 0, true, SF_POWER_PAUSED);
}

static int revert_to_off(struct house *house, struct sf_err *err)
{
	struct sf_revert_request request = {.power_given = true, .power = SF_POWER_OFF};

	return sf_engine_revert(house->engine, house_vm_id(house), "b", &request, NULL, err);
}

static void before_revert_to_off(struct house *house)
{
	two_snapshots(house, false, STAGE_STAYS);
	aim(house, 1, true, SF_POWER_OFF);
}

/* --- The first start --- */

static int start(struct house *house, struct sf_err *err)
{
	facts(house)->old_power = SF_POWER_OFF;
	facts(house)->new_power = SF_POWER_RUNNING;
	if (!house_open(house, house->stage))
		return sf_fail(err, -EIO, "the first start failed");
	return 0;
}

const struct operation operations[] = {
	{"first-start", 1, NULL, start},
	{"create", 1, before_create, create_disks},
	{"create-memory", 1, before_create_memory, create_memory},
	{"create-two-disks", 2, before_create_memory, create_memory},
	{"create-off", 1, before_create_off, create_disks},
	{"create-paused", 1, before_create_paused, create_memory},
	{"create-quiesced", 1, before_create, create_quiesced},
	{"delete", 1, before_delete, delete_a},
	{"delete-two-disks", 2, before_delete, delete_a},
	{"delete-deferred", 1, before_delete, delete_while_read},
	{"forget", 2, before_forget, forget_a},
	{"rename", 1, before_rename, rename_a},
	{"edit", 1, before_edit, edit_a},
	{"manifest", 1, before_manifest, make_manifest},
	{"manifest-again", 2, before_manifest_again, make_manifest},
	{"revert-memory", 1, before_revert_memory, revert_to_a},
	{"revert-memory-discard", 1, before_revert_memory_discard, revert_to_a_discarding},
	{"revert-disks", 1, before_revert_disks, revert_disks},
	{"revert-disks-discard", 1, before_revert_disks_discard, revert_disks_discard},
	{"revert-again", 1, before_revert_again, revert_to_a},
	{"revert-again-discard", 1, before_revert_again_discard, revert_to_a_discarding},
	{"revert-two-disks", 2, before_revert_memory, revert_to_a},
	{"revert-off", 1, before_revert_off, revert_to_a},
	{"revert-to-paused", 1, before_revert_to_paused, revert_to_paused},
	{"revert-to-off", 1, before_revert_to_off, revert_to_off},
	{NULL, 0, NULL, NULL},
};
