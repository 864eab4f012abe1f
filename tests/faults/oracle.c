/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/json.h"
#include "core/state/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

#define SAFETY "pre-revert-"

/* What the first engine shows. The data stays valid after it is closed. */
struct survey {
	struct house *house;
	struct stage *stage;
	const struct stage_facts *facts;
	struct sf_snapshot **snapshots;
	size_t n;
	uint64_t live_tick;
	bool left[STAGE_DISKS_MAX]; /* objects of the forgotten snapshot that still exist */
};

/* --- Which snapshots there are --- */

static const struct sf_snapshot *named(const struct survey *survey, const char *name)
{
	for (size_t i = 0; i < survey->n; i++)
		if (strcmp(survey->snapshots[i]->record.name, name) == 0)
			return survey->snapshots[i];
	return NULL;
}

static const struct sf_snapshot *safety(const struct survey *survey)
{
	for (size_t i = 0; i < survey->n; i++)
		if (strncmp(survey->snapshots[i]->record.name, SAFETY, strlen(SAFETY)) == 0)
			return survey->snapshots[i];
	return NULL;
}

static void check_fate(const struct survey *survey, const struct stage_snapshot *fact)
{
	bool done = survey->facts->done, there = named(survey, fact->name) != NULL;
	bool renamed = *fact->to && named(survey, fact->to) != NULL;

	if (fact->fate == STAGE_STAYS && !there)
		stage_complain(survey->stage, "snapshot '%s' is lost", fact->name);
	if (fact->fate == STAGE_COMES && done && !there)
		stage_complain(survey->stage, "snapshot '%s' was created and is lost", fact->name);
	if ((fact->fate == STAGE_GOES || fact->fate == STAGE_FORGOTTEN) && done && there)
		stage_complain(survey->stage, "snapshot '%s' was deleted and is back", fact->name);
	if (fact->fate == STAGE_RENAMED && there == renamed)
		stage_complain(survey->stage, "snapshot '%s', renamed to '%s', exists under %s", fact->name,
			       fact->to, there ? "both names" : "neither name");
	if (fact->fate == STAGE_RENAMED && done && there)
		stage_complain(survey->stage, "snapshot '%s' has lost its new name", fact->name);
}

/* The snapshot whose record is gone and whose objects must remain; NULL: none. */
static const struct stage_snapshot *forgotten(const struct survey *survey)
{
	for (size_t i = 0; i < survey->facts->nsnapshots; i++) {
		const struct stage_snapshot *fact = &survey->facts->snapshots[i];

		if (fact->fate == STAGE_FORGOTTEN && !named(survey, fact->name))
			return fact;
	}
	return NULL;
}

/* A safety snapshot must exist if and only if the VM has left its old state. */
static void check_safety(const struct survey *survey)
{
	bool there = safety(survey) != NULL;
	bool left = survey->facts->new_tick != survey->facts->old_tick &&
		    survey->live_tick == survey->facts->new_tick;

	if (survey->facts->keeps_old && left && !there)
		stage_complain(survey->stage, "the VM was reverted and the state it left is lost");
	if (there && !(survey->facts->keeps_old && (left || survey->facts->failing)))
		stage_complain(survey->stage,
			       "safety snapshot '%s' exists, but the VM has not left that state",
			       safety(survey)->record.name);
}

static struct stage_snapshot fact_of(const struct survey *survey, const char *name)
{
	struct stage_snapshot safe = {.fate = STAGE_COMES, .tick = survey->facts->old_tick};

	for (size_t i = 0; i < survey->facts->nsnapshots; i++)
		if (strcmp(survey->facts->snapshots[i].name, name) == 0 ||
		    strcmp(survey->facts->snapshots[i].to, name) == 0)
			return survey->facts->snapshots[i];
	safe.memory = survey->facts->old_power != SF_POWER_OFF;
	if (strncmp(name, SAFETY, strlen(SAFETY)) != 0)
		stage_complain(survey->stage, "unexpected snapshot '%s'", name);
	return safe;
}

/* --- The content of snapshots --- */

static bool read_image(const struct survey *survey, struct sf_storage *storage,
		       const struct sf_record_disk *disk, char *buf)
{
	struct sf_object_stat stat;
	struct sf_image *image;
	struct sf_err err = {0};
	size_t len = 0;
	int rc = sf_object_stat(storage, &disk->object, &stat, &err);

	if (rc == 0)
		rc = sf_object_image(storage, &disk->object, &image, &err);
	if (rc == 0) {
		rc = sf_image_pread(image, buf, STAGE_DISK_BYTES, 0, &len, &err);
		if (rc == 0 && (len != STAGE_DISK_BYTES || image->size_bytes != STAGE_DISK_BYTES))
			rc = sf_fail(&err, -EIO, "it has %llu bytes", (unsigned long long)image->size_bytes);
		sf_image_close(image);
	}
	if (rc < 0)
		stage_complain(survey->stage, "a snapshot lacks disk %s: %s", disk->object.vdev, err.text);
	return rc == 0;
}

static void compare(const struct survey *survey, const char *what, unsigned i, uint64_t tick,
		    const char *have)
{
	auto_free char *want = malloc(STAGE_DISK_BYTES);
	struct sf_sim_sector sector;
	size_t at = 0;

	stage_content(i, tick, want);
	while (at < STAGE_DISK_BYTES && want[at] == have[at])
		at++;
	memcpy(&sector, have, sizeof(sector));
	if (at < STAGE_DISK_BYTES)
		stage_complain(survey->stage,
			       "%s: disk %u is not of tick %llu from byte %zu on (its first sector: %llu)",
			       what, i, (unsigned long long)tick, at, (unsigned long long)sector.tick);
}

static bool hash_is(int fd, const unsigned char want[static 16])
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t have;
	static char buf[64 * 1024];
	ssize_t n;

	XXH3_128bits_reset(state);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		XXH3_128bits_update(state, buf, (size_t)n);
	XXH128_canonicalFromHash(&have, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	return memcmp(have.digest, want, sizeof(have.digest)) == 0;
}

static void check_memory(const struct survey *survey, const struct sf_record *record, uint64_t tick)
{
	struct sf_err err = {0};
	char path[PATH_MAX];
	auto_fd int fd = -1;
	uint64_t have = 0;
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/state/" STAGE_VM "/%s/memory.sav", survey->stage->path,
		       record->name);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		stage_complain(survey->stage, "'%s' lacks its RAM: %s", record->name, strerror(errno));
		return;
	}
	if ((uint64_t)st.st_size != record->memory.size_bytes || !hash_is(fd, record->memory.xxh3_128))
		stage_complain(survey->stage, "'%s': memory.sav is not what its record says", record->name);
	if (lseek(fd, 0, SEEK_SET) < 0 || sf_sim_check_ram(fd, &have, &err) < 0)
		stage_complain(survey->stage, "'%s': memory.sav: %s", record->name, err.text);
	else if (have != tick)
		stage_complain(survey->stage, "'%s': its RAM is of tick %llu, not %llu", record->name,
			       (unsigned long long)have, (unsigned long long)tick);
}

/* Whether text is a complete manifest.json of this snapshot whose hashes consist of the byte fill. */
static bool is_manifest(const char *text, size_t len, const struct sf_record *record, unsigned char fill)
{
	auto_json json_t *root = sf_json_parse_object(text, len, "manifest.json", NULL);
	const json_t *list = json_object_get(root, "files");
	struct sf_id have, want;

	memset(&want, fill, sizeof(want));
	return root && sf_json_id(root, "snapshot", &have, NULL) == 0 && sf_id_equal(&have, &record->uuid) &&
	       json_array_size(list) == record->ndisks + record->memory.present &&
	       sf_json_id(json_array_get(list, 0), "xxh3_128", &have, NULL) == 0 && sf_id_equal(&have, &want);
}

/* The manifest must be the old or the new one, and once the operation has succeeded, the new one. */
static void check_manifest(const struct survey *survey, const struct sf_snapshot *snapshot,
			   const struct stage_snapshot *fact)
{
	const struct sf_record *record = &snapshot->record;
	bool done = survey->facts->done;
	auto_free char *text = NULL;
	char path[PATH_MAX];
	size_t len = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/state/" STAGE_VM "/%s/manifest.json", survey->stage->path,
		       record->name);
	rc = sf_durable_read(AT_FDCWD, path, SF_MANIFEST_BYTES_MAX, &text, &len, NULL);
	if (snapshot->manifest_bytes != len)
		stage_complain(survey->stage, "'%s': its manifest.json has %zu bytes, and %u in the tree",
			       record->name, len, (unsigned)snapshot->manifest_bytes);
	if (rc < 0 && (fact->old_manifest || (done && fact->new_manifest)))
		stage_complain(survey->stage, "'%s' has lost its manifest.json", record->name);
	if (rc == 0 && !(fact->new_manifest && is_manifest(text, len, record, fact->new_manifest)) &&
	    (done || !fact->old_manifest || !is_manifest(text, len, record, fact->old_manifest)))
		stage_complain(survey->stage, "'%s': its manifest.json is neither old nor new: %s",
			       record->name, text);
}

static void check_snapshot(const struct survey *survey, const struct sf_snapshot *snapshot)
{
	const struct sf_record *record = &snapshot->record;
	struct stage_snapshot fact = fact_of(survey, record->name);
	auto_free char *buf = malloc(STAGE_DISK_BYTES);

	if (snapshot->broken || record->state != SF_RECORD_READY)
		stage_complain(survey->stage, "snapshot '%s' is %s%s", record->name,
			       sf_record_state_name(record->state), snapshot->broken ? " and broken" : "");
	if (record->ndisks != survey->stage->ndisks)
		stage_complain(survey->stage, "'%s' has %zu disks", record->name, record->ndisks);
	for (unsigned i = 0; i < record->ndisks && i < survey->stage->ndisks; i++) {
		struct sf_storage *storage =
			sf_storages_by_name(&survey->house->storages, record->disks[i].storage);

		if (read_image(survey, storage, &record->disks[i], buf))
			compare(survey, record->name, i, fact.tick, buf);
	}
	if (record->memory.present != fact.memory)
		stage_complain(survey->stage, "'%s' has %s RAM", record->name, fact.memory ? "no" : "a");
	else if (fact.memory)
		check_memory(survey, record, fact.tick);
	check_manifest(survey, snapshot, &fact);
}

/* --- The VM itself --- */

static void check_live(struct survey *survey)
{
	const struct stage_facts *facts = survey->facts;
	auto_free char *buf = malloc(STAGE_DISK_BYTES);
	struct sf_sim_sector sector;

	for (unsigned i = 0; i < survey->stage->ndisks; i++) {
		if (!read_live(survey->house, i, buf))
			return;
		memcpy(&sector, buf, sizeof(sector));
		if (i == 0)
			survey->live_tick = sector.tick;
		compare(survey, "live", i, survey->live_tick, buf);
	}
	if (survey->live_tick != facts->new_tick && (facts->done || survey->live_tick != facts->old_tick))
		stage_complain(survey->stage, "the VM is at tick %llu; it was at %llu and %s %llu",
			       (unsigned long long)survey->live_tick, (unsigned long long)facts->old_tick,
			       facts->done ? "must be at" : "may be at", (unsigned long long)facts->new_tick);
}

static void check_guest(const struct survey *survey)
{
	struct sf_sim_view view = house_view(survey->house);
	const struct stage_facts *facts = survey->facts;
	enum sf_power want = survey->live_tick == facts->new_tick ? facts->new_power : facts->old_power;

	if (facts->old_tick == facts->new_tick && !facts->done && view.power == facts->old_power)
		want = facts->old_power; /* the disks do not tell how far it came */
	if (view.crashed)
		stage_complain(survey->stage, "the guest has crashed");
	else if (view.power != want)
		stage_complain(survey->stage, "the guest is %s; it was %s, and %s was asked for",
			       sf_power_name(view.power), sf_power_name(facts->old_power),
			       sf_power_name(facts->new_power));
	if (view.power != SF_POWER_OFF && view.tick != survey->live_tick)
		stage_complain(survey->stage, "the guest is at tick %llu, its disks at %llu",
			       (unsigned long long)view.tick, (unsigned long long)survey->live_tick);
}

/* Lets the guest run on. It survives only if RAM and disks fit together. */
static void check_it_goes_on(struct house *house)
{
	struct sf_vm_desc vm = house_vm(house);
	struct sf_sim_view before, after;
	struct sf_err err = {0};
	int rc = 0;

	if (house_view(house).power == SF_POWER_OFF)
		rc = sf_hypervisor_start(house->hv, &vm, false, &err);
	if (rc == 0)
		rc = sf_hypervisor_resume(house->hv, &vm, &err);
	if (rc < 0)
		stage_complain(house->stage, "the guest cannot continue: %s", err.text);
	before = house_view(house);
	sf_sim_tick(house->sim, 3);
	after = house_view(house);
	if (after.crashed || after.tick != before.tick + 3)
		stage_complain(house->stage, "the guest %s when it should continue",
			       after.crashed ? "crashes" : "stands still");
}

/* --- Owners of files and volumes --- */

static void own_files(const struct survey *survey, FILE *state, FILE *images)
{
	char id[SF_ID_TEXT], token[SF_ID_TEXT];

	sf_id_format(&survey->house->env.state_id, id);
	(void)fprintf(state, "\nid\nlock\n" STAGE_VM "\n");
	(void)fprintf(images, "\n.snapfs\n.snapfs/%s\n", id);
	for (unsigned i = 0; i < survey->stage->ndisks; i++)
		(void)fprintf(images, "disk%u.img\n", i);
	for (unsigned i = 0; forgotten(survey) && i < survey->stage->ndisks; i++) {
		sf_id_format(&forgotten(survey)->tokens[i], token);
		(void)fprintf(images, ".snapfs/%s/%s.img\n", id, token);
	}
	for (size_t i = 0; i < survey->n; i++) {
		const struct sf_record *record = &survey->snapshots[i]->record;

		(void)fprintf(state, STAGE_VM "/%s\n" STAGE_VM "/%s/meta.json\n", record->name, record->name);
		if (record->memory.present)
			(void)fprintf(state, STAGE_VM "/%s/memory.sav\n", record->name);
		if (survey->snapshots[i]->manifest_bytes)
			(void)fprintf(state, STAGE_VM "/%s/manifest.json\n", record->name);
		for (size_t d = 0; d < record->ndisks; d++) {
			sf_id_format(&record->disks[d].object.token, token);
			(void)fprintf(images, ".snapfs/%s/%s.img\n", id, token);
		}
	}
}

static void check_owned(const struct survey *survey, const char *name, const char *owned)
{
	auto_free char *files = listing_files(survey->stage, name, false);
	char *rest = files, *file;

	while ((file = strsep(&rest, "\n")) && *file) {
		char line[PATH_MAX + 2];

		(void)snprintf(line, sizeof(line), "\n%s\n", file);
		if (!strstr(owned, line))
			stage_complain(survey->stage, "unexpected file %s/%s", name, file);
	}
}

static void check_files(const struct survey *survey)
{
	auto_free char *state = NULL, *images = NULL;
	size_t state_len, images_len;
	FILE *state_out = open_memstream(&state, &state_len),
	     *images_out = open_memstream(&images, &images_len);

	own_files(survey, state_out, images_out);
	(void)fclose(state_out); /* a memory stream */
	(void)fclose(images_out);
	check_owned(survey, "state", state);
	check_owned(survey, "images", images);
}

/* Whether the object belongs to the forgotten snapshot. Marks it as seen. */
static bool is_left(struct survey *survey, const struct sf_id *token)
{
	const struct stage_snapshot *fact = forgotten(survey);

	for (unsigned i = 0; fact && i < survey->stage->ndisks; i++) {
		if (sf_id_equal(&fact->tokens[i], token)) {
			survey->left[i] = true;
			return true;
		}
	}
	return false;
}

static int check_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct survey *survey = arg;

	(void)err;
	if (is_left(survey, &object->token))
		return 0;
	for (size_t i = 0; i < survey->n; i++)
		for (size_t d = 0; d < survey->snapshots[i]->record.ndisks; d++)
			if (sf_id_equal(&survey->snapshots[i]->record.disks[d].object.token, &object->token))
				return 0;
	stage_complain(survey->stage, "no record mentions the volume %s", where);
	return 0;
}

static void check_objects(struct survey *survey)
{
	for (unsigned i = 0; i < survey->stage->ndisks; i++) {
		struct sf_volume *volume = house_volume(survey->house, i);
		struct sf_err err = {0};

		if (volume && sf_object_list(volume->storage, volume->origin, check_object, survey, &err) < 0)
			stage_complain(survey->stage, "list the objects of disk %u: %s", i, err.text);
		sf_volume_close(volume);
	}
	for (unsigned i = 0; forgotten(survey) && i < survey->stage->ndisks; i++)
		if (!survey->left[i])
			stage_complain(survey->stage, "disk %u of a forgotten snapshot is lost", i);
}

/* --- All checks --- */

static void check_health(const struct survey *survey)
{
	auto_free char *text = sf_engine_health_json(survey->house->engine);
	auto_json json_t *health = text ? json_loads(text, 0, NULL) : NULL;
	const json_t *problem;
	size_t i, norphans = 0;

	json_array_foreach(json_object_get(health, "problems"), i, problem) norphans +=
		strcmp(json_string_value(json_object_get(problem, "kind")), "orphan") == 0;
	if (forgotten(survey) && norphans == survey->stage->ndisks && i == norphans)
		return; /* expected: forgotten objects are reported as orphans */
	if (!json_is_true(json_object_get(health, "ok")))
		stage_complain(survey->stage, "health.json: %s", text ? text : "none");
}

static void check_everything(struct survey *survey)
{
	const struct stage_ground *ground = survey->stage->ground;

	check_live(survey);
	check_guest(survey);
	if (ground)
		ground->check(survey->house, survey->snapshots, survey->n);
	for (size_t i = 0; i < survey->facts->nsnapshots; i++)
		check_fate(survey, &survey->facts->snapshots[i]);
	check_safety(survey);
	for (size_t i = 0; i < survey->n; i++)
		check_snapshot(survey, survey->snapshots[i]);
	check_files(survey);
	check_objects(survey);
}

static bool list_snapshots(struct survey *survey)
{
	struct sf_catalog *catalog = sf_engine_catalog(survey->house->engine);
	struct sf_vm_info vm;

	if (sf_catalog_vm(catalog, STAGE_VM, &vm) == 0 &&
	    sf_catalog_snapshots(catalog, vm.id, &survey->snapshots, &survey->n) == 0)
		return true;
	stage_complain(survey->stage, "the VM is not in the tree");
	return false;
}

/* Checks the state after the recovery. Returns a listing of it, NULL on failure. The caller frees it. */
static char *check_first(struct stage *stage)
{
	struct house house;
	struct survey survey = {.house = &house, .stage = stage, .facts = &stage->shared->facts};
	char *listing = NULL;

	if (house_open(&house, stage) && list_snapshots(&survey)) {
		check_health(&survey);
		house_close_engine(&house); /* ends its threads, so nothing changes any more */
		check_everything(&survey);
		listing = listing_all(&house);
		sf_catalog_snapshots_free(survey.snapshots, survey.n);
	}
	house_close(&house);
	return listing;
}

static void complain_of_difference(struct stage *stage, const char *before, const char *after)
{
	size_t same = 0;

	for (size_t i = 0; before[i] && before[i] == after[i]; i++)
		if (before[i] == '\n')
			same = i + 1;
	stage_complain(stage, "a second recovery changes '%.*s' to '%.*s'", (int)strcspn(before + same, "\n"),
		       before + same, (int)strcspn(after + same, "\n"), after + same);
}

void oracle_check(struct stage *stage)
{
	auto_free char *before = check_first(stage);
	auto_free char *after = NULL;
	struct house house;

	if (!before)
		return;
	if (house_open(&house, stage)) {
		house_close_engine(&house);
		after = listing_all(&house);
		if (strcmp(before, after) != 0)
			complain_of_difference(stage, before, after);
		check_it_goes_on(&house);
	}
	house_close(&house);
}
